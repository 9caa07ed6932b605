//! `/v1` leases: deadlines, renewal, giving back, force, limits and idempotency keys.

use expect_test::expect;

use crate::script::check;

#[test]
fn a_lease_is_live_at_its_deadline_and_over_one_nanosecond_later() {
    check(
        "
        pool p names=a state=free on-expire=dirty
        0 - sync
        0 ann take p ttl=10s for=tests
        10s bob take p
        10s ann renew L1
        20s - tick
        20s+ - tick
        20s+ ann renew L1
        20s+ ann release L1
        21s - show a
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 ann [a] until 10s | L1 +a ann free>leased
            10s: no: unavailable [p 0 of 1 to be had in state free: 1 held, a is ann's]
            10s: L1 ann [a] until 20s
            20s: done
            20s+: done | L1 -a Expired leased>dirty, over
            20s+: no: lease 1 has ended
            20s+: no: lease 1 has ended
            a in p dirty @20s+ rev 3, not held
        "#]],
    );
}

/// Whatever the order of names and pools; at once, and after waiting.
#[test]
fn a_lease_lists_its_targets_in_the_order_asked_for() {
    check(
        "
        pool p names=a,b,c
        pool q names=d,e
        0 - sync
        0 x take @b
        1s x release L1
        2s ann take @e,x,c+p*2+@d
        2s bob take @d,c+p+q wait
        3s ann release L2
        4s bob release L3 targets=a
        5s ann take p*2
        ",
        &expect![[r#"
            0: synced +[a,b,c,d,e] -[] later[] | pool p made; pool q made; a made in p >free; b made in p >free; c made in p >free; d made in q >free; e made in q >free
            0: L1 x [b] until 600s | L1 +b x free>leased
            1s: L1 x [b] Released | L1 -b Released leased>free, over
            2s: L2 ann [e,x,c,a,b,d] until 602s | L2 +e ann free>leased; L2 +x ann; L2 +c ann free>leased; L2 +a ann free>leased; L2 +b ann free>leased; L2 +d ann free>leased
            2s: R1 is #1, 0 of 1 and 0 of 1 and 0 of 1 and 0 of 1 | R1 bob queued
            3s: L2 ann [e,x,c,a,b,d] Released | L2 -e Released leased>free; L2 -x Released; L2 -c Released leased>free; L2 -a Released leased>free; L2 -b Released leased>free; L2 -d Released leased>free, over; L3 +d bob free>leased; L3 +c bob free>leased; L3 +a bob free>leased; L3 +e bob free>leased; R1 gets L3
            4s: L3 bob [d,c,e] returned [a] | L3 -a Released leased>free
            5s: L4 ann [b,a] until 605s | L4 +b ann free>leased; L4 +a ann free>leased
        "#]],
    );
}

/// What is held goes on as long as the pool allows by now; to ask for more is refused.
#[test]
fn a_renewal_without_ttl_is_clipped_to_what_the_pool_allows_by_now() {
    check(
        "
        pool p names=a max-ttl=1h
        pool q names=b,c max-ttl=1h
        0 - sync
        0 ann take @a,b,free ttl=30m
        0 bob take @c
        nopool p
        nopool q
        pool p names=a max-ttl=8s
        pool q names=b,c max-ttl=5s
        1s - sync
        2s ann renew L1
        2s bob renew L2
        3s ann renew L1 ttl=30m
        3s ann renew L1 ttl=2s
        4s ann renew L1
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; pool q made; a made in p >free; b made in q >free; c made in q >free
            0: L1 ann [a,b,free] until 1800s | L1 +a ann free>leased; L1 +b ann free>leased; L1 +free ann
            0: L2 bob [c] until 600s | L2 +c bob free>leased
            1s: synced +[] -[] later[] | pool p changed; pool q changed
            2s: L1 ann [a,b,free] until 7s
            2s: L2 bob [c] until 7s
            3s: no: ttl must be more than 0 and at most 5000 ms in pool "q"
            3s: L1 ann [a,b,free] until 5s
            4s: L1 ann [a,b,free] until 6s
        "#]],
    );
}

/// Whoever waits asked for what the pool allowed then, or of a pool that was not there yet.
#[test]
fn who_waited_is_granted_for_no_longer_than_the_pool_allows_by_now() {
    check(
        "
        pool p names=a max-ttl=1h
        0 - sync
        0 ann take p
        0 bob take p wait ttl=30m
        0 eve take later anyway ttl=20h
        nopool p
        pool p names=a max-ttl=8s
        pool later names=b max-ttl=60s
        1s - sync
        2s ann release L1
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 ann [a] until 600s | L1 +a ann free>leased
            0: R1 is #1, 0 of 1 | R1 bob queued
            0: R2 is #1, 0 of 1 of no pool | R2 eve queued
            1s: synced +[b] -[] later[] | pool p changed; pool later made; b made in later >free; L2 +b eve free>leased; R2 gets L2
            2s: L1 ann [a] Released | L1 -a Released leased>free, over; L3 +a bob free>leased; R1 gets L3
        "#]],
    );
}

/// Shorter, longer, as it was; and keeps the new TTL.
#[test]
fn renewing_sets_the_deadline_from_now() {
    check(
        "
        pool p names=a,b max-ttl=1h
        0 - sync
        0 ann take p*2 ttl=10s
        1s ann renew L1 ttl=1m
        2s ann renew L1
        3s ann renew L1 ttl=1s
        3s bob renew L1
        3s - renew L1
        3s ann renew L1 ttl=0
        3s ann renew L1 ttl=-1s
        3s ann renew L1 ttl=61m
        3s ann renew L9
        4s - show a b
        4s+ ann renew L1
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 ann [a,b] until 10s | L1 +a ann free>leased; L1 +b ann free>leased
            1s: L1 ann [a,b] until 61s
            2s: L1 ann [a,b] until 62s
            3s: L1 ann [a,b] until 4s
            3s: no: lease 1 is held by ann, not by "bob"
            3s: L1 ann [a,b] until 4s
            3s: no: ttl must be more than 0 and at most 3600000 ms in pool "p"
            3s: no: ttl must be more than 0 and at most 3600000 ms in pool "p"
            3s: no: ttl must be more than 0 and at most 3600000 ms in pool "p"
            3s: no: there is no lease 9
            a in p leased @0s rev 3, ann L1 since 0s until 4s; b in p leased @0s rev 4, ann L1 since 0s until 4s
            4s+: no: lease 1 has ended | L1 -a Expired leased>free; L1 -b Expired leased>free, over
        "#]],
    );
}

#[test]
fn a_lease_is_given_back_in_parts() {
    check(
        "
        pool p names=a,b,c state=dirty
        0 - sync
        0 ann take p*3:dirty
        1s ann release L1 targets=b
        1s bob release L1
        1s ann release L1 targets=b
        1s ann release L1 targets=zz
        1s ann release L1 targets=a,zz,b
        1s ann release L1 targets=a,b to=free
        1s ann release L1
        1s ann release L1
        1s - show a b c
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; a made in p >dirty; b made in p >dirty; c made in p >dirty
            0: L1 ann [a,b,c] until 600s | L1 +a ann dirty>leased; L1 +b ann dirty>leased; L1 +c ann dirty>leased
            1s: L1 ann [a,c] returned [b] | L1 -b Released leased>dirty
            1s: no: lease 1 is held by ann, not by "bob"
            1s: L1 ann [a,c] returned [b]
            1s: no: not held [zz]
            1s: no: not held [zz]
            1s: L1 ann [c] returned [b,a] | L1 -a Released leased>free
            1s: L1 ann [c] returned [b,a] Released | L1 -c Released leased>dirty, over
            1s: no: lease 1 has ended
            a in p free @1s rev 8, not held; b in p dirty @1s rev 7, not held; c in p dirty @1s rev 9, not held
        "#]],
    );
}

#[test]
fn force_tells_why_and_checks_who() {
    check(
        "
        pool p names=a,b,c on-expire=dirty
        0 - sync
        0 ann take p*2
        0 1 lock 10s c,x
        1s op force L1 expect=bob
        1s op force @a expect=ann why=fire
        1s op force @a
        1s op force L1 to=broken
        1s op force L1
        1s op force L7
        1s op force @c
        11s - tick
        12s op force @x
        12s - show a b c x
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free
            0: L1 ann [a,b] until 600s | L1 +a ann free>leased; L1 +b ann free>leased
            0: locked [c,x] | L2 +c job:1; L2 +x job:1
            1s: no: lease 1 is held by ann, not by "bob"
            1s: L1 ann [b] returned [a] | L1 -a Forced leased>dirty
            1s: no: not held [a]
            1s: L1 ann [b] returned [a] Forced by op | L1 -b Forced leased>broken, over
            1s: no: lease 1 has ended
            1s: no: there is no lease 7
            1s: L2 job:1 [x] returned [c] | L2 -c Forced free>dirty
            11s: done | L2 x lapsed
            12s: L2 job:1 [x] returned [c] Forced by op | L2 -x Forced, over
            a in p dirty @1s rev 6, not held; b in p broken @1s rev 7, not held; c in p dirty @1s rev 8, not held; x, not held
        "#]],
    );
}

#[test]
fn ttl_limits_are_the_pools_or_thirty_days() {
    check(
        "
        pool p names=a max-ttl=1m
        pool q names=b max-ttl=60d
        pool r names=c
        0 - sync
        0 ann take p ttl=61s
        0 ann take @a ttl=61s
        0 ann take p+q ttl=61s
        0 ann take p ttl=0
        0 ann take p ttl=-1s
        0 ann take r ttl=31d
        0 ann take @x ttl=31d
        0 ann take q+r ttl=31d
        0 ann take q ttl=61d
        0 ann take q ttl=31d
        0 ann renew L1 ttl=59d
        0 ann take p
        0 ann take r ttl=30d
        ",
        &expect![[r#"
            0: synced +[a,b,c] -[] later[] | pool p made; pool q made; pool r made; a made in p >free; b made in q >free; c made in r >free
            0: no: ttl must be more than 0 and at most 60000 ms in pool "p"
            0: no: ttl must be more than 0 and at most 60000 ms in pool "p"
            0: no: ttl must be more than 0 and at most 60000 ms in pool "p"
            0: no: ttl must be more than 0 and at most 60000 ms in pool "p"
            0: no: ttl must be more than 0 and at most 60000 ms in pool "p"
            0: no: ttl must be more than 0 and at most 2592000000 ms
            0: no: ttl must be more than 0 and at most 2592000000 ms
            0: no: ttl must be more than 0 and at most 2592000000 ms
            0: no: ttl must be more than 0 and at most 5184000000 ms in pool "q"
            0: L1 ann [b] until 2678400s | L1 +b ann free>leased
            0: L1 ann [b] until 5097600s
            0: L2 ann [a] until 60s | L2 +a ann free>leased
            0: L3 ann [c] until 2592000s | L3 +c ann free>leased
        "#]],
    );
}

#[test]
fn the_shortest_default_ttl_wins_and_never_exceeds_the_maximum() {
    check(
        "
        pool p names=a ttl=1m
        pool q names=b ttl=1h max-ttl=30s
        pool r names=c,d
        0 - sync
        0 ann take p
        0 ann take q
        0 ann take r
        0 ann release L1
        0 ann release L2
        0 ann take p+q+r
        0 ann take @x
        ",
        &expect![[r#"
            0: synced +[a,b,c,d] -[] later[] | pool p made; pool q made; pool r made; a made in p >free; b made in q >free; c made in r >free; d made in r >free
            0: L1 ann [a] until 60s | L1 +a ann free>leased
            0: L2 ann [b] until 30s | L2 +b ann free>leased
            0: L3 ann [c] until 600s | L3 +c ann free>leased
            0: L1 ann [a] Released | L1 -a Released leased>free, over
            0: L2 ann [b] Released | L2 -b Released leased>free, over
            0: L4 ann [a,b,d] until 30s | L4 +a ann free>leased; L4 +b ann free>leased; L4 +d ann free>leased
            0: L5 ann [x] until 600s | L5 +x ann
        "#]],
    );
}

#[test]
fn an_idempotency_key_answers_the_same_again() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 ann take p key=k body=1
        1s ann take p key=k body=1
        1s ann take p key=k body=2
        1s bob take p key=k body=2
        1s ann release L1
        2s ann take p key=k body=1
        86400s ann take p key=k body=1
        86400s+ ann take p key=k body=1
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 ann [a] until 600s | L1 +a ann free>leased
            1s: L1 ann [a] until 600s
            1s: no: this idempotency key was used for a different request
            1s: L2 bob [b] until 601s | L2 +b bob free>leased
            1s: L1 ann [a] Released | L1 -a Released leased>free, over
            2s: was L1
            86400s: was L1 | L2 -b Expired leased>free, over
            86400s+: L3 ann [a] until 87000s+ | L3 +a ann free>leased
        "#]],
    );
}

#[test]
fn an_idempotency_key_leads_to_the_same_place_in_line() {
    check(
        "
        pool p names=a
        0 - sync
        0 bob take p ttl=1h
        0 ann take p key=k body=1 wait
        29s ann take p key=k body=1 wait
        29s ann take p key=k body=2 wait
        50s ann take p key=k body=1
        51s - withdraw R1
        51s ann take p key=k body=1 wait
        52s bob release L1
        53s ann take p key=k body=1 wait
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 bob [a] until 3600s | L1 +a bob free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            29s: R1 is #1, 0 of 1
            29s: no: this idempotency key was used for a different request
            50s: R1 is #1, 0 of 1
            51s: done | R1 withdrawn; R1 ends
            51s: R2 is #1, 0 of 1 | R2 ann queued
            52s: L1 bob [a] Released | L1 -a Released leased>free, over; L2 +a ann free>leased; R2 gets L2
            53s: L2 ann [a] until 652s
        "#]],
    );
}

/// Ten minutes after the grant the request is forgotten, the key is not: it must not grant twice.
#[test]
fn the_key_of_a_request_outlives_the_request() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 bob take p*2
        0 ann take p key=k body=1 wait ttl=1h
        1s bob release L1
        2s - poll R1
        700s - tick
        700s - poll R1
        701s ann take p key=k body=1 wait ttl=1h
        702s ann release L2
        702s ann take p key=k body=1 wait ttl=1h
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 bob [a,b] until 600s | L1 +a bob free>leased; L1 +b bob free>leased
            0: R1 is #1, 0 of 1 | R1 ann queued
            1s: L1 bob [a,b] Released | L1 -a Released leased>free; L1 -b Released leased>free, over; L2 +a ann free>leased; R1 gets L2
            2s: settled: R1 ann granted L2
            700s: done
            700s: no: there is no request 1
            701s: L2 ann [a] until 3601s
            702s: L2 ann [a] Released | L2 -a Released leased>free, over
            702s: was L2
        "#]],
    );
}

#[test]
fn a_refused_call_uses_no_key() {
    check(
        "
        pool p names=a
        0 - sync
        0 bob take p
        0 ann take p key=k body=1
        1s bob release L1
        1s ann take p key=k body=2
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 bob [a] until 600s | L1 +a bob free>leased
            0: no: unavailable [p 0 of 1 to be had in state free: 1 held, a is bob's]
            1s: L1 bob [a] Released | L1 -a Released leased>free, over
            1s: L2 ann [a] until 601s | L2 +a ann free>leased
        "#]],
    );
}

/// Promise P9.
#[test]
fn time_never_goes_back() {
    check(
        "
        pool p names=a
        0 - sync
        10s ann take p ttl=10s
        5s bob take p
        20s+ - tick
        15s ann renew L1
        15s bob take p ttl=5s
        25s - tick
        25s+ - tick
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            10s: L1 ann [a] until 20s | L1 +a ann free>leased
            5s: no: unavailable [p 0 of 1 to be had in state free: 1 held, a is ann's]
            20s+: done | L1 -a Expired leased>free, over
            15s: no: lease 1 has ended
            15s: L2 bob [a] until 25s+ | L2 +a bob free>leased
            25s: done
            25s+: done
        "#]],
    );
}

#[test]
fn boskos_operations_work_on_v1_leases_and_the_other_way_round() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 ann take p ttl=10s
        9s ann b-update a leased k=v
        9s - show a
        19s ann b-release a free
        19s ann b-acquire p free busy
        19s ann renew L2
        19s ann renew L2 ttl=5s
        19s - show b
        24s+ - tick
        24s+ - show b
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 ann [a] until 10s | L1 +a ann free>leased
            9s: done
            a in p leased data {"k": "v"} @9s rev 4, ann L1 since 0s until 19s
            19s: done | L1 -a Released leased>free, over
            19s: ann holds b:busy | L2 +b ann free>busy
            19s: L2 ann [b] for ever
            19s: L2 ann [b] until 24s
            b in p busy @19s rev 6, ann L2 since 19s until 24s
            24s+: done | L2 -b Expired busy>free, over
            b in p free @24s+ rev 7, not held
        "#]],
    );
}
