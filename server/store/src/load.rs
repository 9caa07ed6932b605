//! Opening: the tables make a ledger, the batches after the mark bring it up to date.

use std::sync::Arc;

use lessor_ledger::{Change, Ledger, Settings};
use redb::{ReadTransaction, ReadableTable, TableDefinition};

use crate::codec::{
    DecodeError, JobRecord, KeyRecord, LeaseRecord, LockRecord, Names, PluginRecord, PoolRecord,
    RequestRecord, ResourceRecord, decode,
};
use crate::error::{Fault, damaged};
use crate::journal::{self, Mark, Part, StoredPart};
use crate::schema::{
    JOBS, JOURNAL, KEYS, LEASES, LOCKS, META, META_MARK, PLUGINS, POOLS, PartKey, REQUESTS, RESOURCES,
};
use crate::tail::{Segment, Tail};
use crate::wal::Values;

/// All that a store keeps in memory.
pub(crate) struct Loaded {
    pub(crate) ledger: Ledger,
    /// What the tables lack.
    pub(crate) tail: Tail,
}

/// Reads everything; `log` are the batches of the write-ahead log after [`read_last_batch`].
pub(crate) fn load(
    txn: &ReadTransaction,
    log: Vec<(u64, Values)>,
    settings: Settings,
) -> Result<Loaded, Fault> {
    let mut names = Names::new();
    let mut ledger = Ledger::new(settings);
    load_tables(txn, &mut names, |change| ledger.absorb(change))?;
    let mark = read_mark(txn)?;
    let mut replay = Replay { ledger, names, tail: Tail::new(mark), batch: Vec::new(), changes: Vec::new() };
    for row in txn.open_table(JOURNAL)?.range(journal::after(mark.batch))? {
        let (key, value) = row?;
        replay.part(key.value(), value.value().into())?;
    }
    for (batch, parts) in log {
        for (number, value) in (0..).zip(parts) {
            replay.part((batch, number), value)?;
        }
    }
    let Replay { mut ledger, tail, .. } = replay;
    ledger.raise(tail.last.counters, tail.last.at);
    Ok(Loaded { ledger, tail })
}

/// Builds the tail from parts, and absorbs it.
struct Replay {
    ledger: Ledger,
    names: Names,
    tail: Tail,
    /// Parts of the batch at hand.
    batch: Vec<StoredPart>,
    changes: Vec<Change>,
}

impl Replay {
    fn part(&mut self, key: PartKey, value: Box<[u8]>) -> Result<(), Fault> {
        let part = Part::parse(&value)?;
        let header = part.header;
        part.changes(&mut self.names, |change| {
            self.ledger.absorb(&change);
            self.changes.push(change);
        })?;
        self.batch.push(StoredPart::of(key, value)?);
        if !header.more {
            self.tail.push(Segment {
                mark: Mark::of(key.0, &header),
                changes: self.changes.drain(..).collect(),
                parts: std::mem::take(&mut self.batch),
            });
        }
        Ok(())
    }
}

/// How far the tables are complete; the beginning, if nothing was written to them yet.
pub(crate) fn read_mark(txn: &ReadTransaction) -> Result<Mark, Fault> {
    let meta = txn.open_table(META)?;
    let mark = meta.get(META_MARK)?;
    mark.map_or(Ok(Mark::START), |bytes| Mark::decode(bytes.value()))
}

/// The last batch that the file has, in the tables or in the journal: what the write-ahead log goes on from. The journal of
/// a backup, and of a store of version 1, has batches after the mark.
pub(crate) fn read_last_batch(txn: &ReadTransaction) -> Result<u64, Fault> {
    let journaled = txn.open_table(JOURNAL)?.last()?.map_or(0, |(key, _)| key.value().0);
    Ok(read_mark(txn)?.batch.max(journaled))
}

/// Hands every record of the tables to `each`, in an order in which indexes are cheap to build.
pub(crate) fn load_tables(
    txn: &ReadTransaction,
    names: &mut Names,
    mut each: impl FnMut(&Change),
) -> Result<(), Fault> {
    let mut loader = Loader { txn, names, each: &mut each };
    loader.all(POOLS, "pools", |b, n| Ok(Change::Pool(Arc::new(decode::<PoolRecord<'_>>(b, n)?))))?;
    loader.all(LOCKS, "locks", |b, n| Ok(Change::Lock(Arc::new(decode::<LockRecord<'_>>(b, n)?))))?;
    loader.all(RESOURCES, "resources", |b, n| {
        Ok(Change::Resource(Arc::new(decode::<ResourceRecord<'_>>(b, n)?)))
    })?;
    loader.all(LEASES, "leases", |b, n| Ok(Change::Lease(Arc::new(decode::<LeaseRecord<'_>>(b, n)?))))?;
    loader.all(REQUESTS, "requests", |b, n| {
        Ok(Change::Request(Arc::new(decode::<RequestRecord<'_>>(b, n)?)))
    })?;
    loader.all(KEYS, "keys", |b, n| Ok(Change::Key(Arc::new(decode::<KeyRecord<'_>>(b, n)?))))?;
    loader.all(JOBS, "jobs", |b, n| Ok(Change::Job(Arc::new(decode::<JobRecord<'_>>(b, n)?))))?;
    loader.all(PLUGINS, "plugins", |b, n| Ok(Change::Plugin(Arc::new(decode::<PluginRecord<'_>>(b, n)?))))
}

struct Loader<'a, F> {
    txn: &'a ReadTransaction,
    names: &'a mut Names,
    each: &'a mut F,
}

impl<F: FnMut(&Change)> Loader<'_, F> {
    fn all<K: redb::Key + 'static>(
        &mut self,
        definition: TableDefinition<'_, K, &'static [u8]>,
        table: &'static str,
        change: impl Fn(&[u8], &mut Names) -> Result<Change, DecodeError>,
    ) -> Result<(), Fault> {
        for row in self.txn.open_table(definition)?.iter()? {
            let (_, value) = row?;
            let change = change(value.value(), self.names).map_err(damaged(table))?;
            (self.each)(&change);
        }
        Ok(())
    }
}
