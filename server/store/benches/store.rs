//! How long a commit takes, and how long opening takes with a million resources.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may panic, and has no callers")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lessor_ledger::{
    BoskosAcquire, Command, Ledger, Owner, Pool, PoolEntry, PoolName, PoolOrigin, Span, State, Target, Time,
};
use lessor_store::{Batch, Store, StoreOptions};

/// Mutations in one batch, as with 64 clients.
const BATCH: u64 = 64;

fn pools(resources: usize) -> Command {
    let entry = PoolEntry {
        pool: Pool {
            name: PoolName::new("gpu").unwrap(),
            origin: PoolOrigin::Config,
            initial_state: State::free(),
            lifecycle: None,
            default_ttl: None,
            max_ttl: None,
            on_expire: None,
            reap_after: None,
        },
        names: (0..resources).map(|n| Target::new(format!("gpu-{n:07}")).unwrap()).collect(),
        labels: None,
        addresses: BTreeMap::new(),
    };
    Command::Sync(vec![entry])
}

/// A store and its ledger, in step.
struct Bench {
    store: Store,
    ledger: Ledger,
    now: Time,
}

impl Bench {
    fn open(path: &Path, resources: usize) -> Self {
        let (store, ledger) = Store::open(path, StoreOptions::default()).unwrap();
        let mut bench = Self { store, ledger, now: Time::from_millis(1_750_000_000_000) };
        bench.commit(vec![pools(resources)]);
        bench.store.checkpoint().unwrap();
        bench
    }

    fn commit(&mut self, commands: Vec<Command>) {
        self.now = self.now.plus(Span::from_millis(1));
        let mut changes = Vec::new();
        for command in commands {
            let step = self.ledger.apply(command, self.now);
            step.reply.unwrap();
            changes.extend(step.changes);
        }
        self.store
            .commit(Batch {
                number: self.store.last_batch() + 1,
                at: self.now,
                counters: self.ledger.counters(),
                changes: changes.into(),
            })
            .unwrap();
    }

    /// Commands that take and give back, so that the store stays as it is.
    fn cycles(&self) -> Vec<Command> {
        let owner = |n: u64| Owner::new(format!("ci-job-{n}")).unwrap();
        let mut trial = self.ledger.clone();
        let now = self.now.plus(Span::from_millis(1));
        let mut commands = Vec::new();
        for n in 0..BATCH / 2 {
            let acquire = Command::BoskosAcquire(BoskosAcquire {
                pool: PoolName::new("gpu").unwrap(),
                state: State::free(),
                dest: State::new("busy").unwrap(),
                owner: owner(n),
                request_id: None,
            });
            let Ok(lessor_ledger::Reply::Held(held, _)) = trial.apply(acquire.clone(), now).reply else {
                unreachable!("there are more resources than that")
            };
            commands.push(acquire);
            let name = held[0].name.clone();
            commands.push(Command::BoskosRelease { name, dest: State::free(), owner: owner(n) });
        }
        commands
    }
}

fn commit(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit");
    group.throughput(Throughput::Elements(BATCH));
    for resources in [1_000, 100_000] {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(folder.path(), resources);
        group.bench_function(format!("apply and commit 64 mutations, {resources} resources"), |b| {
            b.iter_custom(|rounds| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..rounds {
                    let commands = bench.cycles();
                    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
                    let start = std::time::Instant::now();
                    bench.commit(commands);
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

fn open(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path(), 1_000_000);
    bench.store.close().unwrap();
    drop(bench.ledger);
    let mut group = c.benchmark_group("open");
    group.sample_size(10);
    group.bench_function("1000000 resources", |b| {
        b.iter_batched(
            || (),
            |()| black_box(Store::open(folder.path(), StoreOptions::default()).unwrap()),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, commit, open);
criterion_main!(benches);
