//! `POST /v1/leases`: from the body to the command.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use lessor_ledger::limits::{PARTS_PER_REQUEST_MAX, TTL_MAX};
use lessor_ledger::{Acquire, Part, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::extract::Json;
use crate::limits::HOLD_MAX;
use crate::object;
use crate::problem::{More, Problem};
use crate::time::Length;
use crate::v1::body;
use crate::v1::hold;
use crate::v1::key;
use crate::v1::view::{LeaseView, RequestView};

/// State of a leased resource, when the body names none.
const LEASED: &str = "leased";

/// What to lease, for whom and how long. Either `requests`, or one request by the fields beside it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Acquire)]
pub(crate) struct AcquireBody {
    /// Who asks.
    #[schema(min_length = 1, max_length = 512)]
    owner: String,
    /// Resources of this pool.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    pool: Option<String>,
    /// How many; 1 by default.
    #[serde(default)]
    #[schema(minimum = 1)]
    count: Option<u32>,
    /// State that they must be in; `free` by default.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    state: Option<String>,
    /// Labels that they must carry.
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    /// Exactly these targets. A name that is not a registered resource is simply locked.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 10000)]
    targets: Option<Vec<String>>,
    /// Several at once: all or nothing.
    #[serde(default, deserialize_with = "object::optional_list")]
    #[schema(min_items = 1, max_items = 16)]
    requests: Option<Vec<PartBody>>,
    /// State that the resources get; `leased` by default.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    to_state: Option<String>,
    /// How long; the pool's `default-ttl` by default, or 10 minutes if it has none. Of several pools the shortest.
    #[serde(default, serialize_with = "key::nanos")]
    ttl: Option<Length>,
    /// How long to wait in line, at once if left out. One call is held open for at most 5 minutes.
    #[serde(default, serialize_with = "key::nanos")]
    wait: Option<Length>,
    /// Wait even for what can never be met as things are.
    #[serde(default)]
    wait_anyway: bool,
    /// Higher goes first; 0 by default.
    #[serde(default)]
    priority: i32,
    /// What for.
    #[serde(default)]
    #[schema(max_length = 4096)]
    purpose: Option<String>,
    /// Names this try: the same again gives the same lease or place in line. Like `Idempotency-Key`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    request_id: Option<String>,
}

/// One of several things to lease at once.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AcquirePart)]
pub(crate) struct PartBody {
    /// Resources of this pool.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    pool: Option<String>,
    /// How many; 1 by default.
    #[serde(default)]
    #[schema(minimum = 1)]
    count: Option<u32>,
    /// State that they must be in; `free` by default.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    state: Option<String>,
    /// Labels that they must carry.
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    /// Exactly these targets.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 10000)]
    targets: Option<Vec<String>>,
}

/// A command and how long its client waits.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) command: Acquire,
    pub(crate) wait: Duration,
}

/// Leases now, or gets in line.
#[utoipa::path(post, path = "/v1/leases", operation_id = "acquire", tag = "leases", request_body = AcquireBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Like `request_id`; may be in quotes")),
    responses(
        (status = 201, description = "Granted", body = LeaseView,
            headers(("Location" = String, description = "The lease"))),
        (status = 202, description = "In line: go on with `GET` on the location, with `?wait=`, which keeps the place and collects the lease", body = RequestView,
            headers(("Location" = String, description = "The request"),
                ("Retry-After" = u32, description = "Seconds; ask at least that often to keep the place"))),
        (status = 409, description = "Not free, and no `wait` was given: who holds what"),
        (status = 410, description = "The key's lease or request is over"),
        (status = 422, description = "Can never be met, or the key was used for another body"),
        (status = 429, description = "A limit of the server is reached"),
    )
)]
pub(crate) async fn acquire(
    Extract(app): Extract<App>,
    headers: HeaderMap,
    Json(body): Json<AcquireBody>,
) -> Result<Response, Problem> {
    let ask = body.ask(&headers)?;
    let answer = hold::acquire(&app, ask).await?;
    answer.into_response(&app)
}

impl AcquireBody {
    /// Turns the body into a command.
    pub(crate) fn ask(mut self, headers: &HeaderMap) -> Result<Ask, Problem> {
        let key = key::take(self.request_id.take(), headers)?;
        let wait = match self.wait {
            Some(Length(wait)) if wait.nanos() < 0 => {
                return Err(Problem::invalid("wait", "must not be negative"));
            }
            Some(Length(wait)) => Duration::from_nanos(wait.nanos().unsigned_abs()),
            None => Duration::ZERO,
        };
        // The same try may come back with less patience.
        self.wait = None;
        let key = key.map(|key| (key, key::fingerprint(&self)));
        let to_state = self.to_state.take().unwrap_or_else(|| LEASED.to_owned());
        let command = Acquire {
            owner: body::owner("owner", std::mem::take(&mut self.owner))?,
            to_state: body::state("to_state", to_state)?,
            ttl: self.ttl.map(|ttl| ttl.0),
            queue: !wait.is_zero(),
            wait_anyway: self.wait_anyway,
            priority: self.priority,
            purpose: self.purpose.take().map(|purpose| body::text("purpose", purpose)).transpose()?,
            key,
            parts: self.parts()?,
        };
        if command.ttl.is_some_and(|ttl| !ttl.is_positive()) {
            let why = format!("must be more than 0 and at most {} ms", TTL_MAX.millis());
            let more = More { limit: Some(TTL_MAX.millis()), ..More::default() };
            return Err(Problem::invalid("ttl", why).with(more));
        }
        Ok(Ask { command, wait: wait.min(HOLD_MAX) })
    }

    fn parts(self) -> Result<Vec<Part>, Problem> {
        let Self { pool, count, state, labels, targets, requests, .. } = self;
        let beside = PartBody { pool, count, state, labels, targets };
        let Some(requests) = requests else { return Ok(vec![beside.take("")?]) };
        if !beside.is_empty() {
            return Err(Problem::invalid(
                "requests",
                "cannot be combined with pool, count, state, labels or targets",
            ));
        }
        if requests.is_empty() || requests.len() > PARTS_PER_REQUEST_MAX {
            return Err(Problem::invalid("requests", format!("must be from 1 to {PARTS_PER_REQUEST_MAX}")));
        }
        let taken = requests.into_iter().enumerate();
        taken.map(|(index, part)| part.take(&format!("requests[{index}]."))).collect()
    }
}

impl PartBody {
    fn is_empty(&self) -> bool {
        let Self { pool, count, state, labels, targets } = self;
        pool.is_none() && count.is_none() && state.is_none() && labels.is_none() && targets.is_none()
    }

    /// Turns it into a part; `at` goes before the names of fields in problems.
    fn take(self, at: &str) -> Result<Part, Problem> {
        let state =
            body::optional(&format!("{at}state"), self.state, body::state)?.unwrap_or_else(State::free);
        let pool = body::optional(&format!("{at}pool"), self.pool, body::pool)?;
        if let Some(targets) = self.targets {
            if self.labels.is_some() || self.count.is_some() {
                return Err(Problem::invalid(
                    &format!("{at}targets"),
                    "cannot be combined with count or labels",
                ));
            }
            return Ok(Part::Named {
                targets: body::targets(&format!("{at}targets"), targets)?,
                pool,
                state,
            });
        }
        let Some(pool) = pool else {
            return Err(Problem::invalid(&format!("{at}pool"), "either a pool or targets must be named"));
        };
        if self.count == Some(0) {
            return Err(Problem::invalid(&format!("{at}count"), "must be at least 1"));
        }
        let labels = body::labels(&format!("{at}labels"), self.labels.unwrap_or_default())?;
        Ok(Part::Pool { pool, state, labels, count: self.count.unwrap_or(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::key::IDEMPOTENCY_KEY;

    fn ask(body: &str, key: Option<&'static str>) -> Result<Ask, Problem> {
        let body: AcquireBody = serde_json::from_str(body).expect("a body");
        let headers = key.map(|key| (IDEMPOTENCY_KEY, key.parse().expect("a header value")));
        body.ask(&headers.into_iter().collect())
    }

    #[test]
    fn the_same_try_has_the_same_fingerprint_however_it_is_spelled() {
        let key = |body, header| ask(body, header).expect("valid").command.key.expect("a key");
        let first = key(r#"{"owner":"ann","pool":"gpu","ttl":"1m","wait":"9s","request_id":"k"}"#, None);
        let again = key(r#"{"ttl":60000,"owner":"ann","pool":"gpu","wait":1}"#, Some("k"));
        let quoted = key(r#"{"ttl":60000,"owner":"ann","pool":"gpu"}"#, Some("\"k\""));
        let other = key(r#"{"ttl":60001,"owner":"ann","pool":"gpu"}"#, Some("k"));
        assert_eq!(first, again);
        assert_eq!(first, quoted);
        assert_ne!(first.1, other.1);
        assert_eq!(first.0, other.0);
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_the_field() {
        for (body, field) in [
            (r#"{"owner":"","pool":"gpu"}"#, "owner"),
            (r#"{"owner":"ann"}"#, "pool"),
            (r#"{"owner":"ann","pool":""}"#, "pool"),
            (r#"{"owner":"ann","pool":"gpu","count":0}"#, "count"),
            (r#"{"owner":"ann","pool":"gpu","wait":-1}"#, "wait"),
            (r#"{"owner":"ann","pool":"gpu","ttl":0}"#, "ttl"),
            (r#"{"owner":"ann","targets":["a"],"count":2}"#, "targets"),
            (r#"{"owner":"ann","targets":[]}"#, "targets"),
            (r#"{"owner":"ann","targets":["a","a"]}"#, "targets"),
            (r#"{"owner":"ann","targets":["a",""]}"#, "targets[1]"),
            (r#"{"owner":"ann","pool":"gpu","requests":[{"pool":"gpu"}]}"#, "requests"),
            (r#"{"owner":"ann","requests":[]}"#, "requests"),
            (r#"{"owner":"ann","requests":[{"pool":"gpu"},{"count":1}]}"#, "requests[1].pool"),
            (r#"{"owner":"ann","pool":"gpu","request_id":""}"#, "request_id"),
        ] {
            let problem = ask(body, None).expect_err(body);
            assert!(problem.detail().starts_with(&format!("{field}: ")), "{body}: {}", problem.detail());
        }
        let problem =
            ask(r#"{"owner":"ann","pool":"gpu","request_id":"a"}"#, Some("b")).expect_err("two keys");
        assert!(problem.detail().starts_with("request_id: "), "{}", problem.detail());
        assert!(ask(r#"{"owner":"ann","pool":"gpu"}"#, Some("\"open")).is_err());
    }

    #[test]
    fn no_wait_means_no_place_in_line() {
        let queue = |wait: &str| {
            let body = format!(r#"{{"owner":"ann","pool":"gpu"{wait}}}"#);
            ask(&body, None).map(|ask| (ask.command.queue, ask.wait)).expect("valid")
        };
        assert_eq!(queue(""), (false, Duration::ZERO));
        assert_eq!(queue(r#","wait":0"#), (false, Duration::ZERO));
        assert_eq!(queue(r#","wait":"0""#), (false, Duration::ZERO));
        assert_eq!(queue(r#","wait":"30s""#), (true, Duration::from_secs(30)));
        assert_eq!(queue(r#","wait":"9h""#), (true, HOLD_MAX));
    }
}
