//! The last step before the command: a hidden subcommand that ties its life to its parent's and becomes the command.
//!
//! Doing this in a process of its own, rather than between `fork` and `exec`, needs no unsafe code. Being the same
//! process afterwards, the command keeps the process ID, the group and the tie.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;

use crate::cli::exit::{RUN_FAILED, RUN_NOT_EXECUTABLE, RUN_NOT_FOUND};
use crate::cli::output::Output;

/// Becomes the command, which dies with the process that started it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Exec {
    /// Process that must still be our parent.
    parent: i32,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Exec {
    /// Becomes the command. Returns only if that failed, with the exit code that says why.
    pub(crate) fn run(&self, output: &Output) -> u8 {
        let name = self.command[0].to_string_lossy();
        if let Err(cause) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
            output.warn(&format!("error: cannot tie {name} to its lease: {cause}"));
            return RUN_FAILED;
        }
        // The parent may have died before the tie was made.
        if nix::unistd::getppid().as_raw() != self.parent {
            return RUN_FAILED;
        }
        let cause = std::process::Command::new(&self.command[0]).args(&self.command[1..]).exec();
        output.warn(&format!("error: cannot run {name}: {cause}"));
        if cause.kind() == ErrorKind::NotFound { RUN_NOT_FOUND } else { RUN_NOT_EXECUTABLE }
    }
}
