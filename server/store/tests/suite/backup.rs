//! A backup is a store like the one that it is of, at one moment, and never replaces anything.

use lessor_ledger::Ledger;
use lessor_store::{BackupError, EventFilter, STORE_FILE, Store, StoreOptions, check};

use crate::lab::commands::pools;
use crate::lab::{Lab, options, show};

/// `ledger` as its backup gives it back: with the higher numbers of `found`, which a test of its own looks at.
fn restored(mut ledger: Ledger, found: &Ledger) -> Ledger {
    ledger.raise(found.counters(), ledger.now());
    ledger
}

#[test]
fn a_backup_holds_one_moment_while_commits_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.redb");
    let mut lab = Lab::new(Store::open(&folder.path().join("data"), options()).unwrap(), 4);
    lab.commit([pools()]).unwrap();
    lab.run(60);
    let (ledger, events) = (lab.ledger.clone(), lab.memory.events.clone());
    lab.store.reader().backup_to(&copy).unwrap();
    lab.run(20);
    assert_eq!(check(&copy).unwrap().problems, Vec::<String>::new());
    let others = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(others, 2, "nothing but the data and the copy is left");
    let (store, found) = Store::open(&copy, options()).unwrap();
    assert_eq!(show(&found), show(&restored(ledger, &found)));
    assert_eq!(store.reader().events(&EventFilter::default()).unwrap(), events);
}

#[test]
fn a_backup_put_in_the_place_of_its_store_does_not_take_the_log_for_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let copy = folder.path().join("copy.redb");
    let mut lab = Lab::new(Store::open(&data, options()).unwrap(), 4);
    lab.commit([pools()]).unwrap();
    lab.run(60);
    let ledger = lab.ledger.clone();
    lab.store.reader().backup_to(&copy).unwrap();
    let commands = lab.random();
    lab.commit(commands).unwrap();
    assert_ne!(show(&lab.ledger), show(&ledger));
    drop(lab);
    std::fs::rename(&copy, data.join(STORE_FILE)).unwrap();
    let (_store, found) = Store::open(&data, options()).unwrap();
    assert_eq!(show(&found), show(&restored(ledger, &found)));
}

#[test]
fn what_a_restored_store_acknowledges_survives_a_crash_before_its_first_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.redb");
    let never = StoreOptions { generation_changes: usize::MAX, ..options() };
    let mut lab = Lab::new(Store::open(&folder.path().join("data"), never.clone()).unwrap(), 4);
    lab.commit([pools()]).unwrap();
    lab.rush(60);
    lab.store.reader().backup_to(&copy).unwrap();
    for run in 0..3 {
        let mut again = Lab::new(Store::open(&copy, never.clone()).unwrap(), 5 + run);
        again.now = lab.now.max(again.ledger.now());
        again.memory.events = again.store.reader().events(&EventFilter::default()).unwrap();
        again.rush(10);
        let (ledger, events) = (show(&again.ledger), again.memory.events.clone());
        drop(again);
        assert_eq!(check(&copy).unwrap().problems, Vec::<String>::new());
        let (store, found) = Store::open(&copy, never.clone()).unwrap();
        assert_eq!(show(&found), ledger);
        assert_eq!(store.reader().events(&EventFilter::default()).unwrap(), events);
    }
}

#[test]
fn a_restored_store_gives_no_number_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.redb");
    let mut lab = Lab::new(Store::open(&folder.path().join("data"), options()).unwrap(), 4);
    lab.commit([pools()]).unwrap();
    lab.run(60);
    lab.store.reader().backup_to(&copy).unwrap();
    lab.run(200);
    let given = lab.ledger.counters();
    let (store, found) = Store::open(&copy, options()).unwrap();
    let first = found.counters();
    assert!(first.lease > given.lease, "{first:?} does not come after {given:?}");
    assert!(first.request > given.request, "{first:?} does not come after {given:?}");
    drop(store);
    let (store, again) = Store::open(&copy, options()).unwrap();
    assert_eq!(again.counters(), first, "numbers are skipped once for each restore");
    let second = folder.path().join("second.redb");
    store.reader().backup_to(&second).unwrap();
    let (_store, again) = Store::open(&second, options()).unwrap();
    assert!(again.counters().lease > first.lease, "a copy of a copy skips numbers of its own");
}

#[test]
fn backups_beside_a_busy_writer_are_all_sound() {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = Lab::new(Store::open(&folder.path().join("data"), options()).unwrap(), 8);
    lab.commit([pools()]).unwrap();
    let reader = lab.store.reader();
    let copies: Vec<_> = (0..5).map(|n| folder.path().join(format!("copy-{n}.redb"))).collect();
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| copies.iter().try_for_each(|copy| reader.backup_to(copy)));
        while !copying.is_finished() {
            lab.run(1);
        }
        copying.join().unwrap().unwrap();
    });
    for copy in copies {
        let report = check(&copy).unwrap();
        assert!(report.is_sound(), "{:#?}", report.problems);
        let (store, _) = Store::open(&copy, options()).unwrap();
        let events = store.reader().events(&EventFilter::default()).unwrap();
        assert_eq!(events, lab.memory.events[..events.len()], "a prefix of what happened");
    }
}

#[test]
fn a_backup_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(&folder.path().join("data"), options()).unwrap();
    let copy = folder.path().join("copy.redb");
    std::fs::write(&copy, "precious").unwrap();
    let error = store.reader().backup_to(&copy).unwrap_err();
    assert!(matches!(error, BackupError::Exists { .. }), "{error}");
    assert_eq!(std::fs::read(&copy).unwrap(), b"precious");
    let error = store.reader().backup_to(&folder.path().join("no/such/folder/copy.redb")).unwrap_err();
    assert!(matches!(error, BackupError::Io { .. } | BackupError::Copy(_)), "{error}");
}
