//! Which tables there are, and which version of them.
//!
//! The version stands in `meta` under a key and in an encoding that never change, so that every version of lessor can
//! read the version of every store. Raise [`SCHEMA_VERSION`] whenever an older lessor could not read what this one
//! writes, add the step from the version before to [`MIGRATIONS`], and check in a golden file of the new version.

use std::hash::{BuildHasher, Hasher};

use lessor_ledger::Counters;
use minicbor::{Decode, Encode};
use redb::{ReadTransaction, ReadableTable, TableDefinition, TableHandle, WriteTransaction};

use crate::by_lease;
use crate::codec::{self, DecodeError};
use crate::ended::{Entries, Party, Role};
use crate::error::{Fault, OpenError, damaged};
use crate::limits::RESTORE_SKIP;

/// Version of the tables and of everything in them.
pub const SCHEMA_VERSION: u32 = 5;

/// Rows of which there is one each: see the `META_…` keys.
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// (batch, part) → what happened: the event log, and the leases that ended. In a backup also the batches that the tables lack.
pub(crate) const JOURNAL: TableDefinition<'_, PartKey, &[u8]> = TableDefinition::new("journal");
/// Name → pool.
pub(crate) const POOLS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("pools");
/// Name → resource.
pub(crate) const RESOURCES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("resources");
/// Target → lock.
pub(crate) const LOCKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("locks");
/// ID → lease that has not ended.
pub(crate) const LEASES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("leases");
/// ID → request.
pub(crate) const REQUESTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("requests");
/// (owner, text) → idempotency key.
pub(crate) const KEYS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("keys");
/// Number → job, live or over not long ago.
pub(crate) const JOBS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("jobs");
/// Name → plugin.
pub(crate) const PLUGINS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("plugins");
/// ID → lease that has ended.
pub(crate) const ENDED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("ended");
/// (party, bucket) → leases that ended; see [`crate::ended`].
pub(crate) const ENDED_OF: TableDefinition<'_, (&[u8], u64), &[u8]> = TableDefinition::new("ended_of");
/// (subject, first number) → further numbers of events on this subject; see [`crate::posting`].
pub(crate) const POSTINGS: TableDefinition<'_, (&[u8], u64), &[u8]> = TableDefinition::new("postings");
/// First event of a part → where the part is. Only parts with events.
pub(crate) const EVENT_PARTS: TableDefinition<'_, u64, PartKey> = TableDefinition::new("event_parts");

/// Batch, and which part of it, counted from 0.
pub(crate) type PartKey = (u64, u32);

/// The schema version, as four bytes, big end first. Never change this.
const META_SCHEMA: &str = "schema";
/// The seed, as a CBOR number.
const META_SEED: &str = "seed";
/// Which files of the write-ahead log belong to these tables, as a CBOR number. A backup gets one of its own.
const META_LOG: &str = "log";
/// There in a copy that was not opened yet; the value is empty.
const META_COPY: &str = "copy";
/// Numbers that are not given out again although nothing here has them, as CBOR: leases, then requests.
const META_FLOOR: &str = "floor";
/// How far the tables are complete: see [`crate::journal::Mark`].
pub(crate) const META_MARK: &str = "mark";

/// One migration: turns the tables of a version into those of the next.
pub(crate) type Step = fn(&WriteTransaction) -> Result<(), Fault>;

/// The step at index `n` leads from version `n + 1` to `n + 2`.
pub(crate) const MIGRATIONS: &[Step] = &[to_version_2, to_version_3, to_version_4, to_version_5];

/// Of versions 1 and 2: (target, lease that ended).
const ENDED_BY_TARGET: TableDefinition<'_, (&str, u64), ()> = TableDefinition::new("ended_by_target");
/// Of versions 1 and 2: (owner, lease that ended).
const ENDED_BY_OWNER: TableDefinition<'_, (&str, u64), ()> = TableDefinition::new("ended_by_owner");

/// Version 2 has a write-ahead log, jobs and plugins. What the journal of version 1 holds after the mark is still read
/// from there.
fn to_version_2(txn: &WriteTransaction) -> Result<(), Fault> {
    txn.open_table(JOBS)?;
    txn.open_table(PLUGINS)?;
    draw_log(txn)
}

/// Version 3 has one index of ended leases, with many leases in a row, where there were two with one each.
fn to_version_3(txn: &WriteTransaction) -> Result<(), Fault> {
    move_ended(txn, ENDED_BY_TARGET, Role::Target)?;
    move_ended(txn, ENDED_BY_OWNER, Role::Owner)?;
    txn.open_table(ENDED_OF)?;
    Ok(())
}

/// Of batches whose records the tables have, the journal of version 4 keeps what is history. What older versions wrote goes
/// with its age; the `check` of an older lessor would miss what is not kept.
#[expect(clippy::unnecessary_wraps, reason = "one of several steps, of which others can fail")]
fn to_version_4(_: &WriteTransaction) -> Result<(), Fault> {
    Ok(())
}

/// Version 5 has rows of the index of events for neighbouring leases together, where there was one for each.
fn to_version_5(txn: &WriteTransaction) -> Result<(), Fault> {
    by_lease::share_rows(txn)
}

/// Moves one index of ended leases, whose rows come by name, into the one that has taken its place.
fn move_ended(
    txn: &WriteTransaction,
    from: TableDefinition<'_, (&'static str, u64), ()>,
    role: Role,
) -> Result<(), Fault> {
    let table = txn.open_table(from)?;
    let mut rows = table.iter()?.peekable();
    while let Some(row) = rows.next() {
        let (key, _) = row?;
        let (name, lease) = key.value();
        let party = Party { role, name };
        let mut entries = Entries::default();
        entries.note_one(party, lease);
        while let Some(Ok((next, _))) = rows.peek()
            && next.value().0 == name
        {
            entries.note_one(party, next.value().1);
            rows.next();
        }
        entries.insert(txn)?;
    }
    drop(rows);
    drop(table);
    txn.delete_table(from)?;
    Ok(())
}

/// Makes the tables ones that no write-ahead log belongs to yet.
pub(crate) fn draw_log(txn: &WriteTransaction) -> Result<(), Fault> {
    let mut bytes = Vec::new();
    codec::put(&draw_number(), &mut bytes);
    txn.open_table(META)?.insert(META_LOG, bytes.as_slice())?;
    Ok(())
}

/// Which write-ahead log belongs to the tables.
pub(crate) fn read_log(txn: &ReadTransaction) -> Result<u64, Fault> {
    let meta = txn.open_table(META)?;
    let bytes = meta.get(META_LOG)?.ok_or(Fault::Missing { table: "meta", what: "the number of its log" })?;
    minicbor::decode(bytes.value()).map_err(DecodeError::from).map_err(damaged("meta"))
}

/// Says that the tables are a copy of a store that goes on without them.
pub(crate) fn mark_copy(txn: &WriteTransaction) -> Result<(), Fault> {
    txn.open_table(META)?.insert(META_COPY, [].as_slice())?;
    Ok(())
}

/// Up to where numbers must not be given out again, if the ledger was loaded with `counters`.
///
/// A copy's first opening skips [`RESTORE_SKIP`] numbers of leases, requests and revisions, for those which the original
/// gave out after the copy was made: fences only ever grow, also over a restore. From then on it is a store like any other.
/// Event numbers go on without a gap.
pub(crate) fn floor(db: &redb::Database, counters: Counters) -> Result<Counters, Fault> {
    let txn = db.begin_write()?;
    let floor = read_floor(&txn)?;
    if txn.open_table(META)?.remove(META_COPY)?.is_none() {
        return Ok(floor);
    }
    let last = counters.max(floor);
    let floor = Counters {
        lease: last.lease.saturating_add(RESTORE_SKIP),
        request: last.request.saturating_add(RESTORE_SKIP),
        event: 0,
        revision: last.revision.saturating_add(RESTORE_SKIP),
    };
    let mut bytes = Vec::new();
    let Counters { lease, request, revision, event: _ } = floor;
    codec::put(&FloorRecord { lease, request, revision }, &mut bytes);
    txn.open_table(META)?.insert(META_FLOOR, bytes.as_slice())?;
    txn.commit()?;
    tracing::info!(?floor, "this store was a backup: it goes on with higher numbers");
    Ok(floor)
}

/// What [`floor`] keeps.
#[derive(Encode, Decode)]
struct FloorRecord {
    #[n(0)]
    lease: u64,
    #[n(1)]
    request: u64,
    #[n(2)]
    #[cbor(default)]
    revision: u64,
}

fn read_floor(txn: &WriteTransaction) -> Result<Counters, Fault> {
    let meta = txn.open_table(META)?;
    let Some(bytes) = meta.get(META_FLOOR)? else { return Ok(Counters::default()) };
    let FloorRecord { lease, request, revision } =
        minicbor::decode(bytes.value()).map_err(DecodeError::from).map_err(damaged("meta"))?;
    Ok(Counters { lease, request, event: 0, revision })
}

/// A number that nobody can guess, from the operating system by way of the standard library's hasher.
pub(crate) fn draw_number() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// Makes sure that all tables are there in this version, and gives the store's seed.
///
/// Each migration is a transaction of its own that also writes the version which it leads to, so a crash between
/// two leaves a store of a version in between, and the next opening goes on from there.
pub(crate) fn prepare(db: &redb::Database, steps: &[Step], seed: impl Fn() -> u64) -> Result<u64, OpenError> {
    let supported = u32::try_from(steps.len()).expect("there are few migrations") + 1;
    loop {
        let txn = db.begin_write().map_err(Fault::from)?;
        let Some(found) = version(&txn)? else {
            let seed = create(&txn, supported, seed())?;
            txn.commit().map_err(Fault::from)?;
            return Ok(seed);
        };
        if found > supported {
            return Err(OpenError::Newer { found, supported });
        }
        if found == supported {
            return Ok(read_seed(&txn)?);
        }
        let step = usize::try_from(found).ok().and_then(|found| steps.get(found.checked_sub(1)?));
        let step = step.ok_or(Fault::Missing { table: "meta", what: "a version that ever was" })?;
        step(&txn)?;
        set_version(&txn, found + 1)?;
        txn.commit().map_err(Fault::from)?;
        tracing::info!(from = found, to = found + 1, "store migrated");
    }
}

/// The version of the store that `txn` sees; `None` if it is empty.
fn version(txn: &WriteTransaction) -> Result<Option<u32>, Fault> {
    if txn.list_tables()?.next().is_none() {
        return Ok(None);
    }
    let no_version = Fault::Missing { table: "meta", what: "a schema version" };
    if !txn.list_tables()?.any(|table| table.name() == META.name()) {
        return Err(no_version);
    }
    let meta = txn.open_table(META)?;
    let bytes = meta.get(META_SCHEMA)?.ok_or(no_version)?;
    read_version(bytes.value()).map(Some)
}

/// The version of a store; `None` if it is empty. Changes nothing.
pub(crate) fn stored_version(db: &redb::Database) -> Result<Option<u32>, Fault> {
    version(&db.begin_write()?)
}

/// Reads a stored schema version.
pub(crate) fn read_version(bytes: &[u8]) -> Result<u32, Fault> {
    let bytes =
        bytes.try_into().map_err(|_| Fault::Missing { table: "meta", what: "a readable schema version" })?;
    Ok(u32::from_be_bytes(bytes))
}

fn set_version(txn: &WriteTransaction, version: u32) -> Result<(), Fault> {
    txn.open_table(META)?.insert(META_SCHEMA, version.to_be_bytes().as_slice())?;
    Ok(())
}

fn create(txn: &WriteTransaction, version: u32, seed: u64) -> Result<u64, Fault> {
    set_version(txn, version)?;
    let mut bytes = Vec::new();
    codec::put(&seed, &mut bytes);
    txn.open_table(META)?.insert(META_SEED, bytes.as_slice())?;
    draw_log(txn)?;
    txn.open_table(JOURNAL)?;
    txn.open_table(POOLS)?;
    txn.open_table(RESOURCES)?;
    txn.open_table(LOCKS)?;
    txn.open_table(LEASES)?;
    txn.open_table(REQUESTS)?;
    txn.open_table(KEYS)?;
    txn.open_table(JOBS)?;
    txn.open_table(PLUGINS)?;
    txn.open_table(ENDED)?;
    txn.open_table(ENDED_OF)?;
    txn.open_table(POSTINGS)?;
    txn.open_table(EVENT_PARTS)?;
    Ok(seed)
}

fn read_seed(txn: &WriteTransaction) -> Result<u64, Fault> {
    let meta = txn.open_table(META)?;
    let bytes = meta.get(META_SEED)?.ok_or(Fault::Missing { table: "meta", what: "a seed" })?;
    minicbor::decode(bytes.value()).map_err(DecodeError::from).map_err(damaged("meta"))
}

#[cfg(test)]
mod tests {
    use redb::ReadableDatabase;

    use super::*;

    fn database() -> redb::Database {
        redb::Builder::new().create_with_backend(redb::backends::InMemoryBackend::new()).unwrap()
    }

    fn rename_pools(txn: &WriteTransaction) -> Result<(), Fault> {
        txn.open_table(META)?.insert("pools_were", b"renamed".as_slice())?;
        Ok(())
    }

    #[test]
    fn an_older_store_is_migrated_step_by_step_and_keeps_its_seed() {
        let db = database();
        assert_eq!(prepare(&db, &[], || 7).unwrap(), 7);
        assert_eq!(prepare(&db, &[rename_pools, |_| Ok(())], || 8).unwrap(), 7);
        let txn = db.begin_read().unwrap();
        let meta = txn.open_table(META).unwrap();
        assert_eq!(meta.get("pools_were").unwrap().unwrap().value(), b"renamed");
        assert_eq!(read_version(meta.get(META_SCHEMA).unwrap().unwrap().value()).unwrap(), 3);
    }

    #[test]
    fn a_newer_store_is_refused_with_both_versions() {
        let db = database();
        prepare(&db, &[|_| Ok(())], || 1).unwrap();
        let error = prepare(&db, &[], || 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the store has schema version 2, this lessor knows versions up to 1: use a newer lessor"
        );
    }

    #[test]
    fn a_failed_migration_changes_nothing() {
        let db = database();
        prepare(&db, &[], || 1).unwrap();
        let fails: Step = |txn| {
            txn.open_table(META)?.insert("half", b"done".as_slice())?;
            Err(Fault::Missing { table: "meta", what: "luck" })
        };
        prepare(&db, &[fails], || 1).unwrap_err();
        assert_eq!(prepare(&db, &[], || 1).unwrap(), 1);
        let txn = db.begin_read().unwrap();
        assert!(txn.open_table(META).unwrap().get("half").unwrap().is_none());
    }

    #[test]
    fn the_steps_lead_to_the_current_version() {
        assert_eq!(MIGRATIONS.len() + 1, SCHEMA_VERSION as usize);
    }
}
