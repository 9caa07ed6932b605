//! Resources edited over the API, and cordons.

use expect_test::expect;

use crate::script::check;

#[test]
fn put_patch_and_delete() {
    check(
        "
        0 - put a
        0 - put a pool=p labels=k=1 data=x=y
        0 - put a pool=p labels=k=1 data=x=y
        0 - put a rev=0 pool=p
        1s - patch a rev=1 state=dirty
        1s - patch a rev=1 state=free
        1s - put a
        1s - patch b state=free
        1s - put b rev=1 pool=p
        1s - put b rev=0 pool=p state=odd
        1s - delete a rev=1
        1s - delete a rev=3
        1s - delete a
        1s - put a pool=p
        1s - delete a rev=1
        1s - delete a rev=5
        1s - delete b
        ",
        &expect![[r#"
            0: no: resource "a" does not exist, so its pool must be given
            0: new a in p free {"k": "1"} data {"x": "y"} | pool p made; a made in p >free
            0: a in p free {"k": "1"} data {"x": "y"}
            0: no: resource "a" is at revision 1, not 0
            1s: a in p dirty {"k": "1"} data {"x": "y"} | a changed free>dirty
            1s: no: resource "a" is at revision 2, not 1
            1s: a in p dirty | a changed dirty>dirty
            1s: no: there is no resource "b"
            1s: no: resource "b" is at revision 0, not 1
            1s: new b in p odd | b made in p >odd
            1s: no: resource "a" is at revision 3, not 1
            1s: done | a gone from p dirty>
            1s: no: there is no resource "a"
            1s: new a in p free | a made in p >free
            1s: no: resource "a" is at revision 5, not 1
            1s: done | a gone from p free>
            1s: done | b gone from p odd>; pool p gone
        "#]],
    );
}

#[test]
fn what_is_held_keeps_its_state_pool_and_life() {
    check(
        "
        pool p names=a
        0 - sync
        0 ann take p
        0 - patch a state=dirty
        0 - patch a pool=q
        0 - delete a
        0 - patch a labels=k=v data=x=1
        1s ann release L1
        1s - patch a pool=q
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            0: L1 ann [a] until 600s | L1 +a ann free>leased
            0: no: busy [a is ann's]
            0: no: busy [a is ann's]
            0: no: busy [a is ann's]
            0: a in p leased {"k": "v"} data {"x": "1"} | a changed leased>leased
            1s: L1 ann [a] Released | L1 -a Released leased>free, over
            1s: a in q free {"k": "v"} data {"x": "1"} | pool q made; a changed free>free
        "#]],
    );
}

#[test]
fn a_cordon_takes_no_new_leases_and_leaves_the_old_ones() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 ann take @a ttl=10s
        1s - patch a cordon=fan
        1s ann renew L1
        1s - patch a cordon=fan2
        1s ann b-update a leased k=v
        2s ann release L1
        2s bob take @a
        2s bob b-acquire p free busy
        2s bob b-acquire p free busy
        2s bob b-by-state free busy a
        2s 1 lock 1s a
        3s - patch a uncordon
        3s bob take @a
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: L1 ann [a] until 10s | L1 +a ann free>leased
            1s: a in p leased cordoned: fan | a cordoned
            1s: L1 ann [a] until 11s
            1s: a in p leased cordoned: fan2 | a changed leased>leased (fan2)
            1s: done
            2s: L1 ann [a] Released | L1 -a Released leased>free, over
            2s: no: unavailable [a cordoned: fan2]
            2s: bob holds b:busy | L2 +b bob free>busy
            2s: no: nothing is free in pool "p" in state "free"
            2s: no: not all of the named resources are free in state "free"
            2s: no: busy [a cordoned: fan2]
            3s: a in p free data {"k": "v"} | a uncordoned
            3s: L3 bob [a] until 603s | L3 +a bob free>leased
        "#]],
    );
}

#[test]
fn a_locked_name_can_become_a_resource_and_stop_being_one() {
    check(
        "
        0 1 lock 10s u
        0 - put u pool=p
        0 ann take p
        11s - tick
        11s ann take p ttl=1s
        13s - delete u
        13s 2 lock 1s u
        ",
        &expect![[r#"
            0: locked [u] | L1 +u job:1
            0: new u in p free | pool p made; u made in p >free
            0: no: unavailable [p 0 of 1 to be had in state free: 1 held, u is job:1's]
            11s: done | L1 u lapsed free>free
            11s: L2 ann [u] until 12s | L1 -u TakenOver, over; L2 +u ann free>leased
            13s: done | L2 -u Expired leased>free, over; u gone from p free>; pool p gone
            13s: locked [u] | L3 +u job:2
        "#]],
    );
}

#[test]
fn a_lapsed_lock_outlives_its_resource() {
    check(
        "
        0 - put u pool=p
        0 1 lock 10s u
        11s - delete u
        12s 1 refresh 10s u
        ",
        &expect![[r#"
            0: new u in p free | pool p made; u made in p >free
            0: locked [u] | L1 +u job:1
            11s: done | L1 u lapsed free>free; u gone from p free>; pool p gone
            12s: locked [u] | L1 u revived
        "#]],
    );
}

#[test]
fn file_and_api_resources_do_not_disturb_each_other() {
    check(
        "
        pool p names=a,b
        0 - sync
        0 - put c pool=p
        0 - put d pool=own
        pool p names=a,d
        1s - sync
        2s - put b pool=p
        pool p names=a,b,d
        3s - sync
        pool p names=d
        4s - sync
        nopool p
        5s - sync
        6s - delete c
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; a made in p >free; b made in p >free
            0: new c in p free | c made in p >free
            0: new d in own free | pool own made; d made in own >free
            1s: synced +[d] -[b,d] later[] | b gone from p free>; d gone from own free>; pool own gone; d made in p >free
            2s: new b in p free | b made in p >free
            3s: synced +[] -[] later[]
            4s: synced +[] -[a,b] later[] | a gone from p free>; b gone from p free>
            5s: synced +[] -[d] later[] | pool p changed; d gone from p free>
            6s: done | c gone from p free>; pool p gone
        "#]],
    );
}

#[test]
fn a_cordon_is_over_for_any_command_after_its_end() {
    check(
        "
        pool p names=a
        0 - sync
        1s - patch a cordon=now until=1s
        1s - patch a cordon=past until=0
        1s - patch a cordon=fan until=10s
        2s - put a pool=p cordon=fan until=5s
        3s - patch a labels=k=1
        6s ann take @a ttl=1h
        6s - patch a cordon=psu until=20s
        7s - patch a cordon=psu until=30s
        20s+ - tick
        30s+ - tick
        31s - patch a cordon=psu until=40s
        32s - patch a cordon=psu
        41s - tick
        42s - patch a cordon=psu until=50s
        43s - patch a uncordon
        51s - tick
        ",
        &expect![[r#"
            0: synced +[a] -[] later[] | pool p made; a made in p >free
            1s: no: the cordon of resource "a" would be over at once: its end must be later than now
            1s: no: the cordon of resource "a" would be over at once: its end must be later than now
            1s: a in p free cordoned: fan until 10s | a cordoned
            2s: a in p free cordoned: fan until 5s | a changed free>free (fan)
            3s: a in p free {"k": "1"} cordoned: fan until 5s | a changed free>free (fan)
            6s: L1 ann [a] until 3606s | a uncordoned (the time of its cordon is over); L1 +a ann free>leased
            6s: a in p leased {"k": "1"} cordoned: psu until 20s | a cordoned
            7s: a in p leased {"k": "1"} cordoned: psu until 30s | a changed leased>leased (psu)
            20s+: done
            30s+: done | a uncordoned (the time of its cordon is over)
            31s: a in p leased {"k": "1"} cordoned: psu until 40s | a cordoned
            32s: a in p leased {"k": "1"} cordoned: psu | a changed leased>leased (psu)
            41s: done
            42s: a in p leased {"k": "1"} cordoned: psu until 50s | a changed leased>leased (psu)
            43s: a in p leased {"k": "1"} | a uncordoned
            51s: done
        "#]],
    );
}
