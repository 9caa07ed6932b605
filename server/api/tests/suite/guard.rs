//! Who may knock at all.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::lab::{Lab, request, with_header};

#[tokio::test]
async fn a_name_that_is_not_ours_is_refused_on_every_path() {
    let lab = Lab::start().await;
    for path in ["/", "/v1/leases", "/acquire", "/metrics", "/nowhere"] {
        let foreign = Request::builder().uri(path).header("host", "evil.example:8080").body(Body::empty());
        lab.send(foreign.expect("a request")).await.problem(421, "foreign-host");
        let nameless = Request::builder().uri(path).body(Body::empty());
        lab.send(nameless.expect("a request")).await.problem(400, "malformed");
    }
}

#[tokio::test]
async fn another_site_may_look_nowhere_and_change_nothing() {
    let lab = Lab::start().await;
    let post = |path| request(Method::POST, path, Some(json!({"owner": "ann", "pool": "cpu"})));
    for path in ["/v1/leases", "/acquire?type=cpu&state=free&dest=busy&owner=ann"] {
        lab.send(with_header(post(path), "origin", "http://evil.example"))
            .await
            .problem(403, "foreign-origin");
        lab.send(with_header(post(path), "sec-fetch-site", "cross-site"))
            .await
            .problem(403, "foreign-origin");
    }
    assert_eq!(lab.keeper.snapshot().lease_count(), 0);
    lab.send(with_header(post("/v1/leases"), "origin", "http://localhost:8080")).await.expect(201);
    let looked =
        lab.send(with_header(request(Method::GET, "/v1/pools", None), "origin", "http://evil.example")).await;
    assert!(
        looked.headers.get("access-control-allow-origin").is_none(),
        "no page of theirs can read the answer"
    );
}
