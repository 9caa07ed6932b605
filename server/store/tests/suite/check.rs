//! The offline check finds what is broken, says what, and finds nothing in a sound store.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use lessor_ledger::{Command, ContestLock, Job, Span};
use lessor_store::{
    EventFilter, LeaseFilter, Report, SCHEMA_VERSION, STORE_FILE, Store, StoreOptions, check,
};
use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction,
};

use crate::lab::commands::{pools, target};
use crate::lab::{Lab, options};

const JOURNAL: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("journal");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const RESOURCES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("resources");
const LOCKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("locks");
const ENDED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("ended");
const ENDED_OF: TableDefinition<'_, (&[u8], u64), &[u8]> = TableDefinition::new("ended_of");
pub(crate) const POSTINGS: TableDefinition<'_, (&[u8], u64), &[u8]> = TableDefinition::new("postings");
const EVENT_PARTS: TableDefinition<'_, u64, (u64, u32)> = TableDefinition::new("event_parts");

/// A store with some history, closed.
fn store(folder: &Path) -> PathBuf {
    let mut lab = Lab::new(Store::open(folder, options()).unwrap(), 21);
    lab.commit([pools()]).unwrap();
    lab.run(60);
    lab.store.close().unwrap();
    folder.join(STORE_FILE)
}

/// What the check says after `damage` was done to a store.
fn after(damage: impl FnOnce(&WriteTransaction)) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let file = store(folder.path());
    // What the tables hold is in the log no more, as far as anybody may rely on it.
    for n in 0..3 {
        std::fs::remove_file(file.with_extension(format!("wal-{n}"))).unwrap();
    }
    let database = Database::open(&file).unwrap();
    let txn = database.begin_write().unwrap();
    damage(&txn);
    txn.commit().unwrap();
    drop(database);
    let report = check(&file).unwrap();
    assert_eq!(report.problems_total == 0, report.is_sound());
    report
}

#[track_caller]
fn assert_says(report: &Report, part: &str) {
    let said = report.problems.iter().any(|problem| problem.contains(part));
    assert!(said, "{part:?} is not among {:#?}", report.problems);
}

#[test]
fn a_sound_store_is_sound_and_counted() {
    let report = after(|_| {});
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(!report.unclean);
    assert_eq!((report.schema, report.last_batch, report.checkpoint), (SCHEMA_VERSION, 61, 61));
    assert!(report.events > 50 && report.ended > 5 && report.resources >= 10, "{report:?}");
}

#[test]
fn a_gap_in_the_journal_is_found() {
    let report = after(|txn| {
        txn.open_table(JOURNAL).unwrap().remove((30, 0)).unwrap().unwrap();
    });
    assert_says(&report, "part (31, 0) begins with event 72, where 71 is due");
}

#[test]
fn an_end_cut_off_the_journal_is_found() {
    let report = after(|txn| {
        txn.open_table(JOURNAL).unwrap().remove((61, 0)).unwrap().unwrap();
    });
    assert_says(&report, "the journal ends before event 138, but event 139 was given out");
}

#[test]
fn a_mark_that_promises_too_little_is_found() {
    let report = after(|txn| {
        txn.open_table(JOURNAL).unwrap().retain(|(batch, _), _| batch > 10).unwrap();
        txn.open_table(META).unwrap().remove("mark").unwrap().unwrap();
    });
    assert_says(&report, "the journal begins with batch 11, but the tables end with batch 0");
}

#[test]
fn a_record_in_the_row_of_another_is_found() {
    let report = after(|txn| {
        let mut resources = txn.open_table(RESOURCES).unwrap();
        let other = resources.get("gpu-2").unwrap().unwrap().value().to_vec();
        resources.insert("gpu-1", other.as_slice()).unwrap();
    });
    assert_says(&report, "the table resources has 15 rows, but 14 records");
}

#[test]
fn a_hole_in_the_log_is_found_and_a_torn_end_is_not_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = Lab::new(Store::open(folder.path(), StoreOptions::default()).unwrap(), 2);
    lab.commit([pools()]).unwrap();
    for _ in 0..30 {
        let commands = lab.random();
        lab.commit(commands).unwrap();
    }
    drop(lab.store);
    let log = folder.path().join("lessor.wal-0");
    let sound = std::fs::read(&log).unwrap();
    let number = |block: &[u8]| u64::from_le_bytes(block[16..24].try_into().unwrap());
    let salt = |block: &[u8]| u64::from_le_bytes(block[24..32].try_into().unwrap());
    let blocks: Vec<_> = sound.chunks(4_096).collect();
    let record = |batch| {
        let is = |block: &&[u8]| number(block) == batch && salt(block) == salt(blocks[1]);
        blocks.iter().position(is).expect("every batch is in the log")
    };
    let broken = |batch| {
        let mut bytes = sound.clone();
        bytes[record(batch) * 4_096 + 40] ^= 1;
        std::fs::write(&log, bytes).unwrap();
    };
    broken(31);
    let report = check(folder.path()).unwrap();
    assert_eq!((report.problems, report.last_batch), (Vec::new(), 30));
    broken(17);
    let due = "batch 18 is there, but what follows batch 16 is not: restore the files or a backup";
    let causes = [check(folder.path()).unwrap_err(), Store::open(folder.path(), options()).unwrap_err()];
    for error in causes {
        let damage = error.source().and_then(|error| error.source()).expect("an error with causes");
        assert_eq!(damage.to_string(), due);
    }
}

#[test]
fn a_lost_lock_is_found() {
    let report = after(|txn| {
        let mut locks = txn.open_table(LOCKS).unwrap();
        let first = locks.first().unwrap().unwrap().0.value().to_owned();
        locks.remove(first.as_str()).unwrap();
    });
    assert_says(&report, "holds no lock on");
}

#[test]
fn gaps_in_the_indexes_of_events_are_found() {
    let report = after(|txn| {
        let mut postings = txn.open_table(POSTINGS).unwrap();
        let (subject, first) = {
            let row = postings.last().unwrap().unwrap();
            (row.0.value().0.to_vec(), row.0.value().1)
        };
        postings.remove((subject.as_slice(), first)).unwrap();
    });
    assert_says(&report, "the index has");
    let report = after(|txn| {
        txn.open_table(EVENT_PARTS).unwrap().pop_last().unwrap();
    });
    assert_says(&report, "the index of events does not know where event");
    let report = after(|txn| {
        txn.open_table(POSTINGS)
            .unwrap()
            .insert((b"\x02gpu-1".as_slice(), 1_000_000), b"".as_slice())
            .unwrap();
    });
    assert_says(&report, "knows event 1000000, which never was");
    let report = after(|txn| {
        txn.open_table(POSTINGS).unwrap().insert((b"\x02gpu-1".as_slice(), 0), b"".as_slice()).unwrap();
    });
    assert_says(&report, "a row from event 0 on, all of which are gone");
}

/// What the check says after a change to the rows of leases 0 to 15, which share them: first numbers and values.
fn after_leases(change: impl FnOnce(&mut Vec<(u64, Vec<u8>)>)) -> Report {
    after(|txn| {
        let bucket = [3, 0, 0, 0, 0, 0, 0, 0, 0].as_slice();
        let all = (bucket, 0)..=(bucket, u64::MAX);
        let mut postings = txn.open_table(POSTINGS).unwrap();
        let mut rows = Vec::new();
        for row in postings.range(all.clone()).unwrap() {
            let (key, value) = row.unwrap();
            rows.push((key.value().1, value.value().to_vec()));
        }
        assert!(rows.len() > 1, "several checkpoints wrote of these leases");
        postings.retain_in(all, |_, _| false).unwrap();
        change(&mut rows);
        for (first, value) in rows {
            postings.insert((bucket, first), value.as_slice()).unwrap();
        }
    })
}

#[test]
fn a_lease_that_lacks_its_events_or_has_those_of_another_is_found() {
    assert!(after_leases(|_| {}).is_sound());
    let index = "the index has";
    assert_says(&after_leases(|rows| drop(rows.pop())), index);
    // The events are the same, but now they are those of the neighbours.
    assert_says(&after_leases(|rows| rows[0].0 ^= 1), index);
    let never = "knows event 1000000, which never was";
    assert_says(&after_leases(|rows| rows.push((1_000_000 * 16, Vec::new()))), never);
    let gone = "a row from event 0 on, all of which are gone";
    assert_says(&after_leases(|rows| rows.push((15, Vec::new()))), gone);
    assert_says(&after_leases(|rows| rows.push((u64::MAX, Vec::new()))), "which never was");
}

#[test]
fn gaps_in_ended_leases_and_their_indexes_are_found() {
    let report = after(|txn| {
        txn.open_table(ENDED).unwrap().pop_first().unwrap();
    });
    assert_says(&report, "is not what batch");
    assert_says(&report, "the index of ended leases has");
    let report = after(|txn| {
        txn.open_table(ENDED_OF).unwrap().pop_first().unwrap();
    });
    assert_says(&report, "the index of ended leases has 0 leases of");
}

#[test]
fn a_flipped_bit_in_a_page_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = store(folder.path());
    let sound = std::fs::read(&file).unwrap();
    // Some of the pages that have the name may not be in use any more.
    let names = (0..sound.len()).filter(|&at| sound[at..].starts_with(b"gpu-1"));
    let mut damaged = sound.clone();
    names.for_each(|at| damaged[at] ^= 1);
    assert_ne!(damaged, sound, "a name is in some page");
    std::fs::write(&file, damaged).unwrap();
    if let Ok(report) = check(&file) {
        assert!(!report.is_sound());
    }
}

#[test]
fn a_store_that_was_not_closed_is_checked_without_touching_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = Lab::new(Store::open(folder.path(), options()).unwrap(), 2);
    lab.commit([pools()]).unwrap();
    lab.run(30);
    // A copy of the files while they are open is what a killed process leaves behind.
    let copy = tempfile::tempdir().unwrap();
    let mut before = BTreeMap::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let name = file.unwrap().file_name();
        let bytes = std::fs::read(folder.path().join(&name)).unwrap();
        std::fs::write(copy.path().join(&name), &bytes).unwrap();
        before.insert(name, bytes);
    }
    let report = check(copy.path()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.unclean);
    assert_eq!(report.last_batch, 31);
    for (name, bytes) in before {
        assert_eq!(std::fs::read(copy.path().join(&name)).unwrap(), bytes, "{name:?}");
    }
}

#[test]
fn a_newer_store_is_refused_and_nothing_is_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = store(folder.path());
    let database = Database::open(&file).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(META).unwrap().insert("schema", (SCHEMA_VERSION + 1).to_be_bytes().as_slice()).unwrap();
    txn.commit().unwrap();
    drop(database);
    let due = format!(
        "the store has schema version {}, this lessor knows versions up to {SCHEMA_VERSION}: use a newer lessor",
        SCHEMA_VERSION + 1
    );
    assert_eq!(check(&file).unwrap_err().to_string(), due);
    assert_eq!(Store::open(&file, options()).unwrap_err().to_string(), due);
    assert!(check(&folder.path().join("nowhere")).is_err());
}

#[test]
fn checkpointed_tables_hold_what_is_current_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = Lab::new(Store::open(folder.path(), options()).unwrap(), 33);
    lab.commit([pools()]).unwrap();
    lab.run(80);
    let (resources, locks) = (lab.ledger.resource_count() as u64, lab.ledger.lock_count() as u64);
    lab.store.close().unwrap();
    let database = Database::open(folder.path().join(STORE_FILE)).unwrap();
    let txn = database.begin_read().unwrap();
    assert_eq!(txn.open_table(RESOURCES).unwrap().len().unwrap(), resources);
    assert_eq!(txn.open_table(LOCKS).unwrap().len().unwrap(), locks);
}

#[test]
fn renewals_leave_nothing_in_the_journal() {
    let parts = |renewals: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mut lab = Lab::new(Store::open(folder.path(), options()).unwrap(), 5);
        let lock = |seconds| ContestLock {
            job: Job(7),
            duration: Span::from_secs(seconds),
            targets: vec![Some(target("bench-1"))],
        };
        lab.commit([pools(), Command::ContestLock(lock(60))]).unwrap();
        for n in 0..renewals {
            lab.commit([Command::ContestRefresh(lock(61 + n.cast_signed()))]).unwrap();
        }
        lab.store.close().unwrap();
        let report = check(&folder.path().join(STORE_FILE)).unwrap();
        assert!(report.is_sound(), "{:#?}", report.problems);
        (report.last_batch, report.journal_parts)
    };
    let (few, many) = (parts(1), parts(200));
    assert_eq!(many.0, few.0 + 199);
    assert_eq!(many.1, few.1);
}

/// Blocks of a file take each other's places, as a disk or a copy gone wrong leaves them.
#[test]
fn damaged_pages_are_said_and_no_panic() {
    const BLOCK: usize = 4096;
    let folder = tempfile::tempdir().unwrap();
    let file = store(folder.path());
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = 0;
    for block in 1..whole.len() / BLOCK {
        let mut bytes = whole.clone();
        bytes.copy_within(..BLOCK, block * BLOCK);
        std::fs::write(&file, &bytes).unwrap();
        match check(&file) {
            Ok(report) => damaged += usize::from(!report.is_sound()),
            Err(error) => {
                damaged += 1;
                assert!(error.source().is_some(), "{error}");
            }
        }
        // What can be opened may be; what cannot is an error as well.
        drop(Store::open(&file, options()));
    }
    assert!(damaged > 10, "{damaged} blocks were missed");
}

/// The same beneath a store that is open: reads and checkpoints fail, and its threads live on to say so.
#[test]
fn pages_that_are_damaged_while_it_serves_are_errors_and_no_panic() {
    const BLOCK: usize = 4096;
    let folder = tempfile::tempdir().unwrap();
    let file = store(folder.path());
    let whole = std::fs::read(&file).unwrap();
    let mut failed = 0;
    for block in 1..whole.len() / BLOCK {
        std::fs::write(&file, &whole).unwrap();
        let options = StoreOptions { cache_bytes: 0, ..options() };
        let mut lab = Lab::new(Store::open(&file, options).unwrap(), 22);
        lab.run(1);
        let disk = std::fs::File::options().write(true).open(&file).unwrap();
        disk.write_all_at(&whole[..BLOCK], (block * BLOCK) as u64).unwrap();
        let reader = lab.store.reader();
        failed += usize::from(reader.events(&EventFilter::default()).is_err());
        failed += usize::from(reader.leases(&LeaseFilter::default()).is_err());
        failed += usize::from(lab.store.checkpoint().is_err());
    }
    assert!(failed > 10, "{failed} reads and checkpoints failed");
}
