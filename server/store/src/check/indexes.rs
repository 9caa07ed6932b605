//! Indexes of history against what they index.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableTable};

use super::Report;
use super::audit::{Audit, Tally};
use crate::codec::{LeaseRecord, Names, decode};
use crate::ended::{self, Party};
use crate::error::{Fault, damaged};
use crate::load::Loaded;
use crate::posting;
use crate::schema::{ENDED, ENDED_OF, EVENT_PARTS, POSTINGS};

/// The index of parts and the index of subjects must say what the checkpointed part of the journal says. They may say
/// more about earlier events, when a row of the index outlives the first of its events.
pub(super) fn events(
    txn: &ReadTransaction,
    loaded: &Loaded,
    audit: &Audit,
    report: &mut Report,
) -> Result<(), Fault> {
    let parts = txn.open_table(EVENT_PARTS)?;
    for (first, key) in &audit.parts {
        if parts.get(first)?.map(|found| found.value()) != Some(*key) {
            report.problem(|| format!("the index of events does not know where event {first} is"));
        }
    }
    let kept = audit.first_event..=loaded.tail.mark.counters.event;
    for row in parts.range(kept.clone())? {
        let first = row?.0.value();
        if audit.parts.binary_search_by_key(&first, |(first, _)| *first).is_err() {
            report.problem(|| {
                format!("the index of events has a part from event {first} on, which is not there")
            });
        }
    }
    let mut found: BTreeMap<Vec<u8>, Tally> = BTreeMap::new();
    for row in txn.open_table(POSTINGS)?.iter()? {
        let (key, value) = row?;
        let (subject, first) = key.value();
        let numbers = posting::numbers(first, value.value())?;
        let event = |number| posting::event(subject, number);
        if numbers.last().is_some_and(|last| event(*last) < audit.first_event) {
            report.problem(|| {
                let first = event(first);
                format!("the index of events has a row from event {first} on, all of which are gone")
            });
        }
        for number in numbers {
            let event = event(number);
            if kept.contains(&event) {
                found.entry(subject.to_vec()).or_default().add(number);
            } else if event > loaded.tail.last.counters.event {
                report.problem(|| format!("the index of events knows event {event}, which never was"));
            }
        }
    }
    compare("the index", "events on", "the journal", &audit.subjects, &found, report);
    Ok(())
}

/// Ended leases have ended, are counted, and are known to their index, which knows no others.
pub(super) fn leases(txn: &ReadTransaction, loaded: &Loaded, report: &mut Report) -> Result<(), Fault> {
    let mut due: BTreeMap<Vec<u8>, Tally> = BTreeMap::new();
    let mut names = Names::new();
    for row in txn.open_table(ENDED)?.iter()? {
        let (key, value) = row?;
        let lease = decode::<LeaseRecord<'_>>(value.value(), &mut names).map_err(damaged("ended"))?;
        if key.value() != lease.id.0 || lease.ended.is_none() || lease.id.0 > loaded.tail.last.counters.lease
        {
            report.problem(|| format!("lease {} is wrongly among those that ended", key.value()));
        }
        if loaded.ledger.lease(lease.id).is_some() {
            report.problem(|| format!("lease {} has ended and has not", lease.id));
        }
        for party in Party::all(&lease).collect::<BTreeSet<_>>() {
            due.entry(party.key()).or_default().add(lease.id.0);
        }
    }
    let mut found: BTreeMap<Vec<u8>, Tally> = BTreeMap::new();
    for row in txn.open_table(ENDED_OF)?.iter()? {
        let (key, value) = row?;
        let (party, bucket) = key.value();
        for lease in ended::decode(bucket, value.value())? {
            found.entry(party.to_vec()).or_default().add(lease);
        }
    }
    compare("the index of ended leases", "leases of", "the table of them", &due, &found, report);
    Ok(())
}

/// What an index has under each name, against what it should have.
fn compare(
    index: &str,
    what: &str,
    other: &str,
    due: &BTreeMap<Vec<u8>, Tally>,
    found: &BTreeMap<Vec<u8>, Tally>,
    report: &mut Report,
) {
    for name in due.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        let (due, there) = (due.get(name), found.get(name));
        if due != there {
            let count = |tally: Option<&Tally>| tally.map_or(0, |tally| tally.count);
            report.problem(|| {
                let name = String::from_utf8_lossy(name);
                format!("{index} has {} {what} {name:?}, {other} {}", count(there), count(due))
            });
        }
    }
}
