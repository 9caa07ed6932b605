//! Values at and past their limits, in bodies of `/v1` that are well-formed.

use super::{case, check, problem, with_json};

const INVALID: &str = "/problems/invalid";
const MALFORMED: &str = "/problems/malformed";

#[test]
fn leases() {
    let lease = |body: &str| with_json("POST /v1/leases", body);
    let long = "x".repeat(513);
    check(vec![
        case("no owner", lease(r#"{"pool":"t"}"#), problem(400, MALFORMED)),
        case("an empty owner", lease(r#"{"owner":"","pool":"t"}"#), problem(400, INVALID)),
        case(
            "an owner beyond the bound",
            lease(&format!(r#"{{"owner":"{long}","pool":"t"}}"#)),
            problem(400, INVALID),
        ),
        case("nothing asked for", lease(r#"{"owner":"o"}"#), problem(400, INVALID)),
        case("a count of zero", lease(r#"{"owner":"o","pool":"t","count":0}"#), problem(400, INVALID)),
        case("a count below zero", lease(r#"{"owner":"o","pool":"t","count":-1}"#), problem(400, MALFORMED)),
        case(
            "a count beyond 32 bits",
            lease(r#"{"owner":"o","pool":"t","count":4294967296}"#),
            problem(400, MALFORMED),
        ),
        case(
            "more than there can be",
            lease(r#"{"owner":"o","pool":"t","count":4000}"#),
            problem(422, "/problems/unsatisfiable"),
        ),
        case(
            "more than is free",
            lease(r#"{"owner":"o","pool":"t","count":2}"#),
            problem(409, "/problems/busy"),
        ),
        case("a TTL of zero", lease(r#"{"owner":"o","pool":"t","ttl":0}"#), problem(400, INVALID)),
        case("a TTL below zero", lease(r#"{"owner":"o","pool":"t","ttl":"-1s"}"#), problem(400, INVALID)),
        case(
            "a TTL of a century",
            lease(r#"{"owner":"o","pool":"t","ttl":"876000h"}"#),
            problem(400, INVALID),
        ),
        case(
            "a TTL beyond 292 years",
            lease(r#"{"owner":"o","pool":"t","ttl":"9999999999h"}"#),
            problem(400, MALFORMED),
        ),
        case("a wait below zero", lease(r#"{"owner":"o","pool":"t","wait":"-1s"}"#), problem(400, INVALID)),
        case(
            "a priority beyond 32 bits",
            lease(r#"{"owner":"o","pool":"t","priority":2147483648}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a pool that there is not",
            lease(r#"{"owner":"o","pool":"zz"}"#),
            problem(422, "/problems/unsatisfiable"),
        ),
        case(
            "labels that nothing carries",
            lease(r#"{"owner":"o","pool":"t","labels":{"a":"b"}}"#),
            problem(422, "/problems/unsatisfiable"),
        ),
        case(
            "a purpose of 5 KB",
            lease(&format!(r#"{{"owner":"o","pool":"t","purpose":"{}"}}"#, "p".repeat(5000))),
            problem(400, INVALID),
        ),
        case("an empty target", lease(r#"{"owner":"o","targets":[""]}"#), problem(400, INVALID)),
    ]);
}

#[test]
fn resources() {
    let put = |body: &str| with_json("PUT /v1/resources/new", body);
    let labels: Vec<String> = (0..65).map(|number| format!(r#""k{number}":"v""#)).collect();
    check(vec![
        case("a new resource without a pool", put("{}"), problem(400, INVALID)),
        case("an empty pool", put(r#"{"pool":""}"#), problem(400, INVALID)),
        case("an empty state", put(r#"{"pool":"t","state":""}"#), problem(400, INVALID)),
        case(
            "labels beyond the bound",
            put(&format!(r#"{{"pool":"t","labels":{{{}}}}}"#, labels.join(","))),
            problem(400, INVALID),
        ),
        case(
            "labels with too many bytes",
            put(&format!(r#"{{"pool":"t","labels":{{"k":"{}"}}}}"#, "x".repeat(4096))),
            problem(400, INVALID),
        ),
        case("a label that is no string", put(r#"{"pool":"t","labels":{"a":1}}"#), problem(400, MALFORMED)),
        case(
            "user data beyond its bound",
            put(&format!(r#"{{"pool":"t","user_data":{{"k":"{}"}}}}"#, "x".repeat(70_000))),
            problem(400, INVALID),
        ),
        case(
            "an address that is none",
            put(r#"{"pool":"t","addresses":{"ipv4":"999.1.1.1"}}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a field that only the server sets",
            put(r#"{"pool":"t","revision":7}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a patch of nothing there",
            with_json("PATCH /v1/resources/nope", r#"{"state":"free"}"#),
            problem(404, "/problems/no-such-resource"),
        ),
    ]);
}

#[test]
fn locks() {
    let lock = |body: &str| with_json("POST /v1/locks/lock", body);
    check(vec![
        case("job zero", lock(r#"{"job":0,"targets":["x"],"duration":"1m"}"#), problem(400, INVALID)),
        case(
            "a job below zero",
            lock(r#"{"job":-1,"targets":["x"],"duration":"1m"}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a job beyond 64 bits",
            lock(r#"{"job":18446744073709551616,"targets":["x"],"duration":"1m"}"#),
            problem(400, MALFORMED),
        ),
        case(
            "an empty target",
            lock(r#"{"job":1,"targets":["x",""],"duration":"1m"}"#),
            problem(400, INVALID),
        ),
        case("a null target", lock(r#"{"job":1,"targets":[null],"duration":"1m"}"#), problem(400, MALFORMED)),
        case("no duration", lock(r#"{"job":1,"targets":["x"]}"#), problem(400, MALFORMED)),
        case(
            "a duration without unit",
            lock(r#"{"job":1,"targets":["x"],"duration":"5"}"#),
            problem(400, MALFORMED),
        ),
        case(
            "a duration beyond 64 bits",
            lock(r#"{"job":1,"targets":["x"],"duration":9223372036854775807}"#),
            problem(400, MALFORMED),
        ),
        case(
            "what another job holds",
            lock(r#"{"job":1,"targets":["locked"],"duration":"1m"}"#),
            problem(409, "/problems/busy"),
        ),
        case(
            "what a Boskos owner holds",
            lock(r#"{"job":1,"targets":["a"],"duration":"1m"}"#),
            problem(409, "/problems/busy"),
        ),
        case(
            "a limit where there is none",
            lock(r#"{"job":1,"targets":["x"],"duration":"1m","limit":1}"#),
            problem(400, MALFORMED),
        ),
        case(
            "an unlock of what is not held",
            with_json("POST /v1/locks/unlock", r#"{"job":1,"targets":["locked"]}"#),
            problem(409, "/problems/not-holder"),
        ),
    ]);
}
