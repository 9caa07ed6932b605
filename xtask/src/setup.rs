//! `cargo xtask setup`: fetches now what the other commands fetch when they need it.

use clap::Args;

use crate::go::Go;
use crate::plugins_compiler::Compiler;
use crate::{
    Failure, Result, bench_compare, browser, debian, place, plugins_python, python, say, steps, tools,
};

/// Fetch now what the other commands would fetch when they need it.
///
/// Says what is missing and why it is needed. Nothing has to be installed by hand first. Packages of the system come with apt-get, as root or with sudo;
/// everything else goes to target/tools.
#[derive(Args)]
pub(crate) struct Setup {
    /// Also fetch what only `cargo xtask bench-compare` needs: Redis and etcd.
    #[arg(long)]
    bench: bool,
}

impl Setup {
    pub(crate) fn run(&self) -> Result<()> {
        let mut wanting = Vec::new();
        let mut have = |what: &str, done: Result<()>| match done {
            Ok(()) => say::note(&format!("{what}: there")),
            Err(failure) => {
                say::note(&format!("{what}: {failure}"));
                wanting.push(what.to_owned());
            }
        };
        have("git", git());
        have("C compiler and linker", steps::compilers());
        have("Go", Go::find_for(&place::root().join("tests/boskos")).map(|_| ()));
        have("Rust for WebAssembly", Compiler::find().map(|_| ()));
        have("cargo-deny", tools::cargo_deny().map(|_| ()));
        have("browser, Node and their packages", browser::set_up());
        have("schemathesis", schemathesis());
        have("componentize-py", plugins_python::componentize().map(|_| ()));
        if self.bench {
            have("Redis", bench_compare::install_redis());
            have("etcd", bench_compare::install_etcd());
        }
        if wanting.is_empty() {
            say::step("All is there");
            return Ok(());
        }
        let names = wanting.join(", ");
        Err(Failure::Missing(format!(
            "not to be had: {names}; the steps that need these will be skipped by name"
        )))
    }
}

fn git() -> Result<()> {
    if place::which("git").is_some() {
        return Ok(());
    }
    debian::install(&["git"], "to keep the history")
}

fn schemathesis() -> Result<()> {
    let (name, version) = steps::SCHEMATHESIS;
    python::package(name, version, "it makes requests from the OpenAPI document").map(|_| ())
}
