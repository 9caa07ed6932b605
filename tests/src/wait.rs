//! Waiting for something to hold, within a bound.

use std::time::{Duration, Instant};

/// Longest wait for anything that a healthy server does at once. Generous, because a debug build on a machine with
/// other work is slow, and only a failing test waits for all of it.
pub const SOON: Duration = Duration::from_mins(1);

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// The machine's monotonic clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the tests' one clock: they watch a real server")]
pub fn now() -> Instant {
    Instant::now()
}

/// Calls `look` until it gives something.
///
/// # Panics
/// If it gave nothing within `bound`; says `what` was waited for.
pub fn until_some<T>(what: &str, bound: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < bound, "waited {bound:?} in vain for: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Calls `look` until it says yes.
///
/// # Panics
/// If it did not within `bound`; says `what` was waited for.
pub fn until(what: &str, bound: Duration, mut look: impl FnMut() -> bool) {
    until_some(what, bound, || look().then_some(()));
}

/// Lets real time pass, for tests whose subject is that time passes.
pub fn pass(time: Duration) {
    let end = now() + time;
    while let Some(left) = end.checked_duration_since(now()).filter(|left| !left.is_zero()) {
        std::thread::sleep(left);
    }
}
