//! `/v1/requests`: who waits, and waiting on.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use lessor_filter::Filter as Words;
use lessor_ledger::{
    Command, Dialect, Ledger, Outcome, Owner, Part, PoolName, Refusal, Reply, Request, RequestId, Withdrawal,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::extract::{Path, Query};
use crate::limits::HOLD_MAX;
use crate::problem::Problem;
use crate::sieve::request::{Candidate, KEYS};
use crate::time::{Length, in_query};
use crate::v1::body;
use crate::v1::hold::{self, Answer};
use crate::v1::list::{self, Page};
use crate::v1::view::RequestView;

/// Filter of `GET /v1/requests`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Requests of this owner.
    #[param(min_length = 1, max_length = 512)]
    owner: Option<String>,
    /// Requests for resources of this pool.
    #[param(min_length = 1, max_length = 512)]
    pool: Option<String>,
    /// Settled ones too, as long as they are remembered; with `filter=is:settled` only they.
    settled: Option<bool>,
    /// Only what this filter finds: `pool:gpu owner:ci-* -is:silent`. All words must be true of an item; README, "Filters".
    #[param(max_length = 2048)]
    filter: Option<String>,
    /// Most items in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// Cursor from the page before.
    #[param(min_length = 1, max_length = 512)]
    after: Option<String>,
}

/// Lists requests in the order in which they came.
#[utoipa::path(get, path = "/v1/requests", operation_id = "list_requests", tag = "requests", params(ListQuery), responses(
    (status = 200, description = "Requests", body = Page<RequestView>)
))]
pub(crate) async fn list(
    Extract(app): Extract<App>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<RequestView>>, Problem> {
    let filter = Filter::new(query)?;
    app.look(move |ledger, _| filter.page(ledger)).await.map(Json)
}

/// Which requests are wanted.
struct Filter {
    limit: usize,
    after: Option<RequestId>,
    owner: Option<Owner>,
    pool: Option<PoolName>,
    settled: bool,
    words: Words,
}

impl Filter {
    fn new(query: ListQuery) -> Result<Self, Problem> {
        let words = list::filter(query.filter.as_deref(), &KEYS)?;
        Ok(Self {
            limit: list::limit(query.limit)?,
            after: list::after_request(query.after.as_deref())?,
            owner: body::optional("owner", query.owner, body::owner)?,
            pool: body::optional("pool", query.pool, body::pool)?,
            settled: query.settled == Some(true) || words.only("is") == Some("settled"),
            words,
        })
    }

    fn page(&self, ledger: &Ledger) -> Page<RequestView> {
        let key = |request: &Arc<Request>| request.id.to_string();
        let requests = ledger.requests_after(self.after).cloned();
        let (requests, next) = list::pick(requests, self.limit, key, |request| self.wants(request, ledger));
        let places = ledger.places(&requests);
        Page::of(&requests, next, key, |request| RequestView::of(request, places.get(&request.id)))
    }

    fn wants(&self, request: &Request, ledger: &Ledger) -> bool {
        (request.waits() || self.settled)
            && self.owner.as_ref().is_none_or(|owner| request.owner == *owner)
            && self.pool.as_ref().is_none_or(|pool| request.parts.iter().any(|part| is_of(part, pool)))
            && self.words.matches(&Candidate { request, ledger, viewer: None })
    }
}

fn is_of(part: &Part, wanted: &PoolName) -> bool {
    match part {
        Part::Pool { pool, .. } => pool == wanted,
        Part::Named { pool, .. } => pool.as_ref() == Some(wanted),
    }
}

/// Whether and how long to wait.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ShowQuery {
    /// Waits: answer only when the request is settled, or after this long: `30s`, or milliseconds; at most 5 minutes.
    /// 0 does not wait, but is a sign of life as well.
    #[serde(default, deserialize_with = "in_query")]
    #[param(value_type = Option<String>)]
    wait: Option<Length>,
}

/// Shows a request.
///
/// With `wait` this is the waiter's sign of life: it keeps the place in line, and collects the lease once there is one.
/// Without `wait` it only reads, whoever asks. A lease that was granted while nobody was waiting, and that is not
/// collected within the request TTL (30 s by default), is taken back: end event `uncollected`, request `lapsed`.
#[utoipa::path(get, path = "/v1/requests/{id}", operation_id = "show_request", tag = "requests", params(("id" = u64, Path), ShowQuery), responses(
    (status = 200, description = "The request; `lease` once it is granted", body = RequestView),
    (status = 404, description = "No such request, or it was settled so long ago that it is forgotten"),
))]
pub(crate) async fn show(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
    Query(query): Query<ShowQuery>,
) -> Result<Json<RequestView>, Problem> {
    let id = RequestId(id);
    let patience = query.wait.map(patience).transpose()?;
    let ledger = app.keeper.snapshot();
    let known = ledger.request(id).ok_or(Refusal::NoSuchRequest(id))?;
    match patience {
        // A Boskos waiter keeps its place by polling its own way.
        Some(patience) if known.dialect == Dialect::V1 && ledger.needs_waiter(known) => {
            wait(&app, id, patience).await.map(Json)
        }
        Some(_) | None => Ok(Json(RequestView::of(known, ledger.place(id).as_ref()))),
    }
}

fn patience(wait: Length) -> Result<Duration, Problem> {
    let nanos = wait.0.nanos();
    if nanos < 0 {
        return Err(Problem::invalid("wait", "must not be negative"));
    }
    Ok(Duration::from_nanos(nanos.unsigned_abs()).min(HOLD_MAX))
}

async fn wait(app: &App, id: RequestId, patience: Duration) -> Result<RequestView, Problem> {
    let _permit = if patience.is_zero() { None } else { Some(app.hold()?) };
    let (reply, watch) = app.keeper.submit_and_watch(Command::Poll(id)).await?;
    let answer = match reply {
        Reply::Queued(request, place) if !patience.is_zero() => {
            hold::wait(app, request, place, watch, patience).await?
        }
        reply => hold::answer(app, reply),
    };
    match answer {
        Answer::Waiting(request, place) => Ok(RequestView::of(&request, Some(&place))),
        Answer::Settled(request) => Ok(RequestView::of(&request, None)),
        Answer::Granted(_) | Answer::Over(_) => {
            let ledger = app.keeper.snapshot();
            let request = ledger.request(id).ok_or(Refusal::NoSuchRequest(id))?;
            Ok(RequestView::of(request, None))
        }
    }
}

/// What leaving the line may say.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WithdrawQuery {
    /// Who says so, if it is not who waits; for the event log.
    #[param(min_length = 1, max_length = 512)]
    by: Option<String>,
    /// Why, for the event log and whoever waited.
    #[param(min_length = 1, max_length = 4096)]
    reason: Option<String>,
}

/// Leaves the line. Doing it again is no error, but what was granted meanwhile stays granted.
#[utoipa::path(delete, path = "/v1/requests/{id}", operation_id = "withdraw_request", tag = "requests", params(("id" = u64, Path), WithdrawQuery), responses(
    (status = 204, description = "The request is over"),
    (status = 404, description = "No such request, or it was settled so long ago that it is forgotten"),
    (status = 409, description = "It was granted: release the lease instead"),
))]
pub(crate) async fn withdraw(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
    Query(query): Query<WithdrawQuery>,
) -> Result<StatusCode, Problem> {
    let by = body::optional("by", query.by, body::owner)?;
    let reason = body::optional("reason", query.reason, body::text)?;
    end(&app, Withdrawal { request: RequestId(id), by, reason }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a request out of line.
///
/// # Errors
/// A problem if there is no such request, or it was granted meanwhile.
pub(crate) async fn end(app: &App, withdrawal: Withdrawal) -> Result<(), Problem> {
    let id = withdrawal.request;
    app.submit(Command::Withdraw(withdrawal)).await?;
    match app.keeper.snapshot().request(id).and_then(|request| request.outcome) {
        Some(Outcome::Granted { lease, .. }) => Err(hold::granted(id, lease)),
        _ => Ok(()),
    }
}
