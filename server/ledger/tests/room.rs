//! How much may wait and be locked in the whole server.

use std::collections::BTreeMap;

use lessor_ledger::limits::{
    LOCKS_MAX, MATCHING_MAX, MATCHING_WAITING_MAX, OUTCOMES_SIZE_MAX, REQUESTS_SIZE_MAX, TARGETS_PER_CALL_MAX,
};
use lessor_ledger::{
    Change, Command, ContestLock, Job, LeaseId, Ledger, Lock, Owner, Part, PoolName, Refusal, Reply,
    RequestId, ResourceEdit, Settings, Span, State, Target, Time, Withdrawal,
};

use crate::calls::{apply, ledger, take};
use crate::script::parse;

fn target(name: &str) -> Target {
    Target::new(name).expect("a name")
}

/// As many targets as one call may name, of which nobody can have the first.
fn many(call: usize) -> Vec<Target> {
    let rest = (1..TARGETS_PER_CALL_MAX - 1).map(|n| target(&format!("{call}-{n}")));
    std::iter::once(target("x")).chain(rest).collect()
}

fn full(reply: Result<Reply, Refusal>, bound: usize) {
    match reply {
        Err(Refusal::Full { limit, .. }) => assert_eq!(limit, bound),
        other => panic!("not full: {other:?}"),
    }
}

#[test]
fn what_waits_is_bounded_in_size_and_not_only_in_number() {
    let mut ledger = ledger();
    apply(&mut ledger, take("ann", vec![target("x")], false)).expect("it is free");
    let calls = REQUESTS_SIZE_MAX / TARGETS_PER_CALL_MAX;
    for call in 0..calls {
        apply(&mut ledger, take("ann", many(call), true)).expect("there is room");
    }
    full(apply(&mut ledger, take("ann", many(calls), true)), REQUESTS_SIZE_MAX);
    full(apply(&mut ledger, take("ann", vec![target("x")], true)), REQUESTS_SIZE_MAX);
    apply(&mut ledger, take("ann", vec![target("y")], false)).expect("who does not wait needs no room");
    apply(&mut ledger, Command::Withdraw(Withdrawal::of(RequestId(1)))).expect("it waits");
    apply(&mut ledger, take("ann", many(calls), true)).expect("there is room again");
    assert_eq!(ledger.check(), []);
}

#[test]
fn outcomes_are_forgotten_earlier_when_they_are_large() {
    let mut ledger = ledger();
    apply(&mut ledger, take("ann", vec![target("x")], false)).expect("it is free");
    let calls = OUTCOMES_SIZE_MAX / TARGETS_PER_CALL_MAX + 1;
    for call in 1..=calls {
        apply(&mut ledger, take("ann", many(call), true)).expect("there is room");
        apply(&mut ledger, Command::Withdraw(Withdrawal::of(RequestId(call as u64)))).expect("it waits");
    }
    apply(&mut ledger, Command::Tick).expect("a tick");
    assert!(ledger.request(RequestId(1)).is_none(), "the oldest");
    assert!(ledger.request(RequestId(2)).is_some_and(|request| !request.waits()));
    assert_eq!(ledger.check(), []);
}

#[test]
fn so_many_targets_are_locked_and_no_more() {
    let mut ledger = ledger();
    let owner = Owner::of_job(Job(1));
    for n in 0..LOCKS_MAX {
        let (target, lease) = (target(&n.to_string()), LeaseId(1));
        let (owner, taken_at) = (owner.clone(), Time::ZERO);
        let lock = Lock { target, lease, owner, taken_at, deadline: None, lapsed: false };
        ledger.absorb(&Change::Lock(lock.into()));
    }
    let edit = lessor_ledger::ResourceEdit {
        name: target("gpu"),
        revision: None,
        pool: Some(lessor_ledger::PoolName::new("p").expect("a name")),
        state: None,
        labels: None,
        user_data: None,
        addresses: None,
        cordon: None,
    };
    apply(&mut ledger, Command::PutResource(Box::new(edit))).expect("it is new");
    let lock = |name: &str| ContestLock {
        job: Job(1),
        duration: Span::from_secs(60),
        targets: vec![Some(target("0")), Some(target(name))],
    };
    full(apply(&mut ledger, take("ann", vec![target("new")], false)), LOCKS_MAX);
    full(apply(&mut ledger, Command::ContestLock(lock("new"))), LOCKS_MAX);
    full(apply(&mut ledger, Command::ContestTryLock { lock: lock("new"), limit: 2 }), LOCKS_MAX);
    apply(&mut ledger, Command::ContestLock(lock("1"))).expect("what is locked takes no more room");
    apply(&mut ledger, take("ann", vec![target("gpu")], false)).expect("a resource has its room");
}

#[test]
fn what_must_be_matched_is_bounded() {
    let part = |count| Part::Pool {
        pool: PoolName::new("p").expect("a name"),
        state: State::free(),
        labels: BTreeMap::from([("rack".into(), "7".into())]),
        count,
    };
    let ask = |parts: Vec<Part>| {
        let Command::Acquire(mut ask) = take("ann", Vec::new(), true) else { unreachable!("it is one") };
        ask.parts = parts;
        apply(&mut ledger(), Command::Acquire(ask))
    };
    let most = u32::try_from(MATCHING_MAX / 16 / 16).expect("a number");
    ask(vec![part(most); 16]).expect("it may wait");
    let refused = ask(vec![part(most + 1); 16]).expect_err("it is too much");
    assert!(matches!(refused, Refusal::TooLarge { limit: MATCHING_MAX, .. }), "{refused}");
    let all = u32::try_from(TARGETS_PER_CALL_MAX).expect("a number");
    ask(vec![part(all)]).expect("one part need not be matched");
}

#[test]
fn what_must_be_matched_is_bounded_over_all_who_wait() {
    let part = |rack: &str| Part::Pool {
        pool: PoolName::new("p").expect("a name"),
        state: State::free(),
        labels: BTreeMap::from([("rack".into(), rack.into())]),
        count: u32::try_from(MATCHING_MAX / 4).expect("a number"),
    };
    let Command::Acquire(mut ask) = take("ann", Vec::new(), true) else { unreachable!("it is one") };
    ask.parts = vec![part("7"), part("8")];
    let ask = Command::Acquire(ask);
    let mut ledger = ledger();
    for _ in 0..MATCHING_WAITING_MAX / MATCHING_MAX {
        apply(&mut ledger, ask.clone()).expect("there is room");
    }
    full(apply(&mut ledger, ask.clone()), MATCHING_WAITING_MAX);
    apply(&mut ledger, take("ann", vec![target("x")], true)).expect("nothing is to be matched for it");
    apply(&mut ledger, Command::Withdraw(Withdrawal::of(RequestId(1)))).expect("it waits");
    apply(&mut ledger, ask).expect("there is room again");
    assert_eq!(ledger.check(), []);
}

#[test]
fn resources_are_bounded_however_they_come() {
    let settings = Settings { resources_max: 3, ..Settings::default() };
    let file = |text: &str| {
        let mut entries = Vec::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            parse::pool(&mut entries, words[1], &words[2..]);
        }
        Command::Sync(entries)
    };
    let mut ledger = Ledger::new(settings);
    apply(&mut ledger, file("pool p names=a,b")).expect("there is room");
    full(apply(&mut ledger, file("pool p names=a,c,d")), 3);
    assert!(ledger.resource("b").is_some(), "a file is taken whole or not at all");
    apply(&mut ledger, file("pool p names=a,b\npool d dynamic=0/9")).expect("there is room");
    let put = |name: &str| {
        let pool = PoolName::new("p").ok();
        Command::PutResource(Box::new(ResourceEdit { pool, ..ResourceEdit::of(target(name)) }))
    };
    apply(&mut ledger, put("x")).expect("there is room");
    full(apply(&mut ledger, put("y")), 3);
    apply(&mut ledger, put("x")).expect("it is there");
    apply(&mut ledger, Command::DeleteResource { name: target("x"), revision: None }).expect("it is idle");
    apply(&mut ledger, file("pool p names=a,b\npool d dynamic=9/9")).expect("there is room");
    assert_eq!(ledger.resource_count(), 3, "as many dynamic ones as there may be");
    assert_eq!(ledger.check(), []);
}
