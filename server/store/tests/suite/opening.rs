//! What opening makes, finds and refuses.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use lessor_ledger::{Command, CordonEdit, Counters, Ledger, ResourceEdit, Span, Time};
use lessor_store::{Batch, CommitError, EventFilter, OpenError, STORE_FILE, Store, StoreOptions};

use crate::lab::commands::{pools, target};
use crate::lab::{Lab, options, show};

#[test]
fn a_new_folder_becomes_an_empty_store_and_keeps_its_seed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("data");
    let (store, ledger) = Store::open(&path, StoreOptions::default()).unwrap();
    assert!(path.join(STORE_FILE).is_file());
    assert_eq!((store.last_batch(), ledger.counters()), (0, Counters::default()));
    drop(store);
    let (_store, again) =
        Store::open(&path, StoreOptions { seed: Some(1), ..StoreOptions::default() }).unwrap();
    assert_eq!(again.settings().seed, ledger.settings().seed);
}

#[test]
fn a_store_in_use_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, _ledger) = Store::open(folder.path(), options()).unwrap();
    let error = Store::open(folder.path(), options()).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is in use by another lessor", folder.path().display()));
    let error = lessor_store::check(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(STORE_FILE);
    let content = b"These are the voyages of the starship Enterprise. ".repeat(500);
    std::fs::write(&file, &content).unwrap();
    let error = Store::open(folder.path(), options()).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_eq!(std::fs::read(&file).unwrap(), content);
}

#[test]
fn a_closed_store_replays_nothing_and_a_dropped_one_loses_nothing() {
    for close in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut lab = Lab::new(Store::open(folder.path(), options()).unwrap(), 11);
        lab.commit([pools()]).unwrap();
        lab.run(40);
        let reader = lab.store.reader();
        if close {
            lab.store.close().unwrap();
        } else {
            drop(lab.store);
        }
        assert!(reader.events(&EventFilter::default()).is_err());
        let (store, ledger) = Store::open(folder.path(), options()).unwrap();
        assert_eq!(show(&ledger), show(&lab.ledger));
        assert_eq!(store.reader().events(&EventFilter::default()).unwrap(), lab.memory.events);
        assert!(!close || store.backlog() == 0);
    }
}

#[test]
fn a_cordon_ends_by_itself_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = Lab::new(Store::open(folder.path(), options()).unwrap(), 11);
    let until = lab.now.plus(Span::from_secs(3_600));
    let cordon = ResourceEdit {
        cordon: Some(Some(CordonEdit { message: "fan broken".into(), until: Some(until) })),
        ..ResourceEdit::of(target("gpu-0"))
    };
    lab.commit([pools(), Command::PatchResource(Box::new(cordon))]).unwrap();
    lab.store.close().unwrap();
    let (_store, mut ledger) = Store::open(folder.path(), options()).unwrap();
    let after = until.plus(Span::from_nanos(1));
    assert_eq!(ledger.deadline(), Some(after));
    let drained = |ledger: &Ledger| ledger.resource("gpu-0").is_some_and(|gpu| gpu.cordon().is_some());
    assert!(ledger.apply(Command::Tick, until).changes.is_empty());
    assert!(drained(&ledger));
    assert!(!ledger.apply(Command::Tick, after).changes.is_empty());
    assert!(!drained(&ledger));
}

#[test]
fn time_and_counters_outlive_everything_that_had_them() {
    let folder = tempfile::tempdir().unwrap();
    let counters = Counters { lease: 70, request: 80, event: 90, revision: 100 };
    let at = Time::from_millis(5);
    let (mut store, _) = Store::open(folder.path(), options()).unwrap();
    store.commit(Batch { number: 1, at, counters, changes: [].into() }).unwrap();
    drop(store);
    let (_store, ledger) = Store::open(folder.path(), options()).unwrap();
    assert_eq!((ledger.counters(), ledger.now()), (counters, at));
}

#[test]
fn a_batch_out_of_order_is_refused_and_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, ledger) = Store::open(folder.path(), options()).unwrap();
    let commit = |store: &mut Store, ledger: &Ledger, number| {
        store.commit(Batch { number, at: Time::ZERO, counters: ledger.counters(), changes: [].into() })
    };
    let error = commit(&mut store, &ledger, 2).unwrap_err();
    assert!(matches!(error, CommitError::Order { expected: 1, given: 2 }), "{error}");
    commit(&mut store, &ledger, 1).unwrap();
}

#[test]
fn large_records_fill_neither_the_log_nor_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let few = StoreOptions { generation_bytes: 256 * 1024, ..StoreOptions::default() };
    let mut lab = Lab::new(Store::open(folder.path(), few).unwrap(), 1);
    lab.commit([pools()]).unwrap();
    for beat in 0..200 {
        let user_data = BTreeMap::from([("dump".into(), format!("{beat:060000}").into())]);
        let edit = ResourceEdit { user_data: Some(user_data), ..ResourceEdit::of(target("gpu-1")) };
        lab.commit([Command::PatchResource(Box::new(edit))]).unwrap();
    }
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap());
    let logs = files.filter(|file| file.file_name().to_string_lossy().contains("wal-"));
    let bytes: u64 = logs.map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes < 6 * 1024 * 1024, "{bytes} bytes of log for 12 MB of records");
    assert!(lab.store.backlog() < 100, "{} changes are not in the tables", lab.store.backlog());
}

#[test]
fn what_is_made_in_a_folder_of_somebody_else_is_for_nobody_else_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    // The second time, the files are there already, as somebody copied them.
    for _ in 0..2 {
        let (store, _) = Store::open(folder.path(), options()).unwrap();
        store.close().unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            assert_eq!(
                file.metadata().unwrap().permissions().mode() & 0o777,
                0o600,
                "{:?}",
                file.file_name()
            );
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}

#[test]
fn what_is_opened_again_is_what_was_open() {
    let folder = tempfile::tempdir().unwrap();
    let [data, aside, old] = ["data", "aside", "old"].map(|name| folder.path().join(name));
    let mut lab = Lab::new(Store::open(&data, options()).unwrap(), 13);
    lab.commit([pools()]).unwrap();
    lab.store.checkpoint().unwrap();
    std::fs::create_dir(&old).unwrap();
    for file in std::fs::read_dir(&data).unwrap().map(|file| file.unwrap().path()) {
        std::fs::copy(&file, old.join(file.file_name().unwrap())).unwrap();
    }
    lab.run(20);
    std::fs::rename(&data, &aside).unwrap();
    let error = lab.store.reopen().unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "a volume that is gone: {error}");
    assert!(!data.exists(), "nothing is made in its place");
    std::fs::rename(&old, &data).unwrap();
    let error = lab.store.reopen().unwrap_err();
    assert!(matches!(error, OpenError::Other { found: 1, .. }), "an old copy: {error}");
    std::fs::remove_dir_all(&data).unwrap();
    drop(Store::open(&data, StoreOptions { seed: Some(99), ..options() }).unwrap());
    let error = lab.store.reopen().unwrap_err();
    assert!(matches!(error, OpenError::Other { found: 0, .. }), "another store: {error}");
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&aside, &data).unwrap();
    let ledger = lab.store.reopen().unwrap();
    assert_eq!(show(&ledger), show(&lab.ledger));
}
