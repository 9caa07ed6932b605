//! Pages of what is over.

use serde_json::json;

use crate::lab::Lab;
use crate::pages::shows;

#[tokio::test]
async fn the_page_of_an_ended_lease_says_who_holds_its_things_now() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "targets": ["gpu-1"]})).await;
    shows(&lab.get("/leases/1").await, 200, &["state leased"]);
    lab.form_of_ann("/leases/1/release", &[]).await;
    let free = lab.get("/leases/1").await;
    shows(&free, 200, &["What it held last", "state free"]);
    assert!(!free.text.contains("state leased"), "{}", free.text);
    lab.acquire(json!({"owner": "bob", "targets": ["gpu-1"]})).await;
    shows(&lab.get("/leases/1").await, 200, &["What it held last", "state leased"]);
}

#[tokio::test]
async fn ended_leases_claim_no_order_that_they_do_not_have() {
    let lab = Lab::start().await;
    for owner in ["bob", "ann"] {
        let taken = lab.acquire(json!({"owner": owner, "targets": ["gpu-1"]})).await;
        lab.delete(&format!("/v1/leases/{}?owner={owner}", taken["id"])).await.expect(204);
    }
    for sort in ["", "&sort=id", "&sort=until", "&sort=owner", "&sort=nonsense"] {
        let page = lab.get(&format!("/leases?q=is:ended{sort}")).await;
        shows(&page, 200, &["aria-sort=\"descending\">Lease"]);
        let at = |row| page.text.find(row).expect(row);
        assert!(at("id=\"lease-2\"") < at("id=\"lease-1\""), "{sort}");
        assert!(!page.text.contains("<select") && !page.text.contains("ascending"), "{}", page.text);
    }
}
