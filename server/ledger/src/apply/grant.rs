//! Granting: the one place where targets come into somebody's hands.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::apply::Draft;
use crate::change::Change;
use crate::event::EventKind;
use crate::lease::{Cause, Dialect, Lease, LeaseId, Lock, Pickup};
use crate::limits;
use crate::name::{Owner, State, Target, Text};
use crate::refusal::Refusal;
use crate::request::RequestId;
use crate::resource::Resource;
use crate::time::{Span, Time};

/// A lease about to be granted.
pub(super) struct NewLease {
    pub(super) owner: Owner,
    pub(super) dialect: Dialect,
    pub(super) targets: Vec<Target>,
    /// State that the registered ones get; `None` leaves them as they are.
    pub(super) to_state: Option<State>,
    pub(super) ttl: Option<Span>,
    pub(super) purpose: Option<Text>,
    pub(super) key: Option<Text>,
    /// The request in line that it is pushed to.
    pub(super) request: Option<RequestId>,
}

impl Draft<'_> {
    /// Grants `new`. The caller has made sure that no target is held, that there is at least one, and (unless it was
    /// waited for) that there is room.
    pub(super) fn grant(&mut self, new: NewLease) -> LeaseId {
        let id = LeaseId(self.ledger.counters.lease + 1);
        let deadline = new.ttl.map(|ttl| self.now.plus(ttl));
        let pickup = new.request.map(|_| Box::new(self.pickup(&new.targets)));
        self.take_over(&new.targets);
        for target in &new.targets {
            self.take(id, &new, target, deadline);
        }
        let over = deadline.filter(|deadline| *deadline < self.now).map(|_| new.targets.clone());
        self.record(Change::Lease(Arc::new(Lease {
            id,
            owner: new.owner,
            dialect: new.dialect,
            targets: new.targets,
            returned: Vec::new(),
            granted_at: self.now,
            renewed_at: self.now,
            ttl: new.ttl,
            purpose: new.purpose,
            key: new.key,
            request: new.request,
            pickup,
            ended: None,
        })));
        if let Some(targets) = over {
            self.expire(id, &targets);
        }
        id
    }

    /// Whether `targets` may be locked on top of what is. What is in the lock table already takes no more room, and a
    /// resource has its room.
    pub(super) fn room_for_locks(&self, targets: &[Target]) -> Result<(), Refusal> {
        let room = limits::LOCKS_MAX.saturating_sub(self.ledger.locks.len());
        let known = |target: &Target| {
            self.ledger.locks.contains_key(target) || self.ledger.resources.contains_key(target)
        };
        if targets.len() > room && targets.iter().filter(|target| !known(target)).count() > room {
            return Err(Refusal::Full { what: "targets locked at once", limit: limits::LOCKS_MAX });
        }
        Ok(())
    }

    /// How a lease of `targets`, which nobody holds yet, is to be collected.
    fn pickup(&self, targets: &[Target]) -> Pickup {
        let resources = targets.iter().filter_map(|target| self.ledger.resources.get(target));
        Pickup {
            by: self.now.plus(self.ledger.settings.request_ttl),
            before: resources.map(|resource| (resource.name.clone(), resource.state.clone())).collect(),
        }
    }

    /// Notes that whoever waited for a lease knows of it.
    pub(super) fn collect(&mut self, id: LeaseId) {
        let lease = self.ledger.leases.get(&id).filter(|lease| lease.pickup.is_some());
        if let Some(lease) = lease.cloned() {
            self.record(Change::Lease(Arc::new(Lease { pickup: None, ..Lease::clone(&lease) })));
        }
    }

    fn take(&mut self, lease: LeaseId, new: &NewLease, target: &Target, deadline: Option<Time>) {
        let lock = Lock {
            target: target.clone(),
            lease,
            owner: new.owner.clone(),
            taken_at: self.now,
            deadline,
            lapsed: false,
        };
        let mut event = self.event(EventKind::LeaseGranted);
        let resource = self.ledger.resources.get(target).cloned();
        event.pool = resource.as_ref().map(|resource| resource.pool.clone());
        if let (Some(resource), Some(state)) = (resource, &new.to_state) {
            event.from = Some(resource.state.clone());
            event.to = Some(state.clone());
            let next = self.written(Resource { state: state.clone(), ..Resource::clone(&resource) });
            self.record_both(next, Some(lock));
        } else {
            self.set_lock(lock);
        }
        event.target = Some(target.clone());
        event.lease = Some(lease);
        event.owner = Some(new.owner.clone());
        event.request = new.request;
        event.note.clone_from(&new.purpose);
        self.tell(event);
    }

    /// Takes lapsed locks on `targets` out of the leases that still list them.
    fn take_over(&mut self, targets: &[Target]) {
        let mut lapsed: BTreeMap<LeaseId, Vec<Target>> = BTreeMap::new();
        for target in targets {
            if let Some(lock) = self.ledger.locks.get(target) {
                lapsed.entry(lock.lease).or_default().push(target.clone());
            }
        }
        let how = self.ended(Cause::TakenOver);
        for (lease, targets) in lapsed {
            self.strip(lease, &targets, &how, |_, _| {});
        }
    }
}
