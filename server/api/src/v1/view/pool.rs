//! Pools.

use std::collections::BTreeMap;

use lessor_ledger::{Pool, PoolOrigin, Time, Usage};
use serde::Serialize;
use utoipa::ToSchema;

use super::millis;
use crate::time::Stamp;

/// A pool with its counts.
#[derive(Serialize, ToSchema)]
#[schema(as = Pool)]
pub(crate) struct PoolView {
    name: String,
    /// `static` (its resources are listed) or `dynamic` (they come and go with its counts).
    kind: &'static str,
    /// Who declared it: `config`, `api`, or `retired` when the pools file no longer does and it only waits to be empty.
    origin: &'static str,
    /// State that a new resource gets.
    initial_state: String,
    /// All resources.
    total: u64,
    /// Those that can be leased now in state `free`.
    free: u64,
    /// Those that somebody holds.
    held: u64,
    /// All, by state.
    by_state: BTreeMap<String, u64>,
    /// Live waiters.
    waiting: u64,
    /// Since when the longest of them waits.
    oldest_wait_since: Option<Stamp>,
    /// TTL of a lease that asks for none, in milliseconds; null for the server's.
    default_ttl_ms: Option<i64>,
    /// Longest TTL, in milliseconds; null for the server's.
    max_ttl_ms: Option<i64>,
    /// State of a resource whose lock expired.
    on_expire: String,
    /// A Boskos lease that was not refreshed for this long is taken back, in milliseconds; null for never.
    reap_after_ms: Option<i64>,
    /// Policy of a dynamic pool.
    lifecycle: Option<LifecycleView>,
}

/// Policy of a dynamic pool.
#[derive(Serialize, ToSchema)]
#[schema(as = Lifecycle)]
pub(crate) struct LifecycleView {
    /// Resources to keep at least.
    min_count: i64,
    /// Resources to keep at most.
    max_count: i64,
    /// How long an idle resource is kept after its last release, in milliseconds; null for ever.
    lifespan_ms: Option<i64>,
    /// How many resources of other pools one of these is made of.
    needs: BTreeMap<String, i64>,
}

impl PoolView {
    /// A pool with its counts and its line.
    pub(crate) fn of(pool: &Pool, usage: &Usage, waiting: (u64, Option<Time>)) -> Self {
        Self {
            name: pool.name.to_string(),
            kind: if pool.lifecycle.is_some() { "dynamic" } else { "static" },
            origin: match pool.origin {
                PoolOrigin::Config => "config",
                PoolOrigin::Api => "api",
                PoolOrigin::Retired => "retired",
            },
            initial_state: pool.initial_state.to_string(),
            total: usage.total,
            free: usage.free,
            held: usage.held,
            by_state: usage.by_state.iter().map(|(state, &count)| (state.to_string(), count)).collect(),
            waiting: waiting.0,
            oldest_wait_since: waiting.1.map(Stamp),
            default_ttl_ms: millis(pool.default_ttl),
            max_ttl_ms: millis(pool.max_ttl),
            on_expire: pool.state_after_expiry().to_string(),
            reap_after_ms: millis(pool.reap_after),
            lifecycle: pool.lifecycle.as_ref().map(|lifecycle| LifecycleView {
                min_count: lifecycle.min_count,
                max_count: lifecycle.max_count,
                lifespan_ms: millis(lifecycle.lifespan),
                needs: lifecycle.needs.iter().map(|(pool, &count)| (pool.to_string(), count)).collect(),
            }),
        }
    }
}
