//! Verifying a store that nobody has open, without writing to it.

mod audit;
mod indexes;
mod records;

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use lessor_ledger::Settings;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, ReadableTableMetadata, StorageBackend};

use crate::backend::Overlay;
use crate::error::{Fault, OpenError, reading};
use crate::home;
use crate::limits::{CACHE_BYTES, PROBLEMS_MAX};
use crate::load::{Loaded, load, read_last_batch};
use crate::schema::{self, ENDED, KEYS, LEASES, LOCKS, MIGRATIONS, POOLS, REQUESTS, RESOURCES};
use crate::wal::{self, Values};

/// What is in a store, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Schema version of the file.
    pub schema: u32,
    /// Whether the store was not closed when it was last used, and had to be repaired (in memory) to be read.
    pub unclean: bool,
    /// The last committed batch, 0 if there is none.
    pub last_batch: u64,
    /// The batch up to which the tables are complete.
    pub checkpoint: u64,
    /// Values of the journal that are kept.
    pub journal_parts: u64,
    /// Events that are kept.
    pub events: u64,
    /// Pools.
    pub pools: u64,
    /// Resources.
    pub resources: u64,
    /// Entries of the lock table, lapsed ones included.
    pub locks: u64,
    /// Leases that have not ended.
    pub leases: u64,
    /// Requests, waiting or settled not long ago.
    pub requests: u64,
    /// Idempotency keys in the tables.
    pub keys: u64,
    /// Jobs, live or over not long ago.
    pub jobs: u64,
    /// Plugins.
    pub plugins: u64,
    /// SHA-256 of every component that a plugin runs or can go back to. They are not in the store.
    pub components: BTreeSet<String>,
    /// Ended leases in the tables.
    pub ended: u64,
    /// The first [`PROBLEMS_MAX`] things that are wrong, in words.
    pub problems: Vec<String>,
    /// How many things are wrong in all.
    pub problems_total: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems_total == 0
    }

    fn problem(&mut self, problem: impl FnOnce() -> String) {
        self.problems_total += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem());
        }
    }
}

/// Verifies the store in the folder or file `path`: pages against their checksums, the journal in itself, tables and
/// journal against each other, the indexes against what they index, the ledger's own invariants.
///
/// Reads everything, and writes nothing, not even to repair: what a store that was not closed needs is done in
/// memory. Needs memory for the ledger, and for one change of each record in the journal.
///
/// # Errors
/// [`OpenError`] if the store cannot be read at all, or somebody has it open.
pub fn check(path: &Path) -> Result<Report, OpenError> {
    reading(|| examine(path))
}

fn examine(path: &Path) -> Result<Report, OpenError> {
    let mut report = Report::default();
    let mut database = open(path, &mut report)?;
    if !database.check_integrity().map_err(Fault::from)? {
        report.problem(|| "pages of the file do not match their checksums".to_owned());
    }
    let seed = schema::prepare(&database, MIGRATIONS, || 0)?;
    let txn = database.begin_read().map_err(Fault::from)?;
    let log = wal::peek(&open_logs(path)?, schema::read_log(&txn)?, read_last_batch(&txn)?)?;
    verify(&txn, log, Settings { seed, ..Settings::default() }, &mut report)?;
    Ok(report)
}

fn open(path: &Path, report: &mut Report) -> Result<Database, OpenError> {
    let file = home::file(path);
    let io = |cause| OpenError::Io { path: path.to_path_buf(), cause };
    let open = File::open(&file).map_err(io)?;
    match open.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: path.to_path_buf() }),
        Err(TryLockError::Error(cause)) => return Err(io(cause)),
    }
    if open.metadata().map_err(io)?.len() == 0 {
        return Err(OpenError::Foreign { path: path.to_path_buf() });
    }
    let unclean = std::rc::Rc::new(std::cell::Cell::new(false));
    let repaired = std::rc::Rc::clone(&unclean);
    let database = Builder::new()
        .set_cache_size(CACHE_BYTES)
        .set_repair_callback(move |_| repaired.set(true))
        .create_with_backend(Overlay::new(open).map_err(io)?)
        .map_err(|error| home::explain(error, path))?;
    report.unclean = unclean.get();
    if let Some(version) = schema::stored_version(&database)? {
        report.schema = version;
        return Ok(database);
    }
    Err(OpenError::Foreign { path: path.to_path_buf() })
}

/// The files of the write-ahead log that are there.
fn open_logs(path: &Path) -> Result<Vec<Box<dyn StorageBackend>>, OpenError> {
    let mut logs: Vec<Box<dyn StorageBackend>> = Vec::new();
    for log in home::logs(&home::file(path)) {
        let overlay = match File::open(&log) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            file => file.and_then(Overlay::new).map_err(|cause| OpenError::Io { path: log, cause })?,
        };
        logs.push(Box::new(overlay));
    }
    Ok(logs)
}

fn verify(
    txn: &ReadTransaction,
    log: Vec<(u64, Values)>,
    settings: Settings,
    report: &mut Report,
) -> Result<(), Fault> {
    let loaded = load(txn, log, settings)?;
    count(txn, &loaded, report)?;
    for violation in loaded.ledger.check() {
        report.problem(|| violation.0);
    }
    let audit = audit::journal(txn, &loaded, report)?;
    records::compare(txn, &loaded, &audit, report)?;
    indexes::events(txn, &loaded, &audit, report)?;
    indexes::leases(txn, &loaded, report)
}

fn count(txn: &ReadTransaction, loaded: &Loaded, report: &mut Report) -> Result<(), Fault> {
    report.last_batch = loaded.tail.last.batch;
    report.checkpoint = loaded.tail.mark.batch;
    report.pools = loaded.ledger.pools().count() as u64;
    report.resources = loaded.ledger.resource_count() as u64;
    report.locks = loaded.ledger.lock_count() as u64;
    report.leases = loaded.ledger.lease_count() as u64;
    report.requests = loaded.ledger.request_count() as u64;
    report.jobs = loaded.ledger.jobs_after(None).count() as u64;
    report.plugins = loaded.ledger.plugins().count() as u64;
    let versions = loaded.ledger.plugins().flat_map(|it| std::iter::once(&it.version).chain(&it.previous));
    report.components = versions.map(|version| version.digest.to_string()).collect();
    report.keys = txn.open_table(KEYS)?.len()?;
    report.ended = txn.open_table(ENDED)?.len()?;
    if loaded.tail.segments().next().is_none() {
        rows(txn, report)?;
    }
    Ok(())
}

/// Tables that hold all there is have a row for each record: two rows with one record would be one in the ledger.
fn rows(txn: &ReadTransaction, report: &mut Report) -> Result<(), Fault> {
    let tables = [
        ("pools", txn.open_table(POOLS)?.len()?, report.pools),
        ("resources", txn.open_table(RESOURCES)?.len()?, report.resources),
        ("locks", txn.open_table(LOCKS)?.len()?, report.locks),
        ("leases", txn.open_table(LEASES)?.len()?, report.leases),
        ("requests", txn.open_table(REQUESTS)?.len()?, report.requests),
    ];
    for (table, rows, records) in tables.into_iter().filter(|(_, rows, records)| rows != records) {
        report.problem(|| format!("the table {table} has {rows} rows, but {records} records"));
    }
    Ok(())
}
