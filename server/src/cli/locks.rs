//! `lessor lock`: the ConTest locker.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::failure::Failure;
use super::output::{Format, Kind, Output, cell, cell_time, column, optional};
use super::which::Which;
use super::{text, value};

const KIND: Kind = Kind {
    name: "target",
    columns: &[
        column("TARGET", |lock| cell(lock, "target")),
        column("OWNER", |lock| cell(lock, "owner")),
        column("LIVE", |lock| cell(lock, "live")),
        column("DEADLINE", |lock| cell_time(lock, "deadline")),
        optional("LEASE", |lock| cell(lock, "lease")),
        optional("JOB", |lock| cell(lock, "job")),
    ],
};

/// Locks targets for a job, in the manner of `ConTest`
#[derive(Clone, Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  lessor lock lock --job 17 --duration 5m 001 002\n  lessor lock list")]
#[expect(clippy::enum_variant_names, reason = "the names are ConTest's operations")]
pub(crate) enum Lock {
    /// Locks all of the targets, or none
    #[command(after_help = "\
Example:
  lessor lock lock --job 17 --duration 5m 001 002

Exit code 6 says that others hold some of them.")]
    Lock(Targets),
    /// Locks as many of the targets as are free, in order, and prints them
    #[command(after_help = "Example:\n  lessor lock try-lock --job 17 --duration 5m --limit 2 001 002 003")]
    TryLock {
        #[command(flatten)]
        targets: Targets,
        /// At most so many; all of them if not given
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
    },
    /// Unlocks all of the targets, or none
    #[command(after_help = "Example:\n  lessor lock unlock --job 17 001 002")]
    Unlock {
        /// The job
        #[arg(short, long, value_name = "N")]
        job: u64,
        /// The targets
        #[arg(required = true, value_name = "TARGET")]
        targets: Vec<String>,
    },
    /// Moves the end of all of the locks on, or of none
    #[command(after_help = "Example:\n  lessor lock refresh --job 17 --duration 5m 001 002")]
    Refresh(Targets),
    /// Lists the lock table
    #[command(
        visible_alias = "ls",
        after_help = "Example:\n  lessor lock list -o jsonl\n  lessor lock list -f is:lapsed"
    )]
    List {
        #[command(flatten)]
        which: Which,
    },
}

/// Which targets, for whom, how long.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Targets {
    /// The job
    #[arg(short, long, value_name = "N")]
    job: u64,
    /// For how long from now
    #[arg(short, long, value_name = "TIME", value_parser = value::duration)]
    duration: Duration,
    /// The targets
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
}

impl Targets {
    fn body(&self) -> Value {
        json!({ "job": self.job, "duration": value::millis(self.duration), "targets": self.targets })
    }
}

impl Lock {
    /// Does it.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let (verb, body) = match self {
            Self::Lock(targets) => ("lock", targets.body()),
            Self::TryLock { targets, limit } => {
                let mut body = targets.body();
                body["limit"] = json!(limit.unwrap_or(targets.targets.len() as u64));
                ("try-lock", body)
            }
            Self::Unlock { job, targets } => ("unlock", json!({ "job": job, "targets": targets })),
            Self::Refresh(targets) => ("refresh", targets.body()),
            Self::List { which } => return which.show(client, output, (KIND, "locks"), &[]).await,
        };
        let answer = client.post(&["v1", "locks", verb])?.json(&body).send().await;
        let answer = answer.map_err(|failure| match self {
            Self::Lock(_) | Self::TryLock { .. } => {
                failure.held_by_others("see who holds what, and until when: lessor lock list")
            }
            Self::Unlock { .. } | Self::Refresh(_) | Self::List { .. } => failure,
        })?;
        match output.format() {
            Format::Json | Format::Jsonl => output.item(KIND, &answer.body),
            Format::Name | Format::Table => {
                let locked = answer.body["locked"].as_array();
                let names = locked.into_iter().flatten().filter_map(Value::as_str);
                let mut lines = String::new();
                for name in names {
                    lines.push_str(&text::name(name));
                    lines.push('\n');
                }
                output.raw(&lines)
            }
        }
    }
}
