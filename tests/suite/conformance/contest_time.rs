//! Statements 7, 9–14, 16, 19, 33, 35 and 36: deadlines, to the nanosecond; and over HTTP with real time.

use super::{assert_conflict, assert_locked, locker};
use lessor_ledger::{Refusal, Span};
use lessor_tests::lab::Answer;
use lessor_tests::{Lab, Setup, wait};
use serde_json::json;

const MINUTE: Span = Span::from_secs(60);
const TEN_MINUTES: Span = Span::from_secs(600);
const NANO: Span = Span::from_nanos(1);

#[track_caller]
fn assert_busy(answer: &Answer<Vec<String>>, holder: &str) {
    match answer {
        Err(Refusal::Busy(conflicts)) => {
            let holders: Vec<_> = conflicts.iter().filter_map(|conflict| conflict.holder.as_ref()).collect();
            assert_eq!(holders.iter().map(|owner| owner.as_str()).collect::<Vec<_>>(), [holder]);
        }
        other => panic!("not a conflict: {other:?}"),
    }
}

#[track_caller]
fn assert_not_held(answer: &Answer<Vec<String>>, holder: Option<&str>) {
    match answer {
        Err(Refusal::NotHeld(missing)) => {
            let holders: Vec<_> =
                missing.iter().map(|one| one.holder.as_ref().map(lessor_ledger::Owner::as_str)).collect();
            assert_eq!(holders, [holder]);
        }
        other => panic!("not a conflict: {other:?}"),
    }
}

#[track_caller]
fn assert_all(answer: &Answer<Vec<String>>, targets: &[&str]) {
    assert_eq!(
        answer.as_ref().map(|locked| locked.iter().map(String::as_str).collect::<Vec<_>>()),
        Ok(targets.to_vec())
    );
}

#[test]
fn contest_007_a_shorter_duration_shortens_the_lock() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, TEN_MINUTES, &["A"]), &["A"]);
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    lab.pass_secs(120);
    assert_all(&lab.lock(2, MINUTE, &["A"]), &["A"]);
}

#[test]
fn contest_009_a_conflict_moves_no_deadline() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    assert_all(&lab.lock(2, TEN_MINUTES, &["B"]), &["B"]);
    assert_busy(&lab.lock(1, TEN_MINUTES, &["A", "B"]), "job:2");
    lab.pass(MINUTE);
    lab.pass(NANO);
    assert_all(&lab.lock(3, MINUTE, &["A"]), &["A"]);
}

#[test]
fn contest_010_at_its_deadline_a_lock_still_holds() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    lab.pass(MINUTE);
    assert_busy(&lab.lock(2, MINUTE, &["A"]), "job:1");
}

#[test]
fn contest_011_just_after_it_another_may_have_it() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    lab.pass(MINUTE);
    lab.pass(NANO);
    assert_all(&lab.lock(2, MINUTE, &["A"]), &["A"]);
}

#[test]
fn contest_011_over_http() {
    let server = Setup::new().start();
    let short = json!({"job": 1, "targets": ["A"], "duration": "300ms"});
    assert_locked(&locker(&server, "lock", &short), &["A"]);
    let other = json!({"job": 2, "targets": ["A"], "duration": "1m"});
    wait::until("the lock expires", wait::SOON, || locker(&server, "lock", &other).status == 200);
    assert_conflict(&locker(&server, "refresh", &short), &[("A", Some("job:2"))]);
}

#[test]
fn contest_012_an_expired_lock_can_be_refreshed() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    lab.pass_secs(3600);
    assert_all(&lab.refresh(1, MINUTE, &["A"]), &["A"]);
    assert_busy(&lab.lock(2, MINUTE, &["A"]), "job:1");
}

#[test]
fn contest_013_an_expired_lock_can_be_unlocked() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    lab.pass_secs(3600);
    assert_all(&lab.unlock(1, &["A"]), &["A"]);
    assert_not_held(&lab.unlock(1, &["A"]), None);
}

#[test]
fn contest_014_after_a_take_over_the_former_owner_has_nothing() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    lab.pass_secs(61);
    assert_all(&lab.lock(2, MINUTE, &["A"]), &["A"]);
    assert_not_held(&lab.refresh(1, MINUTE, &["A"]), Some("job:2"));
    assert_not_held(&lab.unlock(1, &["A"]), Some("job:2"));
    assert_eq!(lab.holder("A"), "job:2");
}

#[test]
fn contest_016_another_cannot_refresh_an_expired_lock_but_lock_it() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    lab.pass_secs(61);
    assert_not_held(&lab.refresh(2, MINUTE, &["A"]), None);
    assert_all(&lab.lock(2, MINUTE, &["A"]), &["A"]);
}

#[test]
fn contest_017_a_refused_refresh_moves_no_deadline() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    assert_not_held(&lab.refresh(1, TEN_MINUTES, &["A", "B"]), None);
    lab.pass(MINUTE);
    lab.pass(NANO);
    assert_all(&lab.lock(2, MINUTE, &["A"]), &["A"]);
}

#[test]
fn contest_019_a_refresh_may_shorten_and_keeps_the_time_of_taking() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, TEN_MINUTES, &["A"]), &["A"]);
    let taken_at = lab.now;
    lab.pass_secs(1);
    assert_all(&lab.refresh(1, MINUTE, &["A"]), &["A"]);
    assert_eq!(lab.ledger.lock("A").map(|lock| lock.taken_at), Some(taken_at));
    lab.pass_secs(61);
    assert_all(&lab.lock(2, MINUTE, &["A"]), &["A"]);
}

#[test]
fn contest_033_a_try_lock_takes_over_what_expired() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    lab.pass(MINUTE);
    assert_all(&lab.try_lock(2, MINUTE, &["A"], 1), &[]);
    lab.pass(NANO);
    assert_all(&lab.try_lock(2, MINUTE, &["A"], 1), &["A"]);
}

#[test]
fn contest_035_a_duration_of_zero_holds_for_this_instant() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, Span::ZERO, &["A"]), &["A"]);
    assert_busy(&lab.lock(2, MINUTE, &["A"]), "job:1");
    lab.pass(NANO);
    assert_all(&lab.lock(2, MINUTE, &["A"]), &["A"]);
}

#[test]
fn contest_036_a_negative_duration_holds_nobody_off() {
    let mut lab = Lab::new();
    let past = Span::from_secs(-1);
    assert_all(&lab.lock(1, past, &["A", "B"]), &["A", "B"]);
    assert_all(&lab.lock(2, MINUTE, &["A"]), &["A"]);
    assert_all(&lab.unlock(1, &["B"]), &["B"]);
    assert_not_held(&lab.unlock(1, &["A"]), Some("job:2"));
}

#[test]
fn a_lapsed_lock_is_collected_after_a_day() {
    let mut lab = Lab::new();
    assert_all(&lab.lock(1, MINUTE, &["A"]), &["A"]);
    lab.pass(MINUTE);
    lab.pass(lessor_ledger::limits::LAPSED_LOCK_KEEP);
    lab.tick();
    assert!(lab.ledger.lock("A").is_some());
    lab.pass_secs(1);
    lab.tick();
    assert!(lab.ledger.lock("A").is_none());
    assert_not_held(&lab.refresh(1, MINUTE, &["A"]), None);
}
