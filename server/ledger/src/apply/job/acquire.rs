//! Acquiring: from the manager's answer to leased targets, or to a job that has failed and holds nothing.

use std::collections::BTreeSet;

use crate::apply::Draft;
use crate::apply::grant::NewLease;
use crate::event::EventKind;
use crate::job::{EndCause, Ending, JobRecord, JobTarget, Phase, TargetFacts};
use crate::lease::Dialect;
use crate::limits;
use crate::name::{Job, Target, Text};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::time::Time;

use super::clip;

impl Draft<'_> {
    /// The manager has answered: its targets are locked for the job and leased, or the job has failed.
    pub(super) fn job_acquired(
        &mut self,
        id: Job,
        targets: Vec<(String, TargetFacts)>,
    ) -> Result<Reply, Refusal> {
        let job = self.acquiring(id)?;
        let targets = checked(targets).and_then(|targets| self.keepable(targets));
        let lockable = targets.and_then(|targets| self.lockable(&job, targets));
        let targets = match lockable {
            Ok(targets) => targets,
            Err(error) => return self.acquire_failed(id, &error),
        };
        let lock_duration = self.allowed(job.lock_duration, &targets);
        let until = self.now.plus(lock_duration);
        let names: Vec<Target> = targets.iter().map(|target| target.id.clone()).collect();
        self.lock_for(&job, &names, until);
        self.free_others(&job.holder(), &names, |_, _| {});
        let leased = self.put_job(JobRecord {
            lock_duration,
            phase: Phase::Leased { until },
            renewed_at: Some(self.now),
            targets,
            ..JobRecord::clone(&job)
        });
        self.tell_targets(EventKind::TargetAcquired, &leased);
        Ok(Reply::Job(leased))
    }

    /// The manager could not, or what it returned could not be locked.
    pub(super) fn acquire_failed(&mut self, id: Job, error: &str) -> Result<Reply, Refusal> {
        let job = self.acquiring(id)?;
        let mut event = self.job_event(EventKind::TargetAcquireErr, &job);
        event.note = Some(clip(error));
        self.tell(event);
        Ok(Reply::Job(self.not_acquired(&job, EndCause::NotAcquired, clip(error))))
    }

    /// As upstream, this is no `TargetAcquireErr` (`reference/contest.md` §1.2).
    pub(super) fn acquire_timed_out(&mut self, job: &JobRecord) {
        let reason = format!("acquiring took longer than {} ms", job.acquire_timeout.millis());
        self.not_acquired(job, EndCause::AcquireTimeout, reason.into());
    }

    pub(super) fn interrupted(&mut self, job: &JobRecord) {
        self.not_acquired(job, EndCause::Interrupted, "the server stopped while it was acquired".into());
    }

    fn not_acquired(&mut self, job: &JobRecord, cause: EndCause, reason: Text) -> std::sync::Arc<JobRecord> {
        let ending = Ending { cause, at: self.now, reason: Some(reason.clone()) };
        let failed = JobRecord { ending: Some(ending), failure: Some(reason), ..job.clone() };
        self.finish(failed, cause.verdict(false))
    }

    /// The targets, if there is room for what was said about them.
    fn keepable(&self, targets: Vec<JobTarget>) -> Result<Vec<JobTarget>, String> {
        let said: usize = targets.iter().map(|target| target.facts.bytes()).sum();
        let limit = limits::JOBS_BYTES_MAX;
        if self.ledger.index.jobs_bytes + said > limit {
            return Err(format!("there is no room for what acquire says: all jobs may keep {limit} bytes"));
        }
        Ok(targets)
    }

    /// The targets, if the job can lock all of them now.
    fn lockable(&self, job: &JobRecord, targets: Vec<JobTarget>) -> Result<Vec<JobTarget>, String> {
        let holder = job.holder();
        let conflicts = targets.iter().filter_map(|target| self.conflict_for(&holder, &target.id));
        let conflicts: Vec<String> = conflicts
            .map(|conflict| {
                let name = conflict.target.as_ref().map_or_else(String::new, ToString::to_string);
                let holder = conflict.holder.map(|holder| format!(" is locked by {holder}"));
                let why = conflict.why.map(|why| format!(" is {why}"));
                format!("{name}{}", holder.or(why).unwrap_or_else(|| " cannot be had".to_owned()))
            })
            .collect();
        if !conflicts.is_empty() {
            return Err(format!("cannot lock what was acquired: {}", conflicts.join(", ")));
        }
        let names: Vec<Target> = targets.iter().map(|target| target.id.clone()).collect();
        self.room_for_locks(&names).map_err(|full| format!("cannot lock what was acquired: {full}"))?;
        Ok(targets)
    }

    /// The framework lock: re-bases what the manager has locked already and takes the rest in one new lease.
    fn lock_for(&mut self, job: &JobRecord, targets: &[Target], until: Time) {
        let holder = job.holder();
        let (own, new): (Vec<Target>, Vec<Target>) = targets
            .iter()
            .cloned()
            .partition(|target| self.ledger.locks.get(target).is_some_and(|lock| lock.owner == holder));
        self.move_deadlines(own.iter(), until);
        if !new.is_empty() {
            self.grant(NewLease {
                owner: holder,
                dialect: Dialect::Contest,
                targets: new,
                to_state: None,
                ttl: Some(until.since(self.now)),
                purpose: Some(job.purpose()),
                key: None,
                request: None,
            });
        }
    }
}

/// What the manager returned, if it is something to lease: at least one target, none twice, none without a name, and
/// no more said about them than is kept.
fn checked(targets: Vec<(String, TargetFacts)>) -> Result<Vec<JobTarget>, String> {
    if targets.is_empty() {
        return Err("acquire returned no targets".to_owned());
    }
    if targets.len() > limits::TARGETS_PER_CALL_MAX {
        let (count, limit) = (targets.len(), limits::TARGETS_PER_CALL_MAX);
        return Err(format!("acquire returned {count} targets, at most {limit} are allowed"));
    }
    let mut seen = BTreeSet::new();
    let mut said = 0;
    let mut checked = Vec::with_capacity(targets.len());
    for (position, (id, facts)) in targets.into_iter().enumerate() {
        if id.trim().is_empty() {
            return Err(format!("acquire returned a blank ID, in target {}", position + 1));
        }
        let id = Target::new(id).map_err(|error| format!("acquire returned a bad ID: {error}"))?;
        if !seen.insert(id.clone()) {
            return Err(format!("acquire returned {id} twice"));
        }
        let bytes = facts.bytes();
        said += bytes;
        if bytes > limits::TARGET_FACTS_BYTES_MAX || said > limits::JOB_FACTS_BYTES_MAX {
            let (one, all) = (limits::TARGET_FACTS_BYTES_MAX, limits::JOB_FACTS_BYTES_MAX);
            return Err(format!(
                "acquire says more than {one} bytes about {id}, or more than {all} about all targets"
            ));
        }
        checked.push(JobTarget { id, facts });
    }
    Ok(checked)
}
