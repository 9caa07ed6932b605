//! The stored form of a job.

use lessor_ledger::{Ending, Job, JobRecord as Stored, JobTarget, Phase, Span, Target, TargetFacts, Time};
use minicbor::{Decode, Encode};

use super::field::{Pairs, codes};
use super::{DecodeError, Names, Record};

codes!(EndCause, "end of a job", put_cause, get_cause, {
    Asked = 0,
    Expired = 1,
    Lost = 2,
    NotAcquired = 3,
    AcquireTimeout = 4,
    Interrupted = 5,
});

codes!(Verdict, "verdict", put_verdict, get_verdict, {
    Completed = 0,
    Failed = 1,
    Cancelled = 2,
});

#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct JobRecord<'a> {
    #[n(0)]
    id: u64,
    #[n(1)]
    owner: &'a str,
    #[n(2)]
    manager: &'a str,
    #[n(3)]
    acquire_parameters: &'a str,
    #[n(4)]
    release_parameters: &'a str,
    #[n(5)]
    acquire_timeout: i64,
    #[n(6)]
    lock_duration: i64,
    #[n(7)]
    release_timeout: i64,
    #[n(8)]
    started_at: i64,
    #[n(9)]
    renewed_at: Option<i64>,
    #[b(10)]
    phase: PhaseRecord,
    #[b(11)]
    targets: Vec<JobTargetRecord<'a>>,
    #[b(12)]
    ending: Option<EndingRecord<'a>>,
    #[n(13)]
    failure: Option<&'a str>,
}

/// Which phase, its instant, and the number of attempts or the verdict where there is one.
#[derive(Clone, Copy, Encode, Decode)]
#[cbor(map)]
struct PhaseRecord {
    #[n(0)]
    kind: u8,
    #[n(1)]
    at: i64,
    #[n(2)]
    attempts: Option<u32>,
    #[n(3)]
    verdict: Option<u8>,
}

const ACQUIRING: u8 = 0;
const LEASED: u8 = 1;
const RELEASING: u8 = 2;
const STUCK: u8 = 3;
const OVER: u8 = 4;

#[derive(Encode, Decode)]
#[cbor(map)]
struct EndingRecord<'a> {
    #[n(0)]
    cause: u8,
    #[n(1)]
    at: i64,
    #[n(2)]
    reason: Option<&'a str>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct JobTargetRecord<'a> {
    #[n(0)]
    id: &'a str,
    #[n(1)]
    fqdn: Option<&'a str>,
    #[n(2)]
    ipv4: Option<&'a str>,
    #[n(3)]
    ipv6: Option<&'a str>,
    #[n(4)]
    manager_state: Option<&'a str>,
    #[n(5)]
    labels: Pairs<'a>,
}

impl<'a> Record<'a> for JobRecord<'a> {
    type Of = Stored;

    fn of(job: &'a Stored) -> Self {
        Self {
            id: job.id.0,
            owner: job.owner.as_str(),
            manager: job.manager.as_str(),
            acquire_parameters: &job.acquire_parameters,
            release_parameters: &job.release_parameters,
            acquire_timeout: job.acquire_timeout.nanos(),
            lock_duration: job.lock_duration.nanos(),
            release_timeout: job.release_timeout.nanos(),
            started_at: job.started_at.nanos(),
            renewed_at: job.renewed_at.map(Time::nanos),
            phase: PhaseRecord::of(job.phase),
            targets: job.targets.iter().map(JobTargetRecord::of).collect(),
            ending: job.ending.as_ref().map(EndingRecord::of),
            failure: job.failure.as_deref(),
        }
    }

    fn build(self, names: &mut Names) -> Result<Stored, DecodeError> {
        Ok(Stored {
            id: Job(self.id),
            owner: names.owner(self.owner)?,
            manager: lessor_ledger::PluginName::new(self.manager)?,
            acquire_parameters: self.acquire_parameters.into(),
            release_parameters: self.release_parameters.into(),
            acquire_timeout: Span::from_nanos(self.acquire_timeout),
            lock_duration: Span::from_nanos(self.lock_duration),
            release_timeout: Span::from_nanos(self.release_timeout),
            started_at: Time::from_nanos(self.started_at),
            renewed_at: self.renewed_at.map(Time::from_nanos),
            phase: self.phase.build()?,
            targets: self.targets.into_iter().map(JobTargetRecord::build).collect::<Result<_, _>>()?,
            ending: self.ending.map(EndingRecord::build).transpose()?,
            failure: self.failure.map(Into::into),
        })
    }
}

impl PhaseRecord {
    fn of(phase: Phase) -> Self {
        let (kind, at, attempts, verdict) = match phase {
            Phase::Acquiring { until } => (ACQUIRING, until, None, None),
            Phase::Leased { until } => (LEASED, until, None, None),
            Phase::Releasing { attempt, until } => (RELEASING, until, Some(attempt), None),
            Phase::Stuck { attempts, retry_at } => (STUCK, retry_at, Some(attempts), None),
            Phase::Over { at, verdict } => (OVER, at, None, Some(put_verdict(verdict))),
        };
        Self { kind, at: at.nanos(), attempts, verdict }
    }

    fn build(self) -> Result<Phase, DecodeError> {
        let at = Time::from_nanos(self.at);
        match (self.kind, self.attempts, self.verdict) {
            (ACQUIRING, ..) => Ok(Phase::Acquiring { until: at }),
            (LEASED, ..) => Ok(Phase::Leased { until: at }),
            (RELEASING, Some(attempt), _) => Ok(Phase::Releasing { attempt, until: at }),
            (STUCK, Some(attempts), _) => Ok(Phase::Stuck { attempts, retry_at: at }),
            (OVER, _, Some(verdict)) => Ok(Phase::Over { at, verdict: get_verdict(verdict)? }),
            (other, ..) => Err(DecodeError::Code { what: "phase of a job", code: other.into() }),
        }
    }
}

impl<'a> EndingRecord<'a> {
    fn of(ending: &'a Ending) -> Self {
        Self { cause: put_cause(ending.cause), at: ending.at.nanos(), reason: ending.reason.as_deref() }
    }

    fn build(self) -> Result<Ending, DecodeError> {
        Ok(Ending {
            cause: get_cause(self.cause)?,
            at: Time::from_nanos(self.at),
            reason: self.reason.map(Into::into),
        })
    }
}

impl<'a> JobTargetRecord<'a> {
    fn of(target: &'a JobTarget) -> Self {
        let facts = &target.facts;
        Self {
            id: target.id.as_str(),
            fqdn: facts.fqdn.as_deref(),
            ipv4: facts.ipv4.as_deref(),
            ipv6: facts.ipv6.as_deref(),
            manager_state: facts.manager_state.as_deref(),
            labels: Pairs::of(&facts.labels),
        }
    }

    fn build(self) -> Result<JobTarget, DecodeError> {
        let facts = TargetFacts {
            fqdn: self.fqdn.map(Into::into),
            ipv4: self.ipv4.map(Into::into),
            ipv6: self.ipv6.map(Into::into),
            manager_state: self.manager_state.map(Into::into),
            labels: self.labels.into_map(),
        };
        Ok(JobTarget { id: Target::new(self.id)?, facts })
    }
}
