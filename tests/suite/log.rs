//! The server's log, read by somebody who is slow or gone.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use lessor_tests::plugin::serving_museum_with;
use lessor_tests::{Client, wait};
use serde_json::json;
use tempfile::TempDir;

/// Requests that are answered with a problem, each of which is a line of the log at level debug. Together they are many
/// times what a pipe holds.
const REQUESTS: usize = 6_000;

struct Piped {
    child: Child,
    client: Client,
    _folder: TempDir,
}

impl Piped {
    fn start() -> Self {
        let folder = TempDir::new().expect("there is room for a temporary folder");
        let mut child = Command::new(lessor_tests::lessor())
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "debug", "--data"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let mut first = String::new();
        let stdout = child.stdout.as_mut().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut first).expect("the server says where it is");
        let address =
            first.trim().rsplit("http://").next().and_then(|rest| rest.trim_end_matches('/').parse().ok());
        let client = Client::new(address.unwrap_or_else(|| panic!("an address in {first:?}")));
        Self { child, client, _folder: folder }
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().expect("a child can be waited for");
    }
}

#[test]
fn nobody_waits_for_a_log_that_is_not_read() {
    let mut server = Piped::start();
    for _ in 0..REQUESTS {
        assert_eq!(server.client.send("GET", "/nowhere").expect("an answer").status, 404);
    }
    assert_eq!(server.client.send("GET", "/healthz").expect("an answer").status, 200);
    // Whoever reads again learns that lines are missing.
    let log = server.child.stderr.take().expect("it is a pipe");
    let (found, told) = channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        // The test is over if nobody listens any more.
        let _ = found.send(lines.any(|line| line.contains("lines of this log were lost")));
    });
    assert_eq!(told.recv_timeout(wait::SOON), Ok(true));
}

#[test]
fn what_is_not_written_takes_nothing_of_what_a_call_may_log() {
    for (level, cut) in [("info", true), ("warn", false)] {
        let mut server = serving_museum_with(&["--log-level", level]);
        let job = server.job("museum", &json!({"do": "chatter", "count": 2_000, "names": ["a"]}), &json!({}));
        assert_eq!(job["phase"], "leased", "{job}");
        assert!(server.stop().success());
        assert_eq!(server.said().contains("lines were dropped"), cut, "{level}");
    }
}
