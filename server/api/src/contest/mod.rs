//! The `ConTest` locker: lock, try-lock, unlock and refresh targets of any name for a job.
//!
//! The rules (all or nothing, re-basing, lapsed locks stay with their owner) are the ledger's. Here a body becomes a
//! command and a reply becomes `{"locked": [...]}`. Problems are those of `/v1`.

use axum::Router;
use axum::extract::State as Extract;
use axum::routing::post;
use lessor_ledger::limits::TARGETS_PER_CALL_MAX;
use lessor_ledger::{Command, ContestLock, Job, Reply, Span, Target};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::extract::Json;
use crate::problem::{Kind, Problem, ProblemView};
use crate::time::Length;

/// The four operations. `GET /v1/locks` belongs to `/v1`.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/locks/lock", post(lock))
        .route("/v1/locks/try-lock", post(try_lock))
        .route("/v1/locks/unlock", post(unlock))
        .route("/v1/locks/refresh", post(refresh))
}

/// What to lock or refresh, for whom, for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub(crate) struct LockBody {
    /// The job; 0 stands for no job and is refused.
    #[schema(minimum = 1, example = 17)]
    job: u64,
    /// Target IDs, registered or not; repetitions collapse. `null` or none at all is a call that does nothing.
    #[serde(default)]
    #[schema(max_items = 10000, example = json!(["001", "002"]))]
    targets: Option<Vec<String>>,
    /// How long from now. Zero and negative are legal: such a lock is open to others at once.
    duration: Length,
}

/// What to lock as far as possible.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryLockBody {
    /// The job; 0 stands for no job and is refused.
    #[schema(minimum = 1, example = 17)]
    job: u64,
    /// Target IDs, in the order of preference. `null` or none at all is a call that does nothing.
    #[serde(default)]
    #[schema(max_items = 10000, example = json!(["001", "002"]))]
    targets: Option<Vec<String>>,
    /// How long from now.
    duration: Length,
    /// Lock at most this many; never a minimum.
    #[schema(example = 10)]
    limit: u64,
}

/// What to unlock.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnlockBody {
    /// The job; 0 stands for no job and is refused.
    #[schema(minimum = 1, example = 17)]
    job: u64,
    /// Target IDs; repetitions collapse. `null` or none at all is a call that does nothing.
    #[serde(default)]
    #[schema(max_items = 10000, example = json!(["001", "002"]))]
    targets: Option<Vec<String>>,
    /// Not looked at.
    #[serde(default)]
    duration: Option<Length>,
}

/// What the call was about and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LockedView {
    /// The targets that were locked, unlocked or refreshed, in the order asked for.
    #[schema(example = json!(["001", "002"]))]
    locked: Vec<String>,
}

/// Locks all of the targets, or none.
///
/// A target that the job holds already gets the new deadline, be it later or earlier. Never waits.
#[utoipa::path(
    post, path = "/v1/locks/lock", tag = "locks", request_body = LockBody,
    responses(
        (status = 200, description = "All are locked", body = LockedView),
        (status = 409, description = "At least one is locked by another job: all of these, with their holders", body = ProblemView, content_type = "application/problem+json"),
        (status = "4XX", description = "Not a valid request", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The server takes no writes now", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn lock(
    Extract(app): Extract<App>,
    Json(body): Json<LockBody>,
) -> Result<axum::Json<LockedView>, Problem> {
    submit(&app, Command::ContestLock(contest_lock(body.job, body.targets, body.duration.0)?)).await
}

/// Locks as many of the targets as possible, in their order, up to a limit.
///
/// Targets that the job holds already count, and get the new deadline. An empty answer is no error.
#[utoipa::path(
    post, path = "/v1/locks/try-lock", tag = "locks", request_body = TryLockBody,
    responses(
        (status = 200, description = "These are locked, in the order asked for", body = LockedView),
        (status = "4XX", description = "Not a valid request", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The server takes no writes now", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn try_lock(
    Extract(app): Extract<App>,
    Json(body): Json<TryLockBody>,
) -> Result<axum::Json<LockedView>, Problem> {
    let lock = contest_lock(body.job, body.targets, body.duration.0)?;
    submit(&app, Command::ContestTryLock { lock, limit: body.limit }).await
}

/// Unlocks all of the targets, or none.
///
/// Every one must be locked by the job; an expired lock that nobody took over still is.
#[utoipa::path(
    post, path = "/v1/locks/unlock", tag = "locks", request_body = UnlockBody,
    responses(
        (status = 200, description = "All are unlocked", body = LockedView),
        (status = 409, description = "At least one is not locked by the job: all of these, with their holders", body = ProblemView, content_type = "application/problem+json"),
        (status = "4XX", description = "Not a valid request", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The server takes no writes now", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn unlock(
    Extract(app): Extract<App>,
    Json(body): Json<UnlockBody>,
) -> Result<axum::Json<LockedView>, Problem> {
    let duration = body.duration.map_or(Span::ZERO, |length| length.0);
    submit(&app, Command::ContestUnlock(contest_lock(body.job, body.targets, duration)?)).await
}

/// Gives all of the job's locks on the targets a new deadline, or none.
///
/// Never locks anything anew: a target that was never locked, or that another job took over, is a conflict.
#[utoipa::path(
    post, path = "/v1/locks/refresh", tag = "locks", request_body = LockBody,
    responses(
        (status = 200, description = "All have the new deadline", body = LockedView),
        (status = 409, description = "At least one is not locked by the job: all of these, with their holders", body = ProblemView, content_type = "application/problem+json"),
        (status = "4XX", description = "Not a valid request", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The server takes no writes now", body = ProblemView, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn refresh(
    Extract(app): Extract<App>,
    Json(body): Json<LockBody>,
) -> Result<axum::Json<LockedView>, Problem> {
    submit(&app, Command::ContestRefresh(contest_lock(body.job, body.targets, body.duration.0)?)).await
}

async fn submit(app: &App, command: Command) -> Result<axum::Json<LockedView>, Problem> {
    match app.submit(command).await? {
        Reply::Locked(targets) => {
            Ok(axum::Json(LockedView { locked: targets.iter().map(ToString::to_string).collect() }))
        }
        _ => Err(Problem::new(Kind::Internal, "the ledger's reply does not fit the command")),
    }
}

/// An empty ID refuses the whole call, which is the ledger's to say: it comes after job 0.
fn contest_lock(job: u64, targets: Option<Vec<String>>, duration: Span) -> Result<ContestLock, Problem> {
    let targets = targets.unwrap_or_default();
    if targets.len() > TARGETS_PER_CALL_MAX {
        let why = format!("{} given, at most {TARGETS_PER_CALL_MAX} are allowed in one call", targets.len());
        return Err(Problem::invalid("targets", why));
    }
    let targets = targets.into_iter().map(|id| (!id.is_empty()).then(|| Target::new(id)).transpose());
    let targets =
        targets.collect::<Result<Vec<_>, _>>().map_err(|error| Problem::invalid("targets", error))?;
    Ok(ContestLock { job: Job(job), duration, targets })
}
