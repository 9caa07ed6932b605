//! Statements 66–75: signs of life and user data.

use super::{acquire, assert_done, assert_error, last_update, name_in, record, serving, update};
use lessor_tests::Server;
use serde_json::json;

/// A server whose resource `a` is held by `u` in state `busy` with this user data.
fn holding(user_data: &str) -> Server {
    let server = serving(&["a"]);
    name_in(&acquire(&server, "t", "free", "busy", "u"));
    assert_done(&update(&server, "a", "u", "busy", user_data));
    server
}

#[test]
fn boskos_066_updating_an_unknown_name_is_404() {
    let server = serving(&["a"]);
    let text = "Update failed: nope - busy (u): no available resource nope, try again later.";
    assert_error(&update(&server, "nope", "u", "busy", ""), 404, text);
}

#[test]
fn boskos_067_updating_as_another_is_401() {
    let server = holding("");
    let text = "Update failed: a - busy (x): owner mismatch request by x, currently owned by u";
    assert_error(&update(&server, "a", "x", "busy", r#"{"k":"v"}"#), 401, text);
    // The owner is looked at before the state.
    let text = "Update failed: a - free (x): owner mismatch request by x, currently owned by u";
    assert_error(&update(&server, "a", "x", "free", ""), 401, text);
    assert_eq!(record(&server, "a")["user_data"], json!({}));
}

#[test]
fn boskos_068_updating_with_another_state_is_409() {
    let server = holding("");
    let text = "Update failed: a - free (u): state mismatch - expected busy, current free";
    assert_error(&update(&server, "a", "u", "free", r#"{"k":"v"}"#), 409, text);
    assert_eq!(record(&server, "a")["user_data"], json!({}));
}

#[test]
fn boskos_069_an_update_renews_the_time_and_nothing_else() {
    let server = holding(r#"{"k":"v"}"#);
    let (before, since) = (record(&server, "a"), last_update(&server, "a"));
    assert_done(&update(&server, "a", "u", "busy", ""));
    let after = record(&server, "a");
    for field in ["owner", "state", "user_data", "lease", "pool"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert!(last_update(&server, "a") > since);
}

#[test]
fn boskos_070_a_new_key_is_added() {
    let server = holding(r#"{"1":"1"}"#);
    assert_done(&update(&server, "a", "u", "busy", r#"{"2":"2"}"#));
    assert_eq!(record(&server, "a")["user_data"], json!({"1": "1", "2": "2"}));
}

#[test]
fn boskos_071_a_known_key_is_set() {
    let server = holding(r#"{"1":"1"}"#);
    assert_done(&update(&server, "a", "u", "busy", r#"{"1":"2"}"#));
    assert_eq!(record(&server, "a")["user_data"], json!({"1": "2"}));
}

#[test]
fn boskos_072_an_empty_value_deletes_its_key_only() {
    let server = holding(r#"{"1":"1","2":"2"}"#);
    assert_done(&update(&server, "a", "u", "busy", r#"{"1":""}"#));
    assert_eq!(record(&server, "a")["user_data"], json!({"2": "2"}));
}

#[test]
fn boskos_073_no_patch_keeps_user_data() {
    let server = holding(r#"{"1":"1"}"#);
    for body in ["", "{}", "null", " \n", "{} trailing bytes"] {
        assert_done(&update(&server, "a", "u", "busy", body));
        assert_eq!(record(&server, "a")["user_data"], json!({"1": "1"}), "{body:?}");
    }
}

#[test]
fn boskos_074_a_body_that_is_no_object_of_strings_is_400() {
    let server = holding(r#"{"1":"1"}"#);
    for body in ["[1]", r#"{"a":1}"#, r#"{"a":{"b":"c"}}"#, r#"{"a":"b""#, "\"a\"", "x", "{a:1}"] {
        let answer = update(&server, "a", "u", "busy", body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(answer.text().ends_with('\n') && answer.text().lines().count() == 1, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    assert_error(&update(&server, "a", "u", "busy", r#"{"a":"b""#), 400, "unexpected EOF");
    assert_eq!(record(&server, "a")["user_data"], json!({"1": "1"}));
}

#[test]
fn boskos_075_a_bad_body_is_400_even_for_an_unknown_name() {
    let server = holding("");
    assert_eq!(update(&server, "nope", "u", "busy", "[1]").status, 400);
    assert_eq!(update(&server, "a", "x", "busy", "[1]").status, 400);
    assert_eq!(update(&server, "a", "u", "free", "[1]").status, 400);
}
