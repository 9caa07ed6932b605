//! The slow lane: a call that computes for more than a moment goes on in turns with all others that do.
//!
//! Each poll of such a call, which is a tick of its guest or less, needs two turns: one among the calls of its plugin, and
//! one among the plugins. So many loops have no more turns than one has, and a plugin that loops many times
//! over delays the long calls of another no more than one that loops once. A call that is over within a tick, as most are,
//! never comes here; nor does a turn last while a guest waits for the host.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::TICK;

/// How a call uses the processors: what its clock tells whoever lets it go on.
#[derive(Default)]
pub(crate) struct Pace {
    ticks: AtomicU64,
    /// Ticks that the guest ran for.
    spent: AtomicU64,
    computing: AtomicBool,
}

impl Pace {
    /// Notes a tick, and interrupts the guest: it goes on as soon as [`run`] lets it.
    pub(crate) fn tick(&self) -> impl Future<Output = ()> + Send + 'static {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.computing.store(true, Ordering::Relaxed);
        end_of_poll()
    }

    /// Charges a tick to the guest.
    pub(crate) fn charge(&self) {
        self.spent.fetch_add(1, Ordering::Relaxed);
    }

    /// For how long the guest ran.
    pub(crate) fn spent(&self) -> Duration {
        TICK.saturating_mul(u32::try_from(self.spent.load(Ordering::Relaxed)).unwrap_or(u32::MAX))
    }

    fn is_computing(&self) -> bool {
        self.computing.load(Ordering::Relaxed)
    }

    /// Whether it goes on in turns. The first tick does not tell: it may have begun long before the call.
    fn is_slow(&self) -> bool {
        self.ticks.load(Ordering::Relaxed) > 1
    }
}

/// Runs a call of a plugin to its end, in turns as soon as it is slow: in its plugin's `own` lane, and in that of `all`.
///
/// # Cancel safety
///
/// If the future is dropped, the call ends where it is, and its turn is the next one's.
pub(crate) async fn run<T>(
    own: &Semaphore,
    all: &Semaphore,
    pace: &Pace,
    call: impl Future<Output = T>,
) -> T {
    let mut call = pin!(call);
    loop {
        // It stands in line as soon as it was interrupted, not only when it is woken again.
        let turns = if pace.is_slow() { Some((turn(own).await, turn(all).await)) } else { None };
        if pace.is_computing() {
            tokio::task::yield_now().await;
        }
        pace.computing.store(false, Ordering::Relaxed);
        let polled = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        drop(turns);
        match polled {
            Poll::Ready(done) => return done,
            Poll::Pending if pace.is_computing() => {}
            Poll::Pending => end_of_poll().await,
        }
    }
}

async fn turn(lane: &Semaphore) -> SemaphorePermit<'_> {
    lane.acquire().await.expect("lanes are never closed")
}

/// Is there with the next poll, for which somebody else has to see.
fn end_of_poll() -> impl Future<Output = ()> + Send + 'static {
    let mut over = false;
    poll_fn(move |_| if std::mem::replace(&mut over, true) { Poll::Ready(()) } else { Poll::Pending })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use tokio::task::JoinSet;

    use super::*;

    /// What a number of calls share, and what is seen of them.
    struct Road {
        all: Semaphore,
        turns: AtomicUsize,
        inside: AtomicUsize,
        most_inside: AtomicUsize,
    }

    impl Road {
        fn new(lanes: usize) -> Arc<Self> {
            let count = || AtomicUsize::new(0);
            Arc::new(Self {
                all: Semaphore::new(lanes),
                turns: count(),
                inside: count(),
                most_inside: count(),
            })
        }

        /// A guest that has been computing for a while, and goes on for so many ticks.
        async fn compute(&self, own: &Semaphore, ticks: usize) {
            let pace = Pace::default();
            drop((pace.tick(), pace.tick()));
            let guest = async {
                for _ in 0..ticks {
                    let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
                    self.most_inside.fetch_max(inside, Ordering::SeqCst);
                    self.turns.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                    self.inside.fetch_sub(1, Ordering::SeqCst);
                    pace.tick().await;
                }
            };
            run(own, &self.all, &pace, guest).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_slow_calls_no_more_go_on_at_once_than_there_are_lanes() {
        for (plugins, lanes, expected) in [(4, 2, 2), (1, 2, 1)] {
            let road = Road::new(lanes);
            let own: Vec<_> = (0..plugins).map(|_| Arc::new(Semaphore::new(1))).collect();
            let mut calls = JoinSet::new();
            for call in 0..8 {
                let (road, own) = (Arc::clone(&road), Arc::clone(&own[call % plugins]));
                calls.spawn(async move { road.compute(&own, 500).await });
            }
            calls.join_all().await;
            assert_eq!(road.turns.load(Ordering::SeqCst), 8 * 500);
            assert!(road.most_inside.load(Ordering::SeqCst) <= expected, "{plugins} plugins, {lanes} lanes");
        }
    }

    #[tokio::test]
    async fn the_many_calls_of_one_plugin_take_the_turn_of_one() {
        let road = Road::new(1);
        let (greedy, modest) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let mut calls = JoinSet::new();
        for _ in 0..32 {
            let (road, own) = (Arc::clone(&road), Arc::clone(&greedy));
            calls.spawn(async move { road.compute(&own, usize::MAX).await });
        }
        while road.turns.load(Ordering::SeqCst) < 100 {
            tokio::task::yield_now().await;
        }
        let before = road.turns.load(Ordering::SeqCst);
        let ours = Arc::clone(&road);
        // A task like the others: what blocks on the runtime is polled less often.
        let ends = tokio::spawn(async move { ours.compute(&modest, 100).await });
        ends.await.expect("it ends");
        let turns = road.turns.load(Ordering::SeqCst) - before;
        // 100 of its own, and about as many of the other's: not 32 times as many.
        assert!((150..=350).contains(&turns), "{turns}");
    }

    #[tokio::test]
    async fn who_waits_for_the_host_is_in_nobody_s_way() {
        let (own, all, pace) = (Semaphore::new(1), Semaphore::new(1), Pace::default());
        drop((pace.tick(), pace.tick()));
        let (asks, asked) = tokio::sync::oneshot::channel();
        let host = async {
            asks.send(()).expect("it is listened to");
            let _ = tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
        };
        let waits = run(&own, &all, &pace, host);
        let looks = async {
            asked.await.expect("it asks");
            (own.available_permits(), all.available_permits())
        };
        let ((), seen) = tokio::join!(waits, looks);
        assert_eq!(seen, (1, 1));
    }
}
