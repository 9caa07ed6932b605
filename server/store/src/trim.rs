//! Retention: old parts of the journal go, and with each what the indexes say about it and the leases it ended.

use lessor_ledger::Lease;
use redb::{ReadableTable, WriteTransaction};

use crate::codec::{LeaseRecord, Names, decode};
use crate::ended::Entries;
use crate::error::{Fault, damaged};
use crate::journal::{Header, Mark, Part};
use crate::options::Retention;
use crate::posting::{self, BySubject, Subject};
use crate::schema::{ENDED, EVENT_PARTS, JOURNAL, POSTINGS, PartKey};

/// How far trimming may go.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) retention: Retention,
    /// The last batch in the tables. Age is counted back from its time, and events from its last one.
    pub(crate) mark: Mark,
}

impl Limits {
    fn over(&self, header: &Header) -> bool {
        let after = header.first_event + header.events;
        let left = (self.mark.counters.event + 1).saturating_sub(after);
        left >= self.retention.events || self.mark.at.since(header.at) > self.retention.keep
    }
}

/// Removes at most `parts_max` parts. Answers whether there is more to remove.
pub(crate) fn trim(txn: &WriteTransaction, limits: &Limits, parts_max: usize) -> Result<bool, Fault> {
    let mut gone = Gone::default();
    let mut more = true;
    for _ in 0..parts_max {
        more = gone.take_oldest(txn, limits)?;
        if !more {
            break;
        }
    }
    gone.forget(txn)?;
    Ok(more && oldest_over(&txn.open_table(JOURNAL)?, limits)?.is_some())
}

/// The oldest part, if it is to go.
fn oldest_over(
    journal: &impl ReadableTable<PartKey, &'static [u8]>,
    limits: &Limits,
) -> Result<Option<PartKey>, Fault> {
    let Some((key, value)) = journal.first()? else { return Ok(None) };
    let header = Part::parse(value.value())?.header;
    Ok(limits.over(&header).then(|| key.value()))
}

/// What removed parts told of, which the indexes are to forget. They forget all of it at once, so that each of their
/// rows is written once.
#[derive(Debug, Default)]
struct Gone {
    /// The last number of each subject.
    subjects: BySubject<u64>,
    leases: Vec<Lease>,
}

impl Gone {
    /// Removes the oldest part if it is to go. Answers whether it was.
    fn take_oldest(&mut self, txn: &WriteTransaction, limits: &Limits) -> Result<bool, Fault> {
        let mut journal = txn.open_table(JOURNAL)?;
        let Some(key) = oldest_over(&journal, limits)? else { return Ok(false) };
        let Some(value) = journal.remove(key)? else { return Ok(false) };
        let part = Part::parse(value.value())?;
        part.events(&mut Names::new(), |event| {
            for (subject, number) in Subject::all(&event) {
                *self.subjects.entry(subject) = number;
            }
            true
        })?;
        let (header, leases) = (part.header, part.ended_leases()?);
        drop(value);
        drop(journal);
        if header.events > 0 {
            txn.open_table(EVENT_PARTS)?.remove(header.first_event)?;
        }
        let mut ended = txn.open_table(ENDED)?;
        for id in leases {
            if let Some(value) = ended.remove(id.0)? {
                let lease = decode::<LeaseRecord<'_>>(value.value(), &mut Names::new());
                self.leases.push(lease.map_err(damaged("ended"))?);
            }
        }
        Ok(true)
    }

    fn forget(self, txn: &WriteTransaction) -> Result<(), Fault> {
        let mut postings = txn.open_table(POSTINGS)?;
        for (subject, last) in self.subjects.iter() {
            posting::trim(&mut postings, subject, *last)?;
        }
        drop(postings);
        let mut entries = Entries::default();
        for lease in &self.leases {
            entries.note(lease);
        }
        entries.remove(txn)
    }
}
