//! Waiting in line for a lease.
//!
//! The first request gets in line under a key of our own, so that it can be sent again without taking two; from then
//! on we ask how it stands until it is our turn. A server that is away is tried again, and one that forgot us is asked
//! anew, as long as the time to wait is not over.

use std::time::Duration;

use serde_json::Value;

use super::client::{Backoff, Client};
use super::clock::{Moment, random};
use super::failure::Failure;
use super::held::{Held, granted};
use super::limits::{LONG_POLL, RELEASE_RETRY_MAX};
use super::output::{Output, cell, millis};
use super::requests::waits_for;
use super::text::clean;
use super::value;

/// Our place in line, and what was last said about it.
pub(crate) struct Line<'a> {
    client: &'a Client,
    output: &'a Output,
    /// What to ask for.
    body: Value,
    budget: Duration,
    until: Moment,
    key: String,
    /// Our request, once the server has told us.
    request: Option<u64>,
    /// Whether the server may know of us although it did not tell.
    perhaps: bool,
    shown: String,
}

/// How one try to get the lease went.
enum Step {
    /// It is ours.
    Held(Held),
    /// In line.
    Queued,
    /// The server has nothing more under our key, for this reason.
    Forgotten(String),
}

fn key() -> String {
    format!("{:016x}{:016x}", random(), random())
}

impl<'a> Line<'a> {
    /// Not in line yet. `budget` begins now.
    pub(crate) fn new(client: &'a Client, output: &'a Output, body: Value, budget: Duration) -> Self {
        let until = Moment::now().plus(budget);
        let (key, shown) = (key(), String::new());
        Self { client, output, body, budget, until, key, request: None, perhaps: false, shown }
    }

    /// Waits until the lease is there or the time is over.
    ///
    /// # Errors
    /// [`Failure::WaitTimedOut`], or what the server says.
    ///
    /// # Cancel safety
    /// May be dropped; [`leave`](Self::leave) then cleans up.
    pub(crate) async fn wait(&mut self) -> Result<Held, Failure> {
        let mut backoff = Backoff::new();
        loop {
            let step = match self.request {
                None => self.ask().await,
                Some(request) => self.poll(request).await,
            };
            match step {
                Ok(Step::Held(held)) => return Ok(held),
                Ok(Step::Queued) if self.until.left().is_zero() => return Err(self.timed_out()),
                Ok(Step::Queued) => backoff = Backoff::new(),
                Ok(Step::Forgotten(why)) => {
                    self.show(&format!("{why}, asking again"));
                    (self.key, self.request, self.perhaps) = (key(), None, false);
                    if !backoff.pause(self.until).await {
                        return Err(self.timed_out());
                    }
                }
                Err(failure) if failure.is_transient() => {
                    self.show(&format!("{}, trying again", failure.with_causes()));
                    if !backoff.pause(self.until).await {
                        return Err(if self.request.is_some() { self.timed_out() } else { failure });
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Gets out of line. Gives the lease if it came in the meantime.
    pub(crate) async fn leave(&mut self) -> Option<Held> {
        let until = Moment::now().plus(RELEASE_RETRY_MAX);
        let mut backoff = Backoff::new();
        while self.request.is_some() || self.perhaps {
            match self.try_leave().await {
                Err(failure) if failure.is_transient() && backoff.pause(until).await => {}
                Ok(held) => return held,
                // What is left of us lapses by itself.
                Err(_) => return None,
            }
        }
        None
    }

    async fn try_leave(&mut self) -> Result<Option<Held>, Failure> {
        // Without an ID the answer to the first request was lost, or it is on its way: asking again under the same key
        // tells where we are and cannot make it two.
        if self.request.is_none()
            && let Step::Held(held) = self.ask().await?
        {
            return Ok(Some(held));
        }
        let Some(id) = self.request else { return Ok(None) };
        let id = id.to_string();
        self.client.delete(&["v1", "requests", &id])?.send().await?;
        let request = self.client.get(&["v1", "requests", &id])?.send().await?.body;
        granted(self.client, &request).await
    }

    /// Asks for the lease, or for what became of our asking.
    async fn ask(&mut self) -> Result<Step, Failure> {
        let before = self.perhaps;
        self.perhaps = true;
        let sent = Moment::now();
        let call =
            self.client.post(&["v1", "leases"])?.header("idempotency-key", format!("\"{}\"", self.key));
        match call.json(&self.body).send().await {
            Ok(answer) if answer.status == 202 => {
                let id = answer.body.get("id").and_then(Value::as_u64);
                self.request = Some(id.ok_or_else(|| self.client.garbled("a request without id"))?);
                self.position(&answer.body);
                Ok(Step::Queued)
            }
            Ok(answer) => Held::read(self.client, answer.body, sent).map(Step::Held),
            Err(Failure::Problem(problem)) if problem.status == 410 => {
                Ok(Step::Forgotten(problem.to_string()))
            }
            Err(failure) => {
                if failure.never_sent() {
                    self.perhaps = before;
                }
                Err(failure
                    .held_by_others("wait for it with --wait 10m, or see who holds it: lessor leases list"))
            }
        }
    }

    /// Asks whether it is our turn, for up to [`LONG_POLL`].
    async fn poll(&mut self, request: u64) -> Result<Step, Failure> {
        let wait = self.until.left().min(LONG_POLL);
        let call =
            self.client.get(&["v1", "requests", &request.to_string()])?.query("wait", &value::query(wait));
        let body = match call.waiting(wait).send().await {
            Ok(answer) => answer.body,
            Err(Failure::Problem(problem)) if matches!(problem.status, 404 | 410) => {
                return Ok(Step::Forgotten(problem.to_string()));
            }
            Err(failure) => return Err(failure),
        };
        if let Some(held) = granted(self.client, &body).await? {
            return Ok(Step::Held(held));
        }
        match cell(&body, "status").as_str() {
            "waiting" => {
                self.position(&body);
                Ok(Step::Queued)
            }
            "lapsed" => Ok(Step::Forgotten(format!("request {request} lapsed"))),
            other => Err(Failure::WaitTimedOut(format!("request {request} was {}", clean(other)))),
        }
    }

    fn timed_out(&self) -> Failure {
        let budget = millis(i64::try_from(self.budget.as_millis()).unwrap_or(i64::MAX));
        Failure::WaitTimedOut(format!("nothing became free within {budget}"))
    }

    /// Tells the place in line, if it changed.
    fn position(&mut self, request: &Value) {
        let Some(position) = request.get("position").and_then(Value::as_u64) else {
            return self.show("waiting");
        };
        let why = waits_for(request);
        let why = if why.is_empty() { why } else { format!(" for {why}") };
        self.show(&format!("position {position} in line{why} (request {})", cell(request, "id")));
    }

    fn show(&mut self, text: &str) {
        if self.shown != text {
            self.output.note(text);
            text.clone_into(&mut self.shown);
        }
    }
}
