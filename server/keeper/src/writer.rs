//! The writer thread: takes commands, decides them in batches, commits, and tells.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lessor_ledger::{Change, Command, Ledger, Refusal, Reply, RequestId, Settled, Time};
use lessor_store::{Batch, CommitError, Store};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Stopwatch;
use crate::error::Error;
use crate::feed::Publisher;
use crate::handle::Shared;
use crate::limits;
use crate::post::{self, Post};
use crate::recovery::{Reopened, Retry};
use crate::room::Place;
use crate::stats::Kind;
use crate::watch::{Watch, Watches};

/// A command on its way to the writer.
pub(crate) struct Letter {
    pub(crate) command: Command,
    pub(crate) asker: Asker,
}

/// Whoever waits for the answer, if they still do.
pub(crate) struct Asker {
    /// Whether they want to know how their request ends, should it be queued.
    pub(crate) watch: bool,
    pub(crate) sender: oneshot::Sender<Answer>,
    /// Where a large command stands until it is answered.
    pub(crate) _place: Option<Place>,
}

pub(crate) type Answer = Result<(Reply, Option<Watch>), Error>;

impl Asker {
    fn answer(self, answer: Answer) {
        // An error means that they have left; what was decided stays decided.
        let _ = self.sender.send(answer);
    }
}

/// The owner of ledger and store.
pub(crate) struct Writer {
    pub(crate) store: Store,
    /// The last committed state; the same as the published snapshot.
    pub(crate) current: Arc<Ledger>,
    pub(crate) publisher: Publisher,
    post: Post,
    pub(crate) watches: Watches,
    pub(crate) shared: Arc<Shared>,
    /// Set while the store has failed.
    pub(crate) retry: Option<Retry>,
    /// Set once the store was open again after a failure.
    pub(crate) reopened: Option<Reopened>,
    pub(crate) reopen_wait: Duration,
    clock_check: Duration,
    /// Since it noticed that it is to stop.
    stopping: Option<Stopwatch>,
    /// Whether the last tick changed nothing although one was due.
    idle_tick: bool,
    /// Whether a checkpoint was being written when that was looked at last.
    pub(crate) checkpointing: bool,
    /// Changes of the batch at hand; kept for its memory.
    changes: Vec<Change>,
    decided: Vec<Decided>,
    replies: Vec<post::Reply>,
    settled: Vec<(RequestId, Settled)>,
}

/// A command that was decided and is not answered yet.
struct Decided {
    kind: Kind,
    reply: Result<Reply, Refusal>,
    /// On the request that was queued, if its asker wants to know how that ends.
    watch: Option<Watch>,
    /// `None` for the writer's own commands.
    asker: Option<Asker>,
}

/// What to do when nobody asks for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chore {
    Tick,
    Checkpoint,
    Reopen,
    LookAgain,
}

impl Writer {
    /// A writer that is about to run; the two last are as in [`Options`](crate::Options).
    pub(crate) fn new(
        store: Store,
        publisher: Publisher,
        post: Post,
        shared: Arc<Shared>,
        clock_check: Duration,
        reopen_wait: Duration,
    ) -> Self {
        Self {
            store,
            current: shared.snapshot.load_full(),
            publisher,
            post,
            watches: Watches::default(),
            shared,
            retry: None,
            reopened: None,
            reopen_wait,
            clock_check,
            stopping: None,
            idle_tick: false,
            checkpointing: false,
            changes: Vec::new(),
            decided: Vec::new(),
            replies: Vec::new(),
            settled: Vec::new(),
        }
    }

    /// Works until it is told to stop and nothing waits any more ([`limits::STOP_DECIDE_MAX`]), or until nobody is left to
    /// ask.
    pub(crate) async fn run(mut self, mut letters: mpsc::Receiver<Letter>, stop: oneshot::Receiver<()>) {
        let mut stop = std::pin::pin!(told(stop));
        let mut stopping = false;
        let mut inbox = Vec::with_capacity(limits::LETTERS_PER_BATCH_MAX);
        self.own(Command::Resume);
        loop {
            let (chore, pause) = self.chore();
            tokio::select! {
                biased;
                () = &mut stop, if !stopping => {
                    stopping = true;
                    letters.close();
                }
                count = letters.recv_many(&mut inbox, limits::LETTERS_PER_BATCH_MAX) => {
                    if count == 0 {
                        break;
                    }
                    self.serve(&mut inbox);
                }
                () = tokio::time::sleep(pause) => self.work(chore),
            }
        }
        self.finish();
    }

    /// What is due next if nobody asks, and in how long.
    fn chore(&self) -> (Chore, Duration) {
        if let Some(retry) = &self.retry {
            return (Chore::Reopen, retry.pause());
        }
        let due = self.current.deadline().map(|deadline| {
            let nanos = deadline.since(self.shared.course.now()).nanos();
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
        });
        let tick = due.map(|due| if self.idle_tick { due.max(limits::TICK_GAP) } else { due });
        let mut next = (Chore::LookAgain, self.clock_check);
        if self.store.is_behind() {
            let pause =
                if self.checkpointing { limits::CHECKPOINT_LOOK } else { limits::IDLE_BEFORE_CHECKPOINT };
            next = (Chore::Checkpoint, pause);
        }
        match tick {
            Some(tick) if tick <= next.1 => (Chore::Tick, tick),
            _ => next,
        }
    }

    fn work(&mut self, chore: Chore) {
        match chore {
            Chore::Tick => self.idle_tick = !self.own(Command::Tick),
            Chore::Checkpoint => self.checkpoint(),
            Chore::Reopen => self.try_reopen(),
            // The clock may have been set: the next look at it says what is due.
            Chore::LookAgain => self.idle_tick = false,
        }
    }

    fn checkpoint(&mut self) {
        match self.store.tend() {
            Ok(running) => self.checkpointing = running,
            Err(error) => self.fail("checkpoint", &error),
        }
    }

    /// Writes what the tables lack, for a moment.
    fn finish(mut self) {
        let watch = Stopwatch::start();
        while self.retry.is_none() && self.store.is_behind() {
            let left = limits::LAST_CHECKPOINT_MAX.saturating_sub(watch.elapsed());
            if left.is_zero() {
                break;
            }
            self.checkpoint();
            if let Err(error) = self.store.wait_for_checkpoint(left) {
                self.fail("checkpoint", &error);
            }
        }
    }

    /// Decides a command of the writer's own. Returns whether anything changed.
    pub(crate) fn own(&mut self, command: Command) -> bool {
        let mut next = Ledger::clone(&self.current);
        let now = self.shared.course.now();
        self.decide(&mut next, now, command, None);
        let changed = !self.changes.is_empty();
        self.conclude(next);
        changed
    }

    /// Decides everything in `inbox`, in as few commits as the bounds allow.
    fn serve(&mut self, inbox: &mut Vec<Letter>) {
        let mut letters = inbox.drain(..).peekable();
        while letters.peek().is_some() {
            if self.retry.is_some() {
                let error = self.read_only();
                letters.for_each(|letter| letter.asker.answer(Err(error.clone())));
                return;
            }
            if self.has_stopped_long_enough() {
                letters.for_each(|letter| letter.asker.answer(Err(Error::Stopped)));
                return;
            }
            let mut next = Ledger::clone(&self.current);
            let now = self.shared.course.now();
            while self.changes.len() < limits::CHANGES_PER_BATCH_MAX {
                let Some(Letter { command, asker }) = letters.next() else { break };
                self.decide(&mut next, now, command, Some(asker));
            }
            self.conclude(next);
        }
    }

    fn has_stopped_long_enough(&mut self) -> bool {
        self.shared.stopping.load(Relaxed)
            && self.stopping.get_or_insert_with(Stopwatch::start).elapsed() > limits::STOP_DECIDE_MAX
    }

    fn decide(&mut self, next: &mut Ledger, now: Time, command: Command, asker: Option<Asker>) {
        let kind = Kind::of(&command);
        let step = next.apply(command, now);
        self.changes.extend(step.changes);
        self.settled.extend(step.settled);
        let watch = match &step.reply {
            Ok(Reply::Queued(request, _)) if asker.as_ref().is_some_and(|asker| asker.watch) => {
                self.watches.add(request.id)
            }
            _ => None,
        };
        self.decided.push(Decided { kind, reply: step.reply, watch, asker });
    }

    /// Makes the batch at hand durable, shows it, and answers; or forgets it and says why.
    fn conclude(&mut self, mut next: Ledger) {
        self.collect_for_watchers(&mut next);
        if self.changes.is_empty() {
            self.tell();
            return;
        }
        let changes: Arc<[Change]> = self.changes.drain(..).collect();
        match self.commit(&next, &changes) {
            Ok(()) => {
                self.show(Arc::new(next));
                // Before the answers, so that whoever follows after an answer does not see what led to it.
                self.publisher.publish(&changes);
                self.tell();
            }
            Err(error) => {
                self.fail("commit", &error);
                let error = self.read_only();
                for asker in self.decided.drain(..).filter_map(|decided| decided.asker) {
                    asker.answer(Err(error.clone()));
                }
                self.settled.clear();
            }
        }
    }

    /// Collects, in the same commit, what this batch granted to requests that somebody watches: they are about to be
    /// told, and need not come back to say that they know.
    fn collect_for_watchers(&mut self, next: &mut Ledger) {
        for (request, settled) in &self.settled {
            if matches!(settled, Settled::Granted(_)) && self.watches.is_live(*request) {
                let step = next.apply(Command::Poll(*request), next.now());
                self.changes.extend(step.changes);
            }
        }
    }

    fn commit(&mut self, next: &Ledger, changes: &Arc<[Change]>) -> Result<(), CommitError> {
        let watch = Stopwatch::start();
        self.store.commit(Batch {
            number: self.store.last_batch() + 1,
            at: next.now(),
            counters: next.counters(),
            changes: Arc::clone(changes),
        })?;
        self.shared.stats.count_commit(self.decided.len(), watch.elapsed(), changes);
        Ok(())
    }

    /// Shows a committed state to everybody.
    pub(crate) fn show(&mut self, committed: Arc<Ledger>) {
        self.shared.snapshot.store(Arc::clone(&committed));
        self.current = committed;
    }

    /// Answers what was decided, then tells whoever watched what was settled. A request is watched as soon as it is
    /// queued, so no settlement is missed, not even one by the same batch.
    fn tell(&mut self) {
        for Decided { kind, reply, watch, asker } in self.decided.drain(..) {
            self.shared.stats.count(kind, reply.is_err());
            let Some(asker) = asker else { continue };
            self.replies.push((asker.sender, reply.map(|reply| (reply, watch)).map_err(Error::from)));
        }
        self.post.deliver(&mut self.replies);
        for (request, settled) in self.settled.drain(..) {
            self.watches.settle(request, &settled);
        }
    }
}

/// Resolves when somebody says stop. If that somebody is gone, nobody ever will.
async fn told(stop: oneshot::Receiver<()>) {
    if stop.await.is_err() {
        std::future::pending::<()>().await;
    }
}
