//! The Boskos operations (`reference/boskos.md` §3).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::apply::Draft;
use crate::apply::grant::NewLease;
use crate::change::Change;
use crate::command::{BoskosAcquire, BoskosUpdate, Wanted};
use crate::event::EventKind;
use crate::index::{Selector, Turn, held, turn};
use crate::lease::{Cause, Dialect, LeaseId, Lock};
use crate::limits;
use crate::name::{Owner, PoolName, State, Target, Text};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::request::{Part, Request, RequestId};
use crate::resource::{Details, Resource};
use crate::time::Span;
use crate::walk::Walk;

/// Behind every waiter: the turn of a caller that does not queue (§3.2 Q3).
const LAST: Turn = Turn(Reverse(i32::MIN), RequestId(u64::MAX));

impl Draft<'_> {
    /// §3.3. A refused poll with a `request_id` still keeps or takes its place in line: that is what it came for.
    pub(super) fn boskos_acquire(&mut self, ask: BoskosAcquire) -> Result<Reply, Refusal> {
        if let Some(resource) = self.replayed(&ask) {
            return Ok(Reply::Held(vec![resource], ask.owner));
        }
        let key = ask.request_id.as_ref();
        let waiting = key.and_then(|key| self.ledger.poller(&ask.pool, &ask.state, key).cloned());
        let place = match (&ask.request_id, &waiting) {
            (None, _) => LAST,
            (Some(_), Some(request)) => turn(request),
            (Some(_), None) => Turn(Reverse(0), RequestId(self.ledger.counters.request + 1)),
        };
        if let Some(target) = self.pick_at(&ask, place) {
            if let Some(request) = waiting {
                self.record(Change::RequestGone(request.id));
            }
            let BoskosAcquire { pool, dest, owner, request_id, .. } = ask;
            self.hand_over(&pool, std::slice::from_ref(&target), &dest, &owner, request_id);
            let held = self.ledger.resources.get(&target).cloned();
            return Ok(Reply::Held(held.into_iter().collect(), owner));
        }
        let members = self.ledger.index.members.get(&ask.pool).map_or(0, |members| members.all.len());
        let exists = members > 0 || self.lifecycle_of(&ask.pool).is_some();
        let new = waiting.is_none();
        self.keep_place(&ask, waiting)?;
        if new && ask.request_id.is_some() {
            self.create_on_demand(&ask.pool, 1);
        }
        if exists {
            Err(Refusal::NothingFree { pool: ask.pool, state: ask.state })
        } else {
            Err(Refusal::NoSuchPool(ask.pool))
        }
    }

    /// The resource that the same call got before, if it is still held as that call left it: the reply was lost.
    fn replayed(&self, ask: &BoskosAcquire) -> Option<Arc<Resource>> {
        let key = ask.request_id.as_ref()?;
        let with_key = |id| (ask.owner.clone(), key.clone(), LeaseId(id));
        let leases = self.ledger.index.leases_by_key.range(with_key(0)..=with_key(u64::MAX));
        let leases = leases.filter_map(|(_, _, id)| self.ledger.leases.get(id));
        let mut resources = leases
            .filter(|lease| lease.dialect == Dialect::Boskos)
            .filter_map(|lease| self.ledger.resources.get(lease.targets.first()?));
        resources.find(|resource| resource.pool == ask.pool && resource.state == ask.dest).cloned()
    }

    /// The oldest resource that nobody ahead of `place` has a claim on (A1–A3).
    fn pick_at(&self, ask: &BoskosAcquire, place: Turn) -> Option<Target> {
        let wanted = Wanted::Pool(ask.pool.clone(), ask.state.clone());
        if !self.ledger.index.lines.contains_key(&wanted) {
            let stock = self.ledger.index.shelves.get(&(ask.pool.clone(), ask.state.clone()))?;
            return stock.all.get_min().map(|(_, target)| target.clone());
        }
        let mut walk = Walk::new(self.ledger, &wanted);
        walk.skip_to(place);
        walk.pick(&Selector::Any, 1).pop()
    }

    /// Grants resources of one pool for as long as that says.
    fn hand_over(
        &mut self,
        pool: &PoolName,
        targets: &[Target],
        dest: &State,
        owner: &Owner,
        key: Option<Text>,
    ) {
        let ttl = self.ledger.pools.get(pool).and_then(|pool| pool.ttl_for(Dialect::Boskos));
        self.grant(NewLease {
            owner: owner.clone(),
            dialect: Dialect::Boskos,
            targets: targets.to_vec(),
            to_state: Some(dest.clone()),
            ttl,
            purpose: None,
            key,
            request: None,
        });
    }

    fn keep_place(&mut self, ask: &BoskosAcquire, waiting: Option<Arc<Request>>) -> Result<(), Refusal> {
        let Some(key) = ask.request_id.clone() else { return Ok(()) };
        let live_until = self.now.plus(self.ledger.settings.request_ttl);
        if let Some(request) = waiting {
            let alive = Request { live_until, dormant: false, ..Request::clone(&request) };
            self.record(Change::Request(Arc::new(alive)));
            return Ok(());
        }
        let part = Part::Pool {
            pool: ask.pool.clone(),
            state: ask.state.clone(),
            labels: BTreeMap::new(),
            count: 1,
        };
        let request = Request {
            id: RequestId(self.ledger.counters.request + 1),
            owner: ask.owner.clone(),
            dialect: Dialect::Boskos,
            parts: vec![part],
            to_state: ask.dest.clone(),
            ttl: None,
            priority: 0,
            purpose: None,
            key: Some(key),
            since: self.now,
            live_until,
            dormant: false,
            outcome: None,
        };
        self.room_for_request(&request)?;
        let request = Arc::new(request);
        self.record(Change::Request(Arc::clone(&request)));
        self.tell_queued(&request);
        Ok(())
    }

    /// §3.4, made atomic: all of the names or none (design §3.2).
    pub(super) fn boskos_acquire_by_state(
        &mut self,
        state: &State,
        dest: &State,
        owner: Owner,
        names: Vec<Option<Target>>,
    ) -> Result<Reply, Refusal> {
        if names.len() > limits::TARGETS_PER_CALL_MAX {
            return Err(Refusal::TooLarge { what: "names in one call", limit: limits::TARGETS_PER_CALL_MAX });
        }
        let refuse = || Refusal::NotAllInState { state: state.clone() };
        let names: BTreeSet<Target> = names.into_iter().collect::<Option<_>>().ok_or_else(refuse)?;
        let mut found: Vec<Arc<Resource>> = Vec::with_capacity(names.len());
        for name in &names {
            let resource = self.ledger.resources.get(name).filter(|resource| {
                resource.state == *state && resource.cordon().is_none() && !self.is_held(name)
            });
            found.push(Arc::clone(resource.ok_or_else(refuse)?));
        }
        if found.is_empty() {
            return Err(refuse());
        }
        found.sort_by(|a, b| (a.updated_at, &a.name).cmp(&(b.updated_at, &b.name)));
        // A lease for each pool, because each has a TTL of its own.
        let mut by_pool: BTreeMap<&PoolName, Vec<Target>> = BTreeMap::new();
        for resource in &found {
            by_pool.entry(&resource.pool).or_default().push(resource.name.clone());
        }
        for (pool, targets) in by_pool {
            self.hand_over(pool, &targets, dest, &owner, None);
        }
        let held = found.iter().filter_map(|resource| self.ledger.resources.get(&resource.name)).cloned();
        Ok(Reply::Held(held.collect(), owner))
    }

    /// §3.5.
    pub(super) fn boskos_release(
        &mut self,
        name: &Target,
        dest: &State,
        owner: Owner,
    ) -> Result<Reply, Refusal> {
        let (_, lock) = self.held_by(name, owner)?;
        let how = self.ended(Cause::Released);
        self.strip(lock.lease, std::slice::from_ref(name), &how, |draft, resource| {
            draft.returned(resource, dest.clone());
        });
        Ok(Reply::Done)
    }

    /// §3.6: heartbeat and user data.
    pub(super) fn boskos_update(&mut self, update: BoskosUpdate) -> Result<Reply, Refusal> {
        let (resource, lock) = self.held_by(&update.name, update.owner)?;
        if resource.state != update.state {
            return Err(Refusal::StateMismatch {
                target: update.name,
                stored: resource.state.clone(),
                asked: update.state,
            });
        }
        let mut user_data = resource.details().user_data.clone();
        for (key, value) in update.patch {
            if value.is_empty() {
                user_data.remove(&key);
            } else {
                user_data.insert(key, value);
            }
        }
        super::resource::check_user_data(&user_data)?;
        let pool = self.ledger.pools.get(&resource.pool);
        let ttl = self.ledger.leases.get(&lock.lease).and_then(|lease| lease.ttl);
        let ttl = ttl.filter(|ttl| ttl.is_positive());
        let ttl = ttl.or_else(|| pool.and_then(|pool| pool.ttl_for(Dialect::Boskos)));
        let ttl = ttl.map(|ttl| pool.map_or(ttl, |pool| pool.at_most(ttl)));
        self.rewrite(&resource, |resource| {
            if resource.details().user_data != user_data {
                resource.set_details(Details { user_data, ..resource.details().clone() });
            }
        });
        if let Some(ttl) = ttl {
            self.set_lock(Lock { deadline: Some(self.now.plus(ttl)), ..Lock::clone(&lock) });
        }
        self.collect(lock.lease);
        Ok(Reply::Done)
    }

    /// §3.7. What has a deadline ends by that (`/v1`, `ConTest`, pools with a default TTL); a reset is for locks that
    /// would stay for ever. A lease without one that was renewed in the meantime is not stale, although its resource was
    /// not written.
    pub(super) fn boskos_reset(
        &mut self,
        pool: &PoolName,
        state: &State,
        expire: Span,
        dest: &State,
    ) -> Reply {
        let silent = self.ledger.index.held.get(&(pool.clone(), state.clone())).into_iter().flatten();
        let silent: Vec<Target> = silent
            .take_while(|(updated, _)| self.now.since(*updated) >= expire)
            .map(|(_, target)| target.clone())
            .collect();
        let mut taken = BTreeMap::new();
        let how = self.ended(Cause::Reset);
        for target in silent {
            let Some(lock) = self.ledger.locks.get(&target).cloned() else { continue };
            if lock.deadline.is_some() || self.not_for_a_job(&lock.owner).is_err() {
                continue;
            }
            let renewed = self.ledger.leases.get(&lock.lease).map(|lease| lease.renewed_at);
            if renewed.is_some_and(|renewed| self.now.since(renewed) < expire) {
                continue;
            }
            self.strip(lock.lease, std::slice::from_ref(&target), &how, |draft, resource| {
                resource.state = dest.clone();
                resource.updated_at = draft.now;
            });
            taken.insert(target, lock.owner.clone());
        }
        Reply::Reset(taken)
    }

    fn held_by(&self, name: &Target, asked: Owner) -> Result<(Arc<Resource>, Arc<Lock>), Refusal> {
        let Some(resource) = self.ledger.resources.get(name) else {
            return Err(Refusal::NoSuchResource(name.clone()));
        };
        let lock = self.ledger.locks.get(name).filter(|lock| held(Some(lock)));
        match lock {
            Some(lock) if lock.owner == asked => Ok((Arc::clone(resource), Arc::clone(lock))),
            _ => Err(Refusal::NotOwner {
                what: name.to_string(),
                asked,
                holder: lock.map(|lock| lock.owner.clone()),
            }),
        }
    }

    pub(super) fn is_held(&self, target: &Target) -> bool {
        held(self.ledger.locks.get(target).map(AsRef::as_ref))
    }

    pub(super) fn tell_queued(&mut self, request: &Request) {
        let mut event = self.event(EventKind::RequestQueued);
        event.request = Some(request.id);
        event.owner = Some(request.owner.clone());
        event.pool = super::queue::first_pool(request);
        event.note.clone_from(&request.purpose);
        self.tell(event);
    }
}
