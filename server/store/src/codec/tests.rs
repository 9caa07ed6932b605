//! Every change comes back from its bytes as it was, and bytes of another version are read as promised.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use lessor_ledger::{
    Addresses, Answer, Cause, Change, Cordon, Details, Dialect, EndCause, Ended, Ending, Event, EventId,
    EventKind, Job, JobRecord, JobTarget, Key, Lease, LeaseId, Lifecycle, Lock, Move, Origin, Outcome, Owner,
    Part, Phase, Pickup, PluginName, PluginOrigin, PluginRecord, PluginVersion, Pool, PoolName, PoolOrigin,
    Request, RequestId, Resource, Span, State, Target, TargetFacts, Text, Time, Verdict,
};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn text() -> impl Strategy<Value = Text> {
    select(vec!["", "a", "gpu-1", "ümlaut", "a\u{0}b", "👩‍🔬"]).prop_map(Text::from)
}

fn name<T: Debug>(make: impl Fn(String) -> T + Clone) -> impl Strategy<Value = T> {
    prop_oneof![
        4 => "[a-z]{1,3}(-[0-9]{1,2})?",
        1 => Just("é".repeat(lessor_ledger::limits::NAME_BYTES_MAX / 2)),
    ]
    .prop_map(make)
}

fn target() -> impl Strategy<Value = Target> {
    name(|text| Target::new(text).unwrap())
}

fn pool_name() -> impl Strategy<Value = PoolName> {
    name(|text| PoolName::new(text).unwrap())
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![Just(State::free()), Just(State::dirty()), name(|text| State::new(text).unwrap())]
}

fn owner() -> impl Strategy<Value = Owner> {
    name(|text| Owner::new(text).unwrap())
}

fn nanos() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), Just(-1), Just(0), Just(i64::MAX), any::<i64>()]
}

fn time() -> impl Strategy<Value = Time> {
    nanos().prop_map(Time::from_nanos)
}

fn span() -> impl Strategy<Value = Span> {
    nanos().prop_map(Span::from_nanos)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(23), Just(24), Just(u64::MAX), any::<u64>()]
}

fn pairs() -> impl Strategy<Value = BTreeMap<Text, Text>> {
    btree_map(text(), text(), 0..4)
}

fn lifecycle() -> impl Strategy<Value = Lifecycle> {
    let counts = (any::<i64>(), any::<i64>());
    (counts, of(span()), of((text(), text())), btree_map(text(), any::<i64>(), 0..3)).prop_map(
        |((min_count, max_count), lifespan, config, needs)| Lifecycle {
            min_count,
            max_count,
            lifespan,
            config,
            needs,
        },
    )
}

fn pool() -> impl Strategy<Value = Pool> {
    let origin = select(vec![PoolOrigin::Config, PoolOrigin::Api, PoolOrigin::Retired]);
    let spans = (of(span()), of(span()), of(span()));
    (pool_name(), origin, state(), of(lifecycle()), spans, of(state())).prop_map(
        |(name, origin, initial_state, lifecycle, (default_ttl, max_ttl, reap_after), on_expire)| Pool {
            name,
            origin,
            initial_state,
            lifecycle,
            default_ttl,
            max_ttl,
            on_expire,
            reap_after,
        },
    )
}

fn addresses() -> impl Strategy<Value = Addresses> {
    (of(text()), of(any::<u32>()), of(any::<u128>())).prop_map(|(fqdn, ipv4, ipv6)| Addresses {
        fqdn,
        ipv4: ipv4.map(Ipv4Addr::from_bits),
        ipv6: ipv6.map(Ipv6Addr::from_bits),
    })
}

fn details() -> impl Strategy<Value = Details> {
    let cordon =
        (text(), time(), of(time())).prop_map(|(message, since, until)| Cordon { message, since, until });
    let plain =
        (pairs(), pairs(), addresses(), of(cordon)).prop_map(|(labels, user_data, addresses, cordon)| {
            Details { labels: labels.into(), user_data, addresses, cordon, moves_to: None }
        });
    let plain = plain.boxed();
    let moved = (pool_name(), state(), plain.clone()).prop_map(|(pool, state, details)| Move {
        pool,
        state,
        details,
    });
    (plain, of(moved)).prop_map(|(details, moved)| Details { moves_to: moved.map(Box::new), ..details })
}

fn resource() -> impl Strategy<Value = Resource> {
    let origin = select(vec![Origin::Listed, Origin::Dynamic, Origin::Api, Origin::Leaving]);
    let times = (time(), time(), of(time()));
    (target(), pool_name(), state(), origin, times, number(), of(details())).prop_map(
        |(name, pool, state, origin, (created_at, updated_at, expires_at), revision, details)| Resource {
            name,
            pool,
            state,
            origin,
            created_at,
            updated_at,
            expires_at,
            revision,
            details: details.map(Arc::new),
        },
    )
}

fn lock() -> impl Strategy<Value = Lock> {
    (target(), number(), owner(), time(), of(time()), any::<bool>()).prop_map(
        |(target, lease, owner, taken_at, deadline, lapsed)| Lock {
            target,
            lease: LeaseId(lease),
            owner,
            taken_at,
            deadline,
            lapsed,
        },
    )
}

fn cause() -> impl Strategy<Value = Cause> {
    select(vec![
        Cause::Released,
        Cause::Expired,
        Cause::Reaped,
        Cause::Reset,
        Cause::Forced,
        Cause::TakenOver,
        Cause::Collected,
        Cause::Deleted,
        Cause::Cleaned,
        Cause::Uncollected,
    ])
}

fn dialect() -> impl Strategy<Value = Dialect> {
    select(vec![Dialect::Boskos, Dialect::Contest, Dialect::V1])
}

fn lease() -> impl Strategy<Value = Lease> {
    let ended = (time(), cause(), of(owner()), of(text()));
    let ended = ended.prop_map(|(at, cause, by, reason)| Ended { at, cause, by, reason });
    let before = vec((target(), state()), 0..4).prop_map(|before| before.into_iter().collect());
    let pickup = (time(), before).prop_map(|(by, before)| Box::new(Pickup { by, before }));
    let who = (number(), owner(), dialect(), of(number()));
    let targets = (vec(target(), 0..4), vec(target(), 0..4));
    (who, targets, (time(), time()), of(span()), (of(text()), of(text())), (of(pickup), of(ended))).prop_map(
        |(
            (id, owner, dialect, request),
            (targets, returned),
            (granted_at, renewed_at),
            ttl,
            (purpose, key),
            (pickup, ended),
        )| {
            Lease {
                id: LeaseId(id),
                owner,
                dialect,
                targets,
                returned,
                granted_at,
                renewed_at,
                ttl,
                purpose,
                key,
                request: request.map(RequestId),
                pickup,
                ended,
            }
        },
    )
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        (pool_name(), state(), pairs(), any::<u32>()).prop_map(|(pool, state, labels, count)| Part::Pool {
            pool,
            state,
            labels,
            count
        }),
        (vec(target(), 0..4), of(pool_name()), state()).prop_map(|(targets, pool, state)| Part::Named {
            targets,
            pool,
            state
        }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        (number(), time()).prop_map(|(lease, at)| Outcome::Granted { lease: LeaseId(lease), at }),
        time().prop_map(|at| Outcome::Withdrawn { at }),
        time().prop_map(|at| Outcome::Lapsed { at }),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let who = (number(), owner(), dialect(), any::<i32>());
    let what = (vec(part(), 0..3), state(), of(span()));
    let texts = (of(text()), of(text()));
    (who, what, texts, (time(), time()), any::<bool>(), of(outcome())).prop_map(
        |(
            (id, owner, dialect, priority),
            (parts, to_state, ttl),
            (purpose, key),
            (since, live_until),
            dormant,
            outcome,
        )| {
            Request {
                id: RequestId(id),
                owner,
                dialect,
                parts,
                to_state,
                ttl,
                priority,
                purpose,
                key,
                since,
                live_until,
                dormant,
                outcome,
            }
        },
    )
}

fn key() -> impl Strategy<Value = Key> {
    let answer = prop_oneof![
        number().prop_map(|id| Answer::Lease(LeaseId(id))),
        number().prop_map(|id| Answer::Request(RequestId(id))),
        number().prop_map(|id| Answer::Job(Job(id))),
    ];
    (owner(), text(), number(), answer, time()).prop_map(|(owner, text, fingerprint, outcome, at)| Key {
        owner,
        text,
        fingerprint,
        outcome,
        at,
    })
}

fn plugin_name() -> impl Strategy<Value = PluginName> {
    name(|text| PluginName::new(text).unwrap())
}

fn phase() -> impl Strategy<Value = Phase> {
    let verdict = select(vec![Verdict::Completed, Verdict::Failed, Verdict::Cancelled]);
    prop_oneof![
        time().prop_map(|until| Phase::Acquiring { until }),
        time().prop_map(|until| Phase::Leased { until }),
        (any::<u32>(), time()).prop_map(|(attempt, until)| Phase::Releasing { attempt, until }),
        (any::<u32>(), time()).prop_map(|(attempts, retry_at)| Phase::Stuck { attempts, retry_at }),
        (time(), verdict).prop_map(|(at, verdict)| Phase::Over { at, verdict }),
    ]
}

fn job_target() -> impl Strategy<Value = JobTarget> {
    let facts = (of(text()), of(text()), of(text()), of(text()), pairs()).prop_map(
        |(fqdn, ipv4, ipv6, manager_state, labels)| TargetFacts { fqdn, ipv4, ipv6, manager_state, labels },
    );
    (target(), facts).prop_map(|(id, facts)| JobTarget { id, facts })
}

fn ending() -> impl Strategy<Value = Ending> {
    let causes = vec![
        EndCause::Asked,
        EndCause::Expired,
        EndCause::Lost,
        EndCause::NotAcquired,
        EndCause::AcquireTimeout,
        EndCause::Interrupted,
    ];
    (select(causes), time(), of(text())).prop_map(|(cause, at, reason)| Ending { cause, at, reason })
}

fn job() -> impl Strategy<Value = JobRecord> {
    let who = (number(), owner(), plugin_name(), text(), text());
    let spans = (span(), span(), span(), time(), of(time()));
    (who, spans, phase(), vec(job_target(), 0..3), of(ending()), of(text())).prop_map(
        |(who, spans, phase, targets, ending, failure)| JobRecord {
            id: Job(who.0),
            owner: who.1,
            manager: who.2,
            acquire_parameters: who.3,
            release_parameters: who.4,
            acquire_timeout: spans.0,
            lock_duration: spans.1,
            release_timeout: spans.2,
            started_at: spans.3,
            renewed_at: spans.4,
            phase,
            targets,
            ending,
            failure,
        },
    )
}

fn plugin() -> impl Strategy<Value = PluginRecord> {
    let version = || (text(), text()).prop_map(|(digest, spec)| PluginVersion { digest, spec });
    let origin = select(vec![PluginOrigin::Config, PluginOrigin::Api]);
    (plugin_name(), version(), of(version()), any::<bool>(), origin, time(), time()).prop_map(
        |(name, version, previous, enabled, origin, installed_at, changed_at)| PluginRecord {
            name,
            version,
            previous,
            enabled,
            origin,
            installed_at,
            changed_at,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let ids = (number(), of(number()), of(number()));
    let names = (of(target()), of(pool_name()), of(owner()), of(plugin_name()), of(state()), of(state()));
    (ids, time(), select(EventKind::ALL.to_vec()), names, of(cause()), of(text())).prop_map(
        |((id, lease, request), at, kind, (target, pool, owner, plugin, from, to), cause, note)| Event {
            id: EventId(id),
            at,
            kind,
            target,
            pool,
            lease: lease.map(LeaseId),
            request: request.map(RequestId),
            owner,
            plugin,
            from,
            to,
            cause,
            note,
        },
    )
}

fn record_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        pool().prop_map(|it| Change::Pool(it.into())),
        pool_name().prop_map(Change::PoolGone),
        resource().prop_map(|it| Change::Resource(it.into())),
        target().prop_map(Change::ResourceGone),
        lock().prop_map(|it| Change::Lock(it.into())),
        target().prop_map(Change::LockGone),
        lease().prop_map(|it| Change::Lease(it.into())),
        request().prop_map(|it| Change::Request(it.into())),
        number().prop_map(|id| Change::RequestGone(RequestId(id))),
        key().prop_map(|it| Change::Key(it.into())),
        (owner(), text()).prop_map(|(owner, text)| Change::KeyGone(owner, text)),
        job().prop_map(|it| Change::Job(it.into())),
        number().prop_map(|id| Change::JobGone(Job(id))),
        plugin().prop_map(|it| Change::Plugin(it.into())),
        plugin_name().prop_map(Change::PluginGone),
    ]
}

proptest! {
    #[test]
    fn changes_come_back_as_they_were(changes in vec(record_change(), 0..20)) {
        let (mut records, mut events) = (Vec::new(), Vec::new());
        for change in &changes {
            encode_change(change, &mut records, &mut events);
        }
        let mut back = Vec::new();
        decode_changes(&records, &mut Names::new(), |change| back.push(change)).unwrap();
        prop_assert_eq!(&back, &changes);
        prop_assert!(events.is_empty());
        let over: Vec<_> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Lease(lease) if lease.ended.is_some() => Some(lease.id),
                _ => None,
            })
            .collect();
        prop_assert_eq!(&ended_leases(&records).unwrap(), &over);
        let kept: Vec<u8> =
            ended_records(&records).unwrap().into_iter().flat_map(|range| records[range].to_vec()).collect();
        let mut ends = Vec::new();
        decode_changes(&kept, &mut Names::new(), |change| ends.push(change)).unwrap();
        let ended = |change: &&Change| matches!(change, Change::Lease(lease) if lease.ended.is_some());
        prop_assert_eq!(ends, changes.iter().filter(ended).cloned().collect::<Vec<_>>());
    }

    #[test]
    fn events_come_back_as_they_were(event in event()) {
        let (mut records, mut events) = (Vec::new(), Vec::new());
        encode_change(&Change::Event(event.clone().into()), &mut records, &mut events);
        prop_assert!(records.is_empty());
        prop_assert_eq!(decode::<EventRecord<'_>>(&events, &mut Names::new()).unwrap(), event);
    }

    #[test]
    fn damaged_bytes_are_an_error_or_another_value_and_never_a_panic(
        change in record_change(),
        flips in vec((any::<prop::sample::Index>(), 1u8..), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut records, mut events) = (Vec::new(), Vec::new());
        encode_change(&change, &mut records, &mut events);
        for (index, flip) in flips {
            let at = index.index(records.len());
            records[at] ^= flip;
        }
        let _ = decode_changes(&records, &mut Names::new(), |_| {});
        let _ = ended_leases(&records);
        records.truncate(cut.index(records.len()));
        let _ = decode_changes(&records, &mut Names::new(), |_| {});
    }
}

#[test]
fn fields_of_a_later_version_are_skipped_and_optional_ones_may_be_absent() {
    let mut bytes = Vec::new();
    let mut e = minicbor::Encoder::new(&mut bytes);
    e.map(5).unwrap();
    e.u8(0).unwrap().str("gpu-1").unwrap();
    e.u8(1).unwrap().u64(7).unwrap();
    e.u8(2).unwrap().str("ann").unwrap();
    e.u8(3).unwrap().i64(5).unwrap();
    e.u8(99)
        .unwrap()
        .array(2)
        .unwrap()
        .str("new")
        .unwrap()
        .map(1)
        .unwrap()
        .u8(0)
        .unwrap()
        .bool(true)
        .unwrap();
    let lock = decode::<LockRecord<'_>>(&bytes, &mut Names::new()).unwrap();
    let due = Lock {
        target: Target::new("gpu-1").unwrap(),
        lease: LeaseId(7),
        owner: Owner::new("ann").unwrap(),
        taken_at: Time::from_nanos(5),
        deadline: None,
        lapsed: false,
    };
    assert_eq!(lock, due);
}

#[test]
fn an_unknown_code_is_an_error_and_not_another_meaning() {
    let error = decode_changes(&[200], &mut Names::new(), |_| {}).unwrap_err();
    assert!(error.to_string().contains("value is damaged"), "{error}");
    let error = decode_changes(&[15], &mut Names::new(), |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "unknown change code 15");
}

#[test]
fn names_are_shared_by_what_is_loaded_together() {
    // Up to 23 bytes a name holds itself; only longer ones are shared.
    let mut names = Names::new();
    let text = "a name too long to lie in itself";
    let one = names.pool(text).unwrap();
    let two = names.pool(text).unwrap();
    assert!(std::ptr::eq(one.as_str(), two.as_str()));
}

#[test]
fn labels_are_shared_by_what_is_loaded_together() {
    let mut names = Names::new();
    let mut load = || names.labels([("site".into(), "ber".into())].into());
    let (one, two) = (load(), load());
    assert!(std::ptr::eq(&raw const *one, &raw const *two));
}
