//! What a piece of work costs the processor, for tests that compare two of them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time that this thread has had a processor: a busy machine adds nothing to it.
fn used() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(used).expect("it only ever grows from 0")
}

/// The least that `work` took in so many rounds, each on what `make` makes for it. Only the work counts.
pub(crate) fn least<S>(
    rounds: usize,
    mut make: impl FnMut(usize) -> S,
    mut work: impl FnMut(&mut S),
) -> Duration {
    let round = |number| {
        let mut stage = make(number);
        let before = used();
        work(&mut stage);
        used().saturating_sub(before)
    };
    (0..rounds).map(round).min().expect("there are some rounds")
}
