//! Dynamic pools: what comes and goes by itself (`reference/boskos.md` §3.10).

use expect_test::expect;

use crate::script::check;

/// Statements 49–53 and A7.
#[test]
fn a_first_poll_makes_one_and_answers_not_found() {
    check(
        "
        pool d dynamic=0/2 state=dirty
        0 - sync
        0 ann b-acquire d dirty busy
        0 ann b-acquire d dirty busy id=1
        0 ann b-acquire d dirty busy id=1
        0 bob b-acquire d free busy id=2
        0 bob b-acquire d free busy id=2
        0 cid b-acquire d free busy id=3
        0 - show d
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made
            0: no: nothing is free in pool "d" in state "dirty"
            0: no: nothing is free in pool "d" in state "dirty" | R1 ann queued; e880a903 made in d >dirty
            0: ann holds e880a903-bcff-4547-b478-13be66bc5bf9:busy | L1 +e880a903-bcff-4547-b478-13be66bc5bf9 ann dirty>busy
            0: no: nothing is free in pool "d" in state "free" | R2 bob queued; 2b40f785 made in d >dirty
            0: no: nothing is free in pool "d" in state "free"
            0: no: nothing is free in pool "d" in state "free" | R3 cid queued
            d: 0/2, 1 held of 2, {"busy": 1, "dirty": 1}
        "#]],
    );
}

#[test]
fn a_v1_waiter_makes_what_it_lacks_and_gets_it() {
    check(
        "
        pool d dynamic=0/3
        0 - sync
        0 ann take d
        0 ann take d*2 wait
        0 bob take d*2 wait
        1s ann release L1
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made
            0: no: unavailable [d 0 of 1 to be had in state free]
            0: L1 ann [435eb231,e880a903] until 600s | R1 ann queued; e880a903 made in d >free; 435eb231 made in d >free; L1 +435eb231-96e4-4bda-b53a-f55398604381 ann free>leased; L1 +e880a903-bcff-4547-b478-13be66bc5bf9 ann free>leased; R1 gets L1
            0: R2 is #1, 1 of 2 | R2 bob queued; cf4b166f made in d >free
            1s: L1 ann [435eb231,e880a903] Released | L1 -435eb231-96e4-4bda-b53a-f55398604381 Released leased>free; L1 -e880a903-bcff-4547-b478-13be66bc5bf9 Released leased>free, over; L2 +cf4b166f-c369-43db-93e6-d552e0cd0d82 bob free>leased; L2 +435eb231-96e4-4bda-b53a-f55398604381 bob free>leased; R2 gets L2
        "#]],
    );
}

/// Nobody may wait for ever for what the pool could make.
#[test]
fn a_v1_waiter_gets_a_new_one_when_there_is_room_again() {
    check(
        "
        pool d dynamic=0/1 lifespan=10s
        0 - sync
        0 ann take d wait ttl=5s
        4s ann release L1
        15s bob take d:dirty wait
        16s cid take d wait
        29s - poll R3
        31s - tick
        32s - show d
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made
            0: L1 ann [e880a903] until 5s | R1 ann queued; e880a903 made in d >free; L1 +e880a903-bcff-4547-b478-13be66bc5bf9 ann free>leased; R1 gets L1
            4s: L1 ann [e880a903] Released | L1 -e880a903-bcff-4547-b478-13be66bc5bf9 Released leased>free, over
            15s: R2 is #1, 0 of 1 | e880a903 changed free>toBeDeleted (its lifespan is over); R2 bob queued
            16s: R3 is #1, 0 of 1 | R3 cid queued
            29s: R3 is #1, 0 of 1
            31s: done | e880a903 changed toBeDeleted>tombstone (cleaned); e880a903 gone from d tombstone>; 2369fa76 made in d >free; L2 +2369fa76-7f3b-47a3-b491-5be5bfc26ed1 cid free>leased; R3 gets L2
            d: 0/1, 1 held of 1, {"leased": 1}
        "#]],
    );
}

#[test]
fn the_minimum_is_kept_and_the_maximum_too() {
    check(
        "
        pool d dynamic=2/3
        0 - sync
        0 ann b-acquire d free busy
        0 ann b-acquire d free busy
        1s ann b-acquire d free busy id=1
        pool d dynamic=1/1
        2s - sync
        2s - show d
        3s ann b-acquire d free busy id=1
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made; 1b9730bf made in d >free; e880a903 made in d >free
            0: ann holds 1b9730bf-3fc5-4e36-a345-97410b5fbe98:busy | L1 +1b9730bf-3fc5-4e36-a345-97410b5fbe98 ann free>busy
            0: ann holds e880a903-bcff-4547-b478-13be66bc5bf9:busy | L2 +e880a903-bcff-4547-b478-13be66bc5bf9 ann free>busy
            1s: no: nothing is free in pool "d" in state "free" | R1 ann queued; 3a3bfc2b made in d >free
            2s: synced +[] -[] later[] | pool d changed; 3a3bfc2b changed free>toBeDeleted (more than max-count)
            d: 1/1, 2 held of 3, {"busy": 2, "toBeDeleted": 1}
            3s: no: nothing is free in pool "d" in state "free"
        "#]],
    );
}

/// Statements 64–65, 104.
#[test]
fn a_lifespan_runs_from_the_last_release() {
    check(
        "
        pool d dynamic=1/2 lifespan=1m
        0 - sync
        100s - tick
        100s ann take d
        101s ann release L1
        161s - tick
        161s+ - tick
        176s+ - tick
        176s+ - show d
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made; 1b9730bf made in d >free
            100s: done
            100s: L1 ann [1b9730bf] until 700s | L1 +1b9730bf-3fc5-4e36-a345-97410b5fbe98 ann free>leased
            101s: L1 ann [1b9730bf] Released | L1 -1b9730bf-3fc5-4e36-a345-97410b5fbe98 Released leased>free, over
            161s: done
            161s+: done | 1b9730bf changed free>toBeDeleted (its lifespan is over)
            176s+: done
            d: 1/2, 0 held of 1, {"toBeDeleted": 1}
        "#]],
    );
}

#[test]
fn no_lifespan_adds_no_expiration() {
    check(
        "
        pool d dynamic=1/2
        pool s names=a
        0 - sync
        0 ann take d+s
        1s ann release L1
        1s - show a d
        1000s - tick
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool d made; pool s made; a made in s >free; 435eb231 made in d >free
            0: L1 ann [435eb231,a] until 600s | L1 +435eb231-96e4-4bda-b53a-f55398604381 ann free>leased; L1 +a ann free>leased
            1s: L1 ann [435eb231,a] Released | L1 -435eb231-96e4-4bda-b53a-f55398604381 Released leased>free; L1 -a Released leased>free, over
            a in s free @1s rev 6, not held; d: 1/2, 0 held of 1, {"free": 1}
            1000s: done
        "#]],
    );
}

/// X2.
#[test]
fn a_reset_does_not_renew_the_lifespan() {
    check(
        "
        pool d dynamic=1/2 lifespan=1m
        0 - sync
        0 ann b-acquire d free busy
        1s - b-reset d busy 0 free
        100s - tick
        100s ann b-acquire d free busy
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made; 1b9730bf made in d >free
            0: ann holds 1b9730bf-3fc5-4e36-a345-97410b5fbe98:busy | L1 +1b9730bf-3fc5-4e36-a345-97410b5fbe98 ann free>busy
            1s: reset [1b9730bf-3fc5-4e36-a345-97410b5fbe98 from ann] | L1 -1b9730bf-3fc5-4e36-a345-97410b5fbe98 Reset busy>free, over
            100s: done
            100s: ann holds 1b9730bf-3fc5-4e36-a345-97410b5fbe98:busy | L2 +1b9730bf-3fc5-4e36-a345-97410b5fbe98 ann free>busy
        "#]],
    );
}

/// §5.3: 15 s, exact.
#[test]
fn the_built_in_cleaner_waits_for_an_outside_one_first() {
    check(
        "
        pool d dynamic=1/1
        0 - sync
        pool d dynamic=0/1
        0 - sync
        nopool d
        1s - sync
        16s - tick
        16s+ - tick
        17s - show d
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made; 1b9730bf made in d >free
            0: synced +[] -[] later[] | pool d changed
            1s: synced +[] -[] later[] | pool d changed; 1b9730bf changed free>toBeDeleted (more than max-count)
            16s: done
            16s+: done | 1b9730bf changed toBeDeleted>tombstone (cleaned); 1b9730bf gone from d tombstone>; pool d changed; pool d gone
            d, not held
        "#]],
    );
}

/// D7, D9.
#[test]
fn an_outside_cleaner_finds_its_work() {
    check(
        "
        pool d dynamic=1/1
        0 - sync
        nopool d
        1s - sync
        2s cleaner b-acquire d toBeDeleted cleaning
        20s - tick
        21s - show d
        22s cleaner b-release 1b9730bf-3fc5-4e36-a345-97410b5fbe98 tombstone
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made; 1b9730bf made in d >free
            1s: synced +[] -[] later[] | pool d changed; 1b9730bf changed free>toBeDeleted (more than max-count)
            2s: cleaner holds 1b9730bf-3fc5-4e36-a345-97410b5fbe98:cleaning | L1 +1b9730bf-3fc5-4e36-a345-97410b5fbe98 cleaner toBeDeleted>cleaning
            20s: done
            d: 0/0, 1 held of 1, {"cleaning": 1}
            22s: done | L1 -1b9730bf-3fc5-4e36-a345-97410b5fbe98 Released cleaning>tombstone, over; 1b9730bf gone from d tombstone>; pool d changed; pool d gone
        "#]],
    );
}

#[test]
fn a_pool_that_grows_a_lot_grows_in_steps() {
    check(
        "
        pool d dynamic=2500/3000
        0 - sync
        0 - show d
        0 - tick
        0 - show d
        0 - tick
        0 - tick
        0 - show d
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | 1001 events
            d: 2500/3000, 0 held of 1000, {"free": 1000}
            0: done | 1000 events
            d: 2500/3000, 0 held of 2000, {"free": 2000}
            0: done | 500 events
            0: done
            d: 2500/3000, 0 held of 2500, {"free": 2500}
        "#]],
    );
}

/// Found by the model: the pool that a resource left was not looked at.
#[test]
fn a_dynamic_pool_that_loses_one_to_another_pool_is_refilled() {
    check(
        "
        pool d dynamic=1/2
        0 - sync
        0 - put a pool=d
        0 - patch 1b9730bf-3fc5-4e36-a345-97410b5fbe98 pool=p
        0 - show d
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made; 1b9730bf made in d >free
            0: new a in d free | a made in d >free
            0: 1b9730bf-3fc5-4e36-a345-97410b5fbe98 in p free | pool p made; 1b9730bf changed free>free; 2b40f785 made in d >free
            d: 1/2, 0 held of 2, {"free": 2}
        "#]],
    );
}

/// D8: one that a cleaner has must not cost another its life.
#[test]
fn a_resource_with_the_cleaner_is_on_its_way_out() {
    check(
        "
        pool d dynamic=1/3
        0 - sync
        0 ann take d*3 wait
        1s ann release L1
        pool d dynamic=1/1
        2s - sync
        2s cleaner b-acquire d toBeDeleted cleaning
        2s - show d
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made; 1b9730bf made in d >free
            0: L1 ann [1b9730bf,435eb231,8ea5269b] until 600s | R1 ann queued; 435eb231 made in d >free; 8ea5269b made in d >free; L1 +1b9730bf-3fc5-4e36-a345-97410b5fbe98 ann free>leased; L1 +435eb231-96e4-4bda-b53a-f55398604381 ann free>leased; L1 +8ea5269b-74de-42bc-aa18-e122c9eeb6ba ann free>leased; R1 gets L1
            1s: L1 ann [1b9730bf,435eb231,8ea5269b] Released | L1 -1b9730bf-3fc5-4e36-a345-97410b5fbe98 Released leased>free; L1 -435eb231-96e4-4bda-b53a-f55398604381 Released leased>free; L1 -8ea5269b-74de-42bc-aa18-e122c9eeb6ba Released leased>free, over
            2s: synced +[] -[] later[] | pool d changed; 8ea5269b changed free>toBeDeleted (more than max-count); 435eb231 changed free>toBeDeleted (more than max-count)
            2s: cleaner holds 435eb231-96e4-4bda-b53a-f55398604381:cleaning | L2 +435eb231-96e4-4bda-b53a-f55398604381 cleaner toBeDeleted>cleaning
            d: 1/1, 1 held of 3, {"cleaning": 1, "free": 1, "toBeDeleted": 1}
        "#]],
    );
}

/// Found by the model: a pool was not looked at when a cordon took away what somebody else waits for.
#[test]
fn a_pool_makes_another_for_who_waits_when_one_is_cordoned() {
    check(
        "
        0 ann take d wait anyway
        pool d dynamic=1/2 state=dirty
        0 - sync
        0 - show d
        1s - patch e880a903-bcff-4547-b478-13be66bc5bf9 cordon=fan
        1s - show d
        ",
        &expect![[r#"
            0: R1 is #1, 0 of 1 of no pool | R1 ann queued
            0: synced +[] -[] later[] | pool d made; e880a903 made in d >dirty
            d: 1/2, 0 held of 1, {"dirty": 1}
            1s: e880a903-bcff-4547-b478-13be66bc5bf9 in d dirty cordoned: fan | e880a903-bcff-4547-b478-13be66bc5bf9 cordoned; 8ea5269b made in d >dirty
            d: 1/2, 0 held of 2, {"dirty": 2}
        "#]],
    );
}

/// Nothing leads to `fre` by itself, to `free` a cleaner does.
#[test]
fn a_v1_waiter_for_another_state_makes_nothing() {
    check(
        "
        pool d dynamic=1/4
        pool e dynamic=0/4 state=dirty
        0 - sync
        0 ann take d*4:fre wait
        0 ann take e*2:fre wait
        0 - show d e
        0 bob take e*2 wait
        0 - show e
        ",
        &expect![[r#"
            0: synced +[] -[] later[] | pool d made; pool e made; e880a903 made in d >free
            0: R1 is #1, 0 of 4 | R1 ann queued
            0: R2 is #1, 0 of 2 | R2 ann queued
            d: 1/4, 0 held of 1, {"free": 1}; e: 0/4, 0 held of 0, {}
            0: R3 is #1, 0 of 2 | R3 bob queued; 3a3bfc2b made in e >dirty; cf4b166f made in e >dirty
            e: 0/4, 0 held of 2, {"dirty": 2}
        "#]],
    );
}
