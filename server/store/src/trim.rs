//! Retention: old parts of the journal go, and with each what the indexes say about it and the leases it ended.

use std::collections::BTreeSet;

use redb::{ReadableTable, WriteTransaction};

use crate::codec::{LeaseRecord, Names, decode};
use crate::error::{Fault, damaged};
use crate::journal::{Header, Mark, Part};
use crate::options::Retention;
use crate::posting::{self, Subject};
use crate::schema::{ENDED, ENDED_BY_OWNER, ENDED_BY_TARGET, EVENT_PARTS, JOURNAL, POSTINGS, PartKey};

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
    for _ in 0..parts_max {
        let Some(key) = oldest_over(txn, limits)? else { return Ok(false) };
        remove_part(txn, key)?;
    }
    Ok(oldest_over(txn, limits)?.is_some())
}

/// The oldest part, if it is to go.
fn oldest_over(txn: &WriteTransaction, limits: &Limits) -> Result<Option<PartKey>, Fault> {
    let journal = txn.open_table(JOURNAL)?;
    let Some((key, value)) = journal.first()? else { return Ok(None) };
    let header = Part::parse(value.value())?.header;
    Ok(limits.over(&header).then(|| key.value()))
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
