//! The stored forms of a request and an idempotency key.

use lessor_ledger::{Answer, Job, Key, LeaseId, Outcome, Part, Request, RequestId, Span, Time};
use minicbor::{Decode, Encode};

use super::field::{Pairs, Targets};
use super::lease::{get_dialect, put_dialect};
use super::{DecodeError, Names, Record};

#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct RequestRecord<'a> {
    #[n(0)]
    id: u64,
    #[n(1)]
    owner: &'a str,
    #[n(2)]
    dialect: u8,
    #[b(3)]
    parts: Vec<PartRecord<'a>>,
    #[n(4)]
    to_state: &'a str,
    #[n(5)]
    ttl: Option<i64>,
    #[n(6)]
    priority: i32,
    #[n(7)]
    purpose: Option<&'a str>,
    #[n(8)]
    key: Option<&'a str>,
    #[n(9)]
    since: i64,
    #[n(10)]
    live_until: i64,
    #[n(11)]
    #[cbor(default)]
    dormant: bool,
    #[n(12)]
    outcome: Option<OutcomeRecord>,
}

/// Asks for named targets if `targets` is there, else for `count` resources of `pool`.
#[derive(Encode, Decode)]
#[cbor(map)]
struct PartRecord<'a> {
    #[n(0)]
    pool: Option<&'a str>,
    #[n(1)]
    state: &'a str,
    #[n(2)]
    labels: Pairs<'a>,
    #[n(3)]
    count: Option<u32>,
    #[n(4)]
    targets: Option<Targets<'a>>,
}

/// Granted if `lease` is there; else withdrawn, unless `lapsed`.
#[derive(Encode, Decode)]
#[cbor(map)]
struct OutcomeRecord {
    #[n(0)]
    at: i64,
    #[n(1)]
    lease: Option<u64>,
    #[n(2)]
    #[cbor(default)]
    lapsed: bool,
}

#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeyRecord<'a> {
    #[n(0)]
    owner: &'a str,
    #[n(1)]
    text: &'a str,
    #[n(2)]
    fingerprint: u64,
    #[n(3)]
    lease: Option<u64>,
    #[n(4)]
    request: Option<u64>,
    #[n(5)]
    at: i64,
    #[n(6)]
    job: Option<u64>,
}

impl<'a> Record<'a> for RequestRecord<'a> {
    type Of = Request;

    fn of(request: &'a Request) -> Self {
        Self {
            id: request.id.0,
            owner: request.owner.as_str(),
            dialect: put_dialect(request.dialect),
            parts: request.parts.iter().map(PartRecord::of).collect(),
            to_state: request.to_state.as_str(),
            ttl: request.ttl.map(Span::nanos),
            priority: request.priority,
            purpose: request.purpose.as_deref(),
            key: request.key.as_deref(),
            since: request.since.nanos(),
            live_until: request.live_until.nanos(),
            dormant: request.dormant,
            outcome: request.outcome.map(OutcomeRecord::of),
        }
    }

    fn build(self, names: &mut Names) -> Result<Request, DecodeError> {
        let parts = self.parts.into_iter().map(|part| part.build(names)).collect::<Result<_, _>>()?;
        Ok(Request {
            id: RequestId(self.id),
            owner: names.owner(self.owner)?,
            dialect: get_dialect(self.dialect)?,
            parts,
            to_state: names.state(self.to_state)?,
            ttl: self.ttl.map(Span::from_nanos),
            priority: self.priority,
            purpose: self.purpose.map(Into::into),
            key: self.key.map(Into::into),
            since: Time::from_nanos(self.since),
            live_until: Time::from_nanos(self.live_until),
            dormant: self.dormant,
            outcome: self.outcome.map(OutcomeRecord::build),
        })
    }
}

impl<'a> PartRecord<'a> {
    fn of(part: &'a Part) -> Self {
        match part {
            Part::Pool { pool, state, labels, count } => Self {
                pool: Some(pool.as_str()),
                state: state.as_str(),
                labels: Pairs::of(labels),
                count: Some(*count),
                targets: None,
            },
            Part::Named { targets, pool, state } => Self {
                pool: pool.as_ref().map(lessor_ledger::PoolName::as_str),
                state: state.as_str(),
                labels: Pairs(std::borrow::Cow::Owned(std::collections::BTreeMap::new())),
                count: None,
                targets: Some(Targets::of(targets)),
            },
        }
    }

    fn build(self, names: &mut Names) -> Result<Part, DecodeError> {
        let pool = self.pool.map(|pool| names.pool(pool)).transpose()?;
        let state = names.state(self.state)?;
        match (self.targets, pool) {
            (Some(targets), pool) => Ok(Part::Named { targets: targets.into_vec(), pool, state }),
            (None, Some(pool)) => {
                Ok(Part::Pool { pool, state, labels: self.labels.into_map(), count: self.count.unwrap_or(1) })
            }
            (None, None) => Err(DecodeError::Cbor(minicbor::decode::Error::message("a part without pool"))),
        }
    }
}

impl OutcomeRecord {
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Granted { lease, at } => Self { at: at.nanos(), lease: Some(lease.0), lapsed: false },
            Outcome::Withdrawn { at } => Self { at: at.nanos(), lease: None, lapsed: false },
            Outcome::Lapsed { at } => Self { at: at.nanos(), lease: None, lapsed: true },
        }
    }

    fn build(self) -> Outcome {
        let at = Time::from_nanos(self.at);
        match self.lease {
            Some(lease) => Outcome::Granted { lease: LeaseId(lease), at },
            None if self.lapsed => Outcome::Lapsed { at },
            None => Outcome::Withdrawn { at },
        }
    }
}

impl<'a> Record<'a> for KeyRecord<'a> {
    type Of = Key;

    fn of(key: &'a Key) -> Self {
        let (lease, request, job) = match key.outcome {
            Answer::Lease(lease) => (Some(lease.0), None, None),
            Answer::Request(request) => (None, Some(request.0), None),
            Answer::Job(job) => (None, None, Some(job.0)),
        };
        Self {
            owner: key.owner.as_str(),
            text: &key.text,
            fingerprint: key.fingerprint,
            lease,
            request,
            at: key.at.nanos(),
            job,
        }
    }

    fn build(self, names: &mut Names) -> Result<Key, DecodeError> {
        let outcome = match (self.lease, self.request, self.job) {
            (Some(lease), ..) => Answer::Lease(LeaseId(lease)),
            (None, Some(request), _) => Answer::Request(RequestId(request)),
            (None, None, Some(job)) => Answer::Job(Job(job)),
            (None, None, None) => {
                return Err(DecodeError::Cbor(minicbor::decode::Error::message("a key without answer")));
            }
        };
        Ok(Key {
            owner: names.owner(self.owner)?,
            text: self.text.into(),
            fingerprint: self.fingerprint,
            outcome,
            at: Time::from_nanos(self.at),
        })
    }
}
