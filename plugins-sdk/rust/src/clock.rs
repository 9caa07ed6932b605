//! Time. No grant is needed.

use std::time::Duration;

/// Milliseconds since 1970 by the clock of the server, which may jump.
#[must_use]
pub fn now_ms() -> u64 {
    crate::side::now_ms()
}

/// How long this call has been running.
#[must_use]
pub fn elapsed() -> Duration {
    Duration::from_nanos(crate::side::elapsed_ns())
}

/// How long until this call is ended.
#[must_use]
pub fn remaining() -> Duration {
    Duration::from_millis(crate::side::remaining_ms())
}
