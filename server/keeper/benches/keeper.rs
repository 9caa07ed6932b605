//! How many durable mutations a keeper does with 64 askers, without the network in front of it.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may panic, and has no callers")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lessor_keeper::{Keeper, Options};
use lessor_ledger::{
    BoskosAcquire, Command, Owner, Pool, PoolEntry, PoolName, PoolOrigin, Reply, State, Target,
};
use lessor_store::{Store, StoreOptions};

/// Clients, as in `lessor bench`.
const ASKERS: u64 = 64;
/// Pools that they are spread over.
const POOLS: u64 = 10;
/// Resources of one pool.
const RESOURCES: u64 = 100;

fn pool_name(n: u64) -> PoolName {
    PoolName::new(format!("bench-{}", n % POOLS)).unwrap()
}

fn entry(n: u64) -> PoolEntry {
    let pool = Pool {
        name: pool_name(n),
        origin: PoolOrigin::Config,
        initial_state: State::free(),
        lifecycle: None,
        default_ttl: None,
        max_ttl: None,
        on_expire: None,
        reap_after: None,
    };
    let names = (0..RESOURCES).map(|r| Target::new(format!("bench-{n}-{r:03}")).unwrap()).collect();
    PoolEntry { pool, names, labels: None, addresses: BTreeMap::new() }
}

async fn cycles(keeper: Keeper, asker: u64, rounds: u64) {
    let owner = Owner::new(format!("asker-{asker}")).unwrap();
    let acquire = Command::BoskosAcquire(BoskosAcquire {
        pool: pool_name(asker),
        state: State::free(),
        dest: State::new("busy").unwrap(),
        owner: owner.clone(),
        request_id: None,
    });
    for _ in 0..rounds {
        let Reply::Held(held, _) = keeper.submit(acquire.clone()).await.unwrap() else {
            unreachable!("a pool has more resources than askers")
        };
        let name = held[0].name.clone();
        keeper
            .submit(Command::BoskosRelease { name, dest: State::free(), owner: owner.clone() })
            .await
            .unwrap();
    }
}

fn mutations(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (store, ledger) = Store::open(folder.path(), StoreOptions::default()).unwrap();
    let (keeper, stopper) =
        runtime.block_on(async { Keeper::start(store, ledger, Options::default()).unwrap() });
    runtime.block_on(keeper.submit(Command::Sync((0..POOLS).map(entry).collect()))).unwrap();
    let mut group = c.benchmark_group("keeper");
    group.throughput(Throughput::Elements(2 * ASKERS));
    group.sample_size(20).measurement_time(Duration::from_secs(15));
    group.bench_function("acquire and release, 64 askers", |b| {
        b.iter_custom(|rounds| {
            runtime.block_on(async {
                #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
                let start = Instant::now();
                let askers = (0..ASKERS).map(|asker| tokio::spawn(cycles(keeper.clone(), asker, rounds)));
                for asker in askers.collect::<Vec<_>>() {
                    asker.await.unwrap();
                }
                start.elapsed()
            })
        });
    });
    group.finish();
    runtime.block_on(stopper.stop()).unwrap();
}

criterion_group!(benches, mutations);
criterion_main!(benches);
