//! Waiters who poll, fall silent, leave or come back; selectors that two kinds of waiters share.

use expect_test::expect;

use crate::script::{Stage, check};

#[test]
fn a_poller_and_a_push_waiter_stand_in_one_line() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p
        0 ann b-acquire p free busy id=1
        0 bob take p wait
        1s x release L1
        2s eve take p
        3s ann b-acquire p free busy id=1
        4s ann b-release a free
        5s bob release L3
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 600s | L1 +a x free>leased
            0: no: nothing is free in pool "p" in state "free" | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            1s: L1 x [a] Released | L1 -a Released leased>free, over
            2s: no: unavailable [p 0 of 1 to be had in state free: 1 reserved]
            3s: ann holds a:busy | L2 +a ann free>busy
            4s: done | L2 -a Released busy>free, over; L3 +a bob free>leased; R2 gets L3
            5s: L3 bob [a] Released | L3 -a Released leased>free, over
        "#]],
    );
}

#[test]
fn a_push_waiter_behind_a_poller_that_fell_silent_is_served() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p
        0 ann b-acquire p free busy id=1
        10s bob take p wait
        11s x release L1
        30s - tick
        30s+ - tick
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 600s | L1 +a x free>leased
            0: no: nothing is free in pool "p" in state "free" | R1 ann queued
            10s: R2 is #2, 0 of 1 | R2 bob queued
            11s: L1 x [a] Released | L1 -a Released leased>free, over
            30s: done
            30s+: done | L2 +a bob free>leased; R2 gets L2
        "#]],
    );
}

/// Silent at 30 s, forgotten at 60 s; exact.
#[test]
fn a_waiter_that_fell_silent_is_passed_over_and_may_come_back() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p ttl=1h
        0 ann take p wait
        1s bob take p wait
        29s - poll R2
        30s - tick
        30s+ - tick
        31s - poll R1
        32s x release L1
        40s ann release L2
        59s+ - tick
        70s bob release L3
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 3600s | L1 +a x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            1s: R2 is #2, 0 of 1 | R2 bob queued
            29s: R2 is #2, 0 of 1
            30s: done
            30s+: done
            31s: R1 is #1, 0 of 1
            32s: L1 x [a] Released | L1 -a Released leased>free, over; L2 +a ann free>leased; R1 gets L2
            40s: L2 ann [a] Released | L2 -a Released leased>free, over; L3 +a bob free>leased; R2 gets L3
            59s+: done
            70s: L3 bob [a] Released | L3 -a Released leased>free, over
        "#]],
    );
}

#[test]
fn a_silent_waiter_lapses_after_its_grace() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p ttl=1h
        0 ann take p wait
        60s - tick
        60s+ - tick
        61s - poll R1
        61s x release L1
        660s+ - poll R1
        660s+ - tick
        661s - poll R1
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 3600s | L1 +a x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            60s: done
            60s+: done | R1 lapsed; R1 ends
            61s: settled: R1 ann lapsed dormant
            61s: L1 x [a] Released | L1 -a Released leased>free, over
            660s+: settled: R1 ann lapsed dormant
            660s+: done
            661s: no: there is no request 1
        "#]],
    );
}

#[test]
fn a_waiter_that_comes_back_to_something_free_gets_it_at_once() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p ttl=1h
        0 ann take p wait
        31s x release L1
        32s - poll R1
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 3600s | L1 +a x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            31s: L1 x [a] Released | L1 -a Released leased>free, over
            32s: L2 ann [a] until 632s | L2 +a ann free>leased; R1 gets L2
        "#]],
    );
}

#[test]
fn who_leaves_the_line_lets_the_next_one_have_it() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 x take @a
        0 ann take p*2 wait
        0 bob take p wait
        1s - withdraw R1
        1s - withdraw R1
        2s - poll R1
        2s - withdraw R9
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 x [a] until 600s | L1 +a x free>leased
            0: R1 is #1, 1 of 2 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            1s: done | R1 withdrawn; L2 +b bob free>leased; R1 ends; R2 gets L2
            1s: done
            2s: settled: R1 ann withdrawn
            2s: no: there is no request 9
        "#]],
    );
}

#[test]
fn after_a_restart_everybody_has_a_full_request_ttl() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p ttl=1h
        0 ann take p wait
        0 bob b-acquire p free busy id=1
        1000s - resume
        1030s - tick
        1030s - poll R1
        1031s - tick
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 3600s | L1 +a x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: no: nothing is free in pool "p" in state "free" | R2 bob queued
            1000s: done
            1030s: done
            1030s: R1 is #1, 0 of 1
            1031s: done
        "#]],
    );
}

#[test]
fn a_cordon_keeps_waiters_waiting_and_its_end_serves_them() {
    check(
        "
        pool p names=a
        0 - sync
        0 - patch a cordon=fan
        0 ann take p
        0 ann take p wait
        0 bob take @a
        1s - patch a uncordon
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: a in p free cordoned: fan | a cordoned
            0: no: unavailable [p 0 of 1 to be had in state free: 1 cordoned (fan)]
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: no: unavailable [a cordoned: fan]
            1s: a in p free | a uncordoned; L1 +a ann free>leased; R1 gets L1
        "#]],
    );
}

#[test]
fn a_cordon_ends_by_itself_and_serves_whoever_waits() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 - patch a cordon=fan until=10s
        0 - patch b cordon=psu until=10s
        0 ann take p wait
        0 bob take @b
        10s - tick
        10s+ - tick
        10s+ bob take @b
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: a in p free cordoned: fan until 10s | a cordoned
            0: b in p free cordoned: psu until 10s | b cordoned
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: no: unavailable [b cordoned: psu]
            10s: done
            10s+: done | a uncordoned (the time of its cordon is over); b uncordoned (the time of its cordon is over); L1 +a ann free>leased; R1 gets L1
            10s+: L2 bob [b] until 610s+ | L2 +b bob free>leased
        "#]],
    );
}

#[test]
fn waiters_of_other_states_do_not_mix() {
    check(
        "
        pool p names=a state=dirty
        0 - sync
        0 ann take p:free wait
        0 jan take p:dirty to=cleaning
        1s jan release L1 to=free
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >dirty
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: L1 jan [a] until 600s | L1 +a jan dirty>cleaning
            1s: L1 jan [a] Released | L1 -a Released cleaning>free, over; L2 +a ann free>leased; R1 gets L2
        "#]],
    );
}

#[test]
fn equal_priority_is_first_come_first_served_across_pools() {
    check(
        "
        pool p names=a
        pool q names=b
        0 - sync
        0 x take p+q
        0 ann take p+q wait
        0 bob take q+p wait
        0 cid take q wait
        1s x release L1 targets=b
        1s x release L1
        2s ann release L2
        3s bob release L3
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; pool q made; a made in p >free; b made in q >free
            0: L1 x [a,b] until 600s | L1 +a x free>leased; L1 +b x free>leased
            0: R1 is #1, 0 of 1 and 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 and 0 of 1 | R2 bob queued
            0: R3 is #3, 0 of 1 | R3 cid queued
            1s: L1 x [a] returned [b] | L1 -b Released leased>free
            1s: L1 x [a] returned [b] Released | L1 -a Released leased>free, over; L2 +a ann free>leased; L2 +b ann free>leased; R1 gets L2
            2s: L2 ann [a,b] Released | L2 -a Released leased>free; L2 -b Released leased>free, over; L3 +b bob free>leased; L3 +a bob free>leased; R2 gets L3
            3s: L3 bob [b,a] Released | L3 -b Released leased>free; L3 -a Released leased>free, over; L4 +b cid free>leased; R3 gets L4
        "#]],
    );
}

#[test]
fn labels_must_all_be_carried_by_the_same_resource() {
    check(
        "
        pool p names=a labels=k=1
        pool p names=b labels=j=1 also
        0 - sync
        0 ann take p{k=1,j=1}
        0 - put c pool=p labels=k=1,j=1
        0 - put d pool=p labels=k=1,j=2
        0 ann take p{k=1,j=1}
        0 bob take p{k=1,j=1} wait
        1s - patch b labels=k=1
        1s - patch a labels=k=1,j=1
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: no: the request can never be met: 1 asked for, 0 of pool "p" carry the labels j=1,k=1
            0: new c in p free {"j": "1", "k": "1"} | c made in p >free
            0: new d in p free {"j": "2", "k": "1"} | d made in p >free
            0: L1 ann [c] until 600s | L1 +c ann free>leased
            0: R1 is #1, 0 of 1 | R1 bob queued
            1s: b in p free {"k": "1"} | b changed free>free
            1s: a in p free {"j": "1", "k": "1"} | a changed free>free; L2 +a bob free>leased; R1 gets L2
        "#]],
    );
}

#[test]
fn whoever_takes_another_out_of_line_is_named_in_the_history() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p
        0 ann take p wait
        0 bob take p wait
        0 cleo take p wait
        1s dave withdraw R1 reason=needed
        2s dave withdraw R2
        3s cleo withdraw R3 reason=bored
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 600s | L1 +a x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            0: R3 is #3, 0 of 1 | R3 cleo queued
            1s: done | R1 withdrawn (by dave: needed); R1 ends
            2s: done | R2 withdrawn (by dave); R2 ends
            3s: done | R3 withdrawn (bored); R3 ends
        "#]],
    );
}

#[test]
fn a_poller_that_is_withdrawn_lets_the_next_one_have_its_share() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p
        0 ann b-acquire p free busy id=1
        0 bob take p wait
        1s x release L1
        2s - withdraw R1
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 600s | L1 +a x free>leased
            0: no: nothing is free in pool "p" in state "free" | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            1s: L1 x [a] Released | L1 -a Released leased>free, over
            2s: done | R1 withdrawn; L2 +a bob free>leased; R1 ends; R2 gets L2
        "#]],
    );
}

/// One of two targets that are wanted in the same line leaves the pool: the request stays in that line.
#[test]
fn a_waiter_for_two_targets_keeps_its_place_when_one_of_them_is_deleted() {
    check(
        "
        pool p names=v,w
        0 - sync
        0 - put u pool=p
        0 x take @u,v
        0 ann take @u,v wait
        0 bob take @v wait
        1s x release L1 targets=u
        1s - delete u
        1s - poll R2
        2s x release L1
        3s ann release L2 targets=v
        ",
        &expect![[r#"
            0: synced +[v,w] -[] later[] | pool p made; v made in p >free; w made in p >free
            0: new u in p free | u made in p >free
            0: L1 x [u,v] until 600s | L1 +u x free>leased; L1 +v x free>leased
            0: R1 is #1, 0 of 1 and 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            1s: L1 x [v] returned [u] | L1 -u Released leased>free
            1s: done | u gone from p free>
            1s: R2 is #2, 0 of 1
            2s: L1 x [v] returned [u] Released | L1 -v Released leased>free, over; L2 +u ann; L2 +v ann free>leased; R1 gets L2
            3s: L2 ann [u] returned [v] | L2 -v Released leased>free; L3 +v bob free>leased; R2 gets L3
        "#]],
    );
}

/// Only those who wait count towards the limit; the outcomes of others are forgotten early instead.
#[test]
fn many_who_were_served_do_not_keep_newcomers_out() {
    use lessor_ledger::{Command, Reply, limits};

    use crate::script::parse;

    let mut ledger = lessor_ledger::Ledger::new(lessor_ledger::Settings::default());
    let now = parse::time("1s");
    let mut file = Vec::new();
    parse::pool(&mut file, "p", &["names=a"]);
    assert!(ledger.apply(Command::Sync(file), now).reply.is_ok());
    let take = || parse::command(&[], "ann", "take", &["p", "wait"]);
    let mut step = ledger.apply(take(), now);
    for _ in 0..limits::OUTCOMES_MAX + 10 {
        let lease = ledger.leases_after(None).next().map(|lease| lease.id).expect("somebody holds it");
        step = ledger.apply(take(), now);
        assert!(matches!(step.reply, Ok(Reply::Queued(..))), "{:?}", step.reply);
        let release = Command::Release { lease, owner: None, targets: None, to_state: None };
        assert!(ledger.apply(release, now).reply.is_ok());
    }
    assert!(step.reply.is_ok());
    assert_eq!(ledger.request_count(), limits::OUTCOMES_MAX + 1);
}

/// A dormant one takes nothing from those behind it, and gets nothing of what those ahead keep.
#[test]
fn the_places_of_many_are_found_together() {
    let mut stage = Stage::new();
    stage.play(
        "
        pool p names=a
        pool q names=b
        0 - sync
        0 x take q ttl=1h
        0 ann take p+q wait
        0 bob take p+q wait
        0 cid take p+q wait
        0 dan take q wait
        20s - poll R2
        20s - poll R4
        31s - tick
        ",
    );
    let requests: Vec<_> = stage.ledger.requests_after(None).cloned().collect();
    let places = stage.ledger.places(&requests);
    let told = places.values().map(|place| {
        let there: Vec<u32> = place.blockers.iter().map(|blocker| blocker.there).collect();
        (place.position, there)
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [(1, vec![1, 0]), (1, vec![1, 0]), (2, vec![0, 0]), (2, vec![0])]);
}
