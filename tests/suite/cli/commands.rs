//! What the other commands do and print.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use lessor_tests::{Setup, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Beside, NONE, command, finish, leases, lessor, lessor_with_input, run_at, server};

#[test]
fn acquire_prints_the_id_and_nothing_else() {
    let server = server();
    let ran = lessor(&server, &["acquire", "-p", "gpu", "--ttl", "1m", "--purpose", "soak"]).gives(0);
    assert_eq!(ran.out, "1\n");
    assert!(ran.err.starts_with("leased gpu-1 for 1m00s (lease 1)"), "{ran:?}");
    let quiet = lessor(&server, &["-q", "acquire", "-p", "gpu"]).gives(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("2\n", ""));
    let lease = lessor(&server, &["leases", "show", "1", "-o", "json"]).gives(0).json();
    assert_eq!(lease["purpose"], "soak");
    assert_eq!(lease["fence"], 1);
}

#[test]
fn every_format_says_the_same() {
    let server = server();
    let table = lessor(&server, &["resources", "list", "-p", "gpu"]).gives(0);
    let rows: Vec<&str> = table.out.lines().collect();
    assert!(rows[0].starts_with("NAME ") && rows[1].starts_with("gpu-1 "), "{table:?}");
    assert_eq!(rows.len(), 3);
    let bare = lessor(&server, &["resources", "list", "-p", "gpu", "--no-headers"]).gives(0);
    assert_eq!(bare.out.lines().collect::<Vec<_>>(), rows[1..]);
    let names = lessor(&server, &["resources", "list", "-p", "gpu", "-o", "name"]).gives(0);
    assert_eq!(names.out, "gpu-1\ngpu-2\n");
    let list = lessor(&server, &["resources", "list", "-p", "gpu", "-o", "json"]).gives(0).json();
    assert_eq!(list["next"], Value::Null);
    let lines = lessor(&server, &["resources", "list", "-p", "gpu", "-o", "jsonl"]).gives(0);
    let lines: Vec<Value> = lines.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(list["items"], json!(lines));
    assert_eq!(list["items"], server.get("/v1/resources?pool=gpu").json()["items"], "as the API gives it");
    let first = lessor(&server, &["resources", "list", "--limit", "1", "-o", "json"]).gives(0).json();
    assert_eq!(first["items"].as_array().map(Vec::len), Some(1));
    assert!(first["next"].is_string(), "{first}");
}

#[test]
fn lists_take_the_filter_of_the_dashboard() {
    let server = server();
    lessor(&server, &["acquire", "-p", "gpu", "--owner", "ann", "--purpose", "soak test"]).gives(0);
    let named = |args: &[&str], filter: &str| {
        let args = [args, &["-o", "name", "--filter", filter]].concat();
        lessor(&server, &args).gives(0).out
    };
    assert_eq!(named(&["resources", "list"], "pool:gpu -owner:ann"), "gpu-2\n");
    assert_eq!(named(&["resources", "list", "--pool", "gpu"], "is:held"), "gpu-1\n");
    assert_eq!(named(&["leases", "list", "--pool", "gpu"], "\"soak test\""), "1\n");
    assert_eq!(named(&["leases", "list", "--pool", "g\"pu"], "soak"), "");
    assert_eq!(named(&["leases", "list"], "-owner:ann"), "");
    assert_eq!(named(&["requests", "list"], "-owner:ann"), "");
    assert_eq!(named(&["pools", "list"], "is:free name:gpu"), "gpu\n");
    assert_eq!(named(&["lock", "list"], "is:live"), "gpu-1\n");
    assert_eq!(named(&["job", "list"], "is:over"), "");
    assert_eq!(named(&["events"], "kind:lease-granted owner:ann since:1h").lines().count(), 1);
    assert_eq!(named(&["events", "--after", "0"], "kind:lease-granted -owner:ann"), "");
    let refused = lessor(&server, &["resources", "list", "-f", "is:fre"]).gives(2);
    assert!(refused.err.contains("which takes drained, free, held"), "{refused:?}");
}

#[test]
fn a_list_of_more_than_a_page_is_whole() {
    let names: Vec<String> = (0..2500).map(|number| format!("r{number:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let server = Setup::new().pool("many", &names).start();
    let listed = lessor(&server, &["resources", "list", "-o", "name"]).gives(0);
    assert_eq!(listed.out.lines().collect::<Vec<_>>(), names);
    let some = lessor(&server, &["resources", "list", "-o", "name", "--limit", "1500"]).gives(0);
    assert_eq!(some.out.lines().count(), 1500);
}

#[test]
fn text_of_others_cannot_drive_the_terminal() {
    let server = server();
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}x";
    lessor(&server, &["acquire", "-p", "board", "--owner", "m\u{9b}y", "--purpose", evil]).gives(0);
    for format in ["table", "json", "jsonl"] {
        let shown = lessor(&server, &["leases", "list", "-o", format]).gives(0);
        let hostile = shown.out.chars().find(|&c| (c.is_control() && c != '\n') || c == '\u{202e}');
        assert_eq!(hostile, None, "{format}: {shown:?}");
    }
    let exact = lessor(&server, &["leases", "list", "-o", "json"]).gives(0).json();
    assert_eq!(exact["items"][0]["purpose"], evil, "JSON readers get what was said");
    let busy = lessor(&server, &["acquire", "-p", "board", "--no-wait"]).gives(6);
    assert!(!busy.err.contains('\u{9b}'), "{busy:?}");
}

#[test]
fn a_failure_in_json_is_a_problem_document() {
    let server = server();
    let gone = lessor(&server, &["leases", "show", "99", "-o", "json"]).gives(3);
    assert_eq!(gone.out, "");
    let problem: Value = serde_json::from_str(&gone.err).expect("JSON on standard error");
    assert_eq!(problem["type"], "/problems/no-such-lease");
    let away = run_at("http://127.0.0.1:1", &["leases", "list", "-o", "json"]).gives(10);
    let problem: Value = serde_json::from_str(&away.err).expect("JSON on standard error");
    assert_eq!(problem["title"], "cannot reach http://127.0.0.1:1");
}

#[test]
fn release_takes_ids_from_anywhere() {
    let server = server();
    for _ in 0..2 {
        lessor(&server, &["acquire", "-p", "gpu", "--owner", "ann"]).gives(0);
    }
    lessor(&server, &["acquire", "-t", "x", "-t", "y", "--owner", "bob"]).gives(0);
    lessor(&server, &["release", "3", "--target", "x"]).gives(0);
    let kept = lessor(&server, &["leases", "show", "3", "-o", "json"]).gives(0).json();
    assert_eq!(kept["targets"], json!(["y"]));
    lessor(&server, &["release", "--mine", "--owner", "ann"]).gives(0);
    assert_eq!(leases(&server), [3]);
    lessor_with_input(&server, &["release", "-"], "3\n3\n").gives(0);
    assert_eq!(leases(&server), NONE);
}

#[test]
fn what_is_given_back_or_deleted_is_told_in_json() {
    let server = server();
    for _ in 0..2 {
        lessor(&server, &["acquire", "-p", "gpu", "--owner", "ann"]).gives(0);
    }
    lessor(&server, &["acquire", "-t", "x", "-t", "y"]).gives(0);
    let some = lessor(&server, &["release", "3", "--target", "x", "-o", "json"]).gives(0).json();
    assert_eq!((&some["targets"], &some["returned"]), (&json!(["y"]), &json!(["x"])));
    for _ in 0..2 {
        let all = lessor(&server, &["release", "3", "-o", "json"]).gives(0).json();
        assert_eq!((&all["id"], &all["cause"]), (&json!(3), &json!("released")));
    }
    let mine = lessor(&server, &["release", "--mine", "--owner", "ann", "-o", "json"]).gives(0).json();
    assert_eq!(mine["items"].as_array().map(Vec::len), Some(2), "{mine}");
    let gone = lessor(&server, &["resources", "delete", "b1", "-o", "json"]).gives(0).json();
    assert_eq!(gone, json!({"name": "b1", "deleted": true}));
}

#[test]
fn a_context_says_whom_to_speak_to_and_as_whom() {
    let server = server();
    let folder = server.folder().join("lessor");
    fs::create_dir(&folder).expect("there is room for a folder");
    let text = format!("context = 'lab'\n[contexts.lab]\nserver = '{}'\nowner = 'ann'\n", server.url());
    fs::write(folder.join("config.toml"), text).expect("the folder takes a file");
    let speak = |arguments: &[&str]| {
        let mut command = command("", arguments);
        command.env("XDG_CONFIG_HOME", server.folder()).env_remove("LESSOR_SERVER");
        finish(command)
    };
    let lease = speak(&["acquire", "-p", "board", "-o", "json"]).gives(0).json();
    assert_eq!(lease["owner"], "ann");
    let lease = speak(&["acquire", "-p", "gpu", "--owner", "bob", "-o", "json"]).gives(0).json();
    assert_eq!(lease["owner"], "bob");
    speak(&["leases", "list", "--server", "http://127.0.0.1:1"]).gives(10);
    let unknown = speak(&["leases", "list", "--context", "moon"]).gives(2);
    assert!(unknown.err.contains("no context \"moon\"") && unknown.err.contains("known: lab"), "{unknown:?}");
    speak(&["release", "--mine"]).gives(0);
    assert_eq!(leases(&server), [2]);
}

#[test]
fn names_stay_on_their_lines() {
    let server = server();
    lessor(&server, &["acquire", "-t", "a\nb1", "-t", "plain"]).gives(0);
    let listed = lessor(&server, &["lock", "list", "-o", "name"]).gives(0);
    assert_eq!(listed.out, "\"a\\nb1\"\nplain\n");
}

#[test]
fn acquire_with_hold_keeps_the_lease_until_a_signal() {
    let server = server();
    let mut hold = Beside::start(&server, "hold", &["acquire", "-p", "board", "--ttl", "6s", "--hold"]);
    hold.says("leased");
    wait::pass(std::time::Duration::from_secs(8));
    assert_eq!(leases(&server).len(), 1, "{}", hold.err());
    hold.signal(Signal::TERM);
    assert_eq!(hold.code(), 0);
    assert_eq!(leases(&server), NONE);
}

#[test]
fn requests_are_listed_shown_and_cancelled() {
    let server = server();
    lessor(&server, &["acquire", "-p", "board", "--owner", "ann"]).gives(0);
    let arguments = ["acquire", "-p", "board", "--owner", "bob", "--priority", "-3", "--wait", "1m"];
    let mut waiter = Beside::start(&server, "waiter", &arguments);
    waiter.says("position 1");
    let list = lessor(&server, &["requests", "list", "-p", "board"]).gives(0);
    assert!(
        list.out.contains("bob") && list.out.contains("1 of pool board (0 there; held by ann)"),
        "{list:?}"
    );
    let id = lessor(&server, &["requests", "list", "--owner", "bob", "-o", "name"]).gives(0);
    let shown = lessor(&server, &["requests", "show", id.text(), "-o", "json"]).gives(0).json();
    assert_eq!((&shown["status"], &shown["priority"]), (&json!("waiting"), &json!(-3)));
    lessor(&server, &["requests", "cancel", id.text(), "--reason", "not needed"]).gives(0);
    lessor(&server, &["requests", "cancel", id.text()]).gives(0);
    assert_eq!(waiter.code(), 8, "{}", waiter.err());
}

#[test]
fn resources_are_made_changed_and_deleted() {
    let server = server();
    let show = || lessor(&server, &["resources", "show", "g 9/x", "-o", "json"]).gives(0).json();
    let put = ["resources", "put", "g 9/x", "-p", "gpu", "-l", "site=ber", "-l", "a=b", "--fqdn", "g9.lab"];
    lessor(&server, &[&put[..], &["--new"]].concat()).gives(0);
    lessor(&server, &[&put[..], &["--new"]].concat()).gives(5);
    assert_eq!(show()["labels"], json!({ "a": "b", "site": "ber" }));
    assert_eq!(show()["addresses"]["fqdn"], "g9.lab");
    lessor(&server, &["resources", "patch", "g 9/x", "--state", "dirty", "-u", "serial=42"]).gives(0);
    assert_eq!((&show()["state"], &show()["user_data"]), (&json!("dirty"), &json!({ "serial": "42" })));
    lessor(&server, &["resources", "label", "g 9/x", "a-", "rack=3"]).gives(0);
    assert_eq!(show()["labels"], json!({ "rack": "3", "site": "ber" }));
    lessor(&server, &["resources", "label", "g 9/x", "nonsense"]).gives(2);
    lessor(&server, &["resources", "delete", "g 9/x"]).gives(0);
    lessor(&server, &["resources", "show", "g 9/x"]).gives(3);
}

#[test]
fn a_cordoned_resource_takes_no_new_lease() {
    let server = server();
    let cordoned = lessor(&server, &["resources", "cordon", "b1", "-m", "fan broken"]).gives(0);
    assert!(cordoned.out.contains("fan broken"), "{cordoned:?}");
    lessor(&server, &["acquire", "-p", "board", "--no-wait"]).gives(6);
    let busy = lessor(&server, &["acquire", "-t", "b1", "--no-wait"]).gives(6);
    assert!(busy.err.contains("fan broken"), "{busy:?}");
    let words = ["resources", "cordon", "b1", "-m", "psu", "--for", "2h", "-o", "json"];
    let cordon = lessor(&server, &words).gives(0).json()["cordon"].clone();
    let at = |key: &str| cordon[key].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let length = at("until").expect("an end").duration_since(at("since").expect("a start"));
    assert!((7200..7260).contains(&length.as_secs()), "{cordon}");
    let words = ["resources", "cordon", "b1", "--until", "2150-01-01T00:00:00Z"];
    let yes = lessor(&server, &words).gives(0);
    assert!(yes.out.contains("yes (until "), "{yes:?}");
    let past = lessor(&server, &["resources", "cordon", "b1", "--until", "2020-01-01T00:00:00Z"]).gives(2);
    assert!(past.err.contains("later than now"), "{past:?}");
    lessor(&server, &["resources", "uncordon", "b1"]).gives(0);
    lessor(&server, &["acquire", "-p", "board", "--no-wait"]).gives(0);
}

#[test]
fn a_lease_is_taken_away_with_a_reason() {
    let server = server();
    lessor(&server, &["acquire", "-p", "board", "--owner", "ann"]).gives(0);
    let arguments = ["leases", "force-release", "1", "--reason", "agreed", "--from", "ann", "-o", "json"];
    let ended = lessor(&server, &arguments).gives(0).json();
    assert_eq!((&ended["cause"], &ended["reason"]), (&json!("forced"), &json!("agreed")));
}

#[test]
fn a_pools_file_is_compared_before_it_is_applied() {
    let server = server();
    lessor(&server, &["acquire", "-t", "gpu-1"]).gives(0);
    let file = server.folder().join("next.yaml");
    let file = file.to_str().expect("a plain path");
    fs::write(
        file,
        "resources: [{type: gpu, state: free, names: [gpu-2, gpu-3]}, {type: new, state: free, names: [n1]}]",
    )
    .expect("the folder takes a file");
    let diff = lessor(&server, &["pools", "apply", file, "--diff"]).gives(0);
    let lines: Vec<&str> = diff.out.lines().collect();
    for line in ["+ pool new", "- pool board", "+ gpu-3", "+ n1", "- b1", "? gpu-1"] {
        assert!(lines.contains(&line), "{line}: {diff:?}");
    }
    let plan = lessor(&server, &["pools", "apply", file, "--diff", "-o", "json"]).gives(0);
    assert!(plan.err.contains("add --yes"), "{plan:?}");
    let plan = plan.json();
    assert_eq!((&plan["dry_run"], &plan["deferred"]), (&json!(true), &json!(["gpu-1"])));
    let plan = lessor(&server, &["pools", "apply", file, "--diff", "-o", "name"]).gives(0);
    assert_eq!(plan.out, "new\nboard\ngpu-3\nn1\nb1\ngpu-1\n");
    let names = || lessor(&server, &["resources", "list", "-o", "name"]).gives(0).out;
    assert_eq!(names(), "b1\ngpu-1\ngpu-2\n", "nothing was changed");
    lessor(&server, &["pools", "apply", file, "--diff", "--yes"]).gives(0);
    assert_eq!(names(), "gpu-1\ngpu-2\ngpu-3\nn1\n", "what is held waits");
    lessor_with_input(&server, &["pools", "apply", "-"], "resources: []").gives(2);
    lessor_with_input(&server, &["pools", "apply", "-"], "rubbish").gives(2);
    // More than any other body may have, and no more than a pools file of the server's own.
    let large = format!("# {}\n{}", "x".repeat(2 << 20), "resources: [{type: large, names: [l1]}]");
    lessor_with_input(&server, &["pools", "apply", "-"], &large).gives(0);
    lessor(&server, &["release", "1"]).gives(0);
    let same = lessor_with_input(&server, &["pools", "apply", "-", "--diff"], &large).gives(0);
    assert!(
        same.err.starts_with("nothing differs\nwarning: the server has a pools file of its own, "),
        "{same:?}"
    );
}

#[test]
fn following_events_survives_a_restart_of_the_server_without_a_gap() {
    let mut server = server();
    let follow = Beside::start(&server, "events", &["events", "-f", "--after", "0", "-o", "jsonl"]);
    let seen = || -> Vec<u64> {
        let text = follow.out();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let events = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        events.map(|event| event["id"].as_u64().expect("a number")).collect()
    };
    let round = |server: &lessor_tests::Server| {
        let id = lessor(server, &["acquire", "-p", "board"]).gives(0);
        lessor(server, &["release", id.text()]).gives(0);
        let list = lessor(server, &["events", "-o", "name", "--limit", "1"]).gives(0);
        list.text().parse::<u64>().expect("the newest event")
    };
    let newest = round(&server);
    wait::until("the first events came", wait::SOON, || seen().last() == Some(&newest));
    server.kill();
    server.restart();
    let newest = round(&server);
    wait::until("the later events came", wait::SOON, || seen().last() == Some(&newest));
    assert_eq!(seen(), (1..=newest).collect::<Vec<_>>());
}

#[test]
fn events_are_filtered_and_the_newest_come_first_into_the_list() {
    let server = server();
    let id = lessor(&server, &["acquire", "-p", "board"]).gives(0);
    lessor(&server, &["release", id.text()]).gives(0);
    let list = lessor(&server, &["events", "--target", "b1", "-o", "jsonl"]).gives(0);
    let kinds: Vec<String> = list
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["kind"].as_str().expect("a kind").to_owned()
        })
        .collect();
    assert_eq!(kinds, ["resource-created", "lease-granted", "lease-ended"]);
    let newest = lessor(&server, &["events", "--limit", "1", "-o", "json"]).gives(0).json();
    assert_eq!(newest["items"][0]["kind"], "lease-ended");
    let kind =
        lessor(&server, &["events", "--kind", "lease-granted", "--lease", id.text(), "-o", "name"]).gives(0);
    assert_eq!(kind.out.lines().count(), 1);
}

#[test]
fn the_locker_locks_tries_refreshes_and_unlocks() {
    let server = server();
    let locked = lessor(&server, &["lock", "lock", "-j", "17", "-d", "5m", "001", "002"]).gives(0);
    assert_eq!(locked.out, "001\n002\n");
    let tried =
        lessor(&server, &["lock", "try-lock", "-j", "18", "-d", "5m", "--limit", "1", "002", "003", "004"]);
    assert_eq!(tried.gives(0).out, "003\n");
    lessor(&server, &["lock", "refresh", "-j", "17", "-d", "10m", "001"]).gives(0);
    let refused = lessor(&server, &["lock", "refresh", "-j", "17", "-d", "10m", "003"]).gives(5);
    assert!(refused.err.contains("003: held by job:18"), "{refused:?}");
    let table = lessor(&server, &["lock", "list", "-o", "name"]).gives(0);
    assert_eq!(table.out, "001\n002\n003\n");
    lessor(&server, &["lock", "unlock", "-j", "17", "001", "002"]).gives(0);
    lessor(&server, &["lock", "lock", "-j", "0", "-d", "5m", "001"]).gives(2);
}

#[test]
fn a_backup_is_a_sound_store_and_overwrites_nothing() {
    let mut server = server();
    lessor(&server, &["acquire", "-p", "board", "--owner", "ann"]).gives(0);
    let copy = server.folder().join("copy.redb");
    let copy = copy.to_str().expect("a plain path");
    lessor(&server, &["backup", copy]).gives(0);
    let mode = std::fs::metadata(copy).expect("the backup is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "user data may hold passwords");
    lessor(&server, &["backup", copy]).gives(2);
    let report = lessor(&server, &["check", copy, "-o", "json"]).gives(0).json();
    assert_eq!((&report["sound"], &report["leases"]), (&json!(true), &json!(1)));
    let bytes = fs::read(copy).expect("the backup is a file");
    let refused = lessor(&server, &["serve", "--listen", "127.0.0.1:0", "--data", copy]).gives(2);
    assert!(refused.err.contains("is a file: to serve a backup"), "{refused:?}");
    assert!(fs::read(copy).expect("it is still there") == bytes, "it is as it was");
    let left_over = fs::read_dir(server.folder()).expect("it is there").filter(|entry| {
        entry.as_ref().expect("it can be read").file_name().to_string_lossy().contains("partial")
    });
    assert_eq!(left_over.count(), 0);

    let data = server.data();
    let data = data.to_str().expect("a plain path");
    let in_use = lessor(&server, &["check", data]).gives(1);
    assert!(in_use.err.contains("in use"), "{in_use:?}");
    server.stop();
    lessor(&server, &["check", data]).gives(0);
    let store = server.data().join("lessor.redb");
    let bytes = fs::read(&store).expect("the store is a file");
    fs::write(&store, &bytes[..bytes.len() / 2]).expect("it can be cut");
    lessor(&server, &["check", data]).gives(1);
}

#[test]
fn there_is_a_completion_script_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run_at("http://127.0.0.1:1", &["completions", shell]).gives(0);
        assert!(script.out.contains("force-release"), "{shell}");
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let folder = tempfile::TempDir::new().expect("there is room for a folder");
    let path = folder.path().to_str().expect("a plain path");
    run_at("http://127.0.0.1:1", &["man", "--dir", path]).gives(0);
    let page = fs::read_to_string(folder.path().join("lessor-run.1")).expect("the page is there");
    assert!(page.contains("123 lease lost"), "{page}");
    let page = run_at("http://127.0.0.1:1", &["man"]).gives(0);
    assert!(page.out.starts_with(".ie") && page.out.contains("10 server unreachable"), "{page:?}");
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let help = run_at("http://127.0.0.1:1", &["--help"]).gives(0);
    assert!(help.out.contains("10 server unreachable"), "{help:?}");
    let help = run_at("http://127.0.0.1:1", &["run", "--help"]).gives(0);
    assert!(help.out.contains("lessor run --pool gpu -- ./train.sh"), "{help:?}");
}

#[test]
fn bench_measures_itself_against_a_server_that_does_nothing() {
    let short = ["bench", "--spawn", "--duration", "3s", "--resources", "40", "--pools", "2", "-o", "json"];
    for mix in ["acquire-release", "lock-unlock", "v1"] {
        let arguments = [&short[..], &["--clients", "4", "--baseline", "--mix", mix]].concat();
        let report = run_at("http://127.0.0.1:1", &arguments).gives(0).json();
        assert_eq!(report["errors"], json!({}), "{mix}: {report}");
        assert!(report["count"].as_u64().is_some_and(|count| count > 0), "{mix}: {report}");
        assert!(report["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), "{mix}: {report}");
    }
    let report = run_at("http://127.0.0.1:1", &[&short[..], &["--waiters", "20"]].concat()).gives(0).json();
    assert_eq!(report["errors"], json!({}), "{report}");
    assert!(report["count"].as_u64().is_some_and(|count| count > 0), "{report}");
}

#[test]
fn bench_measures_pages_and_streams() {
    let server = server();
    let small = ["--resources", "60", "--leases", "30", "--pools", "3", "--waiting", "3", "--rounds", "2"];
    let pages = lessor(&server, &[&["bench", "pages", "-o", "json"], &small[..]].concat()).gives(0).json();
    let pages = pages["pages"].as_array().expect("pages").clone();
    let of = |path: &str| pages.iter().find(|page| page["path"] == path).unwrap_or_else(|| panic!("{path}"));
    for path in ["/", "/pools", "/resources", "/leases", "/queue", "/events", "/jobs", "/plugins", "/status"]
    {
        assert!(of(path)["bytes"].as_u64().is_some_and(|bytes| bytes > 1_000), "{}", of(path));
        assert!(of(path)["latency_us"]["p99"].as_u64().is_some_and(|time| time > 0), "{}", of(path));
    }
    assert!(pages.iter().any(|page| page["path"].as_str().is_some_and(|path| path.contains("/style-"))));
    let streams = ["bench", "streams", "--streams", "5", "--clients", "2", "--duration", "4s", "-o", "json"];
    let streams = lessor(&server, &streams).gives(0).json();
    let delivered = streams["delivered"]["count"].as_u64().expect("a count");
    assert!(delivered >= 5 && delivered.is_multiple_of(5), "each stream gets every event: {streams}");
    assert!(streams["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), "{streams}");
    lessor(&server, &["bench", "--clients", "2", "pages"]).gives(2);
}

#[test]
fn bench_leaves_a_server_as_it_was() {
    let server = server();
    let arguments = ["bench", "--duration", "2s", "--clients", "4", "--resources", "8", "--pools", "2"];
    lessor(&server, &arguments).gives(0);
    assert_eq!(lessor(&server, &["resources", "list", "-o", "name"]).gives(0).out, "b1\ngpu-1\ngpu-2\n");
}

#[test]
fn a_bench_that_is_interrupted_leaves_a_server_as_it_was() {
    let server = server();
    let arguments = ["bench", "--duration", "10m", "--clients", "4", "--resources", "8", "--pools", "2"];
    let mut bench = Beside::start(&server, "bench", &arguments);
    wait::until("clients are at work", wait::SOON, || {
        !server.get("/v1/events?kind=lease-granted").json()["items"][0].is_null()
    });
    bench.signal(Signal::INT);
    assert_eq!(bench.code(), 130, "{}", bench.err());
    assert_eq!(lessor(&server, &["resources", "list", "-o", "name"]).gives(0).out, "b1\ngpu-1\ngpu-2\n");
}
