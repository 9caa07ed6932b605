//! Handles: how the rest of the server talks to the writer thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use lessor_ledger::{Command, Ledger, Reply, Span, Time};
use lessor_store::{Reader, Store};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Course;
use crate::error::{Error, Health};
use crate::feed::{Feed, Publisher, Source};
use crate::limits::{STOP_MAX, WRITER_STACK_BYTES};
use crate::options::Options;
use crate::post::Post;
use crate::room::Room;
use crate::stats::Stats;
use crate::watch::Watch;
use crate::writer::{Asker, Letter, Writer};

/// Asks the writer, and reads what it has committed. Cheap to clone; the writer stops by itself when the last clone
/// is gone.
#[derive(Clone)]
pub struct Keeper {
    shared: Arc<Shared>,
    letters: mpsc::Sender<Letter>,
}

/// What the writer shows to its handles.
pub(crate) struct Shared {
    pub(crate) snapshot: ArcSwap<Ledger>,
    pub(crate) health: ArcSwap<Health>,
    reader: Reader,
    pub(crate) stats: Stats,
    pub(crate) course: Course,
    feed: Source,
    room: Room,
    /// Whether a stop was asked for.
    pub(crate) stopping: Arc<AtomicBool>,
}

/// Says that the thread has ended, however it ended.
struct Ending {
    shared: Arc<Shared>,
    _ended: oneshot::Sender<()>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.health.store(Arc::new(Health::Stopped));
    }
}

/// Ends the writer thread. Dropping it does not: the thread then goes on until the last [`Keeper`] is gone.
#[derive(Debug)]
pub struct Stopper {
    stop: oneshot::Sender<()>,
    stopping: Arc<AtomicBool>,
    done: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

/// Why the writer thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the writer thread cannot be started")]
pub struct StartError(#[source] std::io::Error);

/// Why a stop was not clean. Nothing acknowledged is lost either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// The thread was still at work after [`STOP_MAX`].
    #[error("the writer thread did not stop within {} s", STOP_MAX.as_secs())]
    Late,
    /// The thread had died of a bug.
    #[error("the writer thread has died")]
    Died,
}

impl Keeper {
    /// Starts the writer thread on a store that was just opened and the ledger that came with it.
    ///
    /// Called within a tokio runtime, answers are handed out by a task of that runtime, which is cheaper when many
    /// wait at once. The first thing the thread does is [`Command::Resume`], because nobody could poll while the server was away.
    ///
    /// # Errors
    /// [`StartError`] if the system has no thread for it.
    pub fn start(store: Store, ledger: Ledger, options: Options) -> Result<(Self, Stopper), StartError> {
        let Options { clock, clock_check, letters_max, feed_batches_max, reopen_wait } = options;
        let (letters, inbox) = mpsc::channel(letters_max);
        let (stop, stopped) = oneshot::channel();
        let (ended, done) = oneshot::channel();
        let publisher = Publisher::new(feed_batches_max);
        let course = Course::new(clock, ledger.now());
        let shared = Arc::new(Shared {
            snapshot: ArcSwap::from_pointee(ledger),
            health: ArcSwap::from_pointee(Health::Writable),
            reader: store.reader(),
            stats: Stats::new(),
            course,
            feed: publisher.source(),
            room: Room::new(),
            stopping: Arc::default(),
        });
        let stopping = Arc::clone(&shared.stopping);
        let post = Post::new();
        let writer = Writer::new(store, publisher, post, Arc::clone(&shared), clock_check, reopen_wait);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError)?;
        let thread = std::thread::Builder::new()
            .name("lessor-keeper".into())
            .stack_size(WRITER_STACK_BYTES)
            .spawn(move || {
                let _ending = Ending { shared: Arc::clone(&writer.shared), _ended: ended };
                runtime.block_on(writer.run(inbox, stopped));
            })
            .map_err(StartError)?;
        Ok((Self { shared, letters }, Stopper { stop, stopping, done, thread }))
    }

    /// Decides a command; resolves after what it did is durable and visible in [`Keeper::snapshot`].
    ///
    /// # Errors
    /// [`Error::Refused`] if the ledger said no, [`Error::Busy`] at once if too many commands wait,
    /// [`Error::ReadOnly`] if the store cannot be written, [`Error::Stopped`] after the end.
    ///
    /// # Cancel safety
    /// Not cancel safe: once polled, the command runs, unless it is a large one that still waits for room
    /// ([`limits::LARGE_TARGETS`](crate::limits::LARGE_TARGETS)). A dropped future only loses the reply.
    pub async fn submit(&self, command: Command) -> Result<Reply, Error> {
        self.send(command, false).await.map(|(reply, _)| reply)
    }

    /// As [`Keeper::submit`]; if the reply is [`Reply::Queued`], the watch resolves when that request is settled.
    ///
    /// There is no watch if the reply is something else, or if too many watch already
    /// ([`limits::WATCHES_MAX`](crate::limits::WATCHES_MAX),
    /// [`limits::WATCHES_PER_REQUEST_MAX`](crate::limits::WATCHES_PER_REQUEST_MAX)): the request waits all the same.
    ///
    /// # Errors
    /// As [`Keeper::submit`].
    ///
    /// # Cancel safety
    /// As [`Keeper::submit`].
    pub async fn submit_and_watch(&self, command: Command) -> Result<(Reply, Option<Watch>), Error> {
        self.send(command, true).await
    }

    async fn send(&self, command: Command, watch: bool) -> Result<(Reply, Option<Watch>), Error> {
        match &**self.shared.health.load() {
            Health::Writable => {}
            Health::ReadOnly(reason) => return Err(Error::ReadOnly(reason.to_string())),
            Health::Stopped => return Err(Error::Stopped),
        }
        let weight = self.shared.snapshot.load().weight(&command);
        let place = self.shared.room.place(weight).await?;
        let (sender, answered) = oneshot::channel();
        match self.letters.try_send(Letter { command, asker: Asker { watch, sender, _place: place } }) {
            Ok(()) => answered.await.unwrap_or(Err(Error::Stopped)),
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.shared.stats.busy.fetch_add(1, Relaxed);
                Err(Error::Busy)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::Stopped),
        }
    }

    /// The last committed state. Lock-free; hold it no longer than needed, because it keeps old records alive.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Ledger> {
        self.shared.snapshot.load_full()
    }

    /// How far the wall clock is behind the time that is decided by; zero if it is not.
    #[must_use]
    pub fn clock_behind(&self) -> Span {
        self.shared.course.behind()
    }

    /// The time that a command would be decided at: the wall clock's, but never before an earlier answer, nor before
    /// the last commit. It goes on, more slowly, while the wall clock is behind it.
    #[must_use]
    pub fn now(&self) -> Time {
        self.shared.course.now()
    }

    /// Ended leases and past events. Its reads block: call them in `spawn_blocking`.
    #[must_use]
    pub fn history(&self) -> &Reader {
        &self.shared.reader
    }

    /// Follows committed events from now on.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.shared.feed.subscribe()
    }

    /// What has been counted since the start of the process.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// Whether commands are taken.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::clone(&self.shared.health.load())
    }

    /// How many commands wait for the writer now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.letters.max_capacity() - self.letters.capacity()
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("health", &self.health()).field("waiting", &self.waiting()).finish()
    }
}

impl Stopper {
    /// Takes no more commands, decides those that wait already and can be decided within
    /// [`STOP_DECIDE_MAX`](crate::limits::STOP_DECIDE_MAX), writes the tables for a moment, and ends the thread.
    ///
    /// # Errors
    /// [`StopError`] if the thread does not end within [`STOP_MAX`], or has died.
    ///
    /// # Cancel safety
    /// A dropped future leaves the thread stopping.
    pub async fn stop(self) -> Result<(), StopError> {
        self.stopping.store(true, Relaxed);
        // An error means that the thread has ended already; `join` says how.
        let _ = self.stop.send(());
        if tokio::time::timeout(STOP_MAX, self.done).await.is_err() {
            return Err(StopError::Late);
        }
        self.thread.join().map_err(|_| StopError::Died)
    }

    /// Resolves when the thread has ended: because it died, or because the last [`Keeper`] is gone.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn ended(&mut self) {
        // Nothing is ever sent: the sender's end is the message.
        let _ = (&mut self.done).await;
    }
}
