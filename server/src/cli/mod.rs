//! The command line: what can be typed after `lessor`, and what it answers with.
//!
//! Every command but `serve`, `check`, `bench` and what an author does with a plugin is a client of a running server,
//! through the same API as everybody else's. Data goes to standard output, everything else to standard error, and the
//! exit code tells the truth.

mod acquire;
mod ask;
mod backup;
mod check;
mod client;
mod clock;
mod context;
mod events;
mod exit;
mod failure;
mod held;
mod inner;
mod jobs;
mod leases;
mod limits;
mod line;
mod locks;
mod output;
mod plugin;
mod pools;
mod requests;
mod resources;
mod run;
mod signals;
mod sse;
mod text;
mod value;
mod which;
mod whoami;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use client::Client;
use context::Place;
use exit::{Code, HELP, RUN_FAILED};
pub(crate) use failure::Failure;
pub(crate) use inner::Inner;
pub(crate) use output::Output;
use output::{Colour, Format};
pub(crate) use signals::Signals;
pub(crate) use sse::Parser as EventParser;
pub(crate) use value::positive_duration as duration;

/// Hands out exclusive, time-bounded, fenced leases on things that only one party may use at a time
#[derive(Clone, Debug, Parser)]
#[command(
    name = "lessor",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = HELP, after_long_help = HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
struct Globals {
    #[command(flatten)]
    place: Place,
    /// How data is written; a table if not given
    #[arg(short, long, global = true, value_name = "FORMAT")]
    output: Option<Format>,
    /// Only data and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Colour,
    /// Tables without a header
    #[arg(long, global = true)]
    no_headers: bool,
}

/// What to do.
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Command {
    Serve(crate::config::ServeArgs),
    Run(run::Run),
    Acquire(acquire::Acquire),
    Renew(leases::Renew),
    Release(leases::Release),
    #[command(subcommand)]
    Leases(leases::Leases),
    #[command(subcommand)]
    Requests(requests::Requests),
    #[command(subcommand)]
    Pools(pools::Pools),
    #[command(subcommand)]
    Resources(resources::Resources),
    /// Targets from a target manager: starts jobs, renews and ends them
    #[command(
        subcommand,
        visible_alias = "jobs",
        after_help = "Examples:\n  lessor job start csv --params @hosts.json\n  lessor job list"
    )]
    Job(jobs::Jobs),
    /// Makes, looks at and tries plugins; installs them into a server, and looks after them
    #[command(
        subcommand,
        visible_alias = "plugins",
        after_help = "Examples:\n  lessor plugin list\n  lessor plugin check csv-file.wasm"
    )]
    Plugin(plugin::Plugin),
    Events(events::Events),
    #[command(subcommand)]
    Lock(locks::Lock),
    Backup(backup::Backup),
    Check(check::Check),
    Bench(crate::bench::Bench),
    Completions(Completions),
    Man(Man),
}

/// Prints a completion script for a shell
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor completions bash > /etc/bash_completion.d/lessor
  lessor completions zsh > ~/.zfunc/_lessor
  lessor completions fish > ~/.config/fish/completions/lessor.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

/// Reads the command line. Prints help, version and usage errors by itself and then gives the exit code: 0 or 2, or
/// 125 for a usage error of `run`, whose lower codes belong to the command that it runs.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    let matches = deaf_to_empty(Cli::command()).try_get_matches();
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| {
        // Nobody is left to be told if the stream is closed.
        let _ = error.print();
        let first = std::env::args_os().skip(1).find(|arg| !arg.as_encoded_bytes().starts_with(b"-"));
        match error.exit_code() {
            0 => Code::Ok.into(),
            _ if first.is_some_and(|first| first == "run") => ExitCode::from(RUN_FAILED),
            _ => Code::Usage.into(),
        }
    })
}

/// The same without the variables that are set to nothing, as `${POOLS:-}` does: they are as good as none.
#[expect(clippy::disallowed_methods, reason = "clap reads variables here, too")]
fn deaf_to_empty(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_subcommands(deaf_to_empty)
        .mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg })
}

/// Carries out every command but `serve`, in a runtime of its own.
///
/// Must be called on the main thread: `run` ties its command to the thread that starts it.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let Globals { place, output, quiet, color, no_headers } = cli.globals;
    let output = Output::new(output, !no_headers, quiet, color);
    let is_run = matches!(cli.command, Command::Run(_));
    let result = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(dispatch(cli.command, &place, &output)),
        Err(cause) => Err(Failure::Io { what: "cannot start the runtime".to_owned(), cause }),
    };
    result
        .unwrap_or_else(|failure| {
            output.failure(&failure);
            if is_run { RUN_FAILED } else { failure.code() }
        })
        .into()
}

async fn dispatch(command: Command, place: &Place, output: &Output) -> Result<u8, Failure> {
    let client = || Client::of(place.resolve()?);
    match command {
        Command::Run(run) => return Ok(run.run(&client()?, output).await),
        Command::Acquire(acquire) => acquire.run(&client()?, output).await,
        Command::Renew(renew) => renew.run(&client()?, output).await,
        Command::Release(release) => release.run(&client()?, output).await,
        Command::Leases(leases) => leases.run(&client()?, output).await,
        Command::Requests(requests) => requests.run(&client()?, output).await,
        Command::Pools(pools) => pools.run(&client()?, output).await,
        Command::Resources(resources) => resources.run(&client()?, output).await,
        Command::Job(jobs) => jobs.run(&client()?, output).await,
        Command::Plugin(plugin) => plugin.run(client, output).await,
        Command::Events(events) => events.run(&client()?, output).await,
        Command::Lock(lock) => lock.run(&client()?, output).await,
        Command::Backup(backup) => backup.run(&client()?, output).await,
        Command::Check(check) => check.run(output),
        Command::Bench(bench) => bench.run(place.resolve()?.server(), output).await,
        Command::Completions(completions) => completions.run(output),
        Command::Man(man) => man.run(output),
        Command::Serve(_) => unreachable!("carried out before the runtime is made"),
    }
    .map(|()| Code::Ok as u8)
}

impl Completions {
    fn run(&self, output: &Output) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "lessor", &mut script);
        output.raw(&String::from_utf8_lossy(&script))
    }
}

/// Prints the manual page, or writes one for each command into a folder
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor man | man -l -
  lessor man --dir /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// Folder to write lessor.1, lessor-run.1, ... into
    #[arg(long, value_name = "DIR")]
    dir: Option<std::path::PathBuf>,
}

impl Man {
    fn run(&self, output: &Output) -> Result<(), Failure> {
        let Some(dir) = &self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).expect("a vector takes every byte");
            return output.raw(&String::from_utf8_lossy(&page));
        };
        let made = std::fs::create_dir_all(dir);
        let written = made.and_then(|()| clap_mangen::generate_to(Cli::command(), dir));
        written.map_err(Failure::io(format!("cannot write manual pages into {}", dir.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound_and_every_command_has_an_example() {
        Cli::command().debug_assert();
        let mut waiting = vec![Cli::command()];
        while let Some(command) = waiting.pop() {
            assert!(!command.is_hide_set(), "{} would show in completions", command.get_name());
            for child in command.get_subcommands() {
                let help = child.get_after_help().map(ToString::to_string).unwrap_or_default();
                let name = child.get_name();
                assert!(name == "help" || help.contains("  lessor "), "{name} has no example");
                waiting.push(child.clone());
            }
        }
    }

    #[test]
    fn steps_of_our_own_are_in_no_completion_and_no_error() {
        let error =
            Cli::try_parse_from(["lessor", "--quiet"]).expect_err("what to do is missing").to_string();
        assert!(error.contains("release") && !error.contains("exec-tied"), "{error}");
        let shells = <clap_complete::Shell as clap::ValueEnum>::value_variants();
        for shell in shells {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "lessor", &mut script);
            let script = String::from_utf8_lossy(&script).into_owned();
            assert!(script.contains("requests"), "{shell}");
            assert!(!script.contains("exec-tied") && !script.contains("bench-baseline"), "{shell}");
        }
    }

    #[test]
    fn the_command_of_run_keeps_its_own_options() {
        let cli = Cli::try_parse_from(["lessor", "run", "-p", "gpu", "--", "make", "-o", "x", "--quiet"]);
        assert!(matches!(cli.expect("valid").command, Command::Run(_)));
        assert!(Cli::try_parse_from(["lessor", "run", "-p", "gpu"]).is_err());
        assert!(Cli::try_parse_from(["lessor", "run", "--", "true"]).is_err());
    }
}
