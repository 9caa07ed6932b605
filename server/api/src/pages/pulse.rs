//! The one follower of the feed on behalf of all pages: turns events into signals, and into the rollups that pictures
//! are made of.
//!
//! Signals are merged: the first change after a quiet moment is told at once, then at most one signal each
//! [`SIGNAL_GAP`]. Renewals are no events; they are counted, and told of likewise, with [`RENEWALS_GAP`] between. If the feed was too fast, everything counts as changed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lessor_control::PoolsStatus;
use lessor_keeper::stats::Kind;
use lessor_keeper::{Keeper, Missed};
use lessor_ledger::{Event, EventId, EventKind, PoolName, Time};
use lessor_store::{EventFilter, ReadError, Reader};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits::{
    PULSE_GAP, RENEWALS_GAP, RENEWALS_LOOK_EVERY, ROLLUP_EVENTS_AT_ONCE, ROLLUP_EVENTS_MAX,
    ROLLUP_SAMPLE_EVERY, SIGNAL_GAP,
};
use crate::pages::rollup::{DAY, Rewind, Rollup, Summary};

/// What moves a deadline without an event.
const RENEWALS: [Kind; 4] = [Kind::Renew, Kind::BoskosUpdate, Kind::ContestRefresh, Kind::Job];

/// Up to which event each kind of thing has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) pools: u64,
    pub(crate) resources: u64,
    pub(crate) leases: u64,
    pub(crate) queue: u64,
    pub(crate) jobs: u64,
    pub(crate) plugins: u64,
    /// Counts what is no event but changes pages: that a lease was renewed here.
    pub(crate) touched: u64,
    /// Counts renewals, which are no events, up to the last of which pages were told.
    pub(crate) renewed: u64,
}

/// What pages know beyond the last state.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    rollup: Arc<Mutex<Rollup>>,
    signal: watch::Sender<Signal>,
}

impl Signal {
    fn all(event: u64) -> Self {
        Self {
            pools: event,
            resources: event,
            leases: event,
            queue: event,
            jobs: event,
            plugins: event,
            touched: 0,
            renewed: 0,
        }
    }

    fn cover(&mut self, event: &Event) {
        let id = event.id.0;
        match event.kind {
            EventKind::LeaseGranted | EventKind::LeaseReduced | EventKind::LeaseEnded => {
                self.leases = id;
                self.resources = id;
                if event.request.is_some() {
                    self.queue = id;
                }
            }
            EventKind::LockLapsed | EventKind::LockRevived => self.leases = id,
            EventKind::RequestQueued | EventKind::RequestWithdrawn | EventKind::RequestLapsed => {
                self.queue = id;
            }
            EventKind::ResourceCreated
            | EventKind::ResourceChanged
            | EventKind::ResourceDeleted
            | EventKind::ResourceCordoned
            | EventKind::ResourceUncordoned => self.resources = id,
            EventKind::PoolCreated | EventKind::PoolChanged | EventKind::PoolDeleted => self.pools = id,
            EventKind::JobStarted
            | EventKind::TargetAcquired
            | EventKind::TargetAcquireErr
            | EventKind::JobReleasing
            | EventKind::JobReleaseFailed
            | EventKind::TargetReleased
            | EventKind::JobCompleted
            | EventKind::JobFailed
            | EventKind::JobCancelled => self.jobs = id,
            EventKind::PluginInstalled
            | EventKind::PluginReplaced
            | EventKind::PluginRolledBack
            | EventKind::PluginEnabled
            | EventKind::PluginDisabled
            | EventKind::PluginRemoved
            | EventKind::PluginReloaded
            | EventKind::PluginQuarantined => self.plugins = id,
        }
    }
}

impl Pulse {
    /// Begins to follow. Within a runtime; ends with the keeper or at `shutdown`.
    pub(crate) fn start(
        keeper: &Keeper,
        pools: watch::Receiver<PoolsStatus>,
        shutdown: CancellationToken,
    ) -> Self {
        let feed = keeper.feed().paced(PULSE_GAP);
        let ledger = keeper.snapshot();
        let last = ledger.counters().event;
        let now = keeper.now();
        let mut rollup = Rollup::default();
        rollup.sample(&ledger, now);
        let pulse =
            Self { rollup: Arc::new(Mutex::new(rollup)), signal: watch::channel(Signal::all(last)).0 };
        let mut rewind = Rewind::new(now);
        for pool in ledger.pools() {
            rewind.begin(&pool.name, ledger.held_of(&pool.name));
        }
        let (filled, reader) = (pulse.clone(), keeper.history().clone());
        tokio::task::spawn_blocking(move || match look_back(&reader, rewind, EventId(last), now) {
            Ok(rewind) => filled.rollup().fill(rewind),
            Err(error) => {
                tracing::warn!(%error, "the pictures of the dashboard begin now: history cannot be read");
            }
        });
        let follower = Follower { pulse: pulse.clone(), keeper: keeper.clone(), touched: BTreeSet::new() };
        tokio::spawn(follower.run(feed, pools, shutdown));
        pulse
    }

    /// Signals from now on.
    pub(crate) fn signals(&self) -> watch::Receiver<Signal> {
        self.signal.subscribe()
    }

    /// Says that something changed that no event tells of.
    pub(crate) fn touch(&self) {
        self.signal.send_modify(|signal| signal.touched += 1);
    }

    /// What was told last.
    pub(crate) fn told(&self) -> Signal {
        *self.signal.borrow()
    }

    /// How a pool was used in the last 24 hours; `None` for a pool that is not followed.
    pub(crate) fn summary(&self, pool: &PoolName, now: Time) -> Option<Summary> {
        self.rollup().summary(pool, now)
    }

    fn rollup(&self) -> MutexGuard<'_, Rollup> {
        self.rollup.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the last day of history backwards, within a bound.
fn look_back(reader: &Reader, mut rewind: Rewind, last: EventId, now: Time) -> Result<Rewind, ReadError> {
    let since = now.plus(lessor_ledger::Span::from_nanos(-DAY.nanos()));
    let mut filter = EventFilter {
        before: Some(EventId(last.0 + 1)),
        newest_first: true,
        limit: ROLLUP_EVENTS_AT_ONCE,
        ..EventFilter::default()
    };
    for _ in 0..ROLLUP_EVENTS_MAX / ROLLUP_EVENTS_AT_ONCE {
        let events = reader.events(&filter)?;
        for event in &events {
            if event.at < since {
                rewind.end(since);
                return Ok(rewind);
            }
            rewind.undo(event);
        }
        let Some(first) = events.last() else { break };
        filter.before = Some(first.id);
        if events.len() < filter.limit {
            // All there is: before it nothing was known of.
            break;
        }
    }
    Ok(rewind)
}

struct Follower {
    pulse: Pulse,
    keeper: Keeper,
    touched: BTreeSet<PoolName>,
}

impl Follower {
    async fn run(
        mut self,
        mut feed: lessor_keeper::Feed,
        mut pools: watch::Receiver<PoolsStatus>,
        shutdown: CancellationToken,
    ) {
        let mut signal = *self.pulse.signal.borrow();
        let mut next = Instant::now();
        let mut dirty = false;
        let mut looks = tokio::time::interval(RENEWALS_LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut quiet_until = Instant::now();
        let mut samples = tokio::time::interval(ROLLUP_SAMPLE_EVERY);
        samples.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                // Every page says what is wrong with the pools file.
                Ok(()) = pools.changed() => self.pulse.touch(),
                () = tokio::time::sleep_until(next), if dirty => {
                    self.tell(signal);
                    dirty = false;
                    next = Instant::now() + SIGNAL_GAP;
                }
                _ = looks.tick() => {
                    if Instant::now() >= quiet_until && self.tell_of_renewals() {
                        quiet_until = Instant::now() + RENEWALS_GAP;
                    }
                }
                _ = samples.tick() => {
                    let now = self.keeper.now();
                    self.pulse.rollup().sample(&self.keeper.snapshot(), now);
                }
                events = feed.next() => {
                    match events {
                        Ok(events) => self.absorb(&mut signal, &events),
                        Err(Missed::Skipped) => signal = Signal::all(self.keeper.snapshot().counters().event),
                        Err(Missed::Stopped) => return,
                    }
                    dirty = true;
                }
            }
        }
    }

    fn absorb(&mut self, signal: &mut Signal, events: &[Arc<Event>]) {
        for event in events {
            signal.cover(event);
            if let Some(pool) = &event.pool
                && !self.touched.contains(pool)
            {
                self.touched.insert(pool.clone());
            }
        }
        let ledger = self.keeper.snapshot();
        let mut rollup = self.pulse.rollup();
        for event in
            events.iter().filter(|event| event.kind == EventKind::LeaseGranted && event.request.is_some())
        {
            let since = event.request.and_then(|id| ledger.request(id)).map(|request| request.since);
            if let Some(since) = since {
                rollup.waited(event, since);
            }
        }
    }

    fn tell(&mut self, signal: Signal) {
        let (ledger, now) = (self.keeper.snapshot(), self.keeper.now());
        let mut rollup = self.pulse.rollup();
        for pool in std::mem::take(&mut self.touched) {
            rollup.sample_pool(&ledger, &pool, now);
        }
        drop(rollup);
        self.pulse.signal.send_modify(|shown| {
            *shown = Signal { touched: shown.touched, renewed: shown.renewed, ..signal }
        });
    }

    /// Tells of renewals, if there were any since they were told of.
    fn tell_of_renewals(&self) -> bool {
        let renewed = RENEWALS.iter().map(|&kind| self.keeper.stats().applied(kind)).sum();
        self.pulse.signal.send_if_modified(|shown| std::mem::replace(&mut shown.renewed, renewed) != renewed)
    }
}
