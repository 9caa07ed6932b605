//! Where the time comes from. The one place in this crate that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lessor_ledger::Time;

/// Says what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The wall-clock time. May jump ahead, stand still or go back; the keeper copes.
    fn now(&self) -> Time;
}

/// The machine's wall clock, so that a run under a faked clock behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    fn now(&self) -> Time {
        let nanos = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
        };
        Time::from_nanos(nanos)
    }
}

/// Measures how long something takes, unmoved by the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a stopwatch decides nothing")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
