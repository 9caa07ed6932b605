//! The inventory that a manager may read: pools and resources of the last committed state.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lessor_keeper::Keeper;
use lessor_ledger::{Ledger, Resource, Time};
use lessor_plugins::limits::INVENTORY_BYTES_MAX;
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
        Box::pin(async move { self.look(move |ledger, now| resources(ledger, &query, now)).await? })
    }

    fn extent(&self, pool: Option<&str>) -> usize {
        let ledger = self.keeper.snapshot();
        match pool {
            Some(pool) => ledger.member_count(pool),
            None => ledger.resource_count(),
        }
    }

    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, InventoryError>> {
        Box::pin(self.look(|ledger, _| {
            let pools = ledger.pools().map(|pool| {
                let (held, resources) = ledger.held_of(&pool.name);
                PoolView { name: pool.name.to_string(), resources, free: resources - held }
            });
            pools.collect()
        }))
    }
}

fn resources(ledger: &Ledger, query: &ResourceQuery, now: Time) -> Result<Vec<ResourceView>, InventoryError> {
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
    let all: Box<dyn Iterator<Item = &Arc<Resource>>> = match &query.pool {
        Some(pool) => Box::new(ledger.members_after(pool, None)),
        None => Box::new(ledger.resources_after(None)),
    };
    let (mut answer, mut room) = (Vec::new(), INVENTORY_BYTES_MAX);
    for resource in all.filter(wanted).take(limit) {
        let view = view(ledger, resource, now);
        let left = room.checked_sub(bytes(&view));
        room = left.ok_or_else(|| InventoryError::Invalid(too_large(answer.len())))?;
        answer.push(view);
    }
    Ok(answer)
}

fn too_large(fit: usize) -> String {
    format!(
        "an answer has at most {INVENTORY_BYTES_MAX} bytes, and only {fit} resources fit into it: ask for fewer"
    )
}

/// What a resource takes of an answer: its texts, and in a guest's memory an address and a length for each of the labels'.
fn bytes(view: &ResourceView) -> usize {
    let texts = [Some(&view.name), Some(&view.pool), Some(&view.state), view.fqdn.as_ref()];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    texts + view.labels.iter().map(|(key, value)| key.len() + value.len() + 16).sum::<usize>()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lessor_ledger::limits::LABELS_BYTES_MAX;
    use lessor_ledger::{Change, Details, Origin, PoolName, Settings, State, Target};

    use super::*;

    /// A pool of resources with as many labels as there may be.
    fn lab(count: usize) -> Ledger {
        let labels = BTreeMap::from([("k".into(), "x".repeat(LABELS_BYTES_MAX - 1).into())]);
        let details = Arc::new(Details { labels: labels.into(), ..Details::default() });
        let mut ledger = Ledger::new(Settings::default());
        for number in 0..count {
            ledger.absorb(&Change::Resource(Arc::new(Resource {
                name: Target::new(format!("r{number}")).expect("a short name"),
                pool: PoolName::new("lab").expect("a short name"),
                state: State::free(),
                origin: Origin::Listed,
                created_at: Time::ZERO,
                updated_at: Time::ZERO,
                expires_at: None,
                revision: 1,
                details: Some(Arc::clone(&details)),
            })));
        }
        ledger
    }

    #[test]
    fn an_answer_that_is_too_large_says_to_ask_for_fewer() {
        let ledger = lab(INVENTORY_BYTES_MAX / LABELS_BYTES_MAX + 1);
        let query = |limit| ResourceQuery { limit, ..ResourceQuery::default() };
        let error = resources(&ledger, &query(10_000), Time::ZERO).unwrap_err();
        assert!(matches!(&error, InventoryError::Invalid(why) if why.ends_with("ask for fewer")), "{error}");
        assert_eq!(resources(&ledger, &query(1_000), Time::ZERO).map(|all| all.len()), Ok(1_000));
    }
}
