//! How much may wait and be locked in the whole server.

use std::collections::BTreeMap;

use lessor_ledger::limits::{
    LOCKS_MAX, MATCHING_MAX, OUTCOMES_SIZE_MAX, REQUESTS_SIZE_MAX, TARGETS_PER_CALL_MAX,
};
use lessor_ledger::{
    Change, Command, ContestLock, Job, LeaseId, Lock, Owner, Part, PoolName, Refusal, Reply, RequestId, Span,
    State, Target, Time,
};

use crate::calls::{apply, ledger, take};

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
    apply(&mut ledger, Command::Withdraw(RequestId(1))).expect("it waits");
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
        apply(&mut ledger, Command::Withdraw(RequestId(call as u64))).expect("it waits");
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
