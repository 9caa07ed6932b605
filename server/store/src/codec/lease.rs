//! The stored forms of a lock and a lease.

use std::borrow::Cow;

use lessor_ledger::{Ended, Lease, LeaseId, Lock, Pickup, RequestId, Span, Target, Text, Time};
use minicbor::{Decode, Encode};

use super::field::{Pairs, Targets, codes};
use super::{DecodeError, Names, Record};

codes!(Dialect, "dialect", put_dialect, get_dialect, { Boskos = 0, Contest = 1, V1 = 2 });
codes!(Cause, "cause", put_cause, get_cause, {
    Released = 0,
    Expired = 1,
    Reaped = 2,
    Reset = 3,
    Forced = 4,
    TakenOver = 5,
    Collected = 6,
    Deleted = 7,
    Cleaned = 8,
    Uncollected = 9,
});

#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct LockRecord<'a> {
    #[n(0)]
    target: &'a str,
    #[n(1)]
    lease: u64,
    #[n(2)]
    owner: &'a str,
    #[n(3)]
    taken_at: i64,
    #[n(4)]
    deadline: Option<i64>,
    #[n(5)]
    #[cbor(default)]
    lapsed: bool,
}

#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct LeaseRecord<'a> {
    #[n(0)]
    id: u64,
    #[n(1)]
    owner: &'a str,
    #[n(2)]
    dialect: u8,
    #[n(3)]
    targets: Targets<'a>,
    #[n(4)]
    returned: Targets<'a>,
    #[n(5)]
    granted_at: i64,
    #[n(6)]
    renewed_at: i64,
    #[n(7)]
    ttl: Option<i64>,
    #[n(8)]
    purpose: Option<&'a str>,
    #[n(9)]
    key: Option<&'a str>,
    #[n(10)]
    request: Option<u64>,
    #[b(11)]
    ended: Option<EndedRecord<'a>>,
    #[b(12)]
    pickup: Option<PickupRecord<'a>>,
}

/// `before` has states by target.
#[derive(Encode, Decode)]
#[cbor(map)]
struct PickupRecord<'a> {
    #[n(0)]
    by: i64,
    #[n(1)]
    before: Pairs<'a>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct EndedRecord<'a> {
    #[n(0)]
    at: i64,
    #[n(1)]
    cause: u8,
    #[n(2)]
    by: Option<&'a str>,
    #[n(3)]
    reason: Option<&'a str>,
}

/// The part of a lease record that says whether it is over, so that a scan need not build the rest.
#[derive(Decode)]
#[cbor(map)]
pub(super) struct LeaseEnd<'a> {
    #[n(0)]
    pub(super) id: u64,
    #[b(11)]
    ended: Option<EndedRecord<'a>>,
}

impl LeaseEnd<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.ended.is_some()
    }
}

impl<'a> Record<'a> for LockRecord<'a> {
    type Of = Lock;

    fn of(lock: &'a Lock) -> Self {
        Self {
            target: lock.target.as_str(),
            lease: lock.lease.0,
            owner: lock.owner.as_str(),
            taken_at: lock.taken_at.nanos(),
            deadline: lock.deadline.map(Time::nanos),
            lapsed: lock.lapsed,
        }
    }

    fn build(self, names: &mut Names) -> Result<Lock, DecodeError> {
        Ok(Lock {
            target: Target::new(self.target)?,
            lease: LeaseId(self.lease),
            owner: names.owner(self.owner)?,
            taken_at: Time::from_nanos(self.taken_at),
            deadline: self.deadline.map(Time::from_nanos),
            lapsed: self.lapsed,
        })
    }
}

impl<'a> Record<'a> for LeaseRecord<'a> {
    type Of = Lease;

    fn of(lease: &'a Lease) -> Self {
        Self {
            id: lease.id.0,
            owner: lease.owner.as_str(),
            dialect: put_dialect(lease.dialect),
            targets: Targets::of(&lease.targets),
            returned: Targets::of(&lease.returned),
            granted_at: lease.granted_at.nanos(),
            renewed_at: lease.renewed_at.nanos(),
            ttl: lease.ttl.map(Span::nanos),
            purpose: lease.purpose.as_deref(),
            key: lease.key.as_deref(),
            request: lease.request.map(|request| request.0),
            ended: lease.ended.as_ref().map(|ended| EndedRecord {
                at: ended.at.nanos(),
                cause: put_cause(ended.cause),
                by: ended.by.as_ref().map(lessor_ledger::Owner::as_str),
                reason: ended.reason.as_deref(),
            }),
            pickup: lease.pickup.as_deref().map(PickupRecord::of),
        }
    }

    fn build(self, names: &mut Names) -> Result<Lease, DecodeError> {
        let ended = match self.ended {
            None => None,
            Some(ended) => Some(Ended {
                at: Time::from_nanos(ended.at),
                cause: get_cause(ended.cause)?,
                by: ended.by.map(|by| names.owner(by)).transpose()?,
                reason: ended.reason.map(Into::into),
            }),
        };
        Ok(Lease {
            id: LeaseId(self.id),
            owner: names.owner(self.owner)?,
            dialect: get_dialect(self.dialect)?,
            targets: self.targets.into_vec(),
            returned: self.returned.into_vec(),
            granted_at: Time::from_nanos(self.granted_at),
            renewed_at: Time::from_nanos(self.renewed_at),
            ttl: self.ttl.map(Span::from_nanos),
            purpose: self.purpose.map(Into::into),
            key: self.key.map(Into::into),
            request: self.request.map(RequestId),
            pickup: self.pickup.map(|pickup| pickup.build(names)).transpose()?,
            ended,
        })
    }
}

impl PickupRecord<'_> {
    fn of(pickup: &Pickup) -> Self {
        let text = |name: &str| Text::from(name);
        let before =
            pickup.before.iter().map(|(target, state)| (text(target.as_str()), text(state.as_str())));
        Self { by: pickup.by.nanos(), before: Pairs(Cow::Owned(before.collect())) }
    }

    fn build(self, names: &mut Names) -> Result<Box<Pickup>, DecodeError> {
        let before = self.before.into_map().into_iter();
        let before = before.map(|(target, state)| Ok((Target::new(&*target)?, names.state(&state)?)));
        let before = before.collect::<Result<_, DecodeError>>()?;
        Ok(Box::new(Pickup { by: Time::from_nanos(self.by), before }))
    }
}
