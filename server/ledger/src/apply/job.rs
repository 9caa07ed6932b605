//! Jobs: what a target manager's answers, its owner's wishes, time and loss do to them (`reference/contest.md` §4).
//!
//! The manager itself is asked elsewhere; here its answer is data. Whatever ends a job frees everything that is locked
//! for it, whoever locked it.

mod acquire;
mod release;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::apply::Draft;
use crate::change::{Answer, Change};
use crate::command::{ContestLock, JobCommand, JobStart};
use crate::event::{Event, EventKind};
use crate::job::{EndCause, Ending, JobRecord, JobTarget, Phase, Verdict};
use crate::lease::{Cause, Ended, LeaseId};
use crate::limits;
use crate::name::{Job, Owner, PluginName, Target, Text};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::resource::Resource;
use crate::time::{Span, Time};

impl Draft<'_> {
    pub(super) fn job(&mut self, command: JobCommand) -> Result<Reply, Refusal> {
        match command {
            JobCommand::Start(start) => self.start_job(*start),
            JobCommand::Lock(lock) => self.contest_lock(self.by_manager(lock)?),
            JobCommand::TryLock { lock, limit } => self.contest_try_lock(self.by_manager(lock)?, limit),
            JobCommand::Unlock(lock) => self.contest_unlock(self.by_manager(lock)?),
            JobCommand::Refresh(lock) => self.contest_refresh(self.by_manager(lock)?),
            JobCommand::Acquired { job, targets } => self.job_acquired(job, targets),
            JobCommand::AcquireFailed { job, error } => self.acquire_failed(job, &error),
            JobCommand::Renew { job, owner, lock_duration } => self.renew_job(job, owner, lock_duration),
            JobCommand::End { job, owner, reason } => self.end_job(job, owner, reason),
            JobCommand::Released { job, attempt } => self.job_released(job, attempt),
            JobCommand::ReleaseFailed { job, attempt, error } => self.release_failed(job, attempt, &error),
            JobCommand::Force { job, reason, by } => self.force_job(job, &reason, by),
        }
    }

    /// A `ConTest` call from outside: not for a job whose locks the server looks after.
    pub(super) fn by_outsider(&self, lock: ContestLock) -> Result<ContestLock, Refusal> {
        if self.is_managed(lock.job) { Err(Refusal::JobManaged(lock.job)) } else { Ok(lock) }
    }

    /// A call from outside in somebody's name: not in that of a job whose locks the server looks after.
    pub(super) fn not_for_a_job(&self, owner: &Owner) -> Result<(), Refusal> {
        match owner.job().filter(|job| self.is_managed(*job)) {
            Some(job) => Err(Refusal::JobManaged(job)),
            None => Ok(()),
        }
    }

    /// A call from outside about a lease: not about one of such a job, which would lose what it has not released.
    /// Taking it away by force is possible, and ends the job.
    pub(super) fn not_of_a_job(&self, lease: LeaseId) -> Result<(), Refusal> {
        self.ledger.leases.get(&lease).map_or(Ok(()), |lease| self.not_for_a_job(&lease.owner))
    }

    fn is_managed(&self, job: Job) -> bool {
        self.ledger.jobs.get(&job).is_some_and(|job| job.live())
    }

    /// A call by the manager of a job: only while it acquires, and for as long as the pools of all that it names allow.
    fn by_manager(&self, lock: ContestLock) -> Result<ContestLock, Refusal> {
        self.acquiring(lock.job)?;
        let (most, _) = self.longest_ttl(lock.targets.iter().flatten().map(|target| self.pool_of(target)));
        Ok(ContestLock { duration: lock.duration.min(most), ..lock })
    }

    fn start_job(&mut self, start: JobStart) -> Result<Reply, Refusal> {
        if let Some(key) = &start.key
            && let Some(job) = self.ledger.started_before(&start.owner, key)?
        {
            return Ok(Reply::Job(job));
        }
        if !self.ledger.plugins.contains_key(&start.manager) {
            return Err(Refusal::NoSuchPlugin(start.manager));
        }
        for parameters in [&start.acquire_parameters, &start.release_parameters] {
            if parameters.len() > limits::JOB_PARAMETERS_BYTES_MAX {
                let limit = limits::JOB_PARAMETERS_BYTES_MAX;
                return Err(Refusal::TooLarge { what: "bytes of parameters", limit });
            }
        }
        callable("acquire_timeout", start.acquire_timeout)?;
        callable("release_timeout", start.release_timeout)?;
        lockable("lock_duration", start.lock_duration)?;
        if self.ledger.index.jobs_due.len() >= limits::JOBS_MAX {
            return Err(Refusal::Full { what: "jobs at once", limit: limits::JOBS_MAX });
        }
        let bytes = start.acquire_parameters.len() + start.release_parameters.len();
        if self.ledger.index.jobs_bytes + bytes > limits::JOBS_BYTES_MAX {
            let limit = limits::JOBS_BYTES_MAX;
            return Err(Refusal::Full { what: "bytes of jobs that are not over", limit });
        }
        let key = start.key.clone().map(|key| (start.owner.clone(), key));
        let job = Arc::new(JobRecord {
            id: self.next_job(),
            owner: start.owner,
            manager: start.manager,
            acquire_parameters: start.acquire_parameters,
            release_parameters: start.release_parameters,
            acquire_timeout: start.acquire_timeout,
            lock_duration: start.lock_duration,
            release_timeout: start.release_timeout,
            started_at: self.now,
            renewed_at: None,
            phase: Phase::Acquiring { until: self.now.plus(start.acquire_timeout) },
            targets: Vec::new(),
            ending: None,
            failure: None,
        });
        self.record(Change::Job(Arc::clone(&job)));
        let mut event = self.job_event(EventKind::JobStarted, &job);
        event.note = Some(format!("for {}", job.owner).into());
        self.tell(event);
        if let Some((owner, key)) = key {
            self.remember(owner, key, Answer::Job(job.id));
        }
        self.forget_jobs();
        Ok(Reply::Job(job))
    }

    /// A number that was never a job's, and under which no outsider holds anything.
    fn next_job(&self) -> Job {
        let mut id = Job::numbered(self.ledger.counters.lease + 1);
        while self.ledger.leases_of(&Owner::of_job(id), None).next().is_some() {
            id = Job(id.0 + 1);
        }
        id
    }

    /// As much of `duration` as the pools of `targets` allow: nobody knew which they would be when it was asked for.
    fn allowed(&self, duration: Span, targets: &[JobTarget]) -> Span {
        let (most, _) = self.longest_ttl(targets.iter().map(|target| self.pool_of(&target.id)));
        duration.min(most)
    }

    /// Moves the deadline of every target on.
    fn renew_job(&mut self, id: Job, owner: Option<Owner>, duration: Option<Span>) -> Result<Reply, Refusal> {
        let job = self.job_of(id, owner)?;
        let Phase::Leased { .. } = job.phase else { return Err(wrong_phase(&job)) };
        let lock_duration = duration.unwrap_or(job.lock_duration);
        lockable("lock_duration", lock_duration)?;
        let lock_duration = self.allowed(lock_duration, &job.targets);
        let until = self.now.plus(lock_duration);
        self.move_deadlines(job.targets.iter().map(|target| &target.id), until);
        let renewed = JobRecord {
            lock_duration,
            renewed_at: Some(self.now),
            phase: Phase::Leased { until },
            ..JobRecord::clone(&job)
        };
        Ok(Reply::Job(self.put_job(renewed)))
    }

    /// What time alone does to jobs. Before the locks, so that a job's targets stay locked while they are released.
    pub(super) fn settle_jobs(&mut self) {
        while let Some(&(at, id)) = self.ledger.index.jobs_due.get_min()
            && at < self.now
        {
            let Some(job) = self.ledger.jobs.get(&id).cloned() else { return };
            match job.phase {
                Phase::Acquiring { .. } => self.acquire_timed_out(&job),
                Phase::Leased { .. } => self.lease_ran_out(&job),
                Phase::Releasing { .. } => self.release_timed_out(&job),
                Phase::Stuck { attempts, .. } => {
                    self.try_release(&job, attempts.saturating_add(1));
                }
                Phase::Over { .. } => return,
            }
        }
        self.forget_jobs();
    }

    /// Lets the jobs that `manager` could not release be tried again: it may be able to now.
    ///
    /// In a moment rather than at once, because whoever runs the plugin puts the version in place after it is recorded. Only
    /// as many as one step may write: the others come when they are due.
    pub(super) fn hasten_releases(&mut self, manager: &PluginName) {
        let soon = self.now.plus(limits::RELEASE_RETRY_MIN);
        let stuck = self.ledger.live_jobs().filter(|job| job.manager == *manager);
        let stuck: Vec<_> = stuck.cloned().collect();
        let mut room = limits::HASTENED_BYTES_MAX;
        for job in stuck {
            if let Phase::Stuck { attempts, retry_at } = job.phase
                && retry_at > soon
            {
                let Some(left) = room.checked_sub(job.bytes()) else { return };
                room = left;
                let phase = Phase::Stuck { attempts, retry_at: soon };
                self.put_job(JobRecord { phase, ..JobRecord::clone(&job) });
            }
        }
    }

    /// What a stop of the server did to jobs. A job that was being acquired has failed, because nobody knows how far
    /// its manager came; a release is done again, with its full time.
    pub(super) fn resume_jobs(&mut self) {
        let live: Vec<_> = self.ledger.live_jobs().cloned().collect();
        for job in live {
            match job.phase {
                Phase::Acquiring { .. } => self.interrupted(&job),
                Phase::Releasing { attempt, .. } => {
                    let until = self.now.plus(job.release_timeout);
                    self.put_job(JobRecord {
                        phase: Phase::Releasing { attempt, until },
                        ..JobRecord::clone(&job)
                    });
                }
                Phase::Leased { .. } | Phase::Stuck { .. } | Phase::Over { .. } => {}
            }
        }
    }

    /// Forgets jobs that nobody can want to see any more; at the bound the oldest go earlier.
    fn forget_jobs(&mut self) {
        while let Some(&(at, id)) = self.ledger.index.jobs_over.get_min()
            && (at.plus(limits::JOB_KEEP) < self.now
                || self.ledger.index.jobs_over.len() > limits::JOBS_OVER_MAX
                || self.ledger.index.jobs_over_bytes > limits::JOBS_OVER_BYTES_MAX)
        {
            self.record(Change::JobGone(id));
        }
    }

    /// Notes that `owner`, if it is a job, may have lost `target`; [`Self::see_to_loss`] looks at it when the step is done.
    pub(super) fn note_loss(&mut self, owner: &Owner, target: &Target, how: &Ended) {
        if self.ledger.index.jobs_due.is_empty() {
            return;
        }
        let Some(job) = owner.job().filter(|job| self.ledger.jobs.contains_key(job)) else { return };
        let by = how.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let why = how.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let verb = match how.cause {
            Cause::Released => "given back",
            Cause::Expired => "lost to expiry",
            Cause::Reaped => "reaped",
            Cause::Reset => "reset",
            Cause::Forced => "taken away",
            Cause::TakenOver => "taken over",
            Cause::Collected => "collected",
            Cause::Deleted => "deleted",
            Cause::Cleaned => "cleaned away",
            Cause::Uncollected => "not collected",
        };
        let reason = clip(&format!("{target} was {verb}{by}{why}"));
        self.bereft.entry(job).or_insert(reason);
    }

    /// Frees everything that is locked for a job, and ends it.
    fn finish(&mut self, job: JobRecord, verdict: Verdict) -> Arc<JobRecord> {
        let kind = match verdict {
            Verdict::Completed => EventKind::JobCompleted,
            Verdict::Failed => EventKind::JobFailed,
            Verdict::Cancelled => EventKind::JobCancelled,
        };
        let note = job.ending.as_ref().and_then(|ending| ending.reason.clone());
        let job = self.put_job(JobRecord { phase: Phase::Over { at: self.now, verdict }, ..job });
        match &job.ending {
            // As with any lease that ran out: whoever left it behind did not clean up.
            Some(Ending { cause: EndCause::Expired, .. }) => {
                self.free_others(&job.holder(), &[], Self::after_expiry);
            }
            _ => self.free_others(&job.holder(), &[], |_, _| {}),
        }
        let mut event = self.job_event(kind, &job);
        event.note = note;
        self.tell(event);
        job
    }

    /// Gives back what `holder` has locked, but for `kept`. `edit` is what that does to the resources among it.
    fn free_others(&mut self, holder: &Owner, kept: &[Target], edit: impl Fn(&Self, &mut Resource)) {
        let kept: BTreeSet<&Target> = kept.iter().collect();
        let leases = self.ledger.leases_of(holder, None);
        let others: Vec<(LeaseId, Vec<Target>)> = leases
            .map(|lease| (lease.id, lease.targets.iter().filter(|t| !kept.contains(t)).cloned().collect()))
            .collect();
        let how = self.ended(Cause::Released);
        for (lease, targets) in others {
            if !targets.is_empty() {
                self.strip(lease, &targets, &how, &edit);
            }
        }
    }

    /// Moves the deadlines of locks that a job has, which is a sign of life for their leases.
    fn move_deadlines<'a>(&mut self, targets: impl Iterator<Item = &'a Target>, until: Time) {
        let mut leases = BTreeSet::new();
        for target in targets {
            leases.extend(self.ledger.locks.get(target).map(|lock| lock.lease));
            self.rebase(target, until);
        }
        for lease in leases {
            self.note_renewal(lease);
        }
    }

    fn put_job(&mut self, job: JobRecord) -> Arc<JobRecord> {
        let job = Arc::new(job);
        self.record(Change::Job(Arc::clone(&job)));
        job
    }

    /// The job, if (when given) it is `owner`'s.
    fn job_of(&self, id: Job, owner: Option<Owner>) -> Result<Arc<JobRecord>, Refusal> {
        let job = self.ledger.jobs.get(&id).ok_or(Refusal::NoSuchJob(id))?;
        match owner {
            Some(asked) if asked != job.owner => Err(Refusal::NotOwner {
                what: format!("job {}", id.0),
                asked,
                holder: Some(job.owner.clone()),
            }),
            _ => Ok(Arc::clone(job)),
        }
    }

    /// The job, if it is being acquired.
    fn acquiring(&self, id: Job) -> Result<Arc<JobRecord>, Refusal> {
        let job = self.job_of(id, None)?;
        if matches!(job.phase, Phase::Acquiring { .. }) { Ok(job) } else { Err(wrong_phase(&job)) }
    }

    /// Whether `holder` still has a live lock on `target`.
    fn holds(&self, holder: &Owner, target: &Target) -> bool {
        self.ledger.locks.get(target).is_some_and(|lock| lock.owner == *holder && !lock.lapsed)
    }

    fn job_event(&self, kind: EventKind, job: &JobRecord) -> Event {
        let mut event = self.event(kind);
        event.owner = Some(job.holder());
        event.plugin = Some(job.manager.clone());
        event
    }

    /// One event for each of `job`'s targets, in their order.
    fn tell_targets(&mut self, kind: EventKind, job: &JobRecord) {
        for target in &job.targets {
            let mut event = self.job_event(kind, job);
            event.pool = self.pool_of(&target.id).cloned();
            event.lease = self.ledger.locks.get(&target.id).map(|lock| lock.lease);
            event.target = Some(target.id.clone());
            self.tell(event);
        }
    }
}

fn wrong_phase(job: &JobRecord) -> Refusal {
    Refusal::JobPhase { job: job.id, phase: job.phase.name() }
}

/// How long a manager may be given for one call.
fn callable(what: &'static str, span: Span) -> Result<(), Refusal> {
    let (least, most) = (limits::JOB_CALL_MIN, limits::JOB_CALL_MAX);
    if (least..=most).contains(&span) {
        return Ok(());
    }
    Err(Refusal::SpanOutOfRange { what, least_ms: Some(least.millis()), max_ms: most.millis() })
}

/// How long a job may ask to be leased.
fn lockable(what: &'static str, span: Span) -> Result<(), Refusal> {
    if span.is_positive() && span <= limits::TTL_MAX {
        return Ok(());
    }
    Err(Refusal::SpanOutOfRange { what, least_ms: None, max_ms: limits::TTL_MAX.millis() })
}

/// As much of `text` as a record may carry.
pub(super) fn clip(text: &str) -> Text {
    text[..text.floor_char_boundary(limits::TEXT_BYTES_MAX)].into()
}
