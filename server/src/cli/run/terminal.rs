//! The terminal, lent to the command.
//!
//! Only one process group may read from a terminal. If it is ours, the command's group gets it, so that
//! `lessor run -- bash` works, and gives it back at the end.

use std::io::{IsTerminal as _, Stdin, stdin};

use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// A terminal that is lent out; taken back when dropped.
pub(crate) struct Terminal {
    stdin: Stdin,
    ours: Pid,
}

impl Terminal {
    /// Lends the terminal on standard input to `group`, if there is one and it is ours to lend.
    pub(crate) fn lend(group: Pid) -> Option<Self> {
        let stdin = stdin();
        let ours = getpgrp();
        if !stdin.is_terminal() || tcgetpgrp(&stdin).ok()? != ours {
            return None;
        }
        tcsetpgrp(&stdin, group).ok()?;
        // It may have tried to read before it was allowed to, and have been stopped for that.
        let _ = killpg(group, Signal::SIGCONT);
        Some(Self { stdin, ours })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Whoever changes the foreground from the background is stopped, unless the signal for that is blocked.
        let mut block = SigSet::empty();
        block.add(Signal::SIGTTOU);
        if block.thread_block().is_ok() {
            let _ = tcsetpgrp(&self.stdin, self.ours);
            let _ = block.thread_unblock();
        }
    }
}
