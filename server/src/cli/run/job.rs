//! Targets from a target manager, for a command to run on.

use serde_json::Value;

use crate::cli::client::{Backoff, Client};
use crate::cli::clock::Moment;
use crate::cli::failure::Failure;
use crate::cli::held::{Held, release_once};
use crate::cli::jobs::{not_failed, waited};
use crate::cli::limits::ACQUIRE_RETRY_MAX;
use crate::cli::output::cell;
use crate::cli::signals::Signals;

/// Starts a job and waits until it is leased. Whatever else ends the waiting ends the job too.
///
/// # Errors
/// What the server says; [`Failure::Negative`] if the job was not acquired, [`Failure::Signal`] if a signal asks us to
/// end.
pub(crate) async fn get(client: &Client, body: &Value, signals: &mut Signals) -> Result<Held, Failure> {
    let sent = Moment::now();
    let job = client.post(&["v1", "jobs"])?.json(body).send().await?.body;
    let started = Held::job(client, job, sent)?;
    let failure = tokio::select! {
        leased = leased(client, &started) => match leased {
            Ok(held) => return Ok(held),
            Err(failure) => failure,
        },
        signal = signals.end() => Failure::Signal(signal),
    };
    release_once(client, &started).await;
    Err(failure)
}

async fn leased(client: &Client, started: &Held) -> Result<Held, Failure> {
    let mut held = started.clone();
    let mut backoff = Backoff::new();
    let mut patience = Moment::now().plus(ACQUIRE_RETRY_MAX);
    while held.body["phase"] == "acquiring" {
        let sent = Moment::now();
        match waited(client, &cell(&started.body, "id")).await {
            Ok(job) => {
                held = Held::job(client, job, sent)?;
                (backoff, patience) = (Backoff::new(), Moment::now().plus(ACQUIRE_RETRY_MAX));
            }
            Err(failure) if failure.is_transient() && backoff.pause(patience).await => {}
            Err(failure) => return Err(failure),
        }
    }
    not_failed(&held.body)?;
    if held.until.is_none() {
        return Err(Failure::LeaseLost(format!(
            "job {} was leased and ended before it could be used",
            held.id
        )));
    }
    Ok(held)
}
