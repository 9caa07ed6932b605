//! What can be done with a lease: renew it, give it back, take it away.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::apply::Draft;
use crate::change::Change;
use crate::command::{Force, Subject};
use crate::lease::{Cause, Dialect, Ended, Lease, LeaseId};
use crate::limits;
use crate::name::{Owner, PoolName, State, Target};
use crate::refusal::{Missing, Refusal};
use crate::reply::{Grant, Reply};
use crate::resource::Resource;
use crate::time::Span;

impl Draft<'_> {
    /// Moves the deadline of every target to `ttl` from now on; by default to the lease's own TTL, as far as the pools
    /// allow it by now.
    pub(super) fn renew(
        &mut self,
        id: LeaseId,
        owner: Option<Owner>,
        ttl: Option<Span>,
    ) -> Result<Reply, Refusal> {
        let lease = self.active(id, owner)?;
        let own = || lease.ttl.map(|ttl| self.clipped(ttl, &lease.targets));
        let ttl = ttl.or_else(own);
        if let Some(ttl) = ttl {
            // A ConTest lease may have been taken for no time at all, which nothing can be renewed by.
            self.check_ttl(ttl, &lease.targets)?;
            let deadline = self.now.plus(ttl);
            for target in &lease.targets {
                self.rebase(target, deadline);
            }
        }
        let renewed = Lease { ttl, renewed_at: self.now, pickup: None, ..Lease::clone(&lease) };
        self.record(Change::Lease(Arc::new(renewed)));
        Ok(Reply::Granted(Box::new(self.granted(id)?)))
    }

    /// Gives back all of a lease, or some of its targets. What was given back before is passed over.
    pub(super) fn release(
        &mut self,
        id: LeaseId,
        owner: Option<Owner>,
        targets: Option<Vec<Target>>,
        to_state: Option<&State>,
    ) -> Result<Reply, Refusal> {
        let lease = self.active(id, owner)?;
        let asked = targets.unwrap_or_else(|| lease.targets.clone());
        // The lock table knows what the lease still has; looking through its own list would take the square of it.
        let locked = |target: &Target| self.ledger.locks.get(target).is_some_and(|lock| lock.lease == id);
        let (targets, others): (Vec<Target>, Vec<Target>) = asked.into_iter().partition(locked);
        let mut passed: BTreeSet<&Target> = BTreeSet::new();
        if !others.is_empty() {
            passed.extend(&lease.returned);
        }
        // What is named again is not missing twice.
        let missing: Vec<Missing> = others
            .iter()
            .filter(|&target| passed.insert(target))
            .map(|target| Missing {
                target: target.clone(),
                holder: self.ledger.conflict(target).and_then(|conflict| conflict.holder),
            })
            .collect();
        if !missing.is_empty() {
            return Err(Refusal::NotHeld(missing));
        }
        if targets.is_empty() {
            return Ok(Reply::Released(lease));
        }
        let how = self.ended(Cause::Released);
        let left = self.give_back(id, &targets, &how, to_state);
        Ok(Reply::Released(left.unwrap_or(lease)))
    }

    /// Ends a lease, or frees one target, in the owner's place.
    pub(super) fn force(&mut self, force: Force) -> Result<Reply, Refusal> {
        let (id, targets) = match &force.subject {
            Subject::Lease(id) => (*id, None),
            Subject::Target(target) => match self.ledger.locks.get(target) {
                Some(lock) => (lock.lease, Some(vec![target.clone()])),
                None => {
                    return Err(Refusal::NotHeld(vec![Missing { target: target.clone(), holder: None }]));
                }
            },
        };
        let lease = self.active(id, force.expected)?;
        let targets = targets.unwrap_or_else(|| lease.targets.clone());
        let how = Ended { at: self.now, cause: Cause::Forced, by: force.by, reason: Some(force.reason) };
        let left = self.strip(id, &targets, &how, |draft, resource| match &force.to_state {
            Some(state) => draft.returned(resource, state.clone()),
            None => Self::after_expiry(draft, resource),
        });
        Ok(Reply::Released(left.unwrap_or(lease)))
    }

    /// Strips `targets` from a lease the way its dialect gives things back: a `ConTest` job knows no states, so
    /// it leaves them as they are.
    pub(super) fn give_back(
        &mut self,
        id: LeaseId,
        targets: &[Target],
        how: &Ended,
        to_state: Option<&State>,
    ) -> Option<Arc<Lease>> {
        let contest = self.ledger.leases.get(&id).is_some_and(|lease| lease.dialect == Dialect::Contest);
        self.strip(id, targets, how, |draft, resource: &mut Resource| match to_state {
            Some(state) => draft.returned(resource, state.clone()),
            None if contest => {}
            None => {
                let pool = draft.ledger.pools.get(&resource.pool);
                let state = pool.map_or_else(State::free, |pool| pool.state_after_release());
                draft.returned(resource, state);
            }
        })
    }

    /// The lease, if it is active and (when given) `owner`'s.
    fn active(&self, id: LeaseId, owner: Option<Owner>) -> Result<Arc<Lease>, Refusal> {
        let Some(lease) = self.ledger.leases.get(&id) else {
            let known = id.0 > 0 && id.0 <= self.ledger.counters.lease;
            return Err(if known { Refusal::LeaseEnded(id) } else { Refusal::NoSuchLease(id) });
        };
        match owner {
            Some(asked) if asked != lease.owner => Err(Refusal::NotOwner {
                what: format!("lease {id}"),
                asked,
                holder: Some(lease.owner.clone()),
            }),
            _ => Ok(Arc::clone(lease)),
        }
    }

    pub(super) fn granted(&self, id: LeaseId) -> Result<Grant, Refusal> {
        self.ledger.grant(id).ok_or(Refusal::LeaseEnded(id))
    }

    /// A TTL must be positive and no longer than every pool concerned allows.
    pub(super) fn check_ttl(&self, ttl: Span, targets: &[Target]) -> Result<(), Refusal> {
        self.check_ttl_in(ttl, self.pools_of(targets))
    }

    /// As [`Self::check_ttl`] for these pools; `None` stands for what is in no pool.
    pub(super) fn check_ttl_in<'a>(
        &'a self,
        ttl: Span,
        pools: impl Iterator<Item = Option<&'a PoolName>>,
    ) -> Result<(), Refusal> {
        let (most, pool) = self.longest_ttl(pools);
        if ttl.is_positive() && ttl <= most {
            Ok(())
        } else {
            Err(Refusal::TtlOutOfRange { max_ms: most.millis(), pool: pool.cloned() })
        }
    }

    /// The longest TTL that all of these pools allow, and the one that sets it.
    pub(super) fn longest_ttl<'a>(
        &'a self,
        pools: impl Iterator<Item = Option<&'a PoolName>>,
    ) -> (Span, Option<&'a PoolName>) {
        let limit = |name: Option<&'a PoolName>| {
            let most = name.and_then(|name| self.ledger.pools.get(name)?.max_ttl);
            most.map_or((limits::TTL_MAX, None), |most| (most, name))
        };
        pools.map(limit).min_by_key(|(most, _)| *most).unwrap_or((limits::TTL_MAX, None))
    }

    /// As much of `ttl` as the pools of `targets` allow by now.
    pub(super) fn clipped(&self, ttl: Span, targets: &[Target]) -> Span {
        ttl.min(self.longest_ttl(self.pools_of(targets)).0)
    }

    fn pools_of<'a>(&'a self, targets: &'a [Target]) -> impl Iterator<Item = Option<&'a PoolName>> {
        targets.iter().map(|target| self.pool_of(target))
    }

    pub(super) fn pool_of(&self, target: &Target) -> Option<&PoolName> {
        self.ledger.resources.get(target).map(|resource| &resource.pool)
    }
}
