//! Rollups: how much of each pool was held, quarter by quarter of an hour, and how long those who waited had to, hour by
//! hour. A few kilobytes for each pool, whatever happened; a page never reads the log for its pictures.
//!
//! From the start of the server on, what is held is sampled whenever it changes. What was before is worked out once, by
//! going through the last day of history backwards from what was held at the start.

use std::collections::{BTreeMap, BTreeSet};

use lessor_ledger::{Cause, Event, EventKind, LeaseId, Ledger, PoolName, RequestId, Span, Time};

use crate::limits::{ROLLUP_POOLS_MAX, ROLLUP_REQUESTS_MAX};

/// How far back rollups go.
pub(crate) const DAY: Span = Span::from_secs(24 * 60 * 60);
/// One point of the sparkline.
const QUARTER_MS: i64 = 15 * 60 * 1000;
/// Points of the sparkline.
const QUARTERS: i64 = 96;
/// One piece of the counts of waits.
const HOUR_MS: i64 = 60 * 60 * 1000;
const HOURS: i64 = 24;

/// Upper bounds of the columns of the histogram, in milliseconds, and what they are called. Steps of three to five, from
/// what nobody notices to what nobody waits for.
const WAITS: [(i64, &str); 8] = [
    (1_000, "1 s"),
    (5_000, "5 s"),
    (15_000, "15 s"),
    (60_000, "1 min"),
    (300_000, "5 min"),
    (1_800_000, "30 min"),
    (7_200_000, "2 h"),
    (i64::MAX, "longer"),
];

type Counts = [u64; WAITS.len()];

/// What happened in one quarter: resource-milliseconds held, and in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    held: u64,
    total: u64,
}

impl Share {
    fn percent(self) -> Option<u8> {
        u8::try_from((self.held * 100).checked_div(self.total)?).ok()
    }
}

#[derive(Clone, Debug, Default)]
struct PoolUse {
    /// By the number of the quarter since 1970.
    quarters: BTreeMap<i64, Share>,
    /// By the number of the hour since 1970.
    waits: BTreeMap<i64, Counts>,
    /// Held and in all since then.
    now: Option<(Time, u64, u64)>,
}

/// All pools.
#[derive(Debug, Default)]
pub(crate) struct Rollup {
    pools: BTreeMap<PoolName, PoolUse>,
    /// The last lease that was counted, and in which pools: a lease of many targets has many events, but waited once in
    /// each.
    counted: (Option<LeaseId>, BTreeSet<PoolName>),
}

/// One pool, for a page.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// How much was held in each quarter of the last day, the oldest first; `None` where nothing is known.
    pub(crate) percents: Vec<Option<u8>>,
    /// How much was held in all the time that is known; `None` if nothing is.
    pub(crate) mean: Option<u8>,
    waits: Counts,
}

impl Summary {
    /// How many waited before they got something.
    pub(crate) fn waited(&self) -> u64 {
        self.waits.iter().sum()
    }

    /// The columns of the histogram.
    pub(crate) fn waits(&self) -> Vec<(String, u64)> {
        WAITS.iter().zip(self.waits).map(|((_, words), count)| ((*words).to_owned(), count)).collect()
    }

    /// How long half of them, and 95 of 100, waited at most, in words; `None` if nobody waited.
    pub(crate) fn percentiles(&self) -> Option<(String, String)> {
        Some((self.percentile(50)?, self.percentile(95)?))
    }

    fn percentile(&self, percent: u64) -> Option<String> {
        let rank = (self.waited() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let column = self.waits.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        let (_, words) = WAITS.get(column)?;
        Some(if column + 1 == WAITS.len() { (*words).to_owned() } else { format!("≤ {words}") })
    }
}

impl PoolUse {
    /// Adds that `held` of `total` were held between two times.
    fn add(&mut self, from: Time, to: Time, held: u64, total: u64) {
        let (mut from, to) = (from.millis(), to.millis());
        from = from.max(to - DAY.millis());
        while from < to {
            let quarter = from.div_euclid(QUARTER_MS);
            let end = to.min((quarter + 1) * QUARTER_MS);
            let millis = u64::try_from(end - from).unwrap_or(0);
            let share = self.quarters.entry(quarter).or_default();
            share.held += held.min(total) * millis;
            share.total += total * millis;
            from = end;
        }
    }

    fn sample(&mut self, now: Time, held: u64, total: u64) {
        if let Some((since, held, total)) = self.now {
            self.add(since, now.max(since), held, total);
        }
        self.now = Some((now, held, total));
        let oldest = now.millis().div_euclid(QUARTER_MS) - QUARTERS;
        self.quarters = self.quarters.split_off(&oldest);
        let oldest = now.millis().div_euclid(HOUR_MS) - HOURS;
        self.waits = self.waits.split_off(&oldest);
    }

    fn wait(&mut self, since: Time, at: Time) {
        let waited = at.since(since).millis();
        let column = WAITS.iter().position(|(bound, _)| waited <= *bound).unwrap_or(WAITS.len() - 1);
        self.waits.entry(at.millis().div_euclid(HOUR_MS)).or_default()[column] += 1;
    }
}

impl Rollup {
    /// Looks at every pool, the first of them by name if there are more than can be followed.
    pub(crate) fn sample(&mut self, ledger: &Ledger, now: Time) {
        self.pools.retain(|name, _| ledger.pool(name.as_str()).is_some());
        for pool in ledger.pools().take(ROLLUP_POOLS_MAX) {
            self.sample_pool(ledger, &pool.name, now);
        }
    }

    /// Looks at one pool.
    pub(crate) fn sample_pool(&mut self, ledger: &Ledger, name: &PoolName, now: Time) {
        if ledger.pool(name.as_str()).is_none() {
            return;
        }
        let (held, total) = ledger.held_of(name);
        if let Some(pool) = self.of(name) {
            pool.sample(now, held, total);
        }
    }

    /// Counts that a request which waited since then was granted.
    pub(crate) fn waited(&mut self, event: &Event, since: Time) {
        let Some(name) = &event.pool else { return };
        if self.counted.0 != event.lease {
            self.counted = (event.lease, BTreeSet::new());
        }
        if self.counted.1.insert(name.clone())
            && let Some(pool) = self.of(name)
        {
            pool.wait(since, event.at);
        }
    }

    fn of(&mut self, name: &PoolName) -> Option<&mut PoolUse> {
        if !self.pools.contains_key(name) && self.pools.len() >= ROLLUP_POOLS_MAX {
            return None;
        }
        Some(self.pools.entry(name.clone()).or_default())
    }

    /// Adds what was worked out about the time before the start.
    pub(crate) fn fill(&mut self, past: Rewind) {
        for (name, (_, use_of_past)) in past.pools {
            let Some(pool) = self.of(&name) else { continue };
            for (quarter, share) in use_of_past.quarters {
                let sum = pool.quarters.entry(quarter).or_default();
                sum.held += share.held;
                sum.total += share.total;
            }
            for (hour, counts) in use_of_past.waits {
                let sums = pool.waits.entry(hour).or_default();
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
    }

    /// One pool as a page shows it.
    pub(crate) fn summary(&self, name: &PoolName, now: Time) -> Option<Summary> {
        let mut pool = self.pools.get(name)?.clone();
        if let Some((_, held, total)) = pool.now {
            pool.sample(now, held, total);
        }
        let last = now.millis().div_euclid(QUARTER_MS);
        let quarters = last - QUARTERS + 1..=last;
        let percent = |quarter: i64| pool.quarters.get(&quarter).and_then(|share| share.percent());
        let mut all = Share::default();
        for share in pool.quarters.range(quarters.clone()).map(|(_, share)| share) {
            all.held += share.held;
            all.total += share.total;
        }
        let mut waits = Counts::default();
        for counts in pool.waits.values() {
            waits.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        Some(Summary { percents: quarters.map(percent).collect(), mean: all.percent(), waits })
    }
}

/// History on its way backwards.
#[derive(Debug)]
pub(crate) struct Rewind {
    /// What is worked out so far, with when and what was held then.
    pools: BTreeMap<PoolName, ((Time, u64, u64), PoolUse)>,
    now: Time,
    /// Requests whose grant was seen, and whose beginning was not yet.
    granted: BTreeMap<RequestId, (Time, BTreeSet<PoolName>)>,
}

impl Rewind {
    /// Nothing yet, at `now`.
    pub(crate) fn new(now: Time) -> Self {
        Self { pools: BTreeMap::new(), now, granted: BTreeMap::new() }
    }

    /// Says what of a pool is held now, and how much of it there is.
    pub(crate) fn begin(&mut self, pool: &PoolName, (held, total): (u64, u64)) {
        if self.pools.len() < ROLLUP_POOLS_MAX {
            self.pools.insert(pool.clone(), ((self.now, held, total), PoolUse::default()));
        }
    }

    /// Goes back before an event.
    pub(crate) fn undo(&mut self, event: &Event) {
        if event.kind == EventKind::RequestQueued {
            let granted = event.request.and_then(|id| self.granted.remove(&id));
            if let Some((at, names)) = granted {
                for name in names {
                    if let Some((_, pool)) = self.pools.get_mut(&name) {
                        pool.wait(event.at, at);
                    }
                }
            }
        }
        let Some(name) = &event.pool else { return };
        if let (EventKind::LeaseGranted, Some(id)) = (event.kind, event.request)
            && (self.granted.len() < ROLLUP_REQUESTS_MAX || self.granted.contains_key(&id))
        {
            self.granted.entry(id).or_insert_with(|| (event.at, BTreeSet::new())).1.insert(name.clone());
        }
        let Some(((since, held, total), pool)) = self.pools.get_mut(name) else { return };
        let (more_held, more) = effect(event);
        if (more_held, more) == (0, 0) {
            return;
        }
        let at = event.at.min(*since);
        pool.add(at, *since, *held, *total);
        *since = at;
        *held = held.saturating_add_signed(-more_held);
        *total = total.saturating_add_signed(-more);
    }

    /// Goes back to the beginning of the time that is known.
    pub(crate) fn end(&mut self, begin: Time) {
        for ((since, held, total), pool) in self.pools.values_mut() {
            pool.add(begin.min(*since), *since, *held, *total);
            *since = begin.min(*since);
        }
    }
}

/// By how much an event changed what is held of its pool, and how much there is.
fn effect(event: &Event) -> (i64, i64) {
    match event.kind {
        EventKind::LeaseGranted | EventKind::LockRevived => (1, 0),
        EventKind::LockLapsed => (-1, 0),
        EventKind::LeaseReduced | EventKind::LeaseEnded => match event.cause {
            // It had lapsed before, which is when it stopped being held.
            Some(Cause::TakenOver | Cause::Collected) => (0, 0),
            _ => (-1, 0),
        },
        EventKind::ResourceCreated => (0, 1),
        EventKind::ResourceDeleted => (0, -1),
        EventKind::RequestQueued
        | EventKind::RequestWithdrawn
        | EventKind::RequestLapsed
        | EventKind::ResourceChanged
        | EventKind::ResourceCordoned
        | EventKind::ResourceUncordoned
        | EventKind::PoolCreated
        | EventKind::PoolChanged
        | EventKind::PoolDeleted
        | EventKind::JobStarted
        | EventKind::TargetAcquired
        | EventKind::TargetAcquireErr
        | EventKind::JobReleasing
        | EventKind::JobReleaseFailed
        | EventKind::TargetReleased
        | EventKind::JobCompleted
        | EventKind::JobFailed
        | EventKind::JobCancelled
        | EventKind::PluginInstalled
        | EventKind::PluginReplaced
        | EventKind::PluginRolledBack
        | EventKind::PluginEnabled
        | EventKind::PluginDisabled
        | EventKind::PluginRemoved
        | EventKind::PluginReloaded
        | EventKind::PluginQuarantined => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use lessor_ledger::EventId;

    use super::*;

    /// A quarter of an hour that is the first of its hour and day.
    const NOON: i64 = 1_777_896_000_000;

    fn minute(minutes: i64) -> Time {
        Time::from_millis(NOON + minutes * 60_000)
    }

    fn gpu() -> PoolName {
        PoolName::new("gpu").expect("a name")
    }

    fn event(kind: EventKind, at: i64, request: Option<u64>) -> Event {
        Event {
            id: EventId(1),
            at: minute(at),
            kind,
            target: None,
            pool: Some(gpu()),
            lease: Some(LeaseId(7)),
            request: request.map(RequestId),
            owner: None,
            plugin: None,
            from: None,
            to: None,
            cause: None,
            note: None,
        }
    }

    fn last(summary: &Summary, count: usize) -> Vec<Option<u8>> {
        summary.percents[summary.percents.len() - count..].to_vec()
    }

    #[test]
    fn what_is_held_is_spread_over_quarters() {
        let mut pool = PoolUse::default();
        pool.sample(minute(0), 0, 4);
        pool.sample(minute(10), 2, 4);
        pool.sample(minute(25), 4, 4);
        let rollup = Rollup { pools: [(gpu(), pool)].into(), ..Rollup::default() };
        let summary = rollup.summary(&gpu(), minute(30)).expect("it is followed");
        // 5 of 15 minutes at one half; 10 at one half and 5 full; nothing yet.
        assert_eq!(last(&summary, 4), [None, Some(16), Some(66), None]);
        assert_eq!(summary.percents.len(), 96);
    }

    #[test]
    fn history_is_worked_out_backwards() {
        let mut rewind = Rewind::new(minute(30));
        rewind.begin(&gpu(), (1, 2));
        rewind.undo(&event(EventKind::LeaseGranted, 20, None));
        rewind.undo(&event(EventKind::LeaseEnded, 15, None));
        rewind.undo(&event(EventKind::LeaseGranted, 0, None));
        rewind.undo(&event(EventKind::ResourceCreated, -15, None));
        rewind.end(minute(-30));
        let mut rollup = Rollup::default();
        rollup.fill(rewind);
        let summary = rollup.summary(&gpu(), minute(30)).expect("it is followed");
        assert_eq!(last(&summary, 5), [Some(0), Some(0), Some(50), Some(33), None]);
    }

    #[test]
    fn what_begins_before_the_known_time_is_unknown() {
        let mut rewind = Rewind::new(minute(30));
        rewind.begin(&gpu(), (0, 1));
        rewind.undo(&event(EventKind::LeaseEnded, 15, None));
        let mut rollup = Rollup::default();
        rollup.fill(rewind);
        let summary = rollup.summary(&gpu(), minute(30)).expect("it is followed");
        assert_eq!(last(&summary, 3), [None, Some(0), None]);
    }

    #[test]
    fn waits_are_counted_once_for_each_lease_and_pool() {
        let cpu = PoolName::new("cpu").expect("a name");
        let of_cpu = |event: Event| Event { pool: Some(cpu.clone()), ..event };
        let mut rollup = Rollup::default();
        let granted = event(EventKind::LeaseGranted, 20, Some(3));
        rollup.waited(&granted, minute(19));
        rollup.waited(&of_cpu(granted.clone()), minute(19));
        rollup.waited(&granted, minute(19));
        let mut rewind = Rewind::new(minute(30));
        rewind.begin(&gpu(), (0, 1));
        rewind.begin(&cpu, (0, 1));
        rewind.undo(&of_cpu(event(EventKind::LeaseGranted, 10, Some(2))));
        rewind.undo(&event(EventKind::LeaseGranted, 10, Some(2)));
        rewind.undo(&event(EventKind::RequestQueued, -10, Some(2)));
        rollup.fill(rewind);
        let summary = rollup.summary(&gpu(), minute(30)).expect("it is followed");
        assert_eq!(summary.waited(), 2);
        assert_eq!(rollup.summary(&cpu, minute(30)).expect("it is followed").waited(), 2);
        assert_eq!(summary.waits()[3], ("1 min".to_owned(), 1));
        assert_eq!(summary.percentiles(), Some(("≤ 1 min".to_owned(), "≤ 30 min".to_owned())));
    }

    #[test]
    fn only_the_last_day_is_kept() {
        let mut pool = PoolUse::default();
        pool.sample(minute(0), 1, 1);
        pool.wait(minute(0), minute(1));
        pool.sample(minute(3 * 24 * 60), 1, 1);
        assert!(pool.quarters.len() <= 97, "{}", pool.quarters.len());
        assert!(pool.waits.is_empty());
    }
}
