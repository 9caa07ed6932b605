//! Opening: the tables make a ledger, the journal after the mark brings it up to date.

use std::sync::Arc;

use lessor_ledger::{Change, Ledger, Settings};
use redb::{ReadTransaction, ReadableTable, TableDefinition};

use crate::checkpoint::Generation;
use crate::codec::{
    DecodeError, KeyRecord, LeaseRecord, LockRecord, Names, PoolRecord, RequestRecord, ResourceRecord, decode,
};
use crate::error::{Fault, damaged};
use crate::journal::{self, Mark, Part, PartStart};
use crate::schema::{JOURNAL, KEYS, LEASES, LOCKS, META, META_MARK, POOLS, REQUESTS, RESOURCES};
use crate::tail::{Segment, Tail};

/// All that a store keeps in memory.
pub(crate) struct Loaded {
    pub(crate) ledger: Ledger,
    /// How far the tables are complete.
    pub(crate) mark: Mark,
    /// The last batch.
    pub(crate) last: Mark,
    /// What the tables lack.
    pub(crate) dirty: Generation,
    pub(crate) tail: Tail,
}

/// Reads everything.
pub(crate) fn load(txn: &ReadTransaction, settings: Settings) -> Result<Loaded, Fault> {
    let mut names = Names::new();
    let mut ledger = Ledger::new(settings);
    load_tables(txn, &mut names, |change| ledger.absorb(change))?;
    let mark = read_mark(txn)?;
    let mut last = mark;
    let mut dirty = Generation::default();
    let mut tail = Tail::new(mark.counters.event);
    let mut changes = Vec::new();
    let parts = txn.open_table(JOURNAL)?;
    for row in parts.range(journal::after(mark.batch))? {
        let (key, value) = row?;
        let part = Part::parse(value.value())?;
        part.changes(&mut names, |change| {
            ledger.absorb(&change);
            dirty.note_change(&change);
            changes.push(change);
        })?;
        let header = part.header;
        last = Mark { batch: key.value().0, at: header.at, counters: header.counters };
        dirty.note(last, &[PartStart { key: key.value(), header }]);
        tail.push(Segment::new(last.batch, &changes));
        changes.clear();
    }
    ledger.raise(last.counters, last.at);
    tail.last_event = last.counters.event;
    Ok(Loaded { ledger, mark, last, dirty, tail })
}

/// How far the tables are complete; the beginning, if nothing was written to them yet.
pub(crate) fn read_mark(txn: &ReadTransaction) -> Result<Mark, Fault> {
    let meta = txn.open_table(META)?;
    let mark = meta.get(META_MARK)?;
    mark.map_or(Ok(Mark::START), |bytes| Mark::decode(bytes.value()))
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
    loader.all(KEYS, "keys", |b, n| Ok(Change::Key(Arc::new(decode::<KeyRecord<'_>>(b, n)?))))
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
