//! Uploading a component on a page. That one is installed is tested in `tests/browser`, with real ones.

use axum::body::Body;
use axum::http::{Method, Request};

use crate::lab::{Answer, Lab};
use crate::pages::shows;

impl Lab {
    async fn upload(&self, content_type: &str, body: Vec<u8>) -> Answer {
        let request = Request::builder().method(Method::POST).uri("/components");
        let request = request.header("host", "localhost:8080").header("content-type", content_type);
        self.send(request.body(Body::from(body)).expect("a request")).await
    }
}

/// A form with one part.
fn form(field: &str, content: &[u8]) -> Vec<u8> {
    let head =
        format!("--b\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"x.wasm\"\r\n\r\n");
    [head.as_bytes(), content, b"\r\n--b--\r\n"].concat()
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_said_above_the_form() {
    let lab = Lab::start().await;
    let multipart = "multipart/form-data; boundary=b";
    let too_large = vec![0; lessor_plugins::limits::COMPONENT_BYTES_MAX + 1];
    let far_too_large = vec![0; lessor_plugins::limits::COMPONENT_BYTES_MAX + 1024 * 1024];
    for (content_type, body, status, words) in [
        ("application/wasm", b"x".to_vec(), 415, "multipart/form-data"),
        (multipart, b"".to_vec(), 400, "cannot be read"),
        (multipart, b"--b--\r\n".to_vec(), 400, "has no file"),
        (multipart, form("other", b"x"), 400, "cannot be read"),
        (multipart, form("component", b""), 400, "choose a file"),
        (multipart, form("component", b"x")[..78].to_vec(), 400, "broke off"),
        (multipart, form("component", b"hello"), 422, "role=\"alert\""),
        (multipart, form("component", &too_large), 413, "at most 67108864 bytes"),
        (multipart, form("component", &far_too_large), 413, "at most 67108864 bytes"),
    ] {
        let answer = lab.upload(content_type, body).await;
        shows(&answer, status, &[words, "enctype=\"multipart/form-data\"", "data-here=\"/plugins\""]);
    }
}

#[tokio::test]
async fn a_component_that_was_not_uploaded_has_no_page() {
    let lab = Lab::start().await;
    for digest in ["no", "../../etc/passwd", &"0".repeat(64)] {
        let path = lessor_web::link::component(digest);
        shows(&lab.get(&path).await, 404, &["upload it first"]);
        shows(&lab.form(&path, &[("name", "x")]).await, 404, &["upload it first"]);
    }
}
