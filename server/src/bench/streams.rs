//! What open event streams cost: how soon a commit is on all of them, and how much fewer mutations there are meanwhile.
//!
//! Every stream follows one target, which is locked and unlocked while the usual load runs on others. So each stream looks
//! at every event and delivers those of the target, as streams of people who wait for something do. A time is that from
//! sending the request to having the event: it includes the commit itself.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::http::{Connection, request};
use super::limits::{CLIENTS_MAX, DELIVERY_MAX, PROBE_EVERY, STREAMS_MAX};
use super::load::{Load, Mix};
use super::server::Spawned;
use super::tally::Tally;
use crate::cli::{EventParser, Failure, Output, duration};

/// Measures open event streams
///
/// Starts a server, counts mutations without streams and with them, and measures how soon a commit is delivered.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor bench streams
  lessor bench streams --streams 2000 --clients 128 --duration 30s -o json")]
pub(crate) struct Streams {
    /// How many streams are open
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=STREAMS_MAX))]
    streams: u64,
    /// How many clients mutate meanwhile, one connection each
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=CLIENTS_MAX))]
    clients: u64,
    /// How long is counted, once without streams and once with them
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
}

/// Resources and pools of the load beside the streams: those of `lessor bench`.
const RESOURCES: u64 = 1_000;
const POOLS: u64 = 10;

/// The target that the streams follow.
const PROBE: &str = "bench-probe";

/// When each mutation of the target was sent, in order.
type Sent = Arc<Mutex<Vec<Instant>>>;

impl Streams {
    /// Measures and prints.
    ///
    /// # Errors
    /// If the server cannot be started or reached, or an event is not delivered in time.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        super::raise_open_files();
        let server = Spawned::lessor(POOLS, RESOURCES).await?;
        let load = Load {
            address: server.address.clone(),
            clients: self.clients,
            pools: POOLS,
            mix: Some(Mix::AcquireRelease),
            duration: self.duration,
            stop: CancellationToken::new(),
        };
        let broke = |cause| Failure::io("the measurement broke off")(cause);
        let without = load.run().await.map_err(broke)?.rate(self.duration);
        let (sent, over, all_sent) = (Sent::default(), CancellationToken::new(), CancellationToken::new());
        let mut followers = JoinSet::new();
        for _ in 0..self.streams {
            let answer = open(&server.address).await?;
            followers.spawn(follow(answer, Arc::clone(&sent), all_sent.clone()));
        }
        let probe = tokio::spawn(probe(server.address.clone(), Arc::clone(&sent), over.clone()));
        let with = load.run().await.map_err(broke)?.rate(self.duration);
        over.cancel();
        probe.await.map_err(io::Error::other).flatten().map_err(broke)?;
        all_sent.cancel();
        let mut delivered = Tally::new();
        while let Some(follower) = followers.join_next().await {
            delivered.add(&follower.map_err(io::Error::other).flatten().map_err(broke)?);
        }
        let report = json!({
            "streams": self.streams, "clients": self.clients,
            "delivered": delivered.report(self.duration),
            "per_second_without": without.round(), "per_second_with": with.round(),
            "ratio": (with / without * 1000.0).round() / 1000.0,
        });
        output.raw(&if output.json() { format!("{report:#}\n") } else { story(&report) })
    }
}

/// Opens a stream of the probe's events.
async fn open(address: &str) -> Result<reqwest::Response, Failure> {
    let http = reqwest::Client::builder().no_proxy().build();
    let http = http.map_err(super::http_failed("cannot make an HTTP client"))?;
    let asked = http.get(format!("http://{address}/v1/events/stream?target={PROBE}")).send().await;
    let answer = asked.map_err(super::http_failed("a stream cannot be opened"))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    Err(Failure::Negative(format!("a stream was answered {status}")))
}

/// Mutates the target now and then, until it is `over`: each mutation is one event.
async fn probe(address: String, sent: Sent, over: CancellationToken) -> io::Result<()> {
    let mut connection = Connection::open(&address).await?;
    let mut bytes = Vec::new();
    let mut every = tokio::time::interval(PROBE_EVERY);
    let body = format!("{{\"job\":1,\"duration\":60000,\"targets\":[\"{PROBE}\"]}}");
    for verb in ["lock", "unlock"].into_iter().cycle() {
        every.tick().await;
        if over.is_cancelled() && verb == "lock" {
            break;
        }
        request(&mut bytes, "POST", &address, format_args!("/v1/locks/{verb}"), &body);
        sent.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        let reply = connection.exchange(&bytes).await?;
        if reply.status != 200 {
            return Err(io::Error::other(format!("{verb} was answered {}", reply.status)));
        }
    }
    Ok(())
}

/// Reads a stream until it has everything that was sent, and counts how long each event took.
async fn follow(answer: reqwest::Response, sent: Sent, all_sent: CancellationToken) -> io::Result<Tally> {
    let mut chunks = answer.bytes_stream();
    let (mut parser, mut tally) = (EventParser::default(), Tally::new());
    loop {
        let count = sent.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        let last = all_sent.is_cancelled();
        if last && tally.count() >= count {
            return Ok(tally);
        }
        let chunk = tokio::select! {
            chunk = timeout(DELIVERY_MAX, chunks.next()) => chunk?,
            () = all_sent.cancelled(), if !last => continue,
        };
        let Some(chunk) = chunk else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        let now = Instant::now();
        let messages = parser.push(&chunk.map_err(io::Error::other)?).map_err(io::Error::other)?;
        for message in messages {
            if message.event == "reset" {
                return Err(io::Error::other("a stream was too slow, and missed events"));
            }
            let number = usize::try_from(tally.count()).unwrap_or(usize::MAX);
            let began = sent.lock().unwrap_or_else(PoisonError::into_inner).get(number).copied();
            tally.done(began.map_or(Duration::ZERO, |began| now - began));
        }
    }
}

fn story(report: &Value) -> String {
    let at = |key: &str| report["delivered"]["latency_us"][key].as_u64().unwrap_or_default();
    format!(
        "delivered        {} events on {} streams   p50 {} us   p99 {} us   max {} us\n\
         mutations        {}/s without streams, {}/s with them\nratio            {}\n",
        report["delivered"]["count"],
        report["streams"],
        at("p50"),
        at("p99"),
        at("max"),
        report["per_second_without"],
        report["per_second_with"],
        report["ratio"],
    )
}
