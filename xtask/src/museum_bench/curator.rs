//! Whoever makes plugins misbehave: one job after the other, each seen to its end.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::exhibit::Exhibit;
use crate::process::interrupted;

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most bytes of a request that the host which redirects reads: more than one of ours has.
const REQUEST_BYTES_MAX: usize = 16 << 10;

/// Where plugins misbehave.
#[derive(Clone, Copy)]
pub(super) struct Stage {
    /// The server.
    pub(super) address: SocketAddr,
    /// The host that redirects.
    pub(super) elsewhere: SocketAddr,
}

/// Starts one bad job after the other until `done`, and counts them.
pub(super) fn misbehave(stage: Stage, exhibit: Exhibit, caller: u32, calls: &AtomicU64, done: &AtomicBool) {
    for turn in 0.. {
        if done.load(Ordering::Relaxed) || interrupted() {
            return;
        }
        let job = exhibit.job(caller, turn, stage.elsewhere);
        match send(stage.address, "POST", "/v1/jobs?wait=5s", &job) {
            // What breaks too often is put in quarantine: let it out, to go on.
            Ok((409, _)) => {
                let path = format!("/v1/plugins/{}/enable", exhibit.plugin());
                drop(send(stage.address, "POST", &path, &Value::Null));
            }
            Ok((_, job)) => {
                calls.fetch_add(1, Ordering::Relaxed);
                end(stage.address, &job);
            }
            // Counted by its absence.
            Err(_) => {}
        }
    }
}

/// Ends a job that was acquired, by force if its release goes wrong.
fn end(address: SocketAddr, job: &Value) {
    let Some(id) = job["id"].as_u64().filter(|_| job["phase"] == "leased") else { return };
    let ended = send(address, "DELETE", &format!("/v1/jobs/{id}?wait=2s"), &Value::Null);
    if !ended.is_ok_and(|(_, job)| job["phase"] == "completed") {
        let force = json!({"reason": "it misbehaves", "by": "curator"});
        drop(send(address, "POST", &format!("/v1/jobs/{id}/force"), &force));
    }
}

/// The status and the body of the answer; null if that is no JSON.
fn send(address: SocketAddr, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, Value)> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let status = text.get(9..12).and_then(|digits| digits.parse().ok());
    let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
    let status = status.ok_or_else(|| std::io::Error::other("no answer"))?;
    Ok((status, body.unwrap_or_default()))
}

/// Answers whatever is asked with the way to a host that nobody was granted, until the program ends.
pub(super) fn redirect() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever goes away before is not told.
            let _ = answer(stream);
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut asked = Vec::new();
    let mut piece = [0; 1024];
    while !asked.ends_with(b"\r\n\r\n") && asked.len() < REQUEST_BYTES_MAX {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            read => asked.extend_from_slice(&piece[..read]),
        }
    }
    stream.write_all(
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
}
