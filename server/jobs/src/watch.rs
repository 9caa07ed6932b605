//! Who waits for a job to go on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lessor_ledger::Job;
use tokio::sync::Notify;

/// A bell for each job that somebody waits for. Its size is bounded by who may wait.
#[derive(Debug, Default)]
pub(crate) struct Bells(Mutex<BTreeMap<Job, Arc<Notify>>>);

/// The bell of one job, as long as somebody has it.
#[derive(Debug)]
pub(crate) struct Bell {
    bells: Arc<Bells>,
    job: Job,
    notify: Arc<Notify>,
}

impl Bells {
    /// Rings for everybody who waits for this job.
    pub(crate) fn ring(&self, job: Job) {
        if let Some(notify) = self.map().get(&job) {
            notify.notify_waiters();
        }
    }

    /// Rings for everybody.
    pub(crate) fn ring_all(&self) {
        self.map().values().for_each(|notify| notify.notify_waiters());
    }

    /// The bell of this job.
    pub(crate) fn of(self: &Arc<Self>, job: Job) -> Bell {
        let notify = Arc::clone(self.map().entry(job).or_default());
        Bell { bells: Arc::clone(self), job, notify }
    }

    fn map(&self) -> MutexGuard<'_, BTreeMap<Job, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell {
    /// Resolves at the next ring after the future was made, even if it is polled later.
    pub(crate) fn rung(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        let mut map = self.bells.map();
        // This one and the map's: nobody else has it.
        if Arc::strong_count(&self.notify) == 2 {
            map.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bell_is_heard_by_all_who_listened_before_and_goes_when_they_go() {
        let bells = Arc::new(Bells::default());
        let (one, other) = (bells.of(Job(1)), bells.of(Job(1)));
        let (first, second) = (one.rung(), other.rung());
        bells.ring(Job(2));
        bells.ring(Job(1));
        first.await;
        second.await;
        drop(one);
        assert_eq!(bells.map().len(), 1);
        drop(other);
        assert_eq!(bells.map().len(), 0);
    }
}
