//! One call into a manager for a job, and what the ledger is told about it.

use std::sync::Arc;
use std::time::Duration;

use lessor_keeper::{Error, Keeper};
use lessor_ledger::{Command, JobCommand, JobRecord, JobTarget, Phase, Span, TargetFacts, Time};
use lessor_plugins::{CallError, JobCall, Target};
use tokio_util::sync::CancellationToken;

use crate::inventory::Snapshots;
use crate::limits::{LATE, REPORT_RETRY_MAX, REPORT_RETRY_MIN};
use crate::line::Line;
use crate::locker::JobLocker;
use crate::manager::Managers;

/// What a job needs of its manager, by its phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Targets, until this instant.
    Acquire {
        /// The job's own time limit.
        until: Time,
    },
    /// To be released, until this instant.
    Release {
        /// Which attempt it is.
        attempt: u32,
        /// The attempt's time limit.
        until: Time,
    },
}

impl Work {
    /// What this job needs now, if anything.
    pub(crate) fn of(job: &JobRecord) -> Option<Self> {
        match job.phase {
            Phase::Acquiring { until } => Some(Self::Acquire { until }),
            Phase::Releasing { attempt, until } => Some(Self::Release { attempt, until }),
            Phase::Leased { .. } | Phase::Stuck { .. } | Phase::Over { .. } => None,
        }
    }
}

/// What all calls need.
pub(crate) struct Shop {
    pub(crate) keeper: Keeper,
    pub(crate) managers: Arc<dyn Managers>,
    pub(crate) inventory: Snapshots,
    pub(crate) line: Line,
}

impl Shop {
    /// Makes the call, unless it is cancelled first, and tells the ledger how it went.
    pub(crate) async fn work(&self, job: &JobRecord, work: Work, cancel: &CancellationToken) {
        let outcome = match work {
            Work::Acquire { until } => self.acquire(job, until, cancel).await,
            Work::Release { attempt, until } => self.release(job, attempt, until, cancel).await,
        };
        let Some(command) = outcome else { return };
        let telling = self.report(job, command);
        // Once cancelled, the job has gone on without this outcome.
        let _ = cancel.run_until_cancelled(telling).await;
    }

    /// Gives nothing if there is nothing to tell: the job has ended meanwhile, or its time limit will tell.
    async fn acquire(&self, job: &JobRecord, until: Time, cancel: &CancellationToken) -> Option<JobCommand> {
        cancel.run_until_cancelled(self.managers.known(&job.manager)).await?;
        let lasts = Span::from_nanos(job.acquire_timeout.nanos().saturating_add(job.lock_duration.nanos()));
        let call = self.call(job, until, lasts, cancel);
        let answer = match self.managers.manager(job.manager.as_str()) {
            Ok(manager) => manager.acquire(call, &job.acquire_parameters).await,
            Err(error) => Err(error.into()),
        };
        match answer {
            Ok(targets) => {
                let targets = targets.into_iter().map(|target| (target.id.clone(), facts(target))).collect();
                Some(JobCommand::Acquired { job: job.id, targets })
            }
            Err(error) => {
                let error = self.worth_telling(error, until)?;
                Some(JobCommand::AcquireFailed { job: job.id, error: error.to_string().into() })
            }
        }
    }

    async fn release(
        &self,
        job: &JobRecord,
        attempt: u32,
        until: Time,
        cancel: &CancellationToken,
    ) -> Option<JobCommand> {
        cancel.run_until_cancelled(self.managers.known(&job.manager)).await?;
        let call = self.call(job, until, job.release_timeout, cancel);
        let targets = || job.targets.iter().map(target).collect();
        let answer = match self.managers.manager(job.manager.as_str()) {
            Ok(manager) => manager.release(call, &job.release_parameters, &targets).await,
            Err(error) => Err(error.into()),
        };
        match answer {
            Ok(()) => Some(JobCommand::Released { job: job.id, attempt }),
            Err(error) => {
                let error = self.worth_telling(error, until)?;
                Some(JobCommand::ReleaseFailed { job: job.id, attempt, error: error.to_string().into() })
            }
        }
    }

    fn call(&self, job: &JobRecord, until: Time, lasts: Span, cancel: &CancellationToken) -> JobCall {
        JobCall {
            job: job.id.0,
            timeout: duration(until.since(self.keeper.now())),
            lock_duration: duration(lasts),
            cancel: cancel.clone(),
            locker: Arc::new(JobLocker {
                keeper: self.keeper.clone(),
                job: job.id,
                queue: self.line.of(&job.manager),
            }),
            inventory: Arc::new(self.inventory.clone()),
        }
    }

    /// Leaves out what the ledger knows by itself: that the job has ended, or that its time is over.
    fn worth_telling(&self, error: CallError, until: Time) -> Option<CallError> {
        match error {
            CallError::Cancelled => None,
            CallError::Timeout if until.since(self.keeper.now()) <= LATE => None,
            error => Some(error),
        }
    }

    /// Tells the keeper until it has taken or refused it.
    async fn report(&self, job: &JobRecord, command: JobCommand) {
        let mut pause = REPORT_RETRY_MIN;
        let mut command = command;
        loop {
            match self.keeper.submit(Command::Job(command.clone())).await {
                Ok(_) | Err(Error::Stopped) => return,
                Err(Error::Busy | Error::ReadOnly(_)) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(REPORT_RETRY_MAX);
                }
                Err(Error::Refused(refusal)) => {
                    tracing::debug!(job = job.id.0, %refusal, "the outcome of a call came too late");
                    // Unless it came too late, it was more than a job may have.
                    let JobCommand::Acquired { job, .. } = command else { return };
                    command = JobCommand::AcquireFailed { job, error: refusal.to_string().into() };
                }
            }
        }
    }
}

fn duration(span: Span) -> Duration {
    Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or(0))
}

fn facts(target: Target) -> TargetFacts {
    let Target { id: _, fqdn, ipv4, ipv6, manager_state, labels } = target;
    TargetFacts {
        fqdn: fqdn.map(Into::into),
        ipv4: ipv4.map(Into::into),
        ipv6: ipv6.map(Into::into),
        manager_state: manager_state.map(Into::into),
        labels: labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
    }
}

fn target(target: &JobTarget) -> Target {
    let text = |text: &Option<lessor_ledger::Text>| text.as_ref().map(ToString::to_string);
    let TargetFacts { fqdn, ipv4, ipv6, manager_state, labels } = &target.facts;
    Target {
        id: target.id.to_string(),
        fqdn: text(fqdn),
        ipv4: text(ipv4),
        ipv6: text(ipv6),
        manager_state: text(manager_state),
        labels: labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    }
}
