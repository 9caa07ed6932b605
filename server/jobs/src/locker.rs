//! The locker that a manager gets while it acquires: bound to one job, whatever the manager says.

use std::time::Duration;

use futures_util::future::BoxFuture;
use lessor_keeper::{Error, Keeper};
use lessor_ledger::{Command, ContestLock, Job, JobCommand, Owner, Refusal, Reply, Span, Target};
use lessor_plugins::{Locker, LockerError};

use crate::limits::TARGETS_SPELLED_MAX;
use crate::line::Queue;

/// Locks for one job, as long as it is being acquired.
pub(crate) struct JobLocker {
    pub(crate) keeper: Keeper,
    pub(crate) job: Job,
    pub(crate) queue: Queue,
}

impl JobLocker {
    fn lock_of(&self, targets: Vec<String>, duration: Duration) -> Result<ContestLock, LockerError> {
        let nanos = i64::try_from(duration.as_nanos());
        let nanos = nanos.map_err(|_| LockerError::Invalid("duration: more than 292 years".to_owned()))?;
        // An empty name is for the ledger to refuse, with the rest of the call.
        let named = targets.into_iter().map(|name| {
            let named = (!name.is_empty()).then(|| Target::new(name)).transpose();
            named.map_err(|error| LockerError::Invalid(error.to_string()))
        });
        let targets = named.collect::<Result<_, _>>()?;
        Ok(ContestLock { job: self.job, duration: Span::from_nanos(nanos), targets })
    }

    async fn submit(&self, targets: usize, command: JobCommand) -> Result<Vec<String>, LockerError> {
        let _places = self.queue.places(targets).await;
        match self.keeper.submit(Command::Job(command)).await {
            Ok(Reply::Locked(targets)) => Ok(targets.iter().map(ToString::to_string).collect()),
            Ok(_) => unreachable!("the ledger answers a locker with nothing else"),
            Err(error) => Err(refused(error)),
        }
    }
}

impl Locker for JobLocker {
    fn lock(&self, targets: Vec<String>, duration: Duration) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(async move {
            let lock = self.lock_of(targets, duration)?;
            self.submit(lock.targets.len(), JobCommand::Lock(lock)).await.map(drop)
        })
    }

    fn try_lock(
        &self,
        targets: Vec<String>,
        duration: Duration,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<String>, LockerError>> {
        Box::pin(async move {
            let lock = self.lock_of(targets, duration)?;
            self.submit(lock.targets.len(), JobCommand::TryLock { lock, limit: u64::from(limit) }).await
        })
    }

    fn unlock(&self, targets: Vec<String>) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(async move {
            let lock = self.lock_of(targets, Duration::ZERO)?;
            self.submit(lock.targets.len(), JobCommand::Unlock(lock)).await.map(drop)
        })
    }

    fn refresh(&self, targets: Vec<String>, duration: Duration) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(async move {
            let lock = self.lock_of(targets, duration)?;
            self.submit(lock.targets.len(), JobCommand::Refresh(lock)).await.map(drop)
        })
    }
}

fn refused(error: Error) -> LockerError {
    let message = error.to_string();
    let Error::Refused(refusal) = error else { return LockerError::Unavailable(message) };
    match refusal {
        Refusal::Busy(conflicts) | Refusal::Unavailable(conflicts) => {
            let targets = conflicts.iter().filter_map(|conflict| conflict.target.as_ref());
            let told = conflicts.iter().filter_map(|conflict| {
                let target = conflict.target.as_ref()?;
                Some(spell(target, conflict.holder.as_ref(), conflict.why.as_deref()))
            });
            let message = format!("{message}: {}", first(told));
            LockerError::Held { targets: targets.map(ToString::to_string).collect(), message }
        }
        Refusal::NotHeld(missing) => {
            let targets = missing.iter().map(|missing| missing.target.to_string()).collect();
            let told = missing.iter().map(|missing| spell(&missing.target, missing.holder.as_ref(), None));
            let message = format!("{message}: {}", first(told));
            LockerError::NotHeld { targets, message }
        }
        Refusal::NoSuchJob(_) | Refusal::JobPhase { .. } | Refusal::Full { .. } => {
            LockerError::Unavailable(message)
        }
        _ => LockerError::Invalid(message),
    }
}

/// A target of a refusal, with who holds it and what else is in the way.
fn spell(target: &Target, holder: Option<&Owner>, why: Option<&str>) -> String {
    let holder = holder.map(|holder| format!("held by {holder}"));
    let reasons: Vec<&str> = holder.as_deref().into_iter().chain(why).collect();
    if reasons.is_empty() { target.to_string() } else { format!("{target} ({})", reasons.join(", ")) }
}

/// The first targets of a refusal.
fn first(told: impl Iterator<Item = String>) -> String {
    told.take(TARGETS_SPELLED_MAX).collect::<Vec<_>>().join(", ")
}
