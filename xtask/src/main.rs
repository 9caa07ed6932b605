//! The developer's commands: `cargo xtask demo`, `test`, `conformance`, `plugins`, `setup`, `bench-compare`,
//! `museum-bench`, `screenshots`.
//!
//! Everything that the project needs beyond Rust is found or fetched here, each thing by the step that needs it, and
//! each time it is said what is fetched and why. What is fetched stays under `target/tools`, apart from packages of the
//! system. A step whose tool cannot be had is skipped by name, never counted as passed.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its user")]

mod bench_compare;
mod browser;
mod conformance;
mod counts;
mod debian;
mod demo;
mod go;
mod museum_bench;
mod place;
mod plugins;
mod plugins_compiler;
mod plugins_python;
mod process;
mod python;
mod say;
mod server;
mod setup;
mod steps;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Commands for whoever works on Lessor.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Demo),
    Test(test::Test),
    Conformance(conformance::Conformance),
    Plugins(plugins::Plugins),
    Setup(setup::Setup),
    BenchCompare(bench_compare::BenchCompare),
    MuseumBench(museum_bench::MuseumBench),
    Screenshots(browser::Screenshots),
}

/// Why a command did not do what it should.
#[derive(Debug)]
enum Failure {
    /// Something was tried and went wrong.
    Failed(String),
    /// Something that it needs is not to be had here.
    Missing(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(text) | Self::Missing(text) => f.write_str(text),
        }
    }
}

/// What most of this crate's functions give.
type Result<T> = std::result::Result<T, Failure>;

/// A [`Failure`] of something that was tried.
fn failed<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Failed(text.into()))
}

/// A [`Failure`] for want of something.
fn missing<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Missing(text.into()))
}

fn main() -> ExitCode {
    process::catch_signals();
    let done = match Arguments::parse().command {
        Command::Demo(demo) => demo.run(),
        Command::Test(test) => test.run(),
        Command::Conformance(conformance) => conformance.run(),
        Command::Plugins(plugins) => plugins.run(),
        Command::Setup(setup) => setup.run(),
        Command::BenchCompare(bench) => bench.run(),
        Command::MuseumBench(bench) => bench.run(),
        Command::Screenshots(screenshots) => screenshots.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
