//! The command line, as a process: what it prints where, and the exit code that it gives.

mod commands;
mod exit;
mod jobs;
mod plugin;
mod run;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lessor_tests::{Server, Setup, wait};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

/// A server with the pool `gpu` of two and the pool `board` of one.
fn server() -> Server {
    Setup::new().pool("gpu", &["gpu-1", "gpu-2"]).pool("board", &["b1"]).start()
}

/// How a command ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// The same, if it ended with `code`.
    #[track_caller]
    fn gives(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What it printed, without the white space around it.
    fn text(&self) -> &str {
        self.out.trim()
    }
}

/// `lessor` with these arguments, speaking to the server at `url`.
fn command(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(lessor_tests::lessor());
    command.args(arguments).env("LESSOR_SERVER", url).env_remove("LESSOR_OWNER").stdin(Stdio::null());
    // Whoever runs the tests may have contexts of their own.
    command.env("XDG_CONFIG_HOME", "/nonexistent").env_remove("LESSOR_CONTEXT");
    command
}

/// The same command with every signal as it is by default: a test run in the background of a script, or under
/// `nohup`, hands on some that are ignored.
fn with_signals(command: &Command) -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => env.env(name, value),
            None => env.env_remove(name),
        };
    }
    env
}

fn finish(mut command: Command) -> Ran {
    let output = command.output().expect("the binary can be run");
    Ran {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).expect("it prints UTF-8"),
        err: String::from_utf8(output.stderr).expect("it prints UTF-8"),
    }
}

/// Runs `lessor` to its end.
fn run_at(url: &str, arguments: &[&str]) -> Ran {
    finish(command(url, arguments))
}

/// Runs `lessor` to its end.
fn lessor(server: &Server, arguments: &[&str]) -> Ran {
    run_at(&server.url(), arguments)
}

/// Runs `lessor` to its end with this on its standard input.
fn lessor_with_input(server: &Server, arguments: &[&str], input: &str) -> Ran {
    let mut command = command(&server.url(), arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be run");
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin.write_all(input.as_bytes()).expect("it reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("it can be waited for");
    Ran {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A `lessor` that runs beside the test; killed when dropped.
struct Beside {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Beside {
    fn start(server: &Server, name: &str, arguments: &[&str]) -> Self {
        let (out, err) =
            (server.folder().join(format!("{name}.out")), server.folder().join(format!("{name}.err")));
        let file = |path: &Path| fs::File::create(path).expect("the folder takes a file");
        let mut command = with_signals(&command(&server.url(), arguments));
        command.current_dir(server.folder()).stdout(file(&out)).stderr(file(&err)).stdin(Stdio::null());
        Self { child: command.spawn().expect("the binary can be run"), out, err }
    }

    fn out(&self) -> String {
        fs::read_to_string(&self.out).expect("the file is there")
    }

    fn err(&self) -> String {
        fs::read_to_string(&self.err).expect("the file is there")
    }

    /// Waits until it has printed `text` on standard error.
    fn says(&self, text: &str) {
        wait::until(&format!("it says {text:?}"), wait::SOON, || self.err().contains(text));
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid(self.child.id()), signal).expect("it is there");
    }

    /// Its exit code, once it has ended.
    fn code(&mut self) -> i32 {
        let status =
            wait::until_some("lessor ends", wait::SOON, || self.child.try_wait().expect("it is our child"));
        status.code().unwrap_or_else(|| panic!("it was killed: {}", self.err()))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        self.child.wait().expect("it is our child");
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).expect("process IDs fit")).expect("process IDs are above zero")
}

/// Whether there is a process with this ID that is not just waiting to be reaped.
pub(super) fn is_alive(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    test_kill_process(pid(id)).is_ok() && state.is_some_and(|state| state != 'Z')
}

/// The content of a file in the server's folder, once there is any.
fn content(server: &Server, name: &str) -> String {
    wait::until_some(&format!("{name} is written"), wait::SOON, || {
        fs::read_to_string(server.folder().join(name)).ok().filter(|text| text.ends_with('\n'))
    })
}

/// No leases.
const NONE: [u64; 0] = [];

/// IDs of the leases that are held.
fn leases(server: &Server) -> Vec<u64> {
    let list = lessor(server, &["leases", "list", "-o", "name"]).gives(0);
    list.out.lines().map(|id| id.parse().expect("a lease ID")).collect()
}
