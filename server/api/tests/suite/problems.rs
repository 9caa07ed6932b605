//! Every answer that is no success is a problem, whatever was wrong with the request.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::lab::{Lab, request};

fn raw(content_type: Option<&str>, body: impl Into<Body>) -> Request<Body> {
    let mut builder = Request::builder().method("POST").uri("/v1/leases").header("host", "localhost");
    if let Some(content_type) = content_type {
        builder = builder.header("content-type", content_type);
    }
    builder.body(body.into()).expect("a request")
}

const JSON: Option<&str> = Some("application/json");

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let lab = Lab::start().await;
    for path in
        ["/nowhere", "/v1", "/v1/", "/v1/leases/", "/v2/leases", "/acquire/", "//", "/v1/leases/1/renew/x"]
    {
        lab.get(path).await.problem(404, "not-found");
    }
    for (method, path, allow) in [
        (Method::PUT, "/v1/leases", "GET,HEAD,POST"),
        (Method::GET, "/v1/leases/1/renew", "POST"),
        (Method::POST, "/v1/leases/1", "DELETE,GET,HEAD"),
        (Method::POST, "/v1/resources/a", "DELETE,GET,HEAD,PATCH,PUT"),
        (Method::DELETE, "/healthz", "GET,HEAD"),
        (Method::from_bytes(b"BREW").expect("a token"), "/v1/pools", "GET,HEAD"),
    ] {
        let answer = lab.send(request(method, path, None)).await;
        answer.problem(405, "method-not-allowed");
        let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(","), allow, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_it_should_be_is_refused_with_the_place() {
    let lab = Lab::start().await;
    let detail = async |body: &'static str| {
        let problem = lab.send(raw(JSON, body)).await.problem(400, "malformed");
        problem["detail"].as_str().expect("a detail").to_owned()
    };
    assert_eq!(detail("").await, "body: EOF while parsing a value at line 1 column 0");
    assert_eq!(detail("{").await, "body: EOF while parsing an object at line 1 column 1");
    assert_eq!(detail("{}").await, "body: missing field `owner` at line 1 column 2");
    assert!(
        detail(r#"{"owner":"ann","pool":"gpu"} x"#).await.contains("trailing characters at line 1 column 30")
    );
    assert!(detail(r#"{"owner":"ann","colour":"red"}"#).await.starts_with("colour: unknown field `colour`"));
    assert!(detail(r#"{"owner":"ann","owner":"bob"}"#).await.contains("duplicate field `owner`"));
    assert!(detail(r#"{"owner":7}"#).await.starts_with("owner: invalid type: integer `7`"));
    assert!(detail(r#"{"owner":"ann","pool":"gpu","count":1.5}"#).await.starts_with("count: "));
    assert!(detail(r#"{"owner":"ann","pool":"gpu","count":-1}"#).await.starts_with("count: "));
    assert!(detail(r#"{"owner":"ann","pool":"gpu","count":4294967296}"#).await.starts_with("count: "));
    assert!(detail(r#"{"owner":"ann","pool":"gpu","priority":2147483648}"#).await.starts_with("priority: "));
    assert!(
        detail(r#"{"owner":"ann","pool":"gpu","ttl":"woooo"}"#)
            .await
            .contains(r#"time: invalid duration "woooo""#)
    );
    assert!(detail(r#"{"owner":"ann","pool":"gpu","ttl":1.5}"#).await.starts_with("ttl: "));
    assert!(detail(r#"{"owner":"ann","pool":"gpu","ttl":9223372036854775807}"#).await.contains("292 years"));
    assert!(
        detail(r#"{"owner":"ann","requests":[{"pool":"a"},{"pol":"b"}]}"#)
            .await
            .starts_with("requests[1].pol: ")
    );
    assert!(detail("[[[[").await.starts_with("body: ") || detail("[[[[").await.starts_with("[0]"));
    let problem = lab.send(raw(JSON, b"{\"owner\":\"\xff\"}".to_vec())).await.problem(400, "malformed");
    assert!(problem["detail"].as_str().expect("a detail").contains("invalid unicode"), "{problem}");
    lab.send(raw(JSON, "[".repeat(100_000))).await.problem(400, "malformed");
}

#[tokio::test]
async fn only_json_is_json() {
    let lab = Lab::start().await;
    let body = r#"{"owner":"ann","pool":"gpu"}"#;
    for bad in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("json"), Some("text/json")]
    {
        lab.send(raw(bad, body)).await.problem(415, "unsupported-media-type");
    }
    for good in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.lessor+json"] {
        lab.send(raw(Some(good), body)).await.expect(201);
    }
}

#[tokio::test]
async fn a_body_may_be_1_mib_and_not_a_byte_more() {
    let lab = Lab::start().await;
    let padded = |bytes: usize| {
        let body = r#"{"owner":"ann","pool":"gpu"}"#;
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    lab.send(raw(JSON, padded(1024 * 1024))).await.expect(201);
    lab.send(raw(JSON, padded(1024 * 1024 + 1))).await.problem(413, "too-large");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let lab = Lab::start().await;
    let silent = Body::from_stream(futures_util::stream::pending::<Result<&[u8], std::io::Error>>());
    let answer = lab.send(raw(JSON, silent)).await;
    answer.problem(408, "request-timeout");
    assert_eq!(answer.header("connection"), "close");
    let broken = futures_util::stream::iter([Ok("{"), Err(std::io::Error::other("gone"))]);
    lab.send(raw(JSON, Body::from_stream(broken))).await.problem(400, "malformed");
}

#[tokio::test]
async fn paths_and_queries_are_checked_too() {
    let lab = Lab::start().await;
    for path in [
        "/v1/leases/x",
        "/v1/leases/-1",
        "/v1/leases/18446744073709551616",
        "/v1/requests/1.5",
        "/v1/leases?owner=%ff",
        "/v1/leases?owner=%zz",
        "/v1/leases?owner=%",
        "/v1/requests/1?wait=soon",
        "/v1/leases?ended=maybe",
        "/readyz?nonsense",
    ] {
        lab.get(path).await.problem(400, "malformed");
    }
    for path in ["/v1/leases?owner=", "/v1/leases?after=x", "/v1/locks?after=", "/v1/resources?pool="] {
        lab.get(path).await.problem(400, "invalid");
    }
    lab.get("/v1/leases/0").await.problem(404, "no-such-lease");
}

#[tokio::test]
async fn sizes_beyond_a_limit_are_the_clients_fault() {
    let lab = Lab::start().await;
    let targets: Vec<Value> = (0..10_001).map(|n| json!(n.to_string())).collect();
    let parts: Vec<Value> = (0..17).map(|_| json!({"pool": "gpu"})).collect();
    for body in [
        json!({"owner": "ann", "targets": targets}),
        json!({"owner": "ann", "requests": parts}),
        json!({"owner": "ann", "pool": "gpu", "count": 10_001, "wait_anyway": true}),
        json!({"owner": "ann", "pool": "gpu", "purpose": "x".repeat(4097)}),
        json!({"owner": "ann", "pool": "gpu", "request_id": "x".repeat(513)}),
        json!({"owner": "x".repeat(513), "pool": "gpu"}),
        json!({"owner": "ann", "pool": "gpu", "ttl": "10000h"}),
    ] {
        lab.post("/v1/leases", body).await.problem(400, "invalid");
    }
}

#[tokio::test]
async fn a_stopped_keeper_is_503_with_a_hint_to_come_back() {
    let lab = Lab::start().await;
    let keeper = lab.keeper.clone();
    let site = lab.site.clone();
    lab.stop().await;
    assert_eq!(keeper.health(), lessor_keeper::Health::Stopped);
    let ask = request(Method::POST, "/v1/leases", Some(json!({"owner": "ann", "pool": "gpu"})));
    let answer = crate::lab::answer(site, ask).await;
    answer.problem(503, "stopping");
    assert_eq!(answer.header("retry-after"), "1");
}
