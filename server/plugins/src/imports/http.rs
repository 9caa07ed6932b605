//! `http-endpoint`: requests to endpoints that the operator named.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};

use crate::client::{Answer, NoResponse};
use crate::clock::now;
use crate::contract::http_endpoint as contract;
use crate::endpoint::Call;
use crate::guest::Guest;
use crate::limits::{HTTP_TIMEOUT_MAX, MESSAGE_BYTES_MAX};
use crate::text;

impl contract::Host for Guest {
    async fn send(
        &mut self,
        endpoint: String,
        request: contract::Request,
    ) -> wasmtime::Result<Result<contract::Response, contract::HttpError>> {
        self.visit.host_call()?;
        let Some(door) = self.context.http.get(&endpoint).map(Arc::clone) else {
            let name = text::tame(&endpoint, MESSAGE_BYTES_MAX);
            if self.context.may_log(name.len()) {
                let plugin = self.context.name.as_str();
                tracing::warn!(target: "plugin", plugin, endpoint = name, "no endpoint of this name was granted: it would be `grants.http`");
            }
            let message = format!("no endpoint {name} was granted");
            return Ok(Err(contract::HttpError { code: "not-granted".to_owned(), message, sent: false }));
        };
        let left = self.visit.deadline.saturating_duration_since(now());
        let timeout = Duration::from_millis(u64::from(request.timeout_ms)).min(HTTP_TIMEOUT_MAX).min(left);
        let contract::Request { method, path, headers, body, .. } = request;
        let done = door.send(Call { method, path, headers, body, timeout }).await;
        self.visit.waited = true;
        if let Err(NoResponse::ForbiddenAddress(why)) = &done
            && self.context.may_log(endpoint.len() + why.len())
        {
            let plugin = self.context.name.as_str();
            tracing::warn!(target: "plugin", plugin, endpoint, why, "an endpoint leads to where it may not");
        }
        Ok(done.map(answer).map_err(|error| refusal(&error)))
    }
}

fn answer(Answer { status, headers, body }: Answer) -> contract::Response {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.to_string(), value.to_str().ok()?.to_owned()))
    };
    contract::Response { status, headers: headers.iter().filter_map(text).collect(), body: body.into() }
}

fn refusal(error: &NoResponse) -> contract::HttpError {
    let (code, sent) = match error {
        NoResponse::Invalid(_) => ("invalid", false),
        NoResponse::ForbiddenAddress(_) => ("forbidden-address", false),
        NoResponse::Timeout { sent } => ("timeout", *sent),
        NoResponse::TooLarge => ("too-large", true),
        NoResponse::Failed { sent, .. } => ("failed", *sent),
    };
    let message = text::tame(&error.to_string(), MESSAGE_BYTES_MAX);
    contract::HttpError { code: code.to_owned(), message, sent }
}
