//! A lease that this client holds.

use std::time::Duration;

use serde_json::Value;

use super::client::{Backoff, Client};
use super::clock::Moment;
use super::failure::Failure;
use super::limits::RETRY_MAX;
use super::output::{Output, millis};
use super::text::clean;

/// A lease as this client needs it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Its ID.
    pub(crate) id: u64,
    /// The TTL that a renewal gives; `None` for a lease without deadline.
    pub(crate) ttl: Option<Duration>,
    /// Until when it certainly is alive; `None` for ever.
    pub(crate) until: Option<Moment>,
    /// The lease as the server gave it.
    pub(crate) body: Value,
}

impl Held {
    /// Reads a lease out of an answer to a request sent at `sent`.
    ///
    /// The server measured what remains after `sent`, so counting from `sent` errs on the safe side.
    ///
    /// # Errors
    /// [`Failure::Garbled`] if it is no lease.
    pub(crate) fn read(client: &Client, body: Value, sent: Moment) -> Result<Self, Failure> {
        let number = |key: &str| body.get(key).and_then(Value::as_u64);
        let id = number("id").ok_or_else(|| client.garbled("a lease without id"))?;
        let ttl = number("ttl_ms").map(Duration::from_millis);
        let left = number("remaining_ms").map(Duration::from_millis);
        Ok(Self { id, ttl, until: left.map(|left| sent.plus(left)), body })
    }

    /// Names of what it holds.
    pub(crate) fn targets(&self) -> Vec<String> {
        let targets = self.body.get("targets").and_then(Value::as_array);
        targets.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let left = self.body.get("ttl_ms").and_then(Value::as_i64);
        let left = left.map_or_else(|| "without end".to_owned(), |ms| format!("for {}", millis(ms)));
        format!("leased {} {left} (lease {})", clean(&self.targets().join(", ")), self.id)
    }
}

/// The lease of a request that was granted. That may have been a while before the answer, so what is left of the lease
/// is read afresh.
pub(crate) async fn granted(client: &Client, request: &Value) -> Result<Option<Held>, Failure> {
    let Some(id) = request.get("lease").and_then(Value::as_u64) else { return Ok(None) };
    let sent = Moment::now();
    let body = client.get(&["v1", "leases", &id.to_string()])?.send().await?.body;
    if body.get("ended_at").is_some_and(|at| !at.is_null()) {
        return Err(Failure::LeaseLost(format!("lease {id} came and ended before it could be used")));
    }
    Held::read(client, body, sent).map(Some)
}

/// Gives a lease back, trying again until `until` if the server does not answer. Says so if that fails, because then
/// only the TTL frees it.
pub(crate) async fn release(client: &Client, output: &Output, held: &Held, until: Moment) {
    let mut backoff = Backoff::new();
    loop {
        let sent = async {
            client.delete(&["v1", "leases", &held.id.to_string()])?.within(until.left()).send().await
        };
        let Err(failure) = sent.await else { return };
        match &failure {
            // It is over already, which is all that was wanted.
            Failure::Problem(problem) if matches!(problem.status, 404 | 410) => return,
            _ if failure.is_transient() && backoff.pause(until).await => {}
            _ => {
                output.warn(&format!(
                    "warning: lease {} could not be released and ends by itself: {}",
                    held.id,
                    failure.with_causes()
                ));
                return;
            }
        }
    }
}

/// Tries once to give back a lease that is probably over.
pub(crate) async fn release_once(client: &Client, held: &Held) {
    if let Ok(call) = client.delete(&["v1", "leases", &held.id.to_string()]) {
        // Whatever the answer is, the lease is over or ends by itself.
        let _ = call.within(RETRY_MAX).send().await;
    }
}
