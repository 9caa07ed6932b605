//! Methods, paths and header lines.

use super::{Expected, case, check, head, problem, text, with_headers, with_json};

const MALFORMED: &str = "/problems/malformed";

#[test]
fn methods_and_paths() {
    check(vec![
        case("a wrong method of /v1", head("PUT /v1/leases"), problem(405, "/problems/method-not-allowed")),
        case("a method nobody knows", head("BREW /v1/pools"), problem(405, "/problems/method-not-allowed")),
        case("a method in lower case", head("get /v1/pools"), problem(405, "/problems/method-not-allowed")),
        case(
            "a very long method",
            head(&format!("{} /acquire", "M".repeat(1000))),
            text(405, format!("Method {}, /acquire only accepts POST.", "M".repeat(1000))),
        ),
        case("CONNECT", head("CONNECT localhost:80"), problem(404, "/problems/not-found")),
        case("TRACE", head("TRACE /v1/pools"), problem(405, "/problems/method-not-allowed")),
        case("OPTIONS on everything", head("OPTIONS *"), problem(404, "/problems/not-found")),
        case("a method with a space before it", head(" GET /healthz"), Expected::Refused(400)),
        case("no path", head("GET"), Expected::Refused(400)),
        case("a path without a slash", head("GET healthz"), problem(421, "/problems/foreign-host")),
        case("dots that climb", head("GET /v1/../../etc/passwd"), problem(404, "/problems/not-found")),
        case(
            "escaped dots that climb",
            head("GET /%2e%2e/%2e%2e/etc/passwd"),
            problem(404, "/problems/not-found"),
        ),
        case("a NUL in the path", head("GET /\0"), Expected::Refused(400)),
        case(
            "an escaped NUL in a name",
            head("GET /v1/resources/%00"),
            problem(404, "/problems/no-such-resource"),
        ),
        case(
            "a bad escape in a name",
            head("GET /v1/resources/%zz"),
            problem(404, "/problems/no-such-resource"),
        ),
        case("a name that is not UTF-8", head("GET /v1/resources/%ff%fe"), problem(400, MALFORMED)),
        case(
            "a name of a kilobyte",
            head(&format!("GET /v1/resources/{}", "x".repeat(1024))),
            problem(400, "/problems/invalid"),
        ),
        case(
            "a URL of 10 MB",
            head(&format!("GET /v1/resources/{}", "x".repeat(10 << 20))),
            Expected::Refused(431),
        ),
        case("an ID that is no number", head("GET /v1/leases/one"), problem(400, MALFORMED)),
        case("an ID below zero", head("GET /v1/leases/-1"), problem(400, MALFORMED)),
        case("an ID beyond 64 bits", head("GET /v1/leases/18446744073709551616"), problem(400, MALFORMED)),
        case(
            "the largest ID",
            head("GET /v1/leases/18446744073709551615"),
            problem(404, "/problems/no-such-lease"),
        ),
    ]);
}

#[test]
fn hosts_and_origins() {
    check(vec![
        case("no host", "GET /v1/pools HTTP/1.1\r\n\r\n", problem(400, MALFORMED)),
        case(
            "a foreign host",
            "GET /v1/pools HTTP/1.1\r\nhost: evil.example\r\n\r\n",
            problem(421, "/problems/foreign-host"),
        ),
        case(
            "a host that ends like ours",
            "GET /v1/pools HTTP/1.1\r\nhost: evil-localhost\r\n\r\n",
            problem(421, "/problems/foreign-host"),
        ),
        case(
            "a host that begins like ours",
            "GET /v1/pools HTTP/1.1\r\nhost: localhost.evil.example\r\n\r\n",
            problem(421, "/problems/foreign-host"),
        ),
        case(
            "a foreign absolute URL",
            "GET http://evil.example/v1/pools HTTP/1.1\r\nhost: localhost\r\n\r\n",
            problem(421, "/problems/foreign-host"),
        ),
        case(
            "two hosts",
            "GET /v1/pools HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n",
            problem(400, MALFORMED),
        ),
        case(
            "a host that is not text",
            b"GET /v1/pools HTTP/1.1\r\nhost: \xff\xfe\r\n\r\n".as_slice(),
            problem(400, MALFORMED),
        ),
        case(
            "an empty host",
            "GET /v1/pools HTTP/1.1\r\nhost:\r\n\r\n",
            problem(421, "/problems/foreign-host"),
        ),
        case(
            "a form of another site",
            with_headers(
                "POST /acquire?type=t&state=free&dest=busy&owner=evil",
                "origin: http://evil.example\r\ncontent-length: 0\r\n",
            ),
            problem(403, "/problems/foreign-origin"),
        ),
        case(
            "a form of a sandbox",
            with_headers(
                "POST /acquire?type=t&state=free&dest=busy&owner=evil",
                "origin: null\r\ncontent-length: 0\r\n",
            ),
            problem(403, "/problems/foreign-origin"),
        ),
        case(
            "a fetch that says it is cross-site",
            with_headers(
                "POST /acquire?type=t&state=free&dest=busy&owner=evil",
                "sec-fetch-site: cross-site\r\ncontent-length: 0\r\n",
            ),
            problem(403, "/problems/foreign-origin"),
        ),
        case(
            "a delete of another site",
            with_headers("DELETE /v1/leases/1", "origin: https://localhost.evil.example\r\n"),
            problem(403, "/problems/foreign-origin"),
        ),
    ]);
}

#[test]
fn header_lines() {
    let flood = "x-flood: y\r\n".repeat(101);
    let long = format!("x-long: {}\r\n", "y".repeat(10 << 20));
    check(vec![
        case("a hundred and one header lines", with_headers("GET /healthz", &flood), Expected::Refused(431)),
        case("a header line of 10 MB", with_headers("GET /healthz", &long), Expected::Refused(431)),
        case("a header line without a colon", with_headers("GET /healthz", "nonsense\r\n"), Expected::Refused(400)),
        case("a header name with a space", with_headers("GET /healthz", "x y: z\r\n"), Expected::Refused(400)),
        case("a header name with a space behind it", with_headers("GET /healthz", "content-length : 0\r\n"), Expected::Refused(400)),
        case("a header line that goes on in the next", with_headers("GET /healthz", "x: a\r\n b\r\n"), Expected::Refused(400)),
        case("a NUL in a header", with_headers("GET /healthz", "x: a\0b\r\n"), Expected::Refused(400)),
        case("bytes above ASCII in a header", [b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ".as_slice(), &[0xff; 9], b"\r\n\r\n"].concat(), Expected::Body(200, "OK")),
        case("an upgrade that nobody offers", with_headers("GET /healthz", "connection: upgrade\r\nupgrade: websocket\r\n"), Expected::Body(200, "OK")),
        case("an expectation that nobody knows", [with_headers("POST /v1/locks/unlock", "content-type: application/json\r\nexpect: a miracle\r\ncontent-length: 2\r\n").as_bytes(), b"{}"].concat(), problem(400, MALFORMED)),
        case("If-Match that is nonsense", [b"DELETE /v1/resources/b HTTP/1.1\r\nhost: localhost\r\nif-match: nonsense\r\n\r\n".as_slice()].concat(), problem(400, "/problems/invalid")),
        case("an idempotency key of a kilobyte", [format!("POST /v1/leases HTTP/1.1\r\nhost: localhost\r\nidempotency-key: {}\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n", "k".repeat(1024)).as_bytes(), br#"{"owner":"o","pool":"t"}"#].concat(), problem(400, "/problems/invalid")),
        case("a Last-Event-ID that is no number", with_headers("GET /v1/events/stream", "last-event-id: minus one\r\n"), problem(400, "/problems/invalid")),
        case("a body without a type", with_headers("POST /v1/locks/lock", "content-length: 0\r\n"), problem(415, "/problems/unsupported-media-type")),
        case("a compressed body", with_headers("POST /v1/locks/lock", "content-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n"), problem(415, "/problems/unsupported-content-encoding")),
        case("a type of another kind", super::with_body("POST /v1/locks/lock", "text/plain", "{}"), problem(415, "/problems/unsupported-media-type")),
        case("a type that only looks right", super::with_body("POST /v1/locks/lock", "application/jsonx", "{}"), problem(415, "/problems/unsupported-media-type")),
        case("another charset", with_json("POST /v1/locks/lock", b"\xff\xfe{\0}\0"), problem(400, MALFORMED)),
    ]);
}
