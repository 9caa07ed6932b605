//! The binary `lessor`: the server, and the command line that talks to it.

mod bench;
mod cli;
mod config;
mod limits;
mod listener;
mod paced;
mod serve;
mod shutdown;
mod telemetry;

use std::process::ExitCode;

/// Records are made by the keeper and freed by whoever read them last, in another thread. With the C library's
/// allocator a mutation costs a tenth more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(step) = cli::Inner::asked_for() {
        return step.run();
    }
    match cli::parse() {
        Ok(cli::Cli { command: cli::Command::Serve(args), .. }) => serve::run(args),
        Ok(cli) => cli::run(cli),
        Err(code) => code,
    }
}
