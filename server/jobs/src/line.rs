//! Where calls of lockers stand in line, before they join everybody else in the keeper's queue.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lessor_ledger::PluginName;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::LINE_TARGETS_MAX;

/// The line of all plugins. A call takes as many places as it has targets, so that many large ones delay others no more than
/// one does. Plugins take turns in it: one of each stands there, the others of the same wait behind it in a [`Queue`].
#[derive(Clone)]
pub(crate) struct Line {
    places: Arc<Semaphore>,
    /// Of each plugin that has a queue: whose turn it is there.
    turns: Arc<Mutex<BTreeMap<PluginName, Weak<Semaphore>>>>,
}

/// Where the calls of one plugin wait.
pub(crate) struct Queue {
    turn: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(LINE_TARGETS_MAX as usize)), turns: Arc::default() }
    }

    /// The queue of a plugin: the same for all of its calls.
    pub(crate) fn of(&self, plugin: &PluginName) -> Queue {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let there = turns.get(plugin).and_then(Weak::upgrade);
        let turn = there.unwrap_or_else(|| {
            // There are as many as plugins that have calls, and one look at all of them for each that comes.
            turns.retain(|_, turn| turn.strong_count() > 0);
            let turn = Arc::new(Semaphore::new(1));
            turns.insert(plugin.clone(), Arc::downgrade(&turn));
            turn
        });
        Queue { turn, places: Arc::clone(&self.places) }
    }
}

impl Queue {
    /// Waits until there is room for so many targets: first come first served among the plugins, and so within each.
    ///
    /// # Cancel safety
    /// If the future is dropped, its place in line is the next one's.
    pub(crate) async fn places(&self, targets: usize) -> SemaphorePermit<'_> {
        let places = u32::try_from(targets).unwrap_or(u32::MAX).clamp(1, LINE_TARGETS_MAX);
        let _turn = self.turn.acquire().await.expect("queues are never closed");
        self.places.acquire_many(places).await.expect("the line is never closed")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn queue(line: &Line, plugin: &str) -> Queue {
        line.of(&PluginName::new(plugin).expect("a short name"))
    }

    #[tokio::test]
    async fn one_large_call_stands_in_the_keeper_s_queue_at_a_time_or_many_small_ones() {
        let line = Line::new();
        let queue = queue(&line, "p");
        let large = queue.places(10_000).now_or_never();
        assert!(large.is_some() && queue.places(1).now_or_never().is_none());
        drop(large);
        let small: Vec<_> = (0..50).map_while(|_| queue.places(1).now_or_never()).collect();
        assert_eq!(small.len(), 50);
        assert!(queue.places(9_951).now_or_never().is_none() && queue.places(9_950).now_or_never().is_some());
    }

    #[tokio::test]
    async fn the_many_calls_of_one_plugin_delay_another_by_two_of_them() {
        let line = Line::new();
        // Each call asks for its queue itself.
        let (first, modest) = (queue(&line, "greedy"), queue(&line, "modest"));
        let running = first.places(10_000).await;
        let queues: Vec<Queue> = (0..8).map(|_| queue(&line, "greedy")).collect();
        let mut waiting: Vec<_> = queues.iter().map(|queue| Box::pin(queue.places(10_000))).collect();
        assert!(waiting.iter_mut().all(|call| call.now_or_never().is_none()));
        let mut other = Box::pin(modest.places(1));
        assert!((&mut other).now_or_never().is_none());
        drop(running);
        let next =
            waiting.iter_mut().find_map(futures_util::FutureExt::now_or_never).expect("it stood first");
        // The others come again, and behind.
        assert!(waiting.iter_mut().skip(1).all(|call| call.now_or_never().is_none()));
        drop(next);
        assert!(other.now_or_never().is_some());
    }

    #[tokio::test]
    async fn nothing_is_kept_of_plugins_that_have_no_calls() {
        let line = Line::new();
        for number in 0..100 {
            drop(queue(&line, &format!("p{number}")));
        }
        assert_eq!(line.turns.lock().expect("nobody panics with it").len(), 1);
    }
}
