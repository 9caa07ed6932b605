//! Plugins of a running server: what they may be granted, and how little one of them holds up the others.

use std::path::{Path, PathBuf};
use std::thread;

use lessor_tests::plugin::{component, heavy, id, museum};
use lessor_tests::{Answer, CONFIG, Server, Setup, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cli::is_alive;

/// The refusal of grants: which, of what, and what would allow each.
#[track_caller]
fn exceeding(answer: &Answer) -> Vec<(String, String, String)> {
    let told = (answer.status, answer.problem());
    assert_eq!(told, (403, "/problems/grant-not-allowed".to_owned()), "{answer:?}");
    let problem = answer.json();
    let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
    let exceeding = problem["exceeding_grants"].as_array().expect("there are reasons").iter();
    exceeding.map(|one| (text(one, "grant"), text(one, "value"), text(one, "allow"))).collect()
}

fn put(server: &Server, digest: &str, grants: &Value) -> Answer {
    server.send_json("PUT", "/v1/plugins/museum", &json!({"digest": digest, "grants": grants}))
}

#[test]
fn the_api_grants_nothing_of_the_machine_that_the_configuration_does_not_open() {
    let server = Setup::new().config("secrets = '.'\n").start();
    std::fs::write(server.folder().join("token"), "s3cret").expect("the folder takes a file");
    let digest = server.upload(&component("museum"));
    let http = json!({"out": {"url": "http://rack.example:81/x", "bearer_secret": "pass"}});
    let wanted = json!({"locker": true, "files": ["/etc"], "secrets": ["token"], "http": http});
    let answer = put(&server, &digest, &wanted);
    let row = |grant: &str, value: &str, key: &str, entry: &str| {
        (grant.to_owned(), value.to_owned(), format!("[plugin-grants] {key} = [\"{entry}\"]"))
    };
    let expected = [
        row("files", "/etc", "files", "/etc"),
        row("secrets", "token", "secrets", "token"),
        row("http", "pass", "secrets", "pass"),
        row("http", "http://rack.example:81/x", "http", "rack.example:81"),
    ];
    assert_eq!(exceeding(&answer), expected);
    let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains(r#"[plugin-grants] files = ["/etc"]"#), "{detail}");
    assert_eq!(server.get("/v1/plugins").json()["items"], json!([]), "nothing was installed");
}

#[test]
fn a_lower_ceiling_stops_what_the_api_granted_and_not_what_the_configuration_grants() {
    let open = "secrets = '.'\n[plugin-grants]\nsecrets = ['token']\nfiles = ['{folder}']\n";
    let mut server = Setup::new().config(open).start();
    let folder = server.folder().to_owned();
    std::fs::write(folder.join("token"), "s3cret").expect("the folder takes a file");
    std::fs::write(folder.join("museum.wasm"), component("museum")).expect("the folder takes a file");
    let digest = server.upload(&component("museum"));
    let grants = json!({"locker": true, "secrets": ["token"], "files": [folder.join("data")]});
    let answer = put(&server, &digest, &grants);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["grants_ceiling"]["secrets"], json!(["token"]));

    let configured = "secrets = '.'\n[[plugin]]\nname = 'own'\ncomponent = 'museum.wasm'\n\
                      grants = { locker = true, secrets = ['token'], files = ['/etc'] }\n";
    std::fs::write(folder.join(CONFIG), configured).expect("the file is ours");
    server.kill();
    server.restart();
    server.prepared();
    let plugin = server.get("/v1/plugins/museum").json();
    assert_eq!(plugin["state"], "broken", "{plugin}");
    let reason = plugin["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(r#"[plugin-grants] secrets = ["token"]"#), "{reason}");
    for verb in ["enable", "reload"] {
        assert_eq!(exceeding(&server.post(&format!("/v1/plugins/museum/{verb}"))).len(), 2, "{verb}");
    }
    let own = server.get("/v1/plugins/own").json();
    assert_eq!((&own["state"], &own["grants_ceiling"]), (&json!("enabled"), &Value::Null), "{own}");
    assert_eq!(server.post("/v1/plugins/own/reload").status, 200);
    // The configuration's grants do not pass to what the API puts in its place, nor does their shadow by a roll-back.
    let body = json!({"digest": digest, "grants": own["grants"]});
    assert_eq!(exceeding(&server.send_json("PUT", "/v1/plugins/own", &body)).len(), 2);
    let list = json!({"digest": server.upload(&component("target-list")), "grants": {"locker": true}});
    assert_eq!(server.send_json("PUT", "/v1/plugins/own", &list).status, 200);
    assert_eq!(exceeding(&server.post("/v1/plugins/own/roll-back")).len(), 2);
}

#[test]
fn while_one_plugin_is_compiled_the_others_are_shown_listed_and_switched_at_once() {
    let server = Setup::new().config("[plugin-grants]\nfiles = ['/nowhere']\nsecrets = []\n").start();
    server.install("quick", "target-list", &json!({"grants": {"locker": true}}));
    let slow = json!({"digest": server.upload(&heavy()), "grants": {"locker": true}});
    let mut client = server.client();
    let installed = thread::spawn(move || client.send_json("PUT", "/v1/plugins/slow", &slow));
    for round in 1..=5 {
        assert_eq!(server.post("/v1/plugins/quick/disable").json()["state"], "disabled");
        assert_eq!(server.get("/v1/plugins/quick").json()["state"], "disabled");
        assert_eq!(server.post("/v1/plugins/quick/enable").json()["state"], "enabled");
        assert_eq!(server.get("/v1/plugins").json()["items"].as_array().map(Vec::len), Some(1));
        assert!(!installed.is_finished(), "it was compiled before round {round} was over");
    }
    // Nobody waits for it: the end of the server is the end of the request.
}

/// The process that looks through a component or compiles it for a server.
fn worker_of(server: &Server) -> Option<PathBuf> {
    let processes =
        std::fs::read_dir("/proc").expect("there are processes").flatten().map(|entry| entry.path());
    let parent = format!("\nPPid:\t{}\n", server.id());
    let text = |path: &Path, file: &str| std::fs::read_to_string(path.join(file)).unwrap_or_default();
    processes
        .filter(|path| text(path, "status").contains(&parent))
        .find(|path| text(path, "cmdline").contains("plugin-worker"))
}

#[test]
fn what_compiles_is_bounded_and_dies_with_the_server() {
    let mut server = Setup::new().start();
    let slow = json!({"digest": server.upload(&heavy()), "grants": {"locker": true}});
    let mut client = server.client();
    thread::spawn(move || client.send_json("PUT", "/v1/plugins/slow", &slow));
    let compiles = |path: &PathBuf| {
        // It has bounded itself before it has read anything.
        let bounded = std::fs::read_to_string(path.join("limits")).unwrap_or_default();
        bounded.lines().any(|line| line.starts_with("Max file size             0 "))
            && std::fs::read_to_string(path.join("cmdline")).is_ok_and(|task| task.contains("compile"))
    };
    let worker = wait::until_some("it compiles", wait::SOON, || worker_of(&server).filter(compiles));
    let limits = std::fs::read_to_string(worker.join("limits")).expect("it lives");
    let limit =
        |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    for (name, most) in [("Max address space", "2147483648"), ("Max cpu time", "60"), ("Max open files", "3")]
    {
        assert!(limit(name).split_whitespace().any(|word| word == most), "{limits}");
    }
    server.kill();
    let id = worker.file_name().and_then(|id| id.to_str()?.parse().ok()).expect("processes go by numbers");
    wait::until("it is gone", wait::SOON, || !is_alive(id));
}

#[test]
fn what_is_installed_meanwhile_is_not_undone_by_what_was_prepared_before() {
    let server = Setup::new()
        .config("secrets = '.'\n[plugin-grants]\nfiles = ['/nowhere']\nsecrets = ['token']\n")
        .start();
    std::fs::write(server.folder().join("token"), "s3cret").expect("the folder takes a file");
    server.install("museum", "museum", &museum());
    let list = json!({"digest": server.upload(&component("target-list")), "grants": {"locker": true}});
    // Whoever comes second is told so, or was first: what runs is always what the record says.
    for _ in 0..10 {
        thread::scope(|scope| {
            let back = scope.spawn(|| server.post("/v1/plugins/museum/roll-back").status);
            let put = scope.spawn(|| server.send_json("PUT", "/v1/plugins/museum", &list).status);
            assert_eq!(put.join().expect("the request is answered"), 200);
            let back = back.join().expect("the request is answered");
            assert!([200, 409].contains(&back), "{back}");
        });
        let plugin = server.get("/v1/plugins/museum").json();
        let runs_list = plugin["wanted_grants"] == json!(["locker"]);
        assert_eq!(plugin["digest"] == list["digest"], runs_list, "{plugin}");
    }
}

#[test]
fn a_start_serves_at_once_and_only_what_needs_a_slow_plugin_waits_for_it() {
    let mut server = Setup::new().start();
    let slow = json!({"digest": server.upload(&heavy()), "grants": {"locker": true}});
    assert_eq!(server.send_json("PUT", "/v1/plugins/a-slow-one", &slow).status, 200);
    server.install("list", "target-list", &json!({"grants": {"locker": true}}));
    let held = id(&server.job("a-slow-one", &json!({"Targets": [{"ID": "a"}]}), &json!({})));
    let _ = server.await_phase(held, "leased");
    server.kill();
    // It can be deleted; what takes long to compile is the largest.
    let compiled = std::fs::read_dir(server.data().join("plugins-compiled")).expect("it is there");
    let files = compiled.map(|entry| entry.expect("it can be read").path());
    let largest = files.max_by_key(|file| std::fs::metadata(file).expect("it is there").len());
    std::fs::remove_file(largest.expect("there are two")).expect("it is ours");
    server.restart();
    assert_eq!(server.get("/readyz").status, 200);
    let state = |name: &str| server.get(&format!("/v1/plugins/{name}")).json()["state"].clone();
    wait::until("the other one is there", wait::SOON, || state("list") == "enabled");
    assert_eq!(readiness(&server), "[!] plugins: being prepared: a-slow-one");
    assert_eq!(state("a-slow-one"), "preparing");
    let found = server.get("/v1/plugins?filter=state:preparing").json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    // A release waits for its plugin, and does not fail.
    let job = server.send("DELETE", &format!("/v1/jobs/{held}")).json();
    assert_eq!(job["phase"], "releasing", "{job}");
    server.prepared();
    let _ = server.await_phase(held, "completed");
    let events = server.job_events(held);
    assert!(!events.iter().any(|event| event.contains("failed")), "{events:?}");
    assert_eq!(readiness(&server), "[+] plugins: ok");
}

#[test]
fn a_component_that_is_a_pipe_is_refused_and_holds_nothing_up() {
    let server = Setup::new().config("").start();
    let folder = server.folder().to_owned();
    let made =
        std::process::Command::new("mkfifo").arg(folder.join("pipe")).status().expect("the system has it");
    assert!(made.success());
    std::fs::write(folder.join("list.wasm"), component("target-list")).expect("the folder takes a file");
    let configure = |component: &str| {
        let table = format!(
            "keep-events = 7\n[[plugin]]\nname = 'one'\ncomponent = '{component}'\ngrants = {{ locker = true }}\n"
        );
        std::fs::write(folder.join(CONFIG), table).expect("the file is ours");
        server.signal(Signal::HUP);
    };
    configure("pipe");
    let told = "[-] plugins: not as they should be: one (the file ";
    wait::until("it is told", wait::SOON, || readiness(&server).starts_with(told));
    configure("list.wasm");
    wait::until("it is read again", wait::SOON, || readiness(&server) == "[+] plugins: ok");
    assert_eq!(server.get("/v1/plugins/one").json()["state"], "enabled");
    wait::until("the log says it", wait::SOON, || {
        server.said().contains("wait for a restart keys=\"keep-events\"")
    });
    let empty =
        server.client().send_with("POST", "/v1/components", &[("content-type", "application/wasm")], b"");
    let empty = empty.expect("the server answers");
    assert_eq!((empty.status, empty.problem()), (400, "/problems/invalid".to_owned()), "{}", empty.text());
}

/// What `GET /readyz?verbose` says of plugins.
fn readiness(server: &Server) -> String {
    let answer = server.get("/readyz?verbose");
    let text = answer.text();
    text.lines().find(|line| line.contains("plugins:")).unwrap_or_default().to_owned()
}

#[test]
fn a_hangup_reads_the_plugins_of_the_configuration_again() {
    let server = Setup::new().config("[plugin-grants]\nsecrets = ['none']\n").start();
    let folder = server.folder().to_owned();
    std::fs::write(folder.join("list.wasm"), component("target-list")).expect("the folder takes a file");
    let table = |name: &str, more: &str| {
        format!(
            "[[plugin]]\nname = '{name}'\ncomponent = 'list.wasm'\ngrants = {{ locker = true }}\n{more}\n"
        )
    };
    let write = |text: &str| {
        std::fs::write(folder.join(CONFIG), text).expect("the file is ours");
        server.signal(Signal::HUP);
    };
    let names = || {
        let plugins = server.get("/v1/plugins").json();
        let names = plugins["items"].as_array().expect("a list has items").iter();
        names.filter_map(|plugin| plugin["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    write(&(table("one", "") + &table("two", "")));
    wait::until("both are there", wait::SOON, || {
        names() == ["one", "two"] && readiness(&server) == "[+] plugins: ok"
    });
    let job = server.job("one", &json!({"Targets": [{"ID": "a"}]}), &json!({}));
    let calls = server.get("/v1/plugins/one").json()["calls"].clone();

    // One is as before and goes on, one is changed, one is new.
    write(&(table("one", "") + &table("two", "limits = { mailbox = 3 }") + &table("three", "")));
    wait::until("the third is there", wait::SOON, || {
        names() == ["one", "three", "two"] && server.get("/v1/plugins/three").json()["state"] == "enabled"
    });
    wait::until("the second is changed", wait::SOON, || {
        server.get("/v1/plugins/two").json()["limits"]["mailbox"] == 3
    });
    assert_eq!(server.get("/v1/plugins/one").json()["calls"], calls, "it was left alone");
    wait::until("all are prepared", wait::SOON, || readiness(&server) == "[+] plugins: ok");

    // A bad file changes nothing and is told.
    write("[[plugin]]\nname = 'one'\nwhat = 'ever'\n");
    wait::until("it is told", wait::SOON, || readiness(&server).starts_with("[-] plugins: "));
    let told = readiness(&server);
    assert!(told.contains("line 3") && told.contains("the plugins stay as they are"), "{told}");
    assert_eq!(names(), ["one", "three", "two"]);

    // What is not named any more goes, unless jobs need it.
    write(&table("three", ""));
    wait::until("the second is gone", wait::SOON, || names() == ["one", "three"]);
    wait::until("all is well", wait::SOON, || readiness(&server) == "[+] plugins: ok");
    let id = lessor_tests::plugin::id(&job);
    assert_eq!(server.look_at_job(id)["phase"], "leased");
    let events = server.get("/v1/events?limit=1000&order=asc").json();
    let events = events["items"].as_array().expect("a list has items").iter();
    let mut told: Vec<_> = events
        .filter(|event| event["kind"].as_str().is_some_and(|kind| kind.starts_with("plugin-")))
        .map(|event| {
            format!(
                "{} {}",
                event["plugin"].as_str().unwrap_or_default(),
                event["kind"].as_str().unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(told.last().map(String::as_str), Some("two plugin-removed"));
    // Several are prepared at once, so those of one reading come in any order.
    told.sort_unstable();
    let expected = [
        "one plugin-installed",
        "three plugin-installed",
        "two plugin-installed",
        "two plugin-removed",
        "two plugin-replaced",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_hangup_moves_the_ceiling_for_what_runs() {
    let open = "secrets = '.'\n[plugin-grants]\nsecrets = ['token']\nfiles = ['/nowhere']\n";
    let server = Setup::new().config(open).start();
    let folder = server.folder().to_owned();
    std::fs::write(folder.join("token"), "s3cret").expect("the folder takes a file");
    server.install("museum", "museum", &museum());
    let write = |text: &str| {
        std::fs::write(folder.join(CONFIG), text).expect("the file is ours");
        server.signal(Signal::HUP);
    };
    let state = || server.get("/v1/plugins/museum").json()["state"].clone();
    write("secrets = '.'\n");
    wait::until("it is stopped", wait::SOON, || state() == "broken");
    let told = "[-] plugins: not as they should be: museum (the plugin museum wants";
    wait::until("that is told", wait::SOON, || readiness(&server).starts_with(told));
    assert_eq!(exceeding(&server.post("/v1/plugins/museum/enable")).len(), 2);
    write(open);
    wait::until("it runs again", wait::SOON, || state() == "enabled");
    wait::until("that is told", wait::SOON, || readiness(&server) == "[+] plugins: ok");
}

#[test]
fn plugins_of_the_configuration_that_never_ran_say_why_wherever_one_looks() {
    let table = |name: &str, more: &str| format!("[[plugin]]\nname = '{name}'\n{more}\n");
    let config = table("absent", "component = 'nowhere.wasm'")
        + &table("Bare", "component = 'list.wasm'")
        + &table("greedy", "component = 'list.wasm'\ngrants = { locker = true }\nlimits = { cpu_ms = 0 }")
        + &table("other", "component = 'list.wasm'\nkind = 'provider'\ngrants = { locker = true }");
    let server = Setup::new().config(config).file("list.wasm", component("target-list")).start();
    server.prepared();
    let listed = server.get("/v1/plugins").json();
    let shown = listed["items"].as_array().expect("a list has items").iter().map(|plugin| {
        let name = plugin["name"].as_str().expect("it has a name");
        assert_eq!(&server.get(&format!("/v1/plugins/{name}")).json(), plugin);
        assert_eq!((&plugin["state"], &plugin["origin"]), (&json!("broken"), &json!("config")), "{plugin}");
        assert_eq!((&plugin["digest"], &plugin["installed_at"]), (&Value::Null, &Value::Null), "{plugin}");
        (name.to_owned(), plugin["reason"].as_str().unwrap_or_default().to_owned())
    });
    let shown: Vec<(String, String)> = shown.collect();
    let why = ["nowhere.wasm", "grant it `locker`", "the limit cpu_ms is 0", "kind provider"];
    let line = readiness(&server);
    let page = server.get("/plugins").text().to_owned();
    for ((name, reason), (expected, why)) in
        shown.iter().zip(["absent", "bare", "greedy", "other"].iter().zip(why))
    {
        assert_eq!(name, expected);
        assert!(reason.contains(why) && reason.contains("reload it"), "{name}: {reason}");
        assert!(line.contains(&format!("{name} (")) && line.contains(why), "{line}");
        assert!(page.contains(&format!("/plugins/{name}\"")) && page.contains(why), "{page}");
        assert!(server.get(&format!("/plugins/{name}")).text().contains("take it out of that file"));
    }
    assert_eq!(shown.len(), 4);
    let metrics = server.get("/metrics");
    assert!(metrics.text().contains(r#"lessor_plugins{state="broken"} 4"#), "{}", metrics.text());
    // Whoever needs it is told the same; what is not installed cannot be changed.
    let refused = server.submit("absent", &json!({}), &json!({}));
    assert_eq!((refused.status, refused.problem()), (409, "/problems/plugin-unavailable".to_owned()));
    assert!(refused.text().contains("nowhere.wasm"), "{}", refused.text());
    for (method, path) in [("POST", "absent/disable"), ("POST", "absent/roll-back"), ("DELETE", "absent")] {
        let refused = server.send(method, &format!("/v1/plugins/{path}"));
        assert_eq!(
            (refused.status, refused.problem()),
            (409, "/problems/plugin-unavailable".to_owned()),
            "{path}"
        );
    }
    // Once it is mended it runs.
    std::fs::write(server.folder().join("nowhere.wasm"), component("museum"))
        .expect("the folder takes a file");
    assert!(server.post("/v1/plugins/absent/enable").text().contains("grant it `locker`"));
    std::fs::write(
        server.folder().join(CONFIG),
        table("bare", "component = 'list.wasm'\ngrants = { locker = true }"),
    )
    .expect("the file is ours");
    server.signal(Signal::HUP);
    wait::until("it is read again", wait::SOON, || readiness(&server) == "[+] plugins: ok");
    let listed = server.get("/v1/plugins").json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["items"][0]["state"], "enabled", "{listed}");
}
