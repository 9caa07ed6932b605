//! Leasing, renewing, giving back, taking away.

use axum::http::Method;
use serde_json::{Value, json};

use crate::lab::{Lab, request, with_header};

fn sorted(list: &Value) -> Vec<&str> {
    let mut names: Vec<_> = list.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_lease_has_the_shape_that_others_rely_on() {
    let lab = Lab::start().await;
    let body =
        json!({"owner": "job:17", "pool": "gpu", "ttl": "10m", "purpose": "nightly", "request_id": "r1"});
    let answer = lab.post("/v1/leases", body).await;
    let lease = answer.expect(201);
    assert_eq!(answer.header("location"), "/v1/leases/1");
    assert_eq!(
        lease,
        json!({
            "id": 1, "fence": 1, "owner": "job:17", "targets": ["gpu-1"],
            "resources": [{
                "name": "gpu-1", "pool": "gpu", "state": "leased", "labels": {"site": "ber"},
                "addresses": {"fqdn": "gpu-1.example", "ipv4": "10.0.0.1"}, "user_data": {},
            }],
            "resources_left_out": 0, "returned": [],
            "granted_at": "2026-05-04T09:00:00Z", "renewed_at": "2026-05-04T09:00:00Z",
            "expires_at": "2026-05-04T09:10:00Z", "live": true, "ttl_ms": 600_000, "remaining_ms": 600_000,
            "purpose": "nightly", "dialect": "v1", "request_id": "r1", "request": null, "job": 17,
            "ended_at": null, "cause": null, "reason": null, "by": null,
        })
    );
    lab.pass(1_500);
    let shown = lab.get("/v1/leases/1").await.expect(200);
    assert_eq!(shown["remaining_ms"], 598_500);
    assert_eq!(shown["expires_at"], "2026-05-04T09:10:00Z");
}

#[tokio::test]
async fn nothing_free_and_no_wait_is_409_at_once_with_the_holders() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu", "ttl": 60_000})).await;
    for wait in [json!(null), json!(0), json!("0s")] {
        let body = json!({"owner": "bob", "pool": "cpu", "wait": wait});
        let problem = lab.post("/v1/leases", body).await.problem(409, "busy");
        let holder =
            problem["conflicts"].as_array().expect("conflicts").iter().find(|c| c["holder"] == "ann");
        let holder = holder.unwrap_or_else(|| panic!("{problem}"));
        assert_eq!(holder["target"], "cpu-1");
        assert_eq!(holder["lease"], 1);
        assert_eq!(holder["until"], "2026-05-04T09:01:00Z");
    }
}

#[tokio::test]
async fn what_can_never_be_met_is_refused_with_a_reason_per_rule() {
    let lab = Lab::start().await;
    let body = json!({"owner": "ann", "requests": [
        {"pool": "gpu", "count": 4}, {"pool": "nope"}, {"pool": "cpu", "labels": {"site": "muc"}},
        {"pool": "cpu", "targets": ["gpu-1"]},
    ]});
    let problem = lab.post("/v1/leases", body).await.problem(422, "unsatisfiable");
    let mut rules: Vec<_> = problem["unsatisfied"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|unmet| unmet["rule"].clone())
        .collect();
    rules.sort_by_key(Value::to_string);
    assert_eq!(rules, ["no-label-match", "no-such-pool", "not-in-pool", "too-many"]);
}

#[tokio::test]
async fn several_pools_are_leased_all_or_nothing() {
    let lab = Lab::start().await;
    let both = json!({"owner": "ann", "requests": [{"pool": "gpu", "count": 2}, {"pool": "cpu"}]});
    let lease = lab.acquire(both.clone()).await;
    assert_eq!(sorted(&lease["targets"]), ["cpu-1", "gpu-1", "gpu-2"]);
    lab.post("/v1/leases", both).await.problem(409, "busy");
    let gpus = lab.get("/v1/pools/gpu").await.expect(200);
    assert_eq!(gpus["held"], 2, "the refused one holds nothing");
}

#[tokio::test]
async fn unregistered_targets_are_simply_locked() {
    let lab = Lab::start().await;
    let lease = lab.acquire(json!({"owner": "ann", "targets": ["printer", "gpu-2"]})).await;
    assert_eq!(sorted(&lease["targets"]), ["gpu-2", "printer"]);
    assert_eq!(lease["resources"].as_array().map(Vec::len), Some(1));
    let problem =
        lab.post("/v1/leases", json!({"owner": "bob", "targets": ["printer"]})).await.problem(409, "busy");
    assert_eq!(problem["holder"], "ann");
}

#[tokio::test]
async fn the_same_key_gives_the_same_lease_and_another_body_is_refused() {
    let lab = Lab::start().await;
    let ask = |body: Value| {
        with_header(request(Method::POST, "/v1/leases", Some(body)), "idempotency-key", "\"k1\"")
    };
    let first = lab.send(ask(json!({"owner": "ann", "pool": "gpu"}))).await.expect(201);
    let again = lab.send(ask(json!({"pool": "gpu", "owner": "ann"}))).await.expect(201);
    assert_eq!(first["id"], again["id"]);
    lab.send(ask(json!({"owner": "ann", "pool": "gpu", "count": 2}))).await.problem(422, "key-reused");
    let other_owner = lab.send(ask(json!({"owner": "bob", "pool": "gpu"}))).await.expect(201);
    assert_ne!(first["id"], other_owner["id"]);
    lab.delete("/v1/leases/1").await.expect(204);
    let over = lab.send(ask(json!({"owner": "ann", "pool": "gpu"}))).await.problem(410, "lease-ended");
    assert_eq!(over["lease"], 1);
}

#[tokio::test]
async fn a_renewal_moves_the_deadline_from_now_on() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu", "ttl": "60s"})).await;
    lab.pass(30_000);
    let renewed = lab.send(request(Method::POST, "/v1/leases/1/renew", None)).await.expect(200);
    assert_eq!(renewed["expires_at"], "2026-05-04T09:01:30Z");
    let longer = lab.post("/v1/leases/1/renew", json!({"owner": "ann", "ttl": "2h"})).await.expect(200);
    assert_eq!(longer["ttl_ms"], 7_200_000);
    let problem = lab.post("/v1/leases/1/renew", json!({"owner": "bob"})).await.problem(409, "not-holder");
    assert_eq!(problem["holder"], "ann");
    lab.post("/v1/leases/1/renew", json!({"ttl": "10000h"})).await.problem(400, "invalid");
    lab.post("/v1/leases/99/renew", json!({})).await.problem(404, "no-such-lease");
}

#[tokio::test]
async fn an_expired_lease_is_gone_and_stays_in_the_history() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu", "ttl": "60s"})).await;
    lab.pass(60_000);
    lab.post("/v1/leases/1/renew", json!({"ttl": "60s"})).await.expect(200);
    lab.pass(60_001);
    let problem = lab.post("/v1/leases/1/renew", json!({})).await.problem(410, "lease-ended");
    assert_eq!(problem["lease"], 1);
    let lease = lab.get("/v1/leases/1").await.expect(200);
    assert_eq!(lease["cause"], "expired");
    assert_eq!(lease["expires_at"], Value::Null);
    assert_eq!(lease["targets"], json!(["gpu-1"]));
    lab.get("/v1/leases/2").await.problem(404, "no-such-lease");
}

#[tokio::test]
async fn some_targets_can_be_given_back_into_another_state() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu", "count": 3})).await;
    let left = lab
        .post("/v1/leases/1/release", json!({"targets": ["gpu-2"], "to_state": "broken"}))
        .await
        .expect(200);
    assert_eq!(left["targets"], json!(["gpu-1", "gpu-3"]));
    assert_eq!(left["returned"], json!(["gpu-2"]));
    assert_eq!(left["ended_at"], Value::Null);
    let resource = lab.get("/v1/resources/gpu-2").await.expect(200);
    assert_eq!((&resource["state"], &resource["owner"]), (&json!("broken"), &Value::Null));
    let problem =
        lab.post("/v1/leases/1/release", json!({"targets": ["cpu-1"]})).await.problem(409, "not-holder");
    assert_eq!(problem["conflicts"][0]["target"], "cpu-1");
    let over = lab.send(request(Method::POST, "/v1/leases/1/release", None)).await.expect(200);
    assert_eq!(over["cause"], "released");
}

#[tokio::test]
async fn deleting_twice_is_no_error_but_somebody_elses_is() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    let problem = lab.delete("/v1/leases/1?owner=bob").await.problem(409, "not-holder");
    assert_eq!(problem["holder"], "ann");
    assert_eq!(lab.delete("/v1/leases/1?owner=ann&to_state=dirty").await.expect(204), Value::Null);
    lab.delete("/v1/leases/1").await.expect(204);
    lab.delete("/v1/leases/7").await.problem(404, "no-such-lease");
    assert_eq!(lab.get("/v1/resources/gpu-1").await.expect(200)["state"], "dirty");
}

#[tokio::test]
async fn a_lease_can_be_taken_away_with_a_reason_but_not_from_somebody_else() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    let path = "/v1/leases/1/force-release";
    lab.post(path, json!({"reason": " "})).await.problem(400, "invalid");
    let wrong = json!({"reason": "stuck", "expected_owner": "bob"});
    assert_eq!(lab.post(path, wrong).await.problem(409, "not-holder")["holder"], "ann");
    let right = json!({"reason": "stuck", "expected_owner": "ann", "by": "root", "to_state": "dirty"});
    let lease = lab.post(path, right.clone()).await.expect(200);
    assert_eq!(
        (&lease["cause"], &lease["reason"], &lease["by"]),
        (&json!("forced"), &json!("stuck"), &json!("root"))
    );
    lab.post(path, right).await.problem(410, "lease-ended");
}

#[tokio::test]
async fn one_target_can_be_taken_away_whoever_holds_it() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "targets": ["a", "b"]})).await;
    let body = json!({"target": "a", "reason": "needed"});
    assert_eq!(lab.post("/v1/locks/force-release", body.clone()).await.expect(200)["targets"], json!(["b"]));
    lab.post("/v1/locks/force-release", body).await.problem(409, "not-holder");
}
