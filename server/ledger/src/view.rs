//! Read queries. All of them answer from records and indexes; none walks everything.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::beside::Beside;
use crate::change::{Answer, Key};
use crate::command::Wanted;
use crate::index::Turn;
use crate::job::JobRecord;
use crate::lease::{Lease, LeaseId, Lock};
use crate::name::{Job, Owner, PoolName, State, Target, Text};
use crate::plugin::PluginRecord;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::reply::Grant;
use crate::request::{Outcome, Request, RequestId};
use crate::resource::Resource;
use crate::state::Ledger;
use crate::time::Time;

/// Counts of one pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All resources.
    pub total: u64,
    /// Those that somebody holds.
    pub held: u64,
    /// Those that can be leased now in state `free`.
    pub free: u64,
    /// All, by state; no zeros.
    pub by_state: BTreeMap<State, u64>,
    /// Held ones, by holder; no zeros.
    pub by_owner: BTreeMap<Owner, u64>,
}

fn after<T>(cursor: Option<T>) -> (Bound<T>, Bound<T>) {
    (cursor.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

impl Ledger {
    /// All pools, by name.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.pools.values()
    }

    /// The pool of this name.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&Arc<Pool>> {
        self.pools.get(name)
    }

    /// How many pools there are.
    #[must_use]
    pub fn pool_count(&self) -> usize {
        self.pools.len()
    }

    /// How many resources of a pool are held, and how many there are: what [`Ledger::usage`] says too, at less cost.
    #[must_use]
    pub fn held_of(&self, pool: &PoolName) -> (u64, u64) {
        self.index.members.get(pool).map_or((0, 0), |members| (members.held, members.all.len() as u64))
    }

    /// Resources by name, from the one after `cursor` on.
    pub fn resources_after(&self, cursor: Option<&Target>) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.range::<_, Target>(after(cursor)).map(|(_, resource)| resource)
    }

    /// Resources of one pool by name, from the one after `cursor` on.
    pub fn members_after(&self, pool: &str, cursor: Option<&Target>) -> impl Iterator<Item = &Arc<Resource>> {
        let members = self.index.members.get(pool);
        let names = members.map(|members| members.all.range::<_, Target>(after(cursor)));
        let mut records = Beside::new(&self.resources);
        names.into_iter().flatten().filter_map(move |name| records.get(name))
    }

    /// The resource of this name.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<&Arc<Resource>> {
        self.resources.get(name)
    }

    /// How many resources there are.
    #[must_use]
    pub fn resource_count(&self) -> usize {
        self.resources.len()
    }

    /// The entry of this target in the lock table, live or lapsed.
    #[must_use]
    pub fn lock(&self, target: &str) -> Option<&Arc<Lock>> {
        self.locks.get(target)
    }

    /// Who holds this target at `now`, if anybody.
    #[must_use]
    pub fn holder(&self, target: &str, now: Time) -> Option<&Arc<Lock>> {
        self.locks.get(target).filter(|lock| lock.live(now))
    }

    /// Each of `resources` with who holds it at `now`, if anybody. They are in the order of their names.
    pub fn with_holders<'a>(
        &'a self,
        resources: impl Iterator<Item = &'a Arc<Resource>>,
        now: Time,
    ) -> impl Iterator<Item = (&'a Arc<Resource>, Option<&'a Arc<Lock>>)> {
        let mut locks = Beside::new(&self.locks);
        resources.map(move |resource| (resource, locks.get(&resource.name).filter(|lock| lock.live(now))))
    }

    /// The lock table by target, from the one after `cursor` on.
    pub fn locks_after(&self, cursor: Option<&Target>) -> impl Iterator<Item = &Arc<Lock>> {
        self.locks.range::<_, Target>(after(cursor)).map(|(_, lock)| lock)
    }

    /// How many entries the lock table has.
    #[must_use]
    pub fn lock_count(&self) -> usize {
        self.locks.len()
    }

    /// The active lease with this ID. An ended one is in the store's history.
    #[must_use]
    pub fn lease(&self, id: LeaseId) -> Option<&Arc<Lease>> {
        self.leases.get(&id)
    }

    /// Active leases by ID, from the one after `cursor` on.
    pub fn leases_after(&self, cursor: Option<LeaseId>) -> impl Iterator<Item = &Arc<Lease>> {
        self.leases.range::<_, LeaseId>(after(cursor.as_ref())).map(|(_, lease)| lease)
    }

    /// Active leases of one owner by ID, from the one after `cursor` on.
    pub fn leases_of(&self, owner: &Owner, cursor: Option<LeaseId>) -> impl Iterator<Item = &Arc<Lease>> {
        let first = (owner.clone(), LeaseId(cursor.map_or(0, |id| id.0.saturating_add(1))));
        let last = (owner.clone(), LeaseId(u64::MAX));
        self.index.leases_by_owner.range(first..=last).filter_map(|(_, id)| self.leases.get(id))
    }

    /// Active leases by ID, the newest first, from the one before `cursor` on.
    pub fn leases_before(&self, cursor: Option<LeaseId>) -> impl Iterator<Item = &Arc<Lease>> {
        let last = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        self.leases.range::<_, LeaseId>((Bound::Unbounded, last.as_ref())).rev().map(|(_, lease)| lease)
    }

    /// Active leases of one owner by ID, the newest first, from the one before `cursor` on.
    pub fn leases_of_before(
        &self,
        owner: &Owner,
        cursor: Option<LeaseId>,
    ) -> impl Iterator<Item = &Arc<Lease>> {
        let first = (owner.clone(), LeaseId(0));
        let last = (owner.clone(), cursor.unwrap_or(LeaseId(u64::MAX)));
        let ids = self.index.leases_by_owner.range(first..last).rev();
        ids.filter_map(|(_, id)| self.leases.get(id))
    }

    /// Active leases by owner, those of one by ID, from the one after `cursor` on.
    pub fn leases_by_owner(&self, cursor: Option<(Owner, LeaseId)>) -> impl Iterator<Item = &Arc<Lease>> {
        let places = self.index.leases_by_owner.range(after(cursor));
        places.filter_map(|(_, id)| self.leases.get(id))
    }

    /// How many active leases there are.
    #[must_use]
    pub fn lease_count(&self) -> usize {
        self.leases.len()
    }

    /// Active leases that hold nobody off any more: `ConTest` ones, all of whose locks have lapsed.
    ///
    /// Costs as much as there are lapsed locks, which are kept for a day at most.
    #[must_use]
    pub fn lapsed_leases(&self) -> BTreeSet<LeaseId> {
        let locks = self.index.lapsed.iter().filter_map(|(_, target)| self.locks.get(target));
        let leases: BTreeSet<LeaseId> = locks.map(|lock| lock.lease).collect();
        leases
            .into_iter()
            .filter(|id| self.leases.get(id).is_some_and(|lease| self.is_lapsed(lease)))
            .collect()
    }

    fn is_lapsed(&self, lease: &Lease) -> bool {
        lease.targets.iter().all(|target| self.locks.get(target).is_some_and(|lock| lock.lapsed))
    }

    /// The request with this ID, waiting or settled not long ago.
    #[must_use]
    pub fn request(&self, id: RequestId) -> Option<&Arc<Request>> {
        self.requests.get(&id)
    }

    /// The Boskos request that polls for `pool` and `state` with this `request_id`.
    #[must_use]
    pub fn poller(&self, pool: &PoolName, state: &State, key: &Text) -> Option<&Arc<Request>> {
        let id = self.index.pollers.get(&(pool.clone(), state.clone(), key.clone()))?;
        self.requests.get(id)
    }

    /// Requests by ID, waiting or settled not long ago, from the one after `cursor` on.
    pub fn requests_after(&self, cursor: Option<RequestId>) -> impl Iterator<Item = &Arc<Request>> {
        self.requests.range::<_, RequestId>(after(cursor.as_ref())).map(|(_, request)| request)
    }

    /// Whether its waiter has to show up for it: to keep its place, or to collect what it was granted.
    #[must_use]
    pub fn needs_waiter(&self, request: &Request) -> bool {
        match request.outcome {
            None => true,
            Some(Outcome::Granted { lease, .. }) => {
                self.leases.get(&lease).is_some_and(|lease| lease.pickup.is_some())
            }
            Some(Outcome::Withdrawn { .. } | Outcome::Lapsed { .. }) => false,
        }
    }

    /// How many requests there are, waiting or settled not long ago.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.requests.len()
    }

    /// The first use of this idempotency key.
    #[must_use]
    pub fn key(&self, owner: &Owner, text: &str) -> Option<&Arc<Key>> {
        self.keys.get(&(owner.clone(), text.into()))
    }

    /// The job with this number, live or over not long ago.
    #[must_use]
    pub fn job(&self, id: Job) -> Option<&Arc<JobRecord>> {
        self.jobs.get(&id)
    }

    /// The job that the same call started before, if its key was used.
    ///
    /// # Errors
    /// The key was used for something else, or the job is forgotten: many others were over after it.
    pub fn started_before(
        &self,
        owner: &Owner,
        (text, fingerprint): &(Text, u64),
    ) -> Result<Option<Arc<JobRecord>>, Refusal> {
        let Some(key) = self.key(owner, text) else { return Ok(None) };
        match key.outcome {
            Answer::Job(id) if key.fingerprint == *fingerprint => {
                self.job(id).cloned().map(Some).ok_or(Refusal::JobForgotten(id))
            }
            _ => Err(Refusal::KeyReused),
        }
    }

    /// Jobs by number, live or over not long ago, from the one after `cursor` on.
    pub fn jobs_after(&self, cursor: Option<Job>) -> impl Iterator<Item = &Arc<JobRecord>> {
        self.jobs.range::<_, Job>(after(cursor.as_ref())).map(|(_, job)| job)
    }

    /// Jobs that are not over, the next that something happens to first.
    pub fn live_jobs(&self) -> impl Iterator<Item = &Arc<JobRecord>> {
        self.index.jobs_due.iter().filter_map(|(_, id)| self.jobs.get(id))
    }

    /// How many jobs are not over.
    #[must_use]
    pub fn live_job_count(&self) -> usize {
        self.index.jobs_due.len()
    }

    /// All plugins, by name.
    pub fn plugins(&self) -> impl Iterator<Item = &Arc<PluginRecord>> {
        self.plugins.values()
    }

    /// The plugin of this name.
    #[must_use]
    pub fn plugin(&self, name: &str) -> Option<&Arc<PluginRecord>> {
        self.plugins.get(name)
    }

    /// How many resources a pool has; none if it does not exist.
    #[must_use]
    pub fn member_count(&self, pool: &str) -> usize {
        self.index.members.get(pool).map_or(0, |members| members.all.len())
    }

    /// Counts of a pool; zeros for one that does not exist.
    #[must_use]
    pub fn usage(&self, pool: &PoolName) -> Usage {
        let Some(members) = self.index.members.get(pool) else { return Usage::default() };
        let stock = self.index.shelves.get(&(pool.clone(), State::free()));
        Usage {
            total: members.all.len() as u64,
            held: members.held,
            free: stock.map_or(0, |shelf| shelf.all.len() as u64),
            by_state: members.by_state.iter().map(|(state, &count)| (state.clone(), count)).collect(),
            by_owner: members.by_owner.iter().map(|(owner, &count)| (owner.clone(), count)).collect(),
        }
    }

    /// Live waiters of a pool over all its states, and since when the longest of them waits.
    #[must_use]
    pub fn waiting(&self, pool: &PoolName) -> (u64, Option<Time>) {
        let first = Wanted::Pool(pool.clone(), State::lowest());
        let lines = self.index.lines.range(first..);
        let mine = lines.take_while(|(wanted, _)| matches!(wanted, Wanted::Pool(name, _) if name == pool));
        mine.fold((0, None), |(count, oldest), (_, line)| {
            // Within one priority the first in line waits the longest, and lines with many priorities are rare.
            let first = line.turns.iter().take(16).filter_map(|turn| self.requests.get(&turn.1));
            let since = first.map(|request| request.since).min();
            (count + line.turns.len() as u64, [oldest, since].into_iter().flatten().min())
        })
    }

    /// The first `limit` live waiters of a pool over all its states, in the order in which they are served.
    #[must_use]
    pub fn next_in_line(&self, pool: &PoolName, limit: usize) -> Vec<&Arc<Request>> {
        let first = Wanted::Pool(pool.clone(), State::lowest());
        let lines = self.index.lines.range(first..);
        let mine = lines.take_while(|(wanted, _)| matches!(wanted, Wanted::Pool(name, _) if name == pool));
        let mut turns: Vec<Turn> =
            mine.flat_map(|(_, line)| line.turns.iter().take(limit).copied()).collect();
        turns.sort_unstable();
        turns.dedup();
        turns.into_iter().take(limit).filter_map(|turn| self.requests.get(&turn.1)).collect()
    }

    /// The active lease with what is needed to use it.
    #[must_use]
    pub fn grant(&self, id: LeaseId) -> Option<Grant> {
        let lease = self.leases.get(&id)?;
        Some(Grant {
            expires_at: self.expires_at(lease),
            live: !self.is_lapsed(lease),
            resources: lease.targets.iter().filter_map(|t| self.resources.get(t)).cloned().collect(),
            lease: Arc::clone(lease),
        })
    }
}
