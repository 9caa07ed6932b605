//! Doing the same to everything that a filter finds. That it is done is tested in `tests/browser`.

use lessor_ledger::{Command, Span};
use serde_json::json;

use crate::lab::{Lab, entry};
use crate::pages::{as_ann, hidden, leads_to, shows};

#[tokio::test]
async fn what_is_not_done_for_some_of_many_is_said_with_its_reason() {
    let lab = Lab::start().await;
    let mut gpu = entry("gpu", &["gpu-1", "gpu-2"]);
    gpu.pool.max_ttl = Some(Span::from_secs(600));
    lab.keeper.submit(Command::Sync(vec![gpu])).await.expect("pools");
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    lab.acquire(json!({"owner": "ann", "targets": ["bench-9"]})).await;
    let bulk = "/bulk/leases?q=is:mine";
    let page = lab.send(as_ann(bulk)).await;
    let seen = hidden(&page, "seen");
    let fields = [("seen", seen.as_str()), ("action", "extend"), ("ttl", "2h")];
    let some = lab.form_of_ann(bulk, &fields).await;
    let said = ["Done for 1 of them, not for 1.", "lease 1 of ann: ttl must be", "value=\"2h\""];
    shows(&some, 409, &said);
    assert_eq!(lab.get("/v1/leases/2").await.expect(200)["ttl_ms"], 7_200_000);
    assert_eq!(lab.get("/v1/leases/1").await.expect(200)["ttl_ms"], 600_000);
    // If it is done for none, the field is likely to be wrong.
    lab.form_of_ann("/leases/2/release", &[]).await;
    let one = hidden(&lab.send(as_ann(bulk)).await, "seen");
    let fields = [("seen", one.as_str()), ("action", "extend"), ("ttl", "2h")];
    shows(
        &lab.form_of_ann(bulk, &fields).await,
        400,
        &["<strong>ttl</strong>", "at most 10 min", "aria-invalid"],
    );
    let fields = [("seen", one.as_str()), ("action", "extend"), ("ttl", "5m")];
    leads_to(&lab.form_of_ann(bulk, &fields).await, "/leases?q=is%3Amine&done=bulk");
}

#[tokio::test]
async fn what_makes_no_sense_for_many_is_refused() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    let unnamed = [("seen", ""), ("action", "extend")];
    shows(&lab.form("/bulk/leases", &unnamed).await, 400, &["say who you are first"]);
    let unsaid = [("seen", ""), ("action", "take-back"), ("reason", " ")];
    shows(&lab.form_of_ann("/bulk/leases", &unsaid).await, 400, &["<strong>reason</strong>"]);
    shows(&lab.form_of_ann("/bulk/queue", &[("action", "drain")]).await, 400, &["there is no"]);
    shows(&lab.get("/bulk/nonsense").await, 404, &["<!DOCTYPE html>"]);
    shows(&lab.get("/bulk/leases?q=is:ended").await, 410, &["these leases are over"]);
    shows(&lab.get("/bulk/jobs?q=no:such").await, 400, &["filter"]);
}
