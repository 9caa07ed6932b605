//! A running `lessor` with a data folder of its own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Answer, Client, escape};
use crate::wait;

/// How long a server may take from its start to readiness.
const READY_BOUND: Duration = Duration::from_mins(1);

/// How many free ports to try: between finding one and using it, somebody else may take it.
const PORT_TRIES: u32 = 5;

/// Name of the configuration file in the server's folder.
pub const CONFIG: &str = "lessor.toml";

/// What a server is started with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pools: Option<String>,
    config: Option<String>,
    files: Vec<(String, Vec<u8>)>,
    arguments: Vec<String>,
}

/// A running server. Dropping it kills the process by its ID and removes its data.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    folder: TempDir,
    address: SocketAddr,
    child: Child,
}

/// How a server that did not serve ended.
#[derive(Debug)]
pub struct Exit {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it said, on both streams.
    pub said: String,
}

impl Setup {
    /// No pools, and the defaults of the binary.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves this pools file.
    #[must_use]
    pub fn pools(mut self, yaml: impl Into<String>) -> Self {
        self.pools = Some(yaml.into());
        self
    }

    /// Serves one pool of free resources.
    #[must_use]
    pub fn pool(self, name: &str, resources: &[&str]) -> Self {
        let entry = format!("- {{type: {name}, state: free, names: [{}]}}\n", resources.join(", "));
        let before = self.pools.clone().unwrap_or_else(|| "resources:\n".to_owned());
        self.pools(before + &entry)
    }

    /// Serves with this configuration file, in which `{folder}` stands for the server's folder.
    #[must_use]
    pub fn config(mut self, toml: impl Into<String>) -> Self {
        self.config = Some(toml.into());
        self
    }

    /// Puts a file into the server's folder, or into a folder in it, before the server starts.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Passes these arguments to `serve`.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Panics
    /// If it does not get ready; says what the server said.
    #[must_use]
    pub fn start(self) -> Server {
        let mut server = Server::spawn(self);
        for _ in 1..PORT_TRIES {
            match server.await_ready() {
                Ok(()) => return server,
                Err(exit) if exit.port_is_taken() => {
                    server.address = free_address();
                    server.run();
                }
                Err(exit) => panic!("lessor does not serve ({}):\n{}", exit.status, exit.said),
            }
        }
        panic!("lessor found no free port");
    }

    /// Starts the server, which is expected to end by itself instead of serving.
    ///
    /// # Panics
    /// If it gets ready.
    #[must_use]
    pub fn start_in_vain(self) -> Exit {
        Server::spawn(self).await_ready().expect_err("the server got ready, which it should not")
    }
}

impl Exit {
    /// Whether somebody else had the port, the last time.
    fn port_is_taken(&self) -> bool {
        self.said.ends_with("Address already in use (os error 98)\n")
    }
}

impl Server {
    fn spawn(setup: Setup) -> Self {
        let folder = TempDir::new().expect("there is room for a temporary folder");
        if let Some(pools) = &setup.pools {
            fs::write(folder.path().join("pools.yaml"), pools).expect("the folder takes a file");
        }
        if let Some(config) = &setup.config {
            let config = config.replace("{folder}", &folder.path().display().to_string());
            fs::write(folder.path().join(CONFIG), config).expect("the folder takes a file");
        }
        for (path, content) in &setup.files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("there is room");
            fs::write(path, content).expect("the folder takes a file");
        }
        let address = free_address();
        let child = start_process(&setup, folder.path(), address);
        Self { setup, folder, address, child }
    }

    fn run(&mut self) {
        self.child = start_process(&self.setup, self.folder.path(), self.address);
    }

    /// Polls until the server is ready, or has ended.
    fn await_ready(&mut self) -> Result<(), Exit> {
        wait::until_some("the server is ready", READY_BOUND, || {
            if let Some(status) = self.child.try_wait().expect("a child can be asked how it is") {
                return Some(Err(Exit { status, said: self.said() }));
            }
            let ready = self.client().send("GET", "/readyz");
            ready.is_ok_and(|answer| answer.status == 200).then_some(Ok(()))
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A new connection to it.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// The ID of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for other files, which goes with the server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that it said so far, on both streams, over all its starts.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(log_path(self.folder.path())).unwrap_or_default()
    }

    /// Replaces the pools file in one step, as an editor does.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn set_pools(&self, yaml: &str) {
        let next = self.folder.path().join("pools.yaml.next");
        fs::write(&next, yaml).expect("the folder takes a file");
        fs::rename(next, self.folder.path().join("pools.yaml")).expect("a file can be renamed");
    }

    /// Sends a request without a body.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn send(&self, method: &str, path: &str) -> Answer {
        let answer = self.client().send(method, path);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.said()))
    }

    /// `GET`.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path)
    }

    /// `POST` without a body.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn post(&self, path: &str) -> Answer {
        self.send("POST", path)
    }

    /// `POST` with parameters in the query, escaped as they need.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn call(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        self.post(&with_query(path, parameters))
    }

    /// Sends a JSON body.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn send_json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let answer = self.client().send_json(method, path, body);
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.said()))
    }

    /// Ends the process at once, as a power cut would end it (SIGKILL), and waits until it is gone.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn kill(&mut self) {
        end(&mut self.child);
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Panics
    /// If it takes longer than it promises.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        wait::until_some("the server has ended", wait::SOON, || {
            self.child.try_wait().expect("a child can be asked how it is")
        })
    }

    /// Sends a signal to its process.
    ///
    /// # Panics
    /// If there is no such process.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the server's process is there");
    }

    /// What its process has in memory.
    ///
    /// # Panics
    /// If there is no such process.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the server's process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number of kB") << 10
    }

    fn pid(&self) -> Pid {
        let id = i32::try_from(self.child.id()).expect("a process ID fits");
        Pid::from_raw(id).expect("a process ID is above zero")
    }

    /// Starts it again on the same data and address, after [`Self::kill`] or [`Self::stop`], and waits until it is
    /// ready.
    ///
    /// # Panics
    /// If it does not get ready.
    pub fn restart(&mut self) {
        wait::until("its port is free again", wait::SOON, || {
            self.run();
            match self.await_ready() {
                Ok(()) => true,
                // Somebody else looked for a free port meanwhile, or makes a connection from it.
                Err(exit) if exit.port_is_taken() => false,
                Err(exit) => panic!("lessor does not serve again ({}):\n{}", exit.status, exit.said),
            }
        });
    }
}

impl Server {
    /// Waits until it has prepared the plugins that were installed before, and those of its configuration.
    ///
    /// # Panics
    /// If that takes longer than a minute.
    pub fn prepared(&self) {
        wait::until("its plugins are prepared", Duration::from_mins(1), || {
            !self.get("/readyz?verbose").text().contains("being prepared")
        });
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "what the server said explains why a test failed")]
    fn drop(&mut self) {
        end(&mut self.child);
        if std::thread::panicking() {
            eprintln!("the server said:\n{}", self.said());
        }
    }
}

/// Kills a process by its ID and waits for it; one that has ended already is fine.
fn end(child: &mut Child) {
    match child.kill() {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
        Err(error) => panic!("the server cannot be killed: {error}"),
    }
    child.wait().expect("a child can be waited for");
}

fn start_process(setup: &Setup, folder: &Path, address: SocketAddr) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(log_path(folder));
    let log: File = log.expect("the folder takes a file");
    let mut command = Command::new(crate::lessor());
    command.arg("serve").arg("--listen").arg(address.to_string()).arg("--data").arg(folder.join("data"));
    if setup.pools.is_some() {
        command.arg("--pools").arg(folder.join("pools.yaml"));
    }
    if setup.config.is_some() {
        command.arg("--config").arg(folder.join(CONFIG));
    }
    command.args(&setup.arguments).current_dir(folder).stdin(Stdio::null());
    command.stdout(log.try_clone().expect("a file can be shared")).stderr(log);
    command.spawn().expect("the binary can be run")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// An address on the loopback that nobody listens on now.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    listener.local_addr().expect("a bound socket has an address")
}

/// A path with a query.
#[must_use]
pub fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = parameters.iter().map(|(key, value)| format!("{key}={}", escape(value))).collect();
    format!("{path}?{}", pairs.join("&"))
}
