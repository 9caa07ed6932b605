//! `wasi:http`: a plugin reaches the hosts that were named for it, and nothing else, within the bounds of endpoints.

use lessor_plugins::{CallError, Limits, Misfit, PluginSpec};
use serde_json::{Value, json};

use crate::endpoints::Lab;
use crate::rig::{Rig, component, spec};

/// A plugin that may talk to these hosts.
fn surfer(hosts: &[String]) -> PluginSpec {
    let mut spec = spec("surfer");
    spec.grants.wasi_http = hosts.iter().cloned().collect();
    spec
}

async fn rig(hosts: &[String]) -> Rig {
    Rig::with(surfer(hosts), component("surfer")).await
}

async fn told(rig: &Rig, errand: &Value) -> Result<String, CallError> {
    rig.acquire("surfer", errand).await.map(|targets| targets[0].id.clone())
}

async fn fetch(rig: &Rig, host: &str, path: &str) -> String {
    told(rig, &json!({"scheme": "http", "host": host, "path": path})).await.expect("it tells")
}

/// A lab, and a plugin that may talk to it because its address was named.
async fn lab() -> (Lab, String, Rig) {
    let lab = Lab::start().await;
    let host = format!("127.0.0.1:{}", lab.port);
    let rig = rig(std::slice::from_ref(&host)).await;
    (lab, host, rig)
}

#[tokio::test]
async fn a_host_that_was_named_is_asked_as_by_any_client() {
    let (lab, host, rig) = lab().await;
    assert_eq!(fetch(&rig, &host, "/hosts?free=1").await, "200 2 bytes");
    let body = format!("{{\"a\": \"{}\"}}", "x".repeat(2500));
    let errand = json!({"scheme": "http", "host": host, "path": "/x", "body": body});
    assert_eq!(told(&rig, &errand).await.unwrap(), "200 2 bytes");
    let asked: Vec<_> = lab.asked().iter().map(|text| text.to_ascii_lowercase()).collect();
    assert!(asked[0].starts_with("get /hosts?free=1 http/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].contains("user-agent: surfer\r\n"), "{}", asked[0]);
    assert!(asked[0].contains(&format!("host: {host}\r\n")), "{}", asked[0]);
    assert!(asked[1].starts_with("post /x http/1.1\r\n"), "{}", asked[1]);
    assert!(asked[1].ends_with(&body), "{}", asked[1]);
}

#[tokio::test]
async fn without_the_grant_nothing_is_linked() {
    let unfit = Rig::new().prepare(surfer(&[]), component("surfer")).await.unwrap_err();
    let missing = unfit.misfits.iter().map(|misfit| match misfit {
        Misfit::NotGranted { import, grant } => (import.as_str(), *grant),
        other => panic!("{other}"),
    });
    let missing: Vec<_> = missing.collect();
    let import = |name| (name, "wasi_http");
    assert_eq!(missing, [import("wasi:http/types@0.2.0"), import("wasi:http/outgoing-handler@0.2.0")]);
}

#[tokio::test]
async fn hosts_that_were_not_named_are_not_asked() {
    let (lab, host, rig) = lab().await;
    let localhost = format!("localhost:{}", lab.port);
    for other in [&*localhost, "169.254.169.254", "lab.example", "127.0.0.1"] {
        assert_eq!(fetch(&rig, other, "/").await, "HttpRequestDenied", "{other}");
    }
    let errand = json!({"scheme": "https", "host": host, "path": "/"});
    assert_eq!(told(&rig, &errand).await.unwrap(), "DestinationUnavailable", "it does not speak TLS");
    assert_eq!(lab.asked(), [""; 0]);
}

#[tokio::test]
async fn a_name_leads_to_no_private_address() {
    let lab = Lab::start().await;
    let host = format!("localhost:{}", lab.port);
    let rig = rig(std::slice::from_ref(&host)).await;
    assert_eq!(fetch(&rig, &host, "/").await, "DestinationIpProhibited");
    assert_eq!(lab.asked(), [""; 0]);
}

#[tokio::test]
async fn a_redirect_is_shown_and_not_followed() {
    let (lab, host, rig) = lab().await;
    assert_eq!(fetch(&rig, &host, "/api/away").await, "302 0 bytes");
    assert_eq!(lab.asked().len(), 1, "{:?}", lab.asked());
}

#[tokio::test]
async fn an_answer_is_bounded_in_size_and_time() {
    let (lab, host, rig) = lab().await;
    assert_eq!(fetch(&rig, &host, "/api/large").await, "HttpResponseBodySize(Some(4194304))");
    let silent = json!({"scheme": "http", "host": host, "path": "/api/silent", "timeout_ms": 200});
    assert_eq!(told(&rig, &silent).await.unwrap(), "HttpResponseTimeout");
    lab.was_asked(2).await;
    let mut unfinished = silent.clone();
    unfinished["body"] = json!("{}");
    unfinished["unfinished"] = json!(true);
    assert_eq!(told(&rig, &unfinished).await.unwrap(), "HttpResponseTimeout");
    assert_eq!(lab.asked().len(), 2, "half a request is none");
}

#[tokio::test]
async fn what_a_guest_keeps_and_calls_is_bounded() {
    let lab = Lab::start().await;
    let host = format!("127.0.0.1:{}", lab.port);
    let mut spec = surfer(std::slice::from_ref(&host));
    spec.limits = Limits { host_calls: 20, ..Limits::default() };
    let hurried = Rig::with(spec, component("surfer")).await;
    let errand = |hoard: usize| json!({"scheme": "http", "host": host, "path": "/", "hoard": hoard});
    match told(&hurried, &errand(20)).await {
        Err(CallError::Trapped(why)) => assert!(why.contains("more functions of the server"), "{why}"),
        other => panic!("{other:?}"),
    }
    let rig = rig(std::slice::from_ref(&host)).await;
    match told(&rig, &errand(100)).await {
        Err(CallError::Trapped(why)) => assert!(why.contains("resource table"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(told(&rig, &errand(50)).await.unwrap(), "200 2 bytes");
    let begin = |begin: usize| json!({"scheme": "http", "host": host, "path": "/", "begin": begin});
    assert_eq!(told(&rig, &begin(3)).await.unwrap(), "200 2 bytes");
    match told(&rig, &begin(4)).await {
        Err(CallError::Trapped(why)) => assert!(why.contains("more requests at once"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_named_is_refused_with_the_reason() {
    let cases = [
        ("lab.example", "write host:port"),
        (
            "2852039166:80",
            "169.254.169.254 is link-local: write the address itself, plainly, with `private = true` if it is meant",
        ),
        ("0.0.0.0:80", "0.0.0.0 is of no host"),
    ];
    for (host, expected) in cases {
        let unfit = Rig::new().prepare(surfer(&[host.to_owned()]), component("surfer")).await.unwrap_err();
        assert_eq!(
            unfit.misfits,
            [Misfit::WasiHttp { host: host.to_owned(), why: expected.to_owned() }],
            "{host}"
        );
    }
}
