//! `cargo xtask bench-compare`: Lessor, Redis and etcd side by side, in one run on one machine.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::go::Go;
use crate::place::{self, Build};
use crate::{Result, debian, missing, process, say, tools};

/// Measure cycles of acquire and release side by side with Redis and etcd.
///
/// Lessor, Redis (`appendfsync always`) and etcd are measured one after the other, with the same clients. Redis and etcd come from Debian's packages and run on loopback with data of their own; one
/// that cannot be had is named and left out.
#[derive(Args)]
pub(crate) struct BenchCompare {
    /// How many clients work at the same time.
    #[arg(long, default_value_t = 64)]
    clients: u32,
    /// How long each server is measured, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// How many times all of them are measured; the table shows the median.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl BenchCompare {
    pub(crate) fn run(&self) -> Result<()> {
        let folder = place::root().join("tests/bench/compare");
        let go = Go::find_for(&folder)?;
        for (name, done) in [("Redis", install_redis()), ("etcd", install_etcd())] {
            if let Err(failure) = done {
                say::note(&format!("{name} is left out: {failure}"));
            }
        }
        let lessor = tools::build_lessor(Build::Release)?;
        let bin = place::tools().join("bench-compare");
        say::step("Building the load generator");
        let mut build = go.command("go", &folder, &["build", "-o"]);
        process::show(build.arg(&bin).arg("."), tools::BUILD_BOUND)?.expect_ok("go build")?;
        say::step("Measuring");
        process::show(&mut self.command(&bin, &lessor), self.bound())?.expect_ok("bench-compare").map(|_| ())
    }

    fn command(&self, bin: &Path, lessor: &Path) -> Command {
        let mut command = Command::new(bin);
        command.arg("-lessor").arg(lessor).arg("-dir").arg(place::target());
        command.args(["-clients", &self.clients.to_string()]);
        command.args(["-duration", &format!("{}s", self.seconds)]);
        command.args(["-rounds", &self.rounds.to_string()]);
        command.args(["-o", if self.json { "json" } else { "table" }]);
        command
    }

    /// Seven contestants, each with time to start, warm up and stop.
    fn bound(&self) -> Duration {
        Duration::from_secs(u64::from(self.rounds.max(1)) * 7 * (u64::from(self.seconds) + 60))
    }
}

/// Makes sure that there is a `redis-server`.
pub(crate) fn install_redis() -> Result<()> {
    install("redis-server", "redis-server", "redis-server")
}

/// Makes sure that there is an `etcd`.
pub(crate) fn install_etcd() -> Result<()> {
    install("etcd", "etcd-server", "etcd")
}

fn install(program: &str, package: &str, service: &str) -> Result<()> {
    if place::which(program).is_some() {
        return Ok(());
    }
    debian::install(&[package], "bench-compare measures it beside Lessor")?;
    // The package starts a service of its own, which nobody asked for. Without systemd there is nothing to stop.
    if place::which("systemctl").is_some() {
        let mut stop = debian::as_root("systemctl");
        let stopped = process::quietly(stop.args(["disable", "--now", service]), Duration::from_mins(1))?;
        if !stopped.ok {
            say::note(&format!(
                "the {service} service that the package brought may be running; it is not used"
            ));
        }
    }
    if place::which(program).is_some() { Ok(()) } else { missing(format!("{package} brought no {program}")) }
}
