//! The index of events by subject: which events are about this target, this lease, of this kind.
//!
//! A row holds up to [`POSTING_IDS_MAX`] event numbers of one subject: the first one in the key, the further ones
//! in the value as differences (CBOR numbers). The rows of a subject follow each other without overlap. A checkpoint
//! writes all its events on a subject at once, so a busy target costs a row per checkpoint, not one per event.

use lessor_ledger::{Event, EventKind, LeaseId, Target};
use redb::{ReadableTable, Table};

use crate::codec;
use crate::error::{Fault, damaged};
use crate::limits::POSTING_IDS_MAX;

/// What events can be looked up by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// What happened.
    Kind(EventKind),
    /// By or to which lease.
    Lease(LeaseId),
    /// To which target.
    Target(Target),
}

pub(crate) type Postings<'txn> = Table<'txn, (&'static [u8], u64), &'static [u8]>;

impl Subject {
    /// The subjects of an event: one to three.
    pub(crate) fn all(event: &Event) -> impl Iterator<Item = Self> {
        let target = event.target.clone().map(Self::Target);
        [Some(Self::Kind(event.kind)), event.lease.map(Self::Lease), target].into_iter().flatten()
    }

    /// Its bytes in a key: which kind of subject, then which one.
    pub(crate) fn key(&self) -> Vec<u8> {
        match self {
            Self::Kind(kind) => vec![0, codec::kind_code(*kind)],
            Self::Lease(lease) => [&[1], lease.0.to_be_bytes().as_slice()].concat(),
            Self::Target(target) => [&[2], target.as_str().as_bytes()].concat(),
        }
    }
}

/// Writes the rows of one subject; `ids` rise. Answers how many bytes that took.
pub(crate) fn write(
    table: &mut Postings<'_>,
    subject: &Subject,
    ids: &[u64],
    scratch: &mut Vec<u8>,
) -> Result<usize, Fault> {
    let key = subject.key();
    let mut bytes = 0;
    for row in ids.chunks(POSTING_IDS_MAX) {
        scratch.clear();
        codec::put_rising(row[0], &row[1..], scratch);
        table.insert((key.as_slice(), row[0]), scratch.as_slice())?;
        bytes += key.len() + 8 + scratch.len();
    }
    Ok(bytes)
}

/// All numbers of a row.
pub(crate) fn ids(first: u64, value: &[u8]) -> Result<Vec<u64>, Fault> {
    let mut ids = vec![first];
    codec::read_rising(first, value, &mut ids).map_err(damaged("postings"))?;
    Ok(ids)
}

/// Removes the rows of a subject that hold nothing after `horizon`. A row that does stays as it is until it does not.
pub(crate) fn trim(table: &mut Postings<'_>, subject: &Subject, horizon: u64) -> Result<(), Fault> {
    let key = subject.key();
    loop {
        let done = {
            let mut rows = table.range((key.as_slice(), 0)..=(key.as_slice(), horizon))?;
            match rows.next().transpose()? {
                None => None,
                Some((row, value)) => {
                    let first = row.value().1;
                    let last = ids(first, value.value())?.last().copied().unwrap_or(first);
                    (last <= horizon).then_some(first)
                }
            }
        };
        let Some(first) = done else { return Ok(()) };
        table.remove((key.as_slice(), first))?;
    }
}
