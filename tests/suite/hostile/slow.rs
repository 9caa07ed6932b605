//! Clients that take their time, or leave in the middle.

use std::io::{BufReader, Read as _, Write as _};
use std::time::Duration;

use super::{holdings, server, with_json};
use lessor_tests::{http, wait};

/// A body must arrive within 10 s; this leaves room for a busy machine.
const BODY_BOUND: Duration = Duration::from_secs(25);

/// Sends the beginning of a request, waits for the answer, and gives what took how long.
fn half(address: std::net::SocketAddr, beginning: &str) -> (http::Answer, Duration) {
    let start = wait::now();
    let mut stream = http::connect(address).expect("the server listens");
    stream.write_all(beginning.as_bytes()).expect("the server takes it");
    let answer = http::read_answer(&mut BufReader::new(stream), false).expect("the server answers");
    (answer, start.elapsed())
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let server = server();
    let before = holdings(&server);
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"jo"
        )
    };
    std::thread::scope(|scope| {
        let lock = scope.spawn(|| half(server.address(), &head("/v1/locks/lock")));
        let update = scope.spawn(|| half(server.address(), &head("/update?name=a&owner=u&state=busy")));
        // Meanwhile others are served.
        assert_eq!(server.get("/healthz").status, 200);
        let (answer, took) = lock.join().expect("answered");
        assert_eq!((answer.status, answer.problem().as_str()), (408, "/problems/request-timeout"));
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(took < BODY_BOUND, "{took:?}");
        let (answer, took) = update.join().expect("answered");
        assert_eq!((answer.status, answer.text()), (408, "a body must arrive within 10 s\n"));
        assert!(took < BODY_BOUND, "{took:?}");
    });
    assert_eq!(holdings(&server), before);
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let server = server();
    let mut stream = http::connect(server.address()).expect("the server listens");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: local").expect("the server takes it");
    let mut said = Vec::new();
    // The client's own bound on reading is longer than the server's on heads: it is the server that ends this.
    stream.read_to_end(&mut said).expect("the server closes the connection");
    let said = String::from_utf8_lossy(&said);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
}

#[test]
fn who_leaves_in_the_middle_changes_nothing() {
    let server = server();
    let before = holdings(&server);
    let whole = with_json("POST /v1/locks/lock", r#"{"job":1,"targets":["x"],"duration":"1m"}"#);
    for length in 1..whole.len() {
        let mut stream = http::connect(server.address()).expect("the server listens");
        stream.write_all(&whole[..length]).expect("the server takes it");
    }
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(holdings(&server), before);
}

#[test]
fn five_hundred_silent_connections_hold_nobody_up() {
    let server = server();
    let silent: Vec<_> = (0..500).map(|_| http::connect(server.address()).expect("there is room")).collect();
    let start = wait::now();
    assert_eq!(server.get("/healthz").status, 200);
    // Less than the 10 s that the server waits for their heads.
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    drop(silent);
}

#[test]
fn uploads_that_stand_still_give_their_places_to_others() {
    let server = server();
    let head = "POST /v1/components HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/wasm\r\ncontent-length: 60000000\r\n\r\nhalf";
    let answers = std::thread::scope(|scope| {
        let uploads: Vec<_> = (0..4).map(|_| scope.spawn(|| half(server.address(), head))).collect();
        uploads.into_iter().map(|upload| upload.join().expect("answered")).collect::<Vec<_>>()
    });
    // Two have the places until it is clear that they do not use them; the others are told at once to come again.
    let (stalled, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|(answer, _)| answer.status == 408);
    assert_eq!((stalled.len(), refused.len()), (2, 2), "{answers:?}");
    for (answer, took) in stalled {
        assert_eq!(answer.problem(), "/problems/request-timeout");
        assert!(*took < BODY_BOUND, "{took:?}");
    }
    for (answer, _) in refused {
        assert_eq!((answer.status, answer.problem().as_str()), (503, "/problems/overloaded"), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let headers = [("content-type", "application/wasm")];
    let whole = server.client().send_with("POST", "/v1/components", &headers, b"whole");
    assert_eq!(whole.expect("the server answers").status, 201);
}
