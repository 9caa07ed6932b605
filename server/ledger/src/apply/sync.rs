//! Sync: makes pools and listed resources as in the pools file (`reference/boskos.md` §3.9).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::apply::Draft;
use crate::apply::dynamic::retired;
use crate::change::Change;
use crate::command::PoolEntry;
use crate::name::{PoolName, State, Target};
use crate::pool::{Lifecycle, Pool, PoolOrigin};
use crate::refusal::Refusal;
use crate::reply::{Reply, SyncReport};
use crate::resource::{Details, Move, Origin, Resource};

/// The file, by pool and by name.
struct Plan<'a> {
    pools: BTreeMap<&'a PoolName, Pool>,
    names: BTreeMap<&'a Target, &'a PoolEntry>,
}

impl Draft<'_> {
    /// Static resources first, then pools, then (as a consequence) the counts of dynamic pools. What is held stays
    /// as it is until it is given back.
    pub(super) fn sync(&mut self, entries: &[PoolEntry]) -> Result<Reply, Refusal> {
        let plan = Plan::of(entries);
        // Whether others leave by the same file or not: what leaves may be held for long.
        let new = plan.names.keys().filter(|name| !self.ledger.resources.contains_key(**name));
        self.room_for_resources(new.count())?;
        let mut report = SyncReport::default();
        let stored: Vec<Arc<Resource>> = self.ledger.resources.values().cloned().collect();
        let before: Vec<Arc<Pool>> = self.ledger.pools.values().cloned().collect();
        self.sync_pools(&plan, &before);
        for resource in &stored {
            self.sync_resource(&plan, &before, resource, &mut report);
        }
        for (&name, &entry) in &plan.names {
            if !self.ledger.resources.contains_key(name) {
                let pool = &entry.pool;
                let moved = stored.binary_search_by_key(&name, |resource| &resource.name).ok();
                let cordon = moved.and_then(|at| stored[at].cordon().cloned());
                let details = listed_details(&Details { cordon, ..Details::default() }, entry, name);
                self.create(
                    name.clone(),
                    pool.name.clone(),
                    pool.initial_state.clone(),
                    Origin::Listed,
                    details,
                );
                report.created.push(name.clone());
            }
        }
        for pool in before {
            self.drop_empty_pool(&pool.name);
        }
        let dynamic = self.ledger.pools.values().filter(|pool| pool.lifecycle.is_some());
        let dynamic: Vec<PoolName> = dynamic.map(|pool| pool.name.clone()).collect();
        self.stirred.extend(dynamic);
        Ok(Reply::Synced(report))
    }

    fn sync_pools(&mut self, plan: &Plan<'_>, before: &[Arc<Pool>]) {
        for pool in before {
            match plan.pools.get(&pool.name) {
                Some(planned) => {
                    let lifecycle = planned.lifecycle.clone().or_else(|| retired(pool).lifecycle);
                    self.set_pool(Pool { lifecycle, ..planned.clone() });
                }
                None if pool.origin == PoolOrigin::Config => self.set_pool(retired(pool)),
                None => {}
            }
        }
        for (name, pool) in &plan.pools {
            if !self.ledger.pools.contains_key(*name) {
                self.set_pool(pool.clone());
            }
        }
    }

    fn sync_resource(
        &mut self,
        plan: &Plan<'_>,
        before: &[Arc<Pool>],
        resource: &Arc<Resource>,
        report: &mut SyncReport,
    ) {
        match plan.names.get(&resource.name) {
            Some(entry) if entry.pool.name == resource.pool => self.keep_listed(resource, entry),
            Some(entry) => {
                let details = listed_details(&Details::default(), entry, &resource.name);
                let state = entry.pool.initial_state.clone();
                self.send_off(resource, Some(Move { pool: entry.pool.name.clone(), state, details }), report);
            }
            None if resource.origin == Origin::Api || resource.origin == Origin::Dynamic => {}
            None if was_or_is_dynamic(plan, before, &resource.pool) => {
                let details = Details { moves_to: None, ..resource.details().clone() };
                self.adopt(resource, Origin::Dynamic, |next| next.set_details(details));
            }
            None => self.send_off(resource, None, report),
        }
    }

    /// S2, S5: a listed resource that is there stays as it is, apart from labels and addresses.
    fn keep_listed(&mut self, resource: &Arc<Resource>, entry: &PoolEntry) {
        let mut details = listed_details(resource.details(), entry, &resource.name);
        details.moves_to = None;
        if resource.origin != Origin::Listed || details != *resource.details() {
            self.adopt(resource, Origin::Listed, |next| next.set_details(details));
        }
    }

    /// Changes what the file says about a resource without counting as a use of it: `updated_at`, and with it the
    /// order in which resources are leased, stays.
    fn adopt(&mut self, resource: &Resource, origin: Origin, edit: impl FnOnce(&mut Resource)) {
        let mut next = Resource { origin, revision: self.next_revision(), ..resource.clone() };
        edit(&mut next);
        self.record(Change::Resource(Arc::new(next)));
    }

    /// S3, S4: deletes a resource and makes it anew elsewhere, now or when it is given back. State and user data are new
    /// then; a cordon stays, because it is about the machine, and nobody lifted it.
    fn send_off(&mut self, resource: &Arc<Resource>, next: Option<Move>, report: &mut SyncReport) {
        if self.is_held(&resource.name) {
            let details = Details { moves_to: next.map(Box::new), ..resource.details().clone() };
            if resource.origin != Origin::Leaving || details != *resource.details() {
                self.adopt(resource, Origin::Leaving, |leaving| leaving.set_details(details));
            }
            report.deferred.push(resource.name.clone());
            return;
        }
        self.erase(&resource.name);
        report.deleted.push(resource.name.clone());
    }
}

impl<'a> Plan<'a> {
    fn of(entries: &'a [PoolEntry]) -> Self {
        let mut pools: BTreeMap<&PoolName, Pool> = BTreeMap::new();
        let mut names = BTreeMap::new();
        for entry in entries {
            names.extend(entry.names.iter().map(|name| (name, entry)));
            let pool = match pools.get(&entry.pool.name) {
                Some(earlier) => merged(earlier, &entry.pool),
                None => entry.pool.clone(),
            };
            pools.insert(&entry.pool.name, Pool { origin: PoolOrigin::Config, ..pool });
        }
        Self { pools, names }
    }
}

/// Two entries of one pool (S7): the later wins, but a static one does not undo a dynamic one, whose state is the
/// one that new resources get.
fn merged(earlier: &Pool, later: &Pool) -> Pool {
    let lifecycle: Option<Lifecycle> = later.lifecycle.clone().or_else(|| earlier.lifecycle.clone());
    let initial_state: State = match (&later.lifecycle, &earlier.lifecycle) {
        (None, Some(_)) => earlier.initial_state.clone(),
        _ => later.initial_state.clone(),
    };
    Pool {
        lifecycle,
        initial_state,
        default_ttl: later.default_ttl.or(earlier.default_ttl),
        max_ttl: later.max_ttl.or(earlier.max_ttl),
        on_expire: later.on_expire.clone().or_else(|| earlier.on_expire.clone()),
        reap_after: later.reap_after.or(earlier.reap_after),
        ..later.clone()
    }
}

/// S3: resources of a pool that is, or was until now, dynamic are not static ones to delete, but to adopt.
fn was_or_is_dynamic(plan: &Plan<'_>, before: &[Arc<Pool>], name: &PoolName) -> bool {
    let is = plan.pools.get(name).is_some_and(|pool| pool.lifecycle.is_some());
    is || before.iter().any(|pool| pool.name == *name && pool.lifecycle.is_some())
}

fn listed_details(known: &Details, entry: &PoolEntry, name: &Target) -> Details {
    let mut details = known.clone();
    if let Some(labels) = &entry.labels {
        details.labels.clone_from(labels);
    }
    if let Some(addresses) = entry.addresses.get(name) {
        details.addresses = addresses.clone();
    }
    details
}
