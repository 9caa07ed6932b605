//! Jobs: looking at them, and doing something with one.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use lessor_ledger::{
    Command, Job, JobCommand, JobRecord, JobTarget, Ledger, Owner, Phase, Refusal, Span, Time,
};
use lessor_web::{Frame, Sort, Text, link, page};

use crate::extract::{Path, Query};
use crate::limits::{JOB_TARGETS_SHOWN, ROW_TARGETS_MAX};
use crate::pages::form::{self, Form};
use crate::pages::listing::{Kind, ListQuery, Listing, Paged};
use crate::pages::row;
use crate::pages::visitor::{Visitor, done, see};
use crate::problem::Problem;
use crate::sieve::job::{Candidate, PAGE_KEYS};
use crate::v1::body;
use crate::v1::view::end_cause;

const LIST: Kind = Kind {
    path: "/jobs",
    what: "jobs",
    keys: &PAGE_KEYS,
    sorts: &[
        Sort { key: "id", words: "oldest first", column: "Job" },
        Sort { key: "-id", words: "newest first", column: "Job" },
        Sort { key: "owner", words: "who", column: "Who" },
        Sort { key: "manager", words: "target manager", column: "Target manager" },
    ],
    example: "owner:ann phase:leased",
};

/// `GET /jobs`.
pub(crate) async fn list(visitor: Visitor, Query(query): Query<ListQuery>) -> Response {
    let listing = Listing::new(&LIST, query);
    let frame = visitor.frame("Jobs", "/jobs", "jobs");
    let page = make(&visitor, listing, frame).await;
    visitor.answer(page)
}

async fn make(visitor: &Visitor, listing: Listing, frame: Frame) -> Result<Response, Problem> {
    let looker = visitor.clone();
    let rows = move |listing: &mut Listing, ledger: &Ledger, now| {
        let jobs = listing.finish(paged(listing, ledger, &looker)?, None);
        Ok(jobs.into_iter().map(|job| row::job(job, now, &looker, listing.names())).collect())
    };
    listing.show_now(visitor, rows, |list, rows| page::Jobs { frame, list, rows }).await
}

fn paged<'l>(
    listing: &Listing,
    ledger: &'l Ledger,
    visitor: &Visitor,
) -> Result<Paged<&'l Arc<JobRecord>>, Problem> {
    let name = |job: &&Arc<JobRecord>| job.id.0;
    let wanted =
        |job: &&Arc<JobRecord>| listing.filter.matches(&Candidate { job, viewer: visitor.owner.as_ref() });
    match listing.list.sort {
        "owner" => listing.sorted(ledger.jobs_after(None), name, |job| job.owner.clone(), wanted),
        "manager" => listing.sorted(ledger.jobs_after(None), name, |job| job.manager.clone(), wanted),
        "-id" => listing.sorted(ledger.jobs_after(None), name, |job| job.id.0, wanted),
        _ => {
            let after = listing.cursor::<u64>()?.map(Job);
            Ok(listing.plain(ledger.jobs_after(after), name, wanted))
        }
    }
}

/// `GET /jobs/{id}`.
pub(crate) async fn show(visitor: Visitor, Path(id): Path<u64>) -> Response {
    let page = detail(&visitor, Job(id), &Form::default(), None);
    visitor.answer(page)
}

fn detail(visitor: &Visitor, id: Job, typed: &Form, problem: Option<&Problem>) -> Result<Response, Problem> {
    let (ledger, now) = (visitor.app.keeper.snapshot(), visitor.app.keeper.now());
    let job = ledger.job(id).ok_or(Refusal::NoSuchJob(id))?;
    let page = page::JobDetail {
        frame: visitor.frame_at(link::job(id.0), format!("Job {id}", id = id.0), "/jobs", "jobs"),
        job: row::job(job, now, visitor, ROW_TARGETS_MAX),
        ending: matches!(job.phase, Phase::Releasing { .. }),
        stuck: matches!(job.phase, Phase::Stuck { .. }),
        targets: job.targets.iter().take(JOB_TARGETS_SHOWN).map(target).collect(),
        more: job.targets.len().saturating_sub(JOB_TARGETS_SHOWN),
        renewed: job.renewed_at.map(|at| row::ago(at, now)),
        lock_duration: words(job.lock_duration),
        facts: facts(job, &ledger, now),
        typed_duration: typed.typed("lock_duration").into(),
        reason: typed.typed("reason").into(),
        error: problem.map(form::error),
    };
    Ok(visitor.page_with(problem.map_or(StatusCode::OK, |problem| problem.kind().status()), &page))
}

/// A target and how to reach it, as its manager said.
fn target(target: &JobTarget) -> (Text, Vec<Text>) {
    let facts = &target.facts;
    let addresses = [&facts.fqdn, &facts.ipv4, &facts.ipv6];
    let addresses = addresses.into_iter().flatten().map(|address| Text::from(&**address));
    (target.id.as_str().into(), addresses.collect())
}

fn words(span: Span) -> String {
    lessor_web::length(span.millis() / 1000)
}

fn facts(job: &JobRecord, ledger: &Ledger, now: Time) -> Vec<(&'static str, Text)> {
    let given = |text: &lessor_ledger::Text| match &**text {
        "" => Text::from("nothing"),
        text => Text::from(text),
    };
    let mut facts = vec![
        ("Asked for", given(&job.acquire_parameters)),
        ("Told when it releases", given(&job.release_parameters)),
        ("Acquiring may take", words(job.acquire_timeout).into()),
        ("A renewal leases for", words(job.lock_duration).into()),
        ("One attempt to release may take", words(job.release_timeout).into()),
    ];
    let locks = job.targets.iter().filter(|target| {
        let lock = ledger.holder(target.id.as_str(), now);
        lock.is_some_and(|lock| lock.owner == job.holder())
    });
    facts.push(("Targets that it holds now", locks.count().to_string().into()));
    if let Some(ending) = &job.ending {
        facts.push(("Why it ends", end_cause(ending.cause).into()));
        facts.extend(ending.reason.as_ref().map(|reason| ("In words", Text::from(&**reason))));
    }
    facts.extend(job.failure.as_ref().map(|failure| ("Its manager said last", Text::from(&**failure))));
    facts
}

/// Whoever does something must have said who they are, so that nobody ends what is another's by mistake.
fn me(visitor: &Visitor, id: Job) -> Result<Owner, Box<Response>> {
    let ask = || Box::new(see(&link::with("/me", &[("back", link::job(id.0).as_str())])));
    visitor.owner.clone().ok_or_else(ask)
}

async fn outcome(
    visitor: &Visitor,
    id: Job,
    form: &Form,
    command: Result<JobCommand, Problem>,
    what: &'static str,
) -> Response {
    let submitted = match command {
        Ok(command) => visitor.app.submit(Command::Job(command)).await,
        Err(problem) => Err(problem),
    };
    match submitted {
        Ok(_) => {
            // A renewal is no event.
            visitor.app.pulse.touch();
            done(&link::job(id.0), what)
        }
        Err(problem) => {
            let page = detail(visitor, id, form, Some(&problem));
            visitor.answer(page)
        }
    }
}

/// `POST /jobs/{id}/renew`.
pub(crate) async fn renew(visitor: Visitor, Path(id): Path<u64>, form: Form) -> Response {
    let id = Job(id);
    let owner = match me(&visitor, id) {
        Ok(owner) => owner,
        Err(elsewhere) => return *elsewhere,
    };
    let length = form.filled("lock_duration").map(|text| form::length("lock_duration", &text));
    let command = length.transpose().map(|length| JobCommand::Renew {
        job: id,
        owner: Some(owner),
        lock_duration: length,
    });
    outcome(&visitor, id, &form, command, "renewed").await
}

/// `POST /jobs/{id}/end`.
pub(crate) async fn end(visitor: Visitor, Path(id): Path<u64>, form: Form) -> Response {
    let id = Job(id);
    let owner = match me(&visitor, id) {
        Ok(owner) => owner,
        Err(elsewhere) => return *elsewhere,
    };
    let command = Ok(JobCommand::End { job: id, owner: Some(owner), reason: None });
    outcome(&visitor, id, &form, command, "ended").await
}

/// `POST /jobs/{id}/force`.
pub(crate) async fn force(visitor: Visitor, Path(id): Path<u64>, form: Form) -> Response {
    let id = Job(id);
    let by = match me(&visitor, id) {
        Ok(by) => by,
        Err(elsewhere) => return *elsewhere,
    };
    let command = force_command(by, id, &form);
    outcome(&visitor, id, &form, command, "freed").await
}

fn force_command(by: Owner, job: Job, form: &Form) -> Result<JobCommand, Problem> {
    let reason = form.filled("reason").ok_or_else(|| Problem::invalid("reason", "must be said"))?;
    Ok(JobCommand::Force { job, reason: body::text("reason", reason)?, by: Some(by) })
}
