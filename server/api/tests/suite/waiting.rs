//! Waiting in line: held connections, long polls, and those who leave.

use std::time::Duration;

use axum::http::Method;
use lessor_ledger::{Command, Outcome, RequestId, Span};
use serde_json::{Value, json};

use crate::lab::{Answer, Lab, answer, request, with_header};

impl Lab {
    /// Sends a request from a task of its own, as a client with its own connection.
    fn spawn(&self, path: &str, body: Value) -> tokio::task::JoinHandle<Answer> {
        tokio::spawn(answer(self.site.clone(), request(Method::POST, path, Some(body))))
    }

    async fn until_waiting(&self, count: usize) {
        let waiting =
            |ledger: &lessor_ledger::Ledger| ledger.requests_after(None).filter(|r| r.waits()).count();
        self.until("waiters", |ledger| waiting(ledger) == count).await;
    }
}

#[tokio::test]
async fn a_release_hands_over_to_the_one_who_waits() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    let bob = lab.spawn("/v1/leases", json!({"owner": "bob", "pool": "cpu", "wait": "1m"}));
    lab.until_waiting(1).await;
    lab.delete("/v1/leases/1").await.expect(204);
    let lease = bob.await.expect("no panic").expect(201);
    assert_eq!(
        (&lease["owner"], &lease["targets"], &lease["request"]),
        (&json!("bob"), &json!(["cpu-1"]), &json!(1))
    );
}

#[tokio::test]
async fn whoever_runs_out_of_patience_gets_a_place_to_come_back_to() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    let body = json!({"owner": "bob", "pool": "cpu", "wait": 20, "priority": 3, "ttl": "5m"});
    let answer = lab.post("/v1/leases", body).await;
    let request = answer.expect(202);
    assert_eq!(answer.header("location"), "/v1/requests/1");
    assert_eq!(answer.header("retry-after"), "10");
    assert_eq!((&request["status"], &request["position"]), (&json!("waiting"), &json!(1)));
    assert_eq!((&request["priority"], &request["ttl_ms"]), (&json!(3), &json!(300_000)));
    let blocker = &request["waiting_for"][0];
    assert_eq!(
        (&blocker["pool"], &blocker["count"], &blocker["there"]),
        (&json!("cpu"), &json!(1), &json!(0))
    );
    assert_eq!(blocker["holders"][0]["holder"], "ann");

    lab.delete("/v1/leases/1").await.expect(204);
    let settled = lab.get("/v1/requests/1").await.expect(200);
    assert_eq!((&settled["status"], &settled["lease"]), (&json!("granted"), &json!(2)));
    assert_eq!(settled["waiting_for"], json!([]));
    let listed = lab.get("/v1/requests").await.expect(200);
    assert_eq!(listed["items"], json!([]), "a settled request waits no more");
    assert_eq!(lab.get("/v1/requests?settled=true").await.expect(200)["items"][0]["id"], 1);
}

#[tokio::test]
async fn a_long_poll_answers_when_the_request_is_settled() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    lab.post("/v1/leases", json!({"owner": "bob", "pool": "cpu", "wait": 1})).await.expect(202);
    let poll = tokio::spawn(answer(lab.site.clone(), request(Method::GET, "/v1/requests/1?wait=60s", None)));
    // The poll is a sign of life; once it is durable, the poller is in.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!poll.is_finished());
    lab.delete("/v1/leases/1").await.expect(204);
    assert_eq!(poll.await.expect("no panic").expect(200)["lease"], 2);
    lab.get("/v1/requests/1?wait=-1s").await.problem(400, "invalid");
    lab.get("/v1/requests/9?wait=1s").await.problem(404, "no-such-request");
}

#[tokio::test]
async fn an_anonymous_waiter_whose_connection_drops_leaves_the_line() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    let bob = lab.spawn("/v1/leases", json!({"owner": "bob", "pool": "cpu", "wait": "1m"}));
    lab.until_waiting(1).await;
    bob.abort();
    lab.until_waiting(0).await;
    let outcome = lab.keeper.snapshot().request(RequestId(1)).and_then(|request| request.outcome);
    assert!(matches!(outcome, Some(Outcome::Withdrawn { .. })), "{outcome:?}");
}

#[tokio::test]
async fn what_an_anonymous_waiter_was_granted_after_it_left_is_given_back() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    let body = json!({"owner": "bob", "pool": "cpu", "wait": "1m"});
    let mut bob = Box::pin(answer(lab.site.clone(), request(Method::POST, "/v1/leases", Some(body))));
    for _ in 0..1000 {
        assert!(futures_util::poll!(&mut bob).is_pending());
        tokio::time::sleep(Duration::from_millis(1)).await;
        if lab.keeper.snapshot().request(RequestId(1)).is_some() {
            break;
        }
    }
    // The reply that bob is in line is there: let the handler see it, and nothing after that.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(futures_util::poll!(&mut bob).is_pending());
    lab.delete("/v1/leases/1").await.expect(204);
    assert_eq!(lab.keeper.snapshot().lease_count(), 1, "bob was granted his lease");
    drop(bob);
    lab.until("the lease to be given back", |ledger| ledger.lease_count() == 0).await;
    let lease = lab.get("/v1/leases/2").await.expect(200);
    assert_eq!((&lease["owner"], &lease["cause"]), (&json!("bob"), &json!("released")));
}

#[tokio::test]
async fn who_leaves_before_the_answer_to_a_waiting_acquire_keeps_nothing() {
    let lab = Lab::start().await;
    let body = json!({"owner": "ann", "pool": "cpu", "wait": "1m"});
    let mut ann = Box::pin(answer(lab.site.clone(), request(Method::POST, "/v1/leases", Some(body))));
    assert!(futures_util::poll!(&mut ann).is_pending());
    drop(ann);
    lab.until("a lease that came and went", |ledger| {
        ledger.counters().lease == 1 && ledger.lease_count() == 0
    })
    .await;
}

#[tokio::test]
async fn a_waiter_with_a_key_keeps_its_place_when_its_connection_drops() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    let body = json!({"owner": "bob", "pool": "cpu", "wait": "1m", "request_id": "b"});
    let bob = lab.spawn("/v1/leases", body.clone());
    lab.until_waiting(1).await;
    bob.abort();
    let _ = bob.await;
    let cyd = lab.spawn("/v1/leases", json!({"owner": "cyd", "pool": "cpu", "wait": "1m"}));
    lab.until_waiting(2).await;
    let bob = lab.spawn("/v1/leases", body);
    lab.delete("/v1/leases/1").await.expect(204);
    assert_eq!(bob.await.expect("no panic").expect(201)["owner"], "bob");
    lab.delete("/v1/leases/2").await.expect(204);
    assert_eq!(cyd.await.expect("no panic").expect(201)["owner"], "cyd");
}

#[tokio::test]
async fn a_held_connection_is_a_sign_of_life() {
    let lab = Lab::with_request_ttl(Span::from_millis(90)).await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    let bob = lab.spawn("/v1/leases", json!({"owner": "bob", "pool": "cpu", "wait": "1m"}));
    lab.until_waiting(1).await;
    let until = |ledger: &lessor_ledger::Ledger| ledger.request(RequestId(1)).expect("there").live_until;
    let first = until(&lab.keeper.snapshot());
    lab.pass(50);
    lab.until("a sign of life", |ledger| until(ledger) > first).await;
    lab.pass(50);
    lab.delete("/v1/leases/1").await.expect(204);
    assert_eq!(bob.await.expect("no panic").expect(201)["owner"], "bob");
}

#[tokio::test]
async fn a_shutdown_answers_waiters_with_their_place_and_keeps_it() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    let bob = lab.spawn("/v1/leases", json!({"owner": "bob", "pool": "cpu", "wait": "1m"}));
    lab.until_waiting(1).await;
    lab.shutdown.cancel();
    assert_eq!(bob.await.expect("no panic").expect(202)["id"], 1);
    lab.until_waiting(1).await;
}

#[tokio::test]
async fn leaving_the_line_twice_is_no_error_but_a_grant_stays() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    for owner in ["bob", "cyd"] {
        lab.post("/v1/leases", json!({"owner": owner, "pool": "cpu", "wait": 1})).await.expect(202);
    }
    lab.delete("/v1/requests/1").await.expect(204);
    lab.delete("/v1/requests/1").await.expect(204);
    assert_eq!(lab.get("/v1/requests/1").await.expect(200)["status"], "withdrawn");
    lab.delete("/v1/leases/1").await.expect(204);
    let problem = lab.delete("/v1/requests/2").await.problem(409, "granted");
    assert_eq!(problem["lease"], 2);
    lab.delete("/v1/requests/9").await.problem(404, "no-such-request");
}

#[tokio::test]
async fn waiting_anyway_is_for_what_may_come() {
    let lab = Lab::start().await;
    let body = |anyway: bool| json!({"owner": "ann", "pool": "new", "wait": 1, "wait_anyway": anyway});
    lab.post("/v1/leases", body(false)).await.problem(422, "unsatisfiable");
    lab.post("/v1/leases", body(true)).await.expect(202);
    let put = request(Method::PUT, "/v1/resources/new-1", Some(json!({"pool": "new"})));
    lab.send(put).await.expect(201);
    assert_eq!(lab.get("/v1/requests/1").await.expect(200)["status"], "granted");
}

#[tokio::test]
async fn a_boskos_waiter_is_shown_but_not_kept_alive_by_looking() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    let command = Command::BoskosAcquire(lessor_ledger::BoskosAcquire {
        pool: lessor_ledger::PoolName::new("cpu").expect("a name"),
        state: lessor_ledger::State::free(),
        dest: lessor_ledger::State::new("busy").expect("a name"),
        owner: lessor_ledger::Owner::new("bob").expect("a name"),
        request_id: Some("uuid".into()),
    });
    lab.keeper.submit(command).await.expect_err("nothing is free");
    let id = lab.keeper.snapshot().requests_after(None).next().expect("a waiter").id;
    let before = lab.get(&format!("/v1/requests/{id}")).await.expect(200);
    lab.pass(1_000);
    let after = lab.get(&format!("/v1/requests/{id}?wait=10s")).await.expect(200);
    assert_eq!(before["live_until"], after["live_until"]);
    assert_eq!((&after["dialect"], &after["position"]), (&json!("boskos"), &json!(1)));
}

#[tokio::test]
async fn two_keys_that_differ_are_refused() {
    let lab = Lab::start().await;
    let body = json!({"owner": "ann", "pool": "gpu", "request_id": "a"});
    let request = with_header(request(Method::POST, "/v1/leases", Some(body)), "idempotency-key", "b");
    lab.send(request).await.problem(400, "invalid");
}

#[tokio::test]
async fn looking_at_a_request_is_no_sign_of_life_and_collects_nothing() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "cpu"})).await;
    for owner in ["bob", "cyd"] {
        lab.post("/v1/leases", json!({"owner": owner, "pool": "cpu", "wait": 1, "request_id": "k"}))
            .await
            .expect(202);
    }
    let before = lab.get("/v1/requests/1").await.expect(200);
    lab.pass(20_000);
    let seen = lab.get("/v1/requests/1").await.expect(200);
    assert_eq!(seen["live_until"], before["live_until"], "whoever looks is not the waiter");
    assert_ne!(lab.get("/v1/requests/1?wait=0").await.expect(200)["live_until"], before["live_until"]);
    assert_ne!(lab.get("/v1/requests/2?wait=1").await.expect(200)["live_until"], before["live_until"]);

    lab.delete("/v1/leases/1").await.expect(204);
    assert_eq!(lab.get("/v1/requests/1").await.expect(200)["lease"], 2);
    lab.pass(29_000);
    lab.get("/v1/requests/2?wait=0").await.expect(200);
    lab.pass(1_001);
    let cyd = lab.get("/v1/requests/2?wait=1s").await.expect(200);
    assert_eq!((&cyd["status"], &cyd["lease"]), (&json!("granted"), &json!(3)));
    assert_eq!(lab.get("/v1/leases/2").await.expect(200)["cause"], "uncollected");
    assert_eq!(lab.get("/v1/requests/1").await.expect(200)["status"], "lapsed");

    lab.pass(60_000);
    assert_eq!(lab.get("/v1/leases/3").await.expect(200)["cause"], json!(null), "cyd came for it");
    let again = json!({"owner": "bob", "pool": "cpu", "wait": 1, "request_id": "k"});
    assert_eq!(lab.post("/v1/leases", again).await.expect(202)["id"], 3, "bob starts anew");
}
