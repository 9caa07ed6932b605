//! A plugin over its life: which version is current, whether it takes calls, and how its calls went.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, broadcast};

use crate::call::{CallError, NoManager};
use crate::limits::{SAMPLES_MAX, STRIKES_MAX, STRIKES_OF};
use crate::status::{PluginStatus, Quarantine, State};
use crate::version::Version;
use crate::visit::{EXPORTS, Stay};

/// One plugin. Its name stays, its versions come and go.
pub(crate) struct Plugin {
    current: ArcSwap<Version>,
    /// Calls that run or wait, of all versions.
    in_flight: AtomicU64,
    /// Room for one running call, whatever other plugins do.
    pub(crate) room: Semaphore,
    /// A turn and room for one check of parameters, whatever its jobs do.
    pub(crate) desk: Semaphore,
    /// Where its calls that compute for long take turns.
    pub(crate) lane: Semaphore,
    record: Mutex<Record>,
    /// Who follows along hears of quarantines.
    quarantines: broadcast::Sender<Quarantine>,
}

/// How it went so far.
struct Record {
    state: State,
    /// In quarantine: what broke. Calls of what comes after that are made all the same.
    broke: Part,
    calls: u64,
    errors: u64,
    refused: u64,
    /// By export, because the checks that precede every job must not hide that its calls fail.
    strikes: [Strikes; EXPORTS],
    last_error: Option<String>,
    /// How long the latest calls took, in microseconds: a ring.
    took_us: Vec<u64>,
    /// Where the next one goes.
    next: usize,
}

/// Part of the life of a job that a call is for, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Check,
    Acquire,
    Release,
}

impl Part {
    /// What goes on while a plugin is in quarantine for this part.
    fn goes_on(self) -> &'static str {
        match self {
            Self::Check => "; jobs that it has go on",
            Self::Acquire => "; what it has acquired is released all the same",
            Self::Release => "",
        }
    }
}

/// How the latest [`STRIKES_OF`] calls ended, the latest last. A job that is tried again and again strikes once among them.
#[derive(Default)]
struct Strikes(VecDeque<Outcome>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Well,
    /// Abnormally, for this job if it was for one.
    Struck(Option<u64>),
}

/// How a call went, apart from what came of it.
pub(crate) struct End {
    /// Of which export.
    pub(crate) export: usize,
    pub(crate) part: Part,
    /// For which job, if for one.
    pub(crate) job: Option<u64>,
    pub(crate) took: Duration,
    /// Where it was made; none if it had no turn.
    pub(crate) stay: Option<Stay>,
}

impl Plugin {
    pub(crate) fn new(version: Arc<Version>, quarantines: broadcast::Sender<Quarantine>) -> Self {
        let record = Record {
            state: State::Enabled,
            broke: Part::Check,
            calls: 0,
            errors: 0,
            refused: 0,
            strikes: Default::default(),
            last_error: None,
            took_us: Vec::new(),
            next: 0,
        };
        Self {
            current: ArcSwap::new(version),
            in_flight: AtomicU64::new(0),
            room: Semaphore::new(1),
            desk: Semaphore::new(1),
            lane: Semaphore::new(1),
            record: Mutex::new(record),
            quarantines,
        }
    }

    /// Whether a version takes the next call.
    pub(crate) fn is_current(&self, version: &Arc<Version>) -> bool {
        Arc::ptr_eq(version, &self.current.load())
    }

    /// The version that takes the next call.
    pub(crate) fn current(&self) -> Arc<Version> {
        self.current.load_full()
    }

    /// Makes another version the current one: calls that run finish on the old one, those that wait have their turn at
    /// the new one. A new component gets a new chance: a quarantine ends.
    pub(crate) fn replace(&self, version: Arc<Version>) {
        let mut record = self.record();
        // Only then the old one is closed: who is sent away there finds the new one here.
        self.current.swap(version).close();
        record.strikes = Default::default();
        if matches!(record.state, State::Quarantined { .. }) {
            record.state = State::Enabled;
        }
    }

    pub(crate) fn set_enabled(&self, enabled: bool) {
        let mut record = self.record();
        record.strikes = Default::default();
        record.state = if enabled { State::Enabled } else { State::Disabled };
    }

    /// Whether it takes calls of this part. Whoever submits jobs chooses what is checked and acquired; if that breaks it, what
    /// it has locked already is released all the same.
    pub(crate) fn available(&self, part: Part) -> Result<(), NoManager> {
        let record = self.record();
        match &record.state {
            State::Enabled => Ok(()),
            State::Disabled => Err(NoManager::Disabled),
            State::Quarantined { .. } if part > record.broke => Ok(()),
            State::Quarantined { reason } => Err(NoManager::Quarantined(reason.clone())),
        }
    }

    /// Counts a call as long as what is returned lives.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Notes how a call ended. A time limit is a strike if the guest computed for much of it; if it was waiting, for its
    /// turn, the server or an endpoint, that may be anybody's doing. What the caller did, and a refusal, are none.
    pub(crate) fn ended(&self, end: &End, done: Result<(), &CallError>) {
        let mut record = self.record();
        if matches!(done, Err(CallError::Busy | CallError::Unavailable(_))) {
            record.refused += 1;
            return;
        }
        record.calls += 1;
        if matches!(done, Err(CallError::Cancelled)) {
            return;
        }
        record.sample(end.took);
        let Some(stay) = &end.stay else {
            // It ended in line.
            if let Err(error) = done {
                record.failed(error);
            }
            return;
        };
        let struck = match done {
            Ok(()) => false,
            Err(
                CallError::Trapped(_)
                | CallError::OutOfCpu
                | CallError::OutOfMemory
                | CallError::OutputTooLarge,
            ) => true,
            Err(CallError::Timeout) if stay.is_to_blame() => true,
            Err(error) => return record.failed(error),
        };
        // What an old version does, after it was replaced, is not held against the new one.
        let current = self.is_current(&stay.version);
        if current {
            let outcome = if struck { Outcome::Struck(end.job) } else { Outcome::Well };
            record.strikes[end.export].note(outcome);
        }
        let Err(error) = done else { return };
        record.failed(error);
        let strikes = record.strikes[end.export].count();
        if current && strikes >= STRIKES_MAX && record.may_be_put_in_quarantine(end.part) {
            let what = end.part.goes_on();
            let reason = format!("{strikes} of its latest {STRIKES_OF} calls of a kind broke: {error}{what}");
            tracing::error!(plugin = %stay.version.context.name, %reason, "a plugin is put in quarantine");
            let plugin = stay.version.context.name.clone();
            // Nobody may be there to hear it.
            let _ = self.quarantines.send(Quarantine { plugin, reason: reason.clone() });
            record.state = State::Quarantined { reason };
            record.broke = end.part;
        }
    }

    pub(crate) fn status(&self) -> PluginStatus {
        let version = self.current();
        let record = self.record();
        let anatomy = &version.anatomy;
        PluginStatus {
            name: version.context.name.clone(),
            kind: version.kind,
            digest: version.digest.clone(),
            contract: anatomy.contract.clone(),
            exports: anatomy.exports.clone(),
            imports: anatomy.imports.clone(),
            wanted_grants: anatomy.wanted.iter().map(ToString::to_string).collect(),
            missing_grants: Vec::new(),
            warm: version.warm,
            state: record.state.clone(),
            calls: record.calls,
            errors: record.errors,
            refused: record.refused,
            p95_us: record.p95_us(),
            memory_high_water_bytes: version.memory_high_water.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            strikes: record.strikes.iter().map(Strikes::count).max().unwrap_or(0),
            last_error: record.last_error.clone(),
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Strikes {
    fn note(&mut self, outcome: Outcome) {
        if matches!(outcome, Outcome::Struck(Some(_))) && self.0.contains(&outcome) {
            return;
        }
        if self.0.len() == STRIKES_OF as usize {
            self.0.pop_front();
        }
        self.0.push_back(outcome);
    }

    fn count(&self) -> u32 {
        u32::try_from(self.0.iter().filter(|outcome| **outcome != Outcome::Well).count()).unwrap_or(u32::MAX)
    }
}

impl Record {
    /// Whether it is in none yet, or in a lesser one.
    fn may_be_put_in_quarantine(&self, part: Part) -> bool {
        match self.state {
            State::Enabled => true,
            State::Disabled => false,
            State::Quarantined { .. } => part > self.broke,
        }
    }

    fn failed(&mut self, error: &CallError) {
        self.errors += 1;
        self.last_error = Some(error.to_string());
    }

    fn sample(&mut self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if self.took_us.len() < SAMPLES_MAX {
            self.took_us.push(took_us);
        } else {
            self.took_us[self.next] = took_us;
        }
        self.next = (self.next + 1) % SAMPLES_MAX;
    }

    fn p95_us(&self) -> Option<u64> {
        let mut sorted = self.took_us.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * 95).div_ceil(100);
        sorted.get(rank.checked_sub(1)?).copied()
    }
}

/// A call that runs or waits.
pub(crate) struct InFlight(Arc<Plugin>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
