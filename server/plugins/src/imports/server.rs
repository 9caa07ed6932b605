//! What the server offers to the call of a job: `locker` and `inventory`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{Inventory, InventoryError, Locker, LockerError, PoolView, ResourceQuery, ResourceView};
use crate::contract::{inventory, locker};
use crate::guest::Guest;
use crate::limits::{
    INVENTORY_MAX, RESOURCES_PER_HOST_CALL, TARGET_BYTES_MAX, TARGETS_MAX, TARGETS_PER_HOST_CALL,
};

type Locked<T> = wasmtime::Result<Result<T, locker::LockError>>;
type Told<T> = wasmtime::Result<Result<T, inventory::InventoryError>>;

/// Longest lock that a guest may ask for: a year. The server's own bounds may be stricter.
const LOCK_MAX: Duration = Duration::from_hours(365 * 24);

impl locker::Host for Guest {
    async fn lock(&mut self, targets: Vec<String>, duration_ms: u64) -> Locked<()> {
        let locker = match self.locker(&targets)? {
            Ok(locker) => locker,
            Err(refused) => return Ok(Err(refused)),
        };
        let done = locker.lock(targets, duration(duration_ms)).await;
        self.visit.waited = true;
        Ok(done.map_err(refusal))
    }

    async fn try_lock(&mut self, targets: Vec<String>, duration_ms: u64, limit: u32) -> Locked<Vec<String>> {
        let locker = match self.locker(&targets)? {
            Ok(locker) => locker,
            Err(refused) => return Ok(Err(refused)),
        };
        let done = locker.try_lock(targets, duration(duration_ms), limit).await;
        self.visit.waited = true;
        Ok(done.map_err(refusal))
    }

    async fn unlock(&mut self, targets: Vec<String>) -> Locked<()> {
        let locker = match self.locker(&targets)? {
            Ok(locker) => locker,
            Err(refused) => return Ok(Err(refused)),
        };
        let done = locker.unlock(targets).await;
        self.visit.waited = true;
        Ok(done.map_err(refusal))
    }

    async fn refresh(&mut self, targets: Vec<String>, duration_ms: u64) -> Locked<()> {
        let locker = match self.locker(&targets)? {
            Ok(locker) => locker,
            Err(refused) => return Ok(Err(refused)),
        };
        let done = locker.refresh(targets, duration(duration_ms)).await;
        self.visit.waited = true;
        Ok(done.map_err(refusal))
    }
}

impl Guest {
    /// The locker of the call, if there is one and the targets are within bounds.
    fn locker(&mut self, targets: &[String]) -> Locked<Arc<dyn Locker>> {
        self.visit.host_calls(1 + targets.len() / TARGETS_PER_HOST_CALL)?;
        let Some(locker) = &self.visit.locker else {
            let message = "there is no locker in this call: locks are taken in `acquire`".to_owned();
            return Ok(Err(refusal(LockerError::Unavailable(message))));
        };
        if targets.len() > TARGETS_MAX {
            let message = format!("{} targets: at most {TARGETS_MAX} are taken at once", targets.len());
            return Ok(Err(refusal(LockerError::Invalid(message))));
        }
        if let Some(long) = targets.iter().find(|target| target.len() > TARGET_BYTES_MAX) {
            let message = format!(
                "the name of a target has {} bytes: at most {TARGET_BYTES_MAX} are taken",
                long.len()
            );
            return Ok(Err(refusal(LockerError::Invalid(message))));
        }
        Ok(Ok(Arc::clone(locker)))
    }
}

fn duration(duration_ms: u64) -> Duration {
    Duration::from_millis(duration_ms).min(LOCK_MAX)
}

fn refusal(error: LockerError) -> locker::LockError {
    let message = error.to_string();
    let (code, targets) = match error {
        LockerError::Held { targets, .. } => ("held", targets),
        LockerError::NotHeld { targets, .. } => ("not-held", targets),
        LockerError::Invalid(_) => ("invalid", Vec::new()),
        LockerError::Unavailable(_) => ("unavailable", Vec::new()),
    };
    locker::LockError { code: code.to_owned(), message, targets, extra: Vec::new() }
}

impl inventory::Host for Guest {
    async fn resources(&mut self, query: inventory::Query) -> Told<Vec<inventory::ResourceView>> {
        let inventory = match self.inventory()? {
            Ok(inventory) => inventory,
            Err(refused) => return Ok(Err(refused)),
        };
        let extent = inventory.extent(query.pool.as_deref());
        self.visit.host_calls(extent / RESOURCES_PER_HOST_CALL)?;
        if query.limit == 0 || query.limit > INVENTORY_MAX {
            let message = format!("the limit is {}: it must be 1 to {INVENTORY_MAX}", query.limit);
            return Ok(Err(no_answer(&InventoryError::Invalid(message))));
        }
        let query = ResourceQuery {
            pool: query.pool,
            state: query.state,
            labels: query.labels.into_iter().collect(),
            free_only: query.free_only,
            limit: query.limit,
        };
        let limit = query.limit as usize;
        let answer = inventory.resources(query).await;
        self.visit.waited = true;
        Ok(answer
            .map(|views| views.into_iter().take(limit).map(resource_view).collect())
            .map_err(|error| no_answer(&error)))
    }

    async fn pools(&mut self) -> Told<Vec<inventory::PoolView>> {
        let inventory = match self.inventory()? {
            Ok(inventory) => inventory,
            Err(refused) => return Ok(Err(refused)),
        };
        let answer = inventory.pools().await;
        self.visit.waited = true;
        self.visit.host_calls(answer.as_ref().map_or(0, Vec::len) / RESOURCES_PER_HOST_CALL)?;
        Ok(answer.map(|views| views.into_iter().map(pool_view).collect()).map_err(|error| no_answer(&error)))
    }
}

impl Guest {
    fn inventory(&mut self) -> Told<Arc<dyn Inventory>> {
        self.visit.host_call()?;
        let Some(inventory) = &self.visit.inventory else {
            let message = "there is no inventory in this call".to_owned();
            return Ok(Err(no_answer(&InventoryError::Unavailable(message))));
        };
        Ok(Ok(Arc::clone(inventory)))
    }
}

fn no_answer(error: &InventoryError) -> inventory::InventoryError {
    let code = match error {
        InventoryError::Invalid(_) => "invalid",
        InventoryError::Unavailable(_) => "unavailable",
    };
    inventory::InventoryError { code: code.to_owned(), message: error.to_string() }
}

fn resource_view(view: ResourceView) -> inventory::ResourceView {
    let ResourceView { name, pool, state, free, labels, fqdn, ipv4, ipv6 } = view;
    let labels = pairs(labels);
    inventory::ResourceView { name, pool, state, free, labels, fqdn, ipv4, ipv6, extra: Vec::new() }
}

fn pool_view(view: PoolView) -> inventory::PoolView {
    let PoolView { name, resources, free } = view;
    inventory::PoolView { name, resources, free, extra: Vec::new() }
}

fn pairs(labels: BTreeMap<String, String>) -> Vec<(String, String)> {
    labels.into_iter().collect()
}
