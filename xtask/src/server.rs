//! A lessor that runs while something else happens, on loopback only.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::place::{self, now};
use crate::process::{clean, end, interrupted};
use crate::{Result, failed};

/// How long a server may take from its start until it is ready.
const READY_BOUND: Duration = Duration::from_secs(30);

/// A running server. It is ended when this is dropped.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it prints, if that is not shown.
    log: Option<PathBuf>,
    child: Child,
}

impl Server {
    /// Starts `bin` on a free port with a new data folder below `folder` and waits until it is ready.
    pub(crate) fn start_aside(bin: &Path, folder: &Path, pools: &Path) -> Result<Self> {
        Self::start_aside_with(bin, folder, &["--pools".as_ref(), pools.as_os_str()])
    }

    /// The same with these arguments.
    pub(crate) fn start_aside_with(bin: &Path, folder: &Path, arguments: &[&OsStr]) -> Result<Self> {
        let broken = |error: std::io::Error| format!("cannot use {}: {error}", folder.display());
        // Old data would make this run depend on the one before.
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return failed(broken(error)),
            _ => {}
        }
        std::fs::create_dir_all(folder).or_else(|error| failed(broken(error)))?;
        let log = folder.join("lessor.log");
        let output = File::create(&log).or_else(|error| failed(broken(error)))?;
        let errors = output.try_clone().or_else(|error| failed(broken(error)))?;
        let address = free_address()?;
        let mut command = serve(bin, address, &folder.join("data"), arguments);
        command.stdout(output).stderr(errors);
        Self::start(command, address, Some(log))
    }

    /// Starts `bin` on `address` with its output shown and waits until it is ready.
    pub(crate) fn start_shown(bin: &Path, address: SocketAddr, data: &Path, pools: &Path) -> Result<Self> {
        Self::start(serve(bin, address, data, &["--pools".as_ref(), pools.as_os_str()]), address, None)
    }

    fn start(mut command: Command, address: SocketAddr, log: Option<PathBuf>) -> Result<Self> {
        // Ctrl-C is for us alone, and we ask the server once: it takes a second signal for "at once".
        command.process_group(0);
        let child = clean(&mut command).stdin(Stdio::null()).spawn().or_else(|error| {
            failed(format!("{} does not start: {error}", command.get_program().display()))
        })?;
        let mut server = Self { address, log, child };
        server.await_ready()?;
        Ok(server)
    }

    fn await_ready(&mut self) -> Result<()> {
        let deadline = now() + READY_BOUND;
        while now() < deadline && !interrupted() {
            if let Some(how) = self.ended() {
                return failed(format!("lessor ended before it was ready ({how}){}", self.said()));
            }
            if ready(self.address) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        failed(format!("lessor was not ready within {} s{}", READY_BOUND.as_secs(), self.said()))
    }

    /// How the server ended, or nothing while it runs.
    pub(crate) fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// The end of what the server printed, if it was not shown at once.
    fn said(&self) -> String {
        let Some(text) = self.log.as_ref().and_then(|log| std::fs::read_to_string(log).ok()) else {
            return String::new();
        };
        let lines: Vec<&str> = text.lines().collect();
        format!("; it said:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn serve(bin: &Path, address: SocketAddr, data: &Path, arguments: &[&OsStr]) -> Command {
    let mut command = Command::new(bin);
    command.args(["serve", "--listen", &address.to_string()]).arg("--data").arg(data).args(arguments);
    command.current_dir(place::root());
    // Settings that are meant for another server must not reach this one.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LESSOR_") {
            command.env_remove(name);
        }
    }
    command
}

/// A loopback address that nobody listens on right now.
fn free_address() -> Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .or_else(|error| failed(format!("no free port on loopback: {error}")))
}

/// Whether `GET /readyz` answers 200.
fn ready(address: SocketAddr) -> bool {
    let patience = Duration::from_secs(2);
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        Ok(&start == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
