//! Statements 1–6, 8, 15, 17, 18, 20–24 and 37: locking, refreshing and unlocking over HTTP.

use super::{
    assert_conflict, assert_invalid, assert_locked, lock, locker, refresh, serving, try_lock, unlock,
};
use lessor_tests::Setup;
use serde_json::json;

#[test]
fn contest_001_job_zero_is_refused_even_for_nothing() {
    let server = Setup::new().start();
    assert_invalid(&lock(&server, 0, &[]));
}

#[test]
fn contest_002_no_targets_is_a_success() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &[]), &[]);
    let body = json!({"job": 1, "targets": null, "duration": "1m"});
    assert_locked(&locker(&server, "lock", &body), &[]);
    assert_locked(&locker(&server, "lock", &json!({"job": 1, "duration": "1m"})), &[]);
    assert_locked(&unlock(&server, 1, &[]), &[]);
}

#[test]
fn contest_003_job_zero_locks_nothing() {
    let server = Setup::new().start();
    assert_invalid(&lock(&server, 0, &["A"]));
    assert_locked(&lock(&server, 2, &["A"]), &["A"]);
}

#[test]
fn contest_004_an_empty_id_refuses_the_whole_call() {
    let server = Setup::new().start();
    assert_invalid(&lock(&server, 1, &["A", ""]));
    assert_invalid(&unlock(&server, 1, &[""]));
    assert_invalid(&refresh(&server, 1, &[""]));
    assert_locked(&lock(&server, 2, &["A"]), &["A"]);
    assert_locked(&lock(&server, 2, &[" "]), &[" "]);
}

#[test]
fn contest_005_a_locked_target_is_a_conflict() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &["A", "B"]), &["A", "B"]);
    assert_conflict(&lock(&server, 2, &["B"]), &[("B", Some("job:1"))]);
    assert_locked(&lock(&server, 3, &["C"]), &["C"]);
    // Every conflict is told, with its holder.
    let conflicts = [("C", Some("job:3")), ("A", Some("job:1"))];
    assert_conflict(&lock(&server, 2, &["C", "free", "A", "C"]), &conflicts);
}

#[test]
fn contest_006_one_unlock_frees_what_was_locked_twice() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &["A"]), &["A"]);
    assert_locked(&lock(&server, 1, &["A"]), &["A"]);
    assert_locked(&unlock(&server, 1, &["A"]), &["A"]);
    assert_locked(&lock(&server, 2, &["A"]), &["A"]);
}

#[test]
fn contest_008_a_conflict_locks_nothing() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &["B"]), &["B"]);
    assert_conflict(&lock(&server, 2, &["A", "B"]), &[("B", Some("job:1"))]);
    assert_locked(&lock(&server, 3, &["A"]), &["A"]);
}

#[test]
fn contest_015_a_refresh_never_locks_anything_new() {
    let server = Setup::new().start();
    assert_conflict(&refresh(&server, 1, &["A"]), &[("A", None)]);
    assert_locked(&lock(&server, 2, &["A"]), &["A"]);
}

#[test]
fn contest_017_a_refresh_is_all_or_nothing() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &["A"]), &["A"]);
    assert_locked(&lock(&server, 2, &["C"]), &["C"]);
    let deadline =
        |server: &lessor_tests::Server| server.get("/v1/locks").json()["items"][0]["deadline"].clone();
    let before = deadline(&server);
    assert_conflict(&refresh(&server, 1, &["A", "B", "C"]), &[("B", None), ("C", Some("job:2"))]);
    assert_eq!(deadline(&server), before);
    assert!(before.is_string(), "{before}");
}

#[test]
fn contest_018_a_refresh_of_nothing() {
    let server = Setup::new().start();
    assert_invalid(&refresh(&server, 0, &[]));
    assert_locked(&refresh(&server, 1, &[]), &[]);
}

#[test]
fn contest_020_unlocking_a_free_target_is_refused() {
    let server = Setup::new().start();
    assert_conflict(&unlock(&server, 1, &["A"]), &[("A", None)]);
}

#[test]
fn contest_021_unlocking_twice_is_refused() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &["A"]), &["A"]);
    assert_locked(&unlock(&server, 1, &["A"]), &["A"]);
    assert_conflict(&unlock(&server, 1, &["A"]), &[("A", None)]);
}

#[test]
fn contest_022_unlocking_for_another_is_refused_and_changes_nothing() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &["A"]), &["A"]);
    assert_conflict(&unlock(&server, 2, &["A"]), &[("A", Some("job:1"))]);
    assert_conflict(&lock(&server, 2, &["A"]), &[("A", Some("job:1"))]);
}

#[test]
fn contest_023_an_unlock_is_all_or_nothing() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &["mine"]), &["mine"]);
    assert_locked(&lock(&server, 2, &["other"]), &["other"]);
    assert_conflict(&unlock(&server, 1, &["mine", "other"]), &[("other", Some("job:2"))]);
    assert_conflict(&lock(&server, 3, &["mine"]), &[("mine", Some("job:1"))]);
}

#[test]
fn contest_024_an_unlock_may_repeat_itself() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &["A"]), &["A"]);
    assert_locked(&unlock(&server, 1, &["A", "A"]), &["A"]);
    assert_locked(&lock(&server, 2, &["A"]), &["A"]);
}

/// Of the two upstream lockers the one in memory is followed: repetitions collapse (§2.9).
#[test]
fn contest_037_a_lock_may_repeat_itself() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &["A", "B", "A"]), &["A", "B"]);
    assert_locked(&refresh(&server, 1, &["A", "A"]), &["A"]);
}

/// There is no locker that locks nothing: what upstream's `Noop` would let pass is always refused.
#[test]
fn contest_042_there_is_no_noop_locker() {
    let server = Setup::new().start();
    assert_invalid(&lock(&server, 0, &["A"]));
    assert_invalid(&try_lock(&server, 1, &["A", ""], 9));
    assert_locked(&try_lock(&server, 1, &["A", "B"], 1), &["A"]);
}

#[test]
fn durations_are_go_strings_or_milliseconds() {
    let server = Setup::new().start();
    for duration in
        [json!("5m0s"), json!("1.5h"), json!(300_000), json!("0"), json!(0), json!("-1s"), json!(-1)]
    {
        let body = json!({"job": 1, "targets": ["A"], "duration": duration});
        assert_locked(&locker(&server, "lock", &body), &["A"]);
    }
    for duration in [
        json!("5"),
        json!("five"),
        json!(1.5),
        json!(null),
        json!(true),
        json!(u64::MAX),
        json!("300000h1000000h2000000h"),
    ] {
        let body = json!({"job": 1, "targets": ["A"], "duration": duration});
        assert_invalid(&locker(&server, "lock", &body));
    }
}

#[test]
fn bodies_are_what_they_should_be() {
    let server = Setup::new().start();
    for (operation, body) in [
        ("lock", json!({"job": 1, "targets": ["A"]})),
        ("lock", json!({"targets": ["A"], "duration": "1m"})),
        ("lock", json!({"job": -1, "targets": ["A"], "duration": "1m"})),
        ("lock", json!({"job": 1.5, "targets": ["A"], "duration": "1m"})),
        ("lock", json!({"job": "1", "targets": ["A"], "duration": "1m"})),
        ("lock", json!({"job": 1, "targets": [null], "duration": "1m"})),
        ("lock", json!({"job": 1, "targets": "A", "duration": "1m"})),
        ("lock", json!({"job": 1, "targets": ["A"], "duration": "1m", "limit": 1})),
        ("lock", json!({"job": 1, "targets": ["A"], "duration": "1m", "surprise": 1})),
        ("try-lock", json!({"job": 1, "targets": ["A"], "duration": "1m"})),
        ("try-lock", json!({"job": 1, "targets": ["A"], "duration": "1m", "limit": -1})),
        ("refresh", json!({"job": 1, "targets": ["A"]})),
        ("unlock", json!({"job": 1, "targets": ["A"], "limit": 1})),
        ("lock", json!({"job": 1, "targets": ["x".repeat(513)], "duration": "1m"})),
        ("lock", json!({"job": 1, "targets": vec!["A"; 10_001], "duration": "1m"})),
        ("lock", json!([])),
    ] {
        assert_invalid(&locker(&server, operation, &body));
    }
    assert_locked(
        &locker(&server, "lock", &json!({"job": u64::MAX, "targets": ["A"], "duration": "1m"})),
        &["A"],
    );
    assert_locked(
        &locker(&server, "unlock", &json!({"job": u64::MAX, "targets": ["A"], "duration": "1m"})),
        &["A"],
    );
}

#[test]
fn a_pooled_resource_is_locked_for_both_dialects() {
    let server = serving(&["a"]);
    assert_locked(&lock(&server, 1, &["a"]), &["a"]);
    assert_eq!(super::acquire(&server, "t", "free", "busy", "o").status, 404);
    assert_locked(&unlock(&server, 1, &["a"]), &["a"]);
    assert_eq!(super::acquire(&server, "t", "free", "busy", "o").status, 200);
    assert_conflict(&lock(&server, 1, &["a"]), &[("a", Some("o"))]);
}
