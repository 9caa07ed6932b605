//! The runner: sees to it that what jobs need of their managers is done, and no more.
//!
//! It keeps no state that a restart would miss. After every event about a job it compares what the committed state says
//! that the job needs with the call that is under way for it: it begins what is missing, and cancels what is no longer
//! needed. Events that were missed are made up for by looking at all jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use lessor_keeper::{Error, Feed, Missed};
use lessor_ledger::{Command, Event, EventKind, Job};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::limits::{REPORT_RETRY_MAX, TURNS_GAP};
use crate::watch::Bells;
use crate::work::{Shop, Work};

/// See the module.
pub(crate) struct Runner {
    shop: Arc<Shop>,
    bells: Arc<Bells>,
    feed: Feed,
    running: BTreeMap<Job, Running>,
    calls: JoinSet<()>,
    /// Which job a call is for.
    jobs: BTreeMap<Id, Job>,
}

/// A call that is under way.
struct Running {
    work: Work,
    task: Id,
    cancel: CancellationToken,
}

impl Runner {
    pub(crate) fn new(shop: Arc<Shop>, bells: Arc<Bells>) -> Self {
        let feed = shop.keeper.feed().paced(TURNS_GAP);
        let (running, calls, jobs) = (BTreeMap::new(), JoinSet::new(), BTreeMap::new());
        Self { shop, bells, feed, running, calls, jobs }
    }

    /// Works until it is told to stop, or the keeper has stopped. Calls that are under way are ended then; after the next
    /// start they are made again, or their jobs have failed.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let working = async {
            if self.catch_up().await {
                self.go_on().await;
            }
        };
        // Dropping the calls ends them.
        let _ = stop.run_until_cancelled(working).await;
    }

    /// Begins with what was left by the server before. Gives false if the keeper has stopped.
    async fn catch_up(&mut self) -> bool {
        // The keeper's own first command is about these jobs; any later one is answered after it.
        loop {
            match self.shop.keeper.submit(Command::Tick).await {
                Ok(_) | Err(Error::Refused(_)) => break,
                Err(Error::Stopped) => return false,
                Err(Error::Busy | Error::ReadOnly(_)) => tokio::time::sleep(REPORT_RETRY_MAX).await,
            }
        }
        self.look_at_all();
        true
    }

    async fn go_on(&mut self) {
        loop {
            tokio::select! {
                events = self.feed.next() => match events {
                    Ok(events) => self.look_at(&events),
                    Err(Missed::Skipped) => self.look_at_all(),
                    Err(Missed::Stopped) => return,
                },
                Some(done) = self.calls.join_next_with_id() => self.done(done),
            }
        }
    }

    fn look_at(&mut self, events: &[Arc<Event>]) {
        for event in events.iter().filter(|event| turns(event.kind)) {
            let Some(job) = event.owner.as_ref().and_then(lessor_ledger::Owner::job) else { continue };
            self.look(job);
            self.bells.ring(job);
        }
    }

    fn look_at_all(&mut self) {
        let ledger = self.shop.keeper.snapshot();
        let mut jobs: Vec<Job> = ledger.live_jobs().map(|job| job.id).collect();
        jobs.extend(self.running.keys());
        for job in jobs {
            self.look(job);
        }
        self.bells.ring_all();
    }

    /// Compares what a job needs with what is under way for it.
    fn look(&mut self, id: Job) {
        let ledger = self.shop.keeper.snapshot();
        let job = ledger.job(id);
        let needed = job.and_then(|job| Work::of(job));
        if self.running.get(&id).map(|running| running.work) == needed {
            return;
        }
        if let Some(running) = self.running.remove(&id) {
            running.cancel.cancel();
        }
        let (Some(job), Some(work)) = (job, needed) else { return };
        let (job, cancel) = (Arc::clone(job), CancellationToken::new());
        let (shop, cancelled) = (Arc::clone(&self.shop), cancel.clone());
        let task = self.calls.spawn(async move { shop.work(&job, work, &cancelled).await }).id();
        self.jobs.insert(task, id);
        self.running.insert(id, Running { work, task, cancel });
    }

    fn done(&mut self, done: Result<(Id, ()), JoinError>) {
        let task = match done {
            Ok((task, ())) => task,
            Err(error) => {
                // The job's time limit tells the ledger.
                tracing::error!(%error, "a call for a job broke");
                error.id()
            }
        };
        // What it was for stays noted while the job is in the same phase, so that it is not begun twice.
        if let Some(job) = self.jobs.remove(&task)
            && self.running.get(&job).is_some_and(|running| running.task == task)
            && self.shop.keeper.snapshot().job(job).and_then(|job| Work::of(job)).is_none()
        {
            self.running.remove(&job);
        }
    }
}

/// Whether a job goes into another phase with an event of this kind.
fn turns(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::JobStarted
            | EventKind::TargetAcquired
            | EventKind::JobReleasing
            | EventKind::JobReleaseFailed
            | EventKind::JobCompleted
            | EventKind::JobFailed
            | EventKind::JobCancelled
    )
}
