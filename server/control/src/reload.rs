//! Keeping the server's pools as the pools file says.
//!
//! The file is looked at every [`POOLS_POLL`], read once it looks as it did the last time, and read at once when
//! [`Reloader::nudge`] is called (SIGHUP). A bad file changes nothing: the pools stay as they are, and the status says what
//! is wrong. So does an empty one, because a file that is just being written is empty for a moment, and nobody means to
//! delete every pool by that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lessor_keeper::{Error, Health, Keeper};
use lessor_ledger::{Command, PoolEntry, Reply, SyncReport, Time};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::limits::{POOLS_POLL, POOLS_RETRY_MAX};
use crate::pools::{self, PoolsError};
use crate::source::Source;
use crate::trial::Trial;

/// What became of the pools file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolsStatus {
    /// Which file; `None` if the server runs without one.
    pub path: Option<PathBuf>,
    /// When the pools were last made as the file said.
    pub applied_at: Option<Time>,
    /// Why the file as it is now is not in force: what was there before still is.
    pub error: Option<Arc<str>>,
    /// What is odd about the file, although nothing is wrong with it: that it declares nothing.
    pub warning: Option<Arc<str>>,
}

/// Applies the pools file whenever it changes, until it is dropped.
#[derive(Debug)]
pub struct Reloader {
    status: watch::Receiver<PoolsStatus>,
    nudge: Nudge,
    task: JoinHandle<()>,
}

/// Has the pools file read again. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    /// Reads and applies the file now, even if it looks as before.
    pub fn nudge(&self) {
        self.0.notify_one();
    }
}

/// The pools file that the server is to start with cannot be read: it is most likely named wrongly.
#[derive(Debug, thiserror::Error)]
#[error("{0}: name a pools file that can be read, or none")]
pub struct Unreadable(String);

/// The loop's own state.
struct Loop {
    keeper: Keeper,
    /// `None` only while a blocking thread has it.
    source: Option<Source>,
    /// Good entries that the keeper could not take yet.
    pending: Option<Arc<[PoolEntry]>>,
    status: watch::Sender<PoolsStatus>,
}

/// The file as it is now.
enum Look {
    Same,
    Good(Vec<PoolEntry>),
    Empty(String),
    Unreadable(String),
    Bad(String),
}

impl Reloader {
    /// Applies the file once, then whenever it changes.
    ///
    /// Returns when the file was applied or found wanting for the first time, so that a server that starts with a
    /// good file has its pools before it serves. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`Unreadable`] if there is no such file, or it cannot be read or is too large. Later that is no reason to stop:
    /// the pools stay as they are.
    ///
    /// # Cancel safety
    /// A dropped future stops the reloader.
    pub async fn start(keeper: Keeper, path: PathBuf) -> Result<Self, Unreadable> {
        let status = PoolsStatus { path: Some(path.clone()), ..PoolsStatus::default() };
        let (status, receiver) = watch::channel(status);
        let mut work = Loop { keeper, source: Some(Source::new(path)), pending: None, status };
        match work.look(true).await {
            Look::Unreadable(why) => return Err(Unreadable(why)),
            look => work.act_on(look).await,
        }
        let nudge = Nudge(Arc::new(Notify::new()));
        let task = tokio::spawn(work.run(Arc::clone(&nudge.0)));
        Ok(Self { status: receiver, nudge, task })
    }

    /// What became of the file; changes as that does.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<PoolsStatus> {
        self.status.clone()
    }

    /// Reads and applies the file now, even if it looks as before.
    pub fn nudge(&self) {
        self.nudge.nudge();
    }

    /// What does the same as [`Reloader::nudge`] from elsewhere.
    #[must_use]
    pub fn nudger(&self) -> Nudge {
        self.nudge.clone()
    }
}

impl Drop for Reloader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Loop {
    async fn run(mut self, nudge: Arc<Notify>) {
        let mut wait = POOLS_POLL;
        loop {
            let nudged = tokio::select! {
                () = nudge.notified() => true,
                () = tokio::time::sleep(wait) => false,
            };
            self.round(nudged).await;
            wait = if self.pending.is_some() { (wait * 2).min(POOLS_RETRY_MAX) } else { POOLS_POLL };
        }
    }

    /// Looks at the file, and hands over what is to be handed over.
    async fn round(&mut self, nudged: bool) {
        let look = self.look(nudged).await;
        self.act_on(look).await;
    }

    async fn act_on(&mut self, look: Look) {
        match look {
            Look::Same => {}
            Look::Good(entries) => self.pending = Some(entries.into()),
            Look::Empty(text) => {
                self.pending = None;
                tracing::warn!(path = %self.path().display(), "the pools file declares nothing: the pools stay as they are");
                self.status.send_modify(|status| (status.error, status.warning) = (None, Some(text.into())));
            }
            Look::Unreadable(error) | Look::Bad(error) => {
                self.pending = None;
                tracing::error!(path = %self.path().display(), error, "the pools file is bad: the pools stay as they are");
                self.status.send_modify(|status| (status.error, status.warning) = (Some(error.into()), None));
            }
        }
        if let Some(entries) = self.pending.clone() {
            self.hand_over(entries).await;
        }
    }

    async fn look(&mut self, nudged: bool) -> Look {
        let mut source = self.source.take().expect("the source is put back after every look");
        let looking = tokio::task::spawn_blocking(move || {
            let news = if nudged { Some(source.again()) } else { source.news() };
            let look = match news {
                None => Look::Same,
                Some(Err(error)) => Look::Unreadable(error),
                Some(Ok(content)) => match pools::parse(&content) {
                    Ok(entries) => Look::Good(entries),
                    Err(error @ PoolsError::Empty) => Look::Empty(error.to_string()),
                    Err(error) => Look::Bad(error.to_string()),
                },
            };
            (source, look)
        });
        match looking.await {
            Ok((source, look)) => {
                self.source = Some(source);
                look
            }
            Err(error) => {
                let path = self.status.borrow().path.clone().unwrap_or_default();
                self.source = Some(Source::new(path));
                Look::Bad(format!("reading the pools file failed: {error}"))
            }
        }
    }

    async fn hand_over(&mut self, entries: Arc<[PoolEntry]>) {
        let reply = match self.try_out(&entries).await {
            Some(reply) => Ok(reply),
            None => self.keeper.submit(Command::Sync(entries.to_vec())).await,
        };
        match reply {
            Ok(reply) => {
                self.pending = None;
                report(&self.path(), &reply);
                let now = self.keeper.now();
                self.status.send_modify(|status| {
                    (status.applied_at, status.error, status.warning) = (Some(now), None, None);
                });
            }
            Err(error) => {
                if matches!(error, Error::Refused(_)) {
                    self.pending = None;
                }
                tracing::error!(path = %self.path().display(), %error, "the pools file was not applied");
                let text: Arc<str> = error.to_string().into();
                self.status.send_modify(|status| (status.error, status.warning) = (Some(text), None));
            }
        }
    }

    /// Tries the entries out on a copy of the last committed state, and gives the reply if they change nothing: then the writer
    /// need not look, which would keep everybody else waiting for a second where there are a million resources. Entries that
    /// do change something are looked at twice.
    ///
    /// Not for the first time, when nobody else is there yet, and not while nothing is written: what was committed last is
    /// then not known for sure.
    async fn try_out(&self, entries: &Arc<[PoolEntry]>) -> Option<Reply> {
        self.status.borrow().applied_at?;
        let (snapshot, now, entries) = (self.keeper.snapshot(), self.keeper.now(), Arc::clone(entries));
        let trial = tokio::task::spawn_blocking(move || Trial::of(&snapshot, &entries, now).step);
        let step = trial.await.ok()?;
        let same = step.changes.is_empty() && matches!(self.keeper.health(), Health::Writable);
        step.reply.ok().filter(|_| same)
    }

    fn path(&self) -> PathBuf {
        self.status.borrow().path.clone().unwrap_or_default()
    }
}

fn report(path: &Path, reply: &Reply) {
    let Reply::Synced(SyncReport { created, deleted, deferred }) = reply else { return };
    tracing::info!(
        path = %path.display(),
        created = created.len(),
        deleted = deleted.len(),
        deferred = deferred.len(),
        "the pools are as the pools file says"
    );
}
