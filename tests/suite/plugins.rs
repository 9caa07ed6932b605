//! Plugins of a running server: what they may be granted, and how little one of them holds up the others.

use std::thread;

use lessor_tests::plugin::{component, museum};
use lessor_tests::{Answer, CONFIG, Server, Setup};
use serde_json::{Value, json};

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
    // An interpreter: compiling it takes some thousand times as long as the quick one.
    let slow = json!({"digest": server.upload(&component("target-list-python")), "grants": {"locker": true}});
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
