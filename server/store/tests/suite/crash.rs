//! Power loss at every kind of moment. A disk dies at the N-th sync; what it had not synced is lost, kept or torn,
//! sector by sector. Afterwards everything acknowledged is there, a batch in flight is there as a whole or not at all,
//! no counter went back, and the offline check finds nothing.

use std::collections::BTreeMap;

use lessor_ledger::{Command, EventId, Ledger, ResourceEdit};
use lessor_store::{
    CommitError, EventFilter, LeaseFilter, OpenError, Retention, STORE_FILE, Store, StoreOptions, check,
};

use crate::lab::disk::{Disk, Loss};
use crate::lab::{Lab, Memory, commands, dice::Dice, options, show};

/// The state that may be found besides the acknowledged one: that of the batch that was being committed.
struct InFlight {
    ledger: Ledger,
    memory: Memory,
}

#[test]
fn what_was_acknowledged_survives_a_crash_at_any_sync() {
    #[expect(clippy::disallowed_methods, reason = "a test has no settings to take its seed from")]
    let one = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = one.map_or(0..500, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let run = std::panic::catch_unwind(|| survive(seed));
        assert!(run.is_ok(), "rerun with SEED={seed}");
    }
}

fn survive(seed: u64) {
    let mut dice = Dice::new(!seed);
    let options = options_for(&mut dice);
    let (disk, mut lab) = begin(&mut dice, &options, seed);
    disk.die_in(1 + dice.below(60));
    let in_flight = run_until_dead(&mut lab, &disk);
    let Lab { store, ledger, memory, .. } = lab;
    drop(store);

    let found = power_up(&disk, &mut dice, &options);
    let opened = Store::open_on(found.clone(), options.clone()).unwrap();
    let found_ledger = show(&opened.1);
    let kept = if found_ledger == show(&ledger) {
        memory
    } else {
        let in_flight = in_flight.expect("without a batch in flight only the acknowledged state is right");
        assert_eq!(found_ledger, show(&in_flight.ledger), "neither acknowledged nor in flight");
        in_flight.memory
    };
    compare_history(&opened.0, &kept, &options.retention);
    assert_sound(&opened.1, &found);

    let mut lab = Lab::new(opened, seed + 1);
    lab.now = lab.ledger.now();
    lab.memory = kept;
    lab.run(10);
    compare_history(&lab.store, &lab.memory, &options.retention);
    lab.store.close().unwrap();
    assert_sound(&lab.ledger, &found);
}

/// A new store, or one that was just restored from a backup.
fn begin(dice: &mut Dice, options: &StoreOptions, seed: u64) -> (Disk, Lab) {
    let disk = Disk::default();
    let mut lab = Lab::new(Store::open_on(disk.clone(), options.clone()).unwrap(), seed);
    lab.commit([commands::pools()]).unwrap();
    if !dice.once_in(3) {
        return (disk, lab);
    }
    lab.run(usize::try_from(dice.below(30)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(STORE_FILE);
    lab.store.reader().backup_to(&copy).unwrap();
    let disk = Disk::holding(STORE_FILE, std::fs::read(&copy).unwrap());
    let mut restored = Lab::new(Store::open_on(disk.clone(), options.clone()).unwrap(), seed);
    (restored.now, restored.memory) = (lab.now, lab.memory);
    (disk, restored)
}

fn options_for(dice: &mut Dice) -> StoreOptions {
    let mut options = options();
    options.generation_changes = 1 + usize::try_from(dice.below(120)).unwrap();
    if dice.once_in(2) {
        options.retention = Retention { events: dice.below(60), ..Retention::default() };
    }
    options
}

/// Runs until the power goes. Answers the batch that was being committed then, if it was a commit that failed.
fn run_until_dead(lab: &mut Lab, disk: &Disk) -> Option<InFlight> {
    loop {
        let commands = lab.random();
        let (next, changes) = lab.decide(commands);
        if lab.write(&next, &changes).is_err() {
            assert!(disk.is_dead(), "a commit fails only when the disk does");
            lab.write(&next, &changes).expect_err("a store that failed takes nothing more");
            let mut memory = lab.memory.clone();
            memory.note(&changes);
            return Some(InFlight { ledger: next, memory });
        }
        lab.ledger = next;
        lab.memory.note(&changes);
        if lab.dice.once_in(3) && lab.store.tend().is_err() {
            assert!(disk.is_dead(), "a checkpoint fails only when the disk does");
            return None;
        }
    }
}

/// What is on the disk when the power is back, perhaps after it went again while the store was being opened.
fn power_up(disk: &Disk, dice: &mut Dice, options: &StoreOptions) -> Disk {
    let mut found = disk.found(*dice.pick(&[Loss::All, Loss::None, Loss::Torn, Loss::Torn]), dice);
    while dice.once_in(3) {
        found.die_in(1 + dice.below(3));
        drop(Store::open_on(found.clone(), options.clone()));
        found = found.found(*dice.pick(&[Loss::All, Loss::None, Loss::Torn]), dice);
    }
    found
}

/// All that happened is in the history, or the latest of it where retention is small.
fn compare_history(store: &Store, kept: &Memory, retention: &Retention) {
    let reader = store.reader();
    let events = reader.events(&EventFilter::default()).unwrap();
    let least = usize::try_from(retention.events).unwrap().min(kept.events.len());
    assert!(events.len() >= least, "{} events of {least} kept", events.len());
    assert_eq!(events, kept.events[kept.events.len() - events.len()..]);
    assert_eq!(reader.last_event(), kept.events.last().map_or(EventId(0), |event| event.id));
    let leases = reader.leases(&LeaseFilter::default()).unwrap();
    if *retention == Retention::default() {
        let mut ended = kept.ended.clone();
        ended.sort_by_key(|lease| lease.id);
        assert_eq!(leases, ended);
    } else {
        assert!(leases.iter().all(|lease| kept.ended.contains(lease)));
    }
}

fn assert_sound(ledger: &Ledger, disk: &Disk) {
    assert_eq!(ledger.check(), []);
    let folder = tempfile::tempdir().unwrap();
    let files = disk.files();
    for (name, bytes) in &files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let report = check(folder.path()).unwrap();
    assert!(report.is_sound(), "{:#?}", report.problems);
    for (name, bytes) in &files {
        assert_eq!(&std::fs::read(folder.path().join(name)).unwrap(), bytes, "a check writes nothing");
    }
}

#[test]
fn a_crash_while_the_store_is_made_leaves_none_or_an_empty_one() {
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let disk = Disk::default();
        disk.die_in(1 + seed % 6);
        let made = Store::open_on(disk.clone(), options());
        drop(made);
        let found = disk.found(*dice.pick(&[Loss::All, Loss::None, Loss::Torn]), &mut dice);
        match Store::open_on(found, options()) {
            Ok((_, ledger)) => assert_eq!(ledger.counters(), lessor_ledger::Counters::default()),
            // Nothing was ever acknowledged, and the file says so instead of posing as a store.
            Err(OpenError::Fault(_)) => {}
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
}

#[test]
fn a_failed_store_reopens_with_everything_acknowledged_and_the_same_readers() {
    let disk = Disk::default();
    let mut lab = Lab::new(Store::open_on(disk.clone(), options()).unwrap(), 3);
    lab.commit([commands::pools()]).unwrap();
    lab.run(20);
    let reader = lab.store.reader();
    let events = reader.events(&EventFilter::default()).unwrap();
    disk.fail(true);
    let commands = lab.random();
    lab.commit(commands).unwrap_err();
    disk.fail(false);
    let commands = lab.random();
    let error = lab.commit(commands).unwrap_err();
    assert!(matches!(error, CommitError::Stopped), "a store that failed waits for a reopening: {error}");
    disk.fail(true);
    lab.store.reopen().unwrap_err();
    assert!(
        reader.events(&EventFilter::default()).is_err(),
        "a closed store has no history, not an empty one"
    );
    disk.fail(false);
    let ledger = lab.store.reopen().unwrap();
    assert_eq!(show(&ledger), show(&lab.ledger));
    assert_eq!(reader.events(&EventFilter::default()).unwrap(), events);
    lab.run(20);
    assert_eq!(reader.events(&EventFilter::default()).unwrap(), lab.memory.events);
}

/// Commits until something is refused, and checks that the store is then as it was before that.
fn refused_and_not_there(lab: &mut Lab, disk: &Disk) {
    let mut done = 0;
    let before = loop {
        let before = show(&lab.ledger);
        let commands = lab.random();
        if lab.commit(commands).is_err() {
            break before;
        }
        done += 1;
        assert!(done < 10_000, "the disk never gets full");
    };
    disk.leave_room(None);
    let ledger = lab.store.reopen().unwrap();
    assert_eq!(show(&ledger), before, "after {done} batches");
}

#[test]
fn a_batch_that_found_the_disk_full_is_not_there_when_there_is_room_again() {
    for room in (0..40).map(|blocks| blocks * 4_096) {
        let disk = Disk::default();
        let mut lab = Lab::new(Store::open_on(disk.clone(), options()).unwrap(), 5);
        lab.commit([commands::pools()]).unwrap();
        disk.leave_room(Some(room));
        refused_and_not_there(&mut lab, &disk);
    }
}

#[test]
fn a_batch_whose_sync_failed_is_not_there_if_the_disk_can_be_written_to_again() {
    let disk = Disk::default();
    let mut lab = Lab::new(Store::open_on(disk.clone(), options()).unwrap(), 7);
    lab.commit([commands::pools()]).unwrap();
    lab.run(20);
    disk.fail_one_sync();
    refused_and_not_there(&mut lab, &disk);
}

/// Large records, each in place of the last: the log is many times as large as the tables will be.
#[test]
fn a_disk_that_the_log_has_filled_is_free_again_after_a_reopening() {
    let disk = Disk::default();
    let mut lab = Lab::new(Store::open_on(disk.clone(), StoreOptions::default()).unwrap(), 9);
    lab.commit([commands::pools()]).unwrap();
    lab.store.checkpoint().unwrap();
    disk.leave_room(Some(8 * 1024 * 1024));
    let dump = |lab: &mut Lab, beat: u32| {
        let user_data = BTreeMap::from([("dump".into(), format!("{beat:060000}").into())]);
        let edit = ResourceEdit { user_data: Some(user_data), ..ResourceEdit::of(commands::target("gpu-1")) };
        lab.commit([Command::PatchResource(Box::new(edit))])
    };
    let full = (0..1_000).find(|&beat| dump(&mut lab, beat).is_err());
    assert!(full.is_some_and(|beats| beats > 20), "{full:?}");
    lab.store.reopen().unwrap();
    for beat in 0..20 {
        dump(&mut lab, beat).unwrap();
    }
}
