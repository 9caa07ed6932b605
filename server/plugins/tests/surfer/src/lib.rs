//! A plugin that speaks `wasi:http` as any guest does: it asks the host that it is told to ask, and tells what came of it
//! as the name of a target.

use lessor_plugin::{Failure, Job, NoParameters, Target, TargetManager};
use serde::Deserialize;

#[expect(clippy::pedantic, reason = "generated: the standard has the documentation")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "outgoing", generate_all });
}

use bindings::wasi::http::outgoing_handler::handle;
use bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use bindings::wasi::io::poll::poll;
use bindings::wasi::io::streams::StreamError;

/// Asks a host.
pub struct Surfer;

/// What to ask.
#[derive(Debug, Deserialize)]
pub struct Errand {
    /// `http` or `https`.
    scheme: String,
    /// The host, and perhaps the port.
    host: String,
    /// The path.
    path: String,
    /// What to send.
    body: Option<String>,
    /// How many milliseconds to wait.
    timeout_ms: Option<u64>,
    /// How many headers to hoard first.
    #[serde(default)]
    hoard: usize,
    /// How many requests to begin first and never send.
    #[serde(default)]
    begin: usize,
    /// Whether to leave the body unfinished.
    #[serde(default)]
    unfinished: bool,
}

impl TargetManager for Surfer {
    type Acquire = Errand;
    type Release = NoParameters;

    fn acquire(_: &Job, errand: Errand) -> Result<Vec<Target>, Failure> {
        let hoard: Vec<Fields> = (0..errand.hoard).map(|_| Fields::new()).collect();
        let begun: Vec<_> = (0..errand.begin).map(|_| OutgoingRequest::new(Fields::new())).collect();
        let told = match ask(&errand) {
            Ok(told) => told,
            Err(code) => code.to_string().replace("ErrorCode::", ""),
        };
        drop((hoard, begun));
        Ok(vec![Target::named(told)])
    }
}

fn ask(errand: &Errand) -> Result<String, ErrorCode> {
    let agent = [("user-agent".to_owned(), b"surfer".to_vec())];
    let headers = Fields::from_list(&agent).expect("headers that anybody may set");
    assert!(headers.set("host", &[b"elsewhere".to_vec()]).is_err(), "whom is asked is not a header");
    let request = OutgoingRequest::new(headers);
    let scheme = if errand.scheme == "http" { Scheme::Http } else { Scheme::Https };
    request.set_scheme(Some(&scheme)).expect("a scheme");
    request.set_authority(Some(&errand.host)).expect("it is short");
    request.set_path_with_query(Some(&errand.path)).expect("it is short");
    let options = RequestOptions::new();
    let nanoseconds = errand.timeout_ms.map(|milliseconds| milliseconds * 1_000_000);
    options.set_first_byte_timeout(nanoseconds).expect("it is possible");
    let mut unfinished = None;
    let coming = match &errand.body {
        None => handle(request, Some(options))?,
        Some(text) => {
            request.set_method(&Method::Post).expect("a method");
            let body = request.body().expect("nobody took it");
            let coming = handle(request, Some(options))?;
            write(&body, text.as_bytes());
            if errand.unfinished {
                unfinished = Some(body);
            } else {
                OutgoingBody::finish(body, None)?;
            }
            coming
        }
    };
    assert_eq!(poll(&[&coming.subscribe()]), [0]);
    drop(unfinished);
    let response = coming.get().expect("it was waited for").expect("nobody took it")?;
    Ok(format!("{} {} bytes", response.status(), read(&response)))
}

fn write(body: &OutgoingBody, bytes: &[u8]) {
    let output = body.write().expect("nobody took it");
    for piece in bytes.chunks(1000) {
        output.subscribe().block();
        assert!(output.check_write().is_ok_and(|room| room > 0));
        output.write(piece).expect("there is room");
    }
    output.blocking_flush().expect("there is nothing to wait for");
}

fn read(response: &IncomingResponse) -> usize {
    let body = response.consume().expect("nobody took it");
    let input = body.stream().expect("nobody took it");
    let mut bytes = 0;
    loop {
        input.subscribe().block();
        match input.blocking_read(1000) {
            Ok(piece) => bytes += piece.len(),
            Err(StreamError::Closed) => return bytes,
            Err(error) => panic!("{error}"),
        }
    }
}

lessor_plugin::export_target_manager!(Surfer);
