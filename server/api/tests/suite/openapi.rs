//! The OpenAPI document: kept in the repository, so that a change of the API shows in a review.

use std::path::Path;

use serde_json::Value;

use crate::lab::Lab;

#[test]
fn the_document_in_the_repository_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let now = lessor_api::openapi();
    #[expect(clippy::disallowed_methods, reason = "it says that the file is to be written anew")]
    let update = std::env::var_os("UPDATE_OPENAPI").is_some();
    if update {
        std::fs::write(&path, now).expect("openapi.json can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let difference = kept.lines().zip(now.lines()).position(|(kept, now)| kept != now);
    assert!(
        kept == now,
        "openapi.json is out of date from line {} on: run UPDATE_OPENAPI=1 cargo test -p lessor-api",
        difference.map_or_else(|| kept.lines().count().min(now.lines().count()) + 1, |line| line + 1)
    );
}

#[tokio::test]
async fn the_document_is_served_and_complete() {
    let lab = Lab::start().await;
    let document = lab.get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    for path in [
        "/v1/leases",
        "/v1/leases/{id}",
        "/v1/leases/{id}/renew",
        "/v1/leases/{id}/release",
        "/v1/leases/{id}/force-release",
        "/v1/requests",
        "/v1/requests/{id}",
        "/v1/pools",
        "/v1/pools/{name}",
        "/v1/resources",
        "/v1/resources/{name}",
        "/v1/locks",
        "/v1/locks/lock",
        "/v1/locks/try-lock",
        "/v1/locks/unlock",
        "/v1/locks/refresh",
        "/v1/locks/force-release",
        "/v1/events",
        "/v1/events/stream",
        "/healthz",
        "/readyz",
    ] {
        assert!(paths.contains_key(path), "{path} is missing");
    }
}

/// Every reference leads somewhere, every operation has a name of its own, and every error is a problem.
#[test]
fn the_document_hangs_together() {
    let document: Value = serde_json::from_str(lessor_api::openapi()).expect("JSON");
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let name =
                operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
            assert!(names.insert(name), "{name} is there twice");
            for (status, response) in operation["responses"].as_object().expect("responses") {
                if status.as_str() >= "400" && path.starts_with("/v1") {
                    let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                    assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
                }
            }
        }
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str));
            map.values().for_each(|value| collect(value, references));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
