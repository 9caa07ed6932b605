//! Pools: named sets of resources of one kind (Boskos: resource types).

use std::collections::BTreeMap;

use crate::lease::Dialect;
use crate::name::{PoolName, State, Text};
use crate::time::Span;

/// What is known about a pool apart from its resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: PoolName,
    /// Who declared it.
    pub origin: PoolOrigin,
    /// State that a new resource gets; `free` unless the pools file says otherwise.
    pub initial_state: State,
    /// How resources come and go by themselves; `None` for a pool whose resources are only listed.
    pub lifecycle: Option<Lifecycle>,
    /// TTL of a lease that asks for none. A Boskos lease has no deadline unless this or `reap_after` is set.
    pub default_ttl: Option<Span>,
    /// Longest TTL of a lease that has one, from its grant or its last renewal.
    pub max_ttl: Option<Span>,
    /// State of a resource whose lock expired; see [`Pool::state_after_expiry`].
    pub on_expire: Option<State>,
    /// A Boskos lease that was not refreshed for this long, or for `max_ttl` if that is less, is taken back.
    pub reap_after: Option<Span>,
}

/// Where a pool was declared, which decides who may take it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolOrigin {
    /// In the pools file.
    Config,
    /// By creating a resource in it over the API.
    Api,
    /// Nowhere any more: it vanishes with its last resource.
    Retired,
}

/// Policy of a dynamic pool (Boskos: `DynamicResourceLifeCycle`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Lifecycle {
    /// Resources to keep at least; counts everything that is not an unowned tombstone.
    pub min_count: i64,
    /// Resources to keep at most; 0 together with `min_count` 0 means that the pool is going away.
    pub max_count: i64,
    /// How long after its last release an idle resource is given up.
    pub lifespan: Option<Span>,
    /// Opaque to Lessor: which mason builds it (`config.type`) and how (`config.content`).
    pub config: Option<(Text, Text)>,
    /// Opaque to Lessor: how many resources of other pools one of these is made of.
    pub needs: BTreeMap<Text, i64>,
}

impl Pool {
    /// State in which a resource comes back from a `/v1` lease that names no other: `dirty` where new resources
    /// start `dirty`, because then a janitor must be at work, else `free`.
    #[must_use]
    pub fn state_after_release(&self) -> State {
        if self.initial_state == State::dirty() { State::dirty() } else { State::free() }
    }

    /// State of a resource whose lock expired: `on_expire` if set, else as after a release.
    #[must_use]
    pub fn state_after_expiry(&self) -> State {
        self.on_expire.clone().unwrap_or_else(|| self.state_after_release())
    }

    /// TTL that a lease of `dialect` gets in this pool when it asks for none; `None` means no deadline.
    #[must_use]
    pub fn ttl_for(&self, dialect: Dialect) -> Option<Span> {
        let ttl = match dialect {
            Dialect::Boskos => self.default_ttl.or(self.reap_after),
            Dialect::V1 => Some(self.default_ttl.unwrap_or(crate::limits::TTL_DEFAULT)),
            Dialect::Contest => None,
        };
        ttl.map(|ttl| self.at_most(ttl))
    }

    /// As much of `ttl` as this pool allows.
    #[must_use]
    pub fn at_most(&self, ttl: Span) -> Span {
        self.max_ttl.map_or(ttl, |most| ttl.min(most))
    }
}
