//! The stored form of an event.

use lessor_ledger::{Event, EventId, LeaseId, PluginName, RequestId, Target, Time};
use minicbor::{Decode, Encode};

use super::field::codes;
use super::lease::{get_cause, put_cause};
use super::{DecodeError, Names, Record};

codes!(EventKind, "event kind", put_kind, get_kind, {
    LeaseGranted = 0,
    LeaseReduced = 1,
    LeaseEnded = 2,
    LockLapsed = 3,
    LockRevived = 4,
    RequestQueued = 5,
    RequestWithdrawn = 6,
    RequestLapsed = 7,
    ResourceCreated = 8,
    ResourceChanged = 9,
    ResourceDeleted = 10,
    ResourceCordoned = 11,
    ResourceUncordoned = 12,
    PoolCreated = 13,
    PoolChanged = 14,
    PoolDeleted = 15,
    JobStarted = 16,
    TargetAcquired = 17,
    TargetAcquireErr = 18,
    JobReleasing = 19,
    JobReleaseFailed = 20,
    TargetReleased = 21,
    JobCompleted = 22,
    JobFailed = 23,
    JobCancelled = 24,
    PluginInstalled = 25,
    PluginReplaced = 26,
    PluginRolledBack = 27,
    PluginEnabled = 28,
    PluginDisabled = 29,
    PluginRemoved = 30,
    PluginReloaded = 31,
    PluginQuarantined = 32,
});

#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct EventRecord<'a> {
    #[n(0)]
    pub(crate) id: u64,
    #[n(1)]
    at: i64,
    #[n(2)]
    kind: u8,
    #[n(3)]
    target: Option<&'a str>,
    #[n(4)]
    pool: Option<&'a str>,
    #[n(5)]
    lease: Option<u64>,
    #[n(6)]
    request: Option<u64>,
    #[n(7)]
    owner: Option<&'a str>,
    #[n(8)]
    from: Option<&'a str>,
    #[n(9)]
    to: Option<&'a str>,
    #[n(10)]
    cause: Option<u8>,
    #[n(11)]
    note: Option<&'a str>,
    #[n(12)]
    plugin: Option<&'a str>,
}

impl<'a> Record<'a> for EventRecord<'a> {
    type Of = Event;

    fn of(event: &'a Event) -> Self {
        Self {
            id: event.id.0,
            at: event.at.nanos(),
            kind: put_kind(event.kind),
            target: event.target.as_ref().map(lessor_ledger::Target::as_str),
            pool: event.pool.as_ref().map(lessor_ledger::PoolName::as_str),
            lease: event.lease.map(|lease| lease.0),
            request: event.request.map(|request| request.0),
            owner: event.owner.as_ref().map(lessor_ledger::Owner::as_str),
            from: event.from.as_ref().map(lessor_ledger::State::as_str),
            to: event.to.as_ref().map(lessor_ledger::State::as_str),
            cause: event.cause.map(put_cause),
            note: event.note.as_deref(),
            plugin: event.plugin.as_ref().map(PluginName::as_str),
        }
    }

    fn build(self, names: &mut Names) -> Result<Event, DecodeError> {
        Ok(Event {
            id: EventId(self.id),
            at: Time::from_nanos(self.at),
            kind: get_kind(self.kind)?,
            target: self.target.map(Target::new).transpose()?,
            pool: self.pool.map(|name| names.pool(name)).transpose()?,
            lease: self.lease.map(LeaseId),
            request: self.request.map(RequestId),
            owner: self.owner.map(|name| names.owner(name)).transpose()?,
            from: self.from.map(|name| names.state(name)).transpose()?,
            to: self.to.map(|name| names.state(name)).transpose()?,
            cause: self.cause.map(get_cause).transpose()?,
            note: self.note.map(Into::into),
            plugin: self.plugin.map(PluginName::new).transpose()?,
        })
    }
}
