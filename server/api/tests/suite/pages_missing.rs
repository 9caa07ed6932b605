//! Pages for what is not there, or not quite: wrong addresses, and targets that have no record.

use axum::http::Method;
use serde_json::json;

use crate::lab::{Lab, request, with_header};
use crate::pages::shows;

#[tokio::test]
async fn a_browser_gets_a_page_and_a_program_a_problem() {
    let lab = Lab::start().await;
    lab.acquire(json!({"owner": "ann", "pool": "gpu"})).await;
    let browser = |path| with_header(request(Method::GET, path, None), "accept", "text/html,*/*;q=0.8");
    for (path, status, kind) in [
        ("/nope", 404, "not-found"),
        ("/leases/abc", 400, "malformed"),
        ("/queue/x", 400, "malformed"),
        ("/leases/1/extend", 405, "method-not-allowed"),
    ] {
        shows(&lab.send(browser(path)).await, status, &["<!DOCTYPE html>", "My work"]);
        lab.get(path).await.problem(status, kind);
    }
    lab.send(browser("/v1/leases/99")).await.problem(404, "no-such-lease");
}

#[tokio::test]
async fn a_form_of_another_site_is_refused_on_a_page_and_a_foreign_name_sees_none() {
    let lab = Lab::start().await;
    let form = |host: &'static str, origin: &str| {
        let mut form = with_header(request(Method::POST, "/theme", None), "accept", "text/html");
        form.headers_mut().insert("host", host.parse().expect("a header value"));
        with_header(form, "origin", origin)
    };
    let foreign = lab.send(form("localhost:8080", "http://evil.example")).await;
    shows(&foreign, 403, &["<!DOCTYPE html>", "for another site", "My work"]);
    lab.send(form("evil.example", "http://evil.example")).await.problem(421, "foreign-host");
}

#[tokio::test]
async fn a_target_without_a_record_has_a_page_while_something_is_known_of_it() {
    let lab = Lab::start().await;
    shows(&lab.get("/resources/bench-1").await, 404, &["<!DOCTYPE html>"]);
    lab.acquire(json!({"owner": "ann", "targets": ["bench-1"], "purpose": "soak"})).await;
    let known = ["Target <bdi>bench-1</bdi>", "A name without a record", "Held by", "soak", "lease-granted"];
    shows(&lab.get("/resources/bench-1").await, 200, &known);
    lab.form_of_ann("/leases/1/release", &[]).await;
    shows(&lab.get("/resources/bench-1").await, 200, &["Nobody holds it.", "lease-ended", "target=bench-1"]);
    shows(&lab.form("/resources/bench-1/drain", &[]).await, 404, &["<!DOCTYPE html>"]);
}
