//! `/v1/leases`: looking at leases, renewing them and giving them back.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use lessor_filter::Filter as Words;
use lessor_ledger::{Command, Lease, LeaseId, Ledger, Owner, Refusal, Reply, Target, Time};
use lessor_store::{LeaseFilter, ReadError, Reader};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::extract::{OptionalJson, Path, Query};
use crate::limits::PAGE_ROWS_MAX;
use crate::problem::Problem;
use crate::sieve::lease::{self as sieve, Candidate, KEYS};
use crate::time::Length;
use crate::v1::body;
use crate::v1::list::{self, Page};
use crate::v1::view::LeaseView;

/// Filter of `GET /v1/leases`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Leases of this owner.
    #[param(min_length = 1, max_length = 512)]
    owner: Option<String>,
    /// Leases that have this target; of those that are over the ones that had it.
    #[param(min_length = 1, max_length = 512)]
    target: Option<String>,
    /// Ended leases, newest last, instead of active ones; so does `filter=is:ended`.
    ended: Option<bool>,
    /// Only what this filter finds: `owner:ci-* pool:gpu text`. All words must be true of an item; README, "Filters".
    #[param(max_length = 2048)]
    filter: Option<String>,
    /// Most items in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// Cursor from the page before.
    #[param(min_length = 1, max_length = 512)]
    after: Option<String>,
}

/// Lists leases by ID.
#[utoipa::path(get, path = "/v1/leases", operation_id = "list_leases", tag = "leases", params(ListQuery), responses(
    (status = 200, description = "Leases", body = Page<LeaseView>)
))]
pub(crate) async fn list(
    Extract(app): Extract<App>,
    Query(query): Query<ListQuery>,
) -> Result<Body<Page<LeaseView>>, Problem> {
    let filter = Filter::new(query)?;
    if !filter.ended {
        return app.look(move |ledger, now| filter.active(ledger, now)).await.map(Body);
    }
    app.browse(move |ledger, _, reader| filter.ended(reader, ledger)).await.map(Body)
}

/// Which leases are wanted.
struct Filter {
    limit: usize,
    after: Option<LeaseId>,
    owner: Option<Owner>,
    target: Option<Target>,
    ended: bool,
    words: Words,
}

impl Filter {
    fn new(query: ListQuery) -> Result<Self, Problem> {
        let words = list::filter(query.filter.as_deref(), &KEYS)?;
        Ok(Self {
            limit: list::limit(query.limit)?,
            after: list::after_lease(query.after.as_deref())?,
            owner: body::optional("owner", query.owner, body::owner)?,
            target: body::optional("target", query.target, body::target)?,
            ended: query.ended == Some(true) || sieve::is_about_ended(&words),
            words,
        })
    }

    fn active(&self, ledger: &Ledger, now: Time) -> Page<LeaseView> {
        let key = |lease: &&Arc<Lease>| lease.id.to_string();
        let wanted = |lease: &&Arc<Lease>| {
            self.target.as_ref().is_none_or(|target| lease.targets.contains(target))
                && self.words.matches(&Candidate { lease, ledger, viewer: None })
        };
        let view = |lease: &&Arc<Lease>| LeaseView::current(lease, ledger, now);
        match (&self.owner, &self.target) {
            (None, Some(target)) => {
                let holder = ledger.lock(target.as_str()).and_then(|lock| ledger.lease(lock.lease));
                let holder = holder.filter(|lease| self.after.is_none_or(|after| lease.id > after));
                list::page(holder.into_iter(), self.limit, key, wanted, view)
            }
            (Some(owner), _) => {
                list::page(ledger.leases_of(owner, self.after), self.limit, key, wanted, view)
            }
            (None, None) => list::page(ledger.leases_after(self.after), self.limit, key, wanted, view),
        }
    }

    fn ended(self, reader: &Reader, ledger: &Ledger) -> Result<Page<LeaseView>, ReadError> {
        let Self { limit, after, owner, target, words, .. } = self;
        let wanted = LeaseFilter { after, owner, target, ..LeaseFilter::default() };
        let found = sieve::ended(reader, ledger, &words, None, wanted, (limit, PAGE_ROWS_MAX))?;
        let next = found.next.map(|next| next.to_string());
        Ok(Page::of(&found.rows, next, |lease| lease.id.to_string(), LeaseView::record))
    }
}

/// Shows a lease, held or ended.
#[utoipa::path(get, path = "/v1/leases/{id}", operation_id = "show_lease", tag = "leases", params(("id" = u64, Path)), responses(
    (status = 200, description = "The lease", body = LeaseView),
    (status = 404, description = "No such lease, or it ended so long ago that it is forgotten"),
))]
pub(crate) async fn show(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
) -> Result<Body<LeaseView>, Problem> {
    let id = LeaseId(id);
    if let Some(grant) = app.keeper.snapshot().grant(id) {
        return Ok(Body(LeaseView::held(&grant, app.keeper.now())));
    }
    let lease = app.read(move |reader| reader.lease(id)).await?;
    lease.map(|lease| Body(LeaseView::record(&lease))).ok_or_else(|| Refusal::NoSuchLease(id).into())
}

/// What a renewal may say.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Renew)]
pub(crate) struct RenewBody {
    /// If given, must be the lease's owner.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    owner: Option<String>,
    /// A new TTL, from now on; by default the one that it has, or the longest that its pools allow now.
    #[serde(default)]
    ttl: Option<Length>,
}

/// Moves the deadline on.
#[utoipa::path(post, path = "/v1/leases/{id}/renew", operation_id = "renew_lease", tag = "leases", params(("id" = u64, Path)),
    request_body = Option<RenewBody>,
    responses(
        (status = 200, description = "The lease with its new deadline", body = LeaseView),
        (status = 404, description = "No lease ever had this ID"),
        (status = 409, description = "Not the owner: who is"),
        (status = 410, description = "The lease is over"),
    )
)]
pub(crate) async fn renew(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
    OptionalJson(body): OptionalJson<RenewBody>,
) -> Result<Body<LeaseView>, Problem> {
    let owner = body::optional("owner", body.owner, body::owner)?;
    let ttl = body.ttl.map(|ttl| ttl.0);
    let reply = app.submit(Command::Renew { lease: LeaseId(id), owner, ttl }).await?;
    Ok(shown(&app, &reply))
}

/// What a release may say.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Release)]
pub(crate) struct ReleaseBody {
    /// Which targets; all by default.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 10000)]
    targets: Option<Vec<String>>,
    /// If given, must be the lease's owner.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    owner: Option<String>,
    /// State that the resources get; what the pool says by default.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    to_state: Option<String>,
}

/// Gives back all of a lease, or some of its targets.
#[utoipa::path(post, path = "/v1/leases/{id}/release", operation_id = "release_lease", tag = "leases", params(("id" = u64, Path)),
    request_body = Option<ReleaseBody>,
    responses(
        (status = 200, description = "What is left of the lease, or how it ended", body = LeaseView),
        (status = 404, description = "No lease ever had this ID"),
        (status = 409, description = "Not the owner, or not a target of the lease"),
        (status = 410, description = "The lease is over"),
    )
)]
pub(crate) async fn release(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
    OptionalJson(body): OptionalJson<ReleaseBody>,
) -> Result<Body<LeaseView>, Problem> {
    let command = Command::Release {
        lease: LeaseId(id),
        owner: body::optional("owner", body.owner, body::owner)?,
        targets: body.targets.map(|targets| body::targets("targets", targets)).transpose()?,
        to_state: body::optional("to_state", body.to_state, body::state)?,
    };
    let reply = app.submit(command).await?;
    Ok(shown(&app, &reply))
}

/// What a deletion may say.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteQuery {
    /// If given, must be the lease's owner.
    #[param(min_length = 1, max_length = 512)]
    owner: Option<String>,
    /// State that the resources get; what the pool says by default.
    #[param(min_length = 1, max_length = 512)]
    to_state: Option<String>,
}

/// Gives back all of a lease. Doing it again is no error.
#[utoipa::path(delete, path = "/v1/leases/{id}", operation_id = "delete_lease", tag = "leases", params(("id" = u64, Path), DeleteQuery), responses(
    (status = 204, description = "The lease is over, now or since before"),
    (status = 404, description = "No lease ever had this ID"),
    (status = 409, description = "Not the owner: who is"),
))]
pub(crate) async fn delete(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode, Problem> {
    let owner = body::optional("owner", query.owner, body::owner)?;
    let to_state = body::optional("to_state", query.to_state, body::state)?;
    match app.keeper.submit(Command::Release { lease: LeaseId(id), owner, targets: None, to_state }).await {
        Ok(_) | Err(lessor_keeper::Error::Refused(Refusal::LeaseEnded(_))) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}

/// The lease in a reply.
pub(crate) fn shown(app: &App, reply: &Reply) -> Body<LeaseView> {
    let now = app.keeper.now();
    match reply {
        Reply::Granted(grant) => Body(LeaseView::held(grant, now)),
        Reply::Released(lease) => Body(LeaseView::current(lease, &app.keeper.snapshot(), now)),
        _ => unreachable!("the ledger answers a renewal or release with nothing else"),
    }
}
