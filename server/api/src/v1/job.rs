//! `/v1/jobs`: targets from a target manager, leased and given back.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Body;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_filter::Filter as Words;
use lessor_jobs::{Goal, Submission, plugin_name};
use lessor_ledger::{Command, Job, JobCommand, JobRecord, Ledger, Owner, PluginName, Refusal, Reply, Time};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::extract::{Json, OptionalJson, Path, Query};
use crate::limits::HOLD_MAX;
use crate::problem::Problem;
use crate::sieve::job::{Candidate, KEYS};
use crate::time::{Length, in_query};
use crate::v1::body;
use crate::v1::key;
use crate::v1::list::{self, Page};
use crate::v1::view::JobView;

/// What to acquire.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StartJob)]
pub(crate) struct StartBody {
    /// The plugin that acquires and releases. Upper and lower case make no difference.
    #[schema(min_length = 1, max_length = 512)]
    target_manager: String,
    /// Who asks.
    #[schema(min_length = 1, max_length = 512)]
    owner: String,
    /// What to acquire: any JSON, for the manager to judge, but numbers beyond 64 bits are rounded. To it, null is not
    /// the same as nothing.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    acquire_parameters: Option<Value>,
    /// What the manager is told when it releases: likewise.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    release_parameters: Option<Value>,
    /// How long acquiring may take; 5 minutes by default, at least a second, at most a day.
    #[serde(default, serialize_with = "key::nanos")]
    acquire_timeout: Option<Length>,
    /// How long the targets are leased without a renewal; 10 minutes by default, at most 30 days, and no longer than the
    /// `max-ttl` of their pools.
    #[serde(default, serialize_with = "key::nanos")]
    lock_duration: Option<Length>,
    /// How long one attempt to release may take; 5 minutes by default, at least a second, at most a day.
    #[serde(default, serialize_with = "key::nanos")]
    release_timeout: Option<Length>,
    /// The client's own name for this job: the same again, and it is the same job. Kept for a day; a job that is
    /// forgotten earlier, because many others were over after it, is answered by 410.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    request_id: Option<String>,
}

/// A value that is there, be it null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// How long to wait for a job to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Answer only when the job is leased or over, or after this long: `30s`, or milliseconds; at most 5 minutes.
    #[serde(default, deserialize_with = "in_query")]
    #[param(value_type = Option<String>)]
    wait: Option<Length>,
}

/// Starts a job: its manager checks the parameters now, and acquires after the answer.
#[utoipa::path(post, path = "/v1/jobs", operation_id = "start_job", tag = "jobs", request_body = StartBody,
    params(WaitQuery, ("Idempotency-Key" = Option<String>, Header, description = "Like `request_id`; may be in quotes")), responses(
    (status = 201, description = "The job: acquiring, unless `wait` was long enough, or how far it is that the key started", body = JobView,
        headers(("Location" = String, description = "The job"))),
    (status = 404, description = "No such target manager"),
    (status = 409, description = "The target manager takes no calls now: why"),
    (status = 410, description = "The key started a job that is over and forgotten"),
    (status = 413, description = "The parameters are too large"),
    (status = 422, description = "The target manager does not take the parameters: everything that is wrong; or the key was used for another body"),
    (status = 429, description = "A limit of the server is reached"),
    (status = 502, description = "The target manager broke while it checked the parameters"),
))]
pub(crate) async fn start(
    Extract(app): Extract<App>,
    Query(query): Query<WaitQuery>,
    headers: HeaderMap,
    Json(mut body): Json<StartBody>,
) -> Result<Response, Problem> {
    let patience = patience(query.wait)?;
    let key = key::take(body.request_id.take(), &headers)?.map(|key| (key, key::fingerprint(&body)));
    let submission = Submission {
        owner: body::owner("owner", body.owner)?,
        manager: body.target_manager,
        acquire_parameters: body.acquire_parameters,
        release_parameters: body.release_parameters,
        acquire_timeout: body.acquire_timeout.map(|length| length.0),
        lock_duration: body.lock_duration.map(|length| length.0),
        release_timeout: body.release_timeout.map(|length| length.0),
        key,
    };
    let job = app.jobs.submit(submission).await?;
    let location = format!("/v1/jobs/{}", job.id.0);
    let job = settled(&app, job.id, Goal::Settled, patience).await?.unwrap_or(job);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], shown(&app, &job)).into_response())
}

/// Filter of `GET /v1/jobs`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Jobs of this owner.
    #[param(min_length = 1, max_length = 512)]
    owner: Option<String>,
    /// Jobs of this target manager.
    #[param(min_length = 1, max_length = 512)]
    target_manager: Option<String>,
    /// Jobs that are over, as long as they are remembered, instead of live ones; so does `filter=is:over`.
    over: Option<bool>,
    /// Only what this filter finds: `manager:csv phase:stuck owner:ci-*`. All words must be true of an item; README, "Filters".
    #[param(max_length = 2048)]
    filter: Option<String>,
    /// Most items in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// Cursor from the page before.
    #[param(min_length = 1, max_length = 512)]
    after: Option<String>,
}

/// Lists jobs by number, without their parameters and with the names of their first few targets; `GET /v1/jobs/{id}` has
/// everything.
#[utoipa::path(get, path = "/v1/jobs", operation_id = "list_jobs", tag = "jobs", params(ListQuery), responses(
    (status = 200, description = "Jobs", body = Page<JobView>)
))]
pub(crate) async fn list(
    Extract(app): Extract<App>,
    Query(query): Query<ListQuery>,
) -> Result<Body<Page<JobView>>, Problem> {
    let filter = Filter::new(query)?;
    app.look(move |ledger, now| filter.page(ledger, now)).await.map(Body)
}

/// Which jobs are wanted.
struct Filter {
    limit: usize,
    after: Option<Job>,
    owner: Option<Owner>,
    manager: Option<PluginName>,
    over: bool,
    words: Words,
}

impl Filter {
    fn new(query: ListQuery) -> Result<Self, Problem> {
        let manager = query.target_manager.as_deref().map(plugin_name).transpose();
        let words = list::filter(query.filter.as_deref(), &KEYS)?;
        Ok(Self {
            limit: list::limit(query.limit)?,
            after: list::after_number(query.after.as_deref())?.map(Job),
            owner: body::optional("owner", query.owner, body::owner)?,
            manager: manager.map_err(|error| Problem::invalid("target_manager", error))?,
            over: query.over == Some(true) || words.only("is") == Some("over"),
            words,
        })
    }

    fn page(&self, ledger: &Ledger, now: Time) -> Page<JobView> {
        let key = |job: &&Arc<JobRecord>| job.id.0.to_string();
        let view = |job: &&Arc<JobRecord>| JobView::row(job, ledger, now);
        list::page(ledger.jobs_after(self.after), self.limit, key, |job| self.wants(job), view)
    }

    fn wants(&self, job: &JobRecord) -> bool {
        job.live() != self.over
            && self.owner.as_ref().is_none_or(|owner| job.owner == *owner)
            && self.manager.as_ref().is_none_or(|manager| job.manager == *manager)
            && self.words.matches(&Candidate { job, viewer: None })
    }
}

/// Shows a job, and may wait for it to go on.
#[utoipa::path(get, path = "/v1/jobs/{id}", operation_id = "show_job", tag = "jobs", params(("id" = u64, Path), WaitQuery), responses(
    (status = 200, description = "The job", body = JobView),
    (status = 404, description = "No such job, or it was over so long ago that it is forgotten"),
))]
pub(crate) async fn show(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
    Query(query): Query<WaitQuery>,
) -> Result<Body<JobView>, Problem> {
    let patience = patience(query.wait)?;
    let job = settled(&app, Job(id), Goal::Settled, patience).await?;
    job.map(|job| shown(&app, &job)).ok_or_else(|| Refusal::NoSuchJob(Job(id)).into())
}

/// What an end may say.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EndQuery {
    /// If given, must be the job's owner.
    #[param(min_length = 1, max_length = 512)]
    owner: Option<String>,
    /// Why, for the event log.
    #[param(max_length = 4096)]
    reason: Option<String>,
    /// Answer only when the job is over, or after this long: `30s`, or milliseconds; at most 5 minutes.
    #[serde(default, deserialize_with = "in_query")]
    #[param(value_type = Option<String>)]
    wait: Option<Length>,
}

/// Ends a job: its manager releases what is leased, and what is being acquired is cancelled. A stuck release is tried
/// again at once. Doing it again is no error.
#[utoipa::path(delete, path = "/v1/jobs/{id}", operation_id = "end_job", tag = "jobs", params(("id" = u64, Path), EndQuery), responses(
    (status = 200, description = "The job: releasing, unless it held nothing or `wait` was long enough", body = JobView),
    (status = 404, description = "No such job, or it was over so long ago that it is forgotten"),
    (status = 409, description = "Not the owner: who is"),
))]
pub(crate) async fn end(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
    Query(query): Query<EndQuery>,
) -> Result<Body<JobView>, Problem> {
    let patience = patience(query.wait)?;
    let command = JobCommand::End {
        job: Job(id),
        owner: body::optional("owner", query.owner, body::owner)?,
        reason: body::optional("reason", query.reason, body::text)?,
    };
    let job = submit(&app, command).await?;
    let job = settled(&app, job.id, Goal::Over, patience).await?.unwrap_or(job);
    Ok(shown(&app, &job))
}

/// What a renewal may say.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RenewJob)]
pub(crate) struct RenewBody {
    /// If given, must be the job's owner.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    owner: Option<String>,
    /// How long from now on, for this and later renewals; what it was by default.
    #[serde(default)]
    lock_duration: Option<Length>,
}

/// Leases the targets of a job anew.
#[utoipa::path(post, path = "/v1/jobs/{id}/renew", operation_id = "renew_job", tag = "jobs", params(("id" = u64, Path)),
    request_body = Option<RenewBody>,
    responses(
        (status = 200, description = "The job with its new deadline", body = JobView),
        (status = 404, description = "No such job, or it was over so long ago that it is forgotten"),
        (status = 409, description = "The job is not leased, or not the owner's: who is"),
    )
)]
pub(crate) async fn renew(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
    OptionalJson(body): OptionalJson<RenewBody>,
) -> Result<Body<JobView>, Problem> {
    let command = JobCommand::Renew {
        job: Job(id),
        owner: body::optional("owner", body.owner, body::owner)?,
        lock_duration: body.lock_duration.map(|length| length.0),
    };
    let job = submit(&app, command).await?;
    Ok(shown(&app, &job))
}

/// Why a job is ended without its manager.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ForceJob)]
pub(crate) struct ForceBody {
    /// Why, for the event log.
    #[schema(min_length = 1, max_length = 4096)]
    reason: String,
    /// Who says so.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    by: Option<String>,
}

/// Frees everything that a job holds without asking its manager any more. A job that is over stays as it is.
#[utoipa::path(post, path = "/v1/jobs/{id}/force", operation_id = "force_job", tag = "jobs", params(("id" = u64, Path)), request_body = ForceBody, responses(
    (status = 200, description = "How the job ended", body = JobView),
    (status = 404, description = "No such job, or it was over so long ago that it is forgotten"),
))]
pub(crate) async fn force(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
    Json(body): Json<ForceBody>,
) -> Result<Body<JobView>, Problem> {
    if body.reason.trim().is_empty() {
        return Err(Problem::invalid("reason", "must not be empty"));
    }
    let command = JobCommand::Force {
        job: Job(id),
        reason: body::text("reason", body.reason)?,
        by: body::optional("by", body.by, body::owner)?,
    };
    let job = submit(&app, command).await?;
    Ok(shown(&app, &job))
}

async fn submit(app: &App, command: JobCommand) -> Result<Arc<JobRecord>, Problem> {
    match app.submit(Command::Job(command)).await? {
        Reply::Job(job) => Ok(job),
        _ => unreachable!("the ledger answers a job's command with nothing else"),
    }
}

fn shown(app: &App, job: &JobRecord) -> Body<JobView> {
    Body(JobView::of(job, &app.keeper.snapshot(), app.keeper.now()))
}

fn patience(wait: Option<Length>) -> Result<Duration, Problem> {
    let nanos = wait.map_or(0, |wait| wait.0.nanos());
    if nanos < 0 {
        return Err(Problem::invalid("wait", "must not be negative"));
    }
    Ok(Duration::from_nanos(nanos.unsigned_abs()).min(HOLD_MAX))
}

/// The job, once it has reached `goal`, the time is over, or the server goes down; none if there is no such job.
async fn settled(
    app: &App,
    id: Job,
    goal: Goal,
    patience: Duration,
) -> Result<Option<Arc<JobRecord>>, Problem> {
    if patience.is_zero() {
        return Ok(app.keeper.snapshot().job(id).cloned());
    }
    let _permit = app.hold()?;
    tokio::select! {
        job = app.jobs.wait(id, goal, patience) => Ok(job),
        () = app.shutdown.cancelled() => Ok(app.keeper.snapshot().job(id).cloned()),
    }
}
