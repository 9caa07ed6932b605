//! Asking for a lease; what `acquire` and `run` share.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::clock::Moment;
use super::failure::Failure;
use super::held::{Held, release};
use super::limits::{RELEASE_RETRY_MAX, WAIT_DEFAULT};
use super::line::Line;
use super::output::Output;
use super::signals::Signals;
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
    /// One more pool in the same lease: POOL:COUNT,KEY=VALUE,... (only POOL is needed); may be repeated
    #[arg(long, value_name = "PART", conflicts_with = "targets")]
    and: Vec<Part>,
    /// State that the resources must be in
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// State that they get while they are leased
    #[arg(long, value_name = "STATE")]
    to_state: Option<String>,
    /// How long the lease lasts without a renewal, e.g. 60s; the pool's default-ttl if not given, or 10m
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
    /// Who asks; the context's owner, or user@host, if not given (`run` adds the process ID)
    #[arg(long, env = "LESSOR_OWNER", value_name = "NAME")]
    owner: Option<String>,
}

impl Ask {
    /// Who asks.
    pub(crate) fn owner(&self, client: &Client, default: fn() -> String) -> String {
        client.owner(self.owner.as_deref(), default)
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
            let parts = first.chain(self.and.iter().cloned()).map(|part| part.body(self.state.as_deref()));
            set("requests", Some(parts.collect()));
        }
        set("state", self.state.as_ref().filter(|_| self.and.is_empty()).map(|state| json!(state)));
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
        let mut line = Line::new(client, output, self.body(owner), self.budget());
        let failure = tokio::select! {
            result = line.wait() => match result {
                Ok(held) => return Ok(held),
                Err(failure) => failure,
            },
            signal = signals.end() => Failure::Signal(signal),
        };
        let left = tokio::select! {
            left = line.leave() => left,
            // Whoever asks twice means it; the line forgets us by itself.
            _ = signals.end() => None,
        };
        match (left, failure) {
            (None, failure) => Err(failure),
            // It came just in time.
            (Some(held), Failure::WaitTimedOut(_)) => Ok(held),
            (Some(held), failure) => {
                release(client, output, &held, Moment::now().plus(RELEASE_RETRY_MAX)).await;
                Err(failure)
            }
        }
    }
}
