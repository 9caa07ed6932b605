//! The checkpoint: what the tables lack, and how it gets there.
//!
//! The batches after the mark are *coalesced*, so that of each record only its latest value is written, and written to
//! the tables in the order of their keys, in one transaction. That transaction also moves the mark to the last batch
//! in it, so the tables are always complete up to the mark, and never hold half a checkpoint.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use lessor_ledger::{
    Change, Counters, Job, Key, Lease, LeaseId, Lock, Owner, PluginName, Pool, PoolName, Request, RequestId,
    Resource, Target, Text,
};
use redb::{TableDefinition, WriteTransaction};

use crate::codec::{
    JobRecord, KeyRecord, LeaseRecord, LockRecord, PluginRecord, PoolRecord, RequestRecord, ResourceRecord,
    encode,
};
use crate::ended::Entries;
use crate::error::Fault;
use crate::limits::CHECKPOINT_ROWS_BETWEEN_LOOKS;
use crate::posting::{self, BySubject, Subject};
use crate::schema::{
    ENDED, EVENT_PARTS, JOBS, JOURNAL, KEYS, LEASES, LOCKS, PLUGINS, POOLS, POSTINGS, REQUESTS, RESOURCES,
};
use crate::tail::Segment;

/// What became of a record: its latest value, or that it is gone.
type Latest<K, T> = BTreeMap<K, Option<Arc<T>>>;

/// What batches changed, coalesced.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pools: Latest<PoolName, Pool>,
    resources: Latest<Target, Resource>,
    locks: Latest<Target, Lock>,
    leases: Latest<LeaseId, Lease>,
    ended: BTreeMap<LeaseId, Arc<Lease>>,
    requests: Latest<RequestId, Request>,
    keys: Latest<(Owner, Text), Key>,
    jobs: Latest<Job, lessor_ledger::JobRecord>,
    plugins: Latest<PluginName, lessor_ledger::PluginRecord>,
    postings: BySubject<Vec<u64>>,
}

impl Rows {
    /// Notes a batch. `known` are the highest numbers that the tables may have: a record with a higher one that is
    /// gone again is not in them and needs no removal.
    pub(crate) fn note(&mut self, segment: &Segment, known: Counters) {
        for change in &*segment.changes {
            self.note_change(change, known);
        }
    }

    fn note_change(&mut self, change: &Change, known: Counters) {
        match change {
            Change::Pool(pool) => {
                self.pools.insert(pool.name.clone(), Some(Arc::clone(pool)));
            }
            Change::PoolGone(name) => {
                self.pools.insert(name.clone(), None);
            }
            Change::Resource(resource) => {
                self.resources.insert(resource.name.clone(), Some(Arc::clone(resource)));
            }
            Change::ResourceGone(name) => {
                self.resources.insert(name.clone(), None);
            }
            Change::Lock(lock) => {
                self.locks.insert(lock.target.clone(), Some(Arc::clone(lock)));
            }
            Change::LockGone(target) => {
                self.locks.insert(target.clone(), None);
            }
            Change::Lease(lease) if lease.ended.is_some() => {
                self.ended.insert(lease.id, Arc::clone(lease));
                forget(&mut self.leases, lease.id, lease.id.0 <= known.lease);
            }
            Change::Lease(lease) => {
                self.leases.insert(lease.id, Some(Arc::clone(lease)));
            }
            Change::Request(request) => {
                self.requests.insert(request.id, Some(Arc::clone(request)));
            }
            Change::RequestGone(id) => forget(&mut self.requests, *id, id.0 <= known.request),
            Change::Key(key) => {
                self.keys.insert((key.owner.clone(), key.text.clone()), Some(Arc::clone(key)));
            }
            Change::KeyGone(owner, text) => {
                self.keys.insert((owner.clone(), text.clone()), None);
            }
            Change::Job(job) => {
                self.jobs.insert(job.id, Some(Arc::clone(job)));
            }
            // Numbers of jobs come from the counter of leases.
            Change::JobGone(id) => forget(&mut self.jobs, *id, id.counted() <= known.lease),
            Change::Plugin(plugin) => {
                self.plugins.insert(plugin.name.clone(), Some(Arc::clone(plugin)));
            }
            Change::PluginGone(name) => {
                self.plugins.insert(name.clone(), None);
            }
            Change::Event(event) => {
                for (subject, number) in Subject::all(event) {
                    self.postings.entry(subject).push(number);
                }
            }
        }
    }

    /// Writes everything, unless `stop` becomes true: then some is missing and the transaction must not be committed.
    pub(crate) fn write(self, txn: &WriteTransaction, stop: &AtomicBool) -> Result<(), Fault> {
        let mut pen = Pen { txn, stop, rows: 0, scratch: Vec::new() };
        pen.postings(&self.postings)?;
        pen.ended(&self.ended)?;
        pen.records(POOLS, self.pools, text, |it, out| encode::<PoolRecord<'_>>(it, out))?;
        pen.records(RESOURCES, self.resources, text, |it, out| encode::<ResourceRecord<'_>>(it, out))?;
        pen.records(LOCKS, self.locks, text, |it, out| encode::<LockRecord<'_>>(it, out))?;
        pen.records(LEASES, self.leases, |id| id.0, |it, out| encode::<LeaseRecord<'_>>(it, out))?;
        pen.records(REQUESTS, self.requests, |id| id.0, |it, out| encode::<RequestRecord<'_>>(it, out))?;
        pen.records(KEYS, self.keys, pair, |it, out| encode::<KeyRecord<'_>>(it, out))?;
        pen.records(JOBS, self.jobs, |id| id.0, |it, out| encode::<JobRecord<'_>>(it, out))?;
        pen.records(PLUGINS, self.plugins, text, |it, out| encode::<PluginRecord<'_>>(it, out))
    }
}

/// Writes what history keeps of the batches, and where to find the events in it. What the records are since is in their own
/// tables from now on: renewals and heartbeats, which are no events, leave nothing behind.
///
/// Here as in all of a checkpoint, one table is open at a time: if redb panics at a damaged page while it opens a second one, the
/// first cannot be closed, and the process is aborted.
pub(crate) fn write_parts(txn: &WriteTransaction, segments: &[Arc<Segment>]) -> Result<(), Fault> {
    let parts = || segments.iter().flat_map(|segment| &segment.parts);
    let mut journal = txn.open_table(JOURNAL)?;
    let mut kept = Vec::new();
    for part in parts() {
        if part.history(&mut kept) {
            journal.insert(part.key, kept.as_slice())?;
        } else {
            // The journal of a backup has it whole.
            journal.remove(part.key)?;
        }
    }
    drop(journal);
    let mut index = txn.open_table(EVENT_PARTS)?;
    for part in parts().filter(|part| part.header.events > 0) {
        index.insert(part.header.first_event, part.key)?;
    }
    Ok(())
}

fn forget<K: Ord, T>(latest: &mut Latest<K, T>, key: K, stored: bool) {
    if stored {
        latest.insert(key, None);
    } else {
        latest.remove(&key);
    }
}

fn text<K: Borrow<str>>(key: &K) -> &str {
    key.borrow()
}

fn pair((owner, text): &(Owner, Text)) -> (&str, &str) {
    (owner.as_str(), text)
}

/// Writes rows of one transaction.
struct Pen<'a> {
    txn: &'a WriteTransaction,
    stop: &'a AtomicBool,
    rows: usize,
    scratch: Vec<u8>,
}

impl Pen<'_> {
    /// Counts a row. Answers whether to go on.
    fn goes_on(&mut self) -> bool {
        self.rows += 1;
        !self.rows.is_multiple_of(CHECKPOINT_ROWS_BETWEEN_LOOKS) || !self.stop.load(Relaxed)
    }

    fn postings(&mut self, postings: &BySubject<Vec<u64>>) -> Result<(), Fault> {
        let mut table = self.txn.open_table(POSTINGS)?;
        for (subject, numbers) in postings.iter() {
            posting::write(&mut table, subject, numbers, &mut self.scratch)?;
            if !self.goes_on() {
                break;
            }
        }
        Ok(())
    }

    fn ended(&mut self, ended: &BTreeMap<LeaseId, Arc<Lease>>) -> Result<(), Fault> {
        let mut leases = self.txn.open_table(ENDED)?;
        let mut entries = Entries::default();
        for (id, lease) in ended {
            self.scratch.clear();
            encode::<LeaseRecord<'_>>(lease, &mut self.scratch);
            leases.insert(id.0, self.scratch.as_slice())?;
            entries.note(lease);
            if !self.goes_on() {
                break;
            }
        }
        drop(leases);
        entries.insert(self.txn)
    }

    fn records<K: redb::Key + 'static, Q, T>(
        &mut self,
        definition: TableDefinition<'_, K, &'static [u8]>,
        latest: Latest<Q, T>,
        key: impl for<'q> Fn(&'q Q) -> K::SelfType<'q>,
        encode: impl Fn(&T, &mut Vec<u8>),
    ) -> Result<(), Fault> {
        if latest.is_empty() {
            return Ok(());
        }
        let mut table = self.txn.open_table(definition)?;
        for (name, record) in latest {
            if let Some(record) = record {
                self.scratch.clear();
                encode(&record, &mut self.scratch);
                table.insert(key(&name), self.scratch.as_slice())?;
            } else {
                table.remove(key(&name))?;
            }
            if !self.goes_on() {
                break;
            }
        }
        Ok(())
    }
}
