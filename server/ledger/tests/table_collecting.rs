//! Waiters who were served: they come for it in time, or it is taken back.

use expect_test::expect;

use crate::script::check;

/// Whoever is not there when it is granted has one request TTL to come for it; exact.
#[test]
fn what_a_waiter_never_comes_for_is_taken_back_and_goes_to_the_next() {
    check(
        "
        pool p names=a state=dirty on-expire=broken
        0 - sync
        0 x take p:dirty ttl=1h
        0 ann take p:dirty wait key=k
        1s bob take p:dirty wait
        2s x release L1
        29s - poll R2
        32s - tick
        32s+ - tick
        33s - poll R1
        33s - poll R2
        34s ann take p:dirty wait key=k
        63s - tick
        64s bob release L3
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >dirty
            0: L1 x [a] until 3600s | L1 +a x dirty>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            1s: R2 is #2, 0 of 1 | R2 bob queued
            2s: L1 x [a] Released | L1 -a Released leased>dirty, over; L2 +a ann dirty>leased; R1 gets L2
            29s: R2 is #1, 0 of 1
            32s: done
            32s+: done | L2 -a Uncollected leased>dirty, over; R1 lapsed; L3 +a bob dirty>leased; R1 ends; R2 gets L3
            33s: settled: R1 ann lapsed
            33s: settled: R2 bob granted L3
            34s: R3 is #1, 0 of 1 | R3 ann queued
            63s: done
            64s: L3 bob [a] Released | L3 -a Released leased>dirty, over; L4 +a ann dirty>leased; R3 gets L4
        "#]],
    );
}

/// Any of these says that the waiter knows; looking at the request is not the ledger's.
#[test]
fn a_granted_waiter_collects_in_many_ways() {
    check(
        "
        pool p names=a,b,c,d,e,f
        0 - sync
        0 x take p*6 ttl=1h
        0 ann take p wait
        0 bob take p wait key=k
        0 cid take p wait
        0 dan take p*2 wait
        0 eve take p wait
        1s x release L1
        2s - poll R1
        2s bob take p wait key=k
        2s cid renew L4
        2s dan release L5 targets=d
        32s - tick
        2m - tick
        ",
        &expect![[r#"
            0: synced +[a,b,c,d,e,f] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free; d made in p >free; e made in p >free; f made in p >free
            0: L1 x [a,b,c,d,e,f] until 3600s | L1 +a x free>leased; L1 +b x free>leased; L1 +c x free>leased; L1 +d x free>leased; L1 +e x free>leased; L1 +f x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            0: R3 is #3, 0 of 1 | R3 cid queued
            0: R4 is #4, 0 of 2 | R4 dan queued
            0: R5 is #5, 0 of 1 | R5 eve queued
            1s: L1 x [a,b,c,d,e,f] Released | L1 -a Released leased>free; L1 -b Released leased>free; L1 -c Released leased>free; L1 -d Released leased>free; L1 -e Released leased>free; L1 -f Released leased>free, over; L2 +a ann free>leased; L3 +b bob free>leased; L4 +c cid free>leased; L5 +d dan free>leased; L5 +e dan free>leased; L6 +f eve free>leased; R1 gets L2; R2 gets L3; R3 gets L4; R4 gets L5; R5 gets L6
            2s: settled: R1 ann granted L2
            2s: L3 bob [b] until 601s
            2s: L4 cid [c] until 602s
            2s: L5 dan [e] returned [d] | L5 -d Released leased>free
            32s: done | L6 -f Uncollected leased>free, over; R5 lapsed; R5 ends
            2m: done
        "#]],
    );
}

#[test]
fn a_job_collects_by_refreshing_and_a_boskos_client_by_updating() {
    check(
        "
        pool p names=a
        pool q names=b
        0 - sync
        0 x take p+q ttl=1h
        0 job:7 take p wait
        0 ann take q wait
        1s x release L1
        1s 7 refresh 100s a
        1s ann b-update b leased
        32s - tick
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; pool q made; a made in p >free; b made in q >free
            0: L1 x [a,b] until 3600s | L1 +a x free>leased; L1 +b x free>leased
            0: R1 is #1, 0 of 1 | R1 job:7 queued
            0: R2 is #1, 0 of 1 | R2 ann queued
            1s: L1 x [a,b] Released | L1 -a Released leased>free; L1 -b Released leased>free, over; L2 +a job:7 free>leased; L3 +b ann free>leased; R1 gets L2; R2 gets L3
            1s: locked [a]
            1s: done
            32s: done
        "#]],
    );
}

#[test]
fn what_is_taken_back_gets_the_state_that_each_had() {
    check(
        "
        pool p names=a,b state=free
        0 - sync
        0 - patch b state=dirty
        0 x take p+p:dirty+@loose ttl=1h
        0 ann take p+p:dirty+@loose wait
        1s x release L1 to=free
        1s - patch b state=dirty
        32s - tick
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: b in p dirty | b changed free>dirty
            0: L1 x [a,b,loose] until 3600s | L1 +a x free>leased; L1 +b x dirty>leased; L1 +loose x
            0: R1 is #1, 0 of 1 and 0 of 1 and 0 of 1 | R1 ann queued
            1s: L1 x [a,b,loose] Released | L1 -a Released leased>free; L1 -b Released leased>free; L1 -loose Released, over
            1s: b in p dirty | b changed free>dirty; L2 +a ann free>leased; L2 +b ann dirty>leased; L2 +loose ann; R1 gets L2
            32s: done | L2 -a Uncollected leased>free; L2 -b Uncollected leased>dirty; L2 -loose Uncollected, over; R1 lapsed; R1 ends
        "#]],
    );
}

/// Nobody can collect from a server that is away. What expires or is taken away first needs no collecting.
#[test]
fn a_start_gives_everybody_the_time_to_collect_again() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 x take p*2 ttl=1h
        0 ann take p wait
        0 bob take p wait ttl=5s
        1s x release L1
        40s - resume
        70s - tick
        70s+ - tick
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 x [a,b] until 3600s | L1 +a x free>leased; L1 +b x free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            0: R2 is #2, 0 of 1 | R2 bob queued
            1s: L1 x [a,b] Released | L1 -a Released leased>free; L1 -b Released leased>free, over; L2 +a ann free>leased; L3 +b bob free>leased; R1 gets L2; R2 gets L3
            40s: done | L3 -b Expired leased>free, over
            70s: done
            70s+: done | L2 -a Uncollected leased>free, over; R1 lapsed; R1 ends
        "#]],
    );
}
