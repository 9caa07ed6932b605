//! What time alone brings about: expiry, silence, the end of lifespans and cordons.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::apply::Draft;
use crate::change::{Answer, Change};
use crate::event::EventKind;
use crate::lease::{Cause, Dialect, Lease, LeaseId, Lock, Pickup};
use crate::limits;
use crate::name::{Owner, Target, Text};
use crate::reply::Settled;
use crate::request::{Outcome, Request, RequestId};
use crate::resource::Resource;
use crate::time::Time;

impl Draft<'_> {
    /// Settles everything that is due, so that no command can see a dead lock as live.
    pub(super) fn settle_due(&mut self) {
        self.settle_jobs();
        self.settle_locks();
        self.take_back_uncollected();
        self.collect_lapsed();
        self.end_lifespans();
        self.end_cordons();
        self.settle_silence();
        self.forget_outcomes();
        self.forget_keys();
        self.clean_doomed();
        let unfinished = std::mem::take(&mut self.ledger.unfinished);
        self.stirred.extend(unfinished);
    }

    fn settle_locks(&mut self) {
        let now = self.now;
        let due = self.ledger.index.deadlines.iter().take_while(|(at, _)| *at < now);
        let mut by_lease: BTreeMap<LeaseId, Vec<Target>> = BTreeMap::new();
        for (_, target) in due {
            if let Some(lock) = self.ledger.locks.get(target) {
                by_lease.entry(lock.lease).or_default().push(target.clone());
            }
        }
        for (lease, targets) in by_lease {
            self.expire(lease, &targets);
        }
    }

    /// Ends live locks of one lease whose deadline has passed.
    pub(super) fn expire(&mut self, lease: LeaseId, targets: &[Target]) {
        match self.ledger.leases.get(&lease).map(|lease| lease.dialect) {
            Some(Dialect::Contest) => targets.iter().for_each(|target| self.lapse(target)),
            Some(Dialect::Boskos | Dialect::V1) | None => {
                let how = self.ended(self.why_expired(lease));
                self.strip(lease, targets, &how, Self::after_expiry);
            }
        }
    }

    /// A Boskos lease whose only deadline is the pool's `reap-after` was reaped, any other expired.
    fn why_expired(&self, lease: LeaseId) -> Cause {
        let lease = self.ledger.leases.get(&lease).filter(|lease| lease.dialect == Dialect::Boskos);
        let resource = lease.and_then(|lease| self.ledger.resources.get(lease.targets.first()?));
        let pool = resource.and_then(|resource| self.ledger.pools.get(&resource.pool));
        match pool {
            Some(pool) if pool.default_ttl.is_none() && pool.reap_after.is_some() => Cause::Reaped,
            _ => Cause::Expired,
        }
    }

    /// What expiry does to a resource: it leaves the owner for the pool's `on-expire` state (design §3.2).
    pub(super) fn after_expiry(draft: &Self, resource: &mut Resource) {
        let pool = draft.ledger.pools.get(&resource.pool);
        let state = pool.map_or_else(crate::State::free, |pool| pool.state_after_expiry());
        draft.returned(resource, state);
    }

    /// A `ConTest` lock that expires stays in the table, but holds nobody off.
    fn lapse(&mut self, target: &Target) {
        let Some(lock) = self.ledger.locks.get(target).cloned() else { return };
        let mut event = self.event(EventKind::LockLapsed);
        if let Some(resource) = self.ledger.resources.get(target).cloned() {
            let mut next = Resource::clone(&resource);
            Self::after_expiry(self, &mut next);
            event.pool = Some(next.pool.clone());
            event.from = Some(resource.state.clone());
            event.to = Some(next.state.clone());
            self.rewrite(&next, |_| {});
        }
        self.set_lock(Lock { lapsed: true, ..Lock::clone(&lock) });
        self.note_loss(&lock.owner, target, &self.ended(Cause::Expired));
        event.target = Some(target.clone());
        event.lease = Some(lock.lease);
        event.owner = Some(lock.owner.clone());
        event.cause = Some(Cause::Expired);
        self.tell(event);
    }

    /// Takes back what was granted to waiters who never came for it. As if they had been passed over: what they held is
    /// as it was before, their request has lapsed, and the same acquire starts anew.
    fn take_back_uncollected(&mut self) {
        while let Some(&(by, id)) = self.ledger.index.uncollected.get_min()
            && by < self.now
        {
            let Some(lease) = self.ledger.leases.get(&id).cloned() else { return };
            let how = self.ended(Cause::Uncollected);
            self.strip(id, &lease.targets, &how, |draft, resource| {
                let before = lease.pickup.as_ref().and_then(|pickup| pickup.before.get(&resource.name));
                if let Some(state) = before {
                    draft.returned(resource, state.clone());
                }
            });
            if let Some(key) = &lease.key {
                self.forget_key_of(&lease.owner, key, id);
            }
            if let Some(request) = lease.request.and_then(|id| self.ledger.requests.get(&id)).cloned() {
                self.end_request(&request, EventKind::RequestLapsed, Outcome::Lapsed { at: self.now }, None);
            }
        }
    }

    /// Forgets an idempotency key if it stands for this lease.
    fn forget_key_of(&mut self, owner: &Owner, text: &Text, lease: LeaseId) {
        let place = (owner.clone(), text.clone());
        if self.ledger.keys.get(&place).is_some_and(|key| key.outcome == Answer::Lease(lease)) {
            self.record(Change::KeyGone(place.0, place.1));
        }
    }

    fn collect_lapsed(&mut self) {
        let now = self.now;
        let due = self.ledger.index.lapsed.iter();
        let due: Vec<Target> = due
            .take_while(|(at, _)| at.plus(limits::LAPSED_LOCK_KEEP) < now)
            .map(|(_, target)| target.clone())
            .collect();
        let how = self.ended(Cause::Collected);
        for target in due {
            if let Some(lock) = self.ledger.locks.get(&target) {
                self.strip(lock.lease, std::slice::from_ref(&target), &how, |_, _| {});
            }
        }
    }

    fn settle_silence(&mut self) {
        while let Some(&(at, id)) = self.ledger.index.silence.get_min()
            && at < self.now
        {
            let Some(request) = self.ledger.requests.get(&id).cloned() else { return };
            if request.dormant {
                self.end_request(&request, EventKind::RequestLapsed, Outcome::Lapsed { at: self.now }, None);
            } else {
                self.record(Change::Request(Arc::new(Request { dormant: true, ..Request::clone(&request) })));
            }
        }
    }

    /// Forgets outcomes that nobody can want any more; at the bound the oldest go earlier.
    pub(super) fn forget_outcomes(&mut self) {
        while let Some(&(at, id)) = self.ledger.index.outcomes.get_min()
            && (at < self.now
                || self.ledger.index.outcomes.len() > limits::OUTCOMES_MAX
                || self.ledger.index.outcomes_size > limits::OUTCOMES_SIZE_MAX)
        {
            self.record(Change::RequestGone(id));
        }
    }

    /// Takes a waiting request out of its lines. A Boskos poller is forgotten at once; the outcome of a `/v1`
    /// request can be read for a while. The note is for the event.
    pub(super) fn end_request(
        &mut self,
        request: &Request,
        kind: EventKind,
        outcome: Outcome,
        note: Option<Text>,
    ) {
        let ended = Arc::new(Request { outcome: Some(outcome), ..request.clone() });
        match request.dialect {
            Dialect::Boskos => self.record(Change::RequestGone(request.id)),
            Dialect::V1 | Dialect::Contest => self.record(Change::Request(Arc::clone(&ended))),
        }
        self.note_lines(request);
        let mut event = self.event(kind);
        event.request = Some(request.id);
        event.owner = Some(request.owner.clone());
        event.pool = super::queue::first_pool(request);
        event.note = note;
        self.tell(event);
        self.settled.push((request.id, Settled::Ended(ended)));
    }

    fn forget_keys(&mut self) {
        let now = self.now;
        while let Some((at, owner, text)) = self.ledger.index.keys_by_age.get_min().cloned()
            && at.plus(limits::KEY_KEEP) < now
        {
            self.record(Change::KeyGone(owner, text));
        }
    }

    /// Gives every waiter a full request TTL from now on, to wait or to collect what it was granted, sees to jobs that were under way, and looks at every dynamic
    /// pool once.
    pub(super) fn resume(&mut self) {
        self.resume_jobs();
        let until: Time = self.now.plus(self.ledger.settings.request_ttl);
        let waiting: Vec<RequestId> = self
            .ledger
            .requests
            .values()
            .filter(|request| request.waits())
            .map(|request| request.id)
            .collect();
        for id in waiting {
            if let Some(request) = self.ledger.requests.get(&id).cloned()
                && request.live_until < until
            {
                self.record(Change::Request(Arc::new(Request {
                    live_until: until,
                    dormant: false,
                    ..Request::clone(&request)
                })));
                self.note_lines(&request);
            }
        }
        self.resume_pickups(until);
        let dynamic = self.ledger.pools.values().filter(|pool| pool.lifecycle.is_some());
        let dynamic: Vec<_> = dynamic.map(|pool| pool.name.clone()).collect();
        self.stirred.extend(dynamic);
    }

    fn resume_pickups(&mut self, until: Time) {
        let late: Vec<LeaseId> = self.ledger.index.uncollected.iter().map(|(_, id)| *id).collect();
        for id in late {
            if let Some(lease) = self.ledger.leases.get(&id).cloned()
                && let Some(pickup) = lease.pickup.as_ref().filter(|pickup| pickup.by < until)
            {
                let pickup = Some(Box::new(Pickup { by: until, ..Pickup::clone(pickup) }));
                self.record(Change::Lease(Arc::new(Lease { pickup, ..Lease::clone(&lease) })));
            }
        }
    }
}
