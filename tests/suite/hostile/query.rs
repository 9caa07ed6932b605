//! Parameters in the query.

use super::{case, check, head, problem, text};

const MALFORMED: &str = "/problems/malformed";
const INVALID: &str = "/problems/invalid";

fn acquire(query: &str) -> String {
    head(&format!("POST /acquire?{query}"))
}

#[test]
fn boskos_parameters() {
    let tail = "all of them must be set in the request.";
    check(vec![
        case(
            "a type that is not UTF-8",
            acquire("type=%ff&state=s&dest=d&owner=o"),
            text(400, "Bad request: type is not UTF-8"),
        ),
        case(
            "half a surrogate pair",
            acquire("type=%ed%a0%80&state=s&dest=d&owner=o"),
            text(400, "Bad request: type is not UTF-8"),
        ),
        case(
            "a bad escape",
            acquire("type=%zz&state=s&dest=d&owner=o"),
            text(400, format!("Bad request: Type: , state: s, dest: d, owner: o, {tail}")),
        ),
        case(
            "half an escape",
            acquire("state=s&dest=d&owner=o&type=%4"),
            text(400, format!("Bad request: Type: , state: s, dest: d, owner: o, {tail}")),
        ),
        case(
            "a NUL as type",
            acquire("type=%00&state=s&dest=d&owner=o"),
            text(404, r#"Acquire failed: resource type "\x00" does not exist"#),
        ),
        case(
            "line ends in a type",
            acquire("type=%0d%0aset-cookie:+x&state=s&dest=d&owner=o"),
            text(404, r#"Acquire failed: resource type "\r\nset-cookie: x" does not exist"#),
        ),
        case(
            "markup in a missing parameter",
            acquire("type=%3Cscript%3E"),
            text(400, format!("Bad request: Type: <script>, state: , dest: , owner: , {tail}")),
        ),
    ]);
}

#[test]
fn boskos_parameters_beyond_the_bound() {
    let long = "x".repeat(513);
    let tail = "all of them must be set in the request.";
    check(vec![
        case(
            "a type beyond the bound",
            acquire(&format!("type={long}&state=s&dest=d&owner=o")),
            text(400, "Bad request: type: a pool name has 513 bytes, at most 512 are allowed"),
        ),
        case(
            "an owner beyond the bound",
            acquire(&format!("type=t&state=s&dest=d&owner={long}")),
            text(400, "Bad request: owner: an owner has 513 bytes, at most 512 are allowed"),
        ),
        case(
            "a dest beyond the bound",
            acquire(&format!("type=t&state=s&dest={long}&owner=o")),
            text(400, "Bad request: dest: a state has 513 bytes, at most 512 are allowed"),
        ),
        case(
            "a request_id beyond the bound",
            acquire(&format!("type=t&state=s&dest=d&owner=o&request_id={long}")),
            text(400, "Bad request: request_id has 513 bytes, at most 512 are allowed"),
        ),
        case(
            "a request_id that is not UTF-8",
            acquire("type=t&state=s&dest=d&owner=o&request_id=%c3"),
            text(400, "Bad request: request_id is not UTF-8"),
        ),
        case(
            "the same key a thousand times",
            acquire(&format!("type={}", "&type=t".repeat(1000))),
            text(400, format!("Bad request: Type: , state: , dest: , owner: , {tail}")),
        ),
        case(
            "ten thousand pairs",
            acquire(&"a=b&".repeat(10_000)),
            text(400, format!("Bad request: Type: , state: , dest: , owner: , {tail}")),
        ),
        case(
            "a name beyond the bound in a list",
            head(&format!("POST /acquirebystate?state=s&dest=d&owner=o&names=a,{long}")),
            text(400, "Bad request: names: a target name has 513 bytes, at most 512 are allowed"),
        ),
        case(
            "ten thousand and one names",
            head(&format!("POST /acquirebystate?state=free&dest=d&owner=o&names={}b", "b,".repeat(10_000))),
            text(400, "AcquireByState: names in one call: the limit is 10000"),
        ),
    ]);
}

#[test]
fn boskos_durations_and_names() {
    let long = "x".repeat(513);
    check(vec![
        case(
            "a duration beyond 292 years",
            head("POST /reset?type=t&state=busy&dest=d&expire=2562048h"),
            text(400, "time: invalid duration \"2562048h\""),
        ),
        case(
            "a duration with too many digits",
            head(&format!("POST /reset?type=t&state=busy&dest=d&expire={}h", "9".repeat(40))),
            text(400, format!("time: invalid duration \"{}h\"", "9".repeat(40))),
        ),
        case(
            "a duration of markup",
            head("POST /reset?type=t&state=busy&dest=d&expire=%22%0a%ff"),
            text(400, "Bad request: expire is not UTF-8"),
        ),
        case(
            "a metric beyond the bound",
            head(&format!("GET /metric?type={long}")),
            text(400, "type: a pool name has 513 bytes, at most 512 are allowed"),
        ),
        case(
            "a release by nobody",
            head("POST /release?name=b&dest=free&owner=u"),
            text(401, "Done failed: b - free (from u): owner mismatch request by u, currently owned by "),
        ),
    ]);
}

#[test]
fn v1_parameters() {
    check(vec![
        case("a limit of zero", head("GET /v1/leases?limit=0"), problem(400, INVALID)),
        case("a limit above the maximum", head("GET /v1/leases?limit=1001"), problem(400, INVALID)),
        case("a limit below zero", head("GET /v1/leases?limit=-1"), problem(400, MALFORMED)),
        case(
            "a limit beyond 64 bits",
            head("GET /v1/leases?limit=99999999999999999999"),
            problem(400, MALFORMED),
        ),
        case("a limit that is no number", head("GET /v1/resources?limit=many"), problem(400, MALFORMED)),
        case("a limit with a fraction", head("GET /v1/resources?limit=1.5"), problem(400, MALFORMED)),
        case("an unknown parameter", head("GET /v1/leases?surprise=1"), problem(400, MALFORMED)),
        case("a parameter twice", head("GET /v1/leases?limit=1&limit=2"), problem(400, MALFORMED)),
        case("a cursor that nobody gave", head("GET /v1/leases?after=%00%ff"), problem(400, MALFORMED)),
        case("a cursor of nonsense", head("GET /v1/events?after=nonsense"), problem(400, MALFORMED)),
        case("an event kind that there is not", head("GET /v1/events?kind=exploded"), problem(400, INVALID)),
        case("a lease that is no number", head("GET /v1/events?lease=abc"), problem(400, MALFORMED)),
        case("a wait below zero", head("GET /v1/requests/1?wait=-1s"), problem(400, INVALID)),
        case("a wait of nonsense", head("GET /v1/requests/1?wait=soon"), problem(400, MALFORMED)),
        case("a bad escape", head("GET /v1/leases?owner=%zz"), problem(400, MALFORMED)),
    ]);
}
