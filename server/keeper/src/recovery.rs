//! What happens when the store fails: writes stop, reading goes on, and the store is opened again.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lessor_ledger::{Command, Ledger, Outcome, RequestId, Settled};
use tokio::time::Instant;

use crate::error::{Error, Health, chain};
use crate::limits::{REOPEN_WAIT_MAX, STEADY_AFTER};
use crate::writer::Writer;

/// When to try again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    at: Instant,
    wait: Duration,
}

/// The last time that the store was open again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reopened {
    at: Instant,
    /// How long that was waited for.
    wait: Duration,
}

impl Retry {
    fn after(wait: Duration) -> Self {
        Self { at: Instant::now() + wait, wait }
    }

    /// How long until then.
    pub(crate) fn pause(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

impl Writer {
    /// Stops writing. Memory stays at the last committed state.
    pub(crate) fn fail(&mut self, what: &str, error: &(dyn StdError + 'static)) {
        let reason = chain(error);
        let batch = self.store.last_batch();
        tracing::error!(what, batch, error = %reason, "the store failed: no more writes until it is reopened");
        self.shared.stats.commit_failures.fetch_add(1, Relaxed);
        self.shared.health.store(Arc::new(Health::ReadOnly(reason.into())));
        let before = self.reopened.map(|reopened| (reopened.wait, reopened.at.elapsed()));
        self.retry = Some(Retry::after(first_wait(self.reopen_wait, before)));
    }

    /// What whoever asks now is told.
    pub(crate) fn read_only(&self) -> Error {
        match &**self.shared.health.load() {
            Health::ReadOnly(reason) => Error::ReadOnly(reason.to_string()),
            Health::Writable | Health::Stopped => Error::Stopped,
        }
    }

    /// Opens the failed store again, or says when to try next.
    pub(crate) fn try_reopen(&mut self) {
        let Some(retry) = self.retry else { return };
        match self.store.reopen() {
            Ok(ledger) => {
                self.reopened = Some(Reopened { at: Instant::now(), wait: retry.wait });
                self.resume(ledger);
            }
            Err(error) => {
                let wait = (retry.wait * 2).min(REOPEN_WAIT_MAX);
                let reason = chain(&error);
                tracing::warn!(error = %reason, wait_ms = millis(wait), "the store cannot be reopened yet");
                self.shared.health.store(Arc::new(Health::ReadOnly(reason.into())));
                self.retry = Some(Retry::after(wait));
            }
        }
    }

    /// Goes on from what the disk says, which may be one batch more than was acknowledged.
    fn resume(&mut self, ledger: Ledger) {
        self.retry = None;
        self.checkpointing = false;
        self.show(Arc::new(ledger));
        self.reconcile();
        self.publisher.gap();
        self.shared.stats.reopened.fetch_add(1, Relaxed);
        self.shared.health.store(Arc::new(Health::Writable));
        tracing::info!(batch = self.store.last_batch(), "the store is open again");
        self.own(Command::Resume);
    }

    /// Tells whoever watches a request that the disk says was settled.
    fn reconcile(&mut self) {
        for id in self.watches.requests() {
            match settlement(&self.current, id) {
                Verdict::Waits => {}
                Verdict::Settled(settled) => self.watches.settle(id, &settled),
                Verdict::Unknown => self.watches.forget(id),
            }
        }
    }
}

/// How long to wait after a failure; `before` is how long was waited for the last opening, and how long ago that was.
///
/// A store that fails soon after it could be opened is no better than one that cannot be opened: on a full disk reading
/// succeeds, and even a few more batches.
fn first_wait(shortest: Duration, before: Option<(Duration, Duration)>) -> Duration {
    match before {
        Some((wait, ago)) if ago < STEADY_AFTER => (wait * 2).min(REOPEN_WAIT_MAX),
        _ => shortest,
    }
}

enum Verdict {
    Waits,
    Settled(Settled),
    Unknown,
}

fn settlement(ledger: &Ledger, id: RequestId) -> Verdict {
    let Some(request) = ledger.request(id) else { return Verdict::Unknown };
    match request.outcome {
        None => Verdict::Waits,
        Some(Outcome::Granted { lease, .. }) => match ledger.grant(lease) {
            Some(grant) => Verdict::Settled(Settled::Granted(Box::new(grant))),
            None => Verdict::Settled(Settled::Ended(Arc::clone(request))),
        },
        Some(Outcome::Withdrawn { .. } | Outcome::Lapsed { .. }) => {
            Verdict::Settled(Settled::Ended(Arc::clone(request)))
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_soon_again_is_left_alone_for_longer() {
        let (shortest, moment) = (Duration::from_millis(100), Duration::from_secs(1));
        assert_eq!(first_wait(shortest, None), shortest);
        let mut wait = shortest;
        for _ in 0..20 {
            let next = first_wait(shortest, Some((wait, moment)));
            assert!(next > wait || next == REOPEN_WAIT_MAX, "{wait:?} {next:?}");
            wait = next;
        }
        assert_eq!(wait, REOPEN_WAIT_MAX);
        assert_eq!(first_wait(shortest, Some((wait, STEADY_AFTER))), shortest, "it has served well since");
    }
}
