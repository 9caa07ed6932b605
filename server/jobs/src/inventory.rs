//! The inventory that a manager may read: pools and resources of the last committed state.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lessor_keeper::Keeper;
use lessor_ledger::{Ledger, Resource, Time};
use lessor_plugins::{Inventory, InventoryError, PoolView, ResourceQuery, ResourceView};
use tokio::sync::Semaphore;

use crate::limits::INVENTORY_READS_MAX;

/// Reads the keeper's snapshots, a few at a time for all plugins together.
#[derive(Clone)]
pub(crate) struct Snapshots {
    keeper: Keeper,
    reads: Arc<Semaphore>,
}

impl Snapshots {
    pub(crate) fn new(keeper: Keeper) -> Self {
        Self { keeper, reads: Arc::new(Semaphore::new(INVENTORY_READS_MAX)) }
    }

    /// Looks through a snapshot in a thread where that may take a while.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Ledger, Time) -> T + Send + 'static,
    ) -> Result<T, InventoryError> {
        let permit = Arc::clone(&self.reads).acquire_owned().await.expect("the semaphore is never closed");
        let (ledger, now) = (self.keeper.snapshot(), self.keeper.now());
        let looking = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            look(&ledger, now)
        });
        looking.await.map_err(|_| InventoryError::Unavailable("the inventory broke".to_owned()))
    }
}

impl Inventory for Snapshots {
    fn resources(&self, query: ResourceQuery) -> BoxFuture<'_, Result<Vec<ResourceView>, InventoryError>> {
        Box::pin(self.look(move |ledger, now| resources(ledger, &query, now)))
    }

    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, InventoryError>> {
        Box::pin(self.look(|ledger, _| {
            let pools = ledger.pools().map(|pool| {
                let usage = ledger.usage(&pool.name);
                let (resources, free) = (usage.total, usage.total - usage.held);
                PoolView { name: pool.name.to_string(), resources, free }
            });
            pools.collect()
        }))
    }
}

fn resources(ledger: &Ledger, query: &ResourceQuery, now: Time) -> Vec<ResourceView> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let wanted = |resource: &&Arc<Resource>| {
        let details = resource.details();
        query.state.as_ref().is_none_or(|state| resource.state.as_str() == state)
            && query
                .labels
                .iter()
                .all(|(key, value)| details.labels.get(key.as_str()).is_some_and(|has| **has == **value))
            && (!query.free_only || free(ledger, resource, now))
    };
    let view = |resource: &Arc<Resource>| view(ledger, resource, now);
    match &query.pool {
        Some(pool) => ledger.members_after(pool, None).filter(wanted).take(limit).map(view).collect(),
        None => ledger.resources_after(None).filter(wanted).take(limit).map(view).collect(),
    }
}

/// Whether a job could lock it: nobody holds it, and it is not cordoned.
fn free(ledger: &Ledger, resource: &Resource, now: Time) -> bool {
    resource.details().cordon.is_none() && ledger.holder(resource.name.as_str(), now).is_none()
}

fn view(ledger: &Ledger, resource: &Resource, now: Time) -> ResourceView {
    let details = resource.details();
    let addresses = &details.addresses;
    ResourceView {
        name: resource.name.to_string(),
        pool: resource.pool.to_string(),
        state: resource.state.to_string(),
        free: free(ledger, resource, now),
        labels: details.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        fqdn: addresses.fqdn.as_ref().map(ToString::to_string),
        ipv4: addresses.ipv4.map(|address| address.to_string()),
        ipv6: addresses.ipv6.map(|address| address.to_string()),
    }
}
