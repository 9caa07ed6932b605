//! `lessor run`: the command lives no longer than its lease, and the lease hardly longer than the command.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lessor_tests::{Server, Setup, wait};
use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::{Beside, NONE, content, is_alive, leases, lessor, lessor_with_input, run_at, server};

/// Says when it lives, in nanoseconds since 1970, over and over, and does not die of SIGTERM.
const STUBBORN: &str =
    "trap 'date +%s%N > term' TERM; while :; do date +%s%N > now; mv now alive; sleep 0.02; done";

#[test]
fn the_command_learns_what_it_has() {
    let pools = "resources: [{type: gpu, state: free, names: [gpu-1], labels: {soc.type: imx8}}]";
    let server = Setup::new().pools(pools).start();
    let script = "echo $LEASE_ID $LEASE_FENCE $LEASE_OWNER $LEASE_RESOURCE $LEASE_RESOURCE_0 \
                  $LEASE_RESOURCE_0_SOC_TYPE $LESSOR_SERVER; echo $LEASE_EXPIRES; echo \"$LEASE_JSON\"";
    let ran = lessor(&server, &["run", "-p", "gpu", "--owner", "ann", "--", "sh", "-c", script]).gives(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], format!("1 1 ann gpu-1 gpu-1 imx8 {}", server.url()));
    assert!(lines[1].ends_with('Z') && lines[1].contains('T'), "{ran:?}");
    let lease: serde_json::Value = serde_json::from_str(lines[2]).expect("LEASE_JSON is JSON");
    assert_eq!(lease["targets"], json!(["gpu-1"]));
}

#[test]
fn several_pools_come_together() {
    let server = server();
    let script = "echo $LEASE_RESOURCE_COUNT $LEASE_RESOURCE_0 $LEASE_RESOURCE_1 $LEASE_RESOURCE_2";
    let ran = lessor(&server, &["run", "-p", "board", "--and", "gpu:2", "--", "sh", "-c", script]).gives(0);
    let mut words: Vec<&str> = ran.text().split(' ').collect();
    words.sort_unstable();
    assert_eq!(words, ["3", "b1", "gpu-1", "gpu-2"]);
}

#[test]
fn a_command_learns_of_no_lease_but_its_own() {
    let server = server();
    let inner = format!("{} -q run -p board -- env", lessor_tests::lessor().display());
    let ran = lessor(&server, &["-q", "run", "-p", "gpu", "-n", "2", "--", "sh", "-c", &inner]).gives(0);
    let mut told: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("LEASE_RESOURCE_")).collect();
    told.sort_unstable();
    assert_eq!(told, ["LEASE_RESOURCE_0=b1", "LEASE_RESOURCE_COUNT=1"]);
}

#[test]
fn the_lease_is_given_back_whatever_the_command_does() {
    let server = server();
    for script in ["exit 0", "exit 3", "kill -9 $$"] {
        lessor(&server, &["run", "-p", "board", "--", "sh", "-c", script]);
        assert_eq!(leases(&server), NONE, "{script}");
    }
}

#[test]
fn the_lease_is_renewed_as_long_as_the_command_runs() {
    let server = server();
    let mut run = Beside::start(&server, "run", &["run", "-p", "board", "--ttl", "6s", "--", "sleep", "12"]);
    run.says("leased");
    let held = leases(&server);
    assert_eq!(held.len(), 1);
    wait::pass(Duration::from_secs(8));
    assert_eq!(leases(&server), held, "after its TTL it is still the same lease");
    assert_eq!(run.code(), 0);
    assert_eq!(leases(&server), NONE);
}

#[test]
fn a_command_outlives_a_max_ttl_that_was_lowered_below_its_own() {
    let pools =
        |most: &str| format!("resources: [{{type: gpu, state: free, names: [gpu-1], max-ttl: {most}}}]");
    let server = Setup::new().pools(pools("1h")).start();
    let mut run = Beside::start(&server, "run", &["run", "-p", "gpu", "--ttl", "15s", "--", "sleep", "12"]);
    run.says("leased gpu-1 for 15s");
    lessor_with_input(&server, &["pools", "apply", "-"], &pools("4500ms")).gives(0);
    let ttl = || server.get("/v1/leases/1").json()["ttl_ms"].clone();
    wait::until("the TTL is that of the pool", wait::SOON, || ttl() == json!(4_500));
    assert_eq!(run.code(), 0, "it was renewed until it ended");
    assert_eq!(leases(&server), NONE);
}

#[test]
fn it_waits_with_its_position_and_then_starts() {
    let server = server();
    let held = lessor(&server, &["acquire", "-p", "board", "--owner", "ann"]).gives(0);
    let mut first = Beside::start(&server, "first", &["run", "-p", "board", "--", "echo", "first"]);
    first.says("position 1 in line for 1 of pool board (0 there; held by ann)");
    let mut second = Beside::start(&server, "second", &["run", "-p", "board", "--", "echo", "second"]);
    second.says("position 2 in line");
    assert_eq!((first.out(), second.out()), (String::new(), String::new()));
    lessor(&server, &["release", held.text()]).gives(0);
    assert_eq!(first.code(), 0);
    assert_eq!(second.code(), 0);
    assert_eq!((first.out(), second.out()), ("first\n".to_owned(), "second\n".to_owned()));
}

#[test]
fn the_whole_ttl_is_left_after_a_long_wait() {
    let server = server();
    let held = lessor(&server, &["acquire", "-p", "board"]).gives(0);
    let mut run = Beside::start(&server, "run", &["run", "-p", "board", "--ttl", "6s", "--", "sleep", "7"]);
    run.says("position 1");
    wait::pass(Duration::from_secs(7));
    lessor(&server, &["release", held.text()]).gives(0);
    assert_eq!(run.code(), 0, "waiting is not leasing: {}", run.err());
}

#[test]
fn signals_go_on_to_the_command() {
    let server = server();
    for (name, signal) in
        [("TERM", Signal::TERM), ("INT", Signal::INT), ("USR1", Signal::USR1), ("HUP", Signal::HUP)]
    {
        let script = format!("trap 'exit 3' {name}; echo > ready; while :; do sleep 0.02; done");
        let mut run = Beside::start(&server, name, &["run", "-p", "board", "--", "sh", "-c", &script]);
        content(&server, "ready");
        run.signal(signal);
        assert_eq!(run.code(), 3, "{name}: {}", run.err());
        fs::remove_file(server.folder().join("ready")).expect("it was written");
    }
    assert_eq!(leases(&server), NONE);
}

#[test]
fn a_signal_that_is_to_be_ignored_is() {
    let server = server();
    let script = "trap '' HUP; exec \"$0\" run -p board -- sh -c 'echo > ready; sleep 1; exit 4'";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(lessor_tests::lessor()).env("LESSOR_SERVER", server.url());
    shell.current_dir(server.folder()).stdin(Stdio::null()).stderr(Stdio::null());
    let mut run = Killed(shell.spawn().expect("there is a shell"));
    content(&server, "ready");
    kill_process(super::pid(run.0.id()), Signal::HUP).expect("it is there");
    let status =
        wait::until_some("the command ends", wait::SOON, || run.0.try_wait().expect("it is our child"));
    assert_eq!(status.code(), Some(4), "as `nohup` has it");
}

#[test]
fn without_a_server_the_command_is_dead_before_the_lease_can_expire() {
    let mut server = server();
    let arguments = ["run", "-p", "board", "--ttl", "12s", "--on-lost", "echo $LEASE_ID > lost", "--"];
    let mut run = Beside::start(&server, "run", &[&arguments[..], &["sh", "-c", STUBBORN]].concat());
    content(&server, "alive");
    let id = leases(&server)[0];
    // Let it renew at least once, so that the deadline is that of a renewal.
    wait::pass(Duration::from_secs(5));
    server.kill();
    assert_eq!(run.code(), 123, "{}", run.err());
    let alive: i128 = content(&server, "alive").trim().parse().expect("nanoseconds");
    let term: i128 = content(&server, "term").trim().parse().expect("nanoseconds");
    assert_eq!(content(&server, "lost"), format!("{id}\n"));

    server.restart();
    let lease = server.get(&format!("/v1/leases/{id}")).json();
    let renewed: jiff::Timestamp = lease["renewed_at"].as_str().expect("a time").parse().expect("RFC 3339");
    let ttl = i128::from(lease["ttl_ms"].as_i64().expect("milliseconds")) * 1_000_000;
    let deadline = renewed.as_nanosecond() + ttl;
    assert!(alive < deadline, "it lived {} ms past the deadline", (alive - deadline) / 1_000_000);
    assert!(term < alive, "it was asked to end first");
    assert!(term >= renewed.as_nanosecond() + ttl / 2, "but not long before it had to be");
}

#[test]
fn the_command_outlives_a_server_that_comes_back_in_time() {
    let mut server = server();
    let mut run = Beside::start(&server, "run", &["run", "-p", "board", "--ttl", "12s", "--", "sleep", "14"]);
    run.says("leased");
    let held = leases(&server);
    server.kill();
    server.restart();
    wait::pass(Duration::from_secs(6));
    assert_eq!(leases(&server), held);
    assert_eq!(run.code(), 0, "{}", run.err());
}

#[test]
fn what_the_command_leaves_behind_ends_with_it() {
    let server = server();
    let script = "sleep 1000 & echo $! > left; exit 4";
    lessor_in(&server, &["run", "-p", "board", "--", "sh", "-c", script], 4);
    let left: u32 = content(&server, "left").trim().parse().expect("a process ID");
    assert!(!is_alive(left), "nobody uses the resource after it was given back");
}

#[test]
fn what_will_not_end_is_killed() {
    let server = server();
    let script =
        "(trap '' TERM; echo > stubborn; sleep 1000) & echo $! > left; while ! [ -e stubborn ]; do :; done";
    let arguments = ["run", "-p", "board", "--ttl", "2s", "--grace", "300ms", "--", "sh", "-c", script];
    lessor_in(&server, &arguments, 0);
    let left: u32 = content(&server, "left").trim().parse().expect("a process ID");
    assert!(!is_alive(left));
}

#[test]
fn the_command_dies_with_its_guard() {
    let server = server();
    let run = Beside::start(
        &server,
        "run",
        &["run", "-p", "board", "--", "sh", "-c", "echo $$ > id; exec sleep 1000"],
    );
    let id: u32 = content(&server, "id").trim().parse().expect("a process ID");
    assert!(is_alive(id));
    run.signal(Signal::KILL);
    wait::until("the command is dead", wait::SOON, || !is_alive(id));
}

#[test]
fn an_answer_that_is_lost_does_not_take_two() {
    let server = server();
    let (url, lost) = forgetful(server.address());
    let ran = run_at(&url, &["acquire", "-p", "gpu", "--wait", "20s"]).gives(0);
    assert_eq!(lost.load(Ordering::SeqCst), 1, "an answer was lost");
    assert_eq!(leases(&server).len(), 1, "{ran:?}");
    assert_eq!(ran.text(), leases(&server)[0].to_string());
}

#[test]
fn a_server_that_forgot_the_request_is_asked_again() {
    let mut server = server();
    lessor(&server, &["acquire", "-p", "board"]).gives(0);
    let mut run = Beside::start(&server, "run", &["run", "-p", "board", "--", "echo", "done"]);
    run.says("position 1");
    server.kill();
    fs::remove_dir_all(server.data()).expect("it is there");
    server.restart();
    assert_eq!(run.code(), 0, "{}", run.err());
    assert_eq!(run.out(), "done\n");
    assert!(run.err().contains("asking again"), "{}", run.err());
}

#[test]
fn a_signal_ends_the_waiting_for_a_server_that_is_not_there_at_once() {
    let mut server = server();
    server.kill();
    let mut run = Beside::start(&server, "run", &["run", "-p", "board", "--", "true"]);
    run.says("trying again");
    let start = wait::now();
    run.signal(Signal::TERM);
    assert_eq!(run.code(), 128 + 15);
    assert!(start.elapsed() < Duration::from_secs(5), "nobody has to be told");
}

#[test]
fn a_command_has_the_terminal_and_goes_on_after_ctrl_z() {
    let server = server();
    // `script` gives it a terminal, and types what it reads itself.
    let run = format!(
        "{} --server {} run -p board -- sh -c 'read go; echo $$ > id; read line; echo got $line > typed; read line; exit 5'",
        lessor_tests::lessor().display(),
        server.url()
    );
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &run, "/dev/null"]).current_dir(server.folder());
    script.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut script = Killed(script.spawn().expect("script(1) is there, as on every Debian"));
    let mut keys = script.0.stdin.take().expect("it was piped");
    // What reads from it has the terminal, and so has what is typed next.
    keys.write_all(b"go\n").expect("it types");
    content(&server, "id");
    keys.write_all(b"\x1ahello\n").expect("it types");
    assert_eq!(content(&server, "typed"), "got hello\n");
    keys.write_all(b"bye\n").expect("it types");
    let status =
        wait::until_some("the command ends", wait::SOON, || script.0.try_wait().expect("it is our child"));
    assert_eq!(status.code(), Some(5));
    assert_eq!(leases(&server), NONE);
}

#[test]
fn a_hook_that_hangs_does_not_keep_the_command_alive() {
    let server = server();
    let arguments = ["run", "-p", "board", "--ttl", "9s", "--on-lost", "sleep 1", "--", "sh", "-c", STUBBORN];
    let mut run = Beside::start(&server, "run", &arguments);
    content(&server, "alive");
    let id = leases(&server)[0].to_string();
    lessor(&server, &["leases", "force-release", &id, "--reason", "r"]).gives(0);
    assert_eq!(run.code(), 123);
}

#[test]
fn a_lease_that_is_taken_away_ends_the_command_long_before_the_next_renewal() {
    let server = server();
    let mut run =
        Beside::start(&server, "run", &["run", "-p", "board", "--ttl", "10m", "--", "sleep", "600"]);
    run.says("leased");
    let id = leases(&server)[0].to_string();
    lessor(&server, &["leases", "force-release", &id, "--reason", "Ann needs it"]).gives(0);
    assert_eq!(run.code(), 123);
    assert!(run.err().contains("Ann needs it"), "{}", run.err());
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        self.0.wait().expect("it is our child");
    }
}

/// Runs `lessor` to its end in the server's folder.
fn lessor_in(server: &Server, arguments: &[&str], code: i32) {
    let mut run = Beside::start(server, "run", arguments);
    assert_eq!(run.code(), code, "{}", run.err());
}

/// A way to the server that loses the answer to the first request for a lease, and the number of answers it lost.
fn forgetful(server: SocketAddr) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
    let lost = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&lost);
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || pass_on(client, server, &counter));
        }
    });
    (url, lost)
}

/// Passes one request on, and its answer back unless it is to be lost; then closes the connection.
fn pass_on(mut client: TcpStream, server: SocketAddr, lost: &AtomicU32) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&request) {
        match client.read(&mut piece) {
            Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
            _ => return,
        }
    }
    let mut upstream = TcpStream::connect(server).expect("the server is there");
    upstream.write_all(&request).expect("it reads");
    let mut answer = Vec::new();
    while !is_whole(&answer) {
        let read = upstream.read(&mut piece).expect("it answers");
        answer.extend_from_slice(&piece[..read]);
    }
    let asks = request.starts_with(b"POST /v1/leases ");
    if asks && lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |lost| (lost == 0).then_some(1)).is_ok()
    {
        return;
    }
    // The client may have gone.
    let _ = client.write_all(&answer);
}

/// Whether these are a head and as much body as it says.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse::<usize>().expect("a length is a number"));
    bytes.len() >= end + 4 + length
}
