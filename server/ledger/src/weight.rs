//! What deciding a command costs, roughly: how many targets it is about.

use crate::command::{Command, JobCommand, Subject};
use crate::lease::LeaseId;
use crate::request::Part;
use crate::state::Ledger;

impl Ledger {
    /// How many targets `command` names, asks for or gives back, as far as that is known now; at least 1.
    #[must_use]
    pub fn weight(&self, command: &Command) -> usize {
        let targets = match command {
            Command::BoskosAcquireByState { names, .. } => names.len(),
            Command::ContestLock(lock)
            | Command::ContestTryLock { lock, .. }
            | Command::ContestUnlock(lock)
            | Command::ContestRefresh(lock) => lock.targets.len(),
            Command::Acquire(ask) => ask.parts.iter().map(wanted).sum(),
            Command::Release { targets: Some(targets), .. } => targets.len(),
            Command::Renew { lease, .. } | Command::Release { lease, targets: None, .. } => {
                self.leased(*lease)
            }
            Command::Force(force) => match &force.subject {
                Subject::Lease(lease) => self.leased(*lease),
                Subject::Target(_) => 1,
            },
            Command::Sync(entries) => entries.iter().map(|entry| entry.names.len()).sum(),
            Command::Job(command) => self.weight_of_job(command),
            Command::Tick
            | Command::Resume
            | Command::BoskosAcquire(_)
            | Command::BoskosRelease { .. }
            | Command::BoskosUpdate(_)
            | Command::BoskosReset { .. }
            | Command::Poll(_)
            | Command::Withdraw(_)
            | Command::PutResource(_)
            | Command::PatchResource(_)
            | Command::DeleteResource { .. }
            | Command::Plugin(_) => 1,
        };
        targets.max(1)
    }

    fn weight_of_job(&self, command: &JobCommand) -> usize {
        match command {
            JobCommand::Lock(lock)
            | JobCommand::TryLock { lock, .. }
            | JobCommand::Unlock(lock)
            | JobCommand::Refresh(lock) => lock.targets.len(),
            JobCommand::Acquired { targets, .. } => targets.len(),
            JobCommand::Renew { job, .. }
            | JobCommand::Released { job, .. }
            | JobCommand::Force { job, .. } => self.jobs.get(job).map_or(1, |job| job.targets.len()),
            JobCommand::Start(_)
            | JobCommand::AcquireFailed { .. }
            | JobCommand::End { .. }
            | JobCommand::ReleaseFailed { .. } => 1,
        }
    }

    fn leased(&self, lease: LeaseId) -> usize {
        self.leases.get(&lease).map_or(1, |lease| lease.targets.len())
    }
}

fn wanted(part: &Part) -> usize {
    match part {
        Part::Pool { count, .. } => *count as usize,
        Part::Named { targets, .. } => targets.len(),
    }
}
