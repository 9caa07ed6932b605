//! The store: takes batches, keeps them, and gives the ledger back after a restart.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use lessor_ledger::{Ledger, Settings};
use redb::{Database, ReadableDatabase, WriteTransaction};

use crate::checkpointer::{Checkpointer, Done};
use crate::error::{CommitError, Fault, OpenError, reading};
use crate::home::{Home, Volume};
use crate::journal::{Batch, Mark, Scribe};
use crate::limits::GENERATIONS_AHEAD_MAX;
use crate::load::{load, read_last_batch};
use crate::options::StoreOptions;
use crate::reader::Reader;
use crate::schema::{self, MIGRATIONS};
use crate::tail::{Segment, Tail};
use crate::wal::Wal;

/// What the store, its readers and its checkpoints share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// `None` while closed: after the store was dropped, or while it is being reopened.
    pub(crate) database: RwLock<Option<Database>>,
    /// What is committed but not in the tables; replaced after each commit.
    pub(crate) tail: RwLock<Tail>,
}

impl Shared {
    pub(crate) fn begin_write(&self) -> Result<WriteTransaction, Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(redb::StorageError::DatabaseClosed)?;
        Ok(database.begin_write()?)
    }

    fn close(&self) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A store that is open for writing. There is one, and one thread uses it.
///
/// Dropping it closes the database: readers answer [`ReadError::Closed`](crate::ReadError::Closed) from then on.
/// Nothing is lost by that, and nothing by being killed instead.
#[derive(Debug)]
pub struct Store {
    home: Home,
    options: StoreOptions,
    shared: Arc<Shared>,
    wal: Wal,
    checkpointer: Checkpointer,
    /// The last batch committed.
    last: Mark,
    /// The number that this store drew when it was made: it tells it from others.
    seed: u64,
    /// Changes since the last checkpoint began.
    fresh: Fresh,
    /// Whether a checkpoint left something to be trimmed.
    untrimmed: bool,
    scribe: Scribe,
    /// Set by a failure: what is in memory may differ from what is on disk until reopened.
    stopped: bool,
}

impl Store {
    /// Opens the store in the folder `path`, or in the file `path` if that is one, and creates it if there is none.
    /// Gives the ledger as it was after the last committed batch. Its write-ahead log is in files beside it.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if somebody else has it open, [`OpenError::Newer`] if a newer version wrote it; else
    /// it cannot be read, and the error says why.
    pub fn open(path: &Path, options: StoreOptions) -> Result<(Self, Ledger), OpenError> {
        Self::open_home(Home::Path(path.to_path_buf()), options)
    }

    /// Opens the store on files of the caller's, e.g. ones that fail on purpose.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(volume: impl Volume, options: StoreOptions) -> Result<(Self, Ledger), OpenError> {
        Self::open_home(Home::Volume(Arc::new(volume)), options)
    }

    fn open_home(home: Home, options: StoreOptions) -> Result<(Self, Ledger), OpenError> {
        let Opened { database, wal, tail, ledger } = open_files(&home, &options)?;
        let last = tail.last;
        let fresh = Fresh::of(&tail);
        let shared = Arc::new(Shared { database: RwLock::new(Some(database)), tail: RwLock::new(tail) });
        let checkpointer =
            Checkpointer::start(Arc::clone(&shared), options.retention).map_err(Fault::from)?;
        let store = Self {
            home,
            options,
            shared,
            wal,
            checkpointer,
            last,
            seed: ledger.settings().seed,
            fresh,
            untrimmed: true,
            scribe: Scribe::default(),
            stopped: false,
        };
        Ok((store, ledger))
    }

    /// Closes the database and opens it again at the same place, which is the way on after a failed commit. Readers
    /// stay valid; what they read meanwhile fails.
    ///
    /// Then writes to the tables what they lack: it may be the log that filled the disk, and the next failure would give
    /// up the checkpoint that frees it.
    ///
    /// # Errors
    /// As [`open`](Self::open), if what is there is not what was open, and if the tables cannot be written. The store takes
    /// nothing then, and this can be tried again.
    pub fn reopen(&mut self) -> Result<Ledger, OpenError> {
        self.stopped = true;
        self.checkpointer.give_up();
        self.shared.close();
        self.home.still_there()?;
        let Opened { database, wal, tail, ledger } = open_files(&self.home, &self.options)?;
        let found = if ledger.settings().seed == self.seed { tail.last.batch } else { 0 };
        if found < self.last.batch {
            return Err(OpenError::Other { found, committed: self.last.batch });
        }
        self.last = tail.last;
        self.fresh = Fresh::of(&tail);
        *self.shared.tail.write().unwrap_or_else(PoisonError::into_inner) = tail;
        *self.shared.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        self.wal = wal;
        self.untrimmed = true;
        self.catch_up()?;
        self.stopped = false;
        Ok(ledger)
    }

    /// Makes a batch durable. When this returns `Ok`, the batch survives whatever happens and readers see it.
    ///
    /// Takes one write and one disk sync. Waits for the tables only if they are
    /// [`GENERATIONS_AHEAD_MAX`] generations behind.
    ///
    /// # Errors
    /// [`CommitError::Order`] changes nothing. After [`CommitError::Failed`] the store takes nothing more until it is
    /// [reopened](Self::reopen).
    pub fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        self.ready()?;
        let expected = self.last.batch + 1;
        if batch.number != expected {
            return Err(CommitError::Order { expected, given: batch.number });
        }
        self.write_batch(batch).map_err(|fault| self.stop(fault))
    }

    /// Begins to write to the tables what they lack, if there is anything; to be called when there is nothing else to
    /// do. Never waits. Answers whether to call it again, because something is being written or left.
    ///
    /// # Errors
    /// [`CommitError::Failed`] if a checkpoint failed, else as [`commit`](Self::commit).
    pub fn tend(&mut self) -> Result<bool, CommitError> {
        self.ready()?;
        self.look().map_err(|fault| self.stop(fault))?;
        if !self.checkpointer.is_running() && self.is_behind() {
            self.begin_checkpoint().map_err(|fault| self.stop(fault))?;
        }
        Ok(self.checkpointer.is_running())
    }

    /// Writes to the tables all that they lack, and waits for it.
    ///
    /// # Errors
    /// As [`tend`](Self::tend).
    pub fn checkpoint(&mut self) -> Result<(), CommitError> {
        while self.tend()? {
            self.wait_for_checkpoint(Duration::MAX)?;
        }
        Ok(())
    }

    /// Waits until the checkpoint that is being written is complete, but no longer than `most`.
    ///
    /// # Errors
    /// As [`tend`](Self::tend).
    pub fn wait_for_checkpoint(&mut self, most: Duration) -> Result<(), CommitError> {
        self.ready()?;
        let done = self.checkpointer.wait(most);
        self.take(done).map_err(|fault| self.stop(fault))
    }

    /// Writes all of the checkpoint and closes, so that the next opening has nothing to replay.
    ///
    /// # Errors
    /// As [`commit`](Self::commit); closed all the same.
    pub fn close(mut self) -> Result<(), CommitError> {
        self.checkpoint()
    }

    /// A handle for reading history, valid as long as the program runs.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// Number of the last committed batch, 0 if there is none.
    #[must_use]
    pub fn last_batch(&self) -> u64 {
        self.last.batch
    }

    /// How many changes no checkpoint has begun to write yet.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.fresh.changes
    }

    /// Whether [`tend`](Self::tend) has something to do or to look after.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.checkpointer.is_running() || self.fresh.changes > 0 || self.untrimmed
    }

    fn ready(&self) -> Result<(), CommitError> {
        if self.stopped { Err(CommitError::Stopped) } else { Ok(()) }
    }

    fn stop(&mut self, fault: Fault) -> CommitError {
        self.stopped = true;
        CommitError::Failed(fault)
    }

    fn write_batch(&mut self, batch: Batch) -> Result<(), Fault> {
        self.look()?;
        if self.fresh.fills(GENERATIONS_AHEAD_MAX, &self.options) {
            let done = self.checkpointer.wait(Duration::MAX);
            self.take(done)?;
        }
        if self.fresh.fills(1, &self.options) && !self.checkpointer.is_running() {
            self.begin_checkpoint()?;
        }
        let parts = self.scribe.write(&batch, self.last.counters.event);
        self.wal.append(batch.number, parts.iter().map(|part| &*part.value))?;
        let Batch { number, at, counters, changes } = batch;
        self.last = Mark { batch: number, at, counters };
        let segment = Segment { mark: self.last, changes, parts };
        self.fresh.add(&segment);
        self.shared.tail.write().unwrap_or_else(PoisonError::into_inner).push(segment);
        Ok(())
    }

    /// Writes a checkpoint of all that the tables lack, and waits for it.
    fn catch_up(&mut self) -> Result<(), Fault> {
        if self.fresh.changes > 0 {
            self.begin_checkpoint()?;
            let done = self.checkpointer.wait(Duration::MAX);
            self.take(done)?;
        }
        Ok(())
    }

    /// What is committed from now on goes to another file of the log, so that the checkpoint sets the present one free.
    fn begin_checkpoint(&mut self) -> Result<(), Fault> {
        self.wal.rotate()?;
        self.fresh = Fresh::default();
        self.checkpointer.begin();
        Ok(())
    }

    /// Takes notice of a checkpoint that is complete.
    fn look(&mut self) -> Result<(), Fault> {
        let done = self.checkpointer.poll();
        self.take(done)
    }

    fn take(&mut self, done: Option<Result<Done, Fault>>) -> Result<(), Fault> {
        if let Some(done) = done {
            let Done { mark, more } = done?;
            self.wal.release(mark.batch);
            self.untrimmed = more;
        }
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.checkpointer.give_up();
        self.shared.close();
    }
}

/// What opening gives.
struct Opened {
    database: Database,
    wal: Wal,
    tail: Tail,
    ledger: Ledger,
}

fn open_files(home: &Home, options: &StoreOptions) -> Result<Opened, OpenError> {
    reading(|| read_files(home, options))
}

fn read_files(home: &Home, options: &StoreOptions) -> Result<Opened, OpenError> {
    let database = home.open(options.cache_bytes)?;
    let seed = schema::prepare(&database, MIGRATIONS, || options.seed.unwrap_or_else(schema::draw_number))?;
    let txn = database.begin_read().map_err(Fault::from)?;
    let (wal, log) = Wal::open(home.logs()?, schema::read_log(&txn)?, read_last_batch(&txn)?)?;
    let settings = Settings { request_ttl: options.request_ttl, seed, ..Settings::default() };
    let loaded = load(&txn, log, settings)?;
    drop(txn);
    let mut ledger = loaded.ledger;
    let floor = schema::floor(&database, ledger.counters())?;
    ledger.raise(floor, ledger.now());
    Ok(Opened { database, wal, tail: loaded.tail, ledger })
}

/// What no checkpoint has begun to write yet.
#[derive(Debug, Default)]
struct Fresh {
    changes: usize,
    bytes: usize,
}

impl Fresh {
    fn of(tail: &Tail) -> Self {
        let mut fresh = Self::default();
        tail.segments().for_each(|segment| fresh.add(segment));
        fresh
    }

    fn add(&mut self, segment: &Segment) {
        self.changes += segment.changes.len();
        self.bytes += segment.parts.iter().map(|part| part.value.len()).sum::<usize>();
    }

    /// Whether it is that many generations.
    fn fills(&self, generations: usize, options: &StoreOptions) -> bool {
        self.changes >= options.generation_changes.saturating_mul(generations)
            || self.bytes >= options.generation_bytes.saturating_mul(generations)
    }
}
