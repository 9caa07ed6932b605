//! HTTP endpoints: a plugin reaches what was named for it, and nothing else.

use std::sync::{Arc, Mutex};

use lessor_plugins::{Endpoint, Misfit};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::rig::{Rig, component, spec, until};

/// An HTTP server on loopback that remembers what it was asked.
pub(crate) struct Lab {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Lab {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, port, Arc::clone(&log)));
            }
        });
        Self { port, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics with it").clone()
    }

    /// Waits until it has read so many requests: whoever sent one may have left before that.
    pub(crate) async fn was_asked(&self, times: usize) {
        until("it is asked", || self.asked().len() >= times).await;
    }
}

/// Reads one request, with its body, and answers by its path.
pub(crate) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
) {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("\r\n\r\n") || (text.starts_with("POST") && !text.ends_with('}')) {
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => text.push_str(&String::from_utf8_lossy(&buffer[..read])),
            _ => return,
        }
    }
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    log.lock().expect("nobody panics with it").push(text);
    let reply = match path.as_str() {
        "/api/away" => {
            format!("302 Found\r\nLocation: http://127.0.0.1:{port}/secret\r\nContent-Length: 0\r\n\r\n")
        }
        "/api/large" => format!("200 OK\r\nContent-Length: {0}\r\n\r\n{1}", 5 << 20, "x".repeat(5 << 20)),
        "/api/silent" => std::future::pending().await,
        _ => "200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned(),
    };
    // The client may have gone.
    let _ = stream.write_all(format!("HTTP/1.1 {reply}").as_bytes()).await;
}

fn endpoint(url: String, private: bool) -> Endpoint {
    Endpoint { url, bearer_secret: Some("token".to_owned()), private, ca_file: None }
}

/// A plugin that knows the lab by three names, and one where nobody is.
async fn rig(lab: &Lab) -> Rig {
    let mut spec = spec("fetcher");
    let port = lab.port;
    spec.secrets.insert("token".to_owned(), "hunter2".to_owned().into());
    spec.grants.http.insert("nobody".to_owned(), endpoint("http://127.0.0.1:1".to_owned(), true));
    spec.grants.http.insert("lab".to_owned(), endpoint(format!("http://127.0.0.1:{port}/api/"), true));
    spec.grants.http.insert("by-name".to_owned(), endpoint(format!("http://localhost:{port}/api"), false));
    spec.grants.http.insert("meant".to_owned(), endpoint(format!("http://localhost:{port}/api"), true));
    Rig::with(spec, component("fetcher")).await
}

async fn fetch(rig: &Rig, endpoint: &str, path: &str) -> String {
    told(rig, &json!({"endpoint": endpoint, "path": path})).await
}

async fn told(rig: &Rig, errand: &serde_json::Value) -> String {
    rig.acquire("fetcher", errand).await.expect("it tells")[0].id.clone()
}

#[tokio::test]
async fn a_request_gets_there_with_the_credentials_of_the_server() {
    let lab = Lab::start().await;
    let rig = rig(&lab).await;
    let errand = json!({"endpoint": "lab", "path": "/hosts?free=1", "body": "{\"a\":1}"});
    assert_eq!(told(&rig, &errand).await, "200 2 bytes");
    let asked = lab.asked().remove(0);
    let lower = asked.to_ascii_lowercase();
    assert!(asked.starts_with("POST /api/hosts?free=1 HTTP/1.1\r\n"), "{asked}");
    assert!(lower.contains("authorization: bearer hunter2\r\n"), "{asked}");
    assert!(lower.contains(&format!("host: 127.0.0.1:{}\r\n", lab.port)), "{asked}");
    assert!(lower.contains("content-type: application/json\r\n"), "{asked}");
    assert!(asked.ends_with("{\"a\":1}"), "{asked}");
}

#[tokio::test]
async fn what_was_not_named_is_not_reached() {
    let lab = Lab::start().await;
    let rig = rig(&lab).await;
    let address = format!("http://127.0.0.1:{}/", lab.port);
    assert_eq!(fetch(&rig, &address, "/").await, "not-granted not sent");
    for path in ["/../secret", "/%2e%2e/secret", "//127.0.0.1/", "secret", "@127.0.0.1/"] {
        assert_eq!(fetch(&rig, "lab", path).await, "invalid not sent", "{path}");
    }
    assert_eq!(lab.asked(), [""; 0]);
}

#[tokio::test]
async fn a_redirect_is_shown_and_not_followed() {
    let lab = Lab::start().await;
    let rig = rig(&lab).await;
    assert_eq!(fetch(&rig, "lab", "/away").await, "302 0 bytes");
    assert_eq!(lab.asked().len(), 1, "{:?}", lab.asked());
}

#[tokio::test]
async fn a_name_leads_to_this_machine_only_where_that_is_meant() {
    let lab = Lab::start().await;
    let rig = rig(&lab).await;
    assert_eq!(fetch(&rig, "by-name", "/").await, "forbidden-address not sent");
    assert_eq!(lab.asked(), [""; 0]);
    assert_eq!(fetch(&rig, "meant", "/").await, "200 2 bytes");
}

#[tokio::test]
async fn an_answer_is_bounded_in_size_and_time() {
    let lab = Lab::start().await;
    let rig = rig(&lab).await;
    assert_eq!(fetch(&rig, "lab", "/large").await, "too-large sent");
    let silent = json!({"endpoint": "lab", "path": "/silent", "timeout_ms": 2_000});
    assert_eq!(told(&rig, &silent).await, "timeout sent");
    assert_eq!(fetch(&rig, "nobody", "/").await, "failed not sent");
}

#[tokio::test]
async fn a_request_that_found_no_connection_in_time_was_not_sent() {
    // Connections are made, and nobody shakes hands over them.
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
    let port = mute.local_addr().expect("it is bound").port();
    let mut spec = spec("fetcher");
    spec.secrets.insert("token".to_owned(), "hunter2".to_owned().into());
    spec.grants.http.insert("mute".to_owned(), endpoint(format!("https://localhost:{port}/"), true));
    let rig = Rig::with(spec, component("fetcher")).await;
    let mute = json!({"endpoint": "mute", "path": "/", "timeout_ms": 2_000});
    assert_eq!(told(&rig, &mute).await, "timeout not sent");
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_used_is_refused_with_the_reason() {
    let mut spec = spec("list");
    let bad = [
        ("a", "ftp://lab"),
        ("b", "https://127.0.0.1"),
        ("c", "http://lab/?x=1"),
        ("e", "http://127.0.0.1:80"),
        ("f", "http://2852039166"),
    ];
    spec.grants.http = bad.map(|(name, url)| (name.to_owned(), endpoint(url.to_owned(), false))).into();
    let good = endpoint("http://lab".to_owned(), false);
    spec.grants.http.insert("d".to_owned(), good);
    let unfit = Rig::new().prepare(spec, component("target-list")).await.unwrap_err();
    let why = unfit.misfits.iter().map(|misfit| match misfit {
        Misfit::Endpoint { endpoint, why } => format!("{endpoint}: {why}"),
        other => panic!("{other}"),
    });
    assert_eq!(
        why.collect::<Vec<_>>(),
        [
            "a: the scheme ftp is neither http nor https",
            "b: 127.0.0.1 is private: set `private = true` for the endpoint if it is meant",
            "c: a URL has a host, and neither user, password, query nor fragment",
            "d: the secret token is not set",
            "e: 127.0.0.1 is private: set `private = true` for the endpoint if it is meant",
            "f: 169.254.169.254 is link-local: write the address itself, plainly, with `private = true` if it is meant",
        ]
    );
}
