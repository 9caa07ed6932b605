//! Bad input: requests that nobody should send, each with its exact answer. After each one the server is as well as
//! before, and holds what it held.

mod body;
mod framing;
mod head;
mod plugin;
mod query;
mod slow;
mod value;

use std::io;

use lessor_tests::http::{self, Answer};
use lessor_tests::{Server, Setup};

/// What a request is answered.
#[derive(Clone, Debug)]
enum Expected {
    /// A problem with this status and type.
    Problem(u16, &'static str),
    /// Plain text in one line, as Boskos answers.
    Text(u16, String),
    /// This status and this body.
    Body(u16, &'static str),
    /// The HTTP library's own refusal: this status, no body, and the connection is closed.
    Refused(u16),
    /// The connection is closed without an answer.
    Closed,
}

/// One request as it goes over the wire.
struct Case {
    what: &'static str,
    request: Vec<u8>,
    expected: Expected,
}

fn case(what: &'static str, request: impl Into<Vec<u8>>, expected: Expected) -> Case {
    Case { what, request: request.into(), expected }
}

fn problem(status: u16, kind: &'static str) -> Expected {
    Expected::Problem(status, kind)
}

fn text(status: u16, line: impl Into<String>) -> Expected {
    Expected::Text(status, line.into())
}

/// A request without a body.
fn head(line: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

/// A request with further header lines, each ended by `\r\n`, and without a body.
fn with_headers(line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")
}

/// A request with a body of this type.
fn with_body(line: &str, kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A request with a JSON body.
fn with_json(line: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    with_body(line, "application/json", body)
}

/// A server that holds something: `t` has a busy and a free resource, and job 7 holds a lock.
fn server() -> Server {
    let server = Setup::new().pool("t", &["a", "b"]).start();
    assert_eq!(server.post("/acquire?type=t&state=free&dest=busy&owner=u").status, 200);
    let lock = serde_json::json!({"job": 7, "targets": ["locked"], "duration": "1h"});
    assert_eq!(server.send_json("POST", "/v1/locks/lock", &lock).status, 200);
    server
}

/// What the server holds.
fn holdings(server: &Server) -> [String; 5] {
    ["/v1/resources", "/v1/locks", "/v1/leases", "/v1/jobs", "/v1/plugins"].map(|path| {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        // A lease says how much time is left, which changes by itself.
        let mut list = answer.json();
        for item in list["items"].as_array_mut().expect("a list") {
            if let Some(item) = item.as_object_mut() {
                item.remove("remaining_ms");
                // A plugin that is asked counts its calls.
                for count in ["calls", "errors", "in_flight", "p95_us", "memory_high_water_bytes"] {
                    item.remove(count);
                }
            }
        }
        list.to_string()
    })
}

fn check(cases: Vec<Case>) {
    check_at(&server(), cases);
}

fn check_at(server: &Server, cases: Vec<Case>) {
    let before = holdings(server);
    let mut wrong = Vec::new();
    for Case { what, request, expected } in cases {
        let answer = http::raw(server.address(), &request);
        if let Err(why) = compare(&answer, &expected) {
            wrong.push(format!("{what}: {why}"));
        }
        assert_eq!(server.get("/healthz").text(), "OK", "after {what}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(holdings(server), before, "a bad request changed something");
}

fn compare(answer: &io::Result<Answer>, expected: &Expected) -> Result<(), String> {
    let answer = match (answer, expected) {
        (Err(_), Expected::Closed) => return Ok(()),
        (Err(error), _) => return Err(format!("no answer ({error}) instead of {expected:?}")),
        (Ok(answer), _) => answer,
    };
    let plain = Some("text/plain; charset=utf-8");
    let right = match expected {
        Expected::Problem(status, kind) => answer.status == *status && answer.problem() == *kind,
        Expected::Text(status, line) => {
            answer.status == *status
                && answer.header("content-type") == plain
                && answer.body == format!("{line}\n").as_bytes()
        }
        Expected::Body(status, body) => answer.status == *status && answer.body == body.as_bytes(),
        Expected::Refused(status) => answer.status == *status && answer.body.is_empty(),
        Expected::Closed => false,
    };
    let text = String::from_utf8_lossy(&answer.body);
    if right { Ok(()) } else { Err(format!("{} {text:?} instead of {expected:?}", answer.status)) }
}
