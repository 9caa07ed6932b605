//! Asking for a lease and waiting for it; what `acquire` and `run` share.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Backoff, Client};
use super::clock::{Moment, random};
use super::failure::Failure;
use super::limits::{LONG_POLL, RELEASE_RETRY_MAX, RETRY_MAX, WAIT_DEFAULT};
use super::output::{Output, cell, millis};
use super::requests::waits_for;
use super::signals::Signals;
use super::text::clean;
use super::value::{self, Part};

/// What to ask for.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "What to lease")]
pub(crate) struct Ask {
    /// Pool to lease from
    #[arg(short, long, value_name = "POOL", required_unless_present_any = ["targets", "and"])]
    pool: Option<String>,
    /// How many resources of the pool, all at once
    #[arg(short = 'n', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "targets")]
    count: u32,
    /// Label that each of them must carry; may be repeated
    #[arg(short = 'l', long = "label", value_name = "KEY=VALUE", value_parser = value::pair, requires = "pool", conflicts_with = "targets")]
    labels: Vec<(String, String)>,
    /// Exactly this target, registered or not; may be repeated
    #[arg(short = 't', long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// One more pool in the same lease: POOL[:COUNT][,KEY=VALUE]...; may be repeated
    #[arg(long, value_name = "PART", conflicts_with = "targets")]
    and: Vec<Part>,
    /// State that the resources must be in
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// State that they get while they are leased
    #[arg(long, value_name = "STATE")]
    to_state: Option<String>,
    /// How long the lease lasts without a renewal, e.g. 60s; the pool's default if not given
    #[arg(long, value_name = "TIME", value_parser = value::positive_duration)]
    pub(crate) ttl: Option<Duration>,
    /// How long to wait in line, e.g. 30m; 1h if not given
    #[arg(long, value_name = "TIME", value_parser = value::duration, conflicts_with = "no_wait")]
    wait: Option<Duration>,
    /// Fail at once if nothing is free
    #[arg(long)]
    no_wait: bool,
    /// Wait even for what can never be met as things are
    #[arg(long, conflicts_with = "no_wait")]
    wait_anyway: bool,
    /// Higher goes first
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// What it is for, shown to everybody who waits for it
    #[arg(long, alias = "reason", value_name = "TEXT")]
    purpose: Option<String>,
    /// Who asks; user@host if not given (`run` adds the process ID)
    #[arg(long, env = "LESSOR_OWNER", value_name = "NAME")]
    owner: Option<String>,
}

/// A lease as this client needs it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Its ID.
    pub(crate) id: u64,
    /// The TTL that a renewal gives; `None` for a lease without deadline.
    pub(crate) ttl: Option<Duration>,
    /// Until when it certainly is alive; `None` for ever.
    pub(crate) until: Option<Moment>,
    /// The lease as the server gave it.
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
        let number = |key: &str| body.get(key).and_then(Value::as_u64);
        let id = number("id").ok_or_else(|| client.garbled("a lease without id"))?;
        let ttl = number("ttl_ms").map(Duration::from_millis);
        let left = number("remaining_ms").map(Duration::from_millis);
        Ok(Self { id, ttl, until: left.map(|left| sent.plus(left)), body })
    }

    /// Names of what it holds.
    pub(crate) fn targets(&self) -> Vec<String> {
        let targets = self.body.get("targets").and_then(Value::as_array);
        targets.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let left = self.body.get("ttl_ms").and_then(Value::as_i64);
        let left = left.map_or_else(|| "without end".to_owned(), |ms| format!("for {}", millis(ms)));
        format!("leased {} {left} (lease {})", clean(&self.targets().join(", ")), self.id)
    }
}

/// How one try to get a lease went.
enum Step {
    Held(Held),
    /// In line under this request ID.
    Queued(u64),
}

impl Ask {
    /// Who asks.
    pub(crate) fn owner(&self, default: fn() -> String) -> String {
        self.owner.clone().unwrap_or_else(default)
    }

    fn budget(&self) -> Duration {
        if self.no_wait { Duration::ZERO } else { self.wait.unwrap_or(WAIT_DEFAULT) }
    }

    fn body(&self, owner: &str) -> Value {
        let mut body = json!({ "owner": owner });
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                body[key] = value;
            }
        };
        if self.and.is_empty() {
            set("pool", self.pool.as_ref().map(|pool| json!(pool)));
            set("count", (self.targets.is_empty() && self.count > 1).then(|| json!(self.count)));
            set("labels", (!self.labels.is_empty()).then(|| value::object(&self.labels)));
            set("targets", (!self.targets.is_empty()).then(|| json!(self.targets)));
        } else {
            let first = self.pool.iter().map(|pool| Part {
                pool: pool.clone(),
                count: self.count,
                labels: self.labels.clone(),
            });
            set("requests", Some(first.chain(self.and.iter().cloned()).map(|part| part.body()).collect()));
        }
        set("state", self.state.as_ref().map(|state| json!(state)));
        set("to_state", self.to_state.as_ref().map(|state| json!(state)));
        set("ttl", self.ttl.map(|ttl| json!(value::millis(ttl))));
        // The shortest wait there is: it puts us in line and gives the position at once.
        set("wait", (!self.budget().is_zero()).then(|| json!(1)));
        set("wait_anyway", self.wait_anyway.then_some(Value::Bool(true)));
        set("priority", (self.priority != 0).then(|| json!(self.priority)));
        set("purpose", self.purpose.as_ref().map(|purpose| json!(purpose)));
        body
    }

    /// Gets the lease, waiting for it as long as asked, and shows the place in line as a note.
    ///
    /// Whatever ends the waiting also leaves the line; a lease that came at that very moment is given back.
    ///
    /// # Errors
    /// [`Failure::WaitTimedOut`], [`Failure::Signal`] if a signal asks us to end, or what the server says.
    pub(crate) async fn get(
        &self,
        client: &Client,
        output: &Output,
        signals: &mut Signals,
        owner: &str,
    ) -> Result<Held, Failure> {
        let until = Moment::now().plus(self.budget());
        let mut line =
            Line { key: format!("{:016x}{:016x}", random(), random()), request: None, shown: String::new() };
        let result = tokio::select! {
            result = self.wait_in_line(client, output, owner, until, &mut line) => result,
            signal = signals.end() => Err(Failure::Signal(signal)),
        };
        match result {
            Err(failure @ Failure::Signal(_)) => {
                tokio::select! {
                    _ = self.leave(client, output, owner, &line, false) => {}
                    // Whoever asks twice means it; the line forgets us by itself.
                    _ = signals.end() => {}
                }
                Err(failure)
            }
            Err(failure @ Failure::WaitTimedOut(_)) => {
                self.leave(client, output, owner, &line, true).await.ok_or(failure)
            }
            other => other,
        }
    }

    async fn wait_in_line(
        &self,
        client: &Client,
        output: &Output,
        owner: &str,
        until: Moment,
        line: &mut Line,
    ) -> Result<Held, Failure> {
        let mut backoff = Backoff::new();
        loop {
            let step = match line.request {
                None => self.ask(client, output, owner, line).await,
                Some(request) => poll(client, output, request, until, line).await,
            };
            match step {
                Ok(Step::Held(held)) => return Ok(held),
                Ok(Step::Queued(request)) => {
                    line.request = Some(request);
                    backoff = Backoff::new();
                    if until.left().is_zero() {
                        return Err(timed_out(self.budget()));
                    }
                }
                Err(failure) if failure.is_transient() => {
                    line.show(output, &format!("{}, trying again", failure.with_causes()));
                    if !backoff.pause(until).await {
                        return Err(if line.request.is_some() { timed_out(self.budget()) } else { failure });
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn ask(
        &self,
        client: &Client,
        output: &Output,
        owner: &str,
        line: &mut Line,
    ) -> Result<Step, Failure> {
        let sent = Moment::now();
        let call = client.post(&["v1", "leases"])?.header("idempotency-key", format!("\"{}\"", line.key));
        let answer = call.json(&self.body(owner)).send().await.map_err(Failure::held_by_others)?;
        if answer.status == 202 {
            let id = answer.body.get("id").and_then(Value::as_u64);
            let id = id.ok_or_else(|| client.garbled("a request without id"))?;
            line.position(output, &answer.body);
            return Ok(Step::Queued(id));
        }
        Held::read(client, answer.body, sent).map(Step::Held)
    }

    /// Gets out of line. If the lease came in the meantime, gives it to the caller (`keep`) or back to the server.
    async fn leave(
        &self,
        client: &Client,
        output: &Output,
        owner: &str,
        line: &Line,
        keep: bool,
    ) -> Option<Held> {
        let until = Moment::now().plus(RELEASE_RETRY_MAX);
        let mut backoff = Backoff::new();
        let mut request = line.request;
        loop {
            let left = async {
                // Without an ID the answer to the first request was lost or is on its way: ask again under the same
                // key, which tells where we are and cannot make it two.
                let id = match request {
                    Some(id) => id,
                    None => match self.ask(client, output, owner, &mut Line::quiet(&line.key)).await? {
                        Step::Held(held) => return Ok(Some(held)),
                        Step::Queued(id) => *request.insert(id),
                    },
                };
                client.delete(&["v1", "requests", &id.to_string()])?.send().await?;
                let request = client.get(&["v1", "requests", &id.to_string()])?.send().await?.body;
                granted(client, &request).await
            };
            match left.await {
                Ok(Some(held)) if keep => return Some(held),
                Ok(Some(held)) => {
                    release(client, output, &held, until).await;
                    return None;
                }
                Err(failure) if failure.is_transient() && backoff.pause(until).await => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

/// Asks whether it is our turn, for up to [`LONG_POLL`].
async fn poll(
    client: &Client,
    output: &Output,
    request: u64,
    until: Moment,
    line: &mut Line,
) -> Result<Step, Failure> {
    let wait = until.left().min(LONG_POLL);
    let call = client.get(&["v1", "requests", &request.to_string()])?.query("wait", &value::query(wait));
    let body = call.waiting(wait).send().await?.body;
    if let Some(held) = granted(client, &body).await? {
        return Ok(Step::Held(held));
    }
    match outcome(&body) {
        "waiting" => {
            line.position(output, &body);
            Ok(Step::Queued(request))
        }
        other => Err(Failure::WaitTimedOut(format!("request {request} was {}", clean(other)))),
    }
}

/// What became of a request.
fn outcome(body: &Value) -> &str {
    body.get("status").and_then(Value::as_str).unwrap_or("waiting")
}

/// The lease of a request that was granted. That may have been a while before the answer, so what is left of the lease
/// is read afresh.
async fn granted(client: &Client, request: &Value) -> Result<Option<Held>, Failure> {
    let Some(id) = request.get("lease").and_then(Value::as_u64) else { return Ok(None) };
    let sent = Moment::now();
    let body = client.get(&["v1", "leases", &id.to_string()])?.send().await?.body;
    if body.get("ended_at").is_some_and(|at| !at.is_null()) {
        return Err(Failure::LeaseLost(format!("lease {id} came and ended before it could be used")));
    }
    Held::read(client, body, sent).map(Some)
}

fn timed_out(budget: Duration) -> Failure {
    let budget = millis(i64::try_from(budget.as_millis()).unwrap_or(i64::MAX));
    Failure::WaitTimedOut(format!("nothing became free within {budget}"))
}

/// Gives a lease back, trying again until `until` if the server does not answer. Says so if that fails, because then
/// only the TTL frees it.
pub(crate) async fn release(client: &Client, output: &Output, held: &Held, until: Moment) {
    let mut backoff = Backoff::new();
    loop {
        let sent = async {
            client.delete(&["v1", "leases", &held.id.to_string()])?.within(until.left()).send().await
        };
        let Err(failure) = sent.await else { return };
        match &failure {
            // It is over already, which is all that was wanted.
            Failure::Problem(problem) if matches!(problem.status, 404 | 410) => return,
            _ if failure.is_transient() && backoff.pause(until).await => {}
            _ => {
                output.warn(&format!(
                    "warning: lease {} could not be released and ends by itself: {}",
                    held.id,
                    failure.with_causes()
                ));
                return;
            }
        }
    }
}

/// Tries once to give back a lease that is probably over.
pub(crate) async fn release_once(client: &Client, held: &Held) {
    if let Ok(call) = client.delete(&["v1", "leases", &held.id.to_string()]) {
        // Whatever the answer is, the lease is over or ends by itself.
        let _ = call.within(RETRY_MAX).send().await;
    }
}

/// Our place in line, and what was last said about it.
struct Line {
    key: String,
    request: Option<u64>,
    shown: String,
}

impl Line {
    fn quiet(key: &str) -> Self {
        Self { key: key.to_owned(), request: None, shown: String::new() }
    }

    /// Tells the place in line, if it changed.
    fn position(&mut self, output: &Output, request: &Value) {
        let Some(position) = request.get("position").and_then(Value::as_u64) else {
            return self.show(output, "waiting");
        };
        let why = waits_for(request);
        let why = if why.is_empty() { why } else { format!(" for {why}") };
        self.show(output, &format!("position {position} in line{why} (request {})", cell(request, "id")));
    }

    fn show(&mut self, output: &Output, text: &str) {
        if self.shown != text {
            output.note(text);
            text.clone_into(&mut self.shown);
        }
    }
}
