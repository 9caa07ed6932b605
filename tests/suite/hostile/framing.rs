//! Where a message ends: lengths, chunks, several requests in one go.

use std::io::{BufReader, Read as _, Write as _};

use super::{Expected, case, check, problem, server, text, with_headers};
use lessor_tests::http;

#[test]
fn lengths_and_chunks() {
    let lock = |framing: &str| {
        format!(
            "POST /v1/locks/lock HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{framing}"
        )
    };
    check(vec![
        case("a length below zero", lock("content-length: -1\r\n\r\n"), Expected::Refused(400)),
        case("a length that is no number", lock("content-length: many\r\n\r\n"), Expected::Refused(400)),
        case(
            "a length beyond 64 bits",
            lock("content-length: 99999999999999999999\r\n\r\n"),
            Expected::Refused(400),
        ),
        case(
            "two lengths that differ",
            lock("content-length: 2\r\ncontent-length: 3\r\n\r\n{} "),
            Expected::Refused(400),
        ),
        case(
            "a length and chunks",
            lock("content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            problem(400, "/problems/malformed"),
        ),
        case(
            "an encoding that nobody knows",
            lock("transfer-encoding: gzip\r\n\r\n"),
            Expected::Refused(400),
        ),
        case(
            "chunks that are not the last encoding",
            lock("transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
            Expected::Refused(400),
        ),
        case(
            "a chunk size that is none",
            lock("transfer-encoding: chunked\r\n\r\nxyz\r\n"),
            problem(400, "/problems/malformed"),
        ),
        case(
            "a chunk size beyond 64 bits",
            lock("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
            problem(400, "/problems/malformed"),
        ),
        case(
            "a chunk longer than it says",
            lock("transfer-encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n"),
            problem(400, "/problems/malformed"),
        ),
        case(
            "good chunks of a bad body",
            lock("transfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
            problem(400, "/problems/malformed"),
        ),
        case(
            "chunks for /update",
            "POST /update?name=a&owner=x&state=busy HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            text(401, "Update failed: a - busy (x): owner mismatch request by x, currently owned by u"),
        ),
        case(
            "a huge length for what reads no body",
            with_headers("GET /healthz", "content-length: 9000000000000000000\r\n"),
            Expected::Body(200, "OK"),
        ),
    ]);
}

#[test]
fn other_protocols() {
    check(vec![
        case("HTTP/1.0 without a host", "GET /healthz HTTP/1.0\r\n\r\n", Expected::Body(200, "OK")),
        case("HTTP/0.9", "GET /healthz\r\n\r\n", Expected::Refused(400)),
        case("HTTP/1.2", "GET /healthz HTTP/1.2\r\nhost: localhost\r\n\r\n", Expected::Refused(400)),
        case("HTTP/2 without being asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Expected::Closed),
        case(
            "a greeting of TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice().repeat(20),
            Expected::Refused(400),
        ),
        case(
            "nothing but line ends",
            "\r\n\r\n\r\nGET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
            Expected::Body(200, "OK"),
        ),
        case(
            "lines that end in a line feed only",
            "GET /healthz HTTP/1.1\nhost: localhost\n\n",
            Expected::Body(200, "OK"),
        ),
        case("nonsense", "\0\u{1}\u{2}\u{3}\r\n\r\n", Expected::Refused(400)),
    ]);
}

#[test]
fn a_hundred_requests_in_one_go_get_a_hundred_answers_in_order() {
    let server = server();
    let mut stream = http::connect(server.address()).expect("the server listens");
    let pair = super::head("GET /healthz") + &super::head("GET /nowhere");
    let requests = pair.repeat(50);
    stream.write_all(requests.as_bytes()).expect("the server takes them");
    let mut stream = BufReader::new(stream);
    for number in 0..100 {
        let answer = http::read_answer(&mut stream, false).expect("each is answered");
        assert_eq!(answer.status, if number % 2 == 0 { 200 } else { 404 }, "{number}");
    }
}

#[test]
fn a_request_hidden_in_a_body_is_not_served() {
    let server = server();
    let hidden = "POST /acquire?type=t&state=free&dest=busy&owner=evil HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let request = format!(
        "POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{hidden}GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        hidden.len()
    );
    let mut stream = http::connect(server.address()).expect("the server listens");
    stream.write_all(request.as_bytes()).expect("the server takes it");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("text");
    assert!(!said.contains("evil"), "{said}");
    assert_eq!(said.matches("HTTP/1.1 ").count(), 2, "{said}");
    let counts = server.get("/metric?type=t").json();
    assert_eq!(counts["owner"], serde_json::json!({"": 1, "u": 1}));
}
