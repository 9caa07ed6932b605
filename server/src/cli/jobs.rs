//! `lessor job`: targets from a target manager.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::clock::Moment;
use super::context::given;
use super::failure::Failure;
use super::held::{Held, release_once};
use super::output::{Kind, Output, cell, cell_millis, cell_time, column, optional};
use super::signals::Signals;
use super::which::Which;
use super::{value, whoami};

/// How jobs are shown.
pub(crate) const KIND: Kind = Kind {
    name: "id",
    columns: &[
        column("ID", |job| cell(job, "id")),
        column("OWNER", |job| cell(job, "owner")),
        column("MANAGER", |job| cell(job, "target_manager")),
        column("PHASE", |job| cell(job, "phase")),
        column("TARGETS", targets),
        column("LEFT", |job| cell_millis(job, "remaining_ms")),
        optional("STARTED", |job| cell_time(job, "started_at")),
        optional("WHY", |job| {
            let words = if job["failure"].is_null() { "reason" } else { "failure" };
            cell(job, words)
        }),
    ],
};

/// The names of a job's targets.
fn targets(job: &Value) -> String {
    let shown = job["targets"].as_array().into_iter().flatten();
    let mut names: Vec<_> = shown.filter_map(|target| target["id"].as_str().map(str::to_owned)).collect();
    let more = job["target_count"].as_u64().unwrap_or_default().saturating_sub(names.len() as u64);
    names.extend((more > 0).then(|| format!("and {more} more")));
    names.join(",")
}

/// What a job is started with.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Order {
    /// What to acquire, as JSON for the manager; `@FILE` reads it from a file
    #[arg(long, value_name = "JSON", value_parser = value::json, help_heading = "What a target manager is told")]
    pub(crate) params: Option<Value>,
    /// What the manager is told when it releases, as JSON; `@FILE` reads it from a file
    #[arg(long, value_name = "JSON", value_parser = value::json, default_value = "{}", help_heading = "What a target manager is told")]
    pub(crate) release_params: Value,
    /// How long acquiring may take, at least 1s [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = value::positive_duration, help_heading = "What a target manager is told")]
    pub(crate) acquire_timeout: Option<Duration>,
    /// How long one attempt to release may take, at least 1s [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = value::positive_duration, help_heading = "What a target manager is told")]
    pub(crate) release_timeout: Option<Duration>,
}

impl Order {
    /// The body of the request that starts the job.
    pub(crate) fn body(&self, manager: &str, owner: &str, lock_duration: Option<Duration>) -> Value {
        let mut body = json!({
            "target_manager": manager,
            "owner": owner,
            "release_parameters": self.release_params,
        });
        if let Some(params) = &self.params {
            body["acquire_parameters"] = params.clone();
        }
        let times = [
            ("acquire_timeout", self.acquire_timeout),
            ("lock_duration", lock_duration),
            ("release_timeout", self.release_timeout),
        ];
        for (key, time) in times {
            if let Some(time) = time {
                body[key] = json!(value::millis(time));
            }
        }
        body
    }
}

/// Starts, shows, renews and ends jobs
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Jobs {
    /// Starts a job and waits until its targets are leased
    #[command(after_help = "\
Examples:
  lessor job start csv --params '{\"FileURI\":\"hosts.csv\",\"MinNumberDevices\":1,\"MaxNumberDevices\":2}'
  lessor job start target-list --params @targets.json --lock-duration 30m --no-wait -o name

A job that is not renewed within its lock duration is released.")]
    Start {
        /// Name of the target manager
        #[arg(value_name = "MANAGER")]
        manager: String,
        #[command(flatten)]
        order: Order,
        /// How long the targets are leased without a renewal [default: 10m]
        #[arg(long, value_name = "TIME", value_parser = value::positive_duration)]
        lock_duration: Option<Duration>,
        /// Give the job as soon as it is started
        #[arg(long)]
        no_wait: bool,
        /// Who asks; user@host if not given
        #[arg(long, env = "LESSOR_OWNER", value_name = "NAME")]
        owner: Option<String>,
    },
    /// Lists jobs that are not over
    #[command(
        visible_alias = "ls",
        after_help = "\
Examples:
  lessor job list
  lessor job list --manager csv -o name
  lessor job list --over"
    )]
    List {
        /// Only of this owner
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        /// Only of this target manager
        #[arg(short, long, value_name = "NAME")]
        manager: Option<String>,
        /// Those that are over, of the last day
        #[arg(long)]
        over: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Shows one job
    #[command(after_help = "Example:\n  lessor job show 17 -o json")]
    Show {
        /// Its number
        id: u64,
    },
    /// Leases the targets of jobs anew
    #[command(after_help = "\
Examples:
  lessor job renew 17
  lessor job renew 17 --lock-duration 30m")]
    Renew {
        /// Their numbers
        #[arg(required = true, value_name = "ID")]
        ids: Vec<u64>,
        /// How long from now on, also for later renewals
        #[arg(long, value_name = "TIME", value_parser = value::positive_duration)]
        lock_duration: Option<Duration>,
        /// Must be its owner
        #[arg(long, env = "LESSOR_OWNER", value_name = "NAME")]
        owner: Option<String>,
    },
    /// Gives jobs back: their managers release the targets; a stuck release is tried again at once
    #[command(
        visible_alias = "cancel",
        after_help = "\
Examples:
  lessor job end 17
  lessor job end 17 --wait 5m --reason 'tests are through'"
    )]
    End {
        /// Their numbers
        #[arg(required = true, value_name = "ID")]
        ids: Vec<u64>,
        /// How long to wait until each is over
        #[arg(long, value_name = "TIME", value_parser = value::duration)]
        wait: Option<Duration>,
        /// Why, for the event log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Must be its owner
        #[arg(long, env = "LESSOR_OWNER", value_name = "NAME")]
        owner: Option<String>,
    },
    /// Frees what a job holds without asking its manager any more
    #[command(after_help = "Example:\n  lessor job force 17 --reason 'the power switch is gone'")]
    Force {
        /// Its number
        id: u64,
        /// Why, for the event log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

impl Jobs {
    /// Does it.
    ///
    /// # Errors
    /// What the server says; of `start`, that the job was not acquired.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Start { manager, order, lock_duration, no_wait, owner } => {
                let owner = client.owner(owner.as_deref(), whoami::person);
                let body = order.body(manager, &owner, *lock_duration);
                // From here on: a signal that comes before the answer would leave a job that nobody renews.
                let signals = if *no_wait { None } else { Some(Signals::new()?) };
                let sent = Moment::now();
                let mut job = client.post(&["v1", "jobs"])?.json(&body).send().await?.body;
                if let Some(signals) = signals {
                    job = acquired(client, Held::job(client, job, sent)?, signals).await?;
                }
                output.details(KIND, &job)?;
                not_failed(&job)
            }
            Self::List { owner, manager, over, which } => {
                let over = over.then_some("true");
                let named =
                    [("owner", owner.as_deref()), ("target_manager", manager.as_deref()), ("over", over)];
                which.show(client, output, (KIND, "jobs"), &named).await
            }
            Self::Show { id } => {
                let job = client.get(&["v1", "jobs", &id.to_string()])?.send().await?.body;
                output.details(KIND, &job)
            }
            Self::Renew { ids, lock_duration, owner } => {
                for id in ids {
                    let mut body = json!({});
                    if let Some(time) = lock_duration {
                        body["lock_duration"] = json!(value::millis(*time));
                    }
                    if let Some(owner) = given(owner.as_deref()) {
                        body["owner"] = json!(owner);
                    }
                    let job = client.post(&["v1", "jobs", &id.to_string(), "renew"])?.json(&body).send();
                    output.item(KIND, &job.await?.body)?;
                }
                Ok(())
            }
            Self::End { ids, wait, reason, owner } => {
                for id in ids {
                    let job = end(client, *id, *wait, reason.as_deref(), given(owner.as_deref())).await?;
                    output.item(KIND, &job)?;
                    if wait.is_some_and(|wait| !wait.is_zero()) {
                        is_over(&job)?;
                    }
                }
                Ok(())
            }
            Self::Force { id, reason } => {
                let body = json!({ "reason": reason, "by": client.owner(None, whoami::person) });
                let call = client.post(&["v1", "jobs", &id.to_string(), "force"])?.json(&body);
                output.details(KIND, &call.send().await?.body)
            }
        }
    }
}

/// Looks at a job again when it has gone on, or after a while.
pub(crate) async fn waited(client: &Client, id: &str) -> Result<Value, Failure> {
    let wait = super::limits::LONG_POLL;
    let call = client.get(&["v1", "jobs", id])?.query("wait", &value::query(wait)).waiting(wait);
    Ok(call.send().await?.body)
}

/// Waits until a job is acquired or over. A signal ends the job with the waiting: nobody would renew it.
async fn acquired(client: &Client, started: Held, mut signals: Signals) -> Result<Value, Failure> {
    let settled = async {
        let mut job = started.body.clone();
        while job["phase"] == "acquiring" {
            job = waited(client, &cell(&job, "id")).await?;
        }
        Ok(job)
    };
    let signal = tokio::select! {
        settled = settled => return settled,
        signal = signals.end() => signal,
    };
    release_once(client, &started).await;
    Err(Failure::Signal(signal))
}

/// Says what a job is at that was to be over by now.
fn is_over(job: &Value) -> Result<(), Failure> {
    let (id, phase) = (cell(job, "id"), cell(job, "phase"));
    match phase.as_str() {
        "stuck" => Err(Failure::WaitTimedOut(format!("job {id} is stuck: {}", cell(job, "failure")))),
        "acquiring" | "leased" | "releasing" => {
            Err(Failure::WaitTimedOut(format!("job {id} is still {phase}")))
        }
        _ => Ok(()),
    }
}

async fn end(
    client: &Client,
    id: u64,
    wait: Option<Duration>,
    reason: Option<&str>,
    owner: Option<&str>,
) -> Result<Value, Failure> {
    let call = client.delete(&["v1", "jobs", &id.to_string()])?;
    let call = call.query_opt("reason", reason).query_opt("owner", owner);
    let wait = wait.unwrap_or_default();
    let text = (!wait.is_zero()).then(|| value::query(wait));
    Ok(call.query_opt("wait", text.as_deref()).waiting(wait).send().await?.body)
}

/// Says why a job has no targets, if it is over.
pub(crate) fn not_failed(job: &Value) -> Result<(), Failure> {
    match job["phase"].as_str() {
        Some("failed" | "cancelled") => Err(Failure::Negative(format!(
            "job {} is {}: {}",
            cell(job, "id"),
            cell(job, "phase"),
            if job["reason"].is_null() { cell(job, "cause") } else { cell(job, "reason") }
        ))),
        _ => Ok(()),
    }
}
