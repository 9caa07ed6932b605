//! Ending a job: its targets stay locked while the manager releases them, for as many attempts as that takes.

use std::sync::Arc;

use crate::apply::Draft;
use crate::event::EventKind;
use crate::job::{EndCause, Ending, JobRecord, JobTarget, Phase, Verdict};
use crate::lease::Lock;
use crate::limits;
use crate::name::{Job, Owner, Target, Text};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::time::Span;

use super::{clip, wrong_phase};

impl Draft<'_> {
    /// Gives a job back. Doing it again is no error; of a stuck release it is one more attempt, now.
    pub(super) fn end_job(
        &mut self,
        id: Job,
        owner: Option<Owner>,
        reason: Option<Text>,
    ) -> Result<Reply, Refusal> {
        let job = self.job_of(id, owner)?;
        let ending = Ending { cause: EndCause::Asked, at: self.now, reason: reason.map(|text| clip(&text)) };
        let job = match job.phase {
            Phase::Acquiring { .. } => {
                let ended = JobRecord { ending: Some(ending), ..JobRecord::clone(&job) };
                self.finish(ended, EndCause::Asked.verdict(false))
            }
            Phase::Leased { .. } => self.end_lease(&job, ending),
            Phase::Stuck { attempts, .. } => self.try_release(&job, attempts.saturating_add(1)),
            Phase::Releasing { .. } | Phase::Over { .. } => job,
        };
        Ok(Reply::Job(job))
    }

    pub(super) fn lease_ran_out(&mut self, job: &JobRecord) {
        let reason = format!("nobody renewed it within {} ms", job.lock_duration.millis());
        let ending = Ending { cause: EndCause::Expired, at: self.now, reason: Some(reason.into()) };
        self.end_lease(job, ending);
    }

    /// A target may be gone: a leased job then ends, and its manager releases what is left.
    pub(in crate::apply) fn see_to_loss(&mut self, id: Job, reason: Text) {
        let Some(job) = self.ledger.jobs.get(&id).cloned() else { return };
        let left = self.still_held(&job);
        if left.len() == job.targets.len() {
            return;
        }
        match job.phase {
            Phase::Acquiring { .. } | Phase::Over { .. } => {}
            Phase::Leased { .. } => {
                let ending = Ending { cause: EndCause::Lost, at: self.now, reason: Some(reason) };
                self.end_lease(&job, ending);
            }
            Phase::Releasing { .. } | Phase::Stuck { .. } if left.is_empty() => {
                let reason = clip(&format!("{reason} before it was released"));
                let ending = Ending { cause: EndCause::Lost, at: self.now, reason: Some(reason) };
                let lost = JobRecord { targets: left, ending: Some(ending), ..JobRecord::clone(&job) };
                self.finish(lost, EndCause::Lost.verdict(true));
            }
            Phase::Releasing { .. } | Phase::Stuck { .. } => {
                self.put_job(JobRecord { targets: left, ..JobRecord::clone(&job) });
            }
        }
    }

    /// From leased to releasing what is still held; to the end at once if nothing is.
    fn end_lease(&mut self, job: &JobRecord, ending: Ending) -> Arc<JobRecord> {
        let targets = self.still_held(job);
        let job = JobRecord { targets, ending: Some(ending), ..job.clone() };
        if job.targets.is_empty() {
            let verdict = verdict(&job);
            return self.finish(job, verdict);
        }
        for target in &job.targets {
            self.hold_on(&target.id);
        }
        self.try_release(&job, 1)
    }

    /// Asks the manager to release, by saying that this is how far the job is.
    pub(super) fn try_release(&mut self, job: &JobRecord, attempt: u32) -> Arc<JobRecord> {
        let until = self.now.plus(job.release_timeout);
        let job = self.put_job(JobRecord { phase: Phase::Releasing { attempt, until }, ..job.clone() });
        let mut event = self.job_event(EventKind::JobReleasing, &job);
        event.note = match attempt {
            1 => job.ending.as_ref().and_then(|ending| ending.reason.clone()),
            _ => Some(format!("attempt {attempt}").into()),
        };
        self.tell(event);
        job
    }

    /// The manager has released: the targets are free.
    pub(super) fn job_released(&mut self, id: Job, attempt: u32) -> Result<Reply, Refusal> {
        let job = self.releasing(id, attempt)?;
        self.tell_targets(EventKind::TargetReleased, &job);
        let verdict = verdict(&job);
        Ok(Reply::Job(self.finish(JobRecord::clone(&job), verdict)))
    }

    /// The manager could not release: it is asked again later.
    pub(super) fn release_failed(&mut self, id: Job, attempt: u32, error: &str) -> Result<Reply, Refusal> {
        let job = self.releasing(id, attempt)?;
        Ok(Reply::Job(self.get_stuck(&job, attempt, clip(error))))
    }

    pub(super) fn release_timed_out(&mut self, job: &JobRecord) {
        let Phase::Releasing { attempt, .. } = job.phase else { return };
        let error = format!("releasing took longer than {} ms", job.release_timeout.millis());
        self.get_stuck(job, attempt, error.into());
    }

    fn get_stuck(&mut self, job: &JobRecord, attempts: u32, error: Text) -> Arc<JobRecord> {
        let retry_at = self.now.plus(wait_after(attempts));
        let job = self.put_job(JobRecord {
            phase: Phase::Stuck { attempts, retry_at },
            failure: Some(error.clone()),
            ..job.clone()
        });
        let mut event = self.job_event(EventKind::JobReleaseFailed, &job);
        event.note = Some(error);
        self.tell(event);
        job
    }

    /// Frees everything without asking the manager. A job that is over stays as it is.
    pub(super) fn force_job(&mut self, id: Job, reason: &str, by: Option<Owner>) -> Result<Reply, Refusal> {
        let job = self.job_of(id, None)?;
        if !job.live() {
            return Ok(Reply::Job(job));
        }
        let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
        let reason = clip(&format!("forced{by}: {reason}"));
        // One that nobody renewed was left behind, whoever clears it away.
        let expired = job.ending.as_ref().is_some_and(|ending| ending.cause == EndCause::Expired);
        let cause = if expired { EndCause::Expired } else { EndCause::Asked };
        let ending = Ending { cause, at: self.now, reason: Some(reason) };
        self.tell_targets(EventKind::TargetReleased, &job);
        let forced = JobRecord { ending: Some(ending), ..JobRecord::clone(&job) };
        Ok(Reply::Job(self.finish(forced, Verdict::Failed)))
    }

    /// The job, if this attempt to release it is under way.
    fn releasing(&self, id: Job, asked: u32) -> Result<Arc<JobRecord>, Refusal> {
        let job = self.job_of(id, None)?;
        match job.phase {
            Phase::Releasing { attempt, .. } if attempt == asked => Ok(job),
            _ => Err(wrong_phase(&job)),
        }
    }

    fn still_held(&self, job: &JobRecord) -> Vec<JobTarget> {
        let holder = job.holder();
        job.targets.iter().filter(|target| self.holds(&holder, &target.id)).cloned().collect()
    }

    /// A lock that is held until it is given back or taken away.
    fn hold_on(&mut self, target: &Target) {
        if let Some(lock) = self.ledger.locks.get(target).cloned() {
            self.set_lock(Lock { deadline: None, ..Lock::clone(&lock) });
        }
    }
}

/// How a job that was acquired and is released at last went.
fn verdict(job: &JobRecord) -> Verdict {
    job.ending.as_ref().map_or(Verdict::Cancelled, |ending| ending.cause.verdict(true))
}

/// Doubles from [`limits::RELEASE_RETRY_MIN`] up to [`limits::RELEASE_RETRY_MAX`].
fn wait_after(attempts: u32) -> Span {
    let doubled = 1_i64.checked_shl(attempts.saturating_sub(1).min(32)).unwrap_or(i64::MAX);
    let wait = limits::RELEASE_RETRY_MIN.nanos().saturating_mul(doubled);
    Span::from_nanos(wait).min(limits::RELEASE_RETRY_MAX)
}
