//! Secrets of endpoints: the server sends them, the plugin never sees them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use lessor_tests::plugin::{component, id, targets};
use lessor_tests::{Server, Setup, wait};
use serde_json::json;

/// A rack's own HTTP server: it answers every request, and tells its head.
fn rack() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let (seen, heads) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("the loopback works");
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let answer = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
            // The test is over if nobody listens any more.
            if answer.is_err() || seen.send(head.join("\n").to_lowercase()).is_err() {
                return;
            }
        }
    });
    (address, heads)
}

/// Asks the rack through its endpoint, and gives what the rack was asked.
fn asked(server: &Server, manager: &str, heads: &Receiver<String>) -> String {
    let job = server.job(manager, &json!({"endpoint": "rack", "path": "/hosts"}), &json!({}));
    assert_eq!(targets(&job), ["200 2 bytes"], "{job}");
    let over = server.send("DELETE", &format!("/v1/jobs/{}?wait=20s", id(&job))).json();
    assert_eq!(over["phase"], "completed", "{over}");
    heads.recv_timeout(wait::SOON).expect("the rack was asked")
}

#[test]
fn the_table_of_the_readme_sends_a_bearer_that_the_plugin_cannot_read() {
    let (rack, heads) = rack();
    let table = |name: &str, built: &str, grants: &str| {
        format!(
            "[[plugin]]\nname = '{name}'\ncomponent = '{{folder}}/{built}.wasm'\n[plugin.grants]\n{grants}\n\
             [plugin.grants.http.rack]\nurl = 'http://{rack}/api'\nprivate = true\nbearer_secret = 'rack-token'\n"
        )
    };
    let curious = table("curious", "museum", "locker = true\nfiles = ['/nowhere']\nsecrets = ['other']");
    let lab = table("lab", "fetcher", "locker = true");
    let mut setup = Setup::new().config(format!("secrets = '{{folder}}/secrets'\n{lab}{curious}"));
    for built in ["fetcher", "museum"] {
        setup = setup.file(&format!("{built}.wasm"), component(built));
    }
    let setup = setup.file("secrets/rack-token", "s3cret\n").file("secrets/other", "mine");
    let mut server = setup.start();
    server.prepared();
    let ready = server.get("/readyz?verbose");
    assert!(!ready.text().contains("not as they should be"), "{}", ready.text());

    let head = asked(&server, "lab", &heads);
    assert!(head.starts_with("get /api/hosts "), "{head}");
    assert!(head.contains("\nauthorization: bearer s3cret\n"), "{head}");
    // Granted one secret, it sees that one and not the endpoint's.
    for (name, seen) in [("other", r#"Some("mine")"#), ("rack-token", "None")] {
        let job = server.job("curious", &json!({"do": "secret", "names": [name]}), &json!({}));
        assert_eq!(targets(&job), [seen], "{job}");
    }
    server.kill();
    assert!(!server.said().contains("s3cret"));
}

#[test]
fn an_endpoint_that_comes_over_the_api_has_its_bearer_too() {
    let (rack, heads) = rack();
    let config = format!(
        "secrets = '{{folder}}'\n[plugin-grants]\nsecrets = ['rack-token']\nhttp = ['{rack}']\nprivate = ['{rack}']\n"
    );
    let server = Setup::new().config(config).file("rack-token", "s3cret").start();
    let endpoint = json!({"url": format!("http://{rack}"), "private": true, "bearer_secret": "rack-token"});
    server.install("lab", "fetcher", &json!({"grants": {"http": {"rack": endpoint}}}));
    assert!(asked(&server, "lab", &heads).contains("\nauthorization: bearer s3cret\n"));

    // A new token is sent once the plugin was read again; one that is gone is missed then.
    fs::write(server.folder().join("rack-token"), "n3w").expect("the file is ours");
    assert_eq!(server.post("/v1/plugins/lab/reload").status, 200);
    assert!(asked(&server, "lab", &heads).contains("\nauthorization: bearer n3w\n"));
    fs::remove_file(server.folder().join("rack-token")).expect("the file is ours");
    let refused = server.post("/v1/plugins/lab/reload");
    assert_eq!((refused.status, refused.problem().as_str()), (422, "/problems/plugin-unfit"), "{refused:?}");
    assert!(refused.text().contains("the secret rack-token is not set"), "{}", refused.text());
}
