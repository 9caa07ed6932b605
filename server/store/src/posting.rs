//! The index of events by subject: which events are about this target, this lease, of this kind.
//!
//! A row holds up to [`POSTING_IDS_MAX`] numbers of one subject: the first one in the key, the further ones in the value
//! as differences (CBOR numbers). The rows of a subject follow each other without overlap. A checkpoint writes all its
//! events on a subject at once, so a busy target costs a row per checkpoint, not one per event.
//!
//! The number of an event of a kind or about a target is its own. A lease has few events, so leases are no subjects each:
//! a *bucket* of [`POSTING_BUCKET_LEASES`] consecutive lease numbers is one, in which an event has the number
//! `event * POSTING_BUCKET_LEASES + lease % POSTING_BUCKET_LEASES`. An event has at most one lease, so these numbers rise
//! as events do, and a reader tells the events of its lease from those of the neighbours without reading them.
//!
//! Bounds: a lease may have any number. An event has one below 2^60 - 1, which at a million a second is 36,000 years away.
//! Numbers of higher ones, which only damage can make up, stop at `u64::MAX`; that is refused when it is written.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use lessor_ledger::{Event, EventKind, LeaseId, Target};
use redb::{ReadableTable, Table};

use crate::codec;
use crate::error::{Fault, damaged};
use crate::limits::{POSTING_BUCKET_LEASES, POSTING_IDS_MAX};

/// What rows are about, in the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject<'a> {
    /// What happened.
    Kind(EventKind),
    /// To which target.
    Target(&'a Target),
    /// By or to a lease of this bucket.
    Leases(u64),
}

/// What a reader looks events up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    Kind(EventKind),
    Target(&'a Target),
    Lease(LeaseId),
}

pub(crate) type Postings<'txn> = Table<'txn, (&'static [u8], u64), &'static [u8]>;

/// What the key of a bucket begins with.
const LEASES: u8 = 3;

impl<'a> Subject<'a> {
    /// The subjects of an event, one to three, each with the event's number there.
    pub(crate) fn all(event: &'a Event) -> impl Iterator<Item = (Self, u64)> {
        let id = event.id.0;
        let kind = Some((Self::Kind(event.kind), id));
        let target = event.target.as_ref().map(|target| (Self::Target(target), id));
        let leases = event.lease.map(|lease| (Self::of(lease), number(id, lease)));
        [kind, target, leases].into_iter().flatten()
    }

    /// The bucket that a lease is in.
    pub(crate) fn of(lease: LeaseId) -> Self {
        Self::Leases(lease.0 / POSTING_BUCKET_LEASES)
    }

    /// Its bytes in a key: which kind of subject, then which one. Up to version 4, 1 was a single lease.
    pub(crate) fn key(self) -> Vec<u8> {
        match self {
            Self::Kind(kind) => vec![0, codec::kind_code(kind)],
            Self::Target(target) => [&[2], target.as_str().as_bytes()].concat(),
            Self::Leases(bucket) => [&[LEASES], bucket.to_be_bytes().as_slice()].concat(),
        }
    }
}

/// The number of an event in the bucket of its lease.
pub(crate) fn number(event: u64, lease: LeaseId) -> u64 {
    event.saturating_mul(POSTING_BUCKET_LEASES).saturating_add(lease.0 % POSTING_BUCKET_LEASES)
}

/// The event that has this number in the rows with this key.
pub(crate) fn event(key: &[u8], number: u64) -> u64 {
    if key.first() == Some(&LEASES) { number / POSTING_BUCKET_LEASES } else { number }
}

impl Wanted<'_> {
    /// The key of the rows in which it is.
    pub(crate) fn key(self) -> Vec<u8> {
        match self {
            Self::Kind(kind) => Subject::Kind(kind).key(),
            Self::Target(target) => Subject::Target(target).key(),
            Self::Lease(lease) => Subject::of(lease).key(),
        }
    }

    /// The numbers that these events may have there.
    pub(crate) fn numbers(self, events: &RangeInclusive<u64>) -> RangeInclusive<u64> {
        match self {
            Self::Kind(_) | Self::Target(_) => events.clone(),
            Self::Lease(lease) => number(*events.start(), lease)..=number(*events.end(), lease),
        }
    }

    /// The event with this number; `None` if it is another lease's.
    pub(crate) fn event(self, number: u64) -> Option<u64> {
        match self {
            Self::Kind(_) | Self::Target(_) => Some(number),
            Self::Lease(lease) => (number % POSTING_BUCKET_LEASES == lease.0 % POSTING_BUCKET_LEASES)
                .then_some(number / POSTING_BUCKET_LEASES),
        }
    }
}

/// Something for each subject. One map for each kind of subject, because comparing a number costs less than a name.
#[derive(Debug, Default)]
pub(crate) struct BySubject<T> {
    kinds: BTreeMap<EventKind, T>,
    targets: BTreeMap<Target, T>,
    leases: BTreeMap<u64, T>,
}

impl<T: Default> BySubject<T> {
    pub(crate) fn entry(&mut self, subject: Subject<'_>) -> &mut T {
        match subject {
            Subject::Kind(kind) => self.kinds.entry(kind).or_default(),
            Subject::Target(target) => self.targets.entry(target.clone()).or_default(),
            Subject::Leases(bucket) => self.leases.entry(bucket).or_default(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Subject<'_>, &T)> {
        let kinds = self.kinds.iter().map(|(kind, it)| (Subject::Kind(*kind), it));
        let targets = self.targets.iter().map(|(target, it)| (Subject::Target(target), it));
        let leases = self.leases.iter().map(|(bucket, it)| (Subject::Leases(*bucket), it));
        kinds.chain(targets).chain(leases)
    }
}

/// Writes the rows of one subject; `numbers` rise.
pub(crate) fn write(
    table: &mut Postings<'_>,
    subject: Subject<'_>,
    numbers: &[u64],
    scratch: &mut Vec<u8>,
) -> Result<(), Fault> {
    if numbers.last() == Some(&u64::MAX) {
        return Err(Fault::Missing { table: "postings", what: "room for an event with so high a number" });
    }
    let key = subject.key();
    for row in numbers.chunks(POSTING_IDS_MAX) {
        scratch.clear();
        codec::put_rising(row[0], &row[1..], scratch);
        table.insert((key.as_slice(), row[0]), scratch.as_slice())?;
    }
    Ok(())
}

/// All numbers of a row.
pub(crate) fn numbers(first: u64, value: &[u8]) -> Result<Vec<u64>, Fault> {
    let mut numbers = vec![first];
    codec::read_rising(first, value, &mut numbers).map_err(damaged("postings"))?;
    Ok(numbers)
}

/// Removes the rows of a subject that hold no number after `horizon`. A row that does stays as it is until it does not.
pub(crate) fn trim(table: &mut Postings<'_>, subject: Subject<'_>, horizon: u64) -> Result<(), Fault> {
    let key = subject.key();
    loop {
        let done = {
            let mut rows = table.range((key.as_slice(), 0)..=(key.as_slice(), horizon))?;
            match rows.next().transpose()? {
                None => None,
                Some((row, value)) => {
                    let first = row.value().1;
                    let last = numbers(first, value.value())?.last().copied().unwrap_or(first);
                    (last <= horizon).then_some(first)
                }
            }
        };
        let Some(first) = done else { return Ok(()) };
        table.remove((key.as_slice(), first))?;
    }
}

#[cfg(test)]
mod tests {
    use lessor_ledger::EventId;
    use redb::{Database, ReadableTableMetadata};

    use super::*;
    use crate::schema::POSTINGS;

    /// Hands `act` an empty table, which is forgotten after it.
    fn with_table(act: impl FnOnce(&mut Postings<'_>)) {
        let memory = redb::backends::InMemoryBackend::new();
        let db = Database::builder().create_with_backend(memory).unwrap();
        let txn = db.begin_write().unwrap();
        act(&mut txn.open_table(POSTINGS).unwrap());
    }

    #[test]
    fn an_event_is_of_up_to_three_subjects_and_of_its_lease_in_the_bucket() {
        let target = Target::new("gpu-1").unwrap();
        let event = Event {
            lease: Some(LeaseId((1 << 41) + 35)),
            target: Some(target.clone()),
            ..plain(EventKind::LeaseEnded, 70)
        };
        let due = [
            (Subject::Kind(EventKind::LeaseEnded), 70),
            (Subject::Target(&target), 70),
            (Subject::Leases((1 << 37) + 2), 70 * 16 + 3),
        ];
        assert_eq!(Subject::all(&event).collect::<Vec<_>>(), due);
        let bare = plain(EventKind::PoolCreated, 71);
        assert_eq!(Subject::all(&bare).collect::<Vec<_>>(), [(Subject::Kind(EventKind::PoolCreated), 71)]);
        let keys: Vec<_> = due.iter().map(|(subject, _)| subject.key()).collect();
        assert!(keys.is_sorted(), "subjects come in the order of their keys: {keys:?}");
        for (key, (_, number)) in keys.iter().zip(due) {
            assert_eq!(super::event(key, number), 70);
        }
    }

    fn plain(kind: EventKind, id: u64) -> Event {
        Event {
            id: EventId(id),
            at: lessor_ledger::Time::ZERO,
            kind,
            target: None,
            pool: None,
            lease: None,
            request: None,
            owner: None,
            from: None,
            to: None,
            cause: None,
            note: None,
            plugin: None,
        }
    }

    #[test]
    fn a_reader_tells_its_lease_from_neighbours_whatever_the_numbers_are() {
        for lease in [0, 1, 15, 16, (1 << 41) + 7, u64::MAX - 1, u64::MAX] {
            let wanted = Wanted::Lease(LeaseId(lease));
            let other = LeaseId(lease ^ 1);
            assert_eq!(wanted.key(), Wanted::Lease(other).key());
            for event in [0, 1, 1 << 41, (1 << 60) - 2] {
                let own = number(event, LeaseId(lease));
                assert_eq!((wanted.event(own), wanted.event(number(event, other))), (Some(event), None));
                assert_eq!(wanted.numbers(&(event..=event)), own..=own);
                assert!(wanted.numbers(&(0..=u64::MAX)).contains(&own));
            }
        }
        assert_ne!(Wanted::Lease(LeaseId(15)).key(), Wanted::Lease(LeaseId(16)).key());
    }

    #[test]
    fn numbers_that_damage_makes_up_are_refused_or_read_without_a_panic() {
        with_table(|table| {
            let mut write = |event| {
                let numbers = [number(7, LeaseId(9)), number(event, LeaseId(15))];
                write(table, Subject::Leases(0), &numbers, &mut Vec::new())
            };
            write((1 << 60) - 2).unwrap();
            for event in [(1 << 60) - 1, 1 << 60, u64::MAX] {
                let error = write(event).unwrap_err();
                assert!(matches!(error, Fault::Missing { table: "postings", .. }), "{error:?}");
            }
        });
        let mut step = Vec::new();
        codec::put(&(u64::MAX - 5), &mut step);
        let read = numbers(9, &[step.clone(), step].concat()).unwrap();
        assert_eq!(read, [9, u64::MAX, u64::MAX]);
        assert_eq!(event(&Subject::Leases(3).key(), u64::MAX), (1 << 60) - 1);
        assert!(numbers(9, b"\xff").is_err());
    }

    #[test]
    fn a_row_of_a_bucket_goes_when_all_its_events_are_gone() {
        with_table(|table| {
            let of = |events: std::ops::Range<u64>| -> Vec<u64> {
                events.map(|event| number(event, LeaseId(event % 5))).collect()
            };
            let (one, other) = (Subject::Leases(0), Subject::Leases(1));
            let full = POSTING_IDS_MAX as u64;
            let mut scratch = Vec::new();
            write(table, one, &of(1..2 * full + 1), &mut scratch).unwrap();
            write(table, one, &of(2 * full + 1..2 * full + 10), &mut scratch).unwrap();
            write(table, other, &of(1..10), &mut scratch).unwrap();
            // What is trimmed up to an event of one lease leaves a row that has the next event of another.
            let cases = [(0, 4), (1, 4), (full - 1, 4), (full, 3), (2 * full - 1, 3), (2 * full, 2)];
            for (event, rows) in cases {
                trim(table, one, number(event, LeaseId(event % 5))).unwrap();
                assert_eq!(table.len().unwrap(), rows, "after event {event}");
            }
            trim(table, one, number(2 * full + 9, LeaseId(4))).unwrap();
            assert_eq!(table.len().unwrap(), 1);
            assert_eq!(table.first().unwrap().unwrap().0.value().0, other.key());
        });
    }
}
