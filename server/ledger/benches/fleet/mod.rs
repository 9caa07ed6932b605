//! A ledger with many idle resources, as a large lab has.

use std::sync::Arc;

use lessor_ledger::{
    Change, Ledger, Origin, Pool, PoolName, PoolOrigin, Resource, Settings, State, Target, Time,
};

/// As many as in the largest Boskos installation that is known.
pub(crate) const POOLS: usize = 40;

/// The pool with this number.
pub(crate) fn pool(number: usize) -> PoolName {
    PoolName::new(format!("pool-{:02}", number % POOLS)).expect("a short name")
}

/// `count` free resources, spread over [`POOLS`] pools.
pub(crate) fn ledger(count: usize) -> Ledger {
    let mut ledger = Ledger::new(Settings::default());
    let pools: Vec<PoolName> = (0..POOLS).map(pool).collect();
    for name in &pools {
        ledger.absorb(&Change::Pool(Arc::new(Pool {
            name: name.clone(),
            origin: PoolOrigin::Config,
            initial_state: State::free(),
            lifecycle: None,
            default_ttl: None,
            max_ttl: None,
            on_expire: None,
            reap_after: None,
        })));
    }
    for number in 0..count {
        ledger.absorb(&Change::Resource(Arc::new(Resource {
            name: Target::new(format!("resource-{number:07}")).expect("a short name"),
            pool: pools[number % POOLS].clone(),
            state: State::free(),
            origin: Origin::Listed,
            created_at: Time::ZERO,
            updated_at: Time::ZERO,
            expires_at: None,
            revision: 1,
            details: None,
        })));
    }
    ledger
}
