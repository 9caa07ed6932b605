//! The exit codes, one by one: they are API for scripts.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};

use lessor_tests::wait;
use rustix::process::Signal;

use super::{Beside, lessor, run_at, server};

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn code_0_is_done() {
    lessor(&server(), &["pools", "list"]).gives(0);
}

#[test]
fn code_1_is_failed() {
    let missing = run_at(NOBODY, &["check", "/nonexistent/store"]).gives(1);
    assert!(missing.err.starts_with("error: the store cannot be checked: "), "{missing:?}");
}

#[test]
fn code_2_is_usage() {
    run_at(NOBODY, &["acquire"]).gives(2);
    run_at(NOBODY, &["no-such-command"]).gives(2);
    run_at(NOBODY, &["acquire", "-p", "gpu", "--ttl", "90"]).gives(2);
    run_at(NOBODY, &["--server", "https://lab", "pools", "list"]).gives(2);
    let refused = lessor(&server(), &["acquire", "-p", "gpu", "--ttl", "9999h"]).gives(2);
    assert!(refused.err.contains("ttl"), "{refused:?}");
}

#[test]
fn code_3_is_not_found() {
    let server = server();
    lessor(&server, &["renew", "999"]).gives(3);
    lessor(&server, &["resources", "show", "nope"]).gives(3);
    lessor(&server, &["pools", "show", "nope"]).gives(3);
    lessor(&server, &["requests", "show", "999"]).gives(3);
}

#[test]
fn code_4_is_forbidden() {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let url = answering(&format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}"));
        run_at(&url, &["leases", "list"]).gives(4);
    }
}

#[test]
fn code_5_is_conflict() {
    let server = server();
    let id = lessor(&server, &["acquire", "-p", "gpu", "--owner", "ann"]).gives(0);
    let refused = lessor(&server, &["renew", id.text(), "--owner", "bob"]).gives(5);
    assert!(refused.err.contains("ann"), "the holder is named: {refused:?}");
    lessor(&server, &["leases", "force-release", id.text(), "--reason", "r", "--from", "bob"]).gives(5);
    lessor(&server, &["resources", "patch", "b1", "--state", "dirty", "--if-match", "\"999\""]).gives(5);
    lessor(&server, &["lock", "lock", "-j", "1", "-d", "1m", "t"]).gives(0);
    lessor(&server, &["lock", "unlock", "-j", "2", "t"]).gives(5);
}

#[test]
fn code_6_is_busy() {
    let server = server();
    lessor(&server, &["acquire", "-p", "board", "--owner", "ann"]).gives(0);
    let busy = lessor(&server, &["acquire", "-p", "board", "--no-wait"]).gives(6);
    assert!(busy.err.contains("b1: held by ann"), "{busy:?}");
    lessor(&server, &["lock", "lock", "-j", "1", "-d", "1m", "t"]).gives(0);
    lessor(&server, &["lock", "lock", "-j", "2", "-d", "1m", "t"]).gives(6);
}

#[test]
fn code_7_is_unsatisfiable() {
    let server = server();
    let refused = lessor(&server, &["acquire", "-p", "board", "-n", "2"]).gives(7);
    assert!(refused.err.contains("at most 1"), "{refused:?}");
    lessor(&server, &["acquire", "-p", "nope", "--no-wait"]).gives(7);
    lessor(&server, &["acquire", "-p", "gpu", "-l", "site=mars"]).gives(7);
}

#[test]
fn code_8_is_wait_timed_out() {
    let server = server();
    lessor(&server, &["acquire", "-p", "board"]).gives(0);
    let late = lessor(&server, &["acquire", "-p", "board", "--wait", "300ms"]).gives(8);
    assert!(late.err.contains("position 1 in line"), "{late:?}");
    let waiting = lessor(&server, &["requests", "list", "-o", "name"]).gives(0);
    assert_eq!(waiting.text(), "", "whoever gives up leaves the line");
}

#[test]
fn code_9_is_lease_lost() {
    let server = server();
    let id = lessor(&server, &["acquire", "-p", "gpu"]).gives(0);
    lessor(&server, &["release", id.text()]).gives(0);
    lessor(&server, &["renew", id.text()]).gives(9);
    let hold = ["acquire", "-p", "gpu", "--ttl", "6s", "--hold"];
    let mut hold = Beside::start(&server, "hold", &hold);
    hold.says("leased");
    wait::until("it prints the lease", wait::SOON, || hold.out().ends_with('\n'));
    lessor(&server, &["leases", "force-release", hold.out().trim(), "--reason", "r"]).gives(0);
    assert_eq!(hold.code(), 9);
}

#[test]
fn code_10_is_unreachable() {
    let away = run_at(NOBODY, &["leases", "list"]).gives(10);
    assert!(away.err.contains("cannot reach http://127.0.0.1:1"), "{away:?}");
    run_at(NOBODY, &["acquire", "-p", "gpu", "--no-wait"]).gives(10);
    run_at(NOBODY, &["acquire", "-p", "gpu", "--wait", "300ms"]).gives(10);
    let url = answering("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
    run_at(&url, &["leases", "list"]).gives(10);
}

#[test]
fn run_gives_the_commands_own_code() {
    let server = server();
    for code in [0, 1, 7, 255] {
        lessor(&server, &["run", "-p", "gpu", "--", "sh", "-c", &format!("exit {code}")]).gives(code);
    }
}

#[test]
fn run_gives_128_and_the_number_of_the_signal_that_ended_the_command() {
    let server = server();
    lessor(&server, &["run", "-p", "gpu", "--", "sh", "-c", "kill -9 $$"]).gives(128 + 9);
    lessor(&server, &["run", "-p", "gpu", "--", "sh", "-c", "kill -15 $$"]).gives(128 + 15);
}

#[test]
fn run_gives_128_and_the_number_of_the_signal_that_ended_its_waiting() {
    let server = server();
    lessor(&server, &["acquire", "-p", "board"]).gives(0);
    let mut run = Beside::start(&server, "run", &["run", "-p", "board", "--", "true"]);
    run.says("position 1");
    run.signal(Signal::INT);
    assert_eq!(run.code(), 128 + 2);
    let waiting = lessor(&server, &["requests", "list", "-o", "name"]).gives(0);
    assert_eq!(waiting.text(), "", "whoever gives up leaves the line");
}

#[test]
fn run_gives_123_when_the_lease_is_lost() {
    let server = server();
    let mut run = Beside::start(&server, "run", &["run", "-p", "board", "--ttl", "9s", "--", "sleep", "60"]);
    run.says("leased");
    let id = super::leases(&server)[0].to_string();
    lessor(&server, &["leases", "force-release", &id, "--reason", "the host is on fire"]).gives(0);
    assert_eq!(run.code(), 123);
    assert!(run.err().contains("lease lost"), "{}", run.err());
}

#[test]
fn run_gives_124_when_nothing_becomes_free_in_time() {
    let server = server();
    lessor(&server, &["acquire", "-p", "board"]).gives(0);
    lessor(&server, &["run", "-p", "board", "--wait", "300ms", "--", "true"]).gives(124);
    lessor(&server, &["run", "-p", "board", "--no-wait", "--", "true"]).gives(124);
}

#[test]
fn run_gives_125_when_it_fails_before_the_start() {
    run_at(NOBODY, &["run", "-p", "gpu", "--wait", "200ms", "--", "true"]).gives(125);
    run_at(NOBODY, &["run", "--no-such-option", "--", "true"]).gives(125);
    run_at(NOBODY, &["--quiet", "run", "-p", "gpu"]).gives(125);
    run_at(NOBODY, &["run", "--server", "https://lab", "-p", "gpu", "--", "true"]).gives(125);
    lessor(&server(), &["run", "-p", "nope", "--", "true"]).gives(125);
}

#[test]
fn run_gives_126_when_the_command_cannot_be_executed() {
    let server = server();
    let refused = lessor(&server, &["run", "-p", "gpu", "--", "/etc/passwd"]).gives(126);
    assert!(refused.err.contains("cannot run /etc/passwd"), "{refused:?}");
    assert_eq!(super::leases(&server), super::NONE, "the lease is given back all the same");
}

#[test]
fn run_gives_127_when_there_is_no_such_command() {
    let server = server();
    lessor(&server, &["run", "-p", "gpu", "--", "no-such-command-anywhere"]).gives(127);
    assert_eq!(super::leases(&server), super::NONE, "the lease is given back all the same");
}

/// The URL of a server that answers one request with `answer`.
fn answering(answer: &str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        let mut head = [0; 4096];
        let read = stream.read(&mut head).expect("it sends a request");
        assert!(read > 0);
        stream.write_all(answer.as_bytes()).expect("it reads the answer");
    });
    url
}
