//! The one clock of the client: time since the machine was started, time asleep included.
//!
//! A lease runs out by the server's clock whether this machine sleeps or not, so a clock that stops during suspend
//! (as `std::time::Instant` does on Linux) would keep a dead lease alive. Wall time may jump and is never used.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A point in time on this machine, unrelated to wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Moment {
    /// This instant.
    pub(crate) fn now() -> Self {
        let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has had this clock since 2.6.39");
        Self(Duration::from(now))
    }

    /// This moment moved on by `span`; saturates.
    pub(crate) fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// This moment moved back by `span`; saturates.
    pub(crate) fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }

    /// Time since `earlier`, or nothing if that is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Time left until this moment.
    pub(crate) fn left(self) -> Duration {
        self.since(Self::now())
    }
}

/// Sleeps until `moment`, and notices within [`GUARD_NAP_MAX`](super::limits::GUARD_NAP_MAX) if the machine was
/// suspended past it.
///
/// # Cancel safety
/// May be dropped at any time.
pub(crate) async fn sleep_until(moment: Moment) {
    loop {
        let left = moment.left();
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(super::limits::GUARD_NAP_MAX)).await;
    }
}

/// A number that differs from call to call and process to process, for idempotency keys and jitter.
///
/// Not for secrets: it is the hash of the time under a random key of the process.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one((Moment::now().0, std::process::id()))
}

/// `span` shortened by up to a tenth, so that many clients do not act in step.
pub(crate) fn jittered(span: Duration) -> Duration {
    let per_mille = u32::try_from(random() % 100).expect("less than 100");
    span.saturating_sub(span / 1000 * per_mille)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_only_ever_shortens_and_by_at_most_a_tenth() {
        let span = Duration::from_secs(20);
        for _ in 0..1000 {
            let jittered = jittered(span);
            assert!(jittered <= span && jittered >= span * 9 / 10, "{jittered:?}");
        }
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!(random(), random());
    }
}
