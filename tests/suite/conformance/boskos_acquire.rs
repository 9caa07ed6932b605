//! Statements 24–34 and 49–58: acquire, creation on demand, acquire by state.

use super::{
    acquire, assert_done, assert_error, by_state, last_update, metric, name_in, poll, record, release,
    serving, update,
};
use lessor_tests::{Lab, Setup};

const NOTHING_FREE: &str = "Acquire failed: no available resource t, try again later.";

#[test]
fn boskos_024_no_resources_and_no_lifecycle_is_an_unknown_type() {
    let server = Setup::new().start();
    let answer = acquire(&server, "t", "free", "busy", "o");
    assert_error(&answer, 404, r#"Acquire failed: resource type "t" does not exist"#);
    let answer = acquire(&server, "a\"b\\\u{1}ä", "free", "busy", "o");
    assert_error(&answer, 404, r#"Acquire failed: resource type "a\"b\\\x01ä" does not exist"#);
}

#[test]
fn boskos_025_only_other_types_is_an_unknown_type() {
    let server = Setup::new().pool("other", &["a"]).start();
    let answer = acquire(&server, "t", "free", "busy", "o");
    assert_error(&answer, 404, r#"Acquire failed: resource type "t" does not exist"#);
}

#[test]
fn boskos_026_another_state_is_nothing_free() {
    let server = serving(&["a"]);
    assert_error(&acquire(&server, "t", "dirty", "busy", "o"), 404, NOTHING_FREE);
}

#[test]
fn boskos_027_what_is_owned_is_not_free() {
    let server = serving(&["a"]);
    // It stays in state free, but has an owner.
    assert_eq!(acquire(&server, "t", "free", "free", "o").status, 200);
    assert_error(&acquire(&server, "t", "free", "busy", "p"), 404, NOTHING_FREE);
    assert_error(&acquire(&server, "t", "free", "busy", "o"), 404, NOTHING_FREE);
}

#[test]
fn boskos_028_a_match_gets_owner_dest_and_a_new_time() {
    let server = serving(&["a"]);
    let before = last_update(&server, "a");
    let answer = acquire(&server, "t", "free", "busy", "o").json();
    assert_eq!((&answer["owner"], &answer["state"]), (&"o".into(), &"busy".into()));
    assert!(answer["lastupdate"].as_str() > Some(before.as_str()), "{answer} after {before}");
    let record = record(&server, "a");
    assert_eq!((&record["owner"], &record["state"]), (&"o".into(), &"busy".into()));
}

#[test]
fn boskos_029_a_failed_acquire_writes_nothing() {
    let server = serving(&["a"]);
    let before = record(&server, "a");
    assert_eq!(acquire(&server, "t", "dirty", "busy", "o").status, 404);
    assert_eq!(poll(&server, "t", "dirty", "o", "id").status, 404);
    assert_eq!(acquire(&server, "zz", "free", "busy", "o").status, 404);
    assert_eq!(record(&server, "a"), before);
}

#[test]
fn boskos_030_four_rounds_give_four_resources() {
    let server = serving(&["a", "b", "c", "d"]);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let name = name_in(&acquire(&server, "t", "free", "busy", "o"));
        assert_done(&release(&server, &name, "free", "o"));
        seen.push(name);
    }
    seen.sort();
    assert_eq!(seen, ["a", "b", "c", "d"]);
}

#[test]
fn boskos_031_the_oldest_goes_first() {
    let mut lab = Lab::new();
    for (name, age) in [("young", 1), ("old", 3), ("middle", 2), ("also-old", 3)] {
        lab.has_since("t", name, "free", lab.now.plus(lessor_ledger::Span::from_secs(-age)));
    }
    let order: Vec<_> = (0..4).map(|_| lab.acquire("t", "free", "o", "").expect("free")).collect();
    assert_eq!(order, ["also-old", "old", "middle", "young"], "of two of one age the lower name goes first");
}

#[test]
fn boskos_032_user_data_comes_with_the_resource() {
    let server = serving(&["a"]);
    name_in(&acquire(&server, "t", "free", "busy", "o"));
    assert_done(&update(&server, "a", "o", "busy", r#"{"z":"1","a":"<2>"}"#));
    assert_done(&release(&server, "a", "free", "o"));
    let answer = acquire(&server, "t", "free", "busy", "p");
    let expected = r#""userdata":{"a":"\u003c2\u003e","z":"1"}}"#;
    assert!(answer.text().ends_with(expected), "{}", answer.text());
}

#[test]
fn boskos_033_an_expiration_stays_through_an_acquire() {
    let pools = "resources: [{type: t, state: free, min-count: 1, max-count: 1, lifespan: 1h}]";
    let server = Setup::new().pools(pools).start();
    let first = acquire(&server, "t", "free", "busy", "o");
    assert!(first.json().get("expiration-date").is_none(), "a new one has none: {}", first.text());
    assert_done(&release(&server, &name_in(&first), "free", "o"));
    let stored = record(&server, &name_in(&first))["expires_at"].clone();
    let second = acquire(&server, "t", "free", "busy", "o");
    assert!(stored.is_string(), "{stored}");
    assert_eq!(second.json()["expiration-date"], stored);
    assert!(super::timeless(second.text()).ends_with(r#""userdata":{},"expiration-date":"T"}"#));
}

#[test]
fn boskos_034_dest_is_any_text() {
    let server = serving(&["a"]);
    let answer = acquire(&server, "t", "free", "a resource's name 日", "o");
    assert_eq!(answer.json()["state"], "a resource's name 日");
    assert_done(&release(&server, "a", "free", "o"));
    assert_eq!(acquire(&server, "t", "free", "free", "o").json()["state"], "free");
}

/// A server with an empty dynamic type `t` of at most two.
fn dynamic() -> lessor_tests::Server {
    let pools = "resources: [{type: t, state: new, min-count: 0, max-count: 2}]";
    Setup::new().pools(pools).start()
}

fn total(server: &lessor_tests::Server) -> u64 {
    let answer = metric(server, "t");
    if answer.status == 404 { 0 } else { answer.json()["current"]["new"].as_u64().unwrap_or_default() }
}

#[test]
fn boskos_049_the_first_poll_of_an_id_creates_one() {
    let server = dynamic();
    assert_eq!(total(&server), 0);
    // Upstream says that the type does not exist, although it has just made a resource of it.
    assert_error(&poll(&server, "t", "free", "o", "one"), 404, NOTHING_FREE);
    assert_eq!(total(&server), 1);
}

#[test]
fn boskos_050_another_poll_of_it_creates_none() {
    let server = dynamic();
    for _ in 0..3 {
        assert_error(&poll(&server, "t", "free", "o", "one"), 404, NOTHING_FREE);
    }
    assert_eq!(total(&server), 1);
}

#[test]
fn boskos_051_a_second_id_creates_a_second() {
    let server = dynamic();
    for id in ["one", "two"] {
        assert_eq!(poll(&server, "t", "free", "o", id).status, 404);
    }
    assert_eq!(total(&server), 2);
}

#[test]
fn boskos_052_a_third_id_finds_the_maximum_reached() {
    let server = dynamic();
    for id in ["one", "two", "three"] {
        assert_eq!(poll(&server, "t", "free", "o", id).status, 404);
    }
    assert_eq!(total(&server), 2);
}

#[test]
fn boskos_053_without_an_id_nothing_is_created() {
    let server = dynamic();
    for _ in 0..3 {
        assert_error(&acquire(&server, "t", "free", "busy", "o"), 404, NOTHING_FREE);
    }
    assert_eq!(total(&server), 0);
}

#[test]
fn boskos_054_all_named_ones_in_the_state_are_taken() {
    let server = serving(&["a", "b", "c"]);
    let answer = by_state(&server, "free", "leased", "o", "c,a,c");
    assert_eq!(answer.status, 200);
    let taken = answer.json();
    let taken: Vec<_> = taken.as_array().expect("an array").iter().collect();
    let names: Vec<_> = taken.iter().map(|one| one["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["a", "c"], "the oldest first, whatever the order asked for");
    for one in taken {
        assert_eq!((&one["owner"], &one["state"]), (&"o".into(), &"leased".into()));
    }
    assert_eq!(record(&server, "b")["owner"], serde_json::Value::Null);
}

const NOT_ALL: &str = "AcquireByState: no available resource free, try again later.";

#[test]
fn boskos_055_one_in_another_state_is_404() {
    let pools = "resources: [{type: t, state: dirty, names: [a]}]";
    let server = Setup::new().pools(pools).start();
    assert_error(&by_state(&server, "free", "leased", "o", "a"), 404, NOT_ALL);
    assert_error(&by_state(&server, "free", "leased", "o", "no-such"), 404, NOT_ALL);
}

#[test]
fn boskos_056_one_owned_by_another_is_404() {
    let server = serving(&["a"]);
    name_in(&acquire(&server, "t", "free", "free", "o"));
    assert_error(&by_state(&server, "free", "leased", "p", "a"), 404, NOT_ALL);
    assert_error(&by_state(&server, "free", "leased", "o", "a"), 404, NOT_ALL);
}

#[test]
fn boskos_057_types_may_differ() {
    let server = Setup::new().pool("t", &["a"]).pool("u", &["b"]).start();
    let answer = by_state(&server, "free", "leased", "o", "a,b").json();
    assert_eq!((&answer[0]["type"], &answer[1]["type"]), (&"t".into(), &"u".into()));
}

/// Upstream leaves the matching ones owned, of which nobody is told; here it is all or nothing (design §3.2).
#[test]
fn boskos_058_a_partial_match_is_404_and_takes_nothing() {
    let server = serving(&["a", "b"]);
    for names in ["a,no-such", "a,,b", "a,b,", ",", "a b"] {
        assert_error(&by_state(&server, "free", "leased", "o", names), 404, NOT_ALL);
    }
    for name in ["a", "b"] {
        let record = record(&server, name);
        assert_eq!((&record["owner"], &record["state"]), (&serde_json::Value::Null, &"free".into()));
    }
}
