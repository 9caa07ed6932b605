//! Where the time comes from. The one place in this crate that reads a clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lessor_ledger::{Span, Time};

use crate::limits;

/// Says what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The wall-clock time. May jump ahead, stand still or go back; the keeper copes.
    fn now(&self) -> Time;

    /// How long ago some fixed moment was, by a clock that nobody sets. Never goes back.
    fn steady(&self) -> Duration;
}

/// The machine's clocks, so that a run under a faked clock behaves.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(Stopwatch);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Stopwatch::start())
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    fn now(&self) -> Time {
        let nanos = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
        };
        Time::from_nanos(nanos)
    }

    fn steady(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The time that is decided by (promise P9): the wall clock's, but never before an earlier answer. While the wall clock
/// is behind, because it was wrong or was set back, time goes on a little slower than it should
/// ([`limits::CATCH_UP_PERCENT`]): whatever has a TTL still ends, and the wall clock catches up.
pub(crate) struct Course {
    clock: Arc<dyn Clock>,
    last: Mutex<Reading>,
}

#[derive(Clone, Copy)]
struct Reading {
    time: Time,
    steady: Duration,
}

impl Course {
    /// Goes on from `start`, the time of the last commit.
    pub(crate) fn new(clock: Arc<dyn Clock>, start: Time) -> Self {
        let last = Mutex::new(Reading { time: start, steady: clock.steady() });
        Self { clock, last }
    }

    pub(crate) fn now(&self) -> Time {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, steady) = (self.clock.now(), self.clock.steady());
        let gone = steady.saturating_sub(last.steady).as_nanos() * limits::CATCH_UP_PERCENT / 100;
        let slow = last.time.plus(Span::from_nanos(i64::try_from(gone).unwrap_or(i64::MAX)));
        *last = Reading { time: wall.max(slow), steady };
        last.time
    }

    /// How far the wall clock is behind; zero if it is not.
    pub(crate) fn behind(&self) -> Span {
        self.now().since(self.clock.now()).max(Span::ZERO)
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
