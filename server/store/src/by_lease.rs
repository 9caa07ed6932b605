//! The index of events by lease as it was up to version 4, with rows for each lease, and how leases come to share rows.
//!
//! A row was what [`crate::posting`] says, with a lease as the subject and the event's own number.

use std::ops::RangeInclusive;

use lessor_ledger::LeaseId;
use redb::{ReadableTable, WriteTransaction};

use crate::codec::DecodeError;
use crate::error::{Fault, damaged};
use crate::limits::POSTING_BUCKET_LEASES;
use crate::posting::{self, Postings, Subject};
use crate::schema::{EVENT_PARTS, POSTINGS};

/// What the key of a lease began with.
const LEASE: u8 = 1;

/// Turns the rows of leases into those of buckets, one bucket after the other.
///
/// Events that are kept no more, which a row had as long as it had a later one, are left out: a new row might have no others.
pub(crate) fn share_rows(txn: &WriteTransaction) -> Result<(), Fault> {
    let kept = txn.open_table(EVENT_PARTS)?.first()?.map_or(u64::MAX, |(first, _)| first.value());
    let mut table = txn.open_table(POSTINGS)?;
    let mut scratch = Vec::new();
    while let Some(lease) = first_lease(&table)? {
        let leases = neighbours(lease);
        let numbers = numbers(&table, &leases, kept)?;
        let (first, last) = (key(*leases.start()), key(*leases.end()));
        table.retain_in((first.as_slice(), 0)..=(last.as_slice(), u64::MAX), |_, _| false)?;
        posting::write(&mut table, Subject::of(lease), &numbers, &mut scratch)?;
    }
    Ok(())
}

/// The lowest lease that has a row of its own.
fn first_lease(table: &Postings<'_>) -> Result<Option<LeaseId>, Fault> {
    let mut rows = table.range(([LEASE].as_slice(), 0)..([LEASE + 1].as_slice(), 0))?;
    rows.next().transpose()?.map(|(key, _)| lease(key.value().0)).transpose()
}

/// What events of these leases have for numbers in the bucket, in rising order.
fn numbers(table: &Postings<'_>, leases: &RangeInclusive<LeaseId>, kept: u64) -> Result<Vec<u64>, Fault> {
    let (first, last) = (key(*leases.start()), key(*leases.end()));
    let mut numbers = Vec::new();
    for row in table.range((first.as_slice(), 0)..=(last.as_slice(), u64::MAX))? {
        let (key, value) = row?;
        let lease = lease(key.value().0)?;
        let events = posting::numbers(key.value().1, value.value())?;
        let events = events.into_iter().filter(|event| *event >= kept);
        numbers.extend(events.map(|event| posting::number(event, lease)));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The leases of the bucket in which this one is.
fn neighbours(lease: LeaseId) -> RangeInclusive<LeaseId> {
    let first = lease.0 - lease.0 % POSTING_BUCKET_LEASES;
    LeaseId(first)..=LeaseId(first + (POSTING_BUCKET_LEASES - 1))
}

fn key(lease: LeaseId) -> Vec<u8> {
    [&[LEASE], lease.0.to_be_bytes().as_slice()].concat()
}

fn lease(key: &[u8]) -> Result<LeaseId, Fault> {
    let number = key.get(1..).and_then(|number| number.try_into().ok());
    let none = || DecodeError::Cbor(minicbor::decode::Error::message("a key that names no lease"));
    number.map(|number| LeaseId(u64::from_be_bytes(number))).ok_or_else(none).map_err(damaged("postings"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lessor_ledger::EventKind;
    use redb::Database;

    use super::*;
    use crate::codec;
    use crate::limits::POSTING_IDS_MAX;

    /// Key, first number and value.
    type Row = (Vec<u8>, u64, Vec<u8>);

    fn row(key: Vec<u8>, numbers: &[u64]) -> Row {
        let mut value = Vec::new();
        codec::put_rising(numbers[0], &numbers[1..], &mut value);
        (key, numbers[0], value)
    }

    /// What becomes of these rows when events are kept from `kept` on.
    fn shared(rows: &[Row], kept: u64) -> Result<Vec<Row>, Fault> {
        let memory = redb::backends::InMemoryBackend::new();
        let db = Database::builder().create_with_backend(memory).unwrap();
        let txn = db.begin_write().unwrap();
        txn.open_table(EVENT_PARTS).unwrap().insert(kept, (1, 0)).unwrap();
        for (key, first, value) in rows {
            let mut table = txn.open_table(POSTINGS).unwrap();
            table.insert((key.as_slice(), *first), value.as_slice()).unwrap();
        }
        share_rows(&txn)?;
        let table = txn.open_table(POSTINGS).unwrap();
        let rows = table.iter().unwrap().map(|row| {
            let (key, value) = row.unwrap();
            (key.value().0.to_vec(), key.value().1, value.value().to_vec())
        });
        Ok(rows.collect())
    }

    #[test]
    fn leases_come_to_share_rows_and_other_subjects_stay_as_they_are() {
        let kind = row(Subject::Kind(EventKind::LeaseEnded).key(), &[1, 4, 9]);
        let target = row([b"\x02gpu-1".as_slice()].concat(), &[5, 6]);
        let leases = [(15, vec![3, 8]), (15, vec![20]), (16, vec![4, 21]), (31, vec![5, 9]), (17, vec![6])];
        let far = (1 << 41) + 3;
        let mut rows = vec![kind.clone(), target.clone(), row(key(LeaseId(far)), &[7])];
        rows.extend(leases.iter().map(|(lease, events)| row(key(LeaseId(*lease)), events)));
        let due = [
            kind,
            target,
            row(Subject::Leases(0).key(), &[3 * 16 + 15, 8 * 16 + 15, 20 * 16 + 15]),
            row(Subject::Leases(1).key(), &[4 * 16, 5 * 16 + 15, 6 * 16 + 1, 9 * 16 + 15, 21 * 16]),
            row(Subject::Leases(far / 16).key(), &[7 * 16 + 3]),
        ];
        assert_eq!(shared(&rows, 1).unwrap(), due);
    }

    #[test]
    fn a_bucket_of_many_events_gets_several_rows_without_those_that_are_gone() {
        let mut events: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for event in 1..=1_600 {
            events.entry(event * 7 % 16).or_default().push(event);
        }
        let rows: Vec<_> = events.iter().map(|(lease, events)| row(key(LeaseId(*lease)), events)).collect();
        let kept: Vec<_> = (801..=1_600).map(|event| event * 16 + event * 7 % 16).collect();
        let due: Vec<_> =
            kept.chunks(POSTING_IDS_MAX).map(|row_of| row(Subject::Leases(0).key(), row_of)).collect();
        assert_eq!(shared(&rows, 801).unwrap(), due);
        assert_eq!(shared(&rows, 1_601).unwrap(), []);
    }

    #[test]
    fn what_damage_left_is_an_error_and_no_panic() {
        let damaged = |row: Row| shared(&[row], 1).unwrap_err();
        for key in [vec![1], vec![1, 0, 0, 7], [key(LeaseId(3)), vec![0]].concat()] {
            assert!(matches!(damaged(row(key, &[3])), Fault::Damaged { table: "postings", .. }));
        }
        let error = damaged((key(LeaseId(3)), 5, b"\xff".to_vec()));
        assert!(matches!(error, Fault::Damaged { table: "postings", .. }), "{error:?}");
        for event in [(1 << 60) - 1, u64::MAX] {
            let error = damaged(row(key(LeaseId(u64::MAX)), &[3, event]));
            assert!(matches!(error, Fault::Missing { table: "postings", .. }), "{error:?}");
        }
    }
}
