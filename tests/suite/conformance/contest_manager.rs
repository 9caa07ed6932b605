//! Statements 43–58: targets and target managers, with the real components in the real server.

use lessor_tests::plugin::{id, serving_museum, targets};
use lessor_tests::{Answer, Server, Setup};
use serde_json::{Value, json};

fn serving() -> Server {
    let server = Setup::new().start();
    server.install("targetlist", "target-list", &json!({"grants": {"locker": true}}));
    server
}

/// With the CSV manager, which may read the server's folder.
fn serving_csv() -> Server {
    let server = Setup::new().config("[plugin-grants]\nfiles = ['{folder}']\n").start();
    let grants = json!({"locker": true, "files": [server.folder()]});
    server.install("csv", "csv-file", &json!({"grants": grants}));
    server
}

fn list(names: &[&str]) -> Value {
    json!({"Targets": names.iter().map(|name| json!({"ID": name})).collect::<Vec<_>>()})
}

/// Parameters for a file with this content in the server's folder.
fn csv(server: &Server, content: &str, least: u32, most: u32, prefixes: &[&str]) -> Value {
    let path = server.folder().join("hosts.csv");
    std::fs::write(&path, content).expect("the folder takes a file");
    json!({"FileURI": path, "MinNumberDevices": least, "MaxNumberDevices": most, "HostPrefixes": prefixes})
}

/// Somebody else holds these.
fn held_by_others(server: &Server, targets: &[&str]) {
    let body = json!({"job": 900_000, "targets": targets, "duration": "10m"});
    let answer = server.send_json("POST", "/v1/locks/lock", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The manager does not take the parameters, for these reasons, and nothing was begun.
#[track_caller]
fn assert_refused(server: &Server, answer: &Answer, paths: &[&str]) {
    assert_eq!((answer.status, answer.problem().as_str()), (422, "/problems/bad-parameters"), "{answer:?}");
    let problem = answer.json();
    let problems = problem["problems"].as_array().into_iter().flatten();
    let found: Vec<_> = problems.filter_map(|problem| problem["path"].as_str()).collect();
    assert_eq!(found, paths, "{problem}");
    for over in ["false", "true"] {
        assert_eq!(server.get(&format!("/v1/jobs?over={over}")).json()["items"], json!([]));
    }
}

/// The job could not be acquired, for a reason with these words in it, and holds nothing.
#[track_caller]
fn assert_not_acquired(job: &Value, words: &str) {
    assert_eq!((&job["phase"], &job["cause"]), (&json!("failed"), &json!("not-acquired")), "{job}");
    assert!(job["reason"].as_str().is_some_and(|reason| reason.contains(words)), "{words} in {job}");
    assert_eq!(job["targets"], json!([]));
}

#[test]
fn contest_043_a_target_of_which_only_the_id_is_known_has_one_key() {
    let server = serving();
    let job = server.job("targetlist", &list(&["123"]), &json!({}));
    let over = server.send("DELETE", &format!("/v1/jobs/{}?wait=20s", id(&job))).json();
    assert_eq!(over["targets"], json!([{"id": "123"}]));
}

#[test]
fn contest_044_bad_ip_text_is_a_problem() {
    let server = serving();
    let bad = json!({"Targets": [{"ID": "a", "PrimaryIPv4": "1.2.3"}]});
    let answer = server.submit("targetlist", &bad, &json!({}));
    assert_eq!(answer.problem(), "/problems/bad-parameters", "{answer:?}");
    let fine = json!({"Targets": [{"ID": "a", "PrimaryIPv4": "1.2.3.4", "PrimaryIPv6": "::1"}]});
    let job = server.job("targetlist", &fine, &json!({}));
    let target = &job["targets"][0];
    assert_eq!((&target["ipv4"], &target["ipv6"]), (&json!("1.2.3.4"), &json!("::1")));
}

#[test]
fn contest_045_the_manager_s_state_comes_back_as_it_was() {
    let server = serving();
    let state = json!({"hello": ["world", 1.5, null]});
    let job = server.job("targetlist", &json!({"Targets": [{"ID": "a", "TMS": state}]}), &json!({}));
    assert_eq!(job["targets"][0]["manager_state"], state);
}

/// Upstream's `FilterTargets` is `pick` of the SDK.
#[test]
fn contest_046_what_is_picked_keeps_the_order_wanted_and_an_unknown_id_is_an_error() {
    let server = serving_museum();
    let wanted = |names: &[&str]| json!({"do": "pick", "names": names});
    let job = server.job("museum", &wanted(&["c", "a"]), &json!({}));
    assert_eq!(targets(&job), ["c", "a"]);
    let job = server.job("museum", &wanted(&["b", "x"]), &json!({}));
    assert_not_acquired(&job, "there is no x");
    assert_eq!(server.holder("b"), None);
}

#[test]
fn contest_047_a_blank_id_is_refused_when_the_job_is_submitted() {
    let server = serving();
    let answer = server.submit("targetlist", &list(&["a", " \t", ""]), &json!({}));
    let paths = ["/acquire_parameters/Targets/1/ID", "/acquire_parameters/Targets/2/ID"];
    assert_refused(&server, &answer, &paths);
}

#[test]
fn contest_048_release_parameters_must_be_there_and_may_be_empty_or_null() {
    let server = serving();
    let without = json!({"target_manager": "targetlist", "owner": "ann", "acquire_parameters": list(&["a"])});
    let answer = server.send_json("POST", "/v1/jobs", &without);
    assert_refused(&server, &answer, &["/release_parameters"]);
    for (name, fine) in [("a", json!({})), ("b", Value::Null)] {
        let job = server.job("targetlist", &list(&[name]), &json!({"release_parameters": fine}));
        assert_eq!(job["phase"], "leased", "{job}");
    }
}

#[test]
fn contest_049_one_held_target_fails_the_job_and_leaves_the_rest_free() {
    let server = serving();
    held_by_others(&server, &["b"]);
    let job = server.job("targetlist", &list(&["a", "b", "c"]), &json!({}));
    assert_not_acquired(&job, "b (held by job:900000)");
    assert_eq!((server.holder("a"), server.holder("c")), (None, None));
}

#[test]
fn contest_050_managers_are_found_in_any_case_and_an_unknown_one_is_refused() {
    let server = serving();
    let job = server.job("TargetList", &list(&["a"]), &json!({}));
    assert_eq!(job["phase"], "leased", "{job}");
    let answer = server.submit("target-lists", &list(&["b"]), &json!({}));
    assert_eq!((answer.status, answer.problem().as_str()), (404, "/problems/no-such-plugin"));
}

#[test]
fn contest_051_csv_refuses_bad_parameters_when_the_job_is_submitted() {
    let server = serving_csv();
    let file = "/acquire_parameters/FileURI";
    for (parameters, path) in [
        (json!({}), file),
        (json!({"FileURI": "http://localhost/hosts.csv"}), file),
        (json!({"FileURI": "file://hosts.csv"}), file),
        (json!({"FileURI": "a.csv", "HostPrefixes": ["x", " "]}), "/acquire_parameters/HostPrefixes/1"),
    ] {
        assert_refused(&server, &server.submit("csv", &parameters, &json!({})), &[path]);
    }
}

#[test]
fn contest_052_csv_misses_its_file_only_when_it_acquires() {
    let server = serving_csv();
    let missing = json!({"FileURI": server.folder().join("none.csv"), "MaxNumberDevices": 1});
    assert_not_acquired(&server.job("csv", &missing, &json!({})), "none.csv");
}

#[test]
fn contest_053_csv_fails_on_every_kind_of_bad_line() {
    let server = serving_csv();
    for bad in ["a,,\nb,,\n", "a,,,\nb,,\n", ",x,,\n", "a,,1.2.3,\n", "a,,,zz\n"] {
        let job = server.job("csv", &csv(&server, bad, 0, 9, &[]), &json!({}));
        assert_not_acquired(&job, "hosts.csv");
        assert_eq!(server.holder("a"), None);
    }
}

#[test]
fn contest_054_csv_skips_blank_lines_and_trims_fields() {
    let server = serving_csv();
    let job = server.job("csv", &csv(&server, "\n  a , a.x ,,\n\n b,,,\n", 2, 9, &[]), &json!({}));
    assert_eq!(targets(&job), ["a", "b"], "{job}");
    assert_eq!(job["targets"][0]["fqdn"], "a.x");
}

#[test]
fn contest_055_csv_compares_prefixes_with_the_first_label_case_and_all() {
    let server = serving_csv();
    let hosts = "a,rack1.x,,\nb,Rack1.x,,\nc,x.rack1,,\nd,,,\ne,rack12,,\n";
    let job = server.job("csv", &csv(&server, hosts, 1, 9, &["rack1"]), &json!({}));
    assert_eq!(targets(&job), ["a", "e"], "{job}");
}

#[test]
fn contest_056_csv_fails_without_locking_if_too_few_lines_match() {
    let server = serving_csv();
    let job = server.job("csv", &csv(&server, "a,,,\n", 2, 9, &[]), &json!({}));
    assert_not_acquired(&job, "at least 2");
    assert!(!server.job_events(id(&job)).iter().any(|event| event.contains(" a")), "{job}");
}

#[test]
fn contest_057_csv_gets_between_min_and_max_or_nothing() {
    let server = serving_csv();
    let hosts = "a,,,\nb,,,\nc,,,\nd,,,\n";
    held_by_others(&server, &["a"]);
    let job = server.job("csv", &csv(&server, hosts, 1, 2, &[]), &json!({}));
    assert_eq!(targets(&job), ["b", "c"], "{job}");
    let job = server.job("csv", &csv(&server, hosts, 2, 3, &[]), &json!({}));
    assert_not_acquired(&job, "at least 2");
    assert_eq!(server.holder("d"), None);
}

#[test]
fn contest_058_csv_always_fails_if_it_may_take_less_than_it_needs() {
    let server = serving_csv();
    let job = server.job("csv", &csv(&server, "a,,,\nb,,,\n", 2, 1, &[]), &json!({}));
    assert_not_acquired(&job, "at least 2");
    assert_eq!((server.holder("a"), server.holder("b")), (None, None));
}
