//! Statements 1–23: methods, parameters, and the bytes of answers.

use super::{
    acquire, assert_done, assert_error, by_state, metric, name_in, release, reset, serving, timeless, update,
};
use lessor_tests::Setup;

#[test]
fn boskos_001_acquire_takes_post_only() {
    let server = serving(&["res"]);
    assert_error(&server.get("/acquire"), 405, "Method GET, /acquire only accepts POST.");
    assert_error(&server.send("PUT", "/acquire?type=t"), 405, "Method PUT, /acquire only accepts POST.");
    assert_error(&server.send("BREW", "/acquire"), 405, "Method BREW, /acquire only accepts POST.");
}

#[test]
fn boskos_002_release_reset_and_update_take_post_only() {
    let server = serving(&["res"]);
    for endpoint in ["release", "reset", "update"] {
        let text = format!("Method GET, /{endpoint} only accepts POST.");
        assert_error(&server.get(&format!("/{endpoint}")), 405, &text);
    }
    // The wrong name is upstream's.
    assert_error(&server.get("/acquirebystate"), 405, "Method GET, /acquire only accepts POST.");
}

#[test]
fn boskos_003_metric_takes_get_only() {
    let server = serving(&["res"]);
    assert_error(&server.post("/metric?type=t"), 405, "/metric only accepts GET");
    assert_eq!(server.send("HEAD", "/metric?type=t").status, 405);
}

/// Overridden: `/` is the dashboard, which still answers 200 to everything a Boskos client might send.
#[test]
fn boskos_004_the_root_answers_200() {
    let server = serving(&["res"]);
    assert_eq!(server.get("/").status, 200);
    assert_eq!(server.post("/").status, 200);
}

/// Overridden: an unknown path is a 404 problem, so that a typing error does not look like success.
#[test]
fn boskos_005_an_unknown_path_is_a_problem() {
    let server = serving(&["res"]);
    for path in ["/nonexistent", "/acquire/", "//acquire", "/Acquire", "/acquire/x"] {
        let answer = server.post(path);
        assert_eq!((answer.status, answer.problem().as_str()), (404, "/problems/not-found"), "{path}");
    }
}

#[test]
fn boskos_006_acquire_needs_type_state_dest_and_owner() {
    let server = serving(&["res"]);
    let tail = "all of them must be set in the request.";
    let text = format!("Bad request: Type: , state: s, dest: d, owner: o, {tail}");
    assert_error(&server.post("/acquire?state=s&dest=d&owner=o"), 400, &text);
    let text = format!("Bad request: Type: t, state: , dest: d, owner: o, {tail}");
    assert_error(&server.post("/acquire?type=t&state=&dest=d&owner=o"), 400, &text);
    let text = format!("Bad request: Type: t, state: s, dest: , owner: o, {tail}");
    assert_error(&server.post("/acquire?type=t&state=s&owner=o"), 400, &text);
    let text = format!("Bad request: Type: t, state: s, dest: d, owner: , {tail}");
    assert_error(&server.post("/acquire?type=t&state=s&dest=d"), 400, &text);
}

#[test]
fn boskos_007_release_needs_name_dest_and_owner() {
    let server = serving(&["res"]);
    let tail = "all of them must be set in the request.";
    let text = format!("Name: , dest: d, owner: o, {tail}");
    assert_error(&server.post("/release?dest=d&owner=o"), 400, &text);
    let text = format!("Name: n, dest: , owner: o, {tail}");
    assert_error(&server.post("/release?name=n&owner=o"), 400, &text);
    let text = format!("Name: n, dest: d, owner: , {tail}");
    assert_error(&server.post("/release?name=n&dest=d"), 400, &text);
}

#[test]
fn boskos_008_reset_needs_type_state_expire_and_dest() {
    let server = serving(&["res"]);
    let tail = "all of them must be set in the request.";
    let text = format!("Type: , state: s, expire: 1m, dest: d, {tail}");
    assert_error(&server.post("/reset?state=s&expire=1m&dest=d"), 400, &text);
    let text = format!("Type: t, state: , expire: 1m, dest: d, {tail}");
    assert_error(&server.post("/reset?type=t&expire=1m&dest=d"), 400, &text);
    let text = format!("Type: t, state: s, expire: , dest: d, {tail}");
    assert_error(&server.post("/reset?type=t&state=s&dest=d"), 400, &text);
    let text = format!("Type: t, state: s, expire: 1m, dest: , {tail}");
    assert_error(&server.post("/reset?type=t&state=s&expire=1m"), 400, &text);
}

#[test]
fn boskos_009_reset_wants_a_go_duration() {
    let server = serving(&["res"]);
    assert_error(&reset(&server, "t", "s", "woooo", "d"), 400, "time: invalid duration \"woooo\"");
    assert_error(&reset(&server, "t", "s", "5", "d"), 400, "time: missing unit in duration \"5\"");
    let text = "time: unknown unit \"d\" in duration \"5d\"";
    assert_error(&reset(&server, "t", "s", "5d", "d"), 400, text);
    for duration in ["0", "30m0s", "336h0m0s", "-1.5h", "+1us", "1µs"] {
        assert_eq!(reset(&server, "t", "s", duration, "d").status, 200, "{duration}");
    }
}

#[test]
fn boskos_010_update_needs_name_owner_and_state() {
    let server = serving(&["res"]);
    let tail = "all of them must be set in the request.";
    let text = format!("Name: , owner: o, state : s, {tail}");
    assert_error(&server.post("/update?owner=o&state=s"), 400, &text);
    let text = format!("Name: n, owner: , state : s, {tail}");
    assert_error(&server.post("/update?name=n&state=s"), 400, &text);
    let text = format!("Name: n, owner: o, state : , {tail}");
    assert_error(&server.post("/update?name=n&owner=o"), 400, &text);
}

#[test]
fn boskos_011_metric_needs_a_type() {
    let server = serving(&["res"]);
    assert_error(&server.get("/metric"), 400, "Type must be set in the request.");
    assert_error(&server.get("/metric?type="), 400, "Type must be set in the request.");
}

#[test]
fn boskos_012_acquirebystate_needs_names() {
    let server = serving(&["res"]);
    let text = "state: s, dest: d, owner: o, names:  - all of them must be set in the request.";
    assert_error(&by_state(&server, "s", "d", "o", ""), 400, text);
}

#[test]
fn boskos_013_a_form_body_is_not_seen() {
    let server = serving(&["res"]);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = b"type=t&state=free&dest=busy&owner=o";
    let answer = server.client().send_with("POST", "/acquire", &form, body).expect("the server answers");
    let text = "Bad request: Type: , state: , dest: , owner: , all of them must be set in the request.";
    assert_error(&answer, 400, text);
}

#[test]
fn boskos_014_an_error_is_one_line_of_plain_text() {
    let server = serving(&["res"]);
    let answer = release(&server, "nope", "dirty", "u");
    let text = "Done failed: nope - dirty (from u): no available resource nope, try again later.";
    assert_error(&answer, 404, text);
    let answer = server.post("/acquire?type=%3Cb%3E&state=s&dest=d&owner=%22");
    assert_error(&answer, 404, "Acquire failed: resource type \"<b>\" does not exist");
}

#[test]
fn boskos_015_an_acquired_resource_is_these_bytes() {
    let server = serving(&["res"]);
    let answer = acquire(&server, "t", "free", "d", "o");
    assert_eq!(answer.status, 200);
    let expected = r#"{"type":"t","name":"res","state":"d","owner":"o","lastupdate":"T","userdata":{}}"#;
    assert_eq!(timeless(answer.text()), expected);
    // What Go's server sniffs for a body that nobody gave a type.
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn boskos_016_empty_user_data_is_an_object() {
    let server = serving(&["res"]);
    let answer = acquire(&server, "t", "free", "d", "o");
    assert_eq!(answer.json()["userdata"], serde_json::json!({}));
}

#[test]
fn boskos_017_no_expiration_is_no_key() {
    let server = serving(&["res"]);
    let answer = acquire(&server, "t", "free", "d", "o");
    assert!(!answer.text().contains("expiration"), "{}", answer.text());
}

#[test]
fn boskos_018_acquirebystate_answers_an_array_and_a_newline() {
    let server = serving(&["a", "b"]);
    let answer = by_state(&server, "free", "d", "o", "b,a");
    assert_eq!(answer.status, 200);
    let one = |name: &str| {
        format!(r#"{{"type":"t","name":"{name}","state":"d","owner":"o","lastupdate":"T","userdata":{{}}}}"#)
    };
    assert_eq!(timeless(answer.text()), format!("[{},{}]\n", one("a"), one("b")));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn boskos_019_release_and_update_answer_nothing() {
    let server = serving(&["res"]);
    assert_eq!(name_in(&acquire(&server, "t", "free", "busy", "o")), "res");
    let answer = update(&server, "res", "o", "busy", "");
    assert_done(&answer);
    assert_eq!(answer.header("content-length"), Some("0"));
    let answer = release(&server, "res", "free", "o");
    assert_done(&answer);
    assert_eq!(answer.header("content-length"), Some("0"));
}

#[test]
fn boskos_020_a_reset_of_nothing_is_an_empty_object() {
    let server = serving(&["res"]);
    let answer = reset(&server, "t", "busy", "1m", "dirty");
    assert_eq!((answer.status, answer.text()), (200, "{}"));
    assert_eq!(reset(&server, "no-such-type", "busy", "1m", "dirty").text(), "{}");
}

#[test]
fn boskos_021_a_reset_tells_whose_it_was() {
    let server = serving(&["res", "zes"]);
    for owner in ["user", "us<er\u{2028}"] {
        assert_eq!(acquire(&server, "t", "free", "busy", owner).status, 200);
    }
    let answer = reset(&server, "t", "busy", "0s", "dirty");
    assert_eq!((answer.status, answer.text()), (200, r#"{"res":"user","zes":"us\u003cer\u2028"}"#));
}

#[test]
fn boskos_022_a_metric_is_these_bytes() {
    let server = serving(&["a", "b", "c"]);
    assert_eq!(acquire(&server, "t", "free", "busy", "u").status, 200);
    let answer = metric(&server, "t");
    let expected = r#"{"type":"t","current":{"busy":1,"free":2},"owner":{"":2,"u":1}}"#;
    assert_eq!((answer.status, answer.text()), (200, expected));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[test]
fn boskos_023_unowned_resources_count_under_the_empty_owner() {
    let server = Setup::new().pool("t", &["a", "b"]).start();
    assert_eq!(metric(&server, "t").json()["owner"], serde_json::json!({"": 2}));
    for _ in 0..2 {
        assert_eq!(acquire(&server, "t", "free", "busy", "u").status, 200);
    }
    assert_eq!(metric(&server, "t").json()["owner"], serde_json::json!({"u": 2}));
}

#[test]
fn query_strings_are_read_as_go_reads_them() {
    let server = serving(&["a", "b", "c"]);
    // The first value of a repeated key; a pair with a semicolon or a bad escape is not there.
    let answer = server.post("/acquire?type=t&type=zz&state=fr%65e&dest=b+c%26&owner=o&x;y&owner=%zz");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["state"], "b c&");
    assert!(answer.text().contains(r#""state":"b c\u0026""#), "{}", answer.text());
    let answer = server.post("/acquire?type=t&state=free&dest=busy&owner=%zz");
    assert_eq!(answer.status, 400, "a value that cannot be read is missing");
}

#[test]
fn a_name_that_is_too_long_is_refused_clearly() {
    let server = serving(&["a"]);
    let long = "x".repeat(513);
    let answer = acquire(&server, "t", "free", "busy", &long);
    assert_error(&answer, 400, "Bad request: owner: an owner has 513 bytes, at most 512 are allowed");
    let answer = acquire(&server, "t", "free", "busy", &long[..512]);
    assert_eq!(answer.status, 200, "{}", answer.text());
}
