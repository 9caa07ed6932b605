//! Statements 94–108: what a pools file makes of what is there. Each names the fixtures that hold it.

use super::sync_fixtures::{Fixture, dynamic_updates, first_half, second_half};
use super::{acquire, assert_done, metric, name_in, release};
use lessor_ledger::{Change, Origin, Resource, Span};
use lessor_tests::lab::{dynamic, listed, state};
use lessor_tests::{Lab, Setup, wait};

/// Checks the fixtures of these names.
fn hold(names: &[&str]) {
    let all = first_half().into_iter().chain(second_half()).chain(dynamic_updates());
    let chosen: Vec<Fixture> = all.filter(|fixture| names.contains(&fixture.name)).collect();
    assert_eq!(chosen.len(), names.len(), "every name is that of a fixture");
    chosen.into_iter().for_each(Fixture::check);
}

#[test]
fn boskos_094_an_unchanged_file_changes_nothing() {
    hold(&["F2", "F4", "G1", "G2"]);
}

#[test]
fn boskos_095_new_names_are_added_free() {
    hold(&["F3", "F10"]);
}

#[test]
fn boskos_096_a_name_that_is_no_longer_listed_goes_at_once_in_any_state() {
    hold(&["F5", "F8", "F10"]);
}

#[test]
fn boskos_097_an_owned_one_stays_until_it_is_given_back() {
    hold(&["F7", "F9"]);
    let mut lab = Lab::new();
    lab.has_held("t", "a", "busy", "o");
    lab.sync(vec![]);
    assert_eq!(lab.holder("a"), "o");
    assert_eq!(lab.release("a", "free", "o"), Ok(()));
    assert!(lab.ledger.resource("a").is_none(), "it goes with the release");
}

#[test]
fn boskos_097_over_http() {
    let server = Setup::new().pool("t", &["a", "b"]).start();
    name_in(&acquire(&server, "t", "free", "busy", "o"));
    server.set_pools("resources: [{type: t, state: free, names: [c]}]");
    wait::until("the file is applied", wait::SOON, || server.get("/v1/resources/c").status == 200);
    let counts = r#"{"type":"t","current":{"busy":1,"free":1},"owner":{"":1,"o":1}}"#;
    assert_eq!(metric(&server, "t").text(), counts);
    assert_eq!(server.get("/v1/resources/b").status, 404);
    assert_done(&release(&server, "a", "free", "o"));
    assert_eq!(metric(&server, "t").json()["current"], serde_json::json!({"free": 1}));
}

#[test]
fn boskos_098_a_static_type_that_turns_dynamic_keeps_its_resources() {
    hold(&["F1", "F16"]);
}

#[test]
fn boskos_099_a_dynamic_type_that_turns_static_keeps_the_listed_ones() {
    hold(&["F17"]);
}

#[test]
fn boskos_100_a_name_that_changes_its_type_is_made_anew() {
    hold(&["F18"]);
}

#[test]
fn boskos_100_an_owned_one_moves_when_it_is_given_back() {
    let mut lab = Lab::new();
    lab.has_held("t", "a", "busy", "o");
    let report = lab.sync(vec![listed("u", &["a"])]);
    assert_eq!(report.deferred.len(), 1, "{report:?}");
    assert_eq!((lab.resource("a").pool.as_str(), lab.holder("a").as_str()), ("t", "o"));
    assert_eq!(lab.release("a", "dirty", "o"), Ok(()));
    let moved = lab.resource("a");
    assert_eq!((moved.pool.as_str(), &moved.state), ("u", &state("free")));
}

#[test]
fn boskos_101_a_dynamic_type_that_is_removed_lets_go_of_what_is_idle() {
    hold(&["F5", "F7", "G8"]);
}

#[test]
fn boskos_102_a_dynamic_type_without_resources_goes() {
    hold(&["F6", "G9"]);
}

#[test]
fn boskos_103_tombstones_take_their_type_with_them() {
    hold(&["G10"]);
}

#[test]
fn boskos_104_only_idle_ones_expire() {
    hold(&["G4", "F12"]);
    // To the nanosecond: at its expiration it is still good.
    let mut lab = Lab::new();
    lab.has_dynamic_pool("dt", 0, 4);
    lab.has("dt", "a", "free");
    lab.expires("a", lab.now.plus(Span::from_secs(60)));
    lab.pass_secs(60);
    lab.tick();
    assert_eq!(lab.resource("a").state, state("free"));
    assert_eq!(lab.ledger.deadline(), Some(lab.now.plus(Span::from_nanos(1))), "the timer is set for it");
    lab.pass(Span::from_nanos(1));
    lab.tick();
    assert_eq!(lab.resource("a").state, state("toBeDeleted"));
}

#[test]
fn boskos_105_tombstones_are_replaced_up_to_the_minimum() {
    hold(&["F11", "F13", "G3", "G7"]);
}

#[test]
fn boskos_106_what_is_to_be_deleted_counts_toward_the_minimum() {
    hold(&["F13", "F15", "G7"]);
}

#[test]
fn boskos_107_a_lower_maximum_marks_the_greatest_names() {
    hold(&["F14", "G5"]);
}

#[test]
fn boskos_108_busy_ones_count_against_the_maximum() {
    hold(&["G6"]);
}

#[test]
fn every_fixture_holds() {
    first_half().into_iter().chain(second_half()).chain(dynamic_updates()).for_each(Fixture::check);
}

/// A composite resource that is going away, made of `a` and `b`; `b` has been taken out of it already.
fn composite() -> Lab {
    let mut lab = Lab::new();
    lab.has_dynamic_pool("dt", 0, 4);
    lab.has("dt", "whole", "toBeDeleted");
    lab.has("t", "a", "whole");
    lab.has("t", "b", "free");
    let data = [("leasedResources".into(), "- a\n- b\n".into())];
    let mut whole = Resource::clone(lab.resource("whole"));
    let details = lessor_ledger::Details { user_data: data.into(), ..Default::default() };
    whole.details = Some(details.into());
    lab.ledger.absorb(&Change::Resource(whole.into()));
    lab
}

#[test]
fn the_built_in_cleaner_returns_what_a_dead_resource_was_made_of() {
    let mut lab = composite();
    let before = lab.resource("b").clone();
    lab.pass(lessor_ledger::limits::CLEANER_DELAY);
    lab.tick();
    assert_eq!(lab.resource("whole").state, state("toBeDeleted"), "an outside cleaner may still come");
    lab.pass(Span::from_nanos(1));
    lab.tick();
    assert!(lab.ledger.resource("whole").is_none(), "it turned into a tombstone, and that was deleted");
    assert_eq!(lab.resource("a").state, state("dirty"));
    assert_eq!(*lab.resource("b"), before, "what is in another state is left alone");
}

#[test]
fn an_outside_cleaner_can_do_it_too() {
    let mut lab = composite();
    assert_eq!(lab.acquire("dt", "toBeDeleted", "cleaner", ""), Ok("whole".to_owned()));
    lab.pass_secs(3600);
    lab.tick();
    assert_eq!(lab.holder("whole"), "cleaner", "what it holds is its own business");
    assert_eq!(lab.release("whole", "tombstone", "cleaner"), Ok(()));
    assert!(lab.ledger.resource("whole").is_none());
}

#[test]
fn what_the_file_does_not_say_about_a_resource_made_over_the_api_is_left_alone() {
    let mut lab = Lab::new();
    lab.has("t", "a", "free");
    let mut own = Resource::clone(lab.resource("a"));
    own.origin = Origin::Api;
    lab.ledger.absorb(&Change::Resource(own.into()));
    lab.sync(vec![dynamic("dt", 0, 1)]);
    assert_eq!(lab.resource("a").state, state("free"));
}
