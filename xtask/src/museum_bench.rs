//! `cargo xtask museum-bench`: what plugins that misbehave cost everybody else.

mod curator;
mod exhibit;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use self::curator::{Stage, misbehave};
use self::exhibit::{ALL, Exhibit};
use crate::place::{self, Build};
use crate::process::interrupted;
use crate::server::Server;
use crate::{Result, failed, plugins, process, say, tools};

/// How long a measurement may take beyond its own time: creating and deleting resources.
const BENCH_SLACK: Duration = Duration::from_mins(2);

/// Measure durable mutations with and without plugins that misbehave.
///
/// A server is started with the bad plugins of the tests. For each way to misbehave `lessor bench` runs against it twice a
/// round: alone, and while callers make a plugin loop, allocate, recurse, trap, flood, lock without end (each in all of its
/// exports), never get ready, or ask hosts that it may not ask. The ratio of the rates is printed for each, and over all.
#[derive(Args)]
pub(crate) struct MuseumBench {
    /// How many callers keep the plugin busy.
    #[arg(long, default_value_t = 4)]
    callers: u32,
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// How many times both are measured for each way to misbehave.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Measure the build for developers: to see that this works, not to believe the numbers.
    #[arg(long)]
    dev: bool,
}

/// Mutations per second, alone and beside a plugin that misbehaves.
#[derive(Clone, Copy, Default)]
struct Rates {
    alone: f64,
    beside: f64,
}

impl Rates {
    fn ratio(self) -> f64 {
        self.beside / self.alone
    }
}

impl MuseumBench {
    pub(crate) fn run(&self) -> Result<()> {
        plugins::build()?;
        let bin = tools::build_lessor(if self.dev { Build::Dev } else { Build::Release })?;
        let folder = place::target().join("museum-bench");
        let elsewhere = curator::redirect().or_else(|error| failed(format!("cannot listen: {error}")))?;
        let config = write_configuration(&folder, elsewhere)
            .or_else(|error| failed(format!("cannot write to {}: {error}", folder.display())))?;
        let arguments = ["--config".as_ref(), config.as_os_str()];
        let server = Server::start_aside_with(&bin, &folder.join("server"), &arguments)?;
        let stage = Stage { address: server.address, elsewhere };
        say::step("Measuring");
        say::note(&format!(
            "{:<22}{:>12}{:>12}{:>8}{:>8}",
            "mutations/s", "alone", "beside", "ratio", "calls"
        ));
        let mut all = Rates::default();
        for exhibit in ALL {
            let (rates, calls) = self.compare(&bin, stage, exhibit)?;
            print(exhibit.name(), rates, calls);
            all.alone += rates.alone;
            all.beside += rates.beside;
            if calls == 0 || interrupted() {
                return failed(format!("{} was not called: its ratio says nothing", exhibit.name()));
            }
        }
        let number = f64::from(u32::try_from(ALL.len()).unwrap_or(u32::MAX));
        say::note(&format!(
            "{:<22}{:>12.0}{:>12.0}{:>8.2}",
            "over all",
            all.alone / number,
            all.beside / number,
            all.ratio()
        ));
        Ok(())
    }

    /// The medians of all rounds, and how many calls misbehaved.
    fn compare(&self, bin: &Path, stage: Stage, exhibit: Exhibit) -> Result<(Rates, u64)> {
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        let calls = AtomicU64::new(0);
        for _ in 0..self.rounds.max(1) {
            alone.push(self.measure(bin, stage.address)?);
            beside.push(self.measure_beside(bin, stage, exhibit, &calls)?);
        }
        let rates = Rates { alone: median(alone), beside: median(beside) };
        Ok((rates, calls.load(Ordering::Relaxed)))
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

    fn measure_beside(&self, bin: &Path, stage: Stage, exhibit: Exhibit, calls: &AtomicU64) -> Result<f64> {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for caller in 0..self.callers {
                let done = &done;
                scope.spawn(move || misbehave(stage, exhibit, caller, calls, done));
            }
            let rate = self.measure(bin, stage.address);
            done.store(true, Ordering::Relaxed);
            rate
        })
    }
}

fn print(name: &str, rates: Rates, calls: u64) {
    let Rates { alone, beside } = rates;
    say::note(&format!("{name:<22}{alone:>12.0}{beside:>12.0}{:>8.2}{calls:>8}", rates.ratio()));
}

/// Configures the plugins, which have what they ask for, but for what they must not have.
fn write_configuration(folder: &Path, elsewhere: SocketAddr) -> std::io::Result<PathBuf> {
    let config = folder.join("lessor.toml");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("token"), "s3cret")?;
    let plugins = [
        ("museum", ", files = ['/nowhere'], secrets = ['token']".to_owned()),
        ("fetcher", format!(", http = {{ lab = {{ url = 'http://{elsewhere}', private = true }} }}")),
        ("surfer", format!(", wasi_http = ['{elsewhere}']")),
        ("slow-start", String::new()),
    ];
    let tables = plugins.map(|(name, grants)| {
        let component = place::target().join(format!("plugins/{name}.wasm"));
        let component = component.display();
        format!(
            "[[plugin]]\nname = '{name}'\ncomponent = '{component}'\ngrants = {{ locker = true{grants} }}\n"
        )
    });
    let text = format!("secrets = '{}'\n{}", folder.display(), tables.concat());
    std::fs::write(&config, text)?;
    Ok(config)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
