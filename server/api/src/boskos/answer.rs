//! Answers: Go's `http.Error`, and what the six endpoints say no with.

use std::fmt;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_keeper::Error;
use lessor_ledger::{Owner, Refusal};

use super::quote::Quoted;
use crate::limits::RETRY_AFTER_SECS;

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An error: a status and a line of text.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    text: String,
}

impl Failure {
    /// The method is not the one.
    pub(super) fn method(text: String) -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, text }
    }

    /// Something is missing or cannot be read.
    pub(super) fn bad(text: impl fmt::Display) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.to_string() }
    }

    /// The body is longer than allowed.
    pub(super) fn too_large(max: usize) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, text: format!("a body has at most {max} bytes") }
    }

    /// The body did not come in time.
    pub(super) fn too_slow(secs: u64) -> Self {
        Self { status: StatusCode::REQUEST_TIMEOUT, text: format!("a body must arrive within {secs} s") }
    }

    /// There is no resource of this type.
    pub(super) fn none_of(kind: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: not_found(kind) }
    }

    /// The operation was refused, or the server cannot decide it now.
    pub(super) fn operation(prefix: fmt::Arguments<'_>, error: &Error) -> Self {
        let (status, text) = match error {
            Error::Refused(refusal) => refused(refusal),
            Error::Busy | Error::ReadOnly(_) | Error::Stopped => {
                (StatusCode::SERVICE_UNAVAILABLE, unavailable(error).to_owned())
            }
        };
        Self { status, text: format!("{prefix}: {text}") }
    }

    /// The ledger answered with something that does not belong to the command: a bug of ours.
    pub(super) fn foreign_reply() -> Self {
        tracing::error!("the ledger's reply does not fit the command");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, text: "internal error".to_owned() }
    }
}

impl IntoResponse for Failure {
    fn into_response(mut self) -> Response {
        self.text.push('\n');
        let mut response = Response::new(Body::from(self.text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PLAIN);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECS));
        }
        if self.status == StatusCode::REQUEST_TIMEOUT {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// 200 without a body.
pub(super) fn empty() -> Response {
    Response::new(Body::empty())
}

/// 200 with JSON that says it is plain text.
pub(super) fn plain(body: Vec<u8>) -> Response {
    with_type(body, PLAIN)
}

/// 200 with JSON that says so.
pub(super) fn json(body: Vec<u8>) -> Response {
    with_type(body, JSON)
}

fn with_type(body: Vec<u8>, kind: HeaderValue) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn not_found(what: &str) -> String {
    format!("no available resource {what}, try again later.")
}

fn unavailable(error: &Error) -> &'static str {
    match error {
        Error::Refused(_) => "refused",
        Error::Busy => "the server is busy, try again later",
        Error::ReadOnly(_) => "the server takes no writes now, try again later",
        Error::Stopped => "the server is stopping",
    }
}

/// Status and text of a refusal. Those that no Boskos operation meets are 500, as any unknown error is upstream.
fn refused(refusal: &Refusal) -> (StatusCode, String) {
    match refusal {
        Refusal::NoSuchPool(kind) => {
            (StatusCode::NOT_FOUND, format!("resource type {} does not exist", Quoted(kind.as_str())))
        }
        Refusal::NothingFree { pool, .. } => (StatusCode::NOT_FOUND, not_found(pool.as_str())),
        Refusal::NotAllInState { state } => (StatusCode::NOT_FOUND, not_found(state.as_str())),
        Refusal::NoSuchResource(name) => (StatusCode::NOT_FOUND, not_found(name.as_str())),
        Refusal::NotOwner { asked, holder, .. } => {
            let holder = holder.as_ref().map_or("", Owner::as_str);
            let text = format!("owner mismatch request by {asked}, currently owned by {holder}");
            (StatusCode::UNAUTHORIZED, text)
        }
        Refusal::StateMismatch { stored, asked, .. } => {
            (StatusCode::CONFLICT, format!("state mismatch - expected {stored}, current {asked}"))
        }
        Refusal::TooLarge { .. } => (StatusCode::BAD_REQUEST, refusal.to_string()),
        Refusal::Full { .. } => (StatusCode::SERVICE_UNAVAILABLE, refusal.to_string()),
        Refusal::NoSuchLease(_)
        | Refusal::LeaseEnded(_)
        | Refusal::NoSuchRequest(_)
        | Refusal::JobZero
        | Refusal::EmptyTarget
        | Refusal::Busy(_)
        | Refusal::Unavailable(_)
        | Refusal::NotHeld(_)
        | Refusal::Unsatisfiable(_)
        | Refusal::TtlOutOfRange { .. }
        | Refusal::KeyReused
        | Refusal::StaleRevision { .. }
        | Refusal::PoolNeeded(_)
        | Refusal::CordonOver(_)
        | Refusal::NoSuchJob(_)
        | Refusal::JobForgotten(_)
        | Refusal::JobPhase { .. }
        | Refusal::JobManaged(_)
        | Refusal::SpanOutOfRange { .. }
        | Refusal::NoSuchPlugin(_)
        | Refusal::NothingToRollBack(_)
        | Refusal::PluginInUse { .. } => (StatusCode::INTERNAL_SERVER_ERROR, refusal.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_later_is_worth_another_try() {
        let full = Error::Refused(Refusal::Full { what: "requests waiting", limit: 7 });
        let answer = Failure::operation(format_args!("Acquire failed"), &full).into_response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key(header::RETRY_AFTER));
        let large = Error::Refused(Refusal::TooLarge { what: "names in one call", limit: 7 });
        let answer = Failure::operation(format_args!("AcquireByState"), &large).into_response();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert!(!answer.headers().contains_key(header::RETRY_AFTER));
    }
}
