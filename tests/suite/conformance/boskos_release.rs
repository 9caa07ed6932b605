//! Statements 59–65 and 76–81: release and reset.

use super::{acquire, assert_done, assert_error, last_update, name_in, record, release, reset, serving};
use lessor_ledger::{Refusal, Span};
use lessor_tests::{Lab, Setup, lab};

#[test]
fn boskos_059_releasing_an_unknown_name_is_404() {
    let server = serving(&["a"]);
    let text = "Done failed: nope - dirty (from u): no available resource nope, try again later.";
    assert_error(&release(&server, "nope", "dirty", "u"), 404, text);
}

#[test]
fn boskos_060_releasing_as_another_is_401_and_changes_nothing() {
    let server = serving(&["a"]);
    name_in(&acquire(&server, "t", "free", "busy", "u"));
    let before = record(&server, "a");
    let text = "Done failed: a - dirty (from x): owner mismatch request by x, currently owned by u";
    assert_error(&release(&server, "a", "dirty", "x"), 401, text);
    assert_eq!(record(&server, "a"), before);
}

#[test]
fn boskos_061_a_release_sets_the_state_and_clears_the_owner() {
    let server = serving(&["a"]);
    name_in(&acquire(&server, "t", "free", "busy", "u"));
    assert_done(&release(&server, "a", "dirty", "u"));
    let record = record(&server, "a");
    assert_eq!((&record["owner"], &record["state"]), (&serde_json::Value::Null, &"dirty".into()));
}

#[test]
fn boskos_062_releasing_what_nobody_owns_is_401() {
    let server = serving(&["a"]);
    let text = "Done failed: a - dirty (from u): owner mismatch request by u, currently owned by ";
    assert_error(&release(&server, "a", "dirty", "u"), 401, text);
}

#[test]
fn boskos_063_without_a_lifecycle_the_expiration_is_cleared() {
    let mut lab = Lab::new();
    lab.has_held("t", "a", "busy", "u");
    lab.expires("a", lab.now.plus(Span::from_secs(60)));
    assert_eq!(lab.release("a", "free", "u"), Ok(()));
    assert_eq!(lab.resource("a").expires_at, None);
}

#[test]
fn boskos_064_without_a_lifespan_no_expiration_is_added() {
    let mut lab = Lab::new();
    lab.has_dynamic_pool("t", 0, 10);
    lab.has_held("t", "a", "busy", "u");
    lab.has_held("t", "b", "busy", "u");
    let soon = lab.now.plus(Span::from_secs(60));
    lab.expires("b", soon);
    assert_eq!((lab.release("a", "free", "u"), lab.release("b", "free", "u")), (Ok(()), Ok(())));
    assert_eq!(lab.resource("a").expires_at, None);
    assert_eq!(lab.resource("b").expires_at, Some(soon), "it is left as it is");
}

#[test]
fn boskos_065_a_lifespan_starts_anew_with_every_release() {
    let mut lab = Lab::new();
    lab.has_pool_with_lifespan("t", Span::from_secs(60));
    lab.has_held("t", "a", "busy", "u");
    for dest in ["free", "dirty"] {
        assert_eq!(lab.release("a", dest, "u"), Ok(()));
        assert_eq!(lab.resource("a").expires_at, Some(lab.now.plus(Span::from_secs(60))), "{dest}");
        lab.pass_secs(7);
        assert!(lab.acquire("t", dest, "u", "").is_ok());
    }
}

#[test]
fn boskos_076_what_nobody_owns_is_not_reset() {
    let server = Setup::new().pools("resources: [{type: t, state: busy, names: [a]}]").start();
    let before = record(&server, "a");
    assert_eq!(reset(&server, "t", "busy", "0s", "dirty").text(), "{}");
    assert_eq!(record(&server, "a"), before);
}

#[test]
fn boskos_077_what_is_fresh_is_not_reset() {
    let server = serving(&["a"]);
    name_in(&acquire(&server, "t", "free", "busy", "u"));
    assert_eq!(reset(&server, "t", "busy", "1h", "dirty").text(), "{}");
    assert_eq!(record(&server, "a")["owner"], "u");
}

#[test]
fn boskos_078_another_type_is_not_reset() {
    let server = Setup::new().pool("t", &["a"]).pool("u", &["b"]).start();
    name_in(&acquire(&server, "t", "free", "busy", "u"));
    assert_eq!(reset(&server, "u", "busy", "0s", "dirty").text(), "{}");
    assert_eq!(record(&server, "a")["owner"], "u");
}

#[test]
fn boskos_079_another_state_is_not_reset() {
    let server = serving(&["a"]);
    name_in(&acquire(&server, "t", "free", "busy", "u"));
    assert_eq!(reset(&server, "t", "leased", "0s", "dirty").text(), "{}");
    assert_eq!(record(&server, "a")["owner"], "u");
}

#[test]
fn boskos_080_what_is_stale_is_reset() {
    let server = serving(&["a"]);
    name_in(&acquire(&server, "t", "free", "busy", "u"));
    let before = last_update(&server, "a");
    assert_eq!(reset(&server, "t", "busy", "-1s", "dirty").text(), r#"{"a":"u"}"#);
    let record = record(&server, "a");
    assert_eq!((&record["owner"], &record["state"]), (&serde_json::Value::Null, &"dirty".into()));
    assert!(last_update(&server, "a") > before);
    assert_eq!(release(&server, "a", "free", "u").status, 401, "the former owner has lost it");
}

#[test]
fn boskos_081_exactly_as_old_as_asked_is_stale() {
    let mut lab = Lab::new();
    lab.has("t", "a", "free");
    assert!(lab.acquire("t", "free", "u", "").is_ok());
    let expire = Span::from_secs(60);
    lab.pass(Span::from_nanos(expire.nanos() - 1));
    assert_eq!(lab.reset("t", "busy", expire, "dirty"), []);
    lab.pass(Span::from_nanos(1));
    assert_eq!(lab.reset("t", "busy", expire, "dirty"), [("a".to_owned(), "u".to_owned())]);
    assert_eq!(lab.resource("a").updated_at, lab.now);
}

#[test]
fn a_reset_keeps_the_expiration() {
    let mut lab = Lab::new();
    lab.has_pool_with_lifespan("t", Span::from_secs(60));
    lab.has_held("t", "a", "busy", "u");
    let soon = lab.now.plus(Span::from_secs(5));
    lab.expires("a", soon);
    lab.pass_secs(1);
    lab.reset("t", "busy", Span::ZERO, "dirty");
    assert_eq!(lab.resource("a").expires_at, Some(soon), "unlike a release");
    assert!(matches!(lab.release("a", "free", "u"), Err(Refusal::NotOwner { holder: None, .. })));
    assert_eq!(lab.resource("a").state, lab::state("dirty"));
}
