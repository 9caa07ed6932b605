//! `cargo xtask museum-bench`: what plugins that misbehave cost everybody else.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::place::{self, Build};
use crate::process::interrupted;
use crate::server::Server;
use crate::{Result, failed, plugins, process, say, tools};

/// What the museum is told to do, in turn. All of it in `acquire`, and some where parameters are checked too.
const ORDERS: [&str; 9] =
    ["loop", "bomb", "recurse", "panic", "shout", "crowd", "chatter", "lock-and-panic", "lock-for-ever"];

/// How much of it: for `shout`, `crowd` and `chatter`, more than is let through.
const COUNT: u32 = 100_000_000;

/// How long one acquire may take: what never ends is ended by then.
const ACQUIRE_MS: u32 = 1_000;

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a measurement may take beyond its own time: creating and deleting resources.
const BENCH_SLACK: Duration = Duration::from_mins(2);

/// Measure durable mutations with and without plugins that misbehave.
///
/// A server is started with the museum of bad plugins, and `lessor bench` runs against it twice a round: alone, and while
/// callers make the museum loop, allocate, recurse, trap, flood and lock without end. The calls that were made and the
/// ratio of the rates are printed.
#[derive(Args)]
pub(crate) struct MuseumBench {
    /// How many callers keep the museum busy.
    #[arg(long, default_value_t = 4)]
    callers: u32,
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// How many times both are measured.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Measure the build for developers: to see that this works, not to believe the numbers.
    #[arg(long)]
    dev: bool,
}

impl MuseumBench {
    pub(crate) fn run(&self) -> Result<()> {
        plugins::build()?;
        let bin = tools::build_lessor(if self.dev { Build::Dev } else { Build::Release })?;
        let folder = place::target().join("museum-bench");
        let config = write_configuration(&folder)
            .or_else(|error| failed(format!("cannot write to {}: {error}", folder.display())))?;
        let arguments = ["--config".as_ref(), config.as_os_str()];
        let server = Server::start_aside_with(&bin, &folder.join("server"), &arguments)?;
        say::step("Measuring");
        let (mut without, mut with) = (Vec::new(), Vec::new());
        let calls = AtomicU64::new(0);
        for _ in 0..self.rounds.max(1) {
            without.push(self.measure(&bin, server.address)?);
            with.push(self.beside_the_museum(&bin, server.address, &calls)?);
        }
        let (without, with) = (median(without), median(with));
        say::note(&format!("mutations/s alone               {without:>10.0}"));
        say::note(&format!("mutations/s beside the museum   {with:>10.0}"));
        say::note(&format!("ratio                           {:>10.2}", with / without));
        let calls = calls.load(Ordering::Relaxed);
        say::note(&format!("jobs that misbehaved meanwhile  {calls:>10}"));
        if calls == 0 { failed("the museum was not called: the ratio says nothing") } else { Ok(()) }
    }

    /// Mutations per second.
    fn measure(&self, bin: &Path, address: SocketAddr) -> Result<f64> {
        let mut command = Command::new(bin);
        command.args(["bench", "--server", &format!("http://{address}"), "-o", "json"]);
        command.args(["--duration", &format!("{}s", self.seconds)]);
        let bound = Duration::from_secs(self.seconds.into()) + BENCH_SLACK;
        let finished = process::quietly(&mut command, bound)?;
        let report = serde_json::from_str::<Value>(&finished.text).ok();
        match report.as_ref().and_then(|report| report["per_second"].as_f64()) {
            Some(rate) => Ok(rate),
            None => failed(format!("lessor bench: {}\n{}", finished.how, finished.text)),
        }
    }

    fn beside_the_museum(&self, bin: &Path, address: SocketAddr, calls: &AtomicU64) -> Result<f64> {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for caller in 0..self.callers {
                let done = &done;
                scope.spawn(move || misbehave(address, caller, calls, done));
            }
            let rate = self.measure(bin, address);
            done.store(true, Ordering::Relaxed);
            rate
        })
    }
}

/// Configures the museum, which has what it asks for.
fn write_configuration(folder: &Path) -> std::io::Result<PathBuf> {
    let (config, component) = (folder.join("lessor.toml"), place::target().join("plugins/museum.wasm"));
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("token"), "s3cret")?;
    let text = format!(
        "secrets = '{}'\n[[plugin]]\nname = 'museum'\ncomponent = '{}'\n\
         grants = {{ locker = true, files = ['/nowhere'], secrets = ['token'] }}\n",
        folder.display(),
        component.display()
    );
    std::fs::write(&config, text)?;
    Ok(config)
}

/// Starts one bad job after the other until `done`.
fn misbehave(address: SocketAddr, caller: u32, calls: &AtomicU64, done: &AtomicBool) {
    for (turn, order) in ORDERS.iter().cycle().skip(caller as usize).enumerate() {
        if done.load(Ordering::Relaxed) || interrupted() {
            return;
        }
        let in_check = turn % 5 == 4;
        let parameters = json!({
            "do": order, "in_check": in_check, "count": COUNT, "names": [format!("museum-{caller}")],
        });
        let job = json!({
            "target_manager": "museum", "owner": "curator", "acquire_timeout": ACQUIRE_MS,
            "acquire_parameters": parameters, "release_parameters": {},
        });
        match post(address, "/v1/jobs?wait=5s", &job.to_string()) {
            // What breaks too often is put in quarantine: let it out, to go on.
            Ok(409) => drop(post(address, "/v1/plugins/museum/enable", "")),
            Ok(_) => drop(calls.fetch_add(1, Ordering::Relaxed)),
            // Counted by its absence.
            Err(_) => {}
        }
    }
}

/// The status of the answer.
fn post(address: SocketAddr, path: &str, body: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| std::io::Error::other("no answer"))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
