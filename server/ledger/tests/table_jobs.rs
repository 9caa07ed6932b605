//! How jobs begin and who may touch them: `reference/contest.md` §1.2 and §4, as far as targets go, and what the server adds to it.

use expect_test::expect;

use crate::script::check;

#[test]
fn from_start_to_end() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv
        1s 1 j-lock 15m a,b
        2s - job-acquired J1 b,a,c
        2s - show a b c
        3s ann job-renew J1
        3s - show a
        4s ann job-end J1 done
        4s - show a
        5s - job-released J1 1
        5s 2 lock 1m a,b,c
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            1s: locked [a,b] | L2 +a job:J1; L2 +b job:J1
            2s: J1 leased until 602s [b,a,c] | L3 +c job:J1; job:J1 TargetAcquired b; job:J1 TargetAcquired a; job:J1 TargetAcquired c
            a, job:J1 L2 since 1s until 602s; b, job:J1 L2 since 1s until 602s; c, job:J1 L3 since 2s until 602s
            3s: J1 leased until 603s [b,a,c]
            a, job:J1 L2 since 1s until 603s
            4s: J1 releasing #1 until 304s [b,a,c] Asked | job:J1 JobReleasing (done)
            a, job:J1 L2 since 1s until for ever
            5s: J1 completed [b,a,c] Asked | job:J1 TargetReleased b; job:J1 TargetReleased a; job:J1 TargetReleased c; L2 -a Released; L2 -b Released, over; L3 -c Released, over; job:J1 JobCompleted (done)
            5s: locked [a,b,c] | L4 +a job:2; L4 +b job:2; L4 +c job:2
        "#]],
    );
}

#[test]
fn what_a_manager_must_not_return_fails_the_job_and_frees_everything() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv
        0 1 j-lock 15m a
        0 - job-acquired J1 -
        0 ann job-start csv
        0 3 j-lock 15m a
        0 - job-acquired J3 a,a
        0 ann job-start csv
        0 - job-acquired J5 a,_
        0 ann job-start csv
        0 7 lock 1m x
        0 - job-acquired J6 a,x
        0 - show a
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: locked [a] | L2 +a job:J1
            0: J1 failed [] NotAcquired | job:J1 TargetAcquireErr (acquire returned no targets); L2 -a Released, over; job:J1 JobFailed (acquire returned no targets)
            0: J3 acquiring until 300s [] | job:J3 JobStarted (for ann)
            0: locked [a] | L4 +a job:J3
            0: J3 failed [] NotAcquired | job:J3 TargetAcquireErr (acquire returned a twice); L4 -a Released, over; job:J3 JobFailed (acquire returned a twice)
            0: J5 acquiring until 300s [] | job:J5 JobStarted (for ann)
            0: J5 failed [] NotAcquired | job:J5 TargetAcquireErr (acquire returned a blank ID, in target 2); job:J5 JobFailed (acquire returned a blank ID, in target 2)
            0: J6 acquiring until 300s [] | job:J6 JobStarted (for ann)
            0: locked [x] | L7 +x job:7
            0: J6 failed [] NotAcquired | job:J6 TargetAcquireErr (cannot lock what was acquired: x is locked by job:7); job:J6 JobFailed (cannot lock what was acquired: x is locked by job:7)
            a, not held
        "#]],
    );
}

#[test]
fn a_manager_that_fails_or_takes_too_long_leaves_nothing_locked() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv acquire=10s
        0 1 j-try 15m a,b 1
        1s - job-failed J1 no-such-file
        1s - show a
        1s ann job-start csv acquire=10s
        1s 3 j-lock 15m a
        11s - tick
        11s+ - tick
        11s+ - show a
        12s 3 j-lock 15m a
        12s - job-acquired J3 a
        12s - job-failed J3 late
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 10s [] | job:J1 JobStarted (for ann)
            0: locked [a] | L2 +a job:J1
            1s: J1 failed [] NotAcquired | job:J1 TargetAcquireErr (no-such-file); L2 -a Released, over; job:J1 JobFailed (no-such-file)
            a, not held
            1s: J3 acquiring until 11s [] | job:J3 JobStarted (for ann)
            1s: locked [a] | L4 +a job:J3
            11s: done
            11s+: done | L4 -a Released, over; job:J3 JobFailed (acquiring took longer than 10000 ms)
            a, not held
            12s: no: job J3 is failed
            12s: no: job J3 is failed
            12s: no: job J3 is failed
        "#]],
    );
}

/// Only the manager of a job that is being acquired may lock for it.
#[test]
fn nobody_else_touches_the_locks_of_a_job() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv
        0 1099511627777 lock 1m a
        0 1099511627777 try 1m a 1
        0 1099511627777 refresh 1m a
        0 1099511627777 unlock a
        0 9 j-lock 1m a
        0 - job-acquired J1 a
        1s 1 j-lock 1m b
        1s 1 j-unlock a
        1s 2 lock 1m a
        1s bob job-renew J1
        1s bob job-end J1
        1s - job-end J1
        1s - job-released J1 2
        1s - job-released J1 1
        1s - job-released J1 1
        1s 1099511627777 lock 1m a
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: no: job J1 is run by the server, which looks after its locks: renew or end the job instead
            0: no: job J1 is run by the server, which looks after its locks: renew or end the job instead
            0: no: job J1 is run by the server, which looks after its locks: renew or end the job instead
            0: no: job J1 is run by the server, which looks after its locks: renew or end the job instead
            0: no: there is no job J9
            0: J1 leased until 600s [a] | L2 +a job:J1; job:J1 TargetAcquired a
            1s: no: job J1 is leased
            1s: no: job J1 is leased
            1s: no: busy [a is job:J1's]
            1s: no: job J1 is held by ann, not by "bob"
            1s: no: job J1 is held by ann, not by "bob"
            1s: J1 releasing #1 until 301s [a] Asked | job:J1 JobReleasing
            1s: no: job J1 is releasing
            1s: J1 completed [a] Asked | job:J1 TargetReleased a; L2 -a Released, over; job:J1 JobCompleted
            1s: no: job J1 is completed
            1s: locked [a] | L3 +a job:J1
        "#]],
    );
}

/// Only the server's own commands touch what such a job holds. Force does too, and ends the job.
#[test]
fn nobody_acts_in_the_name_of_a_job_that_the_server_runs() {
    check(
        "
        pool p names=r,s
        0 - sync
        0 - plugin-install csv v1
        0 ann job-start csv
        0 job:1099511627777 take p ttl=1m
        0 job:1099511627777 b-acquire p free busy
        0 - job-acquired J1 a,r
        1s job:1099511627777 release L2
        1s job:1099511627777 renew L2 ttl=1s
        1s job:1099511627777 b-release r dirty
        1s ann job-end J1
        2s - b-reset p free 0 dirty
        2s - release L2
        2s - show a r
        3s - job-released J1 1
        3s job:1099511627777 take p ttl=1m
        ",
        &expect![[r#"
            0: synced +[r,s] -[] later[] | pool p made; r made in p >free; s made in p >free
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: no: job J1 is run by the server, which looks after its locks: renew or end the job instead
            0: no: job J1 is run by the server, which looks after its locks: renew or end the job instead
            0: J1 leased until 600s [a,r] | L2 +a job:J1; L2 +r job:J1; job:J1 TargetAcquired a; job:J1 TargetAcquired r
            1s: no: job J1 is run by the server, which looks after its locks: renew or end the job instead
            1s: no: job J1 is run by the server, which looks after its locks: renew or end the job instead
            1s: no: job J1 is run by the server, which looks after its locks: renew or end the job instead
            1s: J1 releasing #1 until 301s [a,r] Asked | job:J1 JobReleasing
            2s: reset []
            2s: no: job J1 is run by the server, which looks after its locks: renew or end the job instead
            a, job:J1 L2 since 0s until for ever; r in p free @0s rev 1, job:J1 L2 since 0s until for ever
            3s: J1 completed [a,r] Asked | job:J1 TargetReleased a; job:J1 TargetReleased r; L2 -a Released; L2 -r Released, over; job:J1 JobCompleted
            3s: L3 job:J1 [r] until 63s | L3 +r job:J1 free>leased
        "#]],
    );
}

#[test]
fn a_restart_keeps_what_is_held_and_fails_what_was_being_acquired() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv
        0 1 j-lock 1m x
        0 ann job-start csv hold=10s
        0 - job-acquired J3 a
        0 ann job-start csv release=5s
        0 - job-acquired J5 b
        0 ann job-end J5
        7s - resume
        7s - show a b x
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: locked [x] | L2 +x job:J1
            0: J3 acquiring until 300s [] | job:J3 JobStarted (for ann)
            0: J3 leased until 10s [a] | L4 +a job:J3; job:J3 TargetAcquired a
            0: J5 acquiring until 300s [] | job:J5 JobStarted (for ann)
            0: J5 leased until 600s [b] | L6 +b job:J5; job:J5 TargetAcquired b
            0: J5 releasing #1 until 5s [b] Asked | job:J5 JobReleasing
            7s: done | L2 -x Released, over; job:J1 JobFailed (the server stopped while it was acquired)
            a, job:J3 L4 since 0s until 10s; b, job:J5 L6 since 0s until for ever; x, not held
        "#]],
    );
}

#[test]
fn numbers_out_of_range_and_managers_that_are_not_there() {
    check(
        "
        0 ann job-start csv
        0 - plugin-install csv v1
        0 ann job-start csv acquire=0
        0 ann job-start csv release=25h
        0 ann job-start csv hold=31d
        0 1 lock 1m a
        0 ann job-start csv
        ",
        &expect![[r#"
            0: no: there is no plugin "csv"
            0: csv v1 | csv PluginInstalled (v1)
            0: no: acquire_timeout must be at least 1000 ms and at most 86400000 ms
            0: no: release_timeout must be at least 1000 ms and at most 86400000 ms
            0: no: lock_duration must be more than 0 and at most 2592000000 ms
            0: locked [a] | L1 +a job:1
            0: J2 acquiring until 300s [] | job:J2 JobStarted (for ann)
        "#]],
    );
}

#[test]
fn a_job_of_the_server_is_in_nobody_s_way_who_numbers_jobs_alike() {
    check(
        "
        0 - plugin-install csv v1
        0 1 lock 1m y
        0 ann job-start csv
        0 2 lock 1m x
        0 - job-acquired J2 a
        1s 2 refresh 1m x
        1s 2 unlock x
        1s 1099511627778 unlock a
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: locked [y] | L1 +y job:1
            0: J2 acquiring until 300s [] | job:J2 JobStarted (for ann)
            0: locked [x] | L3 +x job:2
            0: J2 leased until 600s [a] | L4 +a job:J2; job:J2 TargetAcquired a
            1s: locked [x]
            1s: locked [x] | L3 -x Released, over
            1s: no: job J2 is run by the server, which looks after its locks: renew or end the job instead
        "#]],
    );
}

#[test]
fn a_key_starts_one_job() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv key=k
        0 ann job-start csv key=k
        0 bob job-start csv key=k
        1s ann job-end J1
        2s ann job-start csv key=k
        3s - plugin-disable csv
        3s ann job-start csv key=k
        3s ann take a key=k
        4s 8 lock 1m q
        86402s - tick
        86402s ann job-start csv key=k
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: J1 acquiring until 300s []
            0: J2 acquiring until 300s [] | job:J2 JobStarted (for bob)
            1s: J1 cancelled [] Asked | job:J1 JobCancelled
            2s: J1 cancelled [] Asked
            3s: csv v1 off | csv PluginDisabled (v1)
            3s: J1 cancelled [] Asked
            3s: no: this idempotency key was used for a different request
            4s: locked [q] | L3 +q job:8
            86402s: done | job:J2 JobFailed (acquiring took longer than 300000 ms); L3 q lapsed
            86402s: J4 acquiring until 86702s [] | job:J4 JobStarted (for ann)
        "#]],
    );
}

#[test]
fn a_manager_locks_no_longer_than_the_pools_allow() {
    check(
        "
        pool p names=a max-ttl=5s
        pool q names=b max-ttl=1m
        0 - sync
        0 - plugin-install csv v1
        0 ann job-start csv
        0 1 j-lock 15m a
        0 1 j-lock 15m b
        0 1 j-lock 15m x
        0 - show a b x
        4s 1 j-refresh 15m a,x
        4s - show a b x
        5s 1 j-try 15m b,a 2
        5s - show a b x
        5s 2 lock 15m y
        5s - show y
        ",
        &expect![[r#"
            0: synced +[a,b] -[] later[] | pool p made; pool q made; a made in p >free; b made in q >free
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: locked [a] | L2 +a job:J1
            0: locked [b] | L3 +b job:J1
            0: locked [x] | L4 +x job:J1
            a in p free @0s rev 1, job:J1 L2 since 0s until 5s; b in q free @0s rev 2, job:J1 L3 since 0s until 60s; x, job:J1 L4 since 0s until 900s
            4s: locked [a,x]
            a in p free @0s rev 1, job:J1 L2 since 0s until 9s; b in q free @0s rev 2, job:J1 L3 since 0s until 60s; x, job:J1 L4 since 0s until 9s
            5s: locked [b,a]
            a in p free @0s rev 1, job:J1 L2 since 0s until 10s; b in q free @0s rev 2, job:J1 L3 since 0s until 10s; x, job:J1 L4 since 0s until 9s
            5s: locked [y] | L5 +y job:2
            y, job:2 L5 since 5s until 905s
        "#]],
    );
}
