//! Statements 35–48: who is next.

use std::time::Duration;

use super::{acquire, assert_done, assert_error, name_in, poll, release, serving};
use lessor_ledger::limits::REQUEST_GRACE;
use lessor_ledger::{RequestId, Span};
use lessor_tests::{Lab, Setup, wait};

const NOTHING_FREE: &str = "Acquire failed: no available resource t, try again later.";

/// Ten waiters for one taken resource.
fn ten_waiters() -> Lab {
    let mut lab = Lab::new();
    lab.has_held("t", "taken", "busy", "x");
    for id in 1..=10 {
        assert!(lab.acquire("t", "free", "o", &format!("id{id}")).is_err());
    }
    lab
}

/// The ranks of all waiters, in the order in which they came.
fn ranks(lab: &Lab) -> Vec<u64> {
    let waiting = lab.ledger.requests_after(None).filter(|request| request.waits());
    waiting.map(|request| lab.ledger.place(request.id).expect("it waits").position).collect()
}

#[test]
fn boskos_035_ten_ids_get_ranks_one_to_ten() {
    let lab = ten_waiters();
    assert_eq!(ranks(&lab), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(lab.ledger.counters().request, 10, "each was new");
}

#[test]
fn boskos_036_no_id_ranks_behind_all_and_is_not_new() {
    let mut lab = ten_waiters();
    for number in 0..10 {
        lab.has("t", &format!("r{number:02}"), "free");
    }
    assert!(lab.acquire("t", "free", "o", "").is_err(), "ten are for the ten who wait");
    assert_eq!(lab.ledger.request_count(), 10, "it got no place");
    lab.has("t", "r10", "free");
    assert_eq!(lab.acquire("t", "free", "o", ""), Ok("r10".to_owned()), "rank 11 takes the eleventh");
}

#[test]
fn boskos_037_when_the_head_leaves_the_others_move_up() {
    let mut lab = ten_waiters();
    lab.has("t", "r", "free");
    assert_eq!(lab.acquire("t", "free", "o", "id1"), Ok("r".to_owned()));
    assert_eq!(ranks(&lab), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(lab.ledger.requests_after(None).next().map(|request| request.id), Some(RequestId(2)));
}

#[test]
fn boskos_038_a_collection_with_nothing_expired_changes_nothing() {
    let mut lab = ten_waiters();
    lab.pass_secs(30);
    lab.tick();
    assert_eq!(ranks(&lab), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn boskos_039_a_resource_is_kept_for_who_waits() {
    let server = serving(&["r"]);
    name_in(&acquire(&server, "t", "free", "busy", "x"));
    assert_error(&poll(&server, "t", "free", "a", "id1"), 404, NOTHING_FREE);
    assert_done(&release(&server, "r", "free", "x"));
    assert_error(&acquire(&server, "t", "free", "busy", "b"), 404, NOTHING_FREE);
}

#[test]
fn boskos_040_the_second_in_line_waits_for_the_first() {
    let server = serving(&["r"]);
    name_in(&acquire(&server, "t", "free", "busy", "x"));
    assert_eq!(poll(&server, "t", "free", "a", "id1").status, 404);
    assert_done(&release(&server, "r", "free", "x"));
    assert_eq!(acquire(&server, "t", "free", "busy", "b").status, 404);
    assert_error(&poll(&server, "t", "free", "b", "id2"), 404, NOTHING_FREE);
    assert_eq!(name_in(&poll(&server, "t", "free", "a", "id1")), "r");
    assert_done(&release(&server, "r", "free", "a"));
    assert_error(&poll(&server, "t", "free", "a", "id1"), 404, NOTHING_FREE);
    assert_eq!(name_in(&poll(&server, "t", "free", "b", "id2")), "r");
}

#[test]
fn boskos_041_the_first_in_line_gets_it() {
    let server = serving(&["r"]);
    name_in(&acquire(&server, "t", "free", "busy", "x"));
    for id in ["id1", "id2"] {
        assert_eq!(poll(&server, "t", "free", id, id).status, 404);
    }
    assert_done(&release(&server, "r", "free", "x"));
    assert_eq!(name_in(&poll(&server, "t", "free", "id1", "id1")), "r");
}

#[test]
fn boskos_042_a_served_id_starts_again_at_the_end() {
    let server = serving(&["r"]);
    name_in(&acquire(&server, "t", "free", "busy", "x"));
    for id in ["id1", "id2"] {
        assert_eq!(poll(&server, "t", "free", id, id).status, 404);
    }
    assert_done(&release(&server, "r", "free", "x"));
    name_in(&poll(&server, "t", "free", "id1", "id1"));
    assert_done(&release(&server, "r", "free", "id1"));
    assert_error(&poll(&server, "t", "free", "id1", "id1"), 404, NOTHING_FREE);
}

#[test]
fn boskos_043_a_silent_waiter_is_forgotten() {
    let mut lab = Lab::new();
    assert!(lab.acquire("t", "free", "a", "id1").is_err());
    lab.has("t", "r", "free");
    lab.pass(Span::from_secs(30));
    assert!(lab.acquire("t", "free", "b", "").is_err(), "at its TTL it still waits");
    lab.pass(REQUEST_GRACE);
    lab.pass(Span::from_nanos(2));
    lab.tick();
    assert_eq!(lab.ledger.request_count(), 0);
    assert_eq!(lab.acquire("t", "free", "b", ""), Ok("r".to_owned()));
}

#[test]
fn boskos_044_rank_two_takes_the_second_oldest() {
    let mut lab = Lab::new();
    for id in ["id1", "id2"] {
        assert!(lab.acquire("t", "free", id, id).is_err());
    }
    lab.has_since("t", "old", "free", lab.now.plus(Span::from_secs(-2)));
    lab.has_since("t", "young", "free", lab.now.plus(Span::from_secs(-1)));
    assert_eq!(lab.acquire("t", "free", "id2", "id2"), Ok("young".to_owned()));
    assert_eq!(lab.acquire("t", "free", "id1", "id1"), Ok("old".to_owned()));
}

#[test]
fn boskos_045_silence_past_the_ttl_holds_nobody_up() {
    let mut lab = Lab::new();
    assert!(lab.acquire("t", "free", "a", "id1").is_err());
    lab.has("t", "r", "free");
    lab.pass(Span::from_secs(30));
    assert!(lab.acquire("t", "free", "b", "").is_err(), "expired is strictly after the TTL");
    lab.pass(Span::from_nanos(1));
    assert_eq!(lab.acquire("t", "free", "b", ""), Ok("r".to_owned()));
}

#[test]
fn boskos_045_over_http_with_a_short_ttl() {
    let server = Setup::new().pool("t", &["r"]).arguments(&["--request-ttl", "300ms"]).start();
    name_in(&acquire(&server, "t", "free", "busy", "x"));
    assert_eq!(poll(&server, "t", "free", "a", "id1").status, 404);
    assert_done(&release(&server, "r", "free", "x"));
    wait::until("a silent waiter holds nobody up", wait::SOON, || {
        acquire(&server, "t", "free", "busy", "b").status == 200
    });
}

#[test]
fn boskos_046_a_waiter_that_comes_back_in_time_has_its_old_place() {
    let mut lab = Lab::new();
    lab.has_held("t", "r", "busy", "x");
    assert!(lab.acquire("t", "free", "a", "id1").is_err());
    lab.pass_secs(1);
    assert!(lab.acquire("t", "free", "b", "id2").is_err());
    // id1 has been silent for longer than its TTL; id2 is at its last moment.
    lab.pass_secs(30);
    assert!(lab.acquire("t", "free", "a", "id1").is_err());
    assert_eq!(lab.release("r", "free", "x"), Ok(()));
    assert!(lab.acquire("t", "free", "b", "id2").is_err(), "id1 is ahead again");
    assert_eq!(lab.acquire("t", "free", "a", "id1"), Ok("r".to_owned()));
}

#[test]
fn boskos_047_each_type_and_state_has_its_own_line() {
    let server = serving(&["r"]);
    name_in(&acquire(&server, "t", "free", "busy", "x"));
    assert_eq!(poll(&server, "t", "free", "a", "id1").status, 404);
    assert_done(&release(&server, "r", "dirty", "x"));
    let janitor = acquire(&server, "t", "dirty", "cleaning", "Janitor");
    assert_eq!(name_in(&janitor), "r");
}

#[test]
fn boskos_048_waiting_is_measured_from_the_first_poll() {
    let server = serving(&["r", "s"]);
    assert_eq!(acquire(&server, "t", "free", "busy", "x").status, 200);
    assert_eq!(acquire(&server, "t", "free", "busy", "x").status, 200);
    assert_eq!(poll(&server, "t", "free", "a", "id1").status, 404);
    wait::pass(Duration::from_millis(1_100));
    for name in ["r", "s"] {
        assert_done(&release(&server, name, "free", "x"));
    }
    name_in(&poll(&server, "t", "free", "a", "id1"));
    name_in(&acquire(&server, "t", "free", "busy", "b"));
    let bucket = |id: &str, bound: &str| count(server.get("/metrics").text(), id, bound);
    assert_eq!((bucket("true", "1.0"), bucket("true", "10.0")), (0, 1), "it waited for more than a second");
    assert_eq!((bucket("false", "1.0"), bucket("false", "10.0")), (3, 3), "these did not wait");
}

/// The count of the acquires that took at most `bound` seconds.
fn count(metrics: &str, has_request_id: &str, bound: &str) -> u64 {
    let labels = [format!("has_request_id=\"{has_request_id}\""), format!("le=\"{bound}\"")];
    let line = metrics.lines().find(|line| {
        line.starts_with("boskos_acquire_duration_seconds_bucket{")
            && labels.iter().all(|label| line.contains(label))
    });
    let line = line.unwrap_or_else(|| panic!("no bucket {labels:?} in:\n{metrics}"));
    line.rsplit(' ').next().and_then(|count| count.parse().ok()).expect("a bucket has a count")
}
