//! The process group of the command: starting it, signalling all of it, and knowing when it is empty.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::signal::unix::SignalKind;

use super::environment::give;
use super::terminal::Terminal;
use crate::cli::Inner;
use crate::cli::clock::Moment;
use crate::cli::exit::SIGNAL_BASE;
use crate::cli::failure::Failure;
use crate::cli::limits::{GROUP_KILLS_MAX, GROUP_POLL};

/// A command and everything that it started and did not move to another group.
pub(crate) struct Group {
    child: Child,
    leader: Pid,
    terminal: Option<Terminal>,
    /// Comes when a child ends or is stopped.
    children: tokio::signal::unix::Signal,
}

impl Group {
    /// Starts `command` in a new process group, in the foreground of the terminal if we are.
    ///
    /// # Errors
    /// [`Failure::Io`] if no process can be started. That the command itself cannot is told by its exit code.
    pub(crate) fn spawn(command: &[OsString], vars: &[(String, String)]) -> Result<Self, Failure> {
        // Descendants whose parents die become our children, so that a dead one cannot keep the group from looking
        // empty. Not fatal: then the bound on the waiting does it.
        let _ = nix::sys::prctl::set_child_subreaper(true);
        let children =
            tokio::signal::unix::signal(SignalKind::child()).map_err(Failure::io("cannot catch signals"))?;
        let program = std::env::current_exe().map_err(Failure::io("cannot find my own program"))?;
        let mut tied = Command::new(program);
        tied.arg(Inner::EXEC_TIED).arg(std::process::id().to_string()).arg("--").args(command);
        give(&mut tied, vars);
        let child = tied.process_group(0).spawn().map_err(Failure::io("cannot start a process"))?;
        let id = child.id().expect("not waited for yet");
        let leader = Pid::from_raw(i32::try_from(id).expect("process IDs are positive"));
        Ok(Self { child, leader, terminal: Terminal::lend(leader), children })
    }

    /// Comes back when the terminal's user has tried to stop the command (Ctrl-Z), which goes on then.
    ///
    /// A stopped command would keep the terminal, because nobody is there to take it back: the shell waits for us, and
    /// we must stay awake to renew the lease.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    async fn unstop(leader: Pid, terminal: Option<&Terminal>, children: &mut tokio::signal::unix::Signal) {
        loop {
            if terminal.is_none() || children.recv().await.is_none() {
                return std::future::pending().await;
            }
            let status = waitid(Id::Pid(leader), WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG);
            if matches!(status, Ok(WaitStatus::Stopped(_, Signal::SIGTSTP))) {
                // ESRCH: it has ended meanwhile.
                let _ = killpg(leader, Signal::SIGCONT);
                return;
            }
        }
    }

    /// The exit code of the command, once it has ended; `None` if its user has tried to stop it.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub(crate) async fn wait(&mut self) -> Result<Option<u8>, Failure> {
        tokio::select! {
            status = self.child.wait() => {
                Ok(Some(exit_code(status.map_err(Failure::io("cannot wait for the command"))?)))
            }
            () = Self::unstop(self.leader, self.terminal.as_ref(), &mut self.children) => Ok(None),
        }
    }

    /// Sends a signal to the whole group; a group that is gone needs none.
    pub(crate) fn send(&self, signal: i32) {
        if let Ok(signal) = Signal::try_from(signal) {
            // ESRCH: nobody is left, which is what most signals are sent for.
            let _ = killpg(self.leader, signal);
        }
    }

    /// Asks the whole group to end. Stopped processes are woken, because they could not hear it otherwise.
    pub(crate) fn terminate(&self) {
        self.send(nix::libc::SIGTERM);
        self.send(nix::libc::SIGCONT);
    }

    /// Ends the whole group.
    pub(crate) fn kill(&self) {
        self.send(nix::libc::SIGKILL);
    }

    /// Ends what the command left behind: asks until `kill_at`, then kills. Returns once the group is empty, or at
    /// the latest when it was killed [`GROUP_KILLS_MAX`] times in vain (processes in an uninterruptible wait).
    pub(crate) async fn drain(&mut self, kill_at: Moment) {
        if self.is_empty() {
            return;
        }
        self.terminate();
        while !kill_at.left().is_zero() {
            tokio::time::sleep(GROUP_POLL.min(kill_at.left())).await;
            if self.is_empty() {
                return;
            }
        }
        for _ in 0..GROUP_KILLS_MAX {
            self.kill();
            tokio::time::sleep(GROUP_POLL).await;
            if self.is_empty() {
                return;
            }
        }
    }

    /// Whether no process of the group is left. Reaps those that became our children and ended.
    fn is_empty(&self) -> bool {
        let members = Pid::from_raw(-self.leader.as_raw());
        while let Ok(status) = waitpid(members, Some(WaitPidFlag::WNOHANG)) {
            if status == WaitStatus::StillAlive {
                break;
            }
        }
        killpg(self.leader, None) == Err(Errno::ESRCH)
    }

    /// Takes the terminal back.
    pub(crate) fn finish(&mut self) {
        self.terminal.take();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Reached with a living group only when something unforeseen failed: better no command than one without lease.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill();
        }
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => SIGNAL_BASE + signal,
        (None, None) => SIGNAL_BASE,
    };
    u8::try_from(code & 0xff).expect("masked to eight bits")
}
