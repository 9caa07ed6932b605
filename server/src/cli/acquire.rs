//! `lessor acquire`: a lease for whoever keeps its ID.

use std::time::Duration;

use super::ask::Ask;
use super::client::Client;
use super::clock::{Moment, sleep_until};
use super::failure::Failure;
use super::held::{Held, release};
use super::leases::{KIND, renewed};
use super::limits::{RELEASE_RETRY_MAX, RETRY_MAX};
use super::output::{Format, Output};
use super::signals::Signals;
use super::whoami;

/// Leases and prints the lease's ID
///
/// The lease ends by itself after its TTL unless it is renewed: with `lessor renew ID`, or with --hold, which renews
/// until a signal comes and then gives it back.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  id=$(lessor acquire --pool gpu --ttl 10m --wait 30m)
  lessor acquire -p board -n 2 -l soc=imx8 --no-wait -o json
  lessor acquire -t room-3 --ttl 1h --purpose 'demo for Ann'
  lessor acquire -p gpu --hold          # until Ctrl-C")]
pub(crate) struct Acquire {
    #[command(flatten)]
    ask: Ask,
    /// Keep renewing until a signal comes, then give it back
    #[arg(long)]
    hold: bool,
}

impl Acquire {
    /// Gets the lease and prints it.
    ///
    /// # Errors
    /// As [`Ask::get`]; with `--hold` also [`Failure::LeaseLost`].
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let mut signals = Signals::new()?;
        let owner = self.ask.owner(client, whoami::person);
        let held = self.ask.get(client, output, &mut signals, &owner).await?;
        output.note(&held.line());
        match output.format {
            None => output.raw(&format!("{}\n", held.id))?,
            Some(Format::Json | Format::Jsonl | Format::Name | Format::Table) => {
                output.item(KIND, &held.body)?;
            }
        }
        if !self.hold {
            return Ok(());
        }
        let signal = tokio::select! {
            failure = hold(client, output, &held) => return Err(failure),
            signal = signals.end() => signal,
        };
        release(client, output, &held, Moment::now().plus(RELEASE_RETRY_MAX)).await;
        output.note(&format!("lease {} given back after signal {signal}", held.id));
        Ok(())
    }
}

/// Renews for ever; comes back only when the lease is lost. The server knows by how long, and what the pool allows.
async fn hold(client: &Client, output: &Output, held: &Held) -> Failure {
    let mut held = held.clone();
    loop {
        let (Some(until), Some(ttl)) = (held.until, held.ttl) else { std::future::pending().await };
        sleep_until(until.minus(ttl).plus(ttl / 3)).await;
        let sent = Moment::now();
        let within = (ttl / 9).max(Duration::from_millis(100));
        let body = match renewed(client, held.id, None, None, within).await {
            Ok(body) => body,
            Err(Failure::Problem(problem)) if matches!(problem.status, 404 | 409 | 410) => {
                return Failure::LeaseLost(format!("lease {} was lost: {problem}", held.id));
            }
            Err(failure) => {
                output.note(&format!("cannot renew: {}, trying again", failure.with_causes()));
                if until.left().is_zero() {
                    return Failure::LeaseLost(format!(
                        "lease {} expired: no renewal was confirmed",
                        held.id
                    ));
                }
                sleep_until(Moment::now().plus((ttl / 9).min(RETRY_MAX)).min(until)).await;
                continue;
            }
        };
        match Held::read(client, body, sent) {
            Ok(fresh) => held = fresh,
            Err(failure) => return failure,
        }
    }
}
