//! How jobs end: released, lost, forced or forgotten (`reference/contest.md` §1.2 and §4, and what the server adds to it).

use expect_test::expect;

use crate::script::{Stage, check};

#[test]
fn a_job_that_nobody_renews_is_released_while_its_targets_stay_locked() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv hold=10s release=5s
        0 - job-acquired J1 a
        9s ann job-renew J1 hold=2s
        11s 2 lock 1m a
        11s+ 2 lock 1m a
        11s+ - show a
        11s+ ann job-renew J1
        12s - job-released J1 1
        12s 2 lock 1m a
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: J1 leased until 10s [a] | L2 +a job:J1; job:J1 TargetAcquired a
            9s: J1 leased until 11s [a]
            11s: no: busy [a is job:J1's]
            11s+: no: busy [a is job:J1's] | job:J1 JobReleasing (nobody renewed it within 2000 ms)
            a, job:J1 L2 since 0s until for ever
            11s+: no: job J1 is releasing
            12s: J1 cancelled [a] Expired | job:J1 TargetReleased a; L2 -a Released, over; job:J1 JobCancelled (nobody renewed it within 2000 ms)
            12s: locked [a] | L3 +a job:2
        "#]],
    );
}

#[test]
fn a_release_that_fails_is_tried_again_ever_more_seldom() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv release=5s
        0 - job-acquired J1 a
        0 ann job-end J1
        1s - job-unreleased J1 1 power-is-gone
        1s 2 lock 1m a
        2s - tick
        2s+ - tick
        7s+ - tick
        8s+ - tick
        9s+ - tick
        10s - job-unreleased J1 3 again
        11s ann job-end J1
        11s - job-released J1 3
        11s ann job-end J1
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: J1 leased until 600s [a] | L2 +a job:J1; job:J1 TargetAcquired a
            0: J1 releasing #1 until 5s [a] Asked | job:J1 JobReleasing
            1s: J1 stuck after 1, again 2s [a] Asked | job:J1 JobReleaseFailed (power-is-gone)
            1s: no: busy [a is job:J1's]
            2s: done
            2s+: done | job:J1 JobReleasing (attempt 2)
            7s+: done
            8s+: done | job:J1 JobReleaseFailed (releasing took longer than 5000 ms)
            9s+: done
            10s: no: job J1 is stuck
            11s: J1 releasing #3 until 16s [a] Asked | job:J1 JobReleasing (attempt 3)
            11s: J1 completed [a] Asked | job:J1 TargetReleased a; L2 -a Released, over; job:J1 JobCompleted
            11s: J1 completed [a] Asked
        "#]],
    );
}

#[test]
fn a_stuck_release_can_be_forced() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv
        0 - job-acquired J1 a
        0 ann job-end J1
        1s - job-unreleased J1 1 power-is-gone
        1s op job-force J1 burnt
        1s op job-force J1 burnt
        1s 2 lock 1m a
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: J1 leased until 600s [a] | L2 +a job:J1; job:J1 TargetAcquired a
            0: J1 releasing #1 until 300s [a] Asked | job:J1 JobReleasing
            1s: J1 stuck after 1, again 2s [a] Asked | job:J1 JobReleaseFailed (power-is-gone)
            1s: J1 failed [a] Asked | job:J1 TargetReleased a; L2 -a Released, over; job:J1 JobFailed (forced by op: burnt)
            1s: J1 failed [a] Asked
            1s: locked [a] | L3 +a job:2
        "#]],
    );
}

#[test]
fn a_lost_lock_ends_the_job_and_says_why() {
    check(
        "
        pool p names=r
        0 - sync
        0 - plugin-install csv v1
        0 ann job-start csv
        0 - job-acquired J1 a,b
        1s op force @a why=broken
        1s - show a b
        1s - job-released J1 1
        2s ann job-start csv
        2s - job-acquired J3 r
        2s op force @r why=broken
        3s ann job-start csv
        3s - job-acquired J5 a
        4s ann job-end J5
        4s - release L6
        4s op force @a why=broken
        ",
        &expect![[r#"
            0: synced +[r] -[] later[] | pool p made; r made in p >free
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: J1 leased until 600s [a,b] | L2 +a job:J1; L2 +b job:J1; job:J1 TargetAcquired a; job:J1 TargetAcquired b
            1s: L2 job:J1 [b] returned [a] | L2 -a Forced; job:J1 JobReleasing (a was taken away by op: broken)
            a, not held; b, job:J1 L2 since 0s until for ever
            1s: J1 cancelled [b] Lost | job:J1 TargetReleased b; L2 -b Released, over; job:J1 JobCancelled (a was taken away by op: broken)
            2s: J3 acquiring until 302s [] | job:J3 JobStarted (for ann)
            2s: J3 leased until 602s [r] | L4 +r job:J3; job:J3 TargetAcquired r
            2s: L4 job:J3 [r] Forced by op | L4 -r Forced free>free, over; job:J3 JobCancelled (r was taken away by op: broken)
            3s: J5 acquiring until 303s [] | job:J5 JobStarted (for ann)
            3s: J5 leased until 603s [a] | L6 +a job:J5; job:J5 TargetAcquired a
            4s: J5 releasing #1 until 304s [a] Asked | job:J5 JobReleasing
            4s: no: job J5 is run by the server, which looks after its locks: renew or end the job instead
            4s: L6 job:J5 [a] Forced by op | L6 -a Forced, over; job:J5 JobCancelled (a was taken away by op: broken before it was released)
        "#]],
    );
}

#[test]
fn ending_a_job_early_cancels_it() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv
        0 1 j-lock 1m a
        0 ann job-end J1 changed-my-mind
        0 ann job-end J1
        0 1 j-lock 1m a
        0 ann job-renew J1
        0 ann job-start csv
        0 3 j-lock 1m a
        0 op job-force J3 enough
        0 - job-end J9
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: locked [a] | L2 +a job:J1
            0: J1 cancelled [] Asked | L2 -a Released, over; job:J1 JobCancelled (changed-my-mind)
            0: J1 cancelled [] Asked
            0: no: job J1 is cancelled
            0: no: job J1 is cancelled
            0: J3 acquiring until 300s [] | job:J3 JobStarted (for ann)
            0: locked [a] | L4 +a job:J3
            0: J3 failed [] Asked | L4 -a Released, over; job:J3 JobFailed (forced by op: enough)
            0: no: there is no job J9
        "#]],
    );
}

#[test]
fn a_job_is_forgotten_after_a_day() {
    let mut stage = Stage::new();
    stage.play(
        "
        0 - plugin-install csv v1
        0 ann job-start csv
        0 - job-failed J1 no
        1d - tick
        ",
    );
    assert_eq!(stage.ledger.jobs_after(None).count(), 1);
    stage.play("1d+ - tick");
    assert_eq!(stage.ledger.jobs_after(None).count(), 0);
    stage.replay_twice();
}

#[test]
fn a_job_is_leased_no_longer_than_the_pools_of_its_targets_allow() {
    check(
        "
        pool p names=a max-ttl=5m
        pool q names=b max-ttl=5s
        0 - sync
        0 - plugin-install csv v1
        0 ann job-start csv
        0 1 j-lock 15m b
        0 - job-acquired J1 a,b,c
        0 - show a b c
        1s ann job-renew J1
        2s ann job-renew J1 hold=1h
        3s ann job-renew J1 hold=1s
        4s+ - tick
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; pool q made; a made in p >free; b made in q >free
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: locked [b] | L2 +b job:J1
            0: J1 leased until 5s [a,b,c] | L3 +a job:J1; L3 +c job:J1; job:J1 TargetAcquired a; job:J1 TargetAcquired b; job:J1 TargetAcquired c
            a in p free @0s rev 1, job:J1 L3 since 0s until 5s; b in q free @0s rev 2, job:J1 L2 since 0s until 5s; c, job:J1 L3 since 0s until 5s
            1s: J1 leased until 6s [a,b,c]
            2s: J1 leased until 7s [a,b,c]
            3s: J1 leased until 4s [a,b,c]
            4s+: done | job:J1 JobReleasing (nobody renewed it within 1000 ms)
        "#]],
    );
}

/// What nobody came back for is left as any lease that ran out; what was given back is as its manager left it.
#[test]
fn what_a_job_that_ran_out_had_goes_where_leases_that_ran_out_go() {
    check(
        "
        pool p names=a,b,c,d on-expire=dirty
        0 - sync
        0 - plugin-install csv v1
        0 ann job-start csv hold=1s
        0 - job-acquired J1 a,u
        0 bob job-start csv hold=1s
        0 - job-acquired J3 b
        0 cid job-start csv hold=10s
        0 - job-acquired J5 c
        0 dan job-start csv hold=1s
        0 - job-acquired J7 d
        1s+ - tick
        2s - job-released J1 1
        2s - job-unreleased J3 1 broken
        2s - job-force J3 gone
        2s cid job-end J5
        2s - job-released J5 1
        2s - show a b c
        2s - patch a state=free
        3s eve job-start csv hold=1s
        ",
        &expect![[r#"
            0: synced +[a,b,c,d] -[] later[] | pool p made; a made in p >free; b made in p >free; c made in p >free; d made in p >free
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: J1 leased until 1s [a,u] | L2 +a job:J1; L2 +u job:J1; job:J1 TargetAcquired a; job:J1 TargetAcquired u
            0: J3 acquiring until 300s [] | job:J3 JobStarted (for bob)
            0: J3 leased until 1s [b] | L4 +b job:J3; job:J3 TargetAcquired b
            0: J5 acquiring until 300s [] | job:J5 JobStarted (for cid)
            0: J5 leased until 10s [c] | L6 +c job:J5; job:J5 TargetAcquired c
            0: J7 acquiring until 300s [] | job:J7 JobStarted (for dan)
            0: J7 leased until 1s [d] | L8 +d job:J7; job:J7 TargetAcquired d
            1s+: done | job:J1 JobReleasing (nobody renewed it within 1000 ms); job:J3 JobReleasing (nobody renewed it within 1000 ms); job:J7 JobReleasing (nobody renewed it within 1000 ms)
            2s: J1 cancelled [a,u] Expired | job:J1 TargetReleased a; job:J1 TargetReleased u; L2 -a Released free>dirty; L2 -u Released, over; job:J1 JobCancelled (nobody renewed it within 1000 ms)
            2s: J3 stuck after 1, again 3s [b] Expired | job:J3 JobReleaseFailed (broken)
            2s: J3 failed [b] Expired | job:J3 TargetReleased b; L4 -b Released free>dirty, over; job:J3 JobFailed (forced: gone)
            2s: J5 releasing #1 until 302s [c] Asked | job:J5 JobReleasing
            2s: J5 completed [c] Asked | job:J5 TargetReleased c; L6 -c Released, over; job:J5 JobCompleted
            a in p dirty @2s rev 5, not held; b in p dirty @2s rev 6, not held; c in p free @0s rev 3, not held
            2s: a in p free | a changed dirty>free
            3s: J9 acquiring until 303s [] | job:J9 JobStarted (for eve)
        "#]],
    );
}

#[test]
fn a_plugin_that_can_again_is_asked_again() {
    check(
        "
        0 - plugin-install csv v1
        0 - plugin-install other v1
        0 ann job-start csv
        0 - job-acquired J1 a
        0 - job-end J1
        0 bob job-start other
        0 - job-acquired J3 b
        0 - job-end J3
        0 - job-unreleased J3 1 broken
        0 - job-unreleased J1 1 off
        1s+ - tick
        2s - job-unreleased J1 2 off
        4s+ - tick
        5s - job-unreleased J1 3 off
        9s+ - tick
        10s - plugin-disable csv
        10s - job-unreleased J1 4 off
        11s - plugin-enable csv
        12s+ - tick
        13s - job-unreleased J1 5 off
        14s - plugin-enable csv
        15s+ - tick
        16s - job-unreleased J1 6 off
        17s - plugin-install csv v2
        18s+ - tick
        19s - job-unreleased J1 7 off
        20s - plugin-back csv v1
        21s+ - tick
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: other v1 | other PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: J1 leased until 600s [a] | L2 +a job:J1; job:J1 TargetAcquired a
            0: J1 releasing #1 until 300s [a] Asked | job:J1 JobReleasing
            0: J3 acquiring until 300s [] | job:J3 JobStarted (for bob)
            0: J3 leased until 600s [b] | L4 +b job:J3; job:J3 TargetAcquired b
            0: J3 releasing #1 until 300s [b] Asked | job:J3 JobReleasing
            0: J3 stuck after 1, again 1s [b] Asked | job:J3 JobReleaseFailed (broken)
            0: J1 stuck after 1, again 1s [a] Asked | job:J1 JobReleaseFailed (off)
            1s+: done | job:J1 JobReleasing (attempt 2); job:J3 JobReleasing (attempt 2)
            2s: J1 stuck after 2, again 4s [a] Asked | job:J1 JobReleaseFailed (off)
            4s+: done | job:J1 JobReleasing (attempt 3)
            5s: J1 stuck after 3, again 9s [a] Asked | job:J1 JobReleaseFailed (off)
            9s+: done | job:J1 JobReleasing (attempt 4)
            10s: csv v1 off | csv PluginDisabled (v1)
            10s: J1 stuck after 4, again 18s [a] Asked | job:J1 JobReleaseFailed (off)
            11s: csv v1 | csv PluginEnabled (v1)
            12s+: done | job:J1 JobReleasing (attempt 5)
            13s: J1 stuck after 5, again 29s [a] Asked | job:J1 JobReleaseFailed (off)
            14s: csv v1
            15s+: done | job:J1 JobReleasing (attempt 6)
            16s: J1 stuck after 6, again 48s [a] Asked | job:J1 JobReleaseFailed (off)
            17s: csv v2 before v1 | csv PluginReplaced (v2)
            18s+: done | job:J1 JobReleasing (attempt 7)
            19s: J1 stuck after 7, again 83s [a] Asked | job:J1 JobReleaseFailed (off)
            20s: csv v1 before v2 | csv PluginRolledBack (v1)
            21s+: done | job:J1 JobReleasing (attempt 8)
        "#]],
    );
}
