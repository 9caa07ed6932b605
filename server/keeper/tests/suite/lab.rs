//! A keeper on a disk of its own, with a clock that is set by hand.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

use lessor_keeper::{Clock, Error, Health, Keeper, Options, Stopper, Watch};
use lessor_ledger::{
    Acquire, Command, Grant, LeaseId, Owner, Part, Pool, PoolEntry, PoolName, PoolOrigin, Reply, Settled,
    Span, State, Target, Time,
};
use lessor_store::{Store, StoreOptions};

use crate::disk::Disk;

/// Longest wait for something that is bound to happen at once. Generous, because the machine may be busy.
const SOON: Duration = Duration::from_secs(30);

/// A wall clock and a steady one, in nanoseconds. Both stand still until they are moved.
#[derive(Debug, Default)]
pub(crate) struct Dial {
    wall: AtomicI64,
    steady: AtomicU64,
}

impl Dial {
    pub(crate) fn set(&self, secs: i64) {
        self.wall.store(secs * 1_000_000_000, SeqCst);
    }

    /// Lets time pass by the steady clock alone.
    pub(crate) fn pass(&self, secs: u64) {
        self.steady.fetch_add(secs * 1_000_000_000, SeqCst);
    }
}

impl Clock for Dial {
    fn now(&self) -> Time {
        Time::from_nanos(self.wall.load(SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::from_nanos(self.steady.load(SeqCst))
    }
}

pub(crate) struct Lab {
    pub(crate) keeper: Keeper,
    pub(crate) disk: Disk,
    pub(crate) clock: Arc<Dial>,
    pub(crate) stopper: Stopper,
}

pub(crate) fn at(secs: i64) -> Time {
    Time::from_millis(secs * 1_000)
}

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// Polls it once: what it has to send has been sent then.
pub(crate) async fn begun<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    let ended = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await;
    assert!(!ended, "it has to wait for an answer");
    future
}

/// Looks again and again until `look` finds something.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    soon(what, async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
}

impl Lab {
    /// A keeper at second 1,000 on an empty disk, with a pool `gpu` of this many resources `gpu-0`, `gpu-1`, ….
    pub(crate) async fn new(resources: usize) -> Self {
        Self::with(resources, |_| {}).await
    }

    pub(crate) async fn with(resources: usize, change: impl FnOnce(&mut Options)) -> Self {
        let lab = Self::open(Disk::new(), 1_000, change);
        let names = (0..resources).map(|n| target(&format!("gpu-{n}"))).collect();
        lab.keeper.submit(Command::Sync(vec![entry("gpu", names)])).await.expect("the pool can be made");
        lab
    }

    /// A keeper on this disk, at this second.
    pub(crate) fn open(disk: Disk, secs: i64, change: impl FnOnce(&mut Options)) -> Self {
        let clock = Arc::new(Dial::default());
        clock.set(secs);
        let (store, ledger) =
            Store::open_on(disk.clone(), StoreOptions::default()).expect("the store can be opened");
        let mut options = Options {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            clock_check: Duration::from_millis(5),
            reopen_wait: Duration::from_millis(20),
            ..Options::default()
        };
        change(&mut options);
        let (keeper, stopper) = Keeper::start(store, ledger, options).expect("the thread can be started");
        Self { keeper, disk, clock, stopper }
    }

    /// Stops in good order and starts again on the same disk.
    pub(crate) async fn restart(self, secs: i64) -> Self {
        self.stopper.stop().await.expect("the keeper stops");
        Self::open(self.disk, secs, |_| {})
    }

    pub(crate) async fn acquire(&self, owner: &str) -> Result<Grant, Error> {
        match self.keeper.submit(acquire(owner, 60, false)).await? {
            Reply::Granted(grant) => Ok(*grant),
            reply => panic!("{owner} got {reply:?}"),
        }
    }

    pub(crate) async fn queue(&self, owner: &str) -> Watch {
        match self.keeper.submit_and_watch(acquire(owner, 60, true)).await.expect("there is room in the line")
        {
            (Reply::Queued(..), Some(watch)) => watch,
            reply => panic!("{owner} got {reply:?}"),
        }
    }

    pub(crate) async fn release(&self, grant: &Grant) -> Result<Reply, Error> {
        self.keeper.submit(release(grant.lease.id)).await
    }

    /// Who holds `target` in the committed state.
    pub(crate) fn holder(&self, target: &str) -> Option<String> {
        let snapshot = self.keeper.snapshot();
        snapshot.holder(target, self.keeper.now()).map(|lock| lock.owner.as_str().to_owned())
    }

    pub(crate) async fn writable(&self) {
        until("writing is possible again", || (self.keeper.health() == Health::Writable).then_some(())).await;
    }
}

pub(crate) fn target(name: &str) -> Target {
    Target::new(name).expect("a name in a test is a name")
}

pub(crate) fn entry(pool: &str, names: Vec<Target>) -> PoolEntry {
    let pool = Pool {
        name: PoolName::new(pool).expect("a name in a test is a name"),
        origin: PoolOrigin::Config,
        initial_state: State::free(),
        lifecycle: None,
        default_ttl: None,
        max_ttl: None,
        on_expire: None,
        reap_after: None,
    };
    PoolEntry { pool, names, labels: None, addresses: std::collections::BTreeMap::default() }
}

/// One resource of the pool `gpu`.
pub(crate) fn acquire(owner: &str, ttl_secs: i64, queue: bool) -> Command {
    Command::Acquire(Box::new(Acquire {
        owner: Owner::new(owner).expect("a name in a test is a name"),
        parts: vec![Part::Pool {
            pool: PoolName::new("gpu").expect("a name in a test is a name"),
            state: State::free(),
            labels: std::collections::BTreeMap::default(),
            count: 1,
        }],
        to_state: State::new("leased").expect("a name in a test is a name"),
        ttl: Some(Span::from_secs(ttl_secs)),
        queue,
        wait_anyway: false,
        priority: 0,
        purpose: None,
        key: None,
    }))
}

pub(crate) fn release(lease: LeaseId) -> Command {
    Command::Release { lease, owner: None, targets: None, to_state: None }
}

pub(crate) async fn granted(watch: Watch) -> Grant {
    match soon("the settlement", watch).await.expect("the keeper lives") {
        Settled::Granted(grant) => *grant,
        Settled::Ended(request) => panic!("the request ended: {request:?}"),
    }
}
