//! Statements 59–66: the flow of a job, as far as targets go, with the real components in the real server.

use lessor_tests::plugin::{id, serving_museum as serving, targets};
use lessor_tests::{Server, wait};
use serde_json::{Value, json};

fn named(names: &[&str]) -> Value {
    json!({"names": names})
}

fn end(server: &Server, job: &Value) -> Value {
    server.send("DELETE", &format!("/v1/jobs/{}?wait=20s", id(job))).json()
}

#[test]
fn contest_059_a_manager_locks_for_the_time_to_acquire_and_the_lease_together() {
    let server = serving();
    // The museum locks for as long as it is told; what it is told beside that, runner.rs of the jobs shows.
    let order = json!({"do": "lock", "names": ["a"]});
    let job = server.job("museum", &order, &json!({"acquire_timeout": "1h", "lock_duration": "2m"}));
    let leases = server.get("/v1/leases").json();
    let of_job = leases["items"].as_array().expect("a list has items").iter();
    let ttls: Vec<_> = of_job.map(|lease| (lease["owner"].clone(), lease["ttl_ms"].clone())).collect();
    assert_eq!(ttls, [(json!(format!("job:{}", id(&job))), json!(3_720_000))]);
}

#[test]
fn contest_060_the_lease_lasts_from_the_server_s_own_lock_on() {
    let server = serving();
    let order = json!({"do": "lock", "names": ["a"]});
    // The manager's own lock lasts acquire timeout and lock duration together.
    let job = server.job("museum", &order, &json!({"acquire_timeout": "1h", "lock_duration": "8s"}));
    assert_eq!(job["phase"], "leased", "{job}");
    assert!(job["remaining_ms"].as_i64().is_some_and(|left| left <= 8_000), "{job}");
    assert_eq!(server.holder("a"), Some(format!("job:{}", id(&job))));
    let over = server.await_phase(id(&job), "cancelled");
    assert_eq!(over["cause"], "expired");
    assert_eq!(server.holder("a"), None);
}

#[test]
fn contest_061_a_failed_acquisition_is_told_once_and_another_one_goes_well() {
    let server = serving();
    let failed = server.job("museum", &json!({"do": "fail"}), &json!({}));
    assert_eq!((&failed["phase"], &failed["cause"]), (&json!("failed"), &json!("not-acquired")), "{failed}");
    assert_eq!(server.job_events(id(&failed)), ["job-started", "target-acquire-err", "job-failed"]);
    let job = server.job("museum", &named(&["a"]), &json!({}));
    assert_eq!(end(&server, &job)["phase"], "completed");
}

#[test]
fn contest_062_a_failed_acquisition_keeps_no_other_job_from_its_targets() {
    let server = serving();
    let failed = server.job("museum", &json!({"do": "lock-and-panic", "names": ["a"]}), &json!({}));
    assert_eq!((&failed["phase"], &failed["cause"]), (&json!("failed"), &json!("not-acquired")), "{failed}");
    assert_eq!(targets(&server.job("museum", &named(&["a"]), &json!({}))), ["a"]);
}

#[test]
fn contest_063_acquiring_for_too_long_fails_the_job() {
    let server = serving();
    let order = json!({"do": "lock-for-ever", "names": ["a"]});
    let job = server.job("museum", &order, &json!({"acquire_timeout": "1s"}));
    assert_eq!((&job["phase"], &job["cause"]), (&json!("failed"), &json!("acquire-timeout")), "{job}");
    let events = server.job_events(id(&job));
    assert!(!events.contains(&"target-acquire-err".to_owned()), "{events:?}");
    assert_eq!(server.holder("a"), None);
}

/// The golden order of `reference/contest.md` §1.2, with what the server tells beside it.
#[test]
fn contest_064_targets_are_released_after_the_end_and_free_after_that() {
    let server = serving();
    let job = server.job("museum", &named(&["b", "a"]), &json!({}));
    assert_eq!(targets(&job), ["b", "a"]);
    let over = end(&server, &job);
    assert_eq!(over["phase"], "completed", "{over}");
    assert_eq!((server.holder("a"), server.holder("b")), (None, None));
    let events = server.job_events(id(&job));
    let golden = [
        "job-started",
        "lease-granted b",
        "lease-granted a",
        "target-acquired b",
        "target-acquired a",
        "job-releasing",
        "target-released b",
        "target-released a",
        "lease-reduced b",
        "lease-ended a",
        "job-completed",
    ];
    assert_eq!(events, golden);
}

/// Upstream fails the job and unlocks. Here it stays locked and is tried again, until it is forced: then it has failed.
#[test]
fn contest_065_a_release_that_fails_is_tried_again_and_fails_the_job_in_the_end() {
    let server = serving();
    let job = server.job("museum", &named(&["a"]), &json!({"release_parameters": {"do": "fail"}}));
    let _ = server.send("DELETE", &format!("/v1/jobs/{}", id(&job)));
    let stuck = wait::until_some("the second attempt has failed", wait::SOON, || {
        let job = server.look_at_job(id(&job));
        (job["phase"] == "stuck" && job["attempts"].as_u64() > Some(1)).then_some(job)
    });
    assert!(stuck["failure"].as_str().is_some_and(|failure| failure.contains("as told")), "{stuck}");
    assert_eq!(server.holder("a"), Some(format!("job:{}", id(&job))));
    let path = format!("/v1/jobs/{}/force", id(&job));
    let forced = server.send_json("POST", &path, &json!({"reason": "it is on fire", "by": "bob"})).json();
    assert_eq!(forced["phase"], "failed", "{forced}");
    assert_eq!(forced["reason"], "forced by bob: it is on fire");
    assert_eq!(server.holder("a"), None);
}

#[test]
fn contest_066_a_renewed_job_keeps_its_targets_longer_than_its_duration() {
    let server = serving();
    let job = server.job("museum", &named(&["a"]), &json!({"lock_duration": "6s"}));
    let began = wait::now();
    wait::until("more than the duration has passed", wait::SOON, || {
        let answer = server.post(&format!("/v1/jobs/{}/renew", id(&job)));
        assert_eq!(answer.status, 200, "{}", answer.text());
        began.elapsed().as_millis() > 8_000
    });
    assert_eq!(server.holder("a"), Some(format!("job:{}", id(&job))));
}

#[test]
fn contest_067_a_job_that_loses_a_target_ends_at_once_and_says_why() {
    let server = serving();
    let job = server.job("museum", &named(&["a", "b"]), &json!({}));
    let body = json!({"target": "a", "reason": "needed elsewhere", "by": "bob"});
    assert_eq!(server.send_json("POST", "/v1/locks/force-release", &body).status, 200);
    let over = server.await_phase(id(&job), "cancelled");
    assert_eq!(over["cause"], "lost", "{over}");
    assert_eq!(over["reason"], "a was taken away by bob: needed elsewhere");
    assert_eq!(server.holder("b"), None);
}

#[test]
fn contest_068_a_job_that_is_ended_while_it_acquires_is_cancelled_and_holds_nothing() {
    let server = serving();
    let body = json!({
        "target_manager": "museum", "owner": "ann",
        "acquire_parameters": {"do": "lock-for-ever", "names": ["a"]}, "release_parameters": {},
    });
    let job = server.send_json("POST", "/v1/jobs", &body).json();
    wait::until("the manager has locked", wait::SOON, || server.holder("a").is_some());
    let over = end(&server, &job);
    assert_eq!((&over["phase"], &over["cause"]), (&json!("cancelled"), &json!("asked")), "{over}");
    assert_eq!(server.holder("a"), None);
    wait::until("the call has ended", wait::SOON, || {
        server.get("/v1/plugins/museum").json()["in_flight"] == 0
    });
}
