//! What every handler has at hand.

use std::ops::Deref;
use std::sync::Arc;

use lessor_control::{Nudge, PoolsStatus};
use lessor_jobs::{Jobs, Plugins};
use lessor_keeper::Keeper;
use lessor_ledger::{Command, Ledger, Reply, Time};
use lessor_store::Reader;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::answers::Answers;
use crate::bulletin::Bulletins;
use crate::guard::Hosts;
use crate::limits::{HELD_REQUESTS_MAX, READS_MAX, STREAMS_MAX};
use crate::metrics::Metrics;
use crate::pages::pulse::Pulse;
use crate::pages::seat::Seats;
use crate::problem::{Kind, Problem};

/// What the API is built from.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Decides and remembers.
    pub keeper: Keeper,
    /// What became of the pools file.
    pub pools: watch::Receiver<PoolsStatus>,
    /// Has the pools file read again; `None` without one.
    pub reload: Option<Nudge>,
    /// Runs jobs.
    pub jobs: Jobs,
    /// Installs plugins.
    pub plugins: Plugins,
    /// Cancelled when the server goes down: streams end, held requests are answered.
    pub shutdown: CancellationToken,
    /// Which `Host` headers are answered.
    pub hosts: Hosts,
}

/// State of the router. A clone is one count up.
#[derive(Clone, Debug)]
pub struct App(Arc<Shared>);

/// What [`App`] dereferences to.
#[derive(Debug)]
pub struct Shared {
    pub(crate) keeper: Keeper,
    pub(crate) pools: watch::Receiver<PoolsStatus>,
    pub(crate) reload: Option<Nudge>,
    pub(crate) jobs: Jobs,
    pub(crate) plugins: Plugins,
    pub(crate) shutdown: CancellationToken,
    pub(crate) hosts: Hosts,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pulse: Pulse,
    /// What event streams live on.
    pub(crate) bulletins: Bulletins,
    pub(crate) seats: Seats,
    pub(crate) answers: Answers,
    held: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    reads: Arc<Semaphore>,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Puts the inputs together with fresh metrics and full allowances, and starts what the dashboard needs beside
    /// requests. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(inputs: Inputs) -> Self {
        let Inputs { keeper, pools, reload, jobs, plugins, shutdown, hosts } = inputs;
        let pulse = Pulse::start(&keeper, pools.clone(), shutdown.clone());
        let bulletins = Bulletins::start(&keeper, shutdown.clone());
        let seats = Seats::start(&keeper, shutdown.clone());
        let metrics = Arc::new(Metrics::new(keeper.clone(), plugins.clone()));
        Self(Arc::new(Shared {
            keeper,
            pools,
            reload,
            jobs,
            plugins,
            shutdown,
            hosts,
            metrics,
            pulse,
            bulletins,
            seats,
            answers: Answers::new(),
            held: Arc::new(Semaphore::new(HELD_REQUESTS_MAX)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            reads: Arc::new(Semaphore::new(READS_MAX)),
        }))
    }

    /// Submits a command; a refusal is a problem.
    ///
    /// # Errors
    /// The problem that the keeper's error stands for.
    ///
    /// # Cancel safety
    /// A dropped future does not undo the command.
    pub(crate) async fn submit(&self, command: Command) -> Result<Reply, Problem> {
        self.keeper.submit(command).await.map_err(Problem::from)
    }

    /// Allows one more request to be held open, until the permit is dropped.
    pub(crate) fn hold(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.held).try_acquire_owned().map_err(|_| {
            Problem::new(
                Kind::Overloaded,
                format!("{HELD_REQUESTS_MAX} requests are held open, which is the limit"),
            )
        })
    }

    /// How many event streams are open.
    pub(crate) fn streams_open(&self) -> usize {
        STREAMS_MAX - self.streams.available_permits()
    }

    /// Allows one more event stream, until the permit is dropped.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            Problem::new(
                Kind::Overloaded,
                format!("{STREAMS_MAX} event streams are open, which is the limit"),
            )
        })
    }

    /// Reads the history in a thread where that may block.
    ///
    /// # Errors
    /// An internal problem if the store fails; never "not found".
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, lessor_store::ReadError> + Send + 'static,
    {
        let reader = self.keeper.history().clone();
        let outcome = self.aside(move || read(&reader)).await?;
        outcome.map_err(|error| Problem::internal(&error))
    }

    /// Looks through the last committed state in a thread where that may take a while: a list of a thousand items
    /// takes milliseconds, in which the threads that serve everybody else are not to be held up.
    ///
    /// # Errors
    /// An internal problem if `look` panics.
    pub(crate) async fn look<T, F>(&self, look: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Ledger, Time) -> T + Send + 'static,
    {
        let (ledger, now) = (self.keeper.snapshot(), self.keeper.now());
        self.aside(move || look(&ledger, now)).await
    }

    /// Looks through the last committed state and the history together, in a thread where that may take a while.
    ///
    /// # Errors
    /// An internal problem if the store fails, or `look` panics.
    pub(crate) async fn browse<T, F>(&self, look: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Ledger, Time, &Reader) -> Result<T, lessor_store::ReadError> + Send + 'static,
    {
        let (ledger, now, reader) =
            (self.keeper.snapshot(), self.keeper.now(), self.keeper.history().clone());
        let outcome = self.aside(move || look(&ledger, now, &reader)).await?;
        outcome.map_err(|error| Problem::internal(&error))
    }

    async fn aside<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let permit = Arc::clone(&self.reads).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let working = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        working.await.map_err(|error| Problem::internal(&error))
    }
}
