//! The servers that are measured: one that runs, one of our own, and an empty one to compare with.

use std::fmt::Write as _;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::http::{Connection, number as number_in, request};
use super::limits::{CHART_LANES, OWNERS, SETUP_CLIENTS, START_MAX, START_POLL};
use crate::cli::{Failure, Inner};

/// A server process of our own; killed when dropped.
pub(crate) struct Spawned {
    /// `host:port`.
    pub(crate) address: String,
    /// Which process.
    pub(crate) process: u32,
    _child: Child,
    _folder: TempDir,
}

/// The handler that does nothing, to compare with.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Baseline {
    /// Where to listen
    #[arg(long)]
    listen: std::net::SocketAddr,
}

impl Baseline {
    /// Serves until it is killed.
    ///
    /// # Errors
    /// If it cannot listen.
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let listener = tokio::net::TcpListener::bind(self.listen).await;
        let listener = listener.map_err(Failure::io(format!("cannot listen on {}", self.listen)))?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            // As the real server; without it there would be nothing to compare with.
            let _ = stream.set_nodelay(true);
        });
        let router = axum::Router::new().fallback(|| async {});
        axum::serve(listener, router).await.map_err(Failure::io("the empty server failed"))
    }
}

impl Spawned {
    /// Starts a server on an empty folder with the resources to measure with.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn lessor(pools: u64, resources: u64) -> Result<Self, Failure> {
        let folder = folder()?;
        let file = folder.path().join("pools.yaml");
        std::fs::write(&file, pools_file(pools, resources))
            .map_err(Failure::io("cannot write a pools file"))?;
        let data = folder.path().join("data");
        Self::start(folder, |command, address| {
            command.args(["serve", "--listen", address, "--log-level", "warn", "--data"]);
            command.arg(data).arg("--pools").arg(file);
        })
        .await
    }

    /// Leases so many resources, and lets so many wait for all of a pool: for more than is free, if any are leased.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses something.
    pub(crate) async fn fill(
        &self,
        (pools, resources): (u64, u64),
        (leases, waiting): (u64, u64),
    ) -> Result<(), Failure> {
        let mut connection = self.connect().await?;
        let taken = (0..leases).map(|number| {
            let owner = number % OWNERS;
            json!({
                "owner": format!("c{owner}"), "pool": format!("bench-{}", number % pools),
                "ttl": format!("{}h", 1 + number % 9), "purpose": format!("build {number}"),
            })
        });
        let line = (0..waiting).map(|number| {
            json!({
                "owner": format!("w{number}"), "pool": format!("bench-{}", number % pools.min(5)),
                "count": resources / pools, "wait": "1ms",
            })
        });
        let mut bytes = Vec::new();
        for body in taken.chain(line) {
            request(&mut bytes, "POST", &self.address, format_args!("/v1/leases"), &body.to_string());
            let reply = connection.exchange(&bytes).await.map_err(Failure::io("cannot fill the server"))?;
            if !(200..300).contains(&reply.status) {
                return Err(Failure::Negative(format!("POST /v1/leases was answered {}", reply.status)));
            }
        }
        Ok(())
    }

    /// Lets each of the first resources of the first pool, as a chart shows them, have been leased so often, in turn. Answers
    /// how many leases that were.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses something.
    pub(crate) async fn remember(&self, (pools, resources): (u64, u64), past: u64) -> Result<u64, Failure> {
        let mut names: Vec<String> = names(0, pools, resources).collect();
        names.sort_unstable();
        names.truncate(CHART_LANES);
        let mut connection = self.connect().await?;
        let mut bytes = Vec::new();
        for (number, name) in (0..past).flat_map(|number| names.iter().map(move |name| (number, name))) {
            let owner = number % OWNERS;
            let body = json!({ "owner": format!("c{owner}"), "targets": [name] }).to_string();
            request(&mut bytes, "POST", &self.address, format_args!("/v1/leases"), &body);
            let reply = connection.exchange(&bytes).await.map_err(Failure::io("cannot fill the server"))?;
            let Some(id) = number_in(reply.body, "id") else {
                return Err(Failure::Negative(format!("POST /v1/leases was answered {}", reply.status)));
            };
            let path = format_args!("/v1/leases/{id}");
            request(&mut bytes, "DELETE", &self.address, path, "");
            connection.exchange(&bytes).await.map_err(Failure::io("cannot fill the server"))?;
        }
        Ok(past * names.len() as u64)
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(&self.address).await.map_err(Failure::io("cannot reach the server"))
    }

    /// Starts the empty server.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) async fn baseline() -> Result<Self, Failure> {
        Self::start(folder()?, |command, address| {
            command.args([Inner::BENCH_BASELINE, "--listen", address]);
        })
        .await
    }

    async fn start(folder: TempDir, arguments: impl FnOnce(&mut Command, &str)) -> Result<Self, Failure> {
        let address = free_address().map_err(Failure::io("cannot find a free port"))?;
        let program = std::env::current_exe().map_err(Failure::io("cannot find my own program"))?;
        let mut command = Command::new(program);
        arguments(&mut command, &address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(Failure::io("cannot start a server"))?;
        let until = Instant::now() + START_MAX;
        while !ready(&address).await {
            let ended = child.try_wait().map_err(Failure::io("cannot watch the server"))?;
            if let Some(status) = ended {
                return Err(Failure::Negative(format!("the server to measure ended: {status}")));
            }
            if Instant::now() > until {
                let seconds = START_MAX.as_secs();
                return Err(Failure::Negative(format!(
                    "the server to measure was not ready within {seconds} s"
                )));
            }
            tokio::time::sleep(START_POLL).await;
        }
        let process = child.id().unwrap_or_default();
        Ok(Self { address, process, _child: child, _folder: folder })
    }

    /// Processor time that the process has used so far.
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        processor_time(self.process)
    }

    /// Memory that the process has in use, in bytes, where the system tells.
    pub(crate) fn resident(&self) -> Option<u64> {
        let status =
            std::fs::read_to_string(Path::new("/proc").join(self.process.to_string()).join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }
}

/// Processor time that a process has used, in user and kernel mode, where the system tells.
fn processor_time(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat")).ok()?;
    // The name may hold spaces and parentheses, so counting begins behind it: times are fields 14 and 15 of all.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let ticks = times.next()?.parse::<u64>().ok()? + times.next()?.parse::<u64>().ok()?;
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    Some(Duration::from_millis(ticks.saturating_mul(1000) / u64::try_from(per_second).ok()?))
}

fn folder() -> Result<TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("lessor-bench-")
        .tempdir()
        .map_err(Failure::io("cannot make a temporary folder"))
}

/// An address that nobody listens on now. Somebody could take it before we do; then the start fails and says so.
fn free_address() -> io::Result<String> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string())
}

async fn ready(address: &str) -> bool {
    let Ok(mut connection) = Connection::open(address).await else { return false };
    let mut bytes = Vec::new();
    request(&mut bytes, "GET", address, format_args!("/readyz"), "");
    connection.exchange(&bytes).await.is_ok_and(|reply| reply.status == 200)
}

/// A pools file with `resources` resources spread over `pools` pools.
fn pools_file(pools: u64, resources: u64) -> String {
    let mut text = String::from("resources:\n");
    for pool in 0..pools {
        write!(text, "- type: bench-{pool}\n  state: free\n  names:\n").expect("a string takes everything");
        for name in names(pool, pools, resources) {
            writeln!(text, "  - {name}").expect("a string takes everything");
        }
    }
    text
}

/// The resources of one pool.
fn names(pool: u64, pools: u64, resources: u64) -> impl Iterator<Item = String> {
    (pool..resources)
        .step_by(usize::try_from(pools).unwrap_or(usize::MAX))
        .map(|number| format!("bench-r{number}"))
}

/// Creates the resources on a server that runs already.
///
/// # Errors
/// If the server cannot be reached or refuses one.
pub(crate) async fn create(address: &str, pools: u64, resources: u64) -> Result<(), Failure> {
    let all = (0..pools).flat_map(|pool| names(pool, pools, resources).map(move |name| (pool, name)));
    each(address, all.collect(), "PUT", &[200, 201]).await
}

/// Deletes what [`create`] created; what is gone already is fine.
///
/// # Errors
/// If the server cannot be reached or refuses one.
pub(crate) async fn delete(address: &str, pools: u64, resources: u64) -> Result<(), Failure> {
    let all = (0..pools).flat_map(|pool| names(pool, pools, resources).map(move |name| (pool, name)));
    each(address, all.collect(), "DELETE", &[204, 404]).await
}

async fn each(
    address: &str,
    resources: Vec<(u64, String)>,
    method: &'static str,
    wanted: &'static [u16],
) -> Result<(), Failure> {
    let share = resources.len().div_ceil(SETUP_CLIENTS).max(1);
    let mut clients = tokio::task::JoinSet::new();
    for share in resources.chunks(share) {
        let (address, share) = (address.to_owned(), share.to_vec());
        clients.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            let mut bytes = Vec::new();
            for (pool, name) in share {
                let body =
                    if method == "PUT" { format!("{{\"pool\":\"bench-{pool}\"}}") } else { String::new() };
                request(&mut bytes, method, &address, format_args!("/v1/resources/{name}"), &body);
                let reply = connection.exchange(&bytes).await?;
                if !wanted.contains(&reply.status) {
                    return Err(io::Error::other(format!(
                        "{method} of {name} was answered {}",
                        reply.status
                    )));
                }
            }
            Ok(())
        });
    }
    while let Some(outcome) = clients.join_next().await {
        let outcome = outcome.map_err(io::Error::other).flatten();
        outcome.map_err(Failure::io("cannot set up resources"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_processor_time() {
        let begin = processor_time(std::process::id()).expect("Linux tells");
        let mut work = 0_u64;
        while processor_time(std::process::id()).expect("Linux tells") < begin + Duration::from_millis(50) {
            work = std::hint::black_box(work + 1);
        }
        assert_eq!(processor_time(u32::MAX), None);
    }

    #[test]
    fn resources_are_spread_over_all_pools() {
        let text = pools_file(2, 3);
        assert_eq!(
            text,
            "resources:\n- type: bench-0\n  state: free\n  names:\n  - bench-r0\n  - bench-r2\n\
             - type: bench-1\n  state: free\n  names:\n  - bench-r1\n"
        );
    }
}
