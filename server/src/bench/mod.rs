//! `lessor bench`: how fast a server is, next to a server that does nothing.
//!
//! A closed loop over keep-alive connections in one thread. Absolute numbers depend on the machine; the ratio to the
//! empty server, measured by the same generator in the same run, travels better.

mod http;
mod limits;
mod load;
mod pages;
mod server;
mod streams;
mod tally;
mod waiters;

use std::fmt::Write as _;
use std::pin::pin;
use std::time::Duration;

use clap::value_parser;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::cli::{Failure, Output, Signals, duration};
use limits::{CLIENTS_MAX, RESOURCES_MAX};
use load::{Load, Mix};
pub(crate) use server::Baseline;
use server::Spawned;
use tally::Tally;

/// Measures how many durable mutations per second a server does
///
/// Each client sends its next request when the last one was answered. Without --spawn, the resources are created on
/// the server named by --server, in pools bench-0, bench-1, ..., and deleted afterwards, also when it is interrupted.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  lessor bench --spawn --baseline
  lessor bench --spawn --mix v1 --clients 256 --resources 100000 --duration 30s -o json
  lessor bench --spawn --waiters 1000
  lessor bench --server http://lab:8080 --mix lock-unlock")]
pub(crate) struct Bench {
    #[command(subcommand)]
    other: Option<Other>,
    /// How many clients, one connection each
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u64).range(1..=CLIENTS_MAX))]
    clients: u64,
    /// Over how many pools they are spread
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u64).range(1..=10_000))]
    pools: u64,
    /// How many resources there are in all pools together
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = value_parser!(u64).range(1..=RESOURCES_MAX))]
    resources: u64,
    /// What they do
    #[arg(long, default_value = "acquire-release")]
    mix: Mix,
    /// How long is counted, after a second to warm up
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// How often the measurement is repeated, in turn with the empty server
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Start a server on an empty temporary folder and measure that
    #[arg(long)]
    spawn: bool,
    /// Measure a server that does nothing as well, and print the ratio
    #[arg(long)]
    baseline: bool,
    /// Measure hand-overs instead: release to the next waiter's answer, with so many in line
    #[arg(long, value_name = "N", conflicts_with_all = ["baseline", "mix", "clients"], value_parser = value_parser!(u64).range(1..=CLIENTS_MAX))]
    waiters: Option<u64>,
}

/// What else can be measured.
#[derive(Clone, Debug, clap::Subcommand)]
enum Other {
    Pages(pages::Pages),
    Streams(streams::Streams),
}

/// Where to send the load.
enum Subject {
    Ours(Box<Spawned>),
    Theirs(String),
}

impl Subject {
    fn address(&self) -> &str {
        match self {
            Self::Ours(spawned) => &spawned.address,
            Self::Theirs(address) => address,
        }
    }

    fn spawned(&self) -> Option<&Spawned> {
        match self {
            Self::Ours(spawned) => Some(spawned),
            Self::Theirs(_) => None,
        }
    }
}

impl Bench {
    /// Measures and prints.
    ///
    /// # Errors
    /// If a server cannot be started, reached or set up; [`Failure::Negative`] if nothing succeeded.
    pub(crate) async fn run(&self, server: &str, output: &Output) -> Result<(), Failure> {
        match &self.other {
            Some(Other::Pages(pages)) => return pages.run(output).await,
            Some(Other::Streams(streams)) => return streams.run(output).await,
            None => raise_open_files(),
        }
        let (pools, resources) = if self.waiters.is_some() { (1, 1) } else { (self.pools, self.resources) };
        let subject = if self.spawn {
            Subject::Ours(Box::new(Spawned::lessor(pools, resources).await?))
        } else {
            let address = address(server)?;
            server::create(&address, pools, resources).await?;
            Subject::Theirs(address)
        };
        let mut signals = Signals::new()?;
        let stop = CancellationToken::new();
        let mut measure = pin!(self.measure(&subject, &stop));
        let mut ended = None;
        let report = loop {
            tokio::select! {
                report = &mut measure => break report,
                signal = signals.end() => {
                    if ended.is_some() {
                        return Err(Failure::Signal(signal));
                    }
                    output.note("ending; once more to leave at once, and the resources of the bench where they are");
                    ended = Some(signal);
                    stop.cancel();
                }
            }
        };
        if let Subject::Theirs(address) = &subject {
            server::delete(address, pools, resources).await?;
        }
        if let Some(signal) = ended {
            return Err(Failure::Signal(signal));
        }
        let report = report?;
        output.raw(&if output.json() { format!("{report:#}\n") } else { story(&report) })?;
        match report["count"].as_u64() {
            Some(0) | None => Err(Failure::Negative("nothing succeeded".to_owned())),
            Some(_) => Ok(()),
        }
    }

    async fn measure(&self, subject: &Subject, stop: &CancellationToken) -> Result<Value, Failure> {
        let failed = |cause| Failure::io("the measurement broke off")(cause);
        let mut report = if let Some(waiters) = self.waiters {
            let tally = waiters::run(subject.address(), waiters, self.duration).await.map_err(failed)?;
            let mut report = tally.report(self.duration);
            report["waiters"] = json!(waiters);
            report
        } else {
            let load = |address: &str, mix| Load {
                address: address.to_owned(),
                clients: self.clients,
                pools: self.pools,
                mix,
                duration: self.duration,
                stop: stop.clone(),
            };
            let baseline = if self.baseline { Some(Spawned::baseline().await?) } else { None };
            let (mut ours, mut empty) = (Tally::new(), Tally::new());
            for _ in (0..self.rounds).take_while(|_| !stop.is_cancelled()) {
                if let Some(baseline) = &baseline {
                    empty
                        .add(&watched(&load(&baseline.address, None), Some(baseline)).await.map_err(failed)?);
                }
                let load = load(subject.address(), Some(self.mix));
                ours.add(&watched(&load, subject.spawned()).await.map_err(failed)?);
            }
            let time = self.duration * self.rounds;
            let mut report = ours.report(time);
            report["mix"] =
                json!(clap::ValueEnum::to_possible_value(&self.mix).map(|mix| mix.get_name().to_owned()));
            report["clients"] = json!(self.clients);
            report["pools"] = json!(self.pools);
            report["resources"] = json!(self.resources);
            if baseline.is_some() && empty.count() > 0 {
                report["baseline"] = empty.report(time);
                report["ratio"] = json!((ours.rate(time) / empty.rate(time) * 1000.0).round() / 1000.0);
            }
            report
        };
        report["duration_ms"] = json!(u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX));
        report["rounds"] = json!(self.rounds);
        if let Some(spawned) = subject.spawned() {
            report["server_rss_bytes"] = json!(spawned.resident());
        }
        Ok(report)
    }
}

/// Runs the load and counts the processor time of the server as well, if it is one of ours.
async fn watched(load: &Load, server: Option<&Spawned>) -> std::io::Result<Tally> {
    let begin = server.and_then(Spawned::processor_time);
    let mut tally = load.run().await?;
    if let Some((begin, end)) = begin.zip(server.and_then(Spawned::processor_time)) {
        tally.spent(end.saturating_sub(begin));
    }
    Ok(tally)
}

/// The report for people.
fn story(report: &Value) -> String {
    let figures = |part: &Value| {
        let at = |key: &str| part["latency_us"][key].as_u64().unwrap_or_default();
        format!(
            "{:>9}/s   p50 {} us   p99 {} us   p99.9 {} us   max {} us{}",
            part["per_second"].as_f64().unwrap_or_default(),
            at("p50"),
            at("p99"),
            at("p999"),
            at("max"),
            part["server_cpu_us_per_answer"]
                .as_u64()
                .map_or(String::new(), |cpu| format!("   {cpu} us of cpu each"))
        )
    };
    let mut text = match report["waiters"].as_u64() {
        Some(waiters) => format!("hand-over, {waiters} in line  {}\n", figures(report)),
        None => format!("mutations        {}\n", figures(report)),
    };
    if report["baseline"].is_object() {
        writeln!(text, "empty server     {}", figures(&report["baseline"]))
            .expect("a string takes everything");
        writeln!(text, "ratio            {}", report["ratio"]).expect("a string takes everything");
    }
    if report["errors"].as_object().is_some_and(|errors| !errors.is_empty()) {
        writeln!(text, "errors           {}", report["errors"]).expect("a string takes everything");
    }
    text
}

/// `host:port` out of a server URL.
fn address(server: &str) -> Result<String, Failure> {
    let rest = server.strip_prefix("http://").unwrap_or(server).trim_end_matches('/');
    if rest.is_empty() || rest.contains('/') {
        return Err(Failure::Usage(format!(
            "{server:?} is not http://host:port, which is all that bench speaks to"
        )));
    }
    Ok(if rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        rest.to_owned()
    } else {
        format!("{rest}:80")
    })
}

/// Why asking over HTTP failed.
fn http_failed(what: &str) -> impl FnOnce(reqwest::Error) -> Failure {
    let failed = Failure::io(what.to_owned());
    move |cause| failed(std::io::Error::other(cause))
}

/// Allows as many open files as the system lets us: each client is one, and a server of ours inherits it.
fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // If it is not enough, connecting fails and says so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}
