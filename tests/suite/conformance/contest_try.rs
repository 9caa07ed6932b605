//! Statements 25–32, 34 and 38: as many as possible.

use super::{assert_conflict, assert_invalid, assert_locked, lock, try_lock};
use lessor_tests::Setup;

#[test]
fn contest_025_a_limit_of_zero_locks_nothing() {
    let server = Setup::new().start();
    assert_locked(&try_lock(&server, 1, &["A"], 0), &[]);
    assert_locked(&lock(&server, 2, &["A"]), &["A"]);
}

#[test]
fn contest_026_a_limit_of_zero_is_no_excuse() {
    let server = Setup::new().start();
    assert_invalid(&try_lock(&server, 0, &["A"], 0));
    assert_invalid(&try_lock(&server, 1, &["A", ""], 0));
}

#[test]
fn contest_027_a_limit_above_what_is_there_takes_all() {
    let server = Setup::new().start();
    assert_locked(&try_lock(&server, 1, &["A", "B"], 100), &["A", "B"]);
    assert_locked(&try_lock(&server, 1, &["A", "B"], u64::MAX), &["A", "B"]);
}

#[test]
fn contest_028_a_limit_is_not_exceeded() {
    let server = Setup::new().start();
    assert_locked(&try_lock(&server, 1, &["A", "B"], 1), &["A"]);
    assert_locked(&lock(&server, 2, &["B"]), &["B"]);
}

#[test]
fn contest_029_a_conflict_is_skipped() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 2, &["A"]), &["A"]);
    assert_locked(&try_lock(&server, 1, &["A", "B", "C"], 1), &["B"]);
    assert_locked(&lock(&server, 3, &["C"]), &["C"]);
}

#[test]
fn contest_030_nothing_to_be_had_is_no_error() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 2, &["A", "B"]), &["A", "B"]);
    assert_locked(&try_lock(&server, 1, &["A", "B"], 2), &[]);
}

#[test]
fn contest_031_own_targets_are_taken_again() {
    let mut lab = lessor_tests::Lab::new();
    let minute = lessor_ledger::Span::from_secs(60);
    lab.lock(1, minute, &["B", "D"]).expect("free");
    lab.pass_secs(30);
    let taken = lab.try_lock(1, minute, &["A", "B", "C", "D"], 4).expect("free or mine");
    assert_eq!(taken, ["A", "B", "C", "D"]);
    for target in taken {
        let lock = lab.ledger.lock(&target).expect("locked");
        assert_eq!(lock.deadline, Some(lab.now.plus(minute)), "{target}");
    }
}

#[test]
fn contest_032_own_targets_consume_the_limit() {
    let server = Setup::new().start();
    assert_locked(&lock(&server, 1, &["A"]), &["A"]);
    assert_locked(&try_lock(&server, 1, &["A", "B", "C"], 2), &["A", "B"]);
    assert_locked(&lock(&server, 2, &["C"]), &["C"]);
}

#[test]
fn contest_034_the_answer_is_in_the_order_asked_for() {
    let server = Setup::new().start();
    assert_locked(&try_lock(&server, 1, &["C", "A", "D", "B"], 3), &["C", "A", "D"]);
}

/// Of the two upstream lockers the one in memory is followed: a repetition counts once (§2.9).
#[test]
fn contest_038_a_repetition_counts_once() {
    let server = Setup::new().start();
    assert_locked(&try_lock(&server, 1, &["A", "A", "B"], 2), &["A", "B"]);
    assert_conflict(&lock(&server, 2, &["B"]), &[("B", Some("job:1"))]);
}
