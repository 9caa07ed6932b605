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
            0: no: unavailable [p 0 of 1 to be had in state free: 1 held, a is x's]
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
            0: no: unavailable [p 0 of 1 to be had in state free: 1 held, 1 reserved, a is x's]
            0: no: unavailable [b reserved for requests ahead]
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
            1s: no: unavailable [q 0 of 1 to be had in state free: 1 held, 1 reserved, c is bob's]
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
            0: no: unavailable [p 0 of 1 to be had in state free: 1 held, a is ann's, q 0 of 1 to be had in state free: 2 held, b is ann's, c is ann's]
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
fn a_refusal_says_why_nothing_can_be_had() {
    check(
        "
        pool p names=a,b,c labels=k=1
        pool p names=d,e,f,g also
        pool q names=h,i state=dirty
        0 - sync
        0 - patch b cordon=fan
        0 - patch c cordon=psu
        0 - patch d state=dirty
        0 - patch e state=broken
        0 ann take @a
        0 bob take p*3 wait
        1s eve take p
        1s eve take p{k=1}
        1s eve take p*2:dirty
        1s eve take q*2
        1s eve take @b,d,f,h
        1s eve take p*2{k=1}:broken
        1s eve take @f+p*6:dirty
        ",
        &expect![[r#"
            0: synced +[a,b,c,d,e,f,g,h,i] -[] later[] | pool p made; pool q made; a made in p >free; b made in p >free; c made in p >free; d made in p >free; e made in p >free; f made in p >free; g made in p >free; h made in q >dirty; i made in q >dirty
            0: b in p free {"k": "1"} cordoned: fan | b cordoned
            0: c in p free {"k": "1"} cordoned: psu | c cordoned
            0: d in p dirty | d changed free>dirty
            0: e in p broken | e changed free>broken
            0: L1 ann [a] until 600s | L1 +a ann free>leased
            0: R1 is #1, 2 of 3 | R1 bob queued
            1s: no: unavailable [p 0 of 1 to be had in state free: 1 held, 2 cordoned (fan), 2 in other states, 2 reserved, a is ann's]
            1s: no: unavailable [p 0 of 1 to be had in state free: 1 held, 2 cordoned (fan), 4 without the labels, a is ann's]
            1s: no: unavailable [p 1 of 2 to be had in state dirty: 1 held, 2 cordoned (fan), 3 in other states, a is ann's]
            1s: no: unavailable [q 0 of 2 to be had in state free: 2 in state dirty]
            1s: no: unavailable [b cordoned: fan, d in state dirty, not free, f reserved for requests ahead, h in state dirty, not free]
            1s: no: unavailable [p 0 of 2 to be had in state broken: 1 held, 2 cordoned (fan), 4 without the labels, a is ann's]
            1s: no: unavailable [p 1 of 6 to be had in state dirty: 1 held, 2 cordoned (fan), 3 in other states, a is ann's, f reserved for requests ahead]
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
            0: L1 ann [b,c,d,a] until 600s | L1 +b ann free>leased; L1 +c ann free>leased; L1 +d ann free>leased; L1 +a ann free>leased
            0: R1 is #1, 0 of 1 | R1 bob queued
            0: R2 is #2, 0 of 2 | R2 bob queued
            1s: L1 ann [b,c,d,a] Released | L1 -b Released leased>free; L1 -c Released leased>free; L1 -d Released leased>free; L1 -a Released leased>free, over; L2 +a bob free>leased; L3 +b bob free>leased; L3 +c bob free>leased; R1 gets L2; R2 gets L3
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
            0: R1 is #1, 0 of 1 of no pool | R1 ann queued
            0: new n in zz free | pool zz made; n made in zz >free; L1 +n ann free>leased; R1 gets L1
        "#]],
    );
}

/// Neither the alphabet nor the order of the parts decides who is met.
#[test]
fn parts_by_labels_are_met_together_whenever_they_can_be() {
    check(
        "
        pool p names=a labels=arch=arm,kit=evk
        pool p names=b,c labels=arch=arm also
        pool q names=x labels=arch=arm,board=evk
        pool q names=y,z labels=arch=arm also
        0 - sync
        0 ann take p{arch=arm}+p{arch=arm,kit=evk}
        0 ann take q*2{arch=arm}+q{arch=arm,board=evk}
        0 ann release L1
        0 ann release L2
        1s ann take p{arch=arm,kit=evk}+p*2{arch=arm}
        1s ann take q*2{arch=arm}+@x
        2s - put a2 pool=r labels=i=1,k=1
        2s - put b2 pool=r labels=j=1,k=1
        2s - put c2 pool=r labels=j=1
        2s - put d2 pool=r labels=i=1
        2s ann take r{i=1}+r{j=1}+r{k=1}
        ",
        &expect![[r#"
            0: synced +[a,b,c,x,y,z] -[] later[] | pool p made; pool q made; a made in p >free; b made in p >free; c made in p >free; x made in q >free; y made in q >free; z made in q >free
            0: L1 ann [b,a] until 600s | L1 +b ann free>leased; L1 +a ann free>leased
            0: L2 ann [y,z,x] until 600s | L2 +y ann free>leased; L2 +z ann free>leased; L2 +x ann free>leased
            0: L1 ann [b,a] Released | L1 -b Released leased>free; L1 -a Released leased>free, over
            0: L2 ann [y,z,x] Released | L2 -y Released leased>free; L2 -z Released leased>free; L2 -x Released leased>free, over
            1s: L3 ann [a,b,c] until 601s | L3 +a ann free>leased; L3 +b ann free>leased; L3 +c ann free>leased
            1s: L4 ann [y,z,x] until 601s | L4 +y ann free>leased; L4 +z ann free>leased; L4 +x ann free>leased
            2s: new a2 in r free {"i": "1", "k": "1"} | pool r made; a2 made in r >free
            2s: new b2 in r free {"j": "1", "k": "1"} | b2 made in r >free
            2s: new c2 in r free {"j": "1"} | c2 made in r >free
            2s: new d2 in r free {"i": "1"} | d2 made in r >free
            2s: L5 ann [a2,c2,b2] until 602s | L5 +a2 ann free>leased; L5 +c2 ann free>leased; L5 +b2 ann free>leased
        "#]],
    );
}

/// Neither selector includes the other, and the oldest fits both.
#[test]
fn a_part_moves_over_for_another_of_the_same_request() {
    check(
        "
        pool p names=a labels=i=1,j=1
        pool p names=b labels=i=1 also
        pool p names=c labels=j=1,k=1 also
        0 - sync
        0 x take @a,b,c
        0 ann take p{i=1}+p{j=1}+p{k=1} wait
        0 bob take p{i=1} wait
        1s x release L1 targets=a
        1s eve take p
        2s x release L1 targets=c
        2s eve take p
        3s x release L1 targets=b
        4s ann release L2
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free
            0: L1 x [a,b,c] until 600s | L1 +a x free>leased; L1 +b x free>leased; L1 +c x free>leased
            0: R1 is #1, 0 of 1 and 0 of 1 and 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            1s: L1 x [b,c] returned [a] | L1 -a Released leased>free
            1s: no: unavailable [p 0 of 1 to be had in state free: 2 held, 1 reserved, b is x's, c is x's]
            2s: L1 x [b] returned [a,c] | L1 -c Released leased>free
            2s: no: unavailable [p 0 of 1 to be had in state free: 1 held, 2 reserved, b is x's]
            3s: L1 x [b] returned [a,c] Released | L1 -b Released leased>free, over; L2 +b ann free>leased; L2 +a ann free>leased; L2 +c ann free>leased; R1 gets L2
            4s: L2 ann [b,a,c] Released | L2 -b Released leased>free; L2 -a Released leased>free; L2 -c Released leased>free, over; L3 +a bob free>leased; R2 gets L3
        "#]],
    );
}

#[test]
fn what_cannot_be_met_together_is_refused_with_the_part_that_is_short() {
    check(
        "
        pool p names=a labels=i=1,j=1
        pool p names=b,c labels=k=1 also
        pool p names=d labels=i=1,k=1 also
        0 - sync
        0 ann take p{i=1}+p{j=1}+p{i=1,k=1}
        0 ann take p{j=1}+@a
        0 ann take p*2{j=1}
        0 ann take p*2{i=1}+p*3{k=1}
        1s ann release L1
        1s x take @d
        2s ann take p{i=1}+p{j=1}
        2s ann take p{i=1}+p{j=1}+p*2
        2s ann take p{i=1}+p{j=1} wait
        2s eve take p{j=1}
        ",
        &expect![[r#"
            0: synced +[a,b,c,d] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free; d made in p >free
            0: no: the request can never be met: 1 asked for with the labels j=1, pool "p" has 0 besides what other parts of the request need
            0: no: the request can never be met: 1 asked for with the labels j=1, pool "p" has 0 besides what other parts of the request need
            0: no: the request can never be met: 2 asked for, 1 of pool "p" carry the labels j=1
            0: no: the request can never be met: 3 asked for with the labels k=1, pool "p" has 2 besides what other parts of the request need; 5 asked for, pool "p" can hold at most 4
            1s: no: there is no lease 1
            1s: L1 x [d] until 601s | L1 +d x free>leased
            2s: no: unavailable [p 0 of 1 to be had in state free: 1 for other parts of the request, 3 without the labels]
            2s: no: unavailable [p 0 of 1 to be had in state free: 1 for other parts of the request, 3 without the labels]
            2s: R1 is #1, 1 of 1 and 0 of 1 | R1 ann queued
            2s: no: unavailable [p 0 of 1 to be had in state free: 1 reserved, 3 without the labels]
        "#]],
    );
}
