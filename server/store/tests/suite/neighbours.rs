//! Leases with neighbouring numbers share rows of the index of events: each still has its own events, and no others.

use std::path::Path;

use lessor_ledger::{Acquire, Command, EventId, LeaseId, Part, PoolName, State, Target};
use lessor_store::limits::POSTING_IDS_MAX;
use lessor_store::{EventFilter, Retention, STORE_FILE, Store, StoreOptions, check};
use redb::{Database, ReadableDatabase};

use crate::check::POSTINGS;
use crate::history::expected_events;
use crate::lab::commands::{owner, pools, target};
use crate::lab::{Lab, options};

/// Leases 1 to 15 share rows, and so do 16 to 20.
const LEASES: u64 = 20;
/// A lease has as many events at its beginning, and as many until its end.
const TARGETS: usize = 30;

fn acquire() -> Command {
    let part = Part::Pool {
        pool: PoolName::new("gpu").unwrap(),
        state: State::free(),
        labels: std::collections::BTreeMap::new(),
        count: u32::try_from(TARGETS).unwrap(),
    };
    Command::Acquire(Box::new(Acquire {
        owner: owner("ann"),
        parts: vec![part],
        to_state: State::new("leased").unwrap(),
        ttl: None,
        queue: false,
        wait_anyway: false,
        priority: 0,
        purpose: None,
        key: None,
    }))
}

/// Grants all leases, then takes one target of each away, in turns until all are over, with a checkpoint after each
/// `turns_between` of them.
fn lab(folder: &Path, retention: Retention, turns_between: usize) -> Lab {
    let never = StoreOptions { retention, generation_changes: usize::MAX, ..options() };
    let mut lab = Lab::new(Store::open(folder, never).unwrap(), 1);
    let Command::Sync(mut entries) = pools() else { panic!("pools are synced") };
    entries[0].names = (0..LEASES * TARGETS as u64).map(|n| target(format!("gpu-{n}"))).collect();
    lab.commit([Command::Sync(entries)]).unwrap();
    lab.commit((0..LEASES).map(|_| acquire())).unwrap();
    let held: Vec<(LeaseId, Vec<Target>)> =
        lab.ledger.leases_after(None).map(|lease| (lease.id, lease.targets.clone())).collect();
    assert_eq!(held.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), (1..=LEASES).collect::<Vec<_>>());
    for turn in 0..TARGETS {
        let release = |(lease, targets): &(LeaseId, Vec<Target>)| {
            let targets = Some(vec![targets[turn].clone()]);
            Command::Release { lease: *lease, owner: None, targets, to_state: None }
        };
        lab.commit(held.iter().map(release)).unwrap();
        if (turn + 1) % turns_between == 0 {
            lab.store.checkpoint().unwrap();
        }
    }
    assert_eq!(lab.memory.ended.len() as u64, LEASES);
    lab
}

/// Asks for the events of leases, of several ranges, from both ends, and more or less of them.
fn assert_each_lease_has_its_own(lab: &Lab) {
    let reader = lab.store.reader();
    let all = reader.events(&EventFilter::default()).unwrap();
    let last = all[all.len() - 1].id.0;
    let mut points = [all[0].id.0, last - 700, last - 199, last].map(|id| Some(EventId(id))).to_vec();
    points.push(None);
    for lease in [0, 1, 2, 15, 16, LEASES, LEASES + 1].map(|id| Some(LeaseId(id))) {
        for (after, before) in points.iter().flat_map(|after| points.iter().map(|it| (*after, *it))) {
            for (limit, newest_first) in
                [1, 7, usize::MAX].into_iter().flat_map(|it| [(it, false), (it, true)])
            {
                let filter =
                    EventFilter { lease, after, before, newest_first, limit, ..EventFilter::default() };
                assert_eq!(reader.events(&filter).unwrap(), expected_events(&all, &filter), "{filter:?}");
            }
        }
    }
}

/// First numbers of the rows of each bucket, after the store was closed and found sound.
fn rows(lab: Lab, folder: &Path) -> [Vec<u64>; 2] {
    lab.store.close().unwrap();
    let report = check(folder).unwrap();
    assert!(report.is_sound(), "{:#?}", report.problems);
    let database = Database::open(folder.join(STORE_FILE)).unwrap();
    let table = database.begin_read().unwrap().open_table(POSTINGS).unwrap();
    [0, 1].map(|bucket: u64| {
        let key = [&[3], bucket.to_be_bytes().as_slice()].concat();
        let rows = table.range((key.as_slice(), 0)..=(key.as_slice(), u64::MAX)).unwrap();
        rows.map(|row| row.unwrap().0.value().1).collect()
    })
}

#[test]
fn each_lease_has_its_own_events_however_many_checkpoints_wrote_them() {
    // With everything, and with all grants and seven turns, a row of the first bucket is full.
    assert!((POSTING_IDS_MAX..2 * POSTING_IDS_MAX).contains(&(15 * (TARGETS + 7))));
    for (turns_between, due) in [(1, [30, 30]), (7, [6, 5]), (TARGETS, [2, 1])] {
        let folder = tempfile::tempdir().unwrap();
        let mut lab = lab(folder.path(), Retention::default(), turns_between);
        assert_each_lease_has_its_own(&lab);
        lab.store.checkpoint().unwrap();
        assert_each_lease_has_its_own(&lab);
        let rows = rows(lab, folder.path()).map(|rows| rows.len());
        assert_eq!(rows, due, "{turns_between} turns between checkpoints");
    }
}

#[test]
fn rows_go_with_the_last_of_their_events() {
    // The last 13 turns are kept. By sevens, the first row has three turns that are gone as well.
    for (turns_between, due) in [(1, 13), (7, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let retention = Retention { events: 250, ..Retention::default() };
        let mut lab = lab(folder.path(), retention, turns_between);
        lab.store.checkpoint().unwrap();
        lab.store.checkpoint().unwrap();
        let kept = lab.store.reader().first_event().unwrap().0;
        assert_eq!(lab.memory.events.len() as u64 + 1 - kept, 13 * LEASES);
        assert_each_lease_has_its_own(&lab);
        for rows in rows(lab, folder.path()) {
            assert_eq!(rows.len(), due, "{rows:?}");
            assert_eq!(rows[0] / 16 < kept, turns_between == 7, "{rows:?}, {kept}");
        }
    }
}
