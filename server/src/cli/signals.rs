//! Signals that ask us to end, or that a running command should hear of.

use std::future::poll_fn;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::Failure;

/// Signals that end a waiting client, and that `run` passes on: hang-up, interrupt, quit, user 1, user 2, terminate.
const PASSED_ON: [i32; 6] = [
    nix::libc::SIGHUP,
    nix::libc::SIGINT,
    nix::libc::SIGQUIT,
    nix::libc::SIGUSR1,
    nix::libc::SIGUSR2,
    nix::libc::SIGTERM,
];

/// Signals that whoever started us wants ignored (`nohup`, background jobs of a script), by us and by the command: bit
/// *n* − 1 for signal *n*. None if the system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Catches the signals from its making on, so that none is lost between two waits.
pub(crate) struct Signals(Vec<(i32, Signal)>);

impl Signals {
    /// Begins to catch.
    ///
    /// # Errors
    /// [`Failure::Io`] if the system does not let us.
    pub(crate) fn new() -> Result<Self, Failure> {
        let ignored = ignored();
        let caught = PASSED_ON
            .iter()
            .filter(|&&number| ignored >> (number - 1) & 1 == 0)
            .map(|&number| Ok((number, signal(SignalKind::from_raw(number))?)));
        caught.collect::<std::io::Result<_>>().map(Self).map_err(Failure::io("cannot catch signals"))
    }

    /// The number of the next signal.
    ///
    /// # Cancel safety
    /// May be dropped at any time; a signal is then given to the next call.
    pub(crate) async fn next(&mut self) -> i32 {
        poll_fn(|context| {
            for (number, signal) in &mut self.0 {
                if let Poll::Ready(Some(())) = signal.poll_recv(context) {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The number of the next signal that asks to end; the user signals mean nothing to a waiting client.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    pub(crate) async fn end(&mut self) -> i32 {
        loop {
            let number = self.next().await;
            if number != nix::libc::SIGUSR1 && number != nix::libc::SIGUSR2 {
                return number;
            }
        }
    }
}
