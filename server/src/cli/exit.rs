//! Exit codes: API for scripts, so append-only. Each has a test in `tests/suite/cli.rs`.

/// How a command other than `run` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done.
    Ok = 0,
    /// Failed for a reason that no other code names.
    Failed = 1,
    /// The command line, or a value in it, is wrong.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// Not allowed.
    Forbidden = 4,
    /// Somebody else holds it, or the record was changed in the meantime.
    Conflict = 5,
    /// Nothing is free, and waiting was not asked for.
    Busy = 6,
    /// As things are, waiting would never end.
    Unsatisfiable = 7,
    /// It did not become free in time.
    WaitTimedOut = 8,
    /// The lease is over.
    LeaseLost = 9,
    /// The server cannot be reached, or does not serve now.
    Unreachable = 10,
}

/// `run`: the lease was lost while the command ran.
pub(crate) const RUN_LEASE_LOST: u8 = 123;
/// `run`: nothing became free in time; as `timeout(1)`.
pub(crate) const RUN_WAIT_TIMED_OUT: u8 = 124;
/// `run`: failed before the command was started; as `timeout(1)`.
pub(crate) const RUN_FAILED: u8 = 125;
/// `run`: the command was found but cannot be executed; as the shell.
pub(crate) const RUN_NOT_EXECUTABLE: u8 = 126;
/// `run`: the command was not found; as the shell.
pub(crate) const RUN_NOT_FOUND: u8 = 127;
/// `run`: added to the number of the signal that ended the command, or `lessor run` while it waited; as the shell.
pub(crate) const SIGNAL_BASE: i32 = 128;

/// The table shown by `lessor --help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0 ok             4 forbidden   8 wait timed out
  1 failed         5 conflict    9 lease lost or expired
  2 usage          6 busy       10 server unreachable
  3 not found      7 can never be met
Exit codes of `run`: the command's own, 128+n if signal n ended it, or
  123 lease lost   124 wait timed out   125 failed before the start
  126 not executable   127 not found";

impl From<Code> for std::process::ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}
