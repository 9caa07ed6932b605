//! Waiting: who is next, who is passed over, who is forgotten (design §3.3, promise P5).

use expect_test::expect;

use crate::script::check;

#[test]
fn the_release_itself_grants_to_the_first_in_line() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p
        0 ann take p wait ttl=1m
        0 bob take p wait
        0 eve take p
        1s x release L1
        2s ann release L2
        2s - poll R1
        2s - poll R2
        2s - poll R9
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 600s | L1 +a x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            0: no: unavailable [p 0 of 1 to be had in state free, a is x's]
            1s: L1 x [a] Released | L1 -a Released leased>free, over; L2 +a ann free>leased; R1 gets L2
            2s: L2 ann [a] Released | L2 -a Released leased>free, over; L3 +a bob free>leased; R2 gets L3
            2s: settled: R1 ann granted L2
            2s: settled: R2 bob granted L3
            2s: no: there is no request 9
        "#]],
    );
}

#[test]
fn higher_priority_goes_first() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p
        0 ann take p wait
        0 bob take p wait prio=5
        0 cid take p wait prio=5
        0 dan take p wait prio=-1
        1s x release L1
        1s - poll R4
        2s bob release L2
        3s cid release L3
        4s ann release L4
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 600s | L1 +a x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: R2 is #1, 0 of 1 | R2 bob queued
            0: R3 is #2, 0 of 1 | R3 cid queued
            0: R4 is #4, 0 of 1 | R4 dan queued
            1s: L1 x [a] Released | L1 -a Released leased>free, over; L2 +a bob free>leased; R2 gets L2
            1s: R4 is #3, 0 of 1
            2s: L2 bob [a] Released | L2 -a Released leased>free, over; L3 +a cid free>leased; R3 gets L3
            3s: L3 cid [a] Released | L3 -a Released leased>free, over; L4 +a ann free>leased; R1 gets L4
            4s: L4 ann [a] Released | L4 -a Released leased>free, over; L5 +a dan free>leased; R4 gets L5
        "#]],
    );
}

#[test]
fn a_newcomer_does_not_pass_those_in_line_unless_its_priority_is_higher() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 x take p
        0 ann take p*2 wait
        0 eve take p
        0 eve take @b
        0 eve b-acquire p free busy
        0 eve take p prio=1
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 x [a] until 600s | L1 +a x free>leased
            0: R1 is #1, 1 of 2 | R1 ann queued
            0: no: unavailable [p 0 of 1 to be had in state free, a is x's]
            0: no: unavailable [b 0 of 1 to be had in state free]
            0: no: nothing is free in pool "p" in state "free"
            0: L2 eve [b] until 600s | L2 +b eve free>leased
        "#]],
    );
}

#[test]
fn expiry_grants_to_the_first_in_line() {
    check(
        "
        pool p names=a
        0 - sync
        0 x take p ttl=10s
        0 ann take p wait
        10s - tick
        10s+ - tick
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 x [a] until 10s | L1 +a x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            10s: done
            10s+: done | L1 -a Expired leased>free, over; L2 +a ann free>leased; R1 gets L2
        "#]],
    );
}

#[test]
fn a_larger_request_is_not_overtaken_by_smaller_ones() {
    check(
        "
        pool p names=a,b,c
        0 - sync
        0 x take @a
        0 y take @b
        0 z take @c
        0 ann take p*3 wait
        0 bob take p wait
        1s x release L1
        2s y release L2
        3s z release L3
        4s ann release L4 targets=b
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free
            0: L1 x [a] until 600s | L1 +a x free>leased
            0: L2 y [b] until 600s | L2 +b y free>leased
            0: L3 z [c] until 600s | L3 +c z free>leased
            0: R1 is #1, 0 of 3 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            1s: L1 x [a] Released | L1 -a Released leased>free, over
            2s: L2 y [b] Released | L2 -b Released leased>free, over
            3s: L3 z [c] Released | L3 -c Released leased>free, over; L4 +a ann free>leased; L4 +b ann free>leased; L4 +c ann free>leased; R1 gets L4
            4s: L4 ann [a,c] returned [b] | L4 -b Released leased>free; L5 +b bob free>leased; R2 gets L5
        "#]],
    );
}

#[test]
fn a_request_over_two_pools_keeps_its_share_in_both() {
    check(
        "
        pool p names=a
        pool q names=b,c
        0 - sync
        0 x take p
        0 ann take p+q wait
        1s bob take q
        1s cid take q
        1s dan take q wait
        2s x release L1
        3s bob release L2
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; pool q made; a made in p >free; b made in q >free; c made in q >free
            0: L1 x [a] until 600s | L1 +a x free>leased
            0: R1 is #1, 0 of 1 and 1 of 1 | R1 ann queued
            1s: L2 bob [c] until 601s | L2 +c bob free>leased
            1s: no: unavailable [q 0 of 1 to be had in state free, c is bob's]
            1s: R2 is #2, 0 of 1 | R2 dan queued
            2s: L1 x [a] Released | L1 -a Released leased>free, over; L3 +a ann free>leased; L3 +b ann free>leased; R1 gets L3
            3s: L2 bob [c] Released | L2 -c Released leased>free, over; L4 +c dan free>leased; R2 gets L4
        "#]],
    );
}

#[test]
fn several_pools_at_once_or_nothing() {
    check(
        "
        pool p names=a
        pool q names=b,c
        0 - sync
        0 ann take p+q*2+@x
        0 bob take p+q
        0 bob take @x+@y
        0 ann release L1 targets=a,x
        0 bob take p+@x+@y
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; pool q made; a made in p >free; b made in q >free; c made in q >free
            0: L1 ann [a,b,c,x] until 600s | L1 +a ann free>leased; L1 +b ann free>leased; L1 +c ann free>leased; L1 +x ann
            0: no: unavailable [p 0 of 1 to be had in state free, a is ann's, q 0 of 1 to be had in state free, b is ann's, c is ann's]
            0: no: unavailable [x is ann's]
            0: L1 ann [b,c] returned [a,x] | L1 -a Released leased>free; L1 -x Released
            0: L2 bob [a,x,y] until 600s | L2 +a bob free>leased; L2 +x bob; L2 +y bob
        "#]],
    );
}

#[test]
fn label_waiters_get_only_what_fits_and_are_passed_over_otherwise() {
    check(
        "
        pool p names=a,b labels=site=ber
        pool p names=c,d labels=site=fra,gpu=1 also
        0 - sync
        0 x take p*4
        0 ann take p{site=fra} wait
        0 bob take p{site=fra,gpu=1} wait
        0 cid take p wait
        1s x release L1 targets=a
        2s x release L1 targets=b
        3s x release L1 targets=d
        4s x release L1 targets=c
        ",
        &expect![[r#"
            0: synced +[a,b,c,d] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free; d made in p >free
            0: L1 x [a,b,c,d] until 600s | L1 +a x free>leased; L1 +b x free>leased; L1 +c x free>leased; L1 +d x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            0: R3 is #3, 0 of 1 | R3 cid queued
            1s: L1 x [b,c,d] returned [a] | L1 -a Released leased>free; L2 +a cid free>leased; R3 gets L2
            2s: L1 x [c,d] returned [a,b] | L1 -b Released leased>free
            3s: L1 x [c] returned [a,b,d] | L1 -d Released leased>free; L3 +d ann free>leased; R1 gets L3
            4s: L1 x [c] returned [a,b,d] Released | L1 -c Released leased>free, over; L4 +c bob free>leased; R2 gets L4
        "#]],
    );
}

/// The one ahead keeps its share back even if the one behind could use it.
#[test]
fn a_label_waiter_and_an_any_waiter_share_one_line() {
    check(
        "
        pool p names=a labels=k=1
        pool p names=b labels=k=2 also
        0 - sync
        0 x take p*2
        0 ann take p{k=1}+p{k=2} wait
        0 bob take p wait
        0 cid take p{k=2} wait
        1s x release L1 targets=a
        2s x release L1 targets=b
        3s ann release L2 targets=b
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 x [a,b] until 600s | L1 +a x free>leased; L1 +b x free>leased
            0: R1 is #1, 0 of 1 and 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            0: R3 is #3, 0 of 1 | R3 cid queued
            1s: L1 x [b] returned [a] | L1 -a Released leased>free
            2s: L1 x [b] returned [a] Released | L1 -b Released leased>free, over; L2 +a ann free>leased; L2 +b ann free>leased; R1 gets L2
            3s: L2 ann [a] returned [b] | L2 -b Released leased>free; L3 +b bob free>leased; R2 gets L3
        "#]],
    );
}

#[test]
fn one_request_may_want_the_same_pool_in_several_ways() {
    check(
        "
        pool p names=a,b,c labels=k=1
        pool p names=d also
        0 - sync
        0 ann take p*2{k=1}+p+@a
        0 bob take p wait
        0 bob take p+p wait
        1s ann release L1
        ",
        &expect![[r#"
            0: synced +[a,b,c,d] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free; d made in p >free
            0: L1 ann [a,b,c,d] until 600s | L1 +a ann free>leased; L1 +b ann free>leased; L1 +c ann free>leased; L1 +d ann free>leased
            0: R1 is #1, 0 of 1 | R1 bob queued
            0: R2 is #2, 0 of 2 | R2 bob queued
            1s: L1 ann [a,b,c,d] Released | L1 -a Released leased>free; L1 -b Released leased>free; L1 -c Released leased>free; L1 -d Released leased>free, over; L2 +a bob free>leased; L3 +b bob free>leased; L3 +c bob free>leased; R1 gets L2; R2 gets L3
        "#]],
    );
}

#[test]
fn named_waiters_wait_for_their_target() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 x take p*2
        0 1 lock 10s u
        0 ann take @b wait
        0 bob take p wait
        0 cid take @u wait
        1s x release L1 targets=a
        2s x release L1 targets=b
        3s 1 unlock u
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 x [a,b] until 600s | L1 +a x free>leased; L1 +b x free>leased
            0: locked [u] | L2 +u job:1
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            0: R3 is #1, 0 of 1 | R3 cid queued
            1s: L1 x [b] returned [a] | L1 -a Released leased>free; L3 +a bob free>leased; R2 gets L3
            2s: L1 x [b] returned [a] Released | L1 -b Released leased>free, over; L4 +b ann free>leased; R1 gets L4
            3s: locked [u] | L2 -u Released, over; L5 +u cid; R3 gets L5
        "#]],
    );
}

#[test]
fn a_named_waiter_follows_its_target_into_and_out_of_a_pool() {
    check(
        "
        0 1 lock 1h u
        0 ann take @u wait ttl=1s
        0 bob take @u wait
        0 cid take @u wait
        1s - put u pool=p state=dirty
        1s 1 unlock u
        1s - patch u state=free
        2s+ - tick
        3s bob release L3 to=odd
        3s - poll R3
        3s - delete u
        ",
        &expect![[r#"
            0: locked [u] | L1 +u job:1
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            0: R3 is #3, 0 of 1 | R3 cid queued
            1s: new u in p dirty | pool p made; u made in p >dirty
            1s: locked [u] | L1 -u Released, over
            1s: u in p free | u changed dirty>free; L2 +u ann free>leased; R1 gets L2
            2s+: done | L2 -u Expired leased>free, over; L3 +u bob free>leased; R2 gets L3
            3s: L3 bob [u] Released | L3 -u Released leased>odd, over
            3s: R3 is #1, 0 of 1
            3s: done | u gone from p odd>; pool p gone; L4 +u cid; R3 gets L4
        "#]],
    );
}

#[test]
fn a_target_wanted_of_a_pool_is_not_had_from_elsewhere() {
    check(
        "
        pool p names=a
        pool q names=b
        0 - sync
        0 ann take @a/q
        0 ann take @u/q
        0 ann take @a,b/q
        0 ann take @a/q anyway
        0 bob take @u/q anyway
        1s - put u pool=q
        2s - patch a pool=q
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; pool q made; a made in p >free; b made in q >free
            0: no: the request can never be met: "a" is not a resource of pool "q"
            0: no: the request can never be met: "u" is not a resource of pool "q"
            0: no: the request can never be met: "a" is not a resource of pool "q"
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            1s: new u in q free | u made in q >free; L1 +u bob free>leased; R2 gets L1
            2s: a in q free | a changed free>free; L2 +a ann free>leased; R1 gets L2
        "#]],
    );
}

#[test]
fn what_can_never_be_met_is_refused_unless_told_to_wait_anyway() {
    check(
        "
        pool p names=a,b labels=k=1
        pool d dynamic=0/3
        0 - sync
        0 ann take zz wait
        0 ann take p*3 wait
        0 ann take p*2+p wait
        0 ann take @a+p*2 wait
        0 ann take p{k=2} wait
        0 ann take p*3{k=1} wait
        0 ann take d*4 wait
        0 ann take p*3+zz+p{j=1} wait
        0 ann take zz anyway
        0 - put n pool=zz
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool d made; pool p made; a made in p >free; b made in p >free
            0: no: the request can never be met: there is no pool "zz"
            0: no: the request can never be met: 3 asked for, pool "p" can hold at most 2
            0: no: the request can never be met: 3 asked for, pool "p" can hold at most 2
            0: no: the request can never be met: 3 asked for, pool "p" can hold at most 2
            0: no: the request can never be met: 1 asked for, 0 of pool "p" carry the labels k=2
            0: no: the request can never be met: 3 asked for, 2 of pool "p" carry the labels k=1; 3 asked for, pool "p" can hold at most 2
            0: no: the request can never be met: 4 asked for, pool "d" can hold at most 3
            0: no: the request can never be met: 1 asked for, 0 of pool "p" carry the labels j=1; 4 asked for, pool "p" can hold at most 2; there is no pool "zz"
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: new n in zz free | pool zz made; n made in zz >free; L1 +n ann free>leased; R1 gets L1
        "#]],
    );
}

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
            2s: no: unavailable [p 0 of 1 to be had in state free]
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
        90s bob release L3
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
            90s: L3 bob [a] Released | L3 -a Released leased>free, over
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
            0: no: unavailable [p 0 of 1 to be had in state free]
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: no: unavailable [a cordoned: fan]
            1s: a in p free | a uncordoned; L1 +a ann free>leased; R1 gets L1
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
            2s: L2 ann [a,b] Released | L2 -a Released leased>free; L2 -b Released leased>free, over; L3 +a bob free>leased; L3 +b bob free>leased; R2 gets L3
            3s: L3 bob [a,b] Released | L3 -a Released leased>free; L3 -b Released leased>free, over; L4 +b cid free>leased; R3 gets L4
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
            2s: L1 x [v] returned [u] Released | L1 -v Released leased>free, over; L2 +v ann free>leased; L2 +u ann; R1 gets L2
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
