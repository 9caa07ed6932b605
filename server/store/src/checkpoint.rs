//! The checkpoint: what the tables lack, and how it gets there in small chunks.
//!
//! Records that a batch changes are noted in the *active* generation, the latest value of each only. When that has
//! grown enough (or the store is idle) it is closed and becomes the *flushing* one, whose rows are written chunk by
//! chunk, each in some commit's transaction, while a new active generation collects. The transaction that writes the
//! last row also moves the mark to the last batch noted in it.
//!
//! The mark may say "the tables are complete up to batch M" only when every record changed by batches up to M has been
//! written, and closing a generation at M before writing it makes that so. Tables may hold values later than the
//! mark, from a generation half written at a crash: since a change says what a record *is*, absorbing the journal
//! after the mark over them gives the same state.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use lessor_ledger::{
    Change, Key, Lease, LeaseId, Lock, Owner, Pool, PoolName, Request, RequestId, Resource, Target, Text,
};
use redb::{TableDefinition, WriteTransaction};

use crate::codec::{KeyRecord, LeaseRecord, LockRecord, PoolRecord, RequestRecord, ResourceRecord, encode};
use crate::error::Fault;
use crate::journal::{Mark, PartStart};
use crate::posting::{self, Subject};
use crate::schema::{
    ENDED, ENDED_BY_OWNER, ENDED_BY_TARGET, EVENT_PARTS, KEYS, LEASES, LOCKS, POOLS, POSTINGS, PartKey,
    REQUESTS, RESOURCES,
};

/// What became of a record: its latest value, or that it is gone.
type Latest<K, T> = BTreeMap<K, Option<Arc<T>>>;

/// What batches changed and the tables do not know yet.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    /// The last batch that is noted in here.
    pub(crate) through: Mark,
    pools: Latest<PoolName, Pool>,
    resources: Latest<Target, Resource>,
    locks: Latest<Target, Lock>,
    leases: Latest<LeaseId, Lease>,
    ended: BTreeMap<LeaseId, Arc<Lease>>,
    requests: Latest<RequestId, Request>,
    keys: Latest<(Owner, Text), Key>,
    postings: BTreeMap<Subject, Vec<u64>>,
    parts: BTreeMap<u64, PartKey>,
}

/// How much a chunk may still write.
#[derive(Debug)]
pub(crate) struct Budget {
    rows: usize,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(rows: usize, bytes: usize) -> Self {
        Self { rows, bytes }
    }

    /// Accounts for one noted record, whatever number of table rows that makes: the pace is set in records too.
    fn spend(&mut self, bytes: usize) {
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    fn spent(&self) -> bool {
        self.rows == 0 || self.bytes == 0
    }
}

impl Generation {
    /// Notes a batch and its parts.
    pub(crate) fn note(&mut self, through: Mark, parts: &[PartStart]) {
        self.through = through;
        let with_events = parts.iter().filter(|part| part.header.events > 0);
        self.parts.extend(with_events.map(|part| (part.header.first_event, part.key)));
    }

    /// Notes one change of a batch.
    pub(crate) fn note_change(&mut self, change: &Change) {
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
                self.leases.insert(lease.id, None);
                self.ended.insert(lease.id, Arc::clone(lease));
            }
            Change::Lease(lease) => {
                self.leases.insert(lease.id, Some(Arc::clone(lease)));
            }
            Change::Request(request) => {
                self.requests.insert(request.id, Some(Arc::clone(request)));
            }
            Change::RequestGone(id) => {
                self.requests.insert(*id, None);
            }
            Change::Key(key) => {
                self.keys.insert((key.owner.clone(), key.text.clone()), Some(Arc::clone(key)));
            }
            Change::KeyGone(owner, text) => {
                self.keys.insert((owner.clone(), text.clone()), None);
            }
            Change::Event(event) => {
                for subject in Subject::all(event) {
                    self.postings.entry(subject).or_default().push(event.id.0);
                }
            }
        }
    }

    /// How many rows are still to be written; an ended lease, which has several, counts once.
    pub(crate) fn len(&self) -> usize {
        self.pools.len()
            + self.resources.len()
            + self.locks.len()
            + self.leases.len()
            + self.ended.len()
            + self.requests.len()
            + self.keys.len()
            + self.postings.len()
            + self.parts.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes rows in the order of their keys, so that neighbours share pages, until the budget is spent.
    pub(crate) fn write(
        &mut self,
        txn: &WriteTransaction,
        budget: &mut Budget,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        self.write_parts(txn, budget)?;
        self.write_postings(txn, budget, scratch)?;
        self.write_ended(txn, budget, scratch)?;
        let mut chunk = Chunk { txn, budget, scratch };
        chunk.texts(POOLS, &mut self.pools, |pool, out| encode::<PoolRecord<'_>>(pool, out))?;
        chunk.texts(RESOURCES, &mut self.resources, |it, out| encode::<ResourceRecord<'_>>(it, out))?;
        chunk.texts(LOCKS, &mut self.locks, |lock, out| encode::<LockRecord<'_>>(lock, out))?;
        chunk.numbers(LEASES, &mut self.leases, |id| id.0, |it, out| encode::<LeaseRecord<'_>>(it, out))?;
        chunk.numbers(
            REQUESTS,
            &mut self.requests,
            |id| id.0,
            |it, out| encode::<RequestRecord<'_>>(it, out),
        )?;
        chunk.keys(&mut self.keys)
    }

    fn write_parts(&mut self, txn: &WriteTransaction, budget: &mut Budget) -> Result<(), Fault> {
        if self.parts.is_empty() {
            return Ok(());
        }
        let mut table = txn.open_table(EVENT_PARTS)?;
        while !budget.spent()
            && let Some((first, key)) = self.parts.pop_first()
        {
            table.insert(first, key)?;
            budget.spend(size_of::<(u64, PartKey)>());
        }
        Ok(())
    }

    fn write_postings(
        &mut self,
        txn: &WriteTransaction,
        budget: &mut Budget,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if self.postings.is_empty() {
            return Ok(());
        }
        let mut table = txn.open_table(POSTINGS)?;
        while !budget.spent()
            && let Some((subject, ids)) = self.postings.pop_first()
        {
            let bytes = posting::write(&mut table, &subject, &ids, scratch)?;
            budget.spend(bytes);
        }
        Ok(())
    }

    fn write_ended(
        &mut self,
        txn: &WriteTransaction,
        budget: &mut Budget,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if self.ended.is_empty() {
            return Ok(());
        }
        let mut leases = txn.open_table(ENDED)?;
        let mut by_target = txn.open_table(ENDED_BY_TARGET)?;
        let mut by_owner = txn.open_table(ENDED_BY_OWNER)?;
        while !budget.spent()
            && let Some((id, lease)) = self.ended.pop_first()
        {
            scratch.clear();
            encode::<LeaseRecord<'_>>(&lease, scratch);
            let mut bytes = scratch.len() + lease.owner.as_str().len();
            leases.insert(id.0, scratch.as_slice())?;
            by_owner.insert((lease.owner.as_str(), id.0), ())?;
            for target in lease.targets.iter().chain(&lease.returned) {
                by_target.insert((target.as_str(), id.0), ())?;
                bytes += target.as_str().len();
            }
            budget.spend(bytes);
        }
        Ok(())
    }
}

/// One transaction's share of a generation.
struct Chunk<'a> {
    txn: &'a WriteTransaction,
    budget: &'a mut Budget,
    scratch: &'a mut Vec<u8>,
}

impl Chunk<'_> {
    fn texts<K: Ord + Borrow<str>, T>(
        &mut self,
        definition: TableDefinition<'_, &'static str, &'static [u8]>,
        latest: &mut Latest<K, T>,
        encode: impl Fn(&T, &mut Vec<u8>),
    ) -> Result<(), Fault> {
        if latest.is_empty() {
            return Ok(());
        }
        let mut table = self.txn.open_table(definition)?;
        while !self.budget.spent()
            && let Some((key, value)) = latest.pop_first()
        {
            self.scratch.clear();
            if let Some(value) = value {
                encode(&value, self.scratch);
                table.insert(key.borrow(), self.scratch.as_slice())?;
            } else {
                table.remove(key.borrow())?;
            }
            self.budget.spend(self.scratch.len());
        }
        Ok(())
    }

    fn numbers<K: Ord, T>(
        &mut self,
        definition: TableDefinition<'_, u64, &'static [u8]>,
        latest: &mut Latest<K, T>,
        number: impl Fn(&K) -> u64,
        encode: impl Fn(&T, &mut Vec<u8>),
    ) -> Result<(), Fault> {
        if latest.is_empty() {
            return Ok(());
        }
        let mut table = self.txn.open_table(definition)?;
        while !self.budget.spent()
            && let Some((key, value)) = latest.pop_first()
        {
            self.scratch.clear();
            if let Some(value) = value {
                encode(&value, self.scratch);
                table.insert(number(&key), self.scratch.as_slice())?;
            } else {
                table.remove(number(&key))?;
            }
            self.budget.spend(self.scratch.len());
        }
        Ok(())
    }

    fn keys(&mut self, latest: &mut Latest<(Owner, Text), Key>) -> Result<(), Fault> {
        if latest.is_empty() {
            return Ok(());
        }
        let mut table = self.txn.open_table(KEYS)?;
        while !self.budget.spent()
            && let Some(((owner, text), value)) = latest.pop_first()
        {
            self.scratch.clear();
            if let Some(value) = value {
                encode::<KeyRecord<'_>>(&value, self.scratch);
                table.insert((owner.as_str(), &*text), self.scratch.as_slice())?;
            } else {
                table.remove((owner.as_str(), &*text))?;
            }
            self.budget.spend(self.scratch.len());
        }
        Ok(())
    }
}
