//! The index of ended leases: which of them held this target, which of them were this owner's.
//!
//! A row holds the leases of one party in one *bucket*, a run of [`ENDED_BUCKET_LEASES`] numbers: the bucket in the
//! key, the leases in the value as differences (CBOR numbers), the first counted from the beginning of the bucket.
//! Leases do not end in the order of their numbers, so a checkpoint may add to a row that is there. Still, a busy owner
//! costs a row or two per checkpoint, and not one per lease.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use lessor_ledger::{Lease, Owner, Target};
use redb::{ReadTransaction, ReadableTable, Table, WriteTransaction};

use crate::codec;
use crate::error::{Fault, damaged};
use crate::limits::ENDED_BUCKET_LEASES;
use crate::schema::ENDED_OF;

/// What a party had to do with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// It was theirs.
    Owner = 0,
    /// It was held at any time.
    Target = 1,
}

/// What ended leases can be looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Party<'a> {
    pub(crate) role: Role,
    pub(crate) name: &'a str,
}

impl<'a> Party<'a> {
    pub(crate) fn owner(owner: &'a Owner) -> Self {
        Self { role: Role::Owner, name: owner.as_str() }
    }

    pub(crate) fn target(target: &'a Target) -> Self {
        Self { role: Role::Target, name: target.as_str() }
    }

    /// All that `lease` can be looked up by; a target may come twice.
    pub(crate) fn all(lease: &'a Lease) -> impl Iterator<Item = Self> {
        let targets = lease.targets.iter().chain(&lease.returned).map(Self::target);
        std::iter::once(Self::owner(&lease.owner)).chain(targets)
    }

    /// Its bytes in a key.
    pub(crate) fn key(self) -> Vec<u8> {
        [&[self.role as u8], self.name.as_bytes()].concat()
    }
}

/// Leases by party and bucket: what is to become of one row each.
#[derive(Debug, Default)]
pub(crate) struct Entries<'a>(BTreeMap<(Party<'a>, u64), Vec<u64>>);

impl<'a> Entries<'a> {
    /// Notes a lease under all its parties.
    pub(crate) fn note(&mut self, lease: &'a Lease) {
        for party in Party::all(lease) {
            self.note_one(party, lease.id.0);
        }
    }

    /// Notes a lease under one party.
    pub(crate) fn note_one(&mut self, party: Party<'a>, lease: u64) {
        self.0.entry((party, lease / ENDED_BUCKET_LEASES)).or_default().push(lease);
    }

    /// Adds what was noted to the index.
    pub(crate) fn insert(self, txn: &WriteTransaction) -> Result<(), Fault> {
        self.change(txn, |there, leases| {
            there.extend(leases);
            there.sort_unstable();
            there.dedup();
        })
    }

    /// Removes what was noted from the index.
    pub(crate) fn remove(self, txn: &WriteTransaction) -> Result<(), Fault> {
        self.change(txn, |there, mut leases| {
            leases.sort_unstable();
            there.retain(|lease| leases.binary_search(lease).is_err());
        })
    }

    fn change(self, txn: &WriteTransaction, apply: impl Fn(&mut Vec<u64>, Vec<u64>)) -> Result<(), Fault> {
        let mut table: Table<'_, (&[u8], u64), &[u8]> = txn.open_table(ENDED_OF)?;
        let mut value = Vec::new();
        for ((party, bucket), leases) in self.0 {
            let key = party.key();
            let row = (key.as_slice(), bucket);
            let mut there = match table.get(row)? {
                Some(value) => decode(bucket, value.value())?,
                None => Vec::new(),
            };
            apply(&mut there, leases);
            if there.is_empty() {
                table.remove(row)?;
            } else {
                value.clear();
                codec::put_rising(bucket * ENDED_BUCKET_LEASES, &there, &mut value);
                table.insert(row, value.as_slice())?;
            }
        }
        Ok(())
    }
}

/// Hands the leases of a party within `range` to `visit`, from either end, until it answers `false`.
pub(crate) fn each(
    txn: &ReadTransaction,
    party: Party<'_>,
    range: &RangeInclusive<u64>,
    newest_first: bool,
    mut visit: impl FnMut(u64) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let key = party.key();
    let buckets = range.start() / ENDED_BUCKET_LEASES..=range.end() / ENDED_BUCKET_LEASES;
    let table = txn.open_table(ENDED_OF)?;
    let mut rows = table.range((key.as_slice(), *buckets.start())..=(key.as_slice(), *buckets.end()))?;
    while let Some(row) = if newest_first { rows.next_back() } else { rows.next() } {
        let (key, value) = row?;
        let mut leases = decode(key.value().1, value.value())?;
        leases.retain(|lease| range.contains(lease));
        if newest_first {
            leases.reverse();
        }
        for lease in leases {
            if !visit(lease)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// All leases of a row, in rising order.
pub(crate) fn decode(bucket: u64, value: &[u8]) -> Result<Vec<u64>, Fault> {
    let mut leases = Vec::new();
    let first = bucket.saturating_mul(ENDED_BUCKET_LEASES);
    codec::read_rising(first, value, &mut leases).map_err(damaged("ended_of"))?;
    Ok(leases)
}
