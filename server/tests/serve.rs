//! The server as a process: how it starts, how it is told to stop, and whom it turns away.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything that a healthy server does at once.
const SOON: Duration = Duration::from_secs(30);

/// What a stop may take (issue: "drains within 10 s even with open streams").
const STOP_MAX: Duration = Duration::from_secs(10);

struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

fn lessor() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lessor"));
    command.stdin(Stdio::null());
    command
}

impl Server {
    /// A server on a port of the system's choice, and a data folder of its own.
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::start_in(folder, arguments)
    }

    fn start_in(folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        Self::launch(lessor(), folder, arguments)
    }

    fn launch(mut command: Command, folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        command.args(["serve", "--data", "data"]).args(arguments);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the server can be started");
        let mut out = BufReader::new(child.stdout.take().expect("its output is ours"));
        let mut line = String::new();
        out.read_line(&mut line).expect("the server says where it is");
        let address = line.trim().strip_prefix("lessor is ready on http://");
        let address = address.unwrap_or_else(|| panic!("the server said {line:?}"));
        Self { child, out, address: address.parse().expect("that is an address"), folder }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server is there");
        stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
        stream
    }

    /// Sends a request without a body and gives the whole answer.
    fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = self.connect();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Asks until the answer has `part` in it.
    fn until(&self, path: &str, part: &str) -> String {
        wait_for(path, || Some(self.ask("GET", path)).filter(|answer| answer.contains(part)))
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(done.expect("kill can be run").success());
    }

    fn ended(&mut self) -> ExitStatus {
        wait_for("the end", || self.child.try_wait().expect("the process can be watched"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test of a real process waits in real time")]
fn now() -> Instant {
    Instant::now()
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < SOON, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn refused(arguments: &[&str], folder: &Path) -> Output {
    lessor().arg("serve").args(arguments).current_dir(folder).output().expect("the server can be started")
}

#[test]
fn it_starts_without_anything_and_stops_when_told() {
    let mut server = Server::start(&[]);
    assert!(server.ask("GET", "/readyz").starts_with("HTTP/1.1 200 "));
    server.signal("-TERM");
    assert_eq!(server.ended().code(), Some(0));
    let mut rest = String::new();
    server.out.read_to_string(&mut rest).expect("its output can be read");
    assert_eq!(rest, "", "one line is all that it says");
}

#[test]
fn the_service_manager_is_told_of_ready_and_stopping() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let manager = UnixDatagram::bind(folder.path().join("notify")).expect("a socket can be made");
    manager.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    let told = || {
        let mut text = [0; 64];
        let length = manager.recv(&mut text).expect("something is told");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let mut command = lessor();
    command.args(["serve", "--data", "data", "--listen", "127.0.0.1:0"]).current_dir(folder.path());
    command.env("NOTIFY_SOCKET", folder.path().join("notify"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the server can be started");
    assert_eq!(told().trim(), "READY=1");
    let done = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(done.expect("kill can be run").success());
    assert_eq!(told().trim(), "STOPPING=1");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn an_address_that_others_can_reach_has_to_be_meant() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for address in ["0.0.0.0:0", "[::]:0"] {
        let output = refused(&["--listen", address], folder.path());
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("--insecure") && said.contains("tokens"), "{said}");
        assert!(!folder.path().join("lessor-data").exists(), "nothing is touched");
    }
    let mut server = Server::start(&["--listen", "0.0.0.0:0", "--insecure"]);
    server.signal("-INT");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn variables_that_are_set_to_nothing_are_as_good_as_none() {
    let mut command = lessor();
    for option in
        ["CONFIG", "DATA", "LISTEN", "POOLS", "REQUEST_TTL", "INSECURE", "HOSTS", "KEEP_EVENTS", "SECRETS"]
    {
        command.env(format!("LESSOR_{option}"), "");
    }
    let mut server =
        Server::launch(command, tempfile::tempdir().expect("a temporary folder can be made"), &[]);
    server.signal("-TERM");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_wrong_configuration_names_the_line() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(folder.path().join("lessor.toml"), "listen = '127.0.0.1:0'\nlisten-to = 'x'\n")
        .expect("the file can be written");
    let output = refused(&["--config", "lessor.toml"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("lessor.toml: ") && said.contains("line 2"), "{said}");
}

#[test]
fn a_pools_file_that_is_not_there_is_fatal_at_the_start_only() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let output = refused(&["--listen", "127.0.0.1:0", "--pools", "/nonexistent.yaml"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("lessor: cannot read /nonexistent.yaml: No such file"), "{said}");

    let pools = folder.path().join("pools.yaml");
    std::fs::write(&pools, "resources: [{type: gpu, names: [gpu-1]}]").expect("the file can be written");
    let mut server = Server::start_in(folder, &["--pools", "pools.yaml"]);
    std::fs::remove_file(&pools).expect("the file can be removed");
    server.until("/readyz?verbose", "cannot read pools.yaml");
    assert!(server.ask("GET", "/v1/resources").contains("gpu-1"));
    server.signal("-TERM");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn two_servers_cannot_have_one_data_folder() {
    let server = Server::start(&[]);
    let output = refused(&["--listen", "127.0.0.1:0", "--data", "data"], server.folder.path());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("in use by another lessor"), "{said}");
    let output = refused(&["--listen", &server.address.to_string(), "--data", "other"], server.folder.path());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Address already in use"), "{said}");
}

#[test]
fn file_variables_and_flags_make_one_configuration() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it can be written");
    write("lessor.toml", "listen = '127.0.0.1:1'\npools = 'pools.yaml'\ndata = 'from-file'\n");
    write("pools.yaml", "resources: [{type: gpu, names: [gpu-1]}]");
    let mut command = lessor();
    command.args(["serve", "--config", "lessor.toml"]).env("LESSOR_DATA", "from-variable");
    command.env("LESSOR_LISTEN", "127.0.0.1:2").args(["--listen", "127.0.0.1:0"]);
    command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the server can be started");
    let mut line = String::new();
    let out = child.stdout.take().expect("its output is ours");
    BufReader::new(out).read_line(&mut line).expect("the server says where it is");
    child.kill().expect("it runs");
    child.wait().expect("it ran");
    assert!(line.starts_with("lessor is ready on http://127.0.0.1:") && !line.contains(":1\n"), "{line}");
    assert!(folder.path().join("from-variable").exists());
    assert!(!folder.path().join("from-file").exists());
}

#[test]
fn a_hangup_reads_the_pools_file_again() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let pools = folder.path().join("pools.yaml");
    std::fs::write(&pools, "resources: [{type: gpu, names: [gpu-1]}]").expect("the file can be written");
    let mut server = Server::start_in(folder, &["--pools", "pools.yaml"]);
    assert!(server.ask("GET", "/v1/resources").contains("gpu-1"));
    std::fs::write(&pools, "resources: [{type: gpu, names: [gpu-1, gpu-2]}]")
        .expect("the file can be written");
    server.signal("-HUP");
    server.until("/v1/resources", "gpu-2");
    std::fs::write(&pools, "resources: [{type: gpu, names: [GPU]}]").expect("the file can be written");
    server.signal("-HUP");
    server.until("/readyz?verbose", ".0.names.0(GPU) is invalid");
    assert!(server.ask("GET", "/v1/resources").contains("gpu-2"));
    server.signal("-TERM");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_stop_ends_streams_and_answers_those_who_wait() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(folder.path().join("pools.yaml"), "resources: [{type: gpu, names: [gpu-1]}]")
        .expect("the file can be written");
    let mut server = Server::start_in(folder, &["--pools", "pools.yaml"]);
    assert!(
        server.ask("POST", "/acquire?type=gpu&state=free&dest=busy&owner=ann").starts_with("HTTP/1.1 200 ")
    );

    let mut stream = server.connect();
    stream.write_all(b"GET /v1/events/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it listens");
    let mut idle = server.connect();
    let mut waiter = server.connect();
    let body = r#"{"owner":"bob","pool":"gpu","wait":"5m"}"#;
    write!(
        waiter,
        "POST /v1/leases HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it listens");
    server.until("/v1/requests", "bob");

    let start = now();
    server.signal("-TERM");
    let mut answer = String::new();
    waiter.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 "), "{answer:?}");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the stream ends");
    idle.read_to_end(&mut rest).expect("the connection ends");
    assert_eq!(server.ended().code(), Some(0));
    assert!(start.elapsed() < STOP_MAX, "the stop took {:?}", start.elapsed());
}

#[test]
fn a_second_signal_stops_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut server = Server::start_in(folder, &[]);
    // A request that never gets complete holds the drain up.
    let mut slow = server.connect();
    slow.write_all(b"POST /v1/leases HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{")
        .expect("it listens");
    assert!(server.ask("GET", "/healthz").starts_with("HTTP/1.1 200 "));
    let start = now();
    server.signal("-TERM");
    wait_for("the first signal to be taken", || TcpStream::connect(server.address).is_err().then_some(()));
    server.signal("-TERM");
    let status = server.ended();
    assert_eq!(status.code(), Some(128 + 15), "{status:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "the stop took {:?}", start.elapsed());
}

#[test]
fn an_endless_head_is_cut_off() {
    let mut server = Server::start(&[]);
    let mut stream = server.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n").expect("it listens");
    let line = format!("x-flood: {}\r\n", "x".repeat(1_000));
    // The server hangs up at some point, which may show as an error of the write or in the answer.
    for _ in 0..200 {
        if stream.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(server.ask("GET", "/healthz").starts_with("HTTP/1.1 200 "));
    server.signal("-TERM");
    assert_eq!(server.ended().code(), Some(0));
}
