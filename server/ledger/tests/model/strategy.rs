//! Stories: short pauses and commands over few names, so that they keep meeting each other.

use std::collections::BTreeMap;

use lessor_ledger::{
    Acquire, BoskosAcquire, BoskosUpdate, Command, ContestLock, CordonEdit, Force, Job, LeaseId, Owner, Part,
    PoolName, RequestId, ResourceEdit, Span, State, Subject, Target, Text, Time, Withdrawal,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{self, select};

use crate::script::parse;

pub(crate) fn story(steps_max: usize) -> impl Strategy<Value = Vec<(Span, Command)>> {
    vec((pause(), command()), 1..steps_max)
}

/// In seconds mostly, as are all TTLs, so that deadlines are hit exactly.
fn pause() -> impl Strategy<Value = Span> {
    prop_oneof![
        8 => Just(Span::ZERO),
        2 => Just(Span::from_nanos(1)),
        4 => select(vec![1, 5, 10]).prop_map(Span::from_secs),
        2 => select(vec![15, 20, 30, 31]).prop_map(Span::from_secs),
        1 => select(vec![60, 600, 86_400]).prop_map(Span::from_secs),
        1 => Just(Span::from_secs(-7)),
    ]
}

fn name(names: &'static str) -> impl Strategy<Value = String> + Clone {
    select(names.split(' ').map(str::to_owned).collect::<Vec<_>>())
}

/// Registered ones, ones that may be, and ones that never are.
fn target() -> impl Strategy<Value = Target> + Clone {
    name("a a b b c x u v").prop_map(|name| parse::target(&name))
}

fn targets() -> impl Strategy<Value = Vec<Target>> {
    vec(target(), 1..4)
}

fn pool() -> impl Strategy<Value = PoolName> + Clone {
    name("p p p q d d zz").prop_map(|name| parse::pool_name(&name))
}

fn state() -> impl Strategy<Value = State> + Clone {
    name("free free free dirty busy broken cleaning toBeDeleted tombstone")
        .prop_map(|name| parse::state(&name))
}

fn to_state() -> impl Strategy<Value = State> {
    name("leased busy busy free cleaning").prop_map(|name| parse::state(&name))
}

fn owner() -> impl Strategy<Value = Owner> + Clone {
    name("ann ann bob 1 2").prop_map(|name| parse::owner(&name))
}

fn key() -> impl Strategy<Value = Text> {
    name("1 2").prop_map(Text::from)
}

fn labels() -> impl Strategy<Value = BTreeMap<Text, Text>> {
    prop_oneof![
        3 => Just(BTreeMap::new()),
        2 => name("1 2").prop_map(|value| BTreeMap::from([("k".into(), value.into())])),
        2 => (name("1 2"), name("1 2"))
            .prop_map(|(k, j)| BTreeMap::from([("k".into(), k.into()), ("j".into(), j.into())])),
    ]
}

fn ttl() -> impl Strategy<Value = Option<Span>> {
    option::of(prop_oneof![
        9 => select(vec![5, 10, 30, 60]).prop_map(Span::from_secs),
        1 => select(vec![0, -5, 31 * 86_400]).prop_map(Span::from_secs),
    ])
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        3 => (pool(), state(), labels(), prop_oneof![3 => Just(1u32), 1 => Just(2u32)])
            .prop_map(|(pool, state, labels, count)| Part::Pool { pool, state, labels, count }),
        1 => (targets(), option::weighted(0.2, pool()), state())
            .prop_map(|(targets, pool, state)| Part::Named { targets, pool, state }),
    ]
}

fn acquire() -> impl Strategy<Value = Command> {
    let parts = prop_oneof![4 => vec(part(), 1..2), 2 => vec(part(), 2..4)];
    let queue = prop_oneof![2 => Just((false, false)), 4 => Just((true, false)), 2 => Just((true, true))];
    let key = option::weighted(0.3, (key(), 0..2u64));
    let priority = prop_oneof![3 => Just(0), 1 => -1..3i32];
    (owner(), parts, to_state(), ttl(), queue, priority, key).prop_map(
        |(owner, parts, to_state, ttl, (queue, wait_anyway), priority, key)| {
            let purpose = None;
            Command::Acquire(Box::new(Acquire {
                owner,
                parts,
                to_state,
                ttl,
                queue,
                wait_anyway,
                priority,
                purpose,
                key,
            }))
        },
    )
}

/// Requests for what carries several labels, over few resources that carry some of them.
pub(crate) fn story_of_labels(steps_max: usize) -> impl Strategy<Value = Vec<(Span, Command)>> {
    let pool = || parse::pool_name("p");
    let marks = |most: usize| {
        sample::subsequence(vec!["i", "j", "k"], 0..=most).prop_map(|keys| {
            keys.into_iter().map(|key| (Text::from(key), Text::from("1"))).collect::<BTreeMap<_, _>>()
        })
    };
    let part = move || {
        (marks(2), prop_oneof![3 => Just(1u32), 1 => Just(2u32)])
            .prop_map(move |(labels, count)| Part::Pool { pool: pool(), state: State::free(), labels, count })
    };
    let named =
        vec(target(), 1..2).prop_map(|targets| Part::Named { targets, pool: None, state: State::free() });
    let part = prop_oneof![9 => part(), 1 => named];
    let queue = prop_oneof![2 => Just((false, false)), 4 => Just((true, false)), 1 => Just((true, true))];
    let acquire = (owner(), vec(part, 1..5), queue, prop_oneof![4 => Just(0), 1 => -1..2i32]).prop_map(
        |(owner, parts, (queue, wait_anyway), priority)| {
            Command::Acquire(Box::new(Acquire {
                owner,
                parts,
                to_state: parse::state("leased"),
                ttl: Some(Span::from_secs(60)),
                queue,
                wait_anyway,
                priority,
                purpose: None,
                key: None,
            }))
        },
    );
    let put = (target(), marks(3)).prop_map(move |(name, labels)| {
        Command::PutResource(Box::new(ResourceEdit {
            name,
            revision: None,
            pool: Some(pool()),
            state: Some(State::free()),
            labels: Some(labels),
            user_data: None,
            addresses: None,
            cordon: None,
        }))
    });
    let release = (lease(), option::weighted(0.5, targets())).prop_map(|(lease, targets)| Command::Release {
        lease,
        owner: None,
        targets,
        to_state: None,
    });
    let command = prop_oneof![
        6 => acquire,
        4 => put,
        4 => release,
        1 => request().prop_map(Command::Poll),
        1 => request().prop_map(|id| Command::Withdraw(Withdrawal::of(id))),
    ];
    vec((select(vec![0, 0, 1, 20, 31]).prop_map(Span::from_secs), command), 1..steps_max)
}

fn lease() -> impl Strategy<Value = LeaseId> {
    prop_oneof![8 => 0..4u64, 1 => 0..40u64].prop_map(LeaseId)
}

fn request() -> impl Strategy<Value = RequestId> {
    prop_oneof![8 => 0..4u64, 1 => 0..40u64].prop_map(RequestId)
}

/// Mostly nobody in particular, so that what is asked for happens.
fn someone() -> impl Strategy<Value = Option<Owner>> {
    option::weighted(0.2, owner())
}

fn v1() -> impl Strategy<Value = Command> {
    let renew =
        (lease(), someone(), ttl()).prop_map(|(lease, owner, ttl)| Command::Renew { lease, owner, ttl });
    let some = option::weighted(0.4, targets());
    let release = (lease(), someone(), some, option::weighted(0.3, state()))
        .prop_map(|(lease, owner, targets, to_state)| Command::Release { lease, owner, targets, to_state });
    let subject = prop_oneof![lease().prop_map(Subject::Lease), target().prop_map(Subject::Target)];
    let force =
        (subject, someone(), option::weighted(0.3, state())).prop_map(|(subject, expected, to_state)| {
            Command::Force(Force { subject, expected, reason: "because".into(), by: None, to_state })
        });
    prop_oneof![
        8 => acquire(),
        2 => renew,
        5 => release,
        1 => force,
        2 => request().prop_map(Command::Poll),
        1 => request().prop_map(|id| Command::Withdraw(Withdrawal::of(id))),
    ]
}

fn boskos() -> impl Strategy<Value = Command> {
    let acquire = (pool(), state(), to_state(), owner(), option::weighted(0.6, key())).prop_map(
        |(pool, state, dest, owner, request_id)| {
            Command::BoskosAcquire(BoskosAcquire { pool, state, dest, owner, request_id })
        },
    );
    let names = vec(option::weighted(0.95, target()), 1..4);
    let by_state = (state(), to_state(), owner(), names)
        .prop_map(|(state, dest, owner, names)| Command::BoskosAcquireByState { state, dest, owner, names });
    let release = (target(), state(), owner()).prop_map(|(name, dest, owner)| Command::BoskosRelease {
        name,
        dest,
        owner,
    });
    let patch = vec((name("k l"), name("1 2").prop_map(|value| value.replace('2', ""))), 0..3);
    let update = (target(), owner(), to_state(), patch).prop_map(|(name, owner, state, patch)| {
        let patch = patch.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Command::BoskosUpdate(BoskosUpdate { name, owner, state, patch })
    });
    let expire = select(vec![-1, 0, 5, 10]).prop_map(Span::from_secs);
    let reset = (pool(), to_state(), expire, state())
        .prop_map(|(pool, state, expire, dest)| Command::BoskosReset { pool, state, expire, dest });
    prop_oneof![8 => acquire, 2 => by_state, 6 => release, 2 => update, 1 => reset]
}

fn contest() -> impl Strategy<Value = Command> {
    let job = prop_oneof![20 => 1..3u64, 1 => Just(0u64)].prop_map(Job);
    let duration = prop_oneof![
        6 => select(vec![5, 10, 30]).prop_map(Span::from_secs),
        1 => select(vec![0, -5]).prop_map(Span::from_secs),
    ];
    let targets = vec(option::weighted(0.98, target()), 0..4);
    let lock =
        (job, duration, targets).prop_map(|(job, duration, targets)| ContestLock { job, duration, targets });
    (lock, 0..5u8, 0..4u64).prop_map(|(lock, verb, limit)| match verb {
        0 | 1 => Command::ContestLock(lock),
        2 => Command::ContestTryLock { lock, limit },
        3 => Command::ContestUnlock(lock),
        _ => Command::ContestRefresh(lock),
    })
}

fn edit() -> impl Strategy<Value = Command> {
    let until = option::of((0..200i64).prop_map(|second| Time::ZERO.plus(Span::from_secs(second))));
    let cordoned = until.prop_map(|until| Some(CordonEdit { message: "fan".into(), until }));
    let cordon = option::weighted(0.3, prop_oneof![1 => Just(None), 2 => cordoned]);
    let labels = option::weighted(0.3, labels());
    (target(), option::weighted(0.4, pool()), option::weighted(0.4, state()), labels, cordon, 0..4u8)
        .prop_map(|(name, pool, state, labels, cordon, verb)| {
            let edit = ResourceEdit {
                name: name.clone(),
                revision: None,
                pool,
                state,
                labels,
                user_data: None,
                addresses: None,
                cordon,
            };
            match verb {
                0 => Command::DeleteResource { name, revision: None },
                1 => Command::PutResource(Box::new(edit)),
                _ => Command::PatchResource(Box::new(edit)),
            }
        })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        12 => v1(),
        8 => boskos(),
        6 => contest(),
        3 => edit(),
        1 => (0..4usize).prop_map(|number| Command::Sync(super::file(number))),
        2 => Just(Command::Tick),
        1 => Just(Command::Resume),
    ]
}
