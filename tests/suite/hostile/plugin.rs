//! Jobs, plugins and components that nobody should ask for.

use lessor_tests::Server;
use lessor_tests::plugin::component;
use serde_json::{Value, json};

use super::{Case, case, check_at, head, problem, server, with_body, with_headers, with_json};

const MALFORMED: &str = "/problems/malformed";
const INVALID: &str = "/problems/invalid";
const TOO_LARGE: &str = "/problems/too-large";
const UNFIT: &str = "/problems/plugin-unfit";
const NO_JOB: &str = "/problems/no-such-job";
const NO_PLUGIN: &str = "/problems/no-such-plugin";
const NO_COMPONENT: &str = "/problems/no-such-component";

/// With the target manager `list`, and a job of it.
fn with_list() -> (Server, u64) {
    let server = server();
    server.install("list", "target-list", &json!({"grants": {"locker": true}}));
    let job = server.job("list", &json!({"Targets": [{"ID": "x"}]}), &json!({"lock_duration": "1h"}));
    let id = lessor_tests::plugin::id(&job);
    (server, id)
}

/// A request with one field other than it should be.
fn odd(
    line: &str,
    good: &Value,
    what: &'static str,
    field: &str,
    value: Value,
    status: u16,
    kind: &'static str,
) -> Case {
    let mut body = good.clone();
    body[field] = value;
    case(what, with_json(line, body.to_string()), problem(status, kind))
}

#[test]
fn jobs_that_cannot_be_started() {
    let (server, _) = with_list();
    let good = json!({
        "target_manager": "list", "owner": "ann", "acquire_parameters": {"Targets": [{"ID": "y"}]},
        "release_parameters": {},
    });
    let odd =
        |what, field, value, status, kind| odd("POST /v1/jobs", &good, what, field, value, status, kind);
    let post = |what, body: String, status, kind| {
        case(what, with_json("POST /v1/jobs", body), problem(status, kind))
    };
    let text = good.to_string();
    let deep =
        format!(r#"{{"target_manager":"list","owner":"a","acquire_parameters":{}"#, "[".repeat(100_000));
    check_at(
        &server,
        vec![
            post("nothing", "{}".into(), 400, MALFORMED),
            post("half a job", text[..text.len() / 2].into(), 400, MALFORMED),
            post(
                "a field twice",
                text.replace(r#""owner":"ann""#, r#""owner":"ann","owner":"bob""#),
                400,
                MALFORMED,
            ),
            post("parameters without an end", deep, 400, MALFORMED),
            odd("an unknown field", "targets", json!(["y"]), 400, MALFORMED),
            odd("a manager that is a number", "target_manager", json!(7), 400, MALFORMED),
            odd("a manager without a name", "target_manager", json!(""), 400, INVALID),
            odd("a manager with a name of 513 bytes", "target_manager", json!("m".repeat(513)), 400, INVALID),
            odd(
                "a manager with a name of 512 bytes",
                "target_manager",
                json!("m".repeat(512)),
                404,
                NO_PLUGIN,
            ),
            odd(
                "a manager with a name of 10 MB",
                "target_manager",
                json!("m".repeat(10 << 20)),
                413,
                TOO_LARGE,
            ),
            odd("a manager called NUL", "target_manager", json!("\0"), 404, NO_PLUGIN),
            odd("an owner without a name", "owner", json!(""), 400, INVALID),
            odd("an owner with a name of 513 bytes", "owner", json!("o".repeat(513)), 400, INVALID),
            odd("an owner that is none", "owner", Value::Null, 400, MALFORMED),
        ],
    );
}

#[test]
fn jobs_with_times_keys_and_parameters_out_of_range() {
    let (server, _) = with_list();
    let good = json!({
        "target_manager": "list", "owner": "ann", "acquire_parameters": {"Targets": [{"ID": "y"}]},
        "release_parameters": {},
    });
    let odd =
        |what, field, value, status, kind| odd("POST /v1/jobs", &good, what, field, value, status, kind);
    let text = good.to_string();
    check_at(
        &server,
        vec![
            odd("a time that is none", "acquire_timeout", json!("soon"), 400, MALFORMED),
            odd("a time that is a list", "acquire_timeout", json!([1]), 400, MALFORMED),
            odd("no time to acquire", "acquire_timeout", json!("0s"), 400, INVALID),
            odd("less than no time to release", "release_timeout", json!(-1), 400, INVALID),
            odd("less than a second to acquire", "acquire_timeout", json!("999ms"), 400, INVALID),
            odd("less than a second to release", "release_timeout", json!(999), 400, INVALID),
            odd("more than a day to acquire", "acquire_timeout", json!("24h1ms"), 400, INVALID),
            odd("more than a day to release", "release_timeout", json!(86_400_001), 400, INVALID),
            odd("a lease of more than 30 days", "lock_duration", json!("720h1ms"), 400, INVALID),
            odd("a lease of no time", "lock_duration", json!(0), 400, INVALID),
            odd("a key without text", "request_id", json!(""), 400, INVALID),
            odd("a key of 513 bytes", "request_id", json!("k".repeat(513)), 400, INVALID),
            odd(
                "parameters of 256 KiB and a byte",
                "acquire_parameters",
                json!("p".repeat((256 << 10) - 1)),
                413,
                TOO_LARGE,
            ),
            odd("parameters of 10 MB", "release_parameters", json!("p".repeat(10 << 20)), 413, TOO_LARGE),
            odd(
                "parameters that the manager does not take",
                "acquire_parameters",
                json!(7),
                422,
                "/problems/bad-parameters",
            ),
            case(
                "a form",
                with_body("POST /v1/jobs", "application/x-www-form-urlencoded", "owner=a"),
                problem(415, "/problems/unsupported-media-type"),
            ),
            case("a wait that is none", with_json("POST /v1/jobs?wait=soon", &text), problem(400, MALFORMED)),
            case(
                "a wait of less than no time",
                with_json("POST /v1/jobs?wait=-1s", &text),
                problem(400, INVALID),
            ),
            case("an unknown parameter", with_json("POST /v1/jobs?weit=1s", &text), problem(400, MALFORMED)),
        ],
    );
}

#[test]
fn jobs_that_are_not_there_and_wishes_that_cannot_be() {
    let (server, job) = with_list();
    let at = |path: &str| format!("POST /v1/jobs/{job}/{path}");
    let get =
        |what, path: &str, status, kind| case(what, head(&format!("GET {path}")), problem(status, kind));
    let post = |what, line: String, body: Value, status, kind| {
        case(what, with_json(&line, body.to_string()), problem(status, kind))
    };
    check_at(
        &server,
        vec![
            get("job 0", "/v1/jobs/0", 404, NO_JOB),
            get("the job after the last", &format!("/v1/jobs/{}", job + 1), 404, NO_JOB),
            get("the largest number", "/v1/jobs/18446744073709551615", 404, NO_JOB),
            get("one more than the largest", "/v1/jobs/18446744073709551616", 400, MALFORMED),
            get("job minus one", "/v1/jobs/-1", 400, MALFORMED),
            get("a job with a name", "/v1/jobs/csv", 400, MALFORMED),
            get("no items", "/v1/jobs?limit=0", 400, INVALID),
            get("too many items", "/v1/jobs?limit=1001", 400, INVALID),
            get("a cursor that is none", "/v1/jobs?after=x", 400, INVALID),
            get("an owner without a name", "/v1/jobs?owner=", 400, INVALID),
            case("an end of nothing", head("DELETE /v1/jobs/7"), problem(404, NO_JOB)),
            case(
                "somebody else's end",
                head(&format!("DELETE /v1/jobs/{job}?owner=bob")),
                problem(409, "/problems/not-holder"),
            ),
            case(
                "a reason of 4097 bytes",
                head(&format!("DELETE /v1/jobs/{job}?reason={}", "r".repeat(4097))),
                problem(400, INVALID),
            ),
            post("a renewal for no time", at("renew"), json!({"lock_duration": "0s"}), 400, INVALID),
            post(
                "a renewal for 30 days and more",
                at("renew"),
                json!({"lock_duration": "720h1ms"}),
                400,
                INVALID,
            ),
            post(
                "somebody else's renewal",
                at("renew"),
                json!({"owner": "bob"}),
                409,
                "/problems/not-holder",
            ),
            post("a renewal with an unknown field", at("renew"), json!({"ttl": "1h"}), 400, MALFORMED),
            post("force without a reason", at("force"), json!({}), 400, MALFORMED),
            post("force with an empty reason", at("force"), json!({"reason": " \t"}), 400, INVALID),
            post(
                "force with a reason of 4097 bytes",
                at("force"),
                json!({"reason": "r".repeat(4097)}),
                400,
                INVALID,
            ),
            post("force by nobody", at("force"), json!({"reason": "r", "by": ""}), 400, INVALID),
            case(
                "another method",
                head(&format!("PATCH /v1/jobs/{job}")),
                problem(405, "/problems/method-not-allowed"),
            ),
        ],
    );
}

#[test]
fn plugins_that_cannot_be_installed() {
    let (server, _) = with_list();
    let digest = server.upload(&component("target-list"));
    let good = json!({"digest": digest, "grants": {"locker": true}});
    let odd = |what, field, value, status, kind| {
        odd("PUT /v1/plugins/new", &good, what, field, value, status, kind)
    };
    let above = "/problems/grant-not-allowed";
    check_at(
        &server,
        vec![
            case("nothing", with_json("PUT /v1/plugins/new", "{}"), problem(400, MALFORMED)),
            case(
                "half a plugin",
                with_json("PUT /v1/plugins/new", r#"{"digest":"00"#),
                problem(400, MALFORMED),
            ),
            odd("an unknown field", "path", json!("/etc/passwd"), 400, MALFORMED),
            odd("a digest that is a number", "digest", json!(0), 400, MALFORMED),
            odd("a digest without digits", "digest", json!(""), 404, NO_COMPONENT),
            odd("a digest that is a path", "digest", json!("../../../etc/passwd"), 404, NO_COMPONENT),
            odd("a digest in capitals", "digest", json!(digest.to_uppercase()), 404, NO_COMPONENT),
            odd("a digest of nothing", "digest", json!("0".repeat(64)), 404, NO_COMPONENT),
            odd("a digest of 10 MB", "digest", json!("0".repeat(10 << 20)), 413, TOO_LARGE),
            odd("an unknown kind", "kind", json!("driver"), 400, MALFORMED),
            odd("a kind that is not run", "kind", json!("provider"), 422, UNFIT),
            odd("settings that are a list", "settings", json!([]), 422, UNFIT),
            odd("settings that are text", "settings", json!("x"), 422, UNFIT),
            odd("settings of 256 KiB", "settings", json!({"x": "y".repeat(256 << 10)}), 400, INVALID),
            odd("an unknown grant", "grants", json!({"locker": true, "sockets": true}), 400, MALFORMED),
            odd("grants that are too few", "grants", json!({}), 422, UNFIT),
            odd("files of the machine", "grants", json!({"locker": true, "files": ["/"]}), 403, above),
            odd(
                "files beside the machine",
                "grants",
                json!({"locker": true, "files": ["../x", "", "/a/../../b"]}),
                422,
                UNFIT,
            ),
            odd("a secret", "grants", json!({"locker": true, "secrets": ["../token"]}), 403, above),
            odd(
                "an address of the machine",
                "grants",
                json!({"locker": true, "http": {"a": {"url": "http://169.254.169.254/"}}}),
                403,
                above,
            ),
            odd(
                "an address of another kind",
                "grants",
                json!({"locker": true, "http": {"a": {"url": "file:///etc/passwd"}}}),
                422,
                UNFIT,
            ),
            odd("a limit below its range", "limits", json!({"cpu_ms": 0}), 422, UNFIT),
            odd("a limit above its range", "limits", json!({"cpu_ms": 60_001}), 422, UNFIT),
            odd("a limit that is negative", "limits", json!({"cpu_ms": -1}), 400, MALFORMED),
            odd("a limit beyond numbers", "limits", json!({"memory_bytes": 1e300}), 400, MALFORMED),
            odd("an unknown limit", "limits", json!({"cpu": 1}), 400, MALFORMED),
        ],
    );
}

#[test]
fn plugins_that_are_not_there_or_cannot_be_called_so() {
    let (server, _) = with_list();
    let good = json!({"digest": server.upload(&component("target-list")), "grants": {"locker": true}});
    let named = |what, name: &str, status, kind| {
        case(what, with_json(&format!("PUT /v1/plugins/{name}"), good.to_string()), problem(status, kind))
    };
    check_at(
        &server,
        vec![
            named("a name with a space", "a%20b", 422, UNFIT),
            named("a name that is a path", "..%2f..%2fetc", 422, UNFIT),
            named("a name called NUL", "%00", 422, UNFIT),
            named("a name of 65 bytes", &"n".repeat(65), 422, UNFIT),
            named("a name of 513 bytes", &"n".repeat(513), 400, INVALID),
            named("a name that is not UTF-8", "%ff", 400, MALFORMED),
            case("a plugin that is not there", head("GET /v1/plugins/new"), problem(404, NO_PLUGIN)),
            case(
                "a way back to nothing",
                head("POST /v1/plugins/list/roll-back"),
                problem(409, "/problems/nothing-to-roll-back"),
            ),
            case("no plugin to switch on", head("POST /v1/plugins/new/enable"), problem(404, NO_PLUGIN)),
            case("no plugin to switch off", head("POST /v1/plugins/new/disable"), problem(404, NO_PLUGIN)),
            case("no plugin to read again", head("POST /v1/plugins/new/reload"), problem(404, NO_PLUGIN)),
            case("no plugin to remove", head("DELETE /v1/plugins/new"), problem(404, NO_PLUGIN)),
            case(
                "a plugin that jobs need",
                head("DELETE /v1/plugins/list"),
                problem(409, "/problems/plugin-in-use"),
            ),
        ],
    );
}

#[test]
fn components_that_are_none() {
    let (server, _) = with_list();
    let upload = "POST /v1/components";
    let media = "/problems/unsupported-media-type";
    let wasm = "content-type: application/wasm\r\n";
    check_at(
        &server,
        vec![
            case("JSON", with_json(upload, "{}"), problem(415, media)),
            case("no type", with_headers(upload, "content-length: 0\r\n"), problem(415, media)),
            case("two types", with_body(upload, "application/wasm, text/plain", "x"), problem(415, media)),
            case(
                "nothing",
                with_headers(upload, &format!("{wasm}content-length: 0\r\n")),
                problem(400, "/problems/invalid"),
            ),
            case(
                "a byte too many, announced",
                with_headers(upload, &format!("{wasm}content-length: 67108865\r\n")),
                problem(413, TOO_LARGE),
            ),
            case(
                "a terabyte, announced",
                with_headers(upload, &format!("{wasm}content-length: 1000000000000\r\n")),
                problem(413, TOO_LARGE),
            ),
            case(
                "the list of components",
                head("GET /v1/components"),
                problem(405, "/problems/method-not-allowed"),
            ),
        ],
    );
    let garbage = [("garbage", b"\0asm\x0d\0\x01\0garbage".to_vec()), ("text", b"(component)".to_vec())];
    for (what, bytes) in garbage {
        let digest = server.upload(&bytes);
        let answer = server.send_json("PUT", "/v1/plugins/new", &json!({"digest": digest}));
        assert_eq!((answer.status, answer.problem().as_str()), (422, UNFIT), "{what}: {}", answer.text());
    }
}
