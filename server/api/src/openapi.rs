//! The OpenAPI 3.1 document: made from the handlers, served, and kept in the repository so that a change shows.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::problem::{self, ConflictView, More, ParameterView, ProblemView, UnmetView};
use crate::{contest, health, v1};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lessor",
        description = "Exclusive, time-bounded, fenced leases. Durations are strings like `1h30m` or whole milliseconds, times are RFC 3339. Problems follow RFC 9457; key on their `type`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "leases", description = "Who holds what"),
        (name = "requests", description = "Who waits for what"),
        (name = "pools", description = "Sets of resources of one kind"),
        (name = "resources", description = "Targets that Lessor keeps a record of"),
        (name = "locks", description = "The lock table, and the ConTest locker"),
        (name = "jobs", description = "Targets from target managers, leased and given back"),
        (name = "plugins", description = "WebAssembly components that the server runs within bounds"),
        (name = "events", description = "What happened"),
        (name = "operations", description = "For whoever runs the server"),
    ),
    paths(
        v1::acquire::acquire,
        v1::lease::list,
        v1::lease::show,
        v1::lease::renew,
        v1::lease::release,
        v1::lease::delete,
        v1::force::lease,
        v1::force::target,
        v1::request::list,
        v1::request::show,
        v1::request::withdraw,
        v1::pool::list,
        v1::pool::show,
        v1::pools_apply::apply,
        v1::resource::list,
        v1::resource::show,
        v1::resource::put,
        v1::resource::patch,
        v1::resource::delete,
        v1::lock::list,
        v1::job::start,
        v1::job::list,
        v1::job::show,
        v1::job::renew,
        v1::job::end,
        v1::job::force,
        v1::plugin::upload,
        v1::plugin::list,
        v1::plugin::show,
        v1::plugin::install,
        v1::plugin::enable,
        v1::plugin::disable,
        v1::plugin::reload,
        v1::plugin::roll_back,
        v1::plugin::remove,
        v1::event::list,
        v1::event::stream,
        v1::backup::backup,
        contest::lock,
        contest::try_lock,
        contest::unlock,
        contest::refresh,
        health::alive,
        health::ready,
    ),
    components(schemas(ProblemView, More, ConflictView, ParameterView, UnmetView, v1::event::Order)),
    modifiers(&Problems)
)]
struct Document;

/// Says of every operation what every operation can answer, and that whatever is no success is a problem.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let operations =
                [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
            for operation in operations.into_iter().flatten() {
                complete(operation, path.starts_with("/v1/"));
            }
        }
    }
}

fn complete(operation: &mut Operation, asks_the_keeper: bool) {
    let mut common =
        vec![("400", "Malformed, or a value is out of its range"), ("421", "The host is not served here")];
    if asks_the_keeper {
        common.push(("503", "Overloaded, read-only or stopping; see `Retry-After`"));
        common.push(("500", "Internal error"));
    }
    if operation.request_body.is_some() {
        common.push(("408", "The body did not arrive in time"));
        common.push(("413", "The body is too large"));
        common.push(("415", "The body is not JSON"));
    }
    common.push(("403", "A browser sent it for another site"));
    for (status, description) in common {
        let response = ResponseBuilder::new().description(description).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status.as_str() >= "400" && response.content.is_empty() {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            response.content.insert(problem::MEDIA_TYPE.to_owned(), content.into());
        }
    }
}

/// Says what the generator cannot: unsigned numbers have 64 or 32 bits, and a parameter that may be left out is never
/// null.
fn sharpen(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let format = map.get("format").and_then(Value::as_str).unwrap_or_default();
            let unsigned = map.get("minimum").and_then(Value::as_f64).is_some_and(|minimum| minimum >= 0.0);
            let bounds = match format {
                "int64" if unsigned => Some(("uint64", u64::MAX)),
                "int32" if unsigned => Some(("uint32", u64::from(u32::MAX))),
                _ => None,
            };
            if let Some((format, maximum)) = bounds {
                map.insert("format".to_owned(), format.into());
                map.entry("maximum").or_insert(maximum.into());
            }
            if map.contains_key("in")
                && let Some(Value::Array(types)) =
                    map.get_mut("schema").and_then(|schema| schema.get_mut("type"))
            {
                types.retain(|kind| kind != "null");
            }
            map.values_mut().for_each(sharpen);
        }
        Value::Array(list) => list.iter_mut().for_each(sharpen),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The document as pretty-printed JSON with a newline at its end.
#[must_use]
pub fn document() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut document =
            serde_json::to_value(Document::openapi()).expect("the document has only string keys");
        sharpen(&mut document);
        let text = serde_json::to_string_pretty(&document).expect("the document has only string keys");
        text + "\n"
    });
    &TEXT
}

/// `GET /openapi.json`.
pub(crate) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}
