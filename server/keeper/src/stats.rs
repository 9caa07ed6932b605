//! What the keeper counts. Plain numbers; how they are shown is the API's business.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use lessor_ledger::{Cause, Change, Command, EventKind};

/// Kinds of commands, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the command of the same name")]
pub enum Kind {
    Tick,
    Resume,
    BoskosAcquire,
    BoskosAcquireByState,
    BoskosRelease,
    BoskosUpdate,
    BoskosReset,
    ContestLock,
    ContestTryLock,
    ContestUnlock,
    ContestRefresh,
    Acquire,
    Renew,
    Release,
    Force,
    Poll,
    Withdraw,
    PutResource,
    PatchResource,
    DeleteResource,
    Sync,
    Job,
    Plugin,
}

impl Kind {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 23] = [
        Self::Tick,
        Self::Resume,
        Self::BoskosAcquire,
        Self::BoskosAcquireByState,
        Self::BoskosRelease,
        Self::BoskosUpdate,
        Self::BoskosReset,
        Self::ContestLock,
        Self::ContestTryLock,
        Self::ContestUnlock,
        Self::ContestRefresh,
        Self::Acquire,
        Self::Renew,
        Self::Release,
        Self::Force,
        Self::Poll,
        Self::Withdraw,
        Self::PutResource,
        Self::PatchResource,
        Self::DeleteResource,
        Self::Sync,
        Self::Job,
        Self::Plugin,
    ];

    /// The kind of `command`.
    #[must_use]
    pub fn of(command: &Command) -> Self {
        match command {
            Command::Tick => Self::Tick,
            Command::Resume => Self::Resume,
            Command::BoskosAcquire(_) => Self::BoskosAcquire,
            Command::BoskosAcquireByState { .. } => Self::BoskosAcquireByState,
            Command::BoskosRelease { .. } => Self::BoskosRelease,
            Command::BoskosUpdate(_) => Self::BoskosUpdate,
            Command::BoskosReset { .. } => Self::BoskosReset,
            Command::ContestLock(_) => Self::ContestLock,
            Command::ContestTryLock { .. } => Self::ContestTryLock,
            Command::ContestUnlock(_) => Self::ContestUnlock,
            Command::ContestRefresh(_) => Self::ContestRefresh,
            Command::Acquire(_) => Self::Acquire,
            Command::Renew { .. } => Self::Renew,
            Command::Release { .. } => Self::Release,
            Command::Force(_) => Self::Force,
            Command::Poll(_) => Self::Poll,
            Command::Withdraw(_) => Self::Withdraw,
            Command::PutResource(_) => Self::PutResource,
            Command::PatchResource(_) => Self::PatchResource,
            Command::DeleteResource { .. } => Self::DeleteResource,
            Command::Sync(_) => Self::Sync,
            Command::Job(_) => Self::Job,
            Command::Plugin(_) => Self::Plugin,
        }
    }

    /// Its name as a metrics label, e.g. `boskos_acquire`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Resume => "resume",
            Self::BoskosAcquire => "boskos_acquire",
            Self::BoskosAcquireByState => "boskos_acquire_by_state",
            Self::BoskosRelease => "boskos_release",
            Self::BoskosUpdate => "boskos_update",
            Self::BoskosReset => "boskos_reset",
            Self::ContestLock => "contest_lock",
            Self::ContestTryLock => "contest_try_lock",
            Self::ContestUnlock => "contest_unlock",
            Self::ContestRefresh => "contest_refresh",
            Self::Acquire => "acquire",
            Self::Renew => "renew",
            Self::Release => "release",
            Self::Force => "force",
            Self::Poll => "poll",
            Self::Withdraw => "withdraw",
            Self::PutResource => "put_resource",
            Self::PatchResource => "patch_resource",
            Self::DeleteResource => "delete_resource",
            Self::Sync => "sync",
            Self::Job => "job",
            Self::Plugin => "plugin",
        }
    }
}

/// Every cause, in declaration order.
pub const CAUSES: [Cause; 10] = [
    Cause::Released,
    Cause::Expired,
    Cause::Reaped,
    Cause::Reset,
    Cause::Forced,
    Cause::TakenOver,
    Cause::Collected,
    Cause::Deleted,
    Cause::Cleaned,
    Cause::Uncollected,
];

/// Upper bounds of the buckets of [`Stats::batch_size`], in commands.
pub const BATCH_SIZE_BOUNDS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

/// Upper bounds of the buckets of [`Stats::commit_micros`], in microseconds: 50 µs to 1 s.
pub const COMMIT_MICROS_BOUNDS: [u64; 14] =
    [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_500, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/// Counted since the start of the process.
#[derive(Debug)]
pub struct Stats {
    /// Commands in one commit.
    pub batch_size: Histogram,
    /// How long one commit took, in microseconds.
    pub commit_micros: Histogram,
    /// Commits that failed.
    pub commit_failures: AtomicU64,
    /// How often the store was opened again after a failure.
    pub reopened: AtomicU64,
    /// Commands that were turned away because too many waited.
    pub busy: AtomicU64,
    applied: [AtomicU64; Kind::ALL.len()],
    refused: [AtomicU64; Kind::ALL.len()],
    lost: [AtomicU64; CAUSES.len()],
    lapsed: AtomicU64,
}

impl Stats {
    pub(crate) fn new() -> Self {
        Self {
            batch_size: Histogram::new(&BATCH_SIZE_BOUNDS),
            commit_micros: Histogram::new(&COMMIT_MICROS_BOUNDS),
            commit_failures: AtomicU64::new(0),
            reopened: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            applied: [const { AtomicU64::new(0) }; Kind::ALL.len()],
            refused: [const { AtomicU64::new(0) }; Kind::ALL.len()],
            lost: [const { AtomicU64::new(0) }; CAUSES.len()],
            lapsed: AtomicU64::new(0),
        }
    }

    /// Commands of this kind that were decided and are durable, refused ones included.
    #[must_use]
    pub fn applied(&self, kind: Kind) -> u64 {
        self.applied[kind as usize].load(Relaxed)
    }

    /// Commands of this kind that were refused.
    #[must_use]
    pub fn refused(&self, kind: Kind) -> u64 {
        self.refused[kind as usize].load(Relaxed)
    }

    /// Targets that leases lost for this cause.
    #[must_use]
    pub fn lost(&self, cause: Cause) -> u64 {
        self.lost[cause as usize].load(Relaxed)
    }

    /// `ConTest` locks that expired but stayed with their owner.
    #[must_use]
    pub fn lapsed(&self) -> u64 {
        self.lapsed.load(Relaxed)
    }

    pub(crate) fn count(&self, kind: Kind, refused: bool) {
        self.applied[kind as usize].fetch_add(1, Relaxed);
        if refused {
            self.refused[kind as usize].fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn count_commit(&self, commands: usize, took: Duration, changes: &[Change]) {
        self.batch_size.observe(commands as u64);
        self.commit_micros.observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        for change in changes {
            let Change::Event(event) = change else { continue };
            if event.kind == EventKind::LockLapsed {
                self.lapsed.fetch_add(1, Relaxed);
            } else if let Some(cause) = event.cause {
                self.lost[cause as usize].fetch_add(1, Relaxed);
            }
        }
    }
}

/// Counts of values in fixed buckets. The buckets of one reading may be a few values apart from its sum, because
/// writing goes on meanwhile.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One more than there are bounds: the last is for everything above.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A reading of a [`Histogram`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Upper bound of each bucket (inclusive; `None` for the last) and how many values are in it, not cumulated.
    pub buckets: Vec<(Option<u64>, u64)>,
    /// How many values there are.
    pub count: u64,
    /// Sum of the values.
    pub sum: u64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    fn observe(&self, value: u64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// What has been counted so far.
    #[must_use]
    pub fn read(&self) -> Reading {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let buckets: Vec<_> = bounds.zip(self.counts.iter().map(|count| count.load(Relaxed))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Reading { buckets, count, sum: self.sum.load(Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_causes_index_their_counters() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
        }
        for (index, cause) in CAUSES.into_iter().enumerate() {
            assert_eq!(cause as usize, index, "{cause:?}");
        }
    }

    #[test]
    fn a_value_at_a_bound_counts_below_it() {
        let histogram = Histogram::new(&BATCH_SIZE_BOUNDS);
        for value in [1, 2, 3, 1_024, 1_025] {
            histogram.observe(value);
        }
        let reading = histogram.read();
        assert_eq!(reading.count, 5);
        assert_eq!(reading.sum, 2_055);
        assert_eq!(&reading.buckets[..3], [(Some(1), 1), (Some(2), 1), (Some(4), 1)]);
        assert_eq!(&reading.buckets[10..], [(Some(1_024), 1), (None, 1)]);
    }
}
