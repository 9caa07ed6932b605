//! What one command costs, and that this does not depend on how much there is (promise P6).
//!
//! Every bench keeps a snapshot and renews it every 64 commands, as the keeper does with a batch, so that the
//! price of copying shared nodes is in the numbers.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lessor_ledger::{
    Acquire, BoskosAcquire, Command, ContestLock, Job, LeaseId, Ledger, Owner, Part, Reply, Span, State,
    Target, Time,
};

mod fleet;

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
const SNAPSHOT_EVERY: u64 = 64;
const WAITERS: usize = 1_000;

/// Far enough apart that every command has its own instant.
const STEP: Span = Span::from_nanos(20_000);

/// A ledger in use: time goes on, and somebody holds a snapshot.
struct Desk {
    ledger: Ledger,
    snapshot: Ledger,
    now: Time,
    count: u64,
}

impl Desk {
    fn new(ledger: Ledger) -> Self {
        Self { snapshot: ledger.clone(), ledger, now: Time::from_millis(1_000), count: 0 }
    }

    fn apply(&mut self, command: Command) -> Reply {
        self.now = self.now.plus(STEP);
        self.count += 1;
        if self.count.is_multiple_of(SNAPSHOT_EVERY) {
            self.snapshot = self.ledger.clone();
        }
        let step = self.ledger.apply(command, self.now);
        black_box(&step.changes);
        step.reply.expect("nothing here is refused")
    }
}

fn owner() -> Owner {
    Owner::new("ci-job-17").expect("a short name")
}

fn boskos_pair(desk: &mut Desk, pool: usize) {
    let ask = BoskosAcquire {
        pool: fleet::pool(pool),
        state: State::free(),
        dest: state("busy"),
        owner: owner(),
        request_id: None,
    };
    let Reply::Held(held, owner) = desk.apply(Command::BoskosAcquire(ask)) else {
        unreachable!("it was held")
    };
    let name = held[0].name.clone();
    desk.apply(Command::BoskosRelease { name, dest: State::free(), owner });
}

fn state(name: &str) -> State {
    State::new(name).expect("a short name")
}

fn ask(pool: usize, queue: bool) -> Command {
    Command::Acquire(Box::new(Acquire {
        owner: owner(),
        parts: vec![Part::Pool {
            pool: fleet::pool(pool),
            state: State::free(),
            labels: BTreeMap::new(),
            count: 1,
        }],
        to_state: state("leased"),
        ttl: Some(Span::from_secs(60)),
        queue,
        wait_anyway: false,
        priority: 0,
        purpose: None,
        key: None,
    }))
}

fn give_back(lease: LeaseId) -> Command {
    Command::Release { lease, owner: None, targets: None, to_state: None }
}

fn v1_pair(desk: &mut Desk, pool: usize) {
    let Reply::Granted(grant) = desk.apply(ask(pool, false)) else { unreachable!("it was granted") };
    desk.apply(give_back(grant.lease.id));
}

fn contest_pair(desk: &mut Desk, number: usize, names: &[Target]) {
    let lock = ContestLock {
        job: Job(17),
        duration: Span::from_secs(60),
        targets: vec![Some(names[number % names.len()].clone())],
    };
    desk.apply(Command::ContestLock(lock.clone()));
    desk.apply(Command::ContestUnlock(lock));
}

/// Release to the first of many in line, whose place somebody else takes.
fn hand_over(desk: &mut Desk, lease: LeaseId) -> LeaseId {
    desk.now = desk.now.plus(STEP);
    let step = desk.ledger.apply(give_back(lease), desk.now);
    desk.apply(ask(0, true));
    match step.settled.as_slice() {
        [(_, lessor_ledger::Settled::Granted(grant))] => grant.lease.id,
        settled => unreachable!("one waiter is served, not {settled:?}"),
    }
}

fn by_size(c: &mut Criterion) {
    for size in SIZES {
        let ledger = fleet::ledger(size);
        let names: Vec<Target> = ledger.resources_after(None).take(1_000).map(|r| r.name.clone()).collect();
        let mut desk = Desk::new(ledger.clone());
        let mut number = 0;
        c.bench_with_input(BenchmarkId::new("boskos acquire+release", size), &size, |b, _| {
            b.iter(|| {
                number += 1;
                boskos_pair(&mut desk, number);
            });
        });
        let mut desk = Desk::new(ledger.clone());
        c.bench_with_input(BenchmarkId::new("v1 acquire+release", size), &size, |b, _| {
            b.iter(|| {
                number += 1;
                v1_pair(&mut desk, number);
            });
        });
        let mut desk = Desk::new(ledger);
        c.bench_with_input(BenchmarkId::new("contest lock+unlock", size), &size, |b, _| {
            b.iter(|| {
                number += 1;
                contest_pair(&mut desk, number, &names);
            });
        });
    }
}

fn with_waiters(c: &mut Criterion) {
    let mut desk = Desk::new(fleet::ledger(fleet::POOLS));
    let Reply::Granted(grant) = desk.apply(ask(0, false)) else { unreachable!("it was granted") };
    for _ in 0..WAITERS {
        desk.apply(ask(0, true));
    }
    let mut lease = grant.lease.id;
    c.bench_function("release to the first of 1000 waiters + queue", |b| {
        b.iter(|| lease = hand_over(&mut desk, lease));
    });
    c.bench_function("v1 acquire+release beside 1000 waiters of another pool", |b| {
        b.iter(|| v1_pair(&mut desk, 1));
    });
}

criterion_group!(benches, by_size, with_waiters);
criterion_main!(benches);
