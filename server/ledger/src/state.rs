//! The state of the ledger: records in persistent maps, and `absorb`, which is the only way to change them.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::change::{Change, Counters, Key};
use crate::index::{Index, Moved, Standing};
use crate::job::JobRecord;
use crate::lease::{Lease, LeaseId, Lock};
use crate::limits;
use crate::name::{Job, Owner, PluginName, PoolName, Target, Text};
use crate::plugin::PluginRecord;
use crate::pool::Pool;
use crate::request::{Request, RequestId};
use crate::resource::Resource;
use crate::time::{Span, Time};

/// All rules and all current records. Cloning takes constant time; a clone is a snapshot.
///
/// Ended leases and past events are not in here: they are history, and the store's.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) settings: Settings,
    pub(crate) now: Time,
    pub(crate) counters: Counters,
    pub(crate) pools: OrdMap<PoolName, Arc<Pool>>,
    pub(crate) resources: OrdMap<Target, Arc<Resource>>,
    pub(crate) locks: OrdMap<Target, Arc<Lock>>,
    pub(crate) leases: OrdMap<LeaseId, Arc<Lease>>,
    pub(crate) requests: OrdMap<RequestId, Arc<Request>>,
    pub(crate) keys: OrdMap<(Owner, Text), Arc<Key>>,
    pub(crate) jobs: OrdMap<Job, Arc<JobRecord>>,
    pub(crate) plugins: OrdMap<PluginName, Arc<PluginRecord>>,
    pub(crate) index: Index,
    /// Dynamic pools that still need more resources than one step may create.
    pub(crate) unfinished: OrdSet<PoolName>,
}

/// What the rules depend on apart from the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a waiter may be silent before it stops holding others up (Boskos: `--request-ttl`).
    pub request_ttl: Span,
    /// From this and the event number the names of dynamic resources are made. Drawn once for each store.
    pub seed: u64,
    /// Most resources that there may be. Those that are there already stay.
    pub resources_max: usize,
}

impl Default for Settings {
    /// Boskos' default request TTL of 30 s, seed 0, and [`limits::RESOURCES_MAX`].
    fn default() -> Self {
        Self { request_ttl: Span::from_secs(30), seed: 0, resources_max: limits::RESOURCES_MAX }
    }
}

/// What becomes of a record.
#[derive(Clone, Copy)]
pub(crate) enum Edit<'a, T> {
    Keep,
    Set(&'a Arc<T>),
    Remove,
}

impl<T> Edit<'_, T> {
    /// Answers what the record was, and what it is now.
    fn make(self, records: &mut OrdMap<Target, Arc<T>>, name: &Target) -> (Option<Arc<T>>, Option<Arc<T>>) {
        match self {
            Self::Keep => {
                let kept = records.get(name).cloned();
                (kept.clone(), kept)
            }
            Self::Set(record) => (records.insert(name.clone(), Arc::clone(record)), Some(Arc::clone(record))),
            Self::Remove => (records.remove(name), None),
        }
    }
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: Time::from_nanos(i64::MIN),
            counters: Counters::default(),
            pools: OrdMap::new(),
            resources: OrdMap::new(),
            locks: OrdMap::new(),
            leases: OrdMap::new(),
            requests: OrdMap::new(),
            keys: OrdMap::new(),
            jobs: OrdMap::new(),
            plugins: OrdMap::new(),
            index: Index::default(),
            unfinished: OrdSet::new(),
        }
    }

    /// The latest time at which anything was decided. Time never goes back: an earlier one counts as this one
    /// (promise P9).
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The highest numbers given out so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the rules depend on apart from the records.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Makes sure that no number up to `counters` is given out again and that time does not go back before `now`.
    /// Used on opening a store, whose oldest records may have been trimmed.
    pub fn raise(&mut self, counters: Counters, now: Time) {
        self.counters = self.counters.max(counters);
        self.now = self.now.max(now);
    }

    /// When [`Command::Tick`](crate::Command::Tick) is due even if nobody calls; `None` while nothing is pending.
    ///
    /// A lock is live at its deadline itself, so the answer is the instant after. A tick that comes too early or
    /// too late is harmless.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if !self.unfinished.is_empty() {
            return Some(self.now);
        }
        self.index.next_due().map(|due| due.plus(Span::from_nanos(1)))
    }

    /// Folds one change into the state: the only mutator, and the recovery path.
    ///
    /// Absorbing a change twice is the same as absorbing it once. Changes of one step are absorbed in order.
    pub fn absorb(&mut self, change: &Change) {
        self.fold(change);
    }

    /// The same, and what that was for the target of a resource or lock.
    pub(crate) fn fold(&mut self, change: &Change) -> Option<Moved> {
        self.counters.cover(change);
        match change {
            Change::Pool(pool) => {
                self.pools.insert(pool.name.clone(), Arc::clone(pool));
                self.index.pool_came(&pool.name);
            }
            Change::PoolGone(name) => {
                self.pools.remove(name);
                self.index.pool_went(name);
            }
            Change::Resource(resource) => {
                return Some(self.move_target(&resource.name, Edit::Set(resource), Edit::Keep));
            }
            Change::ResourceGone(name) => return Some(self.move_target(name, Edit::Remove, Edit::Keep)),
            Change::Lock(lock) => {
                return Some(self.move_target(&lock.target, Edit::Keep, Edit::Set(lock)));
            }
            Change::LockGone(target) => return Some(self.move_target(target, Edit::Keep, Edit::Remove)),
            Change::Lease(lease) => self.absorb_lease(lease),
            Change::Request(request) => self.absorb_request(request.id, Some(request)),
            Change::RequestGone(id) => self.absorb_request(*id, None),
            Change::Key(key) => {
                if let Some(old) = self.keys.insert((key.owner.clone(), key.text.clone()), Arc::clone(key)) {
                    self.index.key_went(&old);
                }
                self.index.key_came(key);
            }
            Change::KeyGone(owner, text) => {
                if let Some(old) = self.keys.remove(&(owner.clone(), text.clone())) {
                    self.index.key_went(&old);
                }
            }
            Change::Job(job) => self.absorb_job(job.id, Some(job)),
            Change::JobGone(id) => self.absorb_job(*id, None),
            Change::Plugin(plugin) => {
                self.plugins.insert(plugin.name.clone(), Arc::clone(plugin));
            }
            Change::PluginGone(name) => {
                self.plugins.remove(name);
            }
            Change::Event(_) => {}
        }
        None
    }

    /// Folds what becomes of a resource and what becomes of its lock in one go: the indexes move it once, and not by
    /// way of a place where it never stood. The caller records both as changes, too.
    pub(crate) fn fold_both(&mut self, resource: &Arc<Resource>, lock: Edit<'_, Lock>) -> Moved {
        self.counters.cover_revision(resource);
        self.move_target(&resource.name, Edit::Set(resource), lock)
    }

    fn move_target(&mut self, name: &Target, resource: Edit<'_, Resource>, lock: Edit<'_, Lock>) -> Moved {
        let (old, new) = resource.make(&mut self.resources, name);
        let (old_lock, new_lock) = lock.make(&mut self.locks, name);
        let moved = Moved {
            before: Standing { resource: old, lock: old_lock },
            after: Standing { resource: new, lock: new_lock },
        };
        self.index.target_moved(&moved);
        if moved.before.pool() != moved.after.pool() {
            let old = moved.before.resource.as_deref();
            self.index.reline(name, old, &self.requests, &self.resources);
        }
        moved
    }

    fn absorb_lease(&mut self, lease: &Arc<Lease>) {
        let old = if lease.ended.is_some() {
            self.leases.remove(&lease.id)
        } else {
            self.leases.insert(lease.id, Arc::clone(lease))
        };
        if let Some(old) = old {
            self.index.lease_went(&old);
        }
        if lease.ended.is_none() {
            self.index.lease_came(lease);
        }
    }

    fn absorb_job(&mut self, id: Job, job: Option<&Arc<JobRecord>>) {
        let old = match job {
            Some(job) => self.jobs.insert(id, Arc::clone(job)),
            None => self.jobs.remove(&id),
        };
        if let Some(old) = old {
            self.index.job_went(&old);
        }
        if let Some(job) = job {
            self.index.job_came(job);
        }
    }

    fn absorb_request(&mut self, id: RequestId, request: Option<&Arc<Request>>) {
        let old = match request {
            Some(request) => self.requests.insert(id, Arc::clone(request)),
            None => self.requests.remove(&id),
        };
        if let Some(old) = old {
            self.index.request_went(&old, &self.resources);
        }
        if let Some(request) = request {
            self.index.request_came(request, &self.resources);
        }
    }
}
