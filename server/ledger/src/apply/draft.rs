//! A step in the making: the ledger, the time, and what has changed so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::change::Change;
use crate::command::Wanted;
use crate::event::{Event, EventId, EventKind};
use crate::index::{Moved, demands};
use crate::lease::{Cause, Ended, Lease, LeaseId, Lock};
use crate::name::{Job, PoolName, State, Target, Text};
use crate::reply::Settled;
use crate::request::{Part, Request, RequestId};
use crate::resource::{Origin, Resource};
use crate::state::{Edit, Ledger};
use crate::time::Time;

pub(super) struct Draft<'a> {
    pub(super) ledger: &'a mut Ledger,
    pub(super) now: Time,
    pub(super) changes: Vec<Change>,
    pub(super) settled: Vec<(RequestId, Settled)>,
    /// Lines in which something may have become available since they were last served.
    pub(super) freed: BTreeSet<Wanted>,
    /// Dynamic pools whose counts may have changed.
    pub(super) stirred: BTreeSet<PoolName>,
    /// Resources that are to go and may no longer be held.
    pub(super) leaving: BTreeSet<Target>,
    /// Jobs that may have lost a target, and how.
    pub(super) bereft: BTreeMap<Job, Text>,
}

impl Draft<'_> {
    /// Folds a change into the ledger, keeps it for the reply, and notes whom it may concern.
    pub(super) fn record(&mut self, change: Change) {
        let moved = self.ledger.fold(&change);
        match &change {
            Change::Pool(pool) if pool.lifecycle.is_some() => {
                self.stirred.insert(pool.name.clone());
            }
            Change::Request(request) => self.note_request(request),
            Change::Resource(_) | Change::Lock(_) | Change::LockGone(_) => {
                self.note_moved(&moved.expect("it is of a target"));
            }
            _ => {}
        }
        self.changes.push(change);
    }

    /// Records a resource, and that it is locked; or if `lock` is `None`, that it is locked no more.
    pub(super) fn record_both(&mut self, resource: Arc<Resource>, lock: Option<Lock>) {
        let lock = lock.map(Arc::new);
        let moved = self.ledger.fold_both(&resource, lock.as_ref().map_or(Edit::Remove, Edit::Set));
        self.note_moved(&moved);
        let gone = || Change::LockGone(resource.name.clone());
        let lock = lock.map_or_else(gone, Change::Lock);
        self.changes.extend([Change::Resource(resource), lock]);
    }

    fn note_moved(&mut self, Moved { before, after }: &Moved) {
        let Some(resource) = &after.resource else {
            if !after.is_held()
                && let Some(lock) = before.lock.as_ref().or(after.lock.as_ref())
            {
                self.freed.insert(Wanted::Target(lock.target.clone()));
            }
            return;
        };
        // A heartbeat or a renewal changes none of a pool's counts.
        let alike = before.is_held() == after.is_held()
            && before.resource.as_ref().is_some_and(|before| is_counted_alike(before, resource));
        if !alike {
            self.stir(&resource.pool);
        }
        if !after.is_held() {
            self.freed.insert(Wanted::Pool(resource.pool.clone(), resource.state.clone()));
            if resource.origin == Origin::Leaving {
                self.leaving.insert(resource.name.clone());
            }
        }
    }

    /// One that left the line lets others have something; one that came may make a dynamic pool grow.
    fn note_request(&mut self, request: &Request) {
        if request.outcome.is_some() || request.dormant {
            self.note_lines(request);
            return;
        }
        for part in &request.parts {
            if let Part::Pool { pool, .. } = part {
                self.stir(pool);
            }
        }
    }

    /// The counts of this pool may have changed; if it is dynamic, they are looked at again.
    pub(super) fn stir(&mut self, pool: &PoolName) {
        if self.lifecycle_of(pool).is_some() {
            self.stirred.insert(pool.clone());
        }
    }

    /// A request that came, went or changed may let somebody in its lines have something.
    pub(super) fn note_lines(&mut self, request: &Request) {
        for demand in demands(&request.parts, &self.ledger.resources) {
            self.freed.insert(demand.wanted);
        }
    }

    /// An event of this kind, to be completed and told.
    pub(super) fn event(&self, kind: EventKind) -> Event {
        Event {
            id: EventId(0),
            at: self.now,
            kind,
            target: None,
            pool: None,
            lease: None,
            request: None,
            owner: None,
            plugin: None,
            from: None,
            to: None,
            cause: None,
            note: None,
        }
    }

    /// Numbers an event and records it.
    pub(super) fn tell(&mut self, mut event: Event) {
        event.id = EventId(self.ledger.counters.event + 1);
        self.record(Change::Event(Arc::new(event)));
    }

    /// The number of the next write of a resource.
    pub(super) fn next_revision(&self) -> u64 {
        self.ledger.counters.revision + 1
    }

    /// Writes a resource anew.
    pub(super) fn rewrite(&mut self, resource: &Resource, edit: impl FnOnce(&mut Resource)) -> Arc<Resource> {
        let mut next = resource.clone();
        edit(&mut next);
        let next = self.written(next);
        self.record(Change::Resource(Arc::clone(&next)));
        next
    }

    /// A resource as it is to be recorded: revision and `updated_at` move on.
    pub(super) fn written(&self, resource: Resource) -> Arc<Resource> {
        Arc::new(Resource { revision: self.next_revision(), updated_at: self.now, ..resource })
    }

    /// Takes `targets` from a lease. The resources among them whose lock was still live are written by `edit`
    /// first. Ends the lease if nothing is left.
    pub(super) fn strip(
        &mut self,
        lease: LeaseId,
        targets: &[Target],
        how: &Ended,
        edit: impl Fn(&Self, &mut Resource),
    ) -> Option<Arc<Lease>> {
        let lease = Arc::clone(self.ledger.leases.get(&lease)?);
        let gone: BTreeSet<&Target> = targets.iter().collect();
        let (lost, kept): (Vec<Target>, Vec<Target>) =
            lease.targets.iter().cloned().partition(|target| gone.contains(target));
        let mut next = Lease::clone(&lease);
        if kept.is_empty() {
            next.targets.clone_from(&lost);
            next.ended = Some(how.clone());
            next.pickup = None;
        } else {
            // Whoever gives something back knows of the lease.
            next.pickup = next.pickup.filter(|_| how.cause != Cause::Released);
            next.returned.extend(lost.iter().cloned());
            next.targets = kept;
        }
        let next = Arc::new(next);
        let end = lost.len().saturating_sub(1);
        for (position, target) in lost.iter().enumerate() {
            let over = next.ended.is_some() && position == end;
            self.strip_one(&lease, target, how, over, &edit);
        }
        self.record(Change::Lease(Arc::clone(&next)));
        Some(next)
    }

    fn strip_one(
        &mut self,
        lease: &Lease,
        target: &Target,
        how: &Ended,
        over: bool,
        edit: &impl Fn(&Self, &mut Resource),
    ) {
        let mut event = self.event(if over { EventKind::LeaseEnded } else { EventKind::LeaseReduced });
        let resource = self.ledger.resources.get(target).cloned();
        event.pool = resource.as_ref().map(|resource| resource.pool.clone());
        let next = resource.as_ref().filter(|_| self.is_held(target)).and_then(|resource| {
            let mut next = Resource::clone(resource);
            edit(self, &mut next);
            (next != **resource).then(|| self.written(next))
        });
        if let (Some(resource), Some(next)) = (resource, next) {
            event.from = Some(resource.state.clone());
            event.to = Some(next.state.clone());
            self.record_both(next, None);
        } else {
            self.record(Change::LockGone(target.clone()));
        }
        self.note_loss(&lease.owner, target, how);
        event.target = Some(target.clone());
        event.lease = Some(lease.id);
        event.owner = Some(lease.owner.clone());
        event.cause = Some(how.cause);
        event.note.clone_from(&how.reason);
        self.tell(event);
    }

    /// What a give-back does to a resource: the state, and the lifespan of a dynamic one
    /// (`reference/boskos.md` R2 and R3).
    pub(super) fn returned(&self, resource: &mut Resource, state: State) {
        resource.state = state;
        resource.updated_at = self.now;
        match self.ledger.pools.get(&resource.pool).and_then(|pool| pool.lifecycle.as_ref()) {
            Some(lifecycle) => {
                if let Some(lifespan) = lifecycle.lifespan {
                    resource.expires_at = Some(self.now.plus(lifespan));
                }
            }
            None => resource.expires_at = None,
        }
    }

    /// How a lease ends now, without anybody's words.
    pub(super) fn ended(&self, cause: Cause) -> Ended {
        Ended { at: self.now, cause, by: None, reason: None }
    }

    /// Writes a lock.
    pub(super) fn set_lock(&mut self, lock: Lock) {
        self.record(Change::Lock(Arc::new(lock)));
    }
}

/// Whether a pool's counts, and what waiters can have of it, are the same with either, held or not.
fn is_counted_alike(a: &Resource, b: &Resource) -> bool {
    let cordoned = |resource: &Resource| resource.cordon().is_some();
    (a.origin, &a.pool, &a.state) == (b.origin, &b.pool, &b.state) && cordoned(a) == cordoned(b)
}
