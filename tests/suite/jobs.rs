//! Jobs over restarts, and the life of plugins in a running server.

use std::thread;

use lessor_tests::plugin::{component, id, museum, serving_museum as serving, targets};
use lessor_tests::{Answer, Server, Setup, wait};
use serde_json::{Value, json};

fn start(server: &Server, acquire: &Value, release: &Value) -> u64 {
    let body = json!({
        "target_manager": "museum", "owner": "ann", "acquire_parameters": acquire, "release_parameters": release,
    });
    let answer = server.send_json("POST", "/v1/jobs", &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    id(&answer.json())
}

fn end(server: &Server, job: u64) -> Value {
    server.send("DELETE", &format!("/v1/jobs/{job}?wait=20s")).json()
}

#[test]
fn a_job_that_was_being_acquired_has_failed_after_a_crash_and_holds_nothing() {
    let mut server = serving();
    let job = start(&server, &json!({"do": "lock-for-ever", "names": ["a"]}), &json!({}));
    wait::until("the manager has locked", wait::SOON, || server.holder("a").is_some());
    server.kill();
    server.restart();
    server.prepared();
    let over = server.look_at_job(job);
    assert_eq!((&over["phase"], &over["cause"]), (&json!("failed"), &json!("interrupted")), "{over}");
    assert_eq!(server.holder("a"), None);
    assert_eq!(server.get("/v1/plugins/museum").json()["calls"], 0, "it is not acquired again");
}

#[test]
fn a_leased_job_is_leased_after_a_crash_and_its_manager_releases_what_it_acquired() {
    let mut server = Setup::new().start();
    server.install("targets", "target-list", &json!({"grants": {"locker": true}}));
    let wish = json!({"Targets": [{"ID": "b", "TMS": {"port": 7}}, {"ID": "a"}]});
    let before = server.job("targets", &wish, &json!({}));
    server.kill();
    server.restart();
    server.prepared();
    let after = server.look_at_job(id(&before));
    assert_eq!((&after["phase"], &after["expires_at"]), (&json!("leased"), &before["expires_at"]));
    assert_eq!(after["targets"], before["targets"]);
    let over = end(&server, id(&before));
    assert_eq!(over["phase"], "completed", "{over}");
    let events = server.job_events(id(&before));
    let acquired = events.iter().filter(|event| event.starts_with("target-acquired"));
    assert_eq!(acquired.count(), 2, "{events:?}");
    assert_eq!(server.get("/v1/plugins/targets").json()["calls"], 1, "one release and nothing else");
}

#[test]
fn a_release_that_was_under_way_is_done_again_after_a_crash() {
    let mut server = serving();
    let job = start(&server, &json!({"names": ["a"]}), &json!({"do": "loop"}));
    let _ = server.await_phase(job, "leased");
    let _ = server.send("DELETE", &format!("/v1/jobs/{job}"));
    let busy = |server: &Server| server.get("/v1/plugins/museum").json()["in_flight"] == 1;
    wait::until("the manager releases", wait::SOON, || busy(&server));
    server.kill();
    server.restart();
    server.prepared();
    wait::until("the manager releases again", wait::SOON, || busy(&server));
    assert_eq!(server.look_at_job(job)["phase"], "releasing");
    assert_eq!(server.holder("a"), Some(format!("job:{job}")));
    let path = format!("/v1/jobs/{job}/force");
    assert_eq!(server.send_json("POST", &path, &json!({"reason": "enough"})).json()["phase"], "failed");
    wait::until("the call is cancelled", wait::SOON, || !busy(&server));
    assert_eq!(server.holder("a"), None);
}

#[test]
fn jobs_that_end_all_at_once_wait_for_a_plugin_that_takes_one_call_at_a_time() {
    let (server, mut narrow) = (serving(), museum());
    (narrow["limits"]["concurrency"], narrow["limits"]["mailbox"]) = (json!(1), json!(0));
    server.install("museum", "museum", &narrow);
    // Releasing takes longer than ending a job.
    let release = json!({"do": "chatter", "count": 9_000});
    let job = |number: u32| {
        let job = start(&server, &json!({"names": [format!("t{number}")]}), &release);
        let _ = server.await_phase(job, "leased");
        job
    };
    let jobs: Vec<u64> = (0..20).map(job).collect();
    thread::scope(|scope| {
        let server = &server;
        for job in &jobs {
            scope.spawn(move || server.send("DELETE", &format!("/v1/jobs/{job}")));
        }
        wait::until("some have to wait", wait::SOON, || {
            server.get("/v1/plugins/museum").json()["in_flight"].as_u64() > Some(1)
        });
    });
    for job in jobs {
        let over = server.await_phase(job, "completed");
        assert_eq!(over["failure"], Value::Null, "{over}");
        let events = server.job_events(job);
        assert!(!events.iter().any(|event| event.starts_with("job-release-failed")), "{events:?}");
    }
}

#[test]
fn jobs_that_wait_for_their_manager_take_no_more_memory_than_their_records() {
    let (server, mut narrow) = (serving(), museum());
    narrow["limits"]["concurrency"] = json!(1);
    server.install("museum", "museum", &narrow);
    // 248 kB each; as values in memory they have 22 MB.
    let release = json!({"do": "loop", "more": vec![json!({"a": 0}); 31_000]});
    let job = |number: u32| {
        let job = start(&server, &json!({"names": [format!("t{number}")]}), &release);
        let _ = server.await_phase(job, "leased");
        job
    };
    let jobs: Vec<u64> = (0..24).map(job).collect();
    let before = server.resident_bytes();
    for job in &jobs {
        assert_eq!(server.send("DELETE", &format!("/v1/jobs/{job}")).status, 200);
    }
    let in_flight = || server.get("/v1/plugins/museum").json()["in_flight"] == jobs.len();
    wait::until("one is released, and the others wait", wait::SOON, in_flight);
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes more than before");
}

#[test]
fn releases_that_are_stuck_are_tried_again_soon_after_a_reload_has_ended_a_quarantine() {
    let server = serving();
    let job = id(&server.job("museum", &json!({"names": ["a"]}), &json!({})));
    // As many releases that break as put it in quarantine for all that it does; forced, they come no more.
    for number in 0..5 {
        let broken = start(&server, &json!({"names": [format!("b{number}")]}), &json!({"do": "panic"}));
        let _ = server.await_phase(broken, "leased");
        let _ = server.send("DELETE", &format!("/v1/jobs/{broken}"));
        let _ = server.await_phase(broken, "stuck");
        let forced =
            server.send_json("POST", &format!("/v1/jobs/{broken}/force"), &json!({"reason": "broken"}));
        assert_eq!(forced.status, 200, "{forced:?}");
    }
    assert_eq!(server.get("/v1/plugins/museum").json()["state"], "quarantined");
    let metrics = server.get("/metrics");
    for line in [r#"lessor_plugins{state="quarantined"} 1"#, r#"lessor_jobs{phase="leased"} 1"#] {
        assert!(metrics.text().contains(line), "{line} in {}", metrics.text());
    }
    let _ = server.send("DELETE", &format!("/v1/jobs/{job}"));
    let waits = wait::until_some("it waits for some seconds", wait::SOON, || {
        let job = server.look_at_job(job);
        (job["phase"] == "stuck" && job["attempts"].as_u64() >= Some(3)).then_some(job)
    });
    assert_eq!(server.post("/v1/plugins/museum/reload").json()["state"], "enabled");
    let hastened = server.look_at_job(job);
    assert_ne!(hastened["retry_at"], waits["retry_at"], "{hastened}");
    let _ = server.await_phase(job, "completed");
    let events = server.get("/v1/events?filter=plugin:museum+kind:plugin-*").json();
    let items = events["items"].as_array().expect("a list").iter();
    let told: Vec<_> = items.map(|event| event["kind"].as_str().unwrap_or_default()).collect();
    assert_eq!(
        told,
        ["plugin-installed", "plugin-quarantined", "plugin-enabled", "plugin-reloaded"],
        "{events}"
    );
    let found = server.get("/v1/events?filter=museum+kind:plugin-enabled").json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    assert!(events["items"][1]["note"].as_str().is_some_and(|why| why.contains("calls of a kind broke")));
}

/// The reasons of a refusal.
#[track_caller]
fn misfits(answer: &Answer) -> Vec<String> {
    assert_eq!((answer.status, answer.problem().as_str()), (422, "/problems/plugin-unfit"), "{answer:?}");
    let problem = answer.json();
    let misfits = problem["misfits"].as_array().expect("there are reasons").iter();
    misfits.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn a_component_that_does_not_fit_is_refused_with_every_reason_and_changes_nothing() {
    let server = Setup::new().start();
    let digest = server.upload(&component("museum"));
    let bad = json!({"digest": digest, "limits": {"cpu_ms": 0, "concurrency": 65}});
    let answer = server.send_json("PUT", "/v1/plugins/museum", &bad);
    assert_eq!(misfits(&answer).len(), 5, "{answer:?}");
    let answer = server.send_json("PUT", "/v1/plugins/museum", &json!({"digest": digest}));
    assert_eq!(misfits(&answer).len(), 3, "{answer:?}");
    let mut missing: Vec<_> =
        answer.json()["missing_grants"].as_array().cloned().unwrap_or_default().into_iter().collect();
    missing.sort_by_key(ToString::to_string);
    assert_eq!(missing, ["files", "locker", "secrets"]);
    let garbage = server.upload(b"\0asm no component");
    let answer = server.send_json("PUT", "/v1/plugins/museum", &json!({"digest": garbage}));
    assert!(misfits(&answer)[0].contains("not a component"), "{answer:?}");
    let unknown = json!({"digest": "0".repeat(64)});
    assert_eq!(
        server.send_json("PUT", "/v1/plugins/museum", &unknown).problem(),
        "/problems/no-such-component"
    );
    assert_eq!(server.get("/v1/plugins").json()["items"], json!([]));
    assert_eq!(server.submit("museum", &json!({}), &json!({})).problem(), "/problems/no-such-plugin");
}

#[test]
fn a_plugin_is_replaced_rolled_back_switched_and_removed() {
    let mut server = serving();
    let list = component("target-list");
    let state = |server: &Server| server.get("/v1/plugins/museum").json();
    let first = state(&server)["digest"].clone();
    let digest = server.upload(&list);
    let body = json!({"digest": digest, "grants": {"locker": true}, "settings": {"a": 1}});
    let second = server.send_json("PUT", "/v1/plugins/Museum", &body).json();
    assert_eq!((&second["digest"], &second["previous_digest"]), (&json!(digest), &first), "{second}");
    assert_eq!(second["settings"], json!({"a": 1}));

    // What was acquired by one version is released by the other.
    let job = server.job("museum", &json!({"Targets": [{"ID": "a"}]}), &json!({}));
    let back = server.post("/v1/plugins/museum/roll-back").json();
    assert_eq!((&back["digest"], &back["previous_digest"]), (&first, &json!(digest)), "{back}");
    let needed = server.send("DELETE", "/v1/plugins/museum");
    assert_eq!((needed.status, needed.problem().as_str()), (409, "/problems/plugin-in-use"));

    // Switched off it takes no jobs; what it has to release waits until it is switched on, over a restart too.
    assert_eq!(server.post("/v1/plugins/museum/disable").json()["state"], "disabled");
    let answer = server.submit("museum", &json!({}), &json!({}));
    assert_eq!((answer.status, answer.problem().as_str()), (409, "/problems/plugin-unavailable"));
    let _ = server.send("DELETE", &format!("/v1/jobs/{}", id(&job)));
    let _ = server.await_phase(id(&job), "stuck");
    server.kill();
    server.restart();
    server.prepared();
    assert_eq!(state(&server)["state"], "disabled");
    assert_eq!(server.post("/v1/plugins/museum/enable").json()["state"], "enabled");
    assert_eq!(end(&server, id(&job))["phase"], "completed");

    assert_eq!(server.post("/v1/plugins/museum/reload").status, 200);
    assert_eq!(server.send("DELETE", "/v1/plugins/museum").status, 204);
    assert_eq!(server.get("/v1/plugins/museum").problem(), "/problems/no-such-plugin");
    let events = server.get("/v1/events?limit=1000&order=asc").json();
    let events = events["items"].as_array().expect("a list has items").iter();
    let told: Vec<_> = events
        .filter(|event| event["plugin"] == "museum" && event["owner"].is_null())
        .filter_map(|event| event["kind"].as_str())
        .collect();
    let expected = ["installed", "replaced", "rolled-back", "disabled", "enabled", "reloaded", "removed"];
    assert_eq!(told, expected.map(|what| format!("plugin-{what}")));
}

#[test]
fn what_lies_on_disk_is_held_against_its_digest() {
    let mut server = serving();
    let job = id(&server.job("museum", &json!({"names": ["a"]}), &json!({})));
    server.kill();
    let folder = server.data().join("plugins");
    for file in std::fs::read_dir(&folder).expect("the folder is there") {
        std::fs::write(file.expect("it can be listed").path(), b"\0asm something else").expect("it is ours");
    }
    server.restart();
    server.prepared();
    let plugin = server.get("/v1/plugins/museum").json();
    assert_eq!(plugin["state"], "broken", "{plugin}");
    assert!(plugin["reason"].as_str().is_some_and(|reason| reason.contains("damaged")), "{plugin}");
    // Jobs say why, too: those to come, and those to be released.
    let answer = server.submit("museum", &json!({}), &json!({}));
    assert_eq!(answer.problem(), "/problems/plugin-unavailable");
    assert!(
        answer.text().contains("takes no jobs: the plugin is broken: the component"),
        "{}",
        answer.text()
    );
    let _ = server.send("DELETE", &format!("/v1/jobs/{job}"));
    let stuck = server.await_phase(job, "stuck");
    assert!(stuck["failure"].as_str().is_some_and(|failure| failure.contains("damaged")), "{stuck}");
    server.install("museum", "museum", &museum());
    assert_eq!(targets(&server.job("museum", &json!({"names": ["b"]}), &json!({}))), ["b"]);
}

#[test]
fn a_picker_leaves_what_is_not_free_and_a_locker_says_why_it_cannot_lock() {
    let server = Setup::new().pool("gpu", &["gpu-1", "gpu-2", "gpu-3"]).start();
    server.install("picker", "pool-picker", &json!({"grants": {"locker": true, "inventory": true}}));
    server.install("targets", "target-list", &json!({"grants": {"locker": true}}));
    let patch = |name: &str, body: Value| {
        assert_eq!(server.send_json("PATCH", &format!("/v1/resources/{name}"), &body).status, 200);
    };
    patch("gpu-1", json!({"state": "dirty"}));
    patch("gpu-3", json!({"cordon": {"message": "fan"}}));
    let too_many = server.job("picker", &json!({"pool": "gpu", "count": 2}), &json!({}));
    assert_eq!(too_many["failure"], "2 resources are wanted, 1 could be had", "{too_many}");
    assert_eq!(targets(&server.job("picker", &json!({"pool": "gpu"}), &json!({}))), ["gpu-2"]);
    let dirty = json!({"pool": "gpu", "state": "dirty"});
    assert_eq!(targets(&server.job("picker", &dirty, &json!({}))), ["gpu-1"]);

    let cordoned = server.job("targets", &json!({"Targets": [{"ID": "gpu-3"}]}), &json!({}));
    let failure = cordoned["failure"].as_str().unwrap_or_default();
    assert!(failure.ends_with("gpu-3 (cordoned: fan)"), "{cordoned}");
    // What of a failure is for programs is in the log.
    wait::until("the log says it", wait::SOON, || server.said().contains("a plugin says that it failed"));
}

#[test]
fn a_granted_secret_reaches_the_plugin_and_nothing_else() {
    let mut server = serving();
    let job = server.job("museum", &json!({"do": "secret", "names": ["token"]}), &json!({}));
    assert_eq!(targets(&job), [r#"Some("s3cret")"#], "{job}");
    let plugin = server.get("/v1/plugins/museum");
    assert!(!plugin.text().contains("s3cret"), "{}", plugin.text());
    server.kill();
    assert!(!server.said().contains("s3cret"));
}

#[test]
fn plugins_of_the_configuration_run_from_the_start_and_go_when_they_are_not_named_any_more() {
    let folder = tempfile::tempdir().expect("there is room for a temporary folder");
    let (wasm, config) = (folder.path().join("list.wasm"), folder.path().join("lessor.toml"));
    std::fs::write(&wasm, component("target-list")).expect("the folder takes a file");
    let table = format!(
        "[[plugin]]\nname = 'TargetList'\ncomponent = '{}'\ngrants = {{ locker = true }}\nlimits = {{ mailbox = 3 }}\n",
        wasm.display()
    );
    std::fs::write(&config, table).expect("the folder takes a file");
    let config_path = config.to_str().expect("a temporary path is text");
    let mut server = Setup::new().arguments(&["--config", config_path]).start();
    server.prepared();
    let plugin = server.get("/v1/plugins/targetlist").json();
    assert_eq!((&plugin["state"], &plugin["origin"]), (&json!("enabled"), &json!("config")), "{plugin}");
    assert_eq!(plugin["limits"]["mailbox"], 3);
    let job = server.job("TargetList", &json!({"Targets": [{"ID": "a"}]}), &json!({}));
    assert_eq!(job["phase"], "leased", "{job}");

    // The file is read again when asked for.
    std::fs::write(&wasm, b"\0asm broken").expect("the file is ours");
    assert!(misfits(&server.post("/v1/plugins/targetlist/reload"))[0].contains("not a component"));
    assert_eq!(end(&server, id(&job))["phase"], "completed");

    std::fs::write(&config, "").expect("the file is ours");
    server.kill();
    server.restart();
    // It serves what it has prepared, and then removes what is not named any more.
    wait::until("the plugin is gone", wait::SOON, || server.get("/v1/plugins").json()["items"] == json!([]));
}

#[test]
fn what_a_manager_locks_says_for_whom_and_a_list_leaves_out_what_is_large() {
    let server = serving();
    let parameters = json!({"do": "lock-for-ever", "names": ["a"], "filler": "x".repeat(1000)});
    let job = start(&server, &parameters, &json!({}));
    assert!(job > 1 << 40, "it is in no outsider's way: {job}");
    wait::until("the manager has locked", wait::SOON, || server.holder("a").is_some());
    let leases = server.get("/v1/leases").json();
    assert_eq!(leases["items"][0]["purpose"], "for ann by museum", "{leases}");
    let listed = server.get("/v1/jobs").json()["items"][0].clone();
    assert_eq!((&listed["id"], &listed["target_count"]), (&json!(job), &json!(0)), "{listed}");
    assert_eq!(
        (listed.get("acquire_parameters"), listed.get("release_parameters")),
        (None, None),
        "{listed}"
    );
    assert_eq!(server.look_at_job(job)["acquire_parameters"], parameters);
}

#[test]
fn the_same_start_again_is_the_same_job() {
    let server = serving();
    let body = json!({
        "target_manager": "museum", "owner": "ann", "acquire_parameters": {"names": ["a"]},
        "release_parameters": {}, "request_id": "r1",
    });
    let first = server.send_json("POST", "/v1/jobs?wait=20s", &body);
    assert_eq!(first.status, 201, "{}", first.text());
    let again = server.send_json("POST", "/v1/jobs", &body);
    assert_eq!((again.status, id(&again.json())), (201, id(&first.json())));
    let mut other = body.clone();
    other["lock_duration"] = json!("1m");
    let answer = server.send_json("POST", "/v1/jobs", &other);
    assert_eq!((answer.status, answer.problem().as_str()), (422, "/problems/key-reused"));
    // Also while the manager takes no calls, and as the header.
    assert_eq!(server.post("/v1/plugins/museum/disable").status, 200);
    other = body;
    other.as_object_mut().expect("an object").remove("request_id");
    let headers = [("content-type", "application/json"), ("idempotency-key", "\"r1\"")];
    let text = other.to_string();
    let answer = server.client().send_with("POST", "/v1/jobs", &headers, text.as_bytes());
    assert_eq!(id(&answer.expect("the server answers").json()), id(&first.json()));
}

#[test]
fn parameters_that_are_not_kept_are_refused_with_their_limit() {
    let server = serving();
    for field in ["acquire_parameters", "release_parameters"] {
        let mut body = json!({"target_manager": "museum", "owner": "ann", "acquire_parameters": {}, "release_parameters": {}});
        body[field] = json!("x".repeat(256 * 1024 - 1));
        let answer = server.send_json("POST", "/v1/jobs", &body);
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (413, "/problems/too-large"),
            "{}",
            answer.text()
        );
        let problem = answer.json();
        assert_eq!(problem["limit"], 256 * 1024);
        assert_eq!(problem["detail"], format!("{field} has 262145 bytes: at most 262144 are taken"));
    }
    assert_eq!(server.get("/v1/jobs").json()["items"], json!([]));
}
