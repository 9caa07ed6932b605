//! Queries over history give what a plain filter over everything that happened gives, wherever the checkpoint is.

use std::cmp::Reverse;

use lessor_ledger::{Event, EventId, EventKind, Lease, LeaseId, Span};
use lessor_store::limits::GENERATIONS_AHEAD_MAX;
use lessor_store::{EventFilter, Latest, LatestFilter, LeaseFilter, Retention, Store, StoreOptions};

use crate::lab::commands::{owner, pools, target};
use crate::lab::disk::Disk;
use crate::lab::{Lab, dice::Dice, options};

fn lab(seed: u64, options: StoreOptions) -> Lab {
    let mut lab = Lab::new(Store::open_on(Disk::default(), options).unwrap(), seed);
    lab.commit([pools()]).unwrap();
    lab
}

pub(crate) fn expected_events(all: &[Event], filter: &EventFilter) -> Vec<Event> {
    let mut events: Vec<_> = all.to_vec();
    events.retain(|event| {
        filter.after.is_none_or(|after| event.id > after)
            && filter.before.is_none_or(|before| event.id < before)
            && filter.target.as_ref().is_none_or(|target| event.target.as_ref() == Some(target))
            && filter.lease.is_none_or(|lease| event.lease == Some(lease))
            && (filter.kinds.is_empty() || filter.kinds.contains(&event.kind))
    });
    if filter.newest_first {
        events.reverse();
    }
    events.truncate(filter.limit);
    events
}

fn expected_leases(all: &[Lease], filter: &LeaseFilter) -> Vec<Lease> {
    let mut leases: Vec<_> = all.to_vec();
    leases.retain(|lease| {
        let held = |target| lease.targets.contains(target) || lease.returned.contains(target);
        filter.after.is_none_or(|after| lease.id > after)
            && filter.before.is_none_or(|before| lease.id < before)
            && filter.target.as_ref().is_none_or(held)
            && filter.owner.as_ref().is_none_or(|owner| lease.owner == *owner)
    });
    leases.sort_by_key(|lease| lease.id);
    if filter.newest_first {
        leases.sort_by_key(|lease| Reverse(lease.id));
    }
    leases.truncate(filter.limit);
    leases
}

fn event_filter(dice: &mut Dice, last: u64) -> EventFilter {
    let mut filter = EventFilter { newest_first: dice.once_in(2), ..EventFilter::default() };
    if dice.once_in(2) {
        filter.after = Some(EventId(dice.below(last + 2)));
    }
    if dice.once_in(2) {
        filter.before = Some(EventId(dice.below(last + 2)));
    }
    match dice.below(5) {
        0 => filter.target = Some(target(format!("gpu-{}", dice.below(7)))),
        1 => filter.lease = Some(LeaseId(dice.below(40))),
        2 => filter.kinds = (0..=dice.below(3)).map(|_| *dice.pick(&EventKind::ALL)).collect(),
        3 => {
            filter.target = Some(target(format!("board-{}", dice.below(5))));
            filter.kinds = vec![EventKind::LeaseGranted, EventKind::LeaseEnded];
        }
        _ => {}
    }
    if dice.once_in(2) {
        filter.limit = usize::try_from(dice.below(12)).unwrap();
    }
    filter
}

fn lease_filter(dice: &mut Dice, last: u64) -> LeaseFilter {
    let mut filter = LeaseFilter { newest_first: dice.once_in(2), ..LeaseFilter::default() };
    if dice.once_in(2) {
        filter.after = Some(LeaseId(dice.below(last + 2)));
    }
    if dice.once_in(2) {
        filter.before = Some(LeaseId(dice.below(last + 2)));
    }
    if dice.once_in(2) {
        filter.target = Some(target(format!("gpu-{}", dice.below(7))));
    }
    if dice.once_in(2) {
        filter.owner = Some(owner(dice.pick::<&str>(&["ann", "bob", "nobody"])));
    }
    if dice.once_in(2) {
        filter.limit = usize::try_from(dice.below(8)).unwrap();
    }
    filter
}

fn latest_filters(dice: &mut Dice, last: u64) -> Vec<LatestFilter> {
    let some = |dice: &mut Dice| dice.once_in(3).then(|| EventId(dice.below(last + 2)));
    let one = |dice: &mut Dice| LatestFilter {
        target: target(format!("gpu-{}", dice.below(7))),
        after: some(dice),
        before: some(dice),
        limit: usize::try_from(dice.below(9)).unwrap(),
    };
    (0..dice.below(6)).map(|_| one(dice)).collect()
}

fn expected_latest(all: &[Event], wanted: &[LatestFilter], (mut left, least): (usize, usize)) -> Vec<Latest> {
    let mut answers = Vec::new();
    for (number, LatestFilter { target, after, before, limit }) in wanted.iter().enumerate() {
        let target = Some(target.clone());
        let filter = EventFilter {
            after: *after,
            before: *before,
            target,
            newest_first: true,
            ..EventFilter::default()
        };
        let mut events = expected_events(all, &filter);
        let shared = number < least.min(wanted.len());
        let room = (*limit).min(if shared { left / (least.min(wanted.len()) - number) } else { left });
        let more = events.len() > room;
        if !shared && more && room < *limit {
            break;
        }
        events.truncate(room);
        left -= events.len();
        answers.push(Latest { events, more });
    }
    answers
}

/// The last events of several targets, and the first one of a time.
fn check_lookups(reader: &lessor_store::Reader, all: &[Event], dice: &mut Dice) {
    let last = all.last().map_or(0, |event| event.id.0);
    let wanted = latest_filters(dice, last);
    let most = usize::try_from(dice.below(30)).unwrap();
    let sharers = usize::try_from(dice.below(7)).unwrap();
    assert_eq!(
        reader.latest(&wanted, (most, sharers)).unwrap(),
        expected_latest(all, &wanted, (most, sharers)),
        "{wanted:?}, {most}"
    );
    let near = &all[usize::try_from(dice.below(all.len() as u64)).unwrap()];
    let time = near.at.plus(Span::from_millis(i64::try_from(dice.below(3)).unwrap() - 1));
    let due = all.iter().find(|event| event.at >= time).map_or(EventId(last + 1), |event| event.id);
    assert_eq!(reader.first_at(time).unwrap(), due, "{time:?}");
}

#[test]
fn queries_match_a_plain_filter_wherever_the_checkpoint_is() {
    for seed in 0..40 {
        let mut options = options();
        options.generation_changes = 1 + usize::try_from(seed).unwrap() * 12;
        let mut lab = lab(seed, options);
        let reader = lab.store.reader();
        for _ in 0..12 {
            lab.run(5);
            let counters = lab.ledger.counters();
            for _ in 0..10 {
                let filter = event_filter(&mut lab.dice, counters.event);
                let due = expected_events(&lab.memory.events, &filter);
                assert_eq!(reader.events(&filter).unwrap(), due, "seed {seed}, {filter:?}");
                let filter = lease_filter(&mut lab.dice, counters.lease);
                let due = expected_leases(&lab.memory.ended, &filter);
                assert_eq!(reader.leases(&filter).unwrap(), due, "seed {seed}, {filter:?}");
                let id = LeaseId(lab.dice.below(counters.lease + 2));
                let due = lab.memory.ended.iter().find(|lease| lease.id == id).cloned();
                assert_eq!(reader.lease(id).unwrap(), due, "seed {seed}, lease {id}");
                check_lookups(&reader, &lab.memory.events, &mut lab.dice);
            }
        }
        assert!(lab.memory.ended.len() > 5, "seed {seed} ends too few leases to show anything");
    }
}

#[test]
fn history_beyond_the_count_goes_and_the_rest_is_still_indexed() {
    for seed in 0..20 {
        let retention = Retention { events: 50, ..Retention::default() };
        let mut lab = lab(seed, StoreOptions { retention, ..options() });
        lab.run(150);
        lab.store.checkpoint().unwrap();
        let reader = lab.store.reader();
        let events = reader.events(&EventFilter::default()).unwrap();
        assert!((50..90).contains(&events.len()), "{} events are kept", events.len());
        assert_eq!(reader.first_event().unwrap(), events[0].id);
        assert_eq!(events.last(), lab.memory.events.last());
        for _ in 0..50 {
            let filter = event_filter(&mut lab.dice, lab.memory.events.len() as u64);
            assert_eq!(reader.events(&filter).unwrap(), expected_events(&events, &filter), "{filter:?}");
            check_lookups(&reader, &events, &mut lab.dice);
        }
        let leases = reader.leases(&LeaseFilter::default()).unwrap();
        let due = events.iter().filter(|event| event.kind == EventKind::LeaseEnded);
        let due: std::collections::BTreeSet<_> = due.filter_map(|event| event.lease).collect();
        assert_eq!(leases.iter().map(|lease| lease.id).collect::<std::collections::BTreeSet<_>>(), due);
        for _ in 0..50 {
            let filter = lease_filter(&mut lab.dice, lab.ledger.counters().lease);
            assert_eq!(reader.leases(&filter).unwrap(), expected_leases(&leases, &filter), "{filter:?}");
        }
    }
}

#[test]
fn history_that_is_too_old_goes() {
    let retention = Retention { keep: Span::from_secs(3600), ..Retention::default() };
    let mut lab = lab(1, StoreOptions { retention, ..options() });
    lab.run(60);
    let young = lab.now.plus(Span::from_secs(3601));
    lab.now = young;
    lab.run(1);
    lab.store.checkpoint().unwrap();
    let events = lab.store.reader().events(&EventFilter::default()).unwrap();
    assert!(events.iter().all(|event| event.at >= young), "{:?}", events.first());
    assert_eq!(lab.store.reader().last_event().0, lab.memory.events.len() as u64);
}

#[test]
fn what_recovery_needs_is_kept_however_small_the_retention() {
    let retention = Retention { keep: Span::ZERO, events: 0 };
    let disk = Disk::default();
    let options = StoreOptions { retention, generation_changes: 10_000, ..options() };
    let mut lab = Lab::new(Store::open_on(disk.clone(), options.clone()).unwrap(), 5);
    lab.commit([pools()]).unwrap();
    for _ in 0..30 {
        let commands = lab.random();
        lab.commit(commands).unwrap();
    }
    drop(lab.store);
    let (_store, ledger) = Store::open_on(disk, options).unwrap();
    assert_eq!(crate::lab::show(&ledger), crate::lab::show(&lab.ledger));
}

#[test]
fn a_batch_of_many_parts_is_read_back_in_order() {
    let mut lab = lab(9, options());
    let entries = |count| {
        let mut all = match pools() {
            lessor_ledger::Command::Sync(entries) => entries,
            other => panic!("{other:?}"),
        };
        all[0].names = (0..count).map(|n| target(format!("gpu-{n}"))).collect();
        lessor_ledger::Command::Sync(all)
    };
    lab.commit([entries(2_000)]).unwrap();
    let reader = lab.store.reader();
    assert!(lab.memory.events.len() > 1_990);
    assert_eq!(reader.events(&EventFilter::default()).unwrap(), lab.memory.events);
    lab.store.checkpoint().unwrap();
    assert_eq!(reader.events(&EventFilter::default()).unwrap(), lab.memory.events);
    let kinds =
        EventFilter { kinds: vec![EventKind::ResourceCreated], newest_first: true, ..EventFilter::default() };
    assert_eq!(reader.events(&kinds).unwrap(), expected_events(&lab.memory.events, &kinds));
}

#[test]
fn the_backlog_stays_bounded_under_a_load_that_never_pauses() {
    const GENERATION: usize = 50;
    let mut lab = lab(13, StoreOptions { generation_changes: GENERATION, ..options() });
    let (mut most, mut largest) = (0, 0);
    for _ in 0..500 {
        let commands = lab.random();
        let (next, changes) = lab.decide(commands);
        largest = largest.max(changes.len());
        lab.write(&next, &changes).unwrap();
        lab.ledger = next;
        most = most.max(lab.store.backlog());
    }
    assert!(most >= GENERATION, "{most} changes are too few to show anything");
    assert!(most < GENERATIONS_AHEAD_MAX * GENERATION + largest, "{most} changes were missing in the tables");
}
