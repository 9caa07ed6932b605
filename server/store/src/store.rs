//! The store: takes batches, keeps them, and gives the ledger back after a restart.

use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use imbl::Vector;
use lessor_ledger::{Ledger, Settings};
use redb::{Database, ReadableDatabase, StorageBackend, WriteTransaction};

use crate::checkpoint::{Budget, Generation};
use crate::codec;
use crate::error::{CommitError, Fault, OpenError};
use crate::home::Home;
use crate::journal::{Batch, Mark, Scribe};
use crate::limits::{
    CHUNKS_PER_GENERATION, IDLE_BYTES_MAX, IDLE_ROWS_MAX, PART_CHANGES_MAX, RIDING_BYTES_MAX,
    RIDING_ROWS_MAX, RIDING_ROWS_MIN, SEGMENTS_FREED, TRIM_PARTS_MAX,
};
use crate::load::{Loaded, load};
use crate::options::StoreOptions;
use crate::reader::Reader;
use crate::schema::{self, JOURNAL, META, META_CREATED, META_MARK, MIGRATIONS};
use crate::tail::{Segment, Tail};
use crate::trim::{self, Trimmer};

/// What the store and its readers share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// `None` while closed: after the store was dropped, or while it is being reopened.
    pub(crate) database: RwLock<Option<Database>>,
    /// What is committed but not in the tables; replaced after each commit.
    pub(crate) tail: RwLock<Tail>,
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
    /// How far the tables are complete.
    mark: Mark,
    /// The last batch committed.
    last: Mark,
    /// Changed by batches since the last rotation.
    active: Generation,
    /// Being written to the tables.
    flushing: Generation,
    /// Rows of the flushing generation that should have been written by now: five for every four that commits made
    /// dirty meanwhile, so that it is written before the next one is full.
    owed_rows: usize,
    trimmer: Trimmer,
    scribe: Scribe,
    scratch: Vec<u8>,
    /// History that left the tail, freed bit by bit.
    retired: Vector<Arc<Segment>>,
    /// Set by a failure: what is in memory may differ from what is on disk until reopened.
    stopped: bool,
}

impl Store {
    /// Opens the store in the folder `path`, or in the file `path` if that is one, and creates it if there is none.
    /// Gives the ledger as it was after the last committed batch.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if somebody else has it open, [`OpenError::Newer`] if a newer version wrote it; else
    /// it cannot be read, and the error says why.
    pub fn open(path: &Path, options: StoreOptions) -> Result<(Self, Ledger), OpenError> {
        Self::open_home(Home::Path(path.to_path_buf()), options)
    }

    /// Opens the store on a backend of the caller's, e.g. one that fails on purpose. The backend is never told to
    /// close, so that [`reopen`](Self::reopen) can use it again.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_backend(
        backend: impl StorageBackend,
        options: StoreOptions,
    ) -> Result<(Self, Ledger), OpenError> {
        Self::open_home(Home::Backend(Arc::new(backend)), options)
    }

    fn open_home(home: Home, options: StoreOptions) -> Result<(Self, Ledger), OpenError> {
        let (database, loaded) = open_database(&home, &options)?;
        let shared = Shared { database: RwLock::new(Some(database)), tail: RwLock::new(loaded.tail) };
        let store = Self {
            home,
            options,
            shared: Arc::new(shared),
            mark: loaded.mark,
            last: loaded.last,
            active: loaded.dirty,
            flushing: Generation::default(),
            owed_rows: 0,
            trimmer: Trimmer::default(),
            scribe: Scribe::default(),
            scratch: Vec::new(),
            retired: Vector::new(),
            stopped: false,
        };
        Ok((store, loaded.ledger))
    }

    /// Closes the database and opens it again at the same place, which is the way on after a failed commit. Readers
    /// stay valid; what they read meanwhile fails.
    ///
    /// # Errors
    /// As [`open`](Self::open). The store stays closed then, and this can be tried again.
    pub fn reopen(&mut self) -> Result<Ledger, OpenError> {
        self.stopped = true;
        self.close_database();
        let (database, loaded) = open_database(&self.home, &self.options)?;
        *self.shared.tail.write().unwrap_or_else(PoisonError::into_inner) = loaded.tail;
        *self.shared.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        self.mark = loaded.mark;
        self.last = loaded.last;
        self.active = loaded.dirty;
        self.flushing = Generation::default();
        self.trimmer = Trimmer::default();
        self.stopped = false;
        Ok(loaded.ledger)
    }

    /// Makes a batch durable. When this returns `Ok`, the batch survives whatever happens and readers see it.
    ///
    /// Takes one disk sync. Now and then a share of the checkpoint rides along, in proportion to what was committed
    /// since the last share, never to the backlog.
    ///
    /// # Errors
    /// [`CommitError::Order`] changes nothing. After [`CommitError::Failed`] the store takes nothing more until it is
    /// [reopened](Self::reopen).
    pub fn commit(&mut self, batch: &Batch<'_>) -> Result<(), CommitError> {
        self.ready()?;
        let expected = self.last.batch + 1;
        if batch.number != expected {
            return Err(CommitError::Order { expected, given: batch.number });
        }
        self.write_batch(batch).map_err(|fault| self.stop(fault))
    }

    /// Writes one chunk of the checkpoint by itself; to be called when there is nothing else to do. Answers whether
    /// there is more.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn checkpoint_some(&mut self) -> Result<bool, CommitError> {
        self.ready()?;
        if self.flushing.is_empty() {
            self.rotate();
        }
        self.free_some();
        if self.flushing.is_empty() && !self.trimmer.due(&self.trim_limits()) {
            return Ok(false);
        }
        self.write_chunk().map_err(|fault| self.stop(fault))
    }

    /// Writes all of the checkpoint and closes, so that the next opening has nothing to replay.
    ///
    /// # Errors
    /// As [`commit`](Self::commit); closed all the same.
    pub fn close(mut self) -> Result<(), CommitError> {
        while self.checkpoint_some()? {}
        Ok(())
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

    /// How many rows the tables lack.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.active.len() + self.flushing.len()
    }

    fn ready(&self) -> Result<(), CommitError> {
        if self.stopped { Err(CommitError::Stopped) } else { Ok(()) }
    }

    fn stop(&mut self, fault: Fault) -> CommitError {
        self.stopped = true;
        CommitError::Failed(fault)
    }

    fn write_batch(&mut self, batch: &Batch<'_>) -> Result<(), Fault> {
        let last = Mark { batch: batch.number, at: batch.at, counters: batch.counters };
        let txn = self.begin()?;
        let parts = {
            let mut journal = txn.open_table(JOURNAL)?;
            self.scribe.write(&mut journal, batch, self.last.counters.event)?
        };
        if batch.number == 1 {
            self.scratch.clear();
            codec::put(&batch.at.nanos(), &mut self.scratch);
            txn.open_table(META)?.insert(META_CREATED, self.scratch.as_slice())?;
        }
        let advanced = self.ride(&txn)?;
        self.trimmer.trim(&txn, &self.trim_limits(), parts.len() + TRIM_PARTS_MAX)?;
        txn.commit()?;

        self.last = last;
        let before = self.active.len();
        for change in batch.changes {
            self.active.note_change(change);
        }
        self.active.note(last, &parts);
        let added = self.active.len() - before;
        self.owed_rows = if self.flushing.is_empty() { 0 } else { self.owed_rows + added + added / 4 };
        self.publish(Some(batch), advanced);
        if self.flushing.is_empty() && self.active.len() >= self.options.generation_records {
            self.rotate();
        }
        self.free_some();
        Ok(())
    }

    /// Writes what is owed of the flushing generation, once that is worth it. What the bounds of a chunk leave over
    /// stays owed, so the next commit goes on with it.
    fn ride(&mut self, txn: &WriteTransaction) -> Result<Option<Mark>, Fault> {
        if self.owed_rows < self.chunk_rows(RIDING_ROWS_MIN) {
            return Ok(None);
        }
        let bytes = RIDING_BYTES_MAX.max(self.scribe.written_bytes() * 2);
        let before = self.flushing.len();
        let advanced = self.flush(txn, &mut Budget::new(self.owed_rows.min(RIDING_ROWS_MAX), bytes))?;
        self.owed_rows = self.owed_rows.saturating_sub(before - self.flushing.len());
        Ok(advanced)
    }

    /// Size of a chunk that is `usual` for a usual generation, in rows.
    fn chunk_rows(&self, usual: usize) -> usize {
        (self.options.generation_records / CHUNKS_PER_GENERATION).clamp(1, usual)
    }

    fn write_chunk(&mut self) -> Result<bool, Fault> {
        let txn = self.begin()?;
        let advanced =
            self.flush(&txn, &mut Budget::new(2 * self.chunk_rows(IDLE_ROWS_MAX / 2), IDLE_BYTES_MAX))?;
        let more = self.trimmer.trim(&txn, &self.trim_limits(), TRIM_PARTS_MAX)?;
        txn.commit()?;
        self.publish(None, advanced);
        Ok(more || self.backlog() > 0)
    }

    fn begin(&self) -> Result<WriteTransaction, Fault> {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(redb::StorageError::DatabaseClosed)?;
        Ok(database.begin_write()?)
    }

    /// Writes a chunk of the flushing generation. With its last row goes the mark, which is answered.
    fn flush(&mut self, txn: &WriteTransaction, budget: &mut Budget) -> Result<Option<Mark>, Fault> {
        if self.flushing.is_empty() {
            return Ok(None);
        }
        self.flushing.write(txn, budget, &mut self.scratch)?;
        if !self.flushing.is_empty() {
            return Ok(None);
        }
        let mark = self.flushing.through;
        self.scratch.clear();
        mark.encode(&mut self.scratch);
        txn.open_table(META)?.insert(META_MARK, self.scratch.as_slice())?;
        Ok(Some(mark))
    }

    /// Shows readers what was just committed.
    fn publish(&mut self, batch: Option<&Batch<'_>>, advanced: Option<Mark>) {
        let mut tail = self.shared.tail.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = batch {
            for changes in batch.changes.chunks(PART_CHANGES_MAX) {
                tail.push(Segment::new(batch.number, changes));
            }
            tail.last_event = batch.counters.event;
        }
        if let Some(mark) = advanced {
            self.mark = mark;
            self.retired.append(tail.advance(mark.batch, mark.counters.event));
        }
    }

    fn rotate(&mut self) {
        debug_assert!(self.flushing.is_empty(), "a generation is written before the next is closed");
        self.flushing = std::mem::take(&mut self.active);
    }

    fn free_some(&mut self) {
        for _ in 0..SEGMENTS_FREED {
            if self.retired.pop_front().is_none() {
                break;
            }
        }
    }

    fn trim_limits(&self) -> trim::Limits {
        trim::Limits {
            retention: self.options.retention,
            mark: self.mark,
            now: self.last.at,
            last_event: self.last.counters.event,
        }
    }

    fn close_database(&self) {
        *self.shared.database.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close_database();
    }
}

fn open_database(home: &Home, options: &StoreOptions) -> Result<(Database, Loaded), OpenError> {
    let database = home.open(options.cache_bytes)?;
    let seed = schema::prepare(&database, MIGRATIONS, || options.seed.unwrap_or_else(draw_seed))?;
    let txn = database.begin_read().map_err(Fault::from)?;
    let loaded = load(&txn, Settings { request_ttl: options.request_ttl, seed })?;
    drop(txn);
    Ok((database, loaded))
}

/// A number that nobody can guess, from the operating system by way of the standard library's hasher.
fn draw_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}
