//! How long pages of the dashboard take, and how large they are, on a server with much to show.
//!
//! One client asks for page after page, compressed, as a browser does. A time is that from sending the request to having
//! the whole answer, on loopback: what the server takes, and a little.

use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, COOKIE, HOST};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::http_failed;
use super::limits::{CLIENTS_MAX, PAGE_ROUNDS_MAX, PAST_MAX, RESOURCES_MAX};
use super::server::Spawned;
use super::tally::Tally;
use crate::cli::{Failure, Output};

/// Who looks: the holder of some of the leases.
const LOOKS: &str = "lessor_owner=c1";

/// Measures the pages of the dashboard
///
/// Starts a server with so many resources, leases, waiters and a past, and asks for each page in turn.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor bench pages
  lessor bench pages --resources 100000 --leases 50000 -o json")]
pub(crate) struct Pages {
    /// How many resources there are
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=RESOURCES_MAX))]
    resources: u64,
    /// How many of them are leased
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=RESOURCES_MAX))]
    leases: u64,
    /// Over how many pools they are spread
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pools: u64,
    /// How many wait in line
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(0..=CLIENTS_MAX))]
    waiting: u64,
    /// How often each resource in a pool's chart was leased before
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=PAST_MAX))]
    past: u64,
    /// How often each page is asked for
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=PAGE_ROUNDS_MAX))]
    rounds: u64,
}

/// A page, or what pages load.
struct Page {
    path: String,
    times: Tally,
    bytes: usize,
}

impl Pages {
    /// Measures and prints.
    ///
    /// # Errors
    /// If the server cannot be started or filled, or a page is no success.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        if self.leases > self.resources {
            return Err(Failure::Usage("there cannot be more leases than resources".to_owned()));
        }
        let server = Spawned::lessor(self.pools, self.resources).await?;
        let before = server.remember((self.pools, self.resources), self.past).await?;
        server.fill((self.pools, self.resources), (self.leases, self.waiting)).await?;
        let mut pages = Vec::new();
        for path in self.paths(before) {
            pages.push(Page { path, times: Tally::new(), bytes: 0 });
        }
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.map_err(http_failed("cannot make an HTTP client"))?;
        for asset in assets(&http, &server.address).await? {
            pages.push(Page { path: asset, times: Tally::new(), bytes: 0 });
        }
        // One round more: the first fills caches.
        for round in 0..=self.rounds {
            for page in &mut pages {
                page.ask(&http, &server.address, round > 0).await?;
            }
        }
        let report = json!({
            "resources": self.resources, "leases": self.leases, "pools": self.pools, "waiting": self.waiting,
            "past": self.past, "rounds": self.rounds, "pages": pages.iter().map(Page::report).collect::<Vec<_>>(),
        });
        output.raw(&if output.json() { format!("{report:#}\n") } else { story(&report) })
    }

    /// The pages; so many leases were over `before` those that are there.
    fn paths(&self, before: u64) -> Vec<String> {
        let last = before + self.leases.max(1);
        let middle = self.resources / 2;
        [
            "/",
            "/pools",
            "/pools?sort=-waiting",
            "/pools/bench-0",
            "/pools/bench-0?window=24h",
            "/resources",
            "/resources?q=pool:bench-0",
            "/resources?q=is:free+r9",
            "/resources?q=no-such-thing",
            "/resources?sort=until",
            "/resources?sort=state",
            "/resources?sort=-updated",
            "/leases",
            "/leases?sort=until",
            "/leases?sort=owner",
            "/leases?q=owner:c1",
            "/leases?q=pool:bench-0",
            "/leases?q=no-such-thing",
            "/leases?q=is:ended",
            "/queue",
            "/queue?sort=turn",
            "/events",
            "/events?q=owner:c1",
            "/jobs",
            "/plugins",
            "/status",
            "/help",
            "/lease?pool=bench-0",
            "/bulk/resources?q=pool:bench-0",
        ]
        .into_iter()
        .map(str::to_owned)
        .chain([
            "/resources/bench-r0?window=24h".to_owned(),
            format!("/resources/bench-r{middle}?window=24h"),
            format!("/resources/bench-r{middle}/edit"),
            format!("/leases/{last}"),
            format!("/leases/{last}/force"),
        ])
        .collect()
    }
}

impl Page {
    async fn ask(&mut self, http: &reqwest::Client, address: &str, counts: bool) -> Result<(), Failure> {
        let begin = Instant::now();
        let asked = http.get(format!("http://{address}{}", self.path)).header(HOST, address);
        let answer = asked.header(ACCEPT_ENCODING, "gzip").header(COOKIE, LOOKS).send().await;
        let answer = answer.map_err(http_failed("a page cannot be had"))?;
        let status = answer.status();
        self.bytes = answer.bytes().await.map_err(http_failed("a page broke off"))?.len();
        if !status.is_success() {
            return Err(Failure::Negative(format!("{} was answered {status}", self.path)));
        }
        if counts {
            self.times.done(begin.elapsed());
        }
        Ok(())
    }

    fn report(&self) -> Value {
        let mut report = self.times.report(Duration::from_secs(1));
        let latency = report["latency_us"].take();
        json!({ "path": self.path, "bytes": self.bytes, "latency_us": latency })
    }
}

/// What pages load, as one of them names it: the stylesheet, the module, the icon.
async fn assets(http: &reqwest::Client, address: &str) -> Result<Vec<String>, Failure> {
    let asked = http.get(format!("http://{address}/help")).send().await;
    let html = asked.map_err(http_failed("a page cannot be had"))?.text().await;
    let html = html.map_err(http_failed("a page broke off"))?;
    let mut assets: Vec<String> =
        html.split('"').filter(|word| word.starts_with("/assets/")).map(str::to_owned).collect();
    assets.sort_unstable();
    assets.dedup();
    Ok(assets)
}

fn story(report: &Value) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{:>9} {:>9} {:>9} {:>9}  page\n", "p50 us", "p99 us", "max us", "bytes");
    for page in report["pages"].as_array().into_iter().flatten() {
        let at = |key: &str| page["latency_us"][key].as_u64().unwrap_or_default();
        let path = page["path"].as_str().unwrap_or_default();
        let bytes = page["bytes"].as_u64().unwrap_or_default();
        writeln!(text, "{:>9} {:>9} {:>9} {bytes:>9}  {path}", at("p50"), at("p99"), at("max"))
            .expect("a string takes everything");
    }
    text
}
