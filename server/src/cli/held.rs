//! A lease, or a job, that this client holds.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::client::{Backoff, Client};
use super::clock::Moment;
use super::failure::Failure;
use super::limits::{JOB_RELEASE_WATCHED, RETRY_MAX, TARGETS_NAMED};
use super::output::{Output, millis};
use super::text::clean;
use super::value;

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A lease.
    Lease,
    /// A job of a target manager.
    Job,
}

impl What {
    /// Where it is in the API.
    pub(crate) fn place(self) -> &'static str {
        match self {
            Self::Lease => "leases",
            Self::Job => "jobs",
        }
    }

    /// Its name for people.
    /// The command that shows one.
    pub(crate) fn show(self) -> &'static str {
        match self {
            Self::Lease => "leases show",
            Self::Job => "job show",
        }
    }

    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Job => "job",
        }
    }
}

/// A lease or job as this client needs it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// What it is.
    pub(crate) what: What,
    /// Its ID.
    pub(crate) id: u64,
    /// The TTL that a renewal gives; `None` for a lease without deadline.
    pub(crate) ttl: Option<Duration>,
    /// Until when it certainly is alive; `None` for ever.
    pub(crate) until: Option<Moment>,
    /// The lease or job as the server gave it.
    pub(crate) body: Value,
}

impl Held {
    /// Reads a lease out of an answer to a request sent at `sent`.
    ///
    /// The server measured what remains after `sent`, so counting from `sent` errs on the safe side.
    ///
    /// # Errors
    /// [`Failure::Garbled`] if it is no lease.
    pub(crate) fn read(client: &Client, body: Value, sent: Moment) -> Result<Self, Failure> {
        Self::of(What::Lease, "ttl_ms", client, body, sent)
    }

    /// Reads a job out of an answer, likewise. One that is not leased has no end.
    ///
    /// # Errors
    /// [`Failure::Garbled`] if it is no job.
    pub(crate) fn job(client: &Client, body: Value, sent: Moment) -> Result<Self, Failure> {
        Self::of(What::Job, "lock_duration_ms", client, body, sent)
    }

    /// As [`read`](Self::read) or [`job`](Self::job).
    pub(crate) fn read_as(what: What, client: &Client, body: Value, sent: Moment) -> Result<Self, Failure> {
        match what {
            What::Lease => Self::read(client, body, sent),
            What::Job => Self::job(client, body, sent),
        }
    }

    fn of(what: What, term: &str, client: &Client, body: Value, sent: Moment) -> Result<Self, Failure> {
        let number = |key: &str| body.get(key).and_then(Value::as_u64);
        let id = number("id").ok_or_else(|| client.garbled(format!("a {} without id", what.noun())))?;
        let ttl = number(term).map(Duration::from_millis);
        let left = number("remaining_ms").map(Duration::from_millis);
        Ok(Self { what, id, ttl, until: left.map(|left| sent.plus(left)), body })
    }

    /// Names of what it holds.
    pub(crate) fn targets(&self) -> Vec<String> {
        let targets = self.body.get("targets").and_then(Value::as_array).into_iter().flatten();
        let name = |target: &Value| target.as_str().or_else(|| target["id"].as_str()).map(str::to_owned);
        targets.filter_map(name).collect()
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let left = self.ttl.and_then(|ttl| i64::try_from(ttl.as_millis()).ok());
        let left = left.map_or_else(|| "without end".to_owned(), |ms| format!("for {}", millis(ms)));
        let all = self.targets();
        let (shown, rest) = all.split_at(all.len().min(TARGETS_NAMED));
        let mut targets = shown.join(", ");
        if !rest.is_empty() {
            write!(targets, " and {} more", rest.len()).expect("a string takes everything");
        }
        format!("leased {} {left} ({} {})", clean(&targets), self.what.noun(), self.id)
    }
}

/// The lease of a request that was granted. That may have been a while before the answer, so what is left of the lease
/// is read afresh.
pub(crate) async fn granted(client: &Client, request: &Value) -> Result<Option<Held>, Failure> {
    let Some(id) = request.get("lease").and_then(Value::as_u64) else { return Ok(None) };
    let sent = Moment::now();
    let body = client.get(&["v1", "leases", &id.to_string()])?.send().await?.body;
    if body.get("ended_at").is_some_and(|at| !at.is_null()) {
        return Err(Failure::LeaseLost(format!("lease {id} came and ended before it could be used")));
    }
    Held::read(client, body, sent).map(Some)
}

/// Gives a lease back, trying again until `until` if the server does not answer. Says so if that fails, because then
/// only the TTL frees it; and if the manager of a job does not release it, because then its targets stay locked.
pub(crate) async fn release(client: &Client, output: &Output, held: &Held, until: Moment) {
    let mut backoff = Backoff::new();
    loop {
        let sent = async {
            let call = client.delete(&["v1", held.what.place(), &held.id.to_string()])?;
            let wait = match held.what {
                What::Lease => return call.within(until.left()).send().await,
                What::Job => JOB_RELEASE_WATCHED,
            };
            call.query("wait", &value::query(wait)).waiting(wait).within(until.left() + wait).send().await
        };
        let failure = match sent.await {
            Ok(answer) => return tell_if_kept(output, held, &answer.body),
            Err(failure) => failure,
        };
        match &failure {
            // It is over already, which is all that was wanted.
            Failure::Problem(problem) if matches!(problem.status, 404 | 410) => return,
            _ if failure.is_transient() && backoff.pause(until).await => {}
            _ => {
                output.warn(&format!(
                    "warning: {} {} could not be released and ends by itself: {}",
                    held.what.noun(),
                    held.id,
                    failure.with_causes()
                ));
                return;
            }
        }
    }
}

/// Says so if the manager of a job did not release it, or not yet.
fn tell_if_kept(output: &Output, held: &Held, job: &Value) {
    let id = held.id;
    match job["phase"].as_str() {
        Some("stuck") => output.warn(&format!(
            "warning: job {id} could not be released: {}; its targets stay locked until that succeeds (`lessor job end {id}` \
             tries again, `lessor job force {id}` gives up)",
            clean(job["failure"].as_str().unwrap_or("no reason is known")),
        )),
        Some("releasing") => output.warn(&format!("job {id} is still being released")),
        _ => {}
    }
}

/// Tries once to give back a lease that is probably over.
pub(crate) async fn release_once(client: &Client, held: &Held) {
    if let Ok(call) = client.delete(&["v1", held.what.place(), &held.id.to_string()]) {
        // Whatever the answer is, the lease is over or ends by itself.
        let _ = call.within(RETRY_MAX).send().await;
    }
}
