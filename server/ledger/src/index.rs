//! Indexes: what makes every operation's cost independent of how much there is (promise P6).
//!
//! Nothing in here is a record; all of it can be rebuilt from the records, and `check` does so.

mod few;
mod labelled;
mod line;
mod members;
mod shelf;
mod standing;

use imbl::{OrdMap, OrdSet};

pub(crate) use line::{Demand, Line, Selector, Turn, arranged, demands, turn};
pub(crate) use members::Members;
pub(crate) use shelf::Shelf;
pub(crate) use standing::{Moved, Standing};

use crate::change::Key;
use crate::command::Wanted;
use crate::job::JobRecord;
use crate::lease::{Lease, LeaseId, Lock};
use crate::limits;
use crate::name::{Job, Owner, PoolName, State, Target, Text};
use crate::request::{Request, RequestId};
use crate::resource::{Origin, Resource};
use crate::time::Time;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    /// What can be leased now, by pool and state.
    pub(crate) shelves: OrdMap<(PoolName, State), Shelf>,
    /// What is held now, by pool and state, the least recently written first.
    pub(crate) held: OrdMap<(PoolName, State), OrdSet<(Time, Target)>>,
    /// Idle dynamic resources that wait for the cleaner, the longest-waiting first.
    pub(crate) doomed: OrdSet<(Time, Target)>,
    /// Who belongs to each pool, and counts.
    pub(crate) members: OrdMap<PoolName, Members>,
    /// Deadlines of live locks.
    pub(crate) deadlines: OrdSet<(Time, Target)>,
    /// Deadlines of lapsed locks, which are collected a day later.
    pub(crate) lapsed: OrdSet<(Time, Target)>,
    /// When idle dynamic resources are given up.
    pub(crate) lifespans: OrdSet<(Time, Target)>,
    /// When cordons end by themselves.
    pub(crate) cordons: OrdSet<(Time, Target)>,
    /// Active leases by owner.
    pub(crate) leases_by_owner: OrdSet<(Owner, LeaseId)>,
    /// Active leases by owner and client key; several dialects and pools may use the same key.
    pub(crate) leases_by_key: OrdSet<(Owner, Text, LeaseId)>,
    /// Leases that nobody has collected yet, by when they are taken back.
    pub(crate) uncollected: OrdSet<(Time, LeaseId)>,
    /// Who waits for what, in order.
    pub(crate) lines: OrdMap<Wanted, Line>,
    /// When to look at each waiting request next: it falls silent, or loses its place.
    pub(crate) silence: OrdSet<(Time, RequestId)>,
    /// Settled requests by when they are forgotten.
    pub(crate) outcomes: OrdSet<(Time, RequestId)>,
    /// [`Request::size`] of those that wait, together.
    pub(crate) waiting_size: usize,
    /// The same of those that are settled.
    pub(crate) outcomes_size: usize,
    /// [`matching`](crate::request::matching) of those that wait, together.
    pub(crate) waiting_matching: usize,
    /// Boskos pollers by what they wait for and their `request_id`.
    pub(crate) pollers: OrdMap<(PoolName, State, Text), RequestId>,
    /// Waiting requests by the targets that they name.
    pub(crate) named: OrdSet<(Target, RequestId)>,
    /// Idempotency keys by age.
    pub(crate) keys_by_age: OrdSet<(Time, Owner, Text)>,
    /// When something happens to each live job by itself.
    pub(crate) jobs_due: OrdSet<(Time, Job)>,
    /// Jobs that are over, by when they ended.
    pub(crate) jobs_over: OrdSet<(Time, Job)>,
    /// Bytes of the jobs that are not over, as [`JobRecord::bytes`] counts them.
    pub(crate) jobs_bytes: usize,
    /// The same of those that are.
    pub(crate) jobs_over_bytes: usize,
}

impl Index {
    /// The earliest instant after which something is due.
    pub(crate) fn next_due(&self) -> Option<Time> {
        let collected = self.lapsed.get_min().map(|(at, _)| at.plus(limits::LAPSED_LOCK_KEEP));
        let jobs_forgotten = self.jobs_over.get_min().map(|(at, _)| at.plus(limits::JOB_KEEP));
        let forgotten = self.keys_by_age.get_min().map(|(at, ..)| at.plus(limits::KEY_KEEP));
        [
            self.deadlines.get_min().map(|&(at, _)| at),
            self.lifespans.get_min().map(|&(at, _)| at),
            self.cordons.get_min().map(|&(at, _)| at),
            self.uncollected.get_min().map(|&(at, _)| at),
            self.silence.get_min().map(|&(at, _)| at),
            self.outcomes.get_min().map(|&(at, _)| at),
            collected,
            forgotten,
            self.jobs_due.get_min().map(|&(at, _)| at),
            jobs_forgotten,
            self.doomed.get_min().map(|(at, _)| at.plus(limits::CLEANER_DELAY)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(crate) fn pool_came(&mut self, name: &PoolName) {
        self.members.entry(name.clone()).or_default();
    }

    pub(crate) fn pool_went(&mut self, name: &PoolName) {
        if self.members.get(name).is_some_and(Members::is_empty) {
            self.members.remove(name);
        }
    }

    /// Moves a target from where it stood to where it stands.
    pub(crate) fn target_moved(&mut self, Moved { before, after }: &Moved) {
        self.lock_moved(before.lock.as_deref(), after.lock.as_deref());
        if before.is_placed_as(after) {
            return;
        }
        if let Some(old) = &before.resource {
            self.leave_shelf(old, before.is_held());
            if let Some(at) = cordon_end(old) {
                self.cordons.remove(&(at, old.name.clone()));
            }
        }
        if let Some(new) = &after.resource {
            self.join_shelf(new, after.is_held());
            if let Some(at) = cordon_end(new) {
                self.cordons.insert((at, new.name.clone()));
            }
        }
        self.member_moved(before, after);
    }

    fn lock_moved(&mut self, old: Option<&Lock>, new: Option<&Lock>) {
        let place = |lock: &Lock| Some((lock.deadline?, lock.lapsed));
        if old.and_then(place) == new.and_then(place) {
            return;
        }
        if let Some(old) = old
            && let Some(deadline) = old.deadline
        {
            let set = if old.lapsed { &mut self.lapsed } else { &mut self.deadlines };
            set.remove(&(deadline, old.target.clone()));
        }
        if let Some(new) = new
            && let Some(deadline) = new.deadline
        {
            let set = if new.lapsed { &mut self.lapsed } else { &mut self.deadlines };
            set.insert((deadline, new.target.clone()));
        }
    }

    fn member_moved(&mut self, before: &Standing, after: &Standing) {
        if let (Some(old), Some(new)) = (&before.resource, &after.resource)
            && old.pool == new.pool
        {
            let (old, new) = ((&**old, before.lock.as_deref()), (&**new, after.lock.as_deref()));
            self.members_of(&new.0.pool).replace(old, new);
            return;
        }
        if let Some(old) = &before.resource {
            self.members_of(&old.pool).leave(old, before.lock.as_deref());
        }
        if let Some(new) = &after.resource {
            self.members_of(&new.pool).join(new, after.lock.as_deref());
        }
    }

    fn members_of(&mut self, pool: &PoolName) -> &mut Members {
        self.members.entry(pool.clone()).or_default()
    }

    fn leave_shelf(&mut self, resource: &Resource, held: bool) {
        let place = (resource.updated_at, resource.name.clone());
        if held {
            let kind = (resource.pool.clone(), resource.state.clone());
            if let Some(set) = self.held.get_mut(&kind) {
                set.remove(&place);
                if set.is_empty() {
                    self.held.remove(&kind);
                }
            }
            return;
        }
        if let Some(at) = lifespan(resource) {
            self.lifespans.remove(&(at, resource.name.clone()));
        }
        if doomed(resource) {
            self.doomed.remove(&place);
        }
        if resource.cordon().is_none() {
            let place = (resource.pool.clone(), resource.state.clone());
            if let Some(shelf) = self.shelves.get_mut(&place) {
                shelf.remove(resource);
                if shelf.is_empty() {
                    self.shelves.remove(&place);
                }
            }
        }
    }

    fn join_shelf(&mut self, resource: &Resource, held: bool) {
        let place = (resource.updated_at, resource.name.clone());
        if held {
            let kind = (resource.pool.clone(), resource.state.clone());
            self.held.entry(kind).or_default().insert(place);
            return;
        }
        if let Some(at) = lifespan(resource) {
            self.lifespans.insert((at, resource.name.clone()));
        }
        if doomed(resource) {
            self.doomed.insert(place);
        }
        if resource.cordon().is_none() {
            let place = (resource.pool.clone(), resource.state.clone());
            self.shelves.entry(place).or_default().insert(resource);
        }
    }

    pub(crate) fn lease_came(&mut self, lease: &Lease) {
        self.leases_by_owner.insert((lease.owner.clone(), lease.id));
        if let Some(key) = &lease.key {
            self.leases_by_key.insert((lease.owner.clone(), key.clone(), lease.id));
        }
        if let Some(pickup) = &lease.pickup {
            self.uncollected.insert((pickup.by, lease.id));
        }
    }

    pub(crate) fn lease_went(&mut self, lease: &Lease) {
        self.leases_by_owner.remove(&(lease.owner.clone(), lease.id));
        if let Some(key) = &lease.key {
            self.leases_by_key.remove(&(lease.owner.clone(), key.clone(), lease.id));
        }
        if let Some(pickup) = &lease.pickup {
            self.uncollected.remove(&(pickup.by, lease.id));
        }
    }

    pub(crate) fn job_came(&mut self, job: &JobRecord) {
        let (times, bytes) = self.jobs_with(job);
        times.insert((job.phase.turns_at(), job.id));
        *bytes += job.bytes();
    }

    pub(crate) fn job_went(&mut self, job: &JobRecord) {
        let (times, bytes) = self.jobs_with(job);
        times.remove(&(job.phase.turns_at(), job.id));
        *bytes -= job.bytes();
    }

    fn jobs_with(&mut self, job: &JobRecord) -> (&mut OrdSet<(Time, Job)>, &mut usize) {
        if job.live() {
            (&mut self.jobs_due, &mut self.jobs_bytes)
        } else {
            (&mut self.jobs_over, &mut self.jobs_over_bytes)
        }
    }

    pub(crate) fn key_came(&mut self, key: &Key) {
        self.keys_by_age.insert((key.at, key.owner.clone(), key.text.clone()));
    }

    pub(crate) fn key_went(&mut self, key: &Key) {
        self.keys_by_age.remove(&(key.at, key.owner.clone(), key.text.clone()));
    }
}

/// Who keeps a resource from being leased by its lock.
pub(crate) fn holder(lock: Option<&Lock>) -> Option<&Owner> {
    lock.filter(|lock| !lock.lapsed).map(|lock| &lock.owner)
}

/// Whether a lock keeps its resource from being leased. Locks are marked lapsed as soon as time passes them.
pub(crate) fn held(lock: Option<&Lock>) -> bool {
    holder(lock).is_some()
}

/// When an idle dynamic resource is given up, if it is not on its way out already.
fn lifespan(resource: &Resource) -> Option<Time> {
    let leaving = || resource.state == State::to_be_deleted() || resource.state == State::tombstone();
    resource.expires_at.filter(|_| resource.origin == Origin::Dynamic && !leaving())
}

/// When its cordon ends by itself, held or not.
fn cordon_end(resource: &Resource) -> Option<Time> {
    resource.cordon()?.until
}

fn doomed(resource: &Resource) -> bool {
    resource.origin == Origin::Dynamic && resource.state == State::to_be_deleted()
}

/// When to look at a request next.
pub(crate) fn silence(request: &Request) -> Time {
    match request.outcome {
        Some(outcome) => outcome.at().plus(limits::OUTCOME_KEEP),
        None if request.dormant => request.live_until.plus(limits::REQUEST_GRACE),
        None => request.live_until,
    }
}
