//! What is installed, what was before, and what needs it.

use expect_test::expect;

use crate::script::check;

#[test]
fn install_replace_and_go_back() {
    check(
        "
        0 - plugin-back csv v1
        0 - plugin-install csv v1
        1s - plugin-install csv v1
        2s - plugin-install csv v2
        2s - plugin-back csv v9
        3s - plugin-back csv v1
        3s - plugin-back csv v2
        4s - plugin-install csv v2 spec=[]
        4s - plugin-install csv v2 spec=[] config
        5s - plugin-disable csv
        5s - plugin-disable csv
        6s - plugin-install csv v3
        7s - plugin-enable csv
        8s - plugin-remove csv
        8s - plugin-remove csv
        8s - plugin-enable csv
        ",
        &expect![[r#"
            0: no: there is no plugin "csv"
            0: csv v1 | csv PluginInstalled (v1)
            1s: csv v1
            2s: csv v2 before v1 | csv PluginReplaced (v2)
            2s: no: plugin "csv" has no such earlier version to go back to
            3s: csv v1 before v2 | csv PluginRolledBack (v1)
            3s: csv v2 before v1 | csv PluginRolledBack (v2)
            4s: csv v2 before v2 | csv PluginReplaced (v2)
            4s: csv v2 before v2 | csv PluginReplaced (v2)
            5s: csv v2 before v2 off | csv PluginDisabled (v2)
            5s: csv v2 before v2 off
            6s: csv v3 before v2 off | csv PluginReplaced (v3)
            7s: csv v3 before v2 | csv PluginEnabled (v3)
            8s: csv v3 before v2 | csv PluginRemoved (v3)
            8s: no: there is no plugin "csv"
            8s: no: there is no plugin "csv"
        "#]],
    );
}

#[test]
fn a_plugin_that_jobs_need_stays() {
    check(
        "
        0 - plugin-install csv v1
        0 ann job-start csv
        0 - job-acquired J1 a
        0 - plugin-remove csv
        0 ann job-end J1
        0 - plugin-remove csv
        0 - job-released J1 1
        0 - plugin-remove csv
        ",
        &expect![[r#"
            0: csv v1 | csv PluginInstalled (v1)
            0: J1 acquiring until 300s [] | job:J1 JobStarted (for ann)
            0: J1 leased until 600s [a] | L2 +a job:J1; job:J1 TargetAcquired a
            0: no: plugin "csv" is needed by 1 live jobs
            0: J1 releasing #1 until 300s [a] Asked | job:J1 JobReleasing
            0: no: plugin "csv" is needed by 1 live jobs
            0: J1 completed [a] Asked | job:J1 TargetReleased a; L2 -a Released, over; job:J1 JobCompleted
            0: csv v1 | csv PluginRemoved (v1)
        "#]],
    );
}

/// What the host says changes nothing, and hastens no release: that is up to what ends the quarantine.
#[test]
fn what_happens_to_a_plugin_is_told() {
    check(
        "
        0 - plugin-broke csv trapped
        0 - plugin-install csv v1
        1s - plugin-broke csv trapped
        2s - plugin-healed csv
        3s - plugin-reloaded csv
        4s - plugin-install csv v1
        ",
        &expect![[r#"
            0: no: there is no plugin "csv"
            0: csv v1 | csv PluginInstalled (v1)
            1s: csv v1 | csv PluginQuarantined (trapped)
            2s: csv v1 | csv PluginEnabled (v1)
            3s: csv v1 | csv PluginReloaded (v1)
            4s: csv v1
        "#]],
    );
}
