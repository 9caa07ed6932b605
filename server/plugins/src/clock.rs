//! The one place of this crate that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock: limits and measurements.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock for plugins")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970 by the wall clock, as guests see it. Nothing of the server depends on it.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock for plugins")]
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
