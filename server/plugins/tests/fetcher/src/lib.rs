//! A plugin that asks an endpoint what it is told to ask, and tells what came of it as the name of a target.

use std::time::Duration;

use lessor_plugin::http::{self, Request};
use lessor_plugin::{Failure, Job, NoParameters, Target, TargetManager};
use serde::Deserialize;

/// Asks an endpoint.
pub struct Fetcher;

/// What to ask.
#[derive(Debug, Deserialize)]
pub struct Errand {
    /// The endpoint.
    endpoint: String,
    /// The path below its address.
    path: String,
    /// JSON to send; if there is none, nothing is sent but the question.
    body: Option<String>,
    /// How long to wait for the answer, in milliseconds; 20 s unless given.
    timeout_ms: Option<u64>,
}

impl TargetManager for Fetcher {
    type Acquire = Errand;
    type Release = NoParameters;

    fn acquire(_: &Job, errand: Errand) -> Result<Vec<Target>, Failure> {
        let request = match &errand.body {
            None => Request::get(&errand.path),
            Some(body) => Request::post_json(&errand.path, body),
        };
        let timeout = Duration::from_millis(errand.timeout_ms.unwrap_or(20_000));
        let told = match http::send(&errand.endpoint, Request { timeout, ..request }) {
            Ok(response) => format!("{} {} bytes", response.status, response.body.len()),
            Err(error) => format!("{} {}", error.code, if error.sent { "sent" } else { "not sent" }),
        };
        Ok(vec![Target::named(told)])
    }
}

lessor_plugin::export_target_manager!(Fetcher);
