//! Problems: every answer that is not a success, as RFC 9457 `application/problem+json`.
//!
//! The only place that gives a refusal a status ([`refused`] says which refusal is of which kind). Texts may change; clients key on `type`, which is part of the API:
//! the list is append-only.

mod more;
mod refused;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_keeper::chain;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use self::more::{ConflictView, More, ParameterView, UnmetView};
use crate::limits::RETRY_AFTER_SECS;

/// Media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $status:ident, $slug:literal, $title:literal;)*) => {
        /// What went wrong, as far as a client can act on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every kind, in declaration order.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its HTTP status.
            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)* }
            }

            /// Its `type`: a URI reference.
            pub(crate) fn uri(self) -> &'static str {
                match self { $(Self::$kind => concat!("/problems/", $slug),)* }
            }

            /// Its `title`.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }
        }
    };
}

kinds! {
    /// Not HTTP, JSON, a number, … as it should be.
    Malformed = BAD_REQUEST, "malformed", "Request is malformed";
    /// Well-formed, but a value is out of its range.
    Invalid = BAD_REQUEST, "invalid", "Request is invalid";
    /// The browser sent it for another site.
    ForeignOrigin = FORBIDDEN, "foreign-origin", "Request comes from another site";
    /// The server's configuration does not let the API grant it.
    GrantNotAllowed = FORBIDDEN, "grant-not-allowed", "Grant is not for the API to give";
    /// Nothing lives at this path.
    NotFound = NOT_FOUND, "not-found", "Nothing lives at this path";
    /// No such pool.
    NoSuchPool = NOT_FOUND, "no-such-pool", "No such pool";
    /// No such resource.
    NoSuchResource = NOT_FOUND, "no-such-resource", "No such resource";
    /// No such lease.
    NoSuchLease = NOT_FOUND, "no-such-lease", "No such lease";
    /// No such request.
    NoSuchRequest = NOT_FOUND, "no-such-request", "No such request";
    /// No such job.
    NoSuchJob = NOT_FOUND, "no-such-job", "No such job";
    /// No such plugin.
    NoSuchPlugin = NOT_FOUND, "no-such-plugin", "No such plugin";
    /// No component with this digest was uploaded.
    NoSuchComponent = NOT_FOUND, "no-such-component", "No such component";
    /// The path does not know the method.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed", "Method is not allowed here";
    /// The body did not arrive in time.
    Timeout = REQUEST_TIMEOUT, "request-timeout", "Request body did not arrive in time";
    /// What was asked for cannot be had now.
    Busy = CONFLICT, "busy", "Not everything asked for is free";
    /// Somebody else holds it, or nobody.
    NotHolder = CONFLICT, "not-holder", "Held by somebody else";
    /// The request was granted, so it cannot be withdrawn.
    Granted = CONFLICT, "granted", "Request was granted";
    /// The resource is in another state.
    StateMismatch = CONFLICT, "state-mismatch", "Resource is in another state";
    /// The job is not in a phase in which this can be done.
    JobPhase = CONFLICT, "job-phase", "Job is in another phase";
    /// The server looks after the job's locks.
    JobManaged = CONFLICT, "job-managed", "Job is run by the server";
    /// Jobs need the plugin.
    PluginInUse = CONFLICT, "plugin-in-use", "Plugin is needed by jobs";
    /// The plugin is switched off, could not be prepared, or broke too often.
    PluginUnavailable = CONFLICT, "plugin-unavailable", "Plugin takes no calls";
    /// The plugin was replaced while it was being prepared.
    PluginChanged = CONFLICT, "plugin-changed", "Plugin was replaced in the meantime";
    /// There is no version to go back to.
    NothingToRollBack = CONFLICT, "nothing-to-roll-back", "No earlier version to go back to";
    /// The lease is over.
    LeaseEnded = GONE, "lease-ended", "Lease has ended";
    /// The request is over, and was not granted.
    RequestOver = GONE, "request-over", "Request is over";
    /// The job is over and forgotten.
    JobOver = GONE, "job-over", "Job is over and forgotten";
    /// The record was changed in the meantime.
    StaleRevision = PRECONDITION_FAILED, "stale-revision", "Record was changed in the meantime";
    /// The body is too large.
    TooLarge = PAYLOAD_TOO_LARGE, "too-large", "Request is too large";
    /// The body is not JSON.
    MediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Body must be application/json";
    /// The body is compressed.
    ContentEncoding = UNSUPPORTED_MEDIA_TYPE, "unsupported-content-encoding", "Body must not be compressed";
    /// The `Host` is not one of ours.
    ForeignHost = MISDIRECTED_REQUEST, "foreign-host", "Host is not served here";
    /// Waiting would never end.
    Unsatisfiable = UNPROCESSABLE_ENTITY, "unsatisfiable", "Request can never be met";
    /// The component is none, of another contract or kind, or wants what it was not granted.
    PluginUnfit = UNPROCESSABLE_ENTITY, "plugin-unfit", "Plugin does not fit";
    /// The target manager finds something wrong with the parameters.
    BadParameters = UNPROCESSABLE_ENTITY, "bad-parameters", "Target manager does not take the parameters";
    /// The key was used for something else.
    KeyReused = UNPROCESSABLE_ENTITY, "key-reused", "Idempotency key was used for another request";
    /// A bound is reached.
    Limit = TOO_MANY_REQUESTS, "limit", "A limit is reached";
    /// It is our fault; the log knows more.
    Internal = INTERNAL_SERVER_ERROR, "internal", "Internal error";
    /// A plugin gave no answer, or a senseless one.
    PluginBroke = BAD_GATEWAY, "plugin-broke", "Plugin gave no answer";
    /// Too much to do.
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "Server is overloaded";
    /// The store takes no writes.
    ReadOnly = SERVICE_UNAVAILABLE, "read-only", "Server takes no writes now";
    /// The server is going down.
    Stopping = SERVICE_UNAVAILABLE, "stopping", "Server is stopping";
}

/// A problem on its way to the client.
#[derive(Debug)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: Kind,
    detail: Option<String>,
    more: More,
}

/// What a problem said, as an extension of its answer: for whoever words it otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) kind: Kind,
    pub(crate) detail: String,
}

/// A problem as on the wire (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemView<'a> {
    /// Stable URI reference of the kind of problem: key on this.
    #[serde(rename = "type")]
    #[schema(example = "/problems/busy")]
    kind: &'a str,
    /// The kind in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// Names this answer in the server's log.
    request_id: &'a str,
    /// Extension members.
    #[serde(flatten)]
    more: &'a More,
}

impl Problem {
    /// A problem of this kind; `detail` goes to the client as it is.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts { kind, detail: Some(detail.into()), more: More::default() }))
    }

    /// The same with extension members.
    pub(crate) fn with(mut self, more: More) -> Self {
        self.0.more = more;
        self
    }

    /// A value is out of its range; `field` says which.
    pub(crate) fn invalid(field: &str, why: impl fmt::Display) -> Self {
        Self::new(Kind::Invalid, format!("{field}: {why}"))
    }

    /// Something broke that is not the client's fault. The cause goes to the log and nowhere else.
    pub(crate) fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(cause = %chain(cause), "request failed");
        Self(Box::new(Parts { kind: Kind::Internal, detail: None, more: More::default() }))
    }

    /// What kind it is.
    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Its extension members.
    pub(crate) fn more(&self) -> &More {
        &self.0.more
    }

    /// What happened, for people; empty if only the log knows.
    pub(crate) fn detail(&self) -> &str {
        self.0.detail.as_deref().unwrap_or_default()
    }
}

/// A number that no other answer of this process has, after a part that no other process is likely to have.
fn request_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:08x}-{}", *PROCESS & 0xffff_ffff, NEXT.fetch_add(1, Ordering::Relaxed))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { kind, detail, more } = *self.0;
        let status = kind.status();
        let request_id = request_id();
        tracing::debug!(
            status = status.as_u16(),
            kind = kind.uri(),
            request_id,
            detail = detail.as_deref().unwrap_or_default(),
            "problem"
        );
        let view = ProblemView {
            kind: kind.uri(),
            title: kind.title(),
            status: status.as_u16(),
            detail: detail.as_deref(),
            request_id: &request_id,
            more: &more,
        };
        let body = serde_json::to_vec(&view).expect("a problem has only string keys and plain values");
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, HeaderValue::from_str(&request_id).expect("hex digits and a dash"));
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECS));
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(Told { kind, detail: detail.unwrap_or_default() });
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_are_part_of_the_api_and_only_ever_added_to() {
        let list: Vec<_> =
            Kind::ALL.iter().map(|kind| format!("{} {}", kind.status().as_u16(), kind.uri())).collect();
        let known = [
            "400 /problems/malformed",
            "400 /problems/invalid",
            "403 /problems/foreign-origin",
            "403 /problems/grant-not-allowed",
            "404 /problems/not-found",
            "404 /problems/no-such-pool",
            "404 /problems/no-such-resource",
            "404 /problems/no-such-lease",
            "404 /problems/no-such-request",
            "404 /problems/no-such-job",
            "404 /problems/no-such-plugin",
            "404 /problems/no-such-component",
            "405 /problems/method-not-allowed",
            "408 /problems/request-timeout",
            "409 /problems/busy",
            "409 /problems/not-holder",
            "409 /problems/granted",
            "409 /problems/state-mismatch",
            "409 /problems/job-phase",
            "409 /problems/job-managed",
            "409 /problems/plugin-in-use",
            "409 /problems/plugin-unavailable",
            "409 /problems/plugin-changed",
            "409 /problems/nothing-to-roll-back",
            "410 /problems/lease-ended",
            "410 /problems/request-over",
            "410 /problems/job-over",
            "412 /problems/stale-revision",
            "413 /problems/too-large",
            "415 /problems/unsupported-media-type",
            "415 /problems/unsupported-content-encoding",
            "421 /problems/foreign-host",
            "422 /problems/unsatisfiable",
            "422 /problems/plugin-unfit",
            "422 /problems/bad-parameters",
            "422 /problems/key-reused",
            "429 /problems/limit",
            "500 /problems/internal",
            "502 /problems/plugin-broke",
            "503 /problems/overloaded",
            "503 /problems/read-only",
            "503 /problems/stopping",
        ];
        assert_eq!(list, known);
    }

    #[test]
    fn what_broke_inside_stays_inside() {
        let cause = std::io::Error::other("secret path");
        assert_eq!(Problem::internal(&cause).detail(), "");
        let problem = Problem::from(lessor_keeper::Error::ReadOnly("secret path".into()));
        assert!(!problem.detail().contains("secret"), "{}", problem.detail());
    }

    #[test]
    fn a_full_disk_is_told_and_where_it_is_is_not() {
        let disk = |kind: std::io::ErrorKind| {
            let (path, source) = ("/secret/path".into(), kind.into());
            Problem::from(lessor_jobs::PluginError::from(lessor_jobs::ComponentError::Disk { path, source }))
        };
        let full = disk(std::io::ErrorKind::StorageFull);
        assert_eq!(full.kind(), Kind::ReadOnly);
        assert!(full.detail().contains("there is no room") && !full.detail().contains("secret"));
        assert_eq!(disk(std::io::ErrorKind::PermissionDenied).kind(), Kind::Internal);
    }
}
