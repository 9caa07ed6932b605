//! `lessor plugin`, `lessor job` and `lessor run --manager`.

use lessor_tests::plugin::serving_museum;
use lessor_tests::{Setup, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Beside, Ran, run_at};

/// Where the built component of this name lies.
fn built(name: &str, folder: &std::path::Path) -> String {
    let file = folder.join(name);
    std::fs::write(&file, lessor_tests::plugin::component(name)).expect("the folder takes a file");
    file.to_str().expect("a temporary path is text").to_owned()
}

#[test]
fn a_plugin_is_installed_used_for_a_command_and_removed() {
    let server = Setup::new().start();
    let (url, file) = (server.url(), built("target-list", server.folder()));
    let lessor = |arguments: &[&str]| -> Ran { run_at(&url, arguments) };
    let refused = lessor(&["plugin", "install", "Targets", &file]).gives(5);
    assert!(refused.err.contains("grant it `locker`"), "{refused:?}");
    let _ = lessor(&["plugin", "install", "Targets", &file, "--grant", "locker", "--limit", "cpu_ms=500"])
        .gives(0);
    assert_eq!(lessor(&["plugin", "list", "-o", "name"]).gives(0).text(), "targets");
    assert_eq!(lessor(&["plugin", "list", "--filter", "-state:enabled", "-o", "name"]).gives(0).text(), "");
    let shown = lessor(&["plugin", "show", "TARGETS", "-o", "json"]).gives(0).json();
    assert_eq!((&shown["state"], &shown["limits"]["cpu_ms"]), (&json!("enabled"), &json!(500)));

    let wrong = lessor(&["job", "start", "targets", "--params", r#"{"Targets":[{"ID":""}]}"#]).gives(5);
    assert!(wrong.err.contains("/acquire_parameters/Targets/0/ID"), "{wrong:?}");
    let params = r#"{"Targets":[{"ID":"bench-1","FQDN":"bench-1.lab"}]}"#;
    let job = lessor(&["job", "start", "targets", "--params", params, "-o", "json"]).gives(0).json();
    assert_eq!(job["phase"], "leased", "{job}");
    let id = job["id"].to_string();
    assert_eq!(lessor(&["job", "list", "-o", "name"]).gives(0).text(), id);
    let _ = lessor(&["job", "renew", &id, "--lock-duration", "1h"]).gives(0);
    let taken = lessor(&["job", "start", "targets", "--params", params]).gives(1);
    assert!(taken.err.contains("bench-1"), "{taken:?}");
    let _ = lessor(&["plugin", "remove", "targets"]).gives(5);
    let over: Value = lessor(&["job", "end", &id, "--wait", "20s", "-o", "json"]).gives(0).json();
    assert_eq!(over["phase"], "completed", "{over}");

    let told = "echo $LEASE_ID $LEASE_RESOURCE $LEASE_RESOURCE_0_FQDN; sleep 4; exit 7";
    let ran = ["run", "--manager", "targets", "--params", params, "--ttl", "9s", "--", "sh", "-c", told];
    let ran = lessor(&ran).gives(7);
    let words: Vec<&str> = ran.text().split(' ').collect();
    assert_eq!(words[1..], ["bench-1", "bench-1.lab"], "{ran:?}");
    let over = server.await_phase(words[0].parse().expect("a number"), "completed");
    assert_eq!(over["cause"], "asked");
    let _ = lessor(&["plugin", "remove", "targets"]).gives(0);
    let _ = lessor(&["run", "--manager", "targets", "--", "true"]).gives(125);
}

#[test]
fn a_command_ends_when_its_job_loses_a_target() {
    let server = Setup::new().start();
    server.install("targets", "target-list", &json!({"grants": {"locker": true}}));
    let url = server.url();
    let running = std::thread::spawn(move || {
        let params = r#"{"Targets":[{"ID":"a"}]}"#;
        run_at(&url, &["run", "--manager", "targets", "--params", params, "--ttl", "3s", "--", "sleep", "60"])
    });
    wait::until("the target is held", wait::SOON, || {
        server.get("/v1/jobs").json()["items"][0]["phase"] == "leased"
    });
    let body = json!({"target": "a", "reason": "needed elsewhere"});
    assert_eq!(server.send_json("POST", "/v1/locks/force-release", &body).status, 200);
    let ran = running.join().expect("it does not panic");
    assert_eq!(ran.code, 123, "{ran:?}");
}

#[test]
fn who_ends_a_job_hears_that_its_manager_did_not_release_it() {
    let server = serving_museum();
    let url = server.url();
    let lessor = |arguments: &[&str]| -> Ran { run_at(&url, arguments) };
    let (params, release) = (r#"{"do":"lock","names":["a"]}"#, r#"{"do":"show-targets"}"#);
    let told = ["--params", params, "--release-params", release];
    let run = [["run", "--manager", "museum"].as_slice(), &told, &["--", "sh", "-c", "exit 7"]].concat();
    let ran = lessor(&run).gives(7);
    assert!(ran.err.contains("could not be released") && ran.err.contains("lessor job force"), "{ran:?}");
    let id = lessor(&["job", "list", "-o", "name"]).gives(0).text().to_owned();
    let ended = lessor(&["job", "end", &id, "--wait", "5s"]).gives(8);
    assert!(ended.err.contains("is stuck") && ended.out.contains("stuck"), "{ended:?}");
}

#[test]
fn who_stops_waiting_for_a_job_ends_it() {
    let server = serving_museum();
    let params = r#"{"do":"lock-for-ever","names":["a"]}"#;
    let mut start = Beside::start(&server, "job", &["job", "start", "museum", "--params", params]);
    wait::until("it is being acquired", wait::SOON, || server.holder("a").is_some());
    start.signal(Signal::INT);
    assert_eq!(start.code(), 128 + 2);
    let id = server.get("/v1/jobs?over=true").json()["items"][0]["id"].as_u64();
    let over = server.await_phase(id.expect("the job is over"), "cancelled");
    assert_eq!(over["cause"], "asked");
}

#[test]
fn a_check_of_a_backup_says_which_components_its_plugins_miss() {
    let server = Setup::new().start();
    let url = server.url();
    let lessor = |arguments: &[&str]| -> Ran { run_at(&url, arguments) };
    server.install("targets", "target-list", &json!({"grants": {"locker": true}}));
    let digest = server.get("/v1/plugins/targets").json()["digest"].clone();
    let backups = server.folder().join("backups");
    std::fs::create_dir(&backups).expect("the folder takes a folder");
    let copy = backups.join("copy.redb");
    let copy = copy.to_str().expect("a temporary path is text");
    let _ = lessor(&["backup", copy]).gives(0);
    let checked = lessor(&["check", copy, "-o", "json"]).gives(0);
    assert_eq!(checked.json()["components_missing"], json!([digest]));
    assert!(checked.err.contains("install the plugins again"), "{checked:?}");

    std::fs::create_dir(backups.join("plugins")).expect("the folder takes a folder");
    let name = format!("plugins/{}.wasm", digest.as_str().expect("a digest is text"));
    std::fs::copy(server.data().join(&name), backups.join(&name)).expect("there is room");
    let checked = lessor(&["check", copy, "-o", "json"]).gives(0);
    assert_eq!(checked.json()["components_missing"], json!([]));
}
