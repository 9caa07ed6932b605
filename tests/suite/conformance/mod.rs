//! Each numbered statement of the two specifications is a test whose name carries its number: over HTTP against the
//! real binary wherever a client could see it, on the ledger itself where it is about an exact instant.

mod boskos_acquire;
mod boskos_client;
mod boskos_config;
mod boskos_metrics;
mod boskos_queue;
mod boskos_release;
mod boskos_sync;
mod boskos_update;
mod boskos_wire;
mod contest_job;
mod contest_lock;
mod contest_manager;
mod contest_race;
mod contest_time;
mod contest_try;
mod sync_fixtures;

use lessor_tests::{Answer, Server, Setup};
use serde_json::Value;

/// A server with one pool `t` of free resources.
fn serving(names: &[&str]) -> Server {
    Setup::new().pool("t", names).start()
}

fn acquire(server: &Server, kind: &str, state: &str, dest: &str, owner: &str) -> Answer {
    server.call("/acquire", &[("type", kind), ("state", state), ("dest", dest), ("owner", owner)])
}

/// A poll that keeps a place in line.
fn poll(server: &Server, kind: &str, state: &str, owner: &str, id: &str) -> Answer {
    let query = [("type", kind), ("state", state), ("dest", "busy"), ("owner", owner), ("request_id", id)];
    server.call("/acquire", &query)
}

fn by_state(server: &Server, state: &str, dest: &str, owner: &str, names: &str) -> Answer {
    server.call("/acquirebystate", &[("state", state), ("dest", dest), ("owner", owner), ("names", names)])
}

fn release(server: &Server, name: &str, dest: &str, owner: &str) -> Answer {
    server.call("/release", &[("name", name), ("dest", dest), ("owner", owner)])
}

fn update(server: &Server, name: &str, owner: &str, state: &str, body: &str) -> Answer {
    let path = lessor_tests::with_query("/update", &[("name", name), ("owner", owner), ("state", state)]);
    let answer = server.client().send_with("POST", &path, &[], body.as_bytes());
    answer.expect("the server answers")
}

fn reset(server: &Server, kind: &str, state: &str, expire: &str, dest: &str) -> Answer {
    server.call("/reset", &[("type", kind), ("state", state), ("expire", expire), ("dest", dest)])
}

fn metric(server: &Server, kind: &str) -> Answer {
    server.get(&lessor_tests::with_query("/metric", &[("type", kind)]))
}

/// The name of the resource in the answer to an acquire.
fn name_in(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["name"].as_str().expect("a resource has a name").to_owned()
}

/// When a resource was last written, as `/v1` tells it.
fn last_update(server: &Server, name: &str) -> String {
    let answer = server.get(&format!("/v1/resources/{name}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["updated_at"].as_str().expect("a resource has a time of its last update").to_owned()
}

/// The resource as `/v1` shows it.
fn record(server: &Server, name: &str) -> Value {
    let answer = server.get(&format!("/v1/resources/{name}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The answer is an error as Go's `http.Error` writes it.
#[track_caller]
fn assert_error(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.status, answer.text()), (status, format!("{text}\n").as_str()));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

/// The answer is 200 without a body.
#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status, answer.text()), (200, ""));
}

/// A body with every time in it replaced by `T`, after a check that it is one as Go writes it.
#[track_caller]
fn timeless(body: &str) -> String {
    let mut parts = body.split('"');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push('"');
        let is_time = part.len() >= 20 && part.ends_with('Z') && part.as_bytes()[10] == b'T';
        if is_time {
            let (seconds, rest) = part.split_at(19);
            let shape: String = seconds.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
            assert_eq!(shape, "9999-99-99T99:99:99", "{part}");
            let fraction = rest.trim_end_matches('Z');
            assert!(!fraction.ends_with(['0', '.']), "trailing zeros are trimmed: {part}");
            out.push('T');
        } else {
            out.push_str(part);
        }
    }
    out
}

/// A call of the locker.
fn locker(server: &Server, operation: &str, body: &Value) -> Answer {
    server.send_json("POST", &format!("/v1/locks/{operation}"), body)
}

fn lock(server: &Server, job: u64, targets: &[&str]) -> Answer {
    locker(server, "lock", &serde_json::json!({"job": job, "targets": targets, "duration": "10m"}))
}

fn try_lock(server: &Server, job: u64, targets: &[&str], limit: u64) -> Answer {
    let body = serde_json::json!({"job": job, "targets": targets, "duration": "10m", "limit": limit});
    locker(server, "try-lock", &body)
}

fn unlock(server: &Server, job: u64, targets: &[&str]) -> Answer {
    locker(server, "unlock", &serde_json::json!({"job": job, "targets": targets}))
}

fn refresh(server: &Server, job: u64, targets: &[&str]) -> Answer {
    locker(server, "refresh", &serde_json::json!({"job": job, "targets": targets, "duration": "10m"}))
}

/// The call was granted for exactly these targets.
#[track_caller]
fn assert_locked(answer: &Answer, targets: &[&str]) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json(), serde_json::json!({"locked": targets}));
}

/// The call was refused because of these targets, each with its holder; `null` for nobody.
#[track_caller]
fn assert_conflict(answer: &Answer, holders: &[(&str, Option<&str>)]) {
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert!(!answer.problem().is_empty(), "{answer:?}");
    let conflicts = answer.json()["conflicts"].clone();
    let found: Vec<_> = conflicts
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (one["target"].as_str(), one["holder"].as_str()))
        .collect();
    let expected: Vec<_> = holders.iter().map(|&(target, holder)| (Some(target), holder)).collect();
    assert_eq!(found, expected);
}

/// The call was refused because it is not valid.
#[track_caller]
fn assert_invalid(answer: &Answer) {
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(!answer.problem().is_empty(), "{answer:?}");
}
