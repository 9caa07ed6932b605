//! How long after a release the waiter who is next has its lease in hand.
//!
//! One resource and a long line: whoever gets it gives it back at once and queues up again, so that the line stays
//! as long as it was. The clock starts before the release is sent and stops when the next waiter has its answer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::http::{Connection, number, request};
use super::limits::{LINE_UP_MAX, START_POLL};
use super::tally::Tally;

/// Longest time that a waiter waits in one go, in milliseconds: longer than any run.
const WAIT_MS: u64 = 240_000;

struct Shared {
    address: String,
    begin: Instant,
    /// When the last release was sent, in nanoseconds after `begin`.
    released: AtomicU64,
    counting: AtomicBool,
    over: AtomicBool,
}

/// Keeps `waiters` in line for the one resource of pool `bench-0` and measures the hand-overs for `duration`.
///
/// # Errors
/// If the server cannot be reached, or the line does not form.
pub(crate) async fn run(address: &str, waiters: u64, duration: Duration) -> io::Result<Tally> {
    let shared = Arc::new(Shared {
        address: address.to_owned(),
        begin: Instant::now(),
        released: AtomicU64::new(0),
        counting: AtomicBool::new(false),
        over: AtomicBool::new(false),
    });
    let mut holder = Connection::open(address).await?;
    let held = acquire(&mut holder, address, "holder", 0).await?;
    let mut line = JoinSet::new();
    for waiter in 0..waiters {
        let connection = Connection::open(address).await?;
        line.spawn(wait(Arc::clone(&shared), connection, waiter));
    }
    formed(address, waiters).await?;
    shared.counting.store(true, Ordering::Relaxed);
    release(&shared, &mut holder, held).await?;
    tokio::time::sleep(duration).await;
    shared.over.store(true, Ordering::Relaxed);
    let mut sum = Tally::new();
    while let Some(waiter) = line.join_next().await {
        sum.add(&waiter.map_err(io::Error::other)?);
    }
    Ok(sum)
}

async fn wait(shared: Arc<Shared>, mut connection: Connection, waiter: u64) -> Tally {
    let mut tally = Tally::new();
    let owner = format!("w{waiter}");
    loop {
        let lease = match acquire(&mut connection, &shared.address, &owner, WAIT_MS).await {
            Ok(lease) => lease,
            Err(cause) => {
                tally.failed(&cause.to_string());
                return tally;
            }
        };
        let now = shared.begin.elapsed();
        let released = Duration::from_nanos(shared.released.load(Ordering::Acquire));
        if shared.counting.load(Ordering::Relaxed) && !shared.over.load(Ordering::Relaxed) {
            tally.done(now.saturating_sub(released));
        }
        if let Err(cause) = release(&shared, &mut connection, lease).await {
            tally.failed(&cause.to_string());
            return tally;
        }
        // Once it is over, everybody in line still gets it, passes it on and goes: that empties the line.
        if shared.over.load(Ordering::Relaxed) {
            return tally;
        }
    }
}

async fn acquire(connection: &mut Connection, address: &str, owner: &str, wait_ms: u64) -> io::Result<u64> {
    let body = format!("{{\"owner\":\"{owner}\",\"pool\":\"bench-0\",\"ttl\":60000,\"wait\":{wait_ms}}}");
    let mut bytes = Vec::new();
    request(&mut bytes, "POST", address, format_args!("/v1/leases"), &body);
    let reply = connection.exchange(&bytes).await?;
    match (reply.status, number(reply.body, "id")) {
        (201, Some(id)) => Ok(id),
        (status, _) => Err(io::Error::other(status.to_string())),
    }
}

async fn release(shared: &Shared, connection: &mut Connection, lease: u64) -> io::Result<()> {
    let mut bytes = Vec::new();
    request(&mut bytes, "DELETE", &shared.address, format_args!("/v1/leases/{lease}"), "");
    let now = u64::try_from(shared.begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    shared.released.store(now, Ordering::Release);
    let reply = connection.exchange(&bytes).await?;
    if reply.status == 204 { Ok(()) } else { Err(io::Error::other(reply.status.to_string())) }
}

/// Waits until all of them are in line.
async fn formed(address: &str, waiters: u64) -> io::Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut bytes = Vec::new();
    request(&mut bytes, "GET", address, format_args!("/v1/pools/bench-0"), "");
    let until = Instant::now() + LINE_UP_MAX;
    loop {
        let reply = connection.exchange(&bytes).await?;
        let waiting = number(reply.body, "waiting");
        if waiting.is_some_and(|waiting| waiting >= waiters) {
            return Ok(());
        }
        if Instant::now() > until {
            let seen = waiting.map_or_else(|| "no number".to_owned(), |waiting| waiting.to_string());
            return Err(io::Error::other(format!("{waiters} waiters did not get in line: {seen} did")));
        }
        tokio::time::sleep(START_POLL).await;
    }
}
