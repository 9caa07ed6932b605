//! What a sync defers until it is given back, and the built-in cleaner. The upstream tables F1–F18 and G1–G10 of
//! `reference/boskos.md` §8 are among the conformance tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::expect;
use lessor_ledger::{
    Change, Details, Dialect, EventKind, Lease, LeaseId, Lifecycle, Lock, Origin, Owner, Pool, PoolOrigin,
    Resource, State, Target, Text, Time,
};

use crate::script::parse::{pool_name, state, target, time};
use crate::script::{Stage, check};

/// What is stored before: `pool: name name:state[o]`, one static pool per line; `[o]` is owned. All last written at 0.
fn stored(text: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut leases = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, members) = line.split_once(':').expect("pool: members");
        for member in members.split_whitespace() {
            changes.push(Change::Resource(Arc::new(member_of(name, member, Origin::Listed))));
            if member.contains("[o]") {
                leases += 1;
                changes.extend(held(member.split(':').next().expect("a name"), LeaseId(leases)));
            }
        }
        changes.push(Change::Pool(Arc::new(pool(name, None))));
    }
    changes
}

fn pool(name: &str, lifecycle: Option<Lifecycle>) -> Pool {
    Pool {
        name: pool_name(name),
        origin: PoolOrigin::Config,
        initial_state: State::free(),
        lifecycle,
        default_ttl: None,
        max_ttl: None,
        on_expire: None,
        reap_after: None,
    }
}

fn member_of(pool: &str, member: &str, origin: Origin) -> Resource {
    let plain = member.trim_end_matches("[o]");
    let (name, of) = plain.split_once(':').unwrap_or((plain, "free"));
    Resource {
        name: target(name),
        pool: pool_name(pool),
        state: state(of),
        origin,
        created_at: Time::ZERO,
        updated_at: Time::ZERO,
        expires_at: None,
        revision: 1,
        details: None,
    }
}

fn held(name: &str, id: LeaseId) -> [Change; 2] {
    let owner = Owner::new("o").expect("an owner");
    let lock = Lock {
        target: target(name),
        lease: id,
        owner: owner.clone(),
        taken_at: Time::ZERO,
        deadline: None,
        lapsed: false,
    };
    let lease = Lease {
        id,
        owner,
        dialect: Dialect::Boskos,
        targets: vec![target(name)],
        returned: Vec::new(),
        granted_at: Time::ZERO,
        renewed_at: Time::ZERO,
        ttl: None,
        purpose: None,
        key: None,
        request: None,
        pickup: None,
        ended: None,
    };
    [Change::Lock(Arc::new(lock)), Change::Lease(Arc::new(lease))]
}

/// The cleaner's table: a composite resource `dt_1` made of `leases`, in a pool that is not going away, and
/// static resources `statics`; what is there a moment after the cleaner's delay.
fn clean(of: &str, leases: &[&str], statics: &str) -> String {
    let mut composite = member_of("dt", &format!("dt_1:{of}"), Origin::Dynamic);
    let list = leases.iter().map(|name| ["- ", name, "\n"].concat()).collect::<Vec<_>>().concat();
    let user_data = [("leasedResources", list.as_str()), ("kept", "yes")];
    let user_data = user_data.into_iter().filter(|(_, value)| !value.is_empty());
    let user_data: BTreeMap<Text, Text> = user_data.map(|(key, value)| (key.into(), value.into())).collect();
    composite.details = Some(Arc::new(Details { user_data, ..Details::default() }));
    let mut changes = stored(statics);
    let lifecycle = Lifecycle { max_count: 2, ..Lifecycle::default() };
    changes.push(Change::Pool(Arc::new(pool("dt", Some(lifecycle)))));
    changes.push(Change::Resource(Arc::new(composite)));
    let mut stage = Stage::with(&changes);
    stage.play("15s - tick");
    let early = stage.ledger.resource("dt_1").map(|resource| resource.state.clone());
    assert_eq!(early, Some(state(of)), "the delay is over only after 15 s");
    stage.play("15s+ - tick");
    let all = stage.ledger.resources_after(None);
    all.map(|resource| format!("{}:{}", resource.name, resource.state)).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_cleaner_removes_a_resource_without_leases() {
    assert_eq!(clean("toBeDeleted", &[], "t: r1"), "r1:free");
}

#[test]
fn the_cleaner_sends_what_a_resource_was_made_of_to_be_cleaned() {
    assert_eq!(
        clean("toBeDeleted", &["r1", "r2"], "t: r1:dt_1 r2:dt_1 r3:dt_1"),
        "r1:dirty r2:dirty r3:dt_1"
    );
}

#[test]
fn the_cleaner_leaves_alone_what_is_in_another_state_or_held() {
    assert_eq!(
        clean("toBeDeleted", &["r1", "r2", "r3", "none"], "t: r1:dt_1 r2:other r3:dt_1[o]"),
        "r1:dirty r2:other r3:dt_1"
    );
}

#[test]
fn the_cleaner_does_not_touch_what_is_in_use() {
    assert_eq!(clean("free", &["r1"], "t: r1:dt_1"), "dt_1:free r1:dt_1");
}

#[test]
fn a_moved_resource_is_made_anew_when_it_is_given_back() {
    let mut stage = Stage::with(&stored("p: a:busy[o]\nq: b:busy[o]"));
    stage.play(
        "pool q names=a state=dirty labels=k=v
         10s - sync
         11s - sync
         12s o b-release a free
         12s o b-release b free",
    );
    let a = stage.ledger.resource("a").expect("it moved");
    assert_eq!((a.pool.as_str(), a.state.as_str(), a.origin), ("q", "dirty", Origin::Listed));
    assert_eq!(a.details().labels.get("k").map(AsRef::as_ref), Some("v"));
    assert_eq!(a.details().moves_to, None);
    assert!(stage.ledger.resource("b").is_none());
    assert!(stage.ledger.pool("p").is_none());
}

#[test]
fn a_move_that_is_taken_back_before_the_release_does_not_happen() {
    let mut stage = Stage::with(&stored("p: a:busy[o]"));
    stage.play(
        "pool q names=a
         10s - sync
         nopool q
         pool p names=a
         11s - sync
         12s o b-release a free",
    );
    let a: Option<&Target> = stage.ledger.resource("a").map(|a| &a.name);
    assert_eq!(a.map(Target::as_str), Some("a"));
    assert_eq!(stage.ledger.resource("a").map(|a| a.pool.as_str().to_owned()), Some("p".into()));
}

/// A cordon is about the machine, and nobody lifted it.
#[test]
fn what_moves_to_another_pool_keeps_its_cordon() {
    let mut stage = Stage::with(&stored("p: a b:busy[o] c:busy[o] d:busy[o]"));
    stage.play(
        "0 - patch a cordon=fire until=1h
         0 - patch b cordon=drain
         0 - patch c cordon=drain
         pool q names=a,b,c,d
         10s - sync
         11s - patch c uncordon
         11s - patch d cordon=late
         12s o b-release b free
         12s o b-release c free
         12s o b-release d free",
    );
    let cordon = |name| stage.ledger.resource(name).expect("it moved").cordon();
    let shown = |name| cordon(name).map(|cordon| (&*cordon.message, cordon.since, cordon.until));
    assert_eq!(shown("a"), Some(("fire", Time::ZERO, Some(time("1h")))));
    assert_eq!(shown("b"), Some(("drain", Time::ZERO, None)));
    assert_eq!(shown("c"), None);
    assert_eq!(shown("d"), Some(("late", time("11s"), None)));
    assert!(stage.ledger.members_after("q", None).count() == 4, "all of them moved");
    let told = stage.events().filter(|event| event.kind == EventKind::ResourceCordoned);
    let told: Vec<String> = told
        .filter(|event| event.pool.as_ref().is_some_and(|pool| pool.as_str() == "q"))
        .map(|event| {
            format!("{} {}", event.target.as_ref().expect("a name"), event.note.as_ref().expect("why"))
        })
        .collect();
    assert_eq!(told, ["a fire", "b drain", "d late"]);
    stage.play("1h+ - tick");
    assert_eq!(stage.ledger.resource("a").expect("it stays").cordon(), None);
    stage.replay_twice();
}

#[test]
fn a_deferred_removal_happens_when_the_lock_lapses() {
    let mut stage = Stage::with(&stored("p: a"));
    stage.play(
        "pool p names=a
         10s - sync
         10s 1 lock 5s a
         nopool p
         11s - sync",
    );
    assert!(stage.ledger.resource("a").is_some());
    stage.play("15s+ - tick");
    assert!(stage.ledger.resource("a").is_none());
    stage.play("16s 1 refresh 5s a");
    assert!(stage.ledger.lock("a").is_some_and(|lock| !lock.lapsed));
    stage.replay_twice();
}

/// Promise P8: the labels of an entry are in memory once, not once for each of its names.
#[test]
fn the_names_of_an_entry_share_their_labels() {
    let mut stage = Stage::new();
    stage.play("pool p names=a,b labels=site=ber\n0 - sync\n1s - patch a data=k=v");
    let labels = |name| &raw const *stage.ledger.resource(name).expect("it is listed").details().labels;
    assert!(std::ptr::eq(labels("a"), labels("b")));
}

#[test]
fn who_waits_in_a_pool_that_goes_is_told_and_stays_in_line() {
    check(
        "
        pool p names=a
        pool q names=b
        0 - sync
        0 ann take p
        0 bob take p wait
        0 cid take none anyway
        nopool p
        1s - sync
        1s - poll R1
        2s ann release L1
        3s - poll R1
        pool p names=c
        4s - sync
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; pool q made; a made in p >free; b made in q >free
            0: L1 ann [a] until 600s | L1 +a ann free>leased
            0: R1 is #1, 0 of 1 | R1 bob queued
            0: R2 is #1, 0 of 1 of no pool | R2 cid queued
            1s: synced +[] -[] later[a] | pool p changed
            1s: R1 is #1, 0 of 1
            2s: L1 ann [a] Released | L1 -a Released leased>free, over; a gone from p free>; pool p gone
            3s: R1 is #1, 0 of 1 of no pool
            4s: synced +[c] -[] later[] | pool p made; c made in p >free; L2 +c bob free>leased; R1 gets L2
        "#]],
    );
}
