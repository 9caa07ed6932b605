//! What a keeper can be told when it starts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::limits;

/// How a keeper works. [`Default`] is what the server uses; tests bring a clock of their own and smaller bounds.
pub struct Options {
    /// Where the time comes from; the machine's wall clock by default.
    pub clock: Arc<dyn Clock>,
    /// Longest sleep before the wall clock is looked at again; [`limits::CLOCK_CHECK`] by default.
    pub clock_check: Duration,
    /// Most commands that wait; [`limits::LETTERS_MAX`] by default.
    pub letters_max: usize,
    /// Most committed batches that a subscriber may be behind; [`limits::FEED_BATCHES_MAX`] by default.
    pub feed_batches_max: usize,
    /// Wait before the first attempt to reopen a failed store; [`limits::REOPEN_WAIT_MIN`] by default.
    pub reopen_wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            clock_check: limits::CLOCK_CHECK,
            letters_max: limits::LETTERS_MAX,
            feed_batches_max: limits::FEED_BATCHES_MAX,
            reopen_wait: limits::REOPEN_WAIT_MIN,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("clock_check", &self.clock_check)
            .field("letters_max", &self.letters_max)
            .field("feed_batches_max", &self.feed_batches_max)
            .field("reopen_wait", &self.reopen_wait)
            .finish_non_exhaustive()
    }
}
