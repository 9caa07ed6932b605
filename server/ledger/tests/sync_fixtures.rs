//! The upstream tables of `reference/boskos.md` §8, in its notation.
//!
//! Stored: `name:state`, `[o]` owned, `!` expiration in the past; all last written at 0, looked at 10 s later
//! (before the built-in cleaner, which upstream does not have, does anything). Expected: `=` unchanged including
//! the last write, `tbd` marked for deletion now, `gone`, `+n` made with a generated name, `new` made by name.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use lessor_ledger::{
    Change, Command, Details, Dialect, Lease, LeaseId, Ledger, Lifecycle, Lock, Origin, Owner, Pool,
    PoolOrigin, Resource, Span, State, Target, Text, Time,
};

use crate::script::Stage;
use crate::script::parse::{pool_name, state, target};

const NOW: &str = "10s";

/// What is stored before: `pool min/max: name name:state[o]!` or `pool: name …`, one pool per line.
fn stored(text: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut leases = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, members) = line.split_once(':').expect("pool: members");
        let (name, counts) = head.split_once(' ').unwrap_or((head, ""));
        let lifecycle = counts.split_once('/').map(|(min, max)| Lifecycle {
            min_count: min.parse().expect("a count"),
            max_count: max.parse().expect("a count"),
            ..Lifecycle::default()
        });
        for member in members.split_whitespace() {
            let origin = if lifecycle.is_some() { Origin::Dynamic } else { Origin::Listed };
            changes.push(Change::Resource(Arc::new(member_of(name, member, origin))));
            if member.contains("[o]") {
                leases += 1;
                changes.extend(held(member.split(':').next().expect("a name"), LeaseId(leases)));
            }
        }
        changes.push(Change::Pool(Arc::new(pool(name, lifecycle))));
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
    let past = member.ends_with('!').then(|| Time::ZERO.plus(Span::from_secs(5)));
    let later = member.ends_with('?').then(|| Time::ZERO.plus(Span::from_secs(3600)));
    let plain = member.trim_end_matches(['!', '?']).trim_end_matches("[o]");
    let (name, of) = plain.split_once(':').unwrap_or((plain, "free"));
    Resource {
        name: target(name),
        pool: pool_name(pool),
        state: state(of),
        origin,
        created_at: Time::ZERO,
        updated_at: Time::ZERO,
        expires_at: past.or(later),
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

/// What became of everything, in the notation of the reference.
fn outcome(before: &Ledger, after: &Ledger) -> String {
    let mut told = Vec::new();
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for old in before.resources_after(None) {
        let name = &old.name;
        told.push(match after.resource(name.as_str()) {
            None => format!("{name} gone"),
            Some(new) if new.pool != old.pool => format!("{name} new {}:{}", new.pool, new.state),
            Some(new) if new.updated_at == old.updated_at && new.state == old.state => format!("{name} ="),
            Some(new) => {
                assert_eq!(new.updated_at, Time::ZERO.plus(Span::from_secs(10)), "{name}");
                assert_eq!(new.expires_at, old.expires_at, "{name}: a mark keeps the expiration");
                if new.state == State::to_be_deleted() {
                    format!("{name} tbd")
                } else {
                    format!("{name} {}", new.state)
                }
            }
        });
    }
    for new in after.resources_after(None).filter(|new| before.resource(new.name.as_str()).is_none()) {
        match new.name.as_str().len() {
            36 => *made.entry(format!("{}:{}", new.pool, new.state)).or_default() += 1,
            _ => told.push(format!("{} new {}:{}", new.name, new.pool, new.state)),
        }
    }
    told.extend(made.into_iter().map(|(kind, count)| format!("+{count} {kind}")));
    let mut text = told.join(", ");
    for pool in after.pools() {
        if let Some(lifecycle) = &pool.lifecycle {
            let _ = write!(text, "; {} {}/{}", pool.name, lifecycle.min_count, lifecycle.max_count);
        }
    }
    text
}

/// `SyncResources`: `config` is in the script language's `pool` lines.
fn sync(before: &str, config: &str, expected: &str) {
    let mut stage = Stage::with(&stored(before));
    let old = stage.ledger.clone();
    stage.play(&format!("{config}\n{NOW} - sync"));
    assert_eq!(outcome(&old, &stage.ledger), expected);
    // A second sync of the same file finds nothing to do (statement 94).
    let settled = stage.ledger.clone();
    stage.play(&format!("{NOW} - sync"));
    assert_eq!(outcome(&settled, &stage.ledger), unchanged(&settled), "the second sync");
}

fn unchanged(ledger: &Ledger) -> String {
    outcome(ledger, ledger)
}

/// `UpdateAllDynamicResources` alone, which is what a start does.
fn update(before: &str, expected: &str) {
    let mut stage = Stage::with(&stored(before));
    let old = stage.ledger.clone();
    let step = stage.step(Command::Resume, crate::script::parse::time(NOW));
    assert!(step.reply.is_ok());
    assert_eq!(outcome(&old, &stage.ledger), expected);
}

#[test]
fn f01_resources_of_a_new_dynamic_type_are_adopted() {
    let config = "pool t names=res-1\npool mason dynamic=2/4";
    sync("t: res-1\nmason: dt_1 dt_2", config, "dt_1 =, dt_2 =, res-1 =; mason 2/4");
}

#[test]
fn f02_nothing_stays_nothing() {
    sync("", "", "");
}

#[test]
fn f03_new_static_and_dynamic_resources() {
    let config = "pool t names=res-1,res-2\npool dt dynamic=1/2";
    sync("t: res-1", config, "res-1 =, res-2 new t:free, +1 dt:free; dt 1/2");
}

#[test]
fn f04_the_same_config_changes_nothing() {
    let config = "pool t names=res-1\npool dt dynamic=1/2";
    sync("t: res-1\ndt 1/2: dt_1", config, "dt_1 =, res-1 =; dt 1/2");
}

#[test]
fn f05_an_empty_config_removes_what_is_idle() {
    sync("t: res\ndt 1/2: dt_1", "", "dt_1 tbd, res gone; dt 0/0");
}

#[test]
fn f06_a_lifecycle_without_resources_goes() {
    sync("dt 1/2:", "", "");
}

#[test]
fn f07_an_empty_config_keeps_what_is_busy() {
    sync("t: res:busy[o]\ndt 1/2: dt_1:busy[o]", "", "dt_1 =, res =; dt 0/0");
}

const F8: &str = "pool t names=res-2\npool dt dynamic=1/2\npool dt2 dynamic=1/2";

#[test]
fn f08_to_be_deleted_ones_count_and_do_not_make_a_surplus() {
    sync(
        "t: res-1:tombstone\ndt 1/3: dt_1:toBeDeleted dt_2 dt_3",
        F8,
        "dt_1 =, dt_2 =, dt_3 =, res-1 gone, res-2 new t:free, +1 dt2:free; dt 1/2; dt2 1/2",
    );
}

#[test]
fn f09_busy_ones_stay_and_tombstones_go() {
    sync(
        "t: res-1:busy[o]\ndt 1/3: dt_1 dt_2:tombstone dt_3:busy[o]",
        F8,
        "dt_1 =, dt_2 gone, dt_3 =, res-1 =, res-2 new t:free, +1 dt2:free; dt 1/2; dt2 1/2",
    );
}

#[test]
fn f10_static_tombstones_are_ordinary() {
    let config = "pool t names=res-2\npool t2 names=res-3";
    sync("t: res-1:tombstone", config, "res-1 gone, res-2 new t:free, res-3 new t2:free");
}

#[test]
fn f11_expired_idle_ones_are_marked() {
    sync(
        "dt 2/4: dt_1!  dt_2 dt_3:tombstone! dt_4",
        "pool dt dynamic=2/4",
        "dt_1 tbd, dt_2 =, dt_3 gone, dt_4 =; dt 2/4",
    );
}

#[test]
fn f12_expired_busy_ones_are_not() {
    sync(
        "dt 1/4: dt_1:tombstone! dt_2 dt_3:busy[o]! dt_4:busy[o]",
        "pool dt dynamic=1/3",
        "dt_1 gone, dt_2 =, dt_3 =, dt_4 =; dt 1/3",
    );
}

#[test]
fn f13_the_minimum_is_refilled_in_place_of_tombstones_only() {
    sync(
        "dt 4/6: dt_1! dt_2 dt_3:tombstone! dt_4",
        "pool dt dynamic=4/6",
        "dt_1 tbd, dt_2 =, dt_3 gone, dt_4 =, +1 dt:free; dt 4/6",
    );
}

#[test]
fn f14_a_lower_maximum_marks_the_greatest_names() {
    sync(
        "dt 1/6: dt_1 dt_2 dt_3 dt_4:toBeDeleted dt_5:tombstone",
        "pool dt dynamic=1/1",
        "dt_1 =, dt_2 tbd, dt_3 tbd, dt_4 =, dt_5 gone; dt 1/1",
    );
}

#[test]
fn f15_a_higher_minimum_counts_those_to_be_deleted() {
    sync(
        "dt 1/6: dt_1 dt_2:toBeDeleted dt_3:toBeDeleted dt_4:tombstone",
        "pool dt dynamic=4/6",
        "dt_1 =, dt_2 =, dt_3 =, dt_4 gone, +1 dt:free; dt 4/6",
    );
}

#[test]
fn f16_static_becomes_dynamic() {
    sync("t: s1 s2 s3", "pool t dynamic=10/10", "s1 =, s2 =, s3 =, +7 t:free; t 10/10");
}

#[test]
fn f17_dynamic_becomes_static() {
    sync(
        "t 10/10: s1 s2 s3 u1 u2 u3 u4 u5 u6 u7",
        "pool t names=s1,s2,s3",
        "s1 =, s2 =, s3 =, u1 tbd, u2 tbd, u3 tbd, u4 tbd, u5 tbd, u6 tbd, u7 tbd; t 0/0",
    );
}

#[test]
fn f18_a_name_that_changes_type_is_made_anew() {
    let config = "pool type-0 names=a1\npool type-1 names=a2,b1";
    sync("type-0: a1 a2\ntype-1: b1", config, "a1 =, a2 new type-1:free, b1 =");
}

#[test]
fn g01_within_the_counts_nothing_happens() {
    update("dt 1/4: dt_1\nt: t_1", "dt_1 =, t_1 =; dt 1/4");
}

#[test]
fn g02_no_minimum_no_resource() {
    update("dt 0/4:", "; dt 0/4");
}

#[test]
fn g03_the_minimum_is_made() {
    update("dt 2/4:", "+2 dt:free; dt 2/4");
}

#[test]
fn g04_only_the_expired_idle_one_is_marked() {
    update("dt 1/4: dt_1? dt_2! dt_3:busy[o]! dt_4:toBeDeleted!", "dt_1 =, dt_2 tbd, dt_3 =, dt_4 =; dt 1/4");
}

#[test]
fn g05_the_surplus_is_marked() {
    update("dt 1/2: dt_1 dt_2 dt_4:busy[o]", "dt_1 =, dt_2 tbd, dt_4 =; dt 1/2");
}

#[test]
fn g06_busy_ones_count_against_the_maximum() {
    update("dt 1/2: dt_1 dt_2:busy[o] dt_3:busy[o] dt_4:busy[o]", "dt_1 tbd, dt_2 =, dt_3 =, dt_4 =; dt 1/2");
}

#[test]
fn g07_tombstones_are_replaced_up_to_the_minimum() {
    update(
        "dt 4/8: dt_1 dt_2:busy[o] dt_3:toBeDeleted dt_4:tombstone",
        "dt_1 =, dt_2 =, dt_3 =, dt_4 gone, +1 dt:free; dt 4/8",
    );
}

#[test]
fn g08_a_lame_duck_lives_until_its_last_resource() {
    update("dt 0/0: dt_1 dt_2 dt_3:tombstone dt_4:busy[o]", "dt_1 tbd, dt_2 tbd, dt_3 gone, dt_4 =; dt 0/0");
}

#[test]
fn g09_a_lame_duck_without_resources_goes() {
    update("dt 0/0:", "");
}

#[test]
fn g10_a_lame_duck_with_tombstones_only_goes_with_them() {
    update("dt 0/0: dt_1:tombstone dt_2:tombstone", "dt_1 gone, dt_2 gone");
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
