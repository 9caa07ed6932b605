//! The ConTest locker: `reference/contest.md` §2, rules 1–26, and where it meets pools.

use expect_test::expect;

use crate::script::check;

/// Rules 1–3.
#[test]
fn a_job_that_is_none_and_a_target_that_is_none_are_refused() {
    check(
        "
        0 0 lock 10s -
        0 0 lock 10s a
        0 0 try 10s a 0
        0 0 unlock -
        0 0 refresh 10s -
        0 1 lock 10s a,_
        0 1 try 10s a,_ 0
        0 1 unlock a,_
        0 1 refresh 10s a,_
        0 1 lock 10s -
        0 1 try 10s - 5
        0 1 unlock -
        0 1 refresh 10s -
        0 2 lock 10s a
        ",
        &expect![[r#"
            0: no: job ID must not be 0
            0: no: job ID must not be 0
            0: no: job ID must not be 0
            0: no: job ID must not be 0
            0: no: job ID must not be 0
            0: no: a target ID must not be empty
            0: no: a target ID must not be empty
            0: no: a target ID must not be empty
            0: no: a target ID must not be empty
            0: locked []
            0: locked []
            0: locked []
            0: locked []
            0: locked [a] | L1 +a job:2
        "#]],
    );
}

/// Rule 7.
#[test]
fn a_lock_is_live_at_its_deadline_and_over_one_nanosecond_later() {
    check(
        "
        0 1 lock 10s a
        10s 2 lock 10s a
        10s+ 2 lock 10s a
        ",
        &expect![[r#"
            0: locked [a] | L1 +a job:1
            10s: no: busy [a is job:1's]
            10s+: locked [a] | L1 a lapsed; L1 -a TakenOver, over; L2 +a job:2
        "#]],
    );
}

/// Rule 11.
#[test]
fn all_or_nothing_and_every_conflict_is_named() {
    check(
        "
        0 1 lock 10s b
        0 3 lock 10s d
        1s 2 lock 10s a,b,c,d
        1s 3 lock 10s a,c
        ",
        &expect![[r#"
            0: locked [b] | L1 +b job:1
            0: locked [d] | L2 +d job:3
            1s: no: busy [b is job:1's, d is job:3's]
            1s: locked [a,c] | L3 +a job:3; L3 +c job:3
        "#]],
    );
}

/// Rule 11, checklist 9.
#[test]
fn a_refused_lock_does_not_move_own_deadlines() {
    check(
        "
        0 1 lock 1m a
        0 2 lock 1m b
        1s 1 lock 10m a,b
        1m 3 lock 1s a
        1m+ 3 lock 1s a
        ",
        &expect![[r#"
            0: locked [a] | L1 +a job:1
            0: locked [b] | L2 +b job:2
            1s: no: busy [b is job:2's]
            1m: no: busy [a is job:1's]
            1m+: locked [a] | L1 a lapsed; L2 b lapsed; L1 -a TakenOver, over; L3 +a job:3
        "#]],
    );
}

/// Rules 12–14: a shorter duration shortens; the time of taking stays; one unlock frees.
#[test]
fn locking_again_sets_the_deadline_and_counts_nothing() {
    check(
        "
        0 1 lock 10m a
        1s 1 lock 1m a
        1s - show a
        61s 2 lock 1s a
        61s+ 2 lock 1s a
        2m 1 lock 1m b
        2m 1 lock 1m b
        2m 1 unlock b
        2m 2 lock 1m b
        ",
        &expect![[r#"
            0: locked [a] | L1 +a job:1
            1s: locked [a]
            a, job:1 L1 since 0s until 61s
            61s: no: busy [a is job:1's]
            61s+: locked [a] | L1 a lapsed; L1 -a TakenOver, over; L2 +a job:2
            2m: locked [b] | L2 a lapsed; L3 +b job:1
            2m: locked [b]
            2m: locked [b] | L3 -b Released, over
            2m: locked [b] | L4 +b job:2
        "#]],
    );
}

/// Rules 16–20.
#[test]
fn try_lock_goes_in_order_up_to_its_limit() {
    check(
        "
        0 9 lock 10s a
        0 1 try 10s a,b,c 1
        0 1 try 10s b,c,d,e 2
        0 1 try 10s a 5
        0 1 try 10s x,y 0
        0 1 try 10s x,y 18446744073709551615
        0 1 try 20s x,x,y 2
        15s 2 try 1s a,b,c,x 100
        ",
        &expect![[r#"
            0: locked [a] | L1 +a job:9
            0: locked [b] | L2 +b job:1
            0: locked [b,c] | L3 +c job:1
            0: locked []
            0: locked []
            0: locked [x,y] | L4 +x job:1; L4 +y job:1
            0: locked [x,y]
            15s: locked [a,b,c] | L1 a lapsed; L2 b lapsed; L3 c lapsed; L1 -a TakenOver, over; L2 -b TakenOver, over; L3 -c TakenOver, over; L5 +a job:2; L5 +b job:2; L5 +c job:2
        "#]],
    );
}

/// Rules 8, 9, 21: refresh, lock and unlock work on it as long as nobody took it.
#[test]
fn a_lapsed_lock_is_still_its_owners() {
    check(
        "
        0 1 lock 10s a,b,c
        20s 1 refresh 10s a
        20s 2 lock 1s a
        20s 1 lock 10s b
        20s 2 lock 1s b
        20s 1 unlock c
        20s 1 unlock c
        ",
        &expect![[r#"
            0: locked [a,b,c] | L1 +a job:1; L1 +b job:1; L1 +c job:1
            20s: locked [a] | L1 a lapsed; L1 b lapsed; L1 c lapsed; L1 a revived
            20s: no: busy [a is job:1's]
            20s: locked [b] | L1 b revived
            20s: no: busy [b is job:1's]
            20s: locked [c] | L1 -c Released
            20s: no: not held [c]
        "#]],
    );
}

/// Rules 22, 25, checklist 14 and 16.
#[test]
fn who_was_taken_over_has_nothing_left() {
    check(
        "
        0 1 lock 10s a
        11s 2 refresh 10s a
        11s 2 lock 10s a
        11s 1 refresh 10s a
        11s 1 unlock a
        11s 2 unlock a
        ",
        &expect![[r#"
            0: locked [a] | L1 +a job:1
            11s: no: not held [a] | L1 a lapsed
            11s: locked [a] | L1 -a TakenOver, over; L2 +a job:2
            11s: no: not held [a is job:2's]
            11s: no: not held [a is job:2's]
            11s: locked [a] | L2 -a Released, over
        "#]],
    );
}

#[test]
fn a_take_over_strips_the_old_lease_of_that_target_only() {
    check(
        "
        0 1 lock 10s a,b
        11s 2 lock 10s a
        12s 1 refresh 10s b
        12s 1 refresh 10s a,b
        12s 1 unlock b
        ",
        &expect![[r#"
            0: locked [a,b] | L1 +a job:1; L1 +b job:1
            11s: locked [a] | L1 a lapsed; L1 b lapsed; L1 -a TakenOver; L2 +a job:2
            12s: locked [b] | L1 b revived
            12s: no: not held [a is job:2's]
            12s: locked [b] | L1 -b Released, over
        "#]],
    );
}

/// Rules 21–23, checklist 17 and 19.
#[test]
fn refresh_is_all_or_nothing_and_may_shorten() {
    check(
        "
        0 1 lock 10s a
        0 2 lock 10s b
        1s 1 refresh 10m a,b
        10s+ 3 lock 1m a
        11s 3 refresh 1s a
        12s+ 4 lock 1s a
        13s 4 refresh 1s never
        ",
        &expect![[r#"
            0: locked [a] | L1 +a job:1
            0: locked [b] | L2 +b job:2
            1s: no: not held [b is job:2's]
            10s+: locked [a] | L1 a lapsed; L2 b lapsed; L1 -a TakenOver, over; L3 +a job:3
            11s: locked [a]
            12s+: locked [a] | L3 a lapsed; L3 -a TakenOver, over; L4 +a job:4
            13s: no: not held [never]
        "#]],
    );
}

/// Rules 24–26.
#[test]
fn unlock_is_all_or_nothing() {
    check(
        "
        0 1 lock 10s a
        0 2 lock 10s b
        0 1 unlock a,b
        0 1 unlock never
        0 3 unlock a
        0 1 unlock a,a
        0 1 unlock a
        ",
        &expect![[r#"
            0: locked [a] | L1 +a job:1
            0: locked [b] | L2 +b job:2
            0: no: not held [b is job:2's]
            0: no: not held [never]
            0: no: not held [a is job:1's]
            0: locked [a] | L1 -a Released, over
            0: no: not held [a]
        "#]],
    );
}

/// Rule 5, checklist 35 and 36.
#[test]
fn zero_holds_for_the_instant_and_negative_not_even_that() {
    check(
        "
        0 1 lock 0 a
        0 2 lock 1s a
        1ns 2 lock 1s a
        5s 1 lock -1s b
        5s 2 lock 1s b
        5s 1 lock -1s c
        5s 1 unlock c
        6s 3 try -5s d,e 1
        6s 4 try 1s d 1
        ",
        &expect![[r#"
            0: locked [a] | L1 +a job:1
            0: no: busy [a is job:1's]
            1ns: locked [a] | L1 a lapsed; L1 -a TakenOver, over; L2 +a job:2
            5s: locked [b] | L2 a lapsed; L3 +b job:1; L3 b lapsed
            5s: locked [b] | L3 -b TakenOver, over; L4 +b job:2
            5s: locked [c] | L5 +c job:1; L5 c lapsed
            5s: locked [c] | L5 -c Released, over
            6s: locked [d] | L6 +d job:3; L6 d lapsed
            6s: locked [d] | L6 -d TakenOver, over; L7 +d job:4
        "#]],
    );
}

#[test]
fn a_lapsed_lock_is_collected_after_a_day() {
    check(
        "
        0 1 lock 10s a
        10s - tick
        10s+ - tick
        86410s - tick
        86410s+ - tick
        86411s 1 refresh 1s a
        ",
        &expect![[r#"
            0: locked [a] | L1 +a job:1
            10s: done
            10s+: done | L1 a lapsed
            86410s: done
            86410s+: done | L1 -a Collected, over
            86411s: no: not held [a]
        "#]],
    );
}

/// Design §3.2.
#[test]
fn an_expired_lock_on_a_pooled_resource_sends_it_to_the_on_expire_state() {
    check(
        "
        pool p names=a on-expire=dirty
        pool q names=b state=dirty
        pool r names=c
        0 - sync
        0 1 lock 10s a,b,c
        0 - show a b c
        11s - tick
        11s - show a b c
        12s 1 refresh 10s a
        12s - show a
        13s ann take @a:dirty
        30s - tick
        30s ann take @a:dirty
        31s 1 refresh 1s a
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; pool q made; pool r made; a made in p >free; b made in q >dirty; c made in r >free
            0: locked [a,b,c] | L1 +a job:1; L1 +b job:1; L1 +c job:1
            a in p free @0s rev 1, job:1 L1 since 0s until 10s; b in q dirty @0s rev 2, job:1 L1 since 0s until 10s; c in r free @0s rev 3, job:1 L1 since 0s until 10s
            11s: done | L1 a lapsed free>dirty; L1 b lapsed dirty>dirty; L1 c lapsed free>free
            a in p dirty @11s rev 4, job:1 L1 since 0s until 10s, lapsed; b in q dirty @11s rev 5, job:1 L1 since 0s until 10s, lapsed; c in r free @11s rev 6, job:1 L1 since 0s until 10s, lapsed
            12s: locked [a] | L1 a revived
            a in p dirty @11s rev 4, job:1 L1 since 0s until 22s
            13s: no: unavailable [a is job:1's]
            30s: done | L1 a lapsed dirty>dirty
            30s: L2 ann [a] until 630s | L1 -a TakenOver; L2 +a ann dirty>leased
            31s: no: not held [a is ann's]
        "#]],
    );
}

#[test]
fn a_lock_moved_into_the_past_expires_like_any_other() {
    check(
        "
        pool p names=a,b on-expire=dirty
        0 - sync
        0 1 lock 10m a
        1s 1 refresh -1s a
        1s - show a
        1s 1 refresh 10m a
        1s - show a
        2s 1 lock -1s b
        2s - show b
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: locked [a] | L1 +a job:1
            1s: locked [a] | L1 a lapsed free>dirty
            a in p dirty @1s rev 3, job:1 L1 since 0s until 0s, lapsed
            1s: locked [a] | L1 a revived
            a in p dirty @1s rev 3, job:1 L1 since 0s until 601s
            2s: locked [b] | L2 +b job:1; L2 b lapsed free>dirty
            b in p dirty @2s rev 4, job:1 L2 since 2s until 1s, lapsed
        "#]],
    );
}

/// Only ConTest leases keep what expired.
#[test]
fn a_boskos_or_v1_lease_moved_into_the_past_ends() {
    check(
        "
        pool p names=a,b on-expire=dirty
        0 - sync
        0 1 take @a ttl=10m
        0 1 b-acquire p free busy
        1s 1 refresh -1s a,b
        1s - show a b
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 job:1 [a] until 600s | L1 +a job:1 free>leased
            0: job:1 holds b:busy | L2 +b job:1 free>busy
            1s: locked [a,b] | L1 -a Expired leased>dirty, over; L2 -b Expired busy>dirty, over
            a in p dirty @1s rev 5, not held; b in p dirty @1s rev 6, not held
        "#]],
    );
}

#[test]
fn contest_locks_ignore_states_but_not_cordons() {
    check(
        "
        pool p names=a,b state=dirty
        0 - sync
        0 - patch a cordon=fan
        0 1 lock 10s b
        0 1 lock 10s a
        0 1 try 10s a,c 5
        1s - patch b cordon=too
        1s 1 refresh 10s b
        20s 1 unlock b
        20s 1 lock 1s b
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >dirty; b made in p >dirty
            0: a in p dirty cordoned: fan | a cordoned
            0: locked [b] | L1 +b job:1
            0: no: busy [a cordoned: fan]
            0: locked [c] | L2 +c job:1
            1s: b in p dirty cordoned: too | b cordoned
            1s: locked [b]
            20s: locked [b] | L1 b lapsed dirty>dirty; L2 c lapsed; L1 -b Released, over
            20s: no: busy [b cordoned: too]
        "#]],
    );
}

#[test]
fn other_dialects_see_a_job_as_the_owner_job_n() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 1 lock 10s a,x
        0 ann take @a
        0 ann take @x
        0 ann b-by-state free busy a
        0 job:1 b-update a free k=v
        0 job:1 b-release a dirty
        0 - show a
        1s job:2 take @b ttl=10s
        1s 2 refresh 1m b
        1s 1 lock 1m b
        2s 2 unlock b
        2s - show b
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: locked [a,x] | L1 +a job:1; L1 +x job:1
            0: no: unavailable [a is job:1's]
            0: no: unavailable [x is job:1's]
            0: no: not all of the named resources are free in state "free"
            0: done
            0: done | L1 -a Released free>dirty
            a in p dirty data {"k": "v"} @0s rev 4, not held
            1s: L2 job:2 [b] until 11s | L2 +b job:2 free>leased
            1s: locked [b]
            1s: no: busy [b is job:2's]
            2s: locked [b] | L2 -b Released leased>free, over
            b in p free @2s rev 6, not held
        "#]],
    );
}
