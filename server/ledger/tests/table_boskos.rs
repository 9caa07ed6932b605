//! The Boskos operations: `reference/boskos.md` §3 and §6.

use expect_test::expect;

use crate::script::check;

/// Statements 28–31, 34.
#[test]
fn acquire_takes_the_least_recently_used() {
    check(
        "
        pool p names=c,a,b
        0 - sync
        1s ann b-acquire p free busy
        1s ann b-release a free
        2s ann b-acquire p free free
        2s ann b-release b free
        3s bob b-acquire p free busy
        3s bob b-acquire p free busy
        3s bob b-acquire p free busy
        3s bob b-acquire p free busy
        3s bob b-acquire zz free busy
        3s bob b-acquire p dirty busy
        3s - show a
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free
            1s: ann holds a:busy | L1 +a ann free>busy
            1s: done | L1 -a Released busy>free, over
            2s: ann holds b:free | L2 +b ann free>free
            2s: done | L2 -b Released, over
            3s: bob holds c:busy | L3 +c bob free>busy
            3s: bob holds a:busy | L4 +a bob free>busy
            3s: bob holds b:busy | L5 +b bob free>busy
            3s: no: nothing is free in pool "p" in state "free"
            3s: no: there is no pool "zz"
            3s: no: nothing is free in pool "p" in state "dirty"
            a in p busy @3s rev 8, bob L4 since 3s until for ever
        "#]],
    );
}

/// Statements 39–42, 44.
#[test]
fn pollers_keep_their_rank() {
    check(
        "
        pool p names=a
        0 - sync
        0 ann b-acquire p free busy
        1s bob b-acquire p free busy id=1
        2s cid b-acquire p free busy id=2
        3s ann b-release a free
        4s eve b-acquire p free busy
        5s cid b-acquire p free busy id=2
        6s bob b-acquire p free busy id=1
        7s bob b-release a free
        8s bob b-acquire p free busy id=1
        9s cid b-acquire p free busy id=2
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: ann holds a:busy | L1 +a ann free>busy
            1s: no: nothing is free in pool "p" in state "free" | R1 bob queued
            2s: no: nothing is free in pool "p" in state "free" | R2 cid queued
            3s: done | L1 -a Released busy>free, over
            4s: no: nothing is free in pool "p" in state "free"
            5s: no: nothing is free in pool "p" in state "free"
            6s: bob holds a:busy | L2 +a bob free>busy
            7s: done | L2 -a Released busy>free, over
            8s: no: nothing is free in pool "p" in state "free" | R3 bob queued
            9s: cid holds a:busy | L3 +a cid free>busy
        "#]],
    );
}

/// Statement 44.
#[test]
fn rank_two_gets_the_second_oldest() {
    check(
        "
        pool p names=a,b,c
        0 - sync
        0 x b-by-state free busy a,b,c
        1s bob b-acquire p free busy id=1
        1s cid b-acquire p free busy id=2
        2s x b-release c free
        3s x b-release b free
        4s cid b-acquire p free busy id=2
        5s bob b-acquire p free busy id=1
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free
            0: x holds a:busy,b:busy,c:busy | L1 +a x free>busy; L1 +b x free>busy; L1 +c x free>busy
            1s: no: nothing is free in pool "p" in state "free" | R1 bob queued
            1s: no: nothing is free in pool "p" in state "free" | R2 cid queued
            2s: done | L1 -c Released busy>free
            3s: done | L1 -b Released busy>free
            4s: cid holds b:busy | L2 +b cid free>busy
            5s: bob holds c:busy | L3 +c bob free>busy
        "#]],
    );
}

/// Statements 43, 45, 46, Q4; at exactly 30 s it is still alive.
#[test]
fn a_silent_poller_holds_nobody_up_and_may_come_back_for_a_while() {
    check(
        "
        pool p names=a
        0 - sync
        0 ann b-acquire p free busy
        0 bob b-acquire p free busy id=1
        1s cid b-acquire p free busy id=2
        2s ann b-release a free
        30s eve b-acquire p free busy
        30s+ cid b-acquire p free busy id=2
        31s cid b-release a free
        32s bob b-acquire p free busy id=1
        33s bob b-release a dirty
        40s bob b-acquire p free busy id=3
        41s cid b-acquire p free busy id=4
        100s - tick
        100s+ bob b-acquire p free busy id=3
        101s - tick
        101s+ - tick
        102s - show p
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: ann holds a:busy | L1 +a ann free>busy
            0: no: nothing is free in pool "p" in state "free" | R1 bob queued
            1s: no: nothing is free in pool "p" in state "free" | R2 cid queued
            2s: done | L1 -a Released busy>free, over
            30s: no: nothing is free in pool "p" in state "free"
            30s+: cid holds a:busy | L2 +a cid free>busy
            31s: done | L2 -a Released busy>free, over
            32s: bob holds a:busy | L3 +a bob free>busy
            33s: done | L3 -a Released busy>dirty, over
            40s: no: nothing is free in pool "p" in state "free" | R3 bob queued
            41s: no: nothing is free in pool "p" in state "free" | R4 cid queued
            100s: done
            100s+: no: nothing is free in pool "p" in state "free" | R3 lapsed; R5 bob queued; R3 ends
            101s: done
            101s+: done | R4 lapsed; R4 ends
            p: static, 0 held of 1, {"dirty": 1}
        "#]],
    );
}

/// Statement 47, Q6.
#[test]
fn lines_are_per_state_and_exist_before_their_pool() {
    check(
        "
        0 bob b-acquire p free busy id=1
        pool p names=a,b state=dirty
        0 - sync
        1s jan b-acquire p dirty cleaning
        1s jan b-release a free
        2s eve b-acquire p free busy
        2s bob b-acquire p free busy id=1
        ",
        &expect![[r#"
            0: no: there is no pool "p" | R1 bob queued
            0: synced +[a,b] -[] later[] | pool p made; a made in p >dirty; b made in p >dirty
            1s: jan holds a:cleaning | L1 +a jan dirty>cleaning
            1s: done | L1 -a Released cleaning>free, over
            2s: no: nothing is free in pool "p" in state "free"
            2s: bob holds a:busy | L2 +a bob free>busy
        "#]],
    );
}

/// §7.3: the same owner and `request_id` while the lease is still held as it was given.
#[test]
fn a_lost_reply_is_answered_again() {
    check(
        "
        pool p names=a,b
        pool q names=c
        0 - sync
        0 ann b-acquire p free busy id=1
        1s ann b-acquire p free busy id=1
        1s bob b-acquire p free busy id=1
        1s ann b-acquire q free busy id=1
        1s ann b-acquire p free busy id=1
        2s ann b-release a free
        2s ann b-acquire p free busy id=1
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; pool q made; a made in p >free; b made in p >free; c made in q >free
            0: ann holds a:busy | L1 +a ann free>busy
            1s: ann holds a:busy
            1s: bob holds b:busy | L2 +b bob free>busy
            1s: ann holds c:busy | L3 +c ann free>busy
            1s: ann holds a:busy
            2s: done | L1 -a Released busy>free, over
            2s: ann holds a:busy | L4 +a ann free>busy
        "#]],
    );
}

#[test]
fn a_v1_lease_with_the_same_key_does_not_hide_a_boskos_one() {
    check(
        "
        pool p names=a,b,c
        0 - sync
        0 ann b-acquire p free busy id=1
        0 ann take p key=1
        0 ann b-acquire p free busy id=1
        0 ann renew L2
        0 ann release L2
        0 ann b-acquire p free busy id=1
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free
            0: ann holds a:busy | L1 +a ann free>busy
            0: L2 ann [b] until 600s | L2 +b ann free>leased
            0: ann holds a:busy
            0: L2 ann [b] until 600s
            0: L2 ann [b] Released | L2 -b Released leased>free, over
            0: ann holds a:busy
        "#]],
    );
}

/// Statements 54–58 and design §3.2.
#[test]
fn by_state_is_all_or_nothing() {
    check(
        "
        pool p names=a,b
        pool q names=c
        0 - sync
        0 ann b-by-state free busy c,a,a
        0 ann b-by-state free busy b,a
        0 ann b-by-state free busy b,zz
        0 ann b-by-state free busy b,_
        0 ann b-by-state free busy -
        0 ann b-by-state busy busy a
        0 - patch b cordon=x
        0 ann b-by-state free busy b
        0 ann b-release a free
        1s ann b-release c free
        2s - patch b uncordon
        3s ann b-by-state free busy b,c,a
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; pool q made; a made in p >free; b made in p >free; c made in q >free
            0: ann holds a:busy,c:busy | L1 +a ann free>busy; L2 +c ann free>busy
            0: no: not all of the named resources are free in state "free"
            0: no: not all of the named resources are free in state "free"
            0: no: not all of the named resources are free in state "free"
            0: no: not all of the named resources are free in state "free"
            0: no: not all of the named resources are free in state "busy"
            0: b in p free cordoned: x | b cordoned
            0: no: not all of the named resources are free in state "free"
            0: done | L1 -a Released busy>free, over
            1s: done | L2 -c Released busy>free, over
            2s: b in p free | b uncordoned
            3s: ann holds a:busy,c:busy,b:busy | L3 +a ann free>busy; L3 +b ann free>busy; L4 +c ann free>busy
        "#]],
    );
}

/// Statements 59–63.
#[test]
fn release_checks_the_holder_and_nothing_else() {
    check(
        "
        pool p names=a
        0 - sync
        0 ann b-release zz free
        0 ann b-release a free
        0 ann b-acquire p free busy
        0 bob b-release a free
        1s ann b-release a whatever
        1s - show a
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: no: there is no resource "zz"
            0: no: a is held by nobody, not by "ann"
            0: ann holds a:busy | L1 +a ann free>busy
            0: no: a is held by ann, not by "bob"
            1s: done | L1 -a Released busy>whatever, over
            a in p whatever @1s rev 3, not held
        "#]],
    );
}

/// Statements 66–73.
#[test]
fn update_merges_user_data_and_is_a_heartbeat() {
    check(
        "
        pool p names=a
        0 - sync
        0 ann b-acquire p free busy
        1s ann b-update zz busy
        1s bob b-update a busy
        1s ann b-update a free k=v
        1s bob b-update a free k=v
        1s ann b-update a busy
        1s - show a
        2s ann b-update a busy 1=1
        2s ann b-update a busy 2=2
        2s ann b-update a busy 1=2
        2s ann b-update a busy 1= 3=
        2s - show a
        3s ann b-release a free
        3s bob b-acquire p free busy
        3s - show a
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: ann holds a:busy | L1 +a ann free>busy
            1s: no: there is no resource "zz"
            1s: no: a is held by ann, not by "bob"
            1s: no: resource "a" is in state "busy", not "free"
            1s: no: a is held by ann, not by "bob"
            1s: done
            a in p busy @1s rev 3, ann L1 since 0s until for ever
            2s: done
            2s: done
            2s: done
            2s: done
            a in p busy data {"2": "2"} @2s rev 7, ann L1 since 0s until for ever
            3s: done | L1 -a Released busy>free, over
            3s: bob holds a:busy | L2 +a bob free>busy
            a in p busy data {"2": "2"} @3s rev 9, bob L2 since 3s until for ever
        "#]],
    );
}

/// Statements 76–81.
#[test]
fn reset_takes_what_was_silent_for_long_enough() {
    check(
        "
        pool p names=a,b,c,d
        pool q names=e
        0 - sync
        0 x b-by-state free busy a,e
        1s y b-acquire p free busy
        2s z b-acquire p free other
        10s - b-reset p busy 11s dirty
        10s - b-reset p busy 10s dirty
        10s - b-reset p busy 10s dirty
        10s - b-reset zz busy 0 dirty
        10s - b-reset p other -1s dirty
        10s - show a b c d e
        ",
        &expect![[r#"
            0: synced +[a,b,c,d,e] -[] later[] | pool p made; pool q made; a made in p >free; b made in p >free; c made in p >free; d made in p >free; e made in q >free
            0: x holds a:busy,e:busy | L1 +a x free>busy; L2 +e x free>busy
            1s: y holds b:busy | L3 +b y free>busy
            2s: z holds c:other | L4 +c z free>other
            10s: reset []
            10s: reset [a from x] | L1 -a Reset busy>dirty, over
            10s: reset []
            10s: reset []
            10s: reset [c from z] | L4 -c Reset other>dirty, over
            a in p dirty @10s rev 10, not held; b in p busy @1s rev 8, y L3 since 1s until for ever; c in p dirty @10s rev 11, not held; d in p free @0s rev 4, not held; e in q busy @0s rev 7, x L2 since 0s until for ever
        "#]],
    );
}

/// A reaper that knows only Boskos must not take what has a deadline of its own, or what a /v1 client keeps renewing.
#[test]
fn a_lease_with_a_deadline_is_left_to_it_and_a_renewed_one_is_not_silent() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 ann take p to=busy ttl=20m
        0 bob b-acquire p free busy
        9m bob renew L2
        18m - b-reset p busy 15m dirty
        19m - b-reset p busy 1m dirty
        24m - b-reset p busy 15m dirty
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 ann [a] until 1200s | L1 +a ann free>busy
            0: bob holds b:busy | L2 +b bob free>busy
            9m: L2 bob [b] for ever
            18m: reset []
            19m: reset [b from bob] | L2 -b Reset busy>dirty, over
            24m: reset [] | L1 -a Expired busy>free, over
        "#]],
    );
}

/// Its locks end by their deadlines, although nobody writes the resources.
#[test]
fn reset_leaves_alone_what_a_contest_job_locks() {
    check(
        "
        pool p names=a,b state=busy
        0 - sync
        0 1 lock 1h a
        0 2 lock 10m b
        9m - b-reset p busy 5m dirty
        12m - b-reset p busy 5m dirty
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >busy; b made in p >busy
            0: locked [a] | L1 +a job:1
            0: locked [b] | L2 +b job:2
            9m: reset []
            12m: reset [] | L2 b lapsed busy>free
        "#]],
    );
}

#[test]
fn a_pool_ttl_makes_boskos_leases_end() {
    check(
        "
        pool p names=a ttl=10s
        pool q names=b reap=10s state=dirty
        0 - sync
        0 ann b-acquire p free busy
        0 ann b-acquire q dirty busy
        5s ann b-update a busy
        10s+ - tick
        15s - tick
        15s+ - tick
        15s+ - show a b
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; pool q made; a made in p >free; b made in q >dirty
            0: ann holds a:busy | L1 +a ann free>busy
            0: ann holds b:busy | L2 +b ann dirty>busy
            5s: done
            10s+: done | L2 -b Reaped busy>dirty, over
            15s: done
            15s+: done | L1 -a Expired busy>free, over
            a in p free @15s+ rev 7, not held; b in q dirty @10s+ rev 6, not held
        "#]],
    );
}

/// Promise P2.
#[test]
fn lease_ids_grow_over_all_dialects() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 ann b-acquire p free busy
        0 1 lock 10s x,y
        0 ann take p
        0 ann b-release a free
        0 ann b-acquire p free busy
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: ann holds a:busy | L1 +a ann free>busy
            0: locked [x,y] | L2 +x job:1; L2 +y job:1
            0: L3 ann [b] until 600s | L3 +b ann free>leased
            0: done | L1 -a Released busy>free, over
            0: ann holds a:busy | L4 +a ann free>busy
        "#]],
    );
}

/// Whoever shows signs of life must not lose what somebody silent keeps, and `max-ttl` holds for both.
#[test]
fn a_pool_takes_back_after_max_ttl_if_that_is_less() {
    check(
        "
        pool p names=a,b reap=1h max-ttl=5s
        0 - sync
        0 ann b-acquire p free busy
        0 bob b-acquire p free busy
        4s ann b-update a busy
        5s+ - tick
        9s+ - tick
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: ann holds a:busy | L1 +a ann free>busy
            0: bob holds b:busy | L2 +b bob free>busy
            4s: done
            5s+: done | L2 -b Reaped busy>free, over
            9s+: done | L1 -a Reaped busy>free, over
        "#]],
    );
}

/// A composite's parts come from several pools; each is held for as long as its own allows.
#[test]
fn what_is_acquired_by_state_has_the_ttl_of_its_pool() {
    check(
        "
        pool aa names=a
        pool bb names=b reap=2s
        pool cc names=c ttl=30s max-ttl=1m
        0 - sync
        0 ann b-by-state free busy c,b,a
        1s ann b-update c busy
        nopool cc
        pool cc names=c ttl=2s max-ttl=3s
        1s - sync
        1s ann b-update c busy
        2s+ - tick
        3s ann b-release a dirty
        4s+ - tick
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool aa made; pool bb made; pool cc made; a made in aa >free; b made in bb >free; c made in cc >free
            0: ann holds a:busy,b:busy,c:busy | L1 +a ann free>busy; L2 +b ann free>busy; L3 +c ann free>busy
            1s: done
            1s: synced +[] -[] later[] | pool cc changed
            1s: done
            2s+: done | L2 -b Reaped busy>free, over
            3s: done | L1 -a Released busy>dirty, over
            4s+: done | L3 -c Expired busy>free, over
        "#]],
    );
}
