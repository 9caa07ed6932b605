//! The `ConTest` locker (`reference/contest.md` §2, rules 1–26).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::apply::Draft;
use crate::apply::grant::NewLease;
use crate::change::Change;
use crate::command::ContestLock;
use crate::event::EventKind;
use crate::index::held;
use crate::lease::{Cause, Dialect, Lease, LeaseId, Lock};
use crate::limits;
use crate::name::{Owner, Target, Text};
use crate::refusal::{Conflict, Missing, Refusal};
use crate::reply::Reply;
use crate::time::Time;

/// A checked call: the job's owner name, each target once in the order given, and the new deadline.
struct Call {
    owner: Owner,
    targets: Vec<Target>,
    deadline: Time,
}

impl Draft<'_> {
    /// Rules 10–15: all or nothing.
    pub(super) fn contest_lock(&mut self, lock: ContestLock) -> Result<Reply, Refusal> {
        let call = self.check_call(lock)?;
        let conflicts: Vec<Conflict> =
            call.targets.iter().filter_map(|target| self.conflict_for(&call.owner, target)).collect();
        if !conflicts.is_empty() {
            return Err(Refusal::Busy(conflicts));
        }
        self.room_for_locks(&call.targets)?;
        self.lock_all(&call, &call.targets);
        Ok(Reply::Locked(call.targets))
    }

    /// Rules 16–20: as many as possible in list order, at most `limit`, the caller's own included.
    pub(super) fn contest_try_lock(&mut self, lock: ContestLock, limit: u64) -> Result<Reply, Refusal> {
        let call = self.check_call(lock)?;
        let free = call.targets.iter().filter(|target| self.conflict_for(&call.owner, target).is_none());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let taken: Vec<Target> = free.take(limit).cloned().collect();
        self.room_for_locks(&taken)?;
        self.lock_all(&call, &taken);
        Ok(Reply::Locked(taken))
    }

    /// Rules 21–23: every target must have a record of the caller's, live or lapsed.
    pub(super) fn contest_refresh(&mut self, lock: ContestLock) -> Result<Reply, Refusal> {
        let call = self.check_call(lock)?;
        self.check_own(&call)?;
        self.lock_all(&call, &call.targets);
        Ok(Reply::Locked(call.targets))
    }

    /// Rules 24–26: every target must have a record of the caller's, live or lapsed.
    pub(super) fn contest_unlock(&mut self, lock: ContestLock) -> Result<Reply, Refusal> {
        let call = self.check_call(lock)?;
        self.check_own(&call)?;
        let mut by_lease: BTreeMap<LeaseId, Vec<Target>> = BTreeMap::new();
        for target in &call.targets {
            if let Some(lock) = self.ledger.locks.get(target) {
                by_lease.entry(lock.lease).or_default().push(target.clone());
            }
        }
        let how = self.ended(Cause::Released);
        for (lease, targets) in by_lease {
            self.give_back(lease, &targets, &how, None);
        }
        Ok(Reply::Locked(call.targets))
    }

    /// Rules 1–3, and the collapse of repetitions (§2.9).
    fn check_call(&self, lock: ContestLock) -> Result<Call, Refusal> {
        if lock.job.0 == 0 {
            return Err(Refusal::JobZero);
        }
        if lock.targets.len() > limits::TARGETS_PER_CALL_MAX {
            return Err(Refusal::TooLarge {
                what: "targets in one call",
                limit: limits::TARGETS_PER_CALL_MAX,
            });
        }
        let mut seen = BTreeSet::new();
        let mut targets = Vec::with_capacity(lock.targets.len());
        for target in lock.targets {
            let target = target.ok_or(Refusal::EmptyTarget)?;
            if seen.insert(target.clone()) {
                targets.push(target);
            }
        }
        Ok(Call { owner: Owner::of_job(lock.job), targets, deadline: self.now.plus(lock.duration) })
    }

    /// Why `owner` cannot have `target` now. Its own record, live or lapsed, is never in its way (rule 9).
    pub(super) fn conflict_for(&self, owner: &Owner, target: &Target) -> Option<Conflict> {
        let own = self.ledger.locks.get(target).is_some_and(|lock| lock.owner == *owner);
        let kept = own && self.is_held(target);
        let conflict = if kept { None } else { self.ledger.conflict(target) };
        conflict.filter(|conflict| !own || conflict.holder.is_none())
    }

    fn check_own(&self, call: &Call) -> Result<(), Refusal> {
        let lock = |target: &Target| self.ledger.locks.get(target);
        let foreign = call.targets.iter().filter(|t| lock(t).is_none_or(|lock| lock.owner != call.owner));
        let missing: Vec<Missing> = foreign
            .map(|target| Missing {
                target: target.clone(),
                holder: lock(target).filter(|lock| held(Some(lock))).map(|lock| lock.owner.clone()),
            })
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(Refusal::NotHeld(missing)) }
    }

    /// Re-bases the caller's own locks among `targets` and takes the others in one new lease.
    fn lock_all(&mut self, call: &Call, targets: &[Target]) {
        let (own, new): (Vec<Target>, Vec<Target>) = targets
            .iter()
            .cloned()
            .partition(|target| self.ledger.locks.get(target).is_some_and(|lock| lock.owner == call.owner));
        let mut leases = BTreeSet::new();
        for target in own {
            leases.extend(self.ledger.locks.get(&target).map(|lock| lock.lease));
            self.rebase(&target, call.deadline);
        }
        for lease in leases {
            self.note_renewal(lease);
        }
        if !new.is_empty() {
            self.grant(NewLease {
                owner: call.owner.clone(),
                dialect: Dialect::Contest,
                targets: new,
                to_state: None,
                ttl: Some(call.deadline.since(self.now)),
                purpose: self.purpose_of_job(&call.owner),
                key: None,
                request: None,
            });
        }
    }

    /// What a lease is for that a target manager takes for its job.
    fn purpose_of_job(&self, owner: &Owner) -> Option<Text> {
        let job = self.ledger.jobs.get(&owner.job()?)?;
        job.live().then(|| job.purpose())
    }

    /// A job refreshes all that it holds in one call (`reference/contest.md` §4.4), so a sign of life for one target
    /// of a lease is one for the lease: a Boskos `/reset` leaves it alone as it does what was just written.
    pub(super) fn note_renewal(&mut self, id: LeaseId) {
        let noted = |lease: &&Arc<Lease>| lease.renewed_at == self.now && lease.pickup.is_none();
        let Some(lease) = self.ledger.leases.get(&id).filter(|lease| !noted(lease)) else { return };
        let renewed = Lease { renewed_at: self.now, pickup: None, ..Lease::clone(lease) };
        self.record(Change::Lease(Arc::new(renewed)));
    }

    /// Rule 13: the deadline becomes `deadline`, whether that is later or earlier; rule 14: the time of taking
    /// stays. A live lock moved into the past expires at once, like any other.
    pub(super) fn rebase(&mut self, target: &Target, deadline: Time) {
        let Some(lock) = self.ledger.locks.get(target).cloned() else { return };
        let over = deadline < self.now;
        self.set_lock(Lock { deadline: Some(deadline), lapsed: lock.lapsed && over, ..Lock::clone(&lock) });
        if over && !lock.lapsed {
            self.expire(lock.lease, std::slice::from_ref(target));
        }
        if lock.lapsed && !over {
            let mut event = self.event(EventKind::LockRevived);
            event.target = Some(target.clone());
            event.pool = self.ledger.resources.get(target).map(|resource| resource.pool.clone());
            event.lease = Some(lock.lease);
            event.owner = Some(lock.owner.clone());
            self.tell(event);
        }
    }
}
