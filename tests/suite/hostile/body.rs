//! JSON bodies that are none, or not the right ones.

use super::{Expected, case, check, problem, text, with_body, with_headers, with_json};

const MALFORMED: &str = "/problems/malformed";
const LOCK: &str = "POST /v1/locks/lock";
const LEASE: &str = "POST /v1/leases";

#[test]
fn json_that_is_wrong() {
    check(vec![
        case("an empty body", with_json(LOCK, ""), problem(400, MALFORMED)),
        case("white space", with_json(LOCK, " \n\t "), problem(400, MALFORMED)),
        case("null", with_json(LOCK, "null"), problem(400, MALFORMED)),
        case("a body that is cut off", with_json(LOCK, r#"{"job":1,"targets":["x"#), problem(400, MALFORMED)),
        case(
            "two values",
            with_json(LOCK, r#"{"job":1,"targets":["x"],"duration":"1m"} {}"#),
            problem(400, MALFORMED),
        ),
        case("a list of an object's values", with_json(LOCK, r#"[1,["x"],"1m"]"#), problem(400, MALFORMED)),
        case(
            "the same within an object",
            with_json(LEASE, r#"{"owner":"x","requests":[["gpu",1]]}"#),
            problem(400, MALFORMED),
        ),
        case("a list for no body", with_json("POST /v1/leases/1/release", "[]"), problem(400, MALFORMED)),
        case(
            "a list for a cordon",
            with_json("PATCH /v1/resources/x", r#"{"cordon":["x"]}"#),
            problem(400, MALFORMED),
        ),
        case(
            "an unknown field",
            with_json(LOCK, r#"{"job":1,"targets":["x"],"duration":"1m","x":1}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a field twice",
            with_json(LOCK, r#"{"job":1,"job":2,"targets":["x"],"duration":"1m"}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a field in another case",
            with_json(LOCK, r#"{"Job":1,"targets":["x"],"duration":"1m"}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a comma too many",
            with_json(LOCK, r#"{"job":1,"targets":["x",],"duration":"1m"}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a comment",
            with_json(LOCK, r#"{"job":1,/* x */"targets":["x"],"duration":"1m"}"#),
            problem(400, MALFORMED),
        ),
        case("single quotes", with_json(LOCK, "{'job':1}"), problem(400, MALFORMED)),
    ]);
}

#[test]
fn json_beyond_all_bounds() {
    let deep = "[".repeat(100_000);
    let deep_object = format!("{}1{}", r#"{"a":"#.repeat(50_000), "}".repeat(50_000));
    check(vec![
        case(
            "not a number",
            with_json(LOCK, r#"{"job":NaN,"targets":["x"],"duration":"1m"}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a number of a thousand digits",
            with_json(LOCK, format!(r#"{{"job":{},"targets":["x"],"duration":"1m"}}"#, "9".repeat(1000))),
            problem(400, MALFORMED),
        ),
        case(
            "a number with a huge exponent",
            with_json(LOCK, r#"{"job":1e999999999,"targets":["x"],"duration":"1m"}"#),
            problem(400, MALFORMED),
        ),
        case("a hundred thousand brackets", with_json(LOCK, &deep), problem(400, MALFORMED)),
        case("an object fifty thousand deep", with_json(LOCK, &deep_object), problem(400, MALFORMED)),
        case(
            "bytes that are not UTF-8",
            with_json(LOCK, b"{\"job\":1,\"targets\":[\"\xff\"],\"duration\":\"1m\"}"),
            problem(400, MALFORMED),
        ),
        case(
            "half a surrogate pair",
            with_json(LOCK, r#"{"job":1,"targets":["\ud800"],"duration":"1m"}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a raw control character",
            with_json(LOCK, "{\"job\":1,\"targets\":[\"\u{1}\"],\"duration\":\"1m\"}"),
            problem(400, MALFORMED),
        ),
        case("a mark of the byte order", with_json(LOCK, "\u{feff}{}"), problem(400, MALFORMED)),
    ]);
}

#[test]
fn bodies_of_another_kind() {
    check(vec![
        case("an array", with_json(LEASE, "[]"), problem(400, MALFORMED)),
        case("a string", with_json(LEASE, "\"lease\""), problem(400, MALFORMED)),
        case(
            "a form",
            with_body(LEASE, "application/x-www-form-urlencoded", "owner=o&pool=t"),
            problem(415, "/problems/unsupported-media-type"),
        ),
        case(
            "YAML",
            with_body(LEASE, "application/yaml", "owner: o"),
            problem(415, "/problems/unsupported-media-type"),
        ),
    ]);
}

#[test]
fn bodies_that_are_too_large() {
    let name = "x".repeat(10 << 20);
    let many = vec!["\"x\""; 10_001].join(",");
    check(vec![
        case(
            "a name of 10 MB",
            with_json(LOCK, format!(r#"{{"job":1,"targets":["{name}"],"duration":"1m"}}"#)),
            problem(413, "/problems/too-large"),
        ),
        case(
            "white space of 10 MB",
            with_json(LOCK, " ".repeat(10 << 20)),
            problem(413, "/problems/too-large"),
        ),
        case(
            "one byte too many",
            with_json(LOCK, " ".repeat((1 << 20) + 1)),
            problem(413, "/problems/too-large"),
        ),
        case(
            "a terabyte that is announced and never sent",
            with_headers(LOCK, "content-type: application/json\r\ncontent-length: 1000000000000\r\n"),
            problem(413, "/problems/too-large"),
        ),
        case(
            "a terabyte of user data that is announced and never sent",
            with_headers("POST /update?name=a&owner=u&state=busy", "content-length: 1000000000000\r\n"),
            text(413, "a body has at most 1048576 bytes"),
        ),
        case("as many bytes as allowed", with_json(LOCK, " ".repeat(1 << 20)), problem(400, MALFORMED)),
        case(
            "a target too many",
            with_json(LOCK, format!(r#"{{"job":1,"targets":[{many}],"duration":"1m"}}"#)),
            problem(400, "/problems/invalid"),
        ),
        case(
            "user data of 10 MB",
            with_json("POST /update?name=a&owner=u&state=busy", format!(r#"{{"k":"{name}"}}"#)),
            text(413, "a body has at most 1048576 bytes"),
        ),
        case(
            "user data beyond its bound",
            with_json("POST /update?name=a&owner=u&state=busy", format!(r#"{{"k":"{}"}}"#, &name[..70_000])),
            text(400, "Update failed: a - busy (u): bytes of user data on one resource: the limit is 65536"),
        ),
        case(
            "a body that /acquire does not read",
            with_json("POST /acquire?type=zz&state=s&dest=d&owner=o", &name),
            text(404, r#"Acquire failed: resource type "zz" does not exist"#),
        ),
        case("a body on a GET", with_json("GET /healthz", "{}"), Expected::Body(200, "OK")),
    ]);
}

#[test]
fn user_data_that_is_none() {
    let update = "POST /update?name=a&owner=u&state=busy";
    check(vec![
        case(
            "an array",
            with_json(update, "[1]"),
            text(
                400,
                "json: cannot unmarshal into an object of strings: invalid type: sequence, expected an object at line 1 column 1",
            ),
        ),
        case(
            "a number as value",
            with_json(update, r#"{"a":1}"#),
            text(
                400,
                "json: cannot unmarshal into an object of strings: invalid type: integer `1`, expected a string at line 1 column 6",
            ),
        ),
        case("a body that is cut off", with_json(update, r#"{"a":"b"#), text(400, "unexpected EOF")),
        case(
            "brackets in great number",
            with_json(update, "[".repeat(100_000)),
            text(
                400,
                "json: cannot unmarshal into an object of strings: invalid type: sequence, expected an object at line 1 column 1",
            ),
        ),
        case(
            "a raw line end",
            with_json(update, "{\"a\":\"\n\"}"),
            text(400, r"invalid character '\n' in string literal"),
        ),
    ]);
}
