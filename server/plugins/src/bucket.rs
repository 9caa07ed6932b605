//! How much a plugin may log, over all of its calls.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::{LOG_BURST_BYTES, LOG_BYTES_PER_SECOND, LOG_LINE_BYTES, LOG_TOLD_EVERY};

/// A bucket of bytes that a plugin may log: each line takes some, time fills it again.
pub(crate) struct Bucket(Mutex<Level>);

struct Level {
    bytes: u64,
    /// When it was filled last.
    at: Instant,
    /// Lines that there was nothing left for, since that was told last.
    dropped: u64,
    told_at: Option<Instant>,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether it may be logged.
    pub(crate) may: bool,
    /// How many could not be, if that is to be told now.
    pub(crate) dropped: Option<u64>,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(now: Instant) -> Self {
        Self(Mutex::new(Level { bytes: LOG_BURST_BYTES, at: now, dropped: 0, told_at: None }))
    }

    /// Takes a line of so many bytes out of it, if there is as much.
    pub(crate) fn take(&self, bytes: usize, now: Instant) -> Verdict {
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        level.fill(now);
        let cost = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(LOG_LINE_BYTES);
        let left = level.bytes.checked_sub(cost);
        match left {
            Some(left) => level.bytes = left,
            None => level.dropped += 1,
        }
        let due = level.told_at.is_none_or(|at| now.saturating_duration_since(at) >= LOG_TOLD_EVERY);
        let dropped = (due && level.dropped > 0).then(|| {
            level.told_at = Some(now);
            std::mem::take(&mut level.dropped)
        });
        Verdict { may: left.is_some(), dropped }
    }
}

impl Level {
    fn fill(&mut self, now: Instant) {
        // In whole milliseconds, each of which is worth some bytes: nothing is lost by looking often.
        let passed = u64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(u64::MAX);
        let drops = passed.saturating_mul(LOG_BYTES_PER_SECOND) / 1000;
        self.bytes = self.bytes.saturating_add(drops).min(LOG_BURST_BYTES);
        self.at += Duration::from_millis(passed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_flood_is_dropped_and_told_once_a_minute_and_a_trickle_is_not() {
        let start = clock::now();
        let bucket = Bucket::new(start);
        let line = 4 << 10;
        let flood = |seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            let verdicts: Vec<Verdict> = (0..1_000).map(|_| bucket.take(line, now)).collect();
            let told: Vec<u64> = verdicts.iter().filter_map(|verdict| verdict.dropped).collect();
            (verdicts.iter().filter(|verdict| verdict.may).count(), told)
        };
        let cost = line as u64 + LOG_LINE_BYTES;
        let burst = usize::try_from(LOG_BURST_BYTES / cost).expect("few");
        assert_eq!(flood(0), (burst, vec![1]));
        // What is left of the burst is less than a line.
        let (logged, told) = flood(10);
        let flown = usize::try_from(10 * LOG_BYTES_PER_SECOND / cost).expect("few");
        assert!((flown..=flown + 1).contains(&logged) && told.is_empty(), "{logged} {told:?}");
        let (_, told) = flood(60);
        assert_eq!(told, [2_000 - burst as u64 - logged as u64 - 1]);
        for second in 3_600..3_700 {
            assert!(bucket.take(line, start + Duration::from_secs(second)).may);
        }
    }
}
