//! Retention: old parts of the journal go, and with each what the indexes say about it and the leases it ended.

use std::collections::BTreeSet;

use lessor_ledger::Time;
use redb::{ReadableTable, WriteTransaction};

use crate::codec::{LeaseRecord, Names, decode};
use crate::error::{Fault, damaged};
use crate::journal::{Header, Mark, Part};
use crate::options::Retention;
use crate::posting::{self, Subject};
use crate::schema::{ENDED, ENDED_BY_OWNER, ENDED_BY_TARGET, EVENT_PARTS, JOURNAL, POSTINGS, PartKey};

/// Knows the oldest part of the journal, so that a commit with nothing to trim reads nothing.
#[derive(Debug, Default)]
pub(crate) struct Trimmer {
    oldest: Option<(PartKey, Header)>,
}

/// How far trimming may go.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) retention: Retention,
    /// Parts after this are needed for recovery.
    pub(crate) mark: Mark,
    /// What age is counted back from.
    pub(crate) now: Time,
    /// The last event there is.
    pub(crate) last_event: u64,
}

impl Limits {
    fn over(&self, (batch, _): PartKey, header: &Header) -> bool {
        let after = header.first_event + header.events;
        let left = (self.last_event + 1).saturating_sub(after);
        batch <= self.mark.batch
            && (left >= self.retention.events || self.now.since(header.at) > self.retention.keep)
    }
}

impl Trimmer {
    /// Removes at most `parts_max` parts. Answers whether there is more to remove.
    pub(crate) fn trim(
        &mut self,
        txn: &WriteTransaction,
        limits: &Limits,
        parts_max: usize,
    ) -> Result<bool, Fault> {
        for _ in 0..parts_max {
            let Some((key, header)) = self.oldest(txn)? else { return Ok(false) };
            if !limits.over(key, &header) {
                return Ok(false);
            }
            remove_part(txn, key)?;
            self.oldest = None;
        }
        Ok(self.oldest(txn)?.is_some_and(|(key, header)| limits.over(key, &header)))
    }

    /// Whether anything is to be trimmed, as far as is known without reading.
    pub(crate) fn due(&self, limits: &Limits) -> bool {
        self.oldest.is_none_or(|(key, header)| limits.over(key, &header))
    }

    fn oldest(&mut self, txn: &WriteTransaction) -> Result<Option<(PartKey, Header)>, Fault> {
        if self.oldest.is_none() {
            let journal = txn.open_table(JOURNAL)?;
            if let Some((key, value)) = journal.first()? {
                self.oldest = Some((key.value(), Part::parse(value.value())?.header));
            }
        }
        Ok(self.oldest)
    }
}

fn remove_part(txn: &WriteTransaction, key: PartKey) -> Result<(), Fault> {
    let mut journal = txn.open_table(JOURNAL)?;
    let Some(value) = journal.remove(key)? else { return Ok(()) };
    let part = Part::parse(value.value())?;
    let mut subjects = BTreeSet::new();
    let mut last = 0;
    part.events(&mut Names::new(), |event| {
        last = event.id.0;
        subjects.extend(Subject::all(&event));
        true
    })?;
    if part.header.events > 0 {
        let mut postings = txn.open_table(POSTINGS)?;
        for subject in &subjects {
            posting::trim(&mut postings, subject, last)?;
        }
        txn.open_table(EVENT_PARTS)?.remove(part.header.first_event)?;
    }
    remove_leases(txn, &part)
}

fn remove_leases(txn: &WriteTransaction, part: &Part<'_>) -> Result<(), Fault> {
    let ended = part.ended_leases()?;
    if ended.is_empty() {
        return Ok(());
    }
    let mut leases = txn.open_table(ENDED)?;
    let mut by_target = txn.open_table(ENDED_BY_TARGET)?;
    let mut by_owner = txn.open_table(ENDED_BY_OWNER)?;
    for id in ended {
        let Some(value) = leases.remove(id.0)? else { continue };
        let lease = decode::<LeaseRecord<'_>>(value.value(), &mut Names::new()).map_err(damaged("ended"))?;
        for target in lease.targets.iter().chain(&lease.returned) {
            by_target.remove((target.as_str(), id.0))?;
        }
        by_owner.remove((lease.owner.as_str(), id.0))?;
    }
    Ok(())
}
