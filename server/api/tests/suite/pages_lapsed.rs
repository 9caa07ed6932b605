//! Locks of `ConTest` jobs that have lapsed hold nobody off, and pages do not say that they do.

use serde_json::json;

use crate::lab::Lab;
use crate::pages::shows;

impl Lab {
    async fn lapse(&self, millis: i64) {
        self.pass(millis);
        self.until("it lapses", |ledger| !ledger.lapsed_leases().is_empty()).await;
    }
}

#[tokio::test]
async fn what_has_lapsed_is_not_shown_as_held() {
    let lab = Lab::start().await;
    let lock = json!({"job": 5, "targets": ["ct-1", "ct-2"], "duration": "2s"});
    lab.post("/v1/locks/lock", lock).await.expect(200);
    shows(&lab.get("/leases/1").await, 200, &["Ends <time", "Held by"]);
    lab.lapse(300_000).await;
    let at = "datetime=\"2026-05-04T09:00:02Z\" data-rel=\"ago\"";
    for path in ["/", "/leases"] {
        shows(&lab.get(path).await, 200, &["lapsed <time", at, "its owner may still refresh it"]);
    }
    let page = lab.get("/leases/1").await;
    shows(&page, 200, &["Lapsed <time", at, "; its owner may still refresh it", "What it held last"]);
    assert!(!page.text.contains("Held by") && !page.text.contains("data-rel=\"in\""), "{}", page.text);
    assert_eq!(lab.get("/leases?format=json").await.expect(200)[0]["until"], "2026-05-04T09:00:02Z");
}

#[tokio::test]
async fn what_was_refreshed_in_part_ends_when_that_does() {
    let lab = Lab::start().await;
    let lock = json!({"job": 5, "targets": ["ct-1", "ct-2"], "duration": "2s"});
    lab.post("/v1/locks/lock", lock).await.expect(200);
    lab.lapse(300_000).await;
    let refresh = json!({"job": 5, "targets": ["ct-2"], "duration": "1h"});
    lab.post("/v1/locks/refresh", refresh).await.expect(200);
    for path in ["/leases", "/leases/1"] {
        let page = lab.get(path).await;
        shows(&page, 200, &["datetime=\"2026-05-04T10:05:00Z\" data-rel=\"in\""]);
        assert!(!page.text.contains("apsed <time"), "{}", page.text);
    }
    let page = lab.get("/leases/1").await;
    assert_eq!(page.text.matches("It has lapsed: others may lock it").count(), 1, "{}", page.text);
    // So it does in the API, and among others.
    let lease = lab.get("/v1/leases/1").await.expect(200);
    assert_eq!((&lease["live"], &lease["remaining_ms"]), (&json!(true), &json!(3_600_000)), "{lease}");
    lab.acquire(json!({"owner": "ann", "targets": ["sooner"], "ttl": "4m"})).await;
    lab.acquire(json!({"owner": "ann", "targets": ["later"], "ttl": "2h"})).await;
    let listed = lab.get("/leases?sort=until&format=json").await.expect(200);
    let ids: Vec<_> = listed.as_array().expect("rows").iter().map(|row| row["lease"].clone()).collect();
    assert_eq!(ids, [2, 1, 3], "{listed}");
}
