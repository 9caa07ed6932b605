//! `lessor run`: a command that lives no longer than its lease.
//!
//! The parent holds the lease and renews it; the command runs in a process group of its own. Whatever happens, the
//! group is dead before the lease can have expired: the deadline counts from *before* the request that was confirmed,
//! on a clock that neither jumps nor stops, and SIGKILL comes ahead of it. If the parent itself is killed, the kernel
//! kills the command (not its descendants, which is why jobs should not daemonize).

mod environment;
pub(crate) mod exec;
mod group;
mod guard;
mod job;
mod terminal;

use std::ffi::OsString;
use std::time::Duration;

use super::ask::Ask;
use super::client::Client;
use super::clock::Moment;
use super::exit::{Code, RUN_FAILED, RUN_LEASE_LOST, RUN_WAIT_TIMED_OUT};
use super::failure::Failure;
use super::held::{Held, release, release_once};
use super::jobs::Order;
use super::limits::{GRACE_DEFAULT, RELEASE_RETRY_MAX};
use super::output::Output;
use super::signals::Signals;
use super::{value, whoami};
use group::Group;
use guard::{End, Guard};

/// Runs a command while holding a lease
#[derive(Clone, Debug, clap::Args)]
#[command(long_about = "\
Runs a command while holding a lease

Waits in line, leases, starts the command with LEASE_ID, LEASE_FENCE, LEASE_OWNER, LEASE_EXPIRES, LEASE_RESOURCE, \
LEASE_RESOURCE_COUNT, LEASE_RESOURCE_0, LEASE_RESOURCE_0_<LABEL>, ... and LEASE_JSON in its environment, renews the \
lease while it runs, and gives it back when it ends. If the lease cannot be renewed, the command and its whole \
process group are ended (SIGTERM, then SIGKILL) before the lease can belong to somebody else. If it is taken away by \
force, they are ended as soon as that is seen, within seconds. If `lessor run` itself is killed with SIGKILL, the \
command is killed too, but not what the command has started; the lease ends with its TTL.")]
#[command(mut_arg("pool", |pool| pool.required_unless_present("manager")))]
#[command(after_help = "\
Examples:
  lessor run --pool gpu -- ./train.sh
  lessor run -p board -l soc=imx8 --ttl 60s --wait 30m -- sh -c 'flash \"$LEASE_RESOURCE\"'
  lessor run -p board --and power:1,site=ber --no-wait -- make check
  lessor run --manager csv --params @hosts.json --ttl 5m -- ./flash-all.sh
  lessor run -t /dev/ttyUSB0 --on-lost 'logger lost it' -- picocom /dev/ttyUSB0

Exit codes: the command's own, 128+n if signal n ended it, 123 lease lost,
124 nothing became free in time, 125 failed before the start, 126 not executable, 127 not found")]
pub(crate) struct Run {
    #[command(flatten)]
    ask: Ask,
    /// Let this target manager acquire the targets, and release them in the end; the TTL is its lock duration
    #[arg(short, long, value_name = "NAME", conflicts_with_all = ["pool", "targets", "and"], help_heading = "What to lease")]
    manager: Option<String>,
    #[command(flatten)]
    order: Order,
    /// Shell command to run when the lease is lost, with the same environment
    #[arg(long, value_name = "CMD")]
    on_lost: Option<String>,
    /// Time between SIGTERM and SIGKILL when the lease is lost; at most a third of the TTL
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    grace: Option<Duration>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Run {
    /// Runs the command and gives the exit code of `lessor run`.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> u8 {
        match self.try_run(client, output).await {
            Ok(code) => code,
            Err(failure) => {
                output.failure(&failure);
                code(&failure)
            }
        }
    }

    async fn try_run(&self, client: &Client, output: &Output) -> Result<u8, Failure> {
        let mut signals = Signals::new()?;
        let owner = self.ask.owner(client, whoami::process);
        let held = match &self.manager {
            Some(manager) => {
                let body = self.order.body(manager, &owner, self.ask.ttl);
                job::get(client, &body, &mut signals).await?
            }
            None => self.ask.get(client, output, &mut signals, &owner).await?,
        };
        output.note(&held.line());
        let vars = environment::variables(&held, client.address());
        if let [first, others @ ..] = vars.left_out.as_slice() {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            output.warn(&format!(
                "warning: {first}{more} cannot be in the command's environment, which has no room for that much; it finds all \
                 in `lessor {} {} -o json`",
                held.what.show(),
                held.id
            ));
        }
        let result = self.guarded(client, output, &mut signals, &held, &vars.set).await;
        match &result {
            // It may have ended, or the server may be away; if neither is so, others need not wait for the TTL.
            Ok(End::Lost(_)) => release_once(client, &held).await,
            Ok(End::Exited(_)) | Err(_) => {
                release(client, output, &held, Moment::now().plus(RELEASE_RETRY_MAX)).await;
            }
        }
        match result? {
            End::Exited(code) => Ok(code),
            End::Lost(why) => {
                output.warn(&format!("error: {} {} was lost: {why}", held.what.noun(), held.id));
                Ok(RUN_LEASE_LOST)
            }
        }
    }

    /// Starts the command and stays with it until nothing of it is left.
    async fn guarded(
        &self,
        client: &Client,
        output: &Output,
        signals: &mut Signals,
        held: &Held,
        vars: &[(String, String)],
    ) -> Result<End, Failure> {
        let mut guard = Guard::new(client, output, held, self.grace.unwrap_or(GRACE_DEFAULT));
        if let Err(why) = guard.freshen().await {
            return Ok(End::Lost(why));
        }
        let mut group = Group::spawn(&self.command, vars)?;
        let end = guard.watch(&mut group, signals, self.on_lost.as_deref(), vars).await?;
        Ok(end)
    }
}

/// The exit code for a failure before the command was started.
fn code(failure: &Failure) -> u8 {
    match failure {
        Failure::WaitTimedOut(_) => RUN_WAIT_TIMED_OUT,
        Failure::Problem(problem) if problem.code() == Code::Busy => RUN_WAIT_TIMED_OUT,
        Failure::Signal(_) => failure.code(),
        Failure::Usage(_)
        | Failure::Unreachable { .. }
        | Failure::Garbled { .. }
        | Failure::Problem(_)
        | Failure::LeaseLost(_)
        | Failure::Io { .. }
        | Failure::Store { .. }
        | Failure::PipeClosed
        | Failure::Plugin { .. }
        | Failure::Refused { .. }
        | Failure::Negative(_) => RUN_FAILED,
    }
}
