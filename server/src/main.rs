//! The binary `lessor`: the server, and the command line that talks to it.

mod bench;
mod cli;
mod config;
mod limits;
mod listener;
mod serve;
mod shutdown;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(cli::Cli { command: cli::Command::Serve(args), .. }) => serve::run(args),
        Ok(cli) => cli::run(cli),
        Err(code) => code,
    }
}
