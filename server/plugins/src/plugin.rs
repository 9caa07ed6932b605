//! A plugin over its life: which version is current, whether it takes calls, and how its calls went.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::call::{CallError, NoManager};
use crate::limits::{SAMPLES_MAX, STRIKES_MAX};
use crate::status::{PluginStatus, State};
use crate::version::Version;
use crate::visit::EXPORTS;

/// One plugin. Its name stays, its versions come and go.
pub(crate) struct Plugin {
    current: ArcSwap<Version>,
    /// Calls that run or wait, of all versions.
    in_flight: AtomicU64,
    record: Mutex<Record>,
}

/// How it went so far.
struct Record {
    state: State,
    calls: u64,
    errors: u64,
    refused: u64,
    /// Abnormal ends in a row, by export: the checks that precede every job must not hide that its calls fail.
    strikes: [u32; EXPORTS],
    last_error: Option<String>,
    /// How long the latest calls took, in microseconds: a ring.
    took_us: Vec<u64>,
    /// Where the next one goes.
    next: usize,
}

impl Plugin {
    pub(crate) fn new(version: Arc<Version>) -> Self {
        let record = Record {
            state: State::Enabled,
            calls: 0,
            errors: 0,
            refused: 0,
            strikes: [0; EXPORTS],
            last_error: None,
            took_us: Vec::new(),
            next: 0,
        };
        Self { current: ArcSwap::new(version), in_flight: AtomicU64::new(0), record: Mutex::new(record) }
    }

    /// The version that takes the next call.
    pub(crate) fn current(&self) -> Arc<Version> {
        self.current.load_full()
    }

    /// Makes another version the current one. A new component gets a new chance: a quarantine ends.
    pub(crate) fn replace(&self, version: Arc<Version>) {
        let mut record = self.record();
        self.current.store(version);
        record.strikes = [0; EXPORTS];
        if matches!(record.state, State::Quarantined { .. }) {
            record.state = State::Enabled;
        }
    }

    pub(crate) fn set_enabled(&self, enabled: bool) {
        let mut record = self.record();
        record.strikes = [0; EXPORTS];
        record.state = if enabled { State::Enabled } else { State::Disabled };
    }

    /// Whether it takes calls.
    pub(crate) fn available(&self) -> Result<(), NoManager> {
        match &self.record().state {
            State::Enabled => Ok(()),
            State::Disabled => Err(NoManager::Disabled),
            State::Quarantined { reason } => Err(NoManager::Quarantined(reason.clone())),
        }
    }

    /// Counts a call as long as what is returned lives.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Notes how a call ended. What a caller did (cancel, a short timeout) is no strike, and neither is a full mailbox.
    pub(crate) fn ended(
        &self,
        version: &Arc<Version>,
        export: usize,
        took: Duration,
        end: Result<(), &CallError>,
    ) {
        let mut record = self.record();
        if matches!(end, Err(CallError::Busy)) {
            record.refused += 1;
            return;
        }
        record.calls += 1;
        record.sample(took);
        let Err(error) = end else {
            record.strikes[export] = 0;
            return;
        };
        record.errors += 1;
        record.last_error = Some(error.to_string());
        let broke = matches!(
            error,
            CallError::Trapped(_) | CallError::OutOfCpu | CallError::OutOfMemory | CallError::OutputTooLarge
        );
        // What an old version does, after it was replaced, is not held against the new one.
        if !broke || !Arc::ptr_eq(version, &self.current.load()) {
            return;
        }
        record.strikes[export] += 1;
        let strikes = record.strikes[export];
        if strikes >= STRIKES_MAX && record.state == State::Enabled {
            let reason = format!("{strikes} times in a row: {error}");
            tracing::error!(plugin = %version.context.name, %reason, "a plugin is put in quarantine");
            record.state = State::Quarantined { reason };
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
            strikes: record.strikes.into_iter().max().unwrap_or(0),
            last_error: record.last_error.clone(),
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
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
