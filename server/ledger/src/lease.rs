//! Locks and leases: who holds what, since when, until when.

use std::collections::BTreeMap;

use crate::name::{Owner, State, Target, Text};
use crate::request::RequestId;
use crate::time::{Span, Time};

/// ID of a lease, and its fence: only ever grows, never used twice, across restarts and crashes (promise P2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub u64);

impl std::fmt::Display for LeaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// One entry of the lock table. A target has at most one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// What is locked; need not be a registered resource.
    pub target: Target,
    /// The lease that it belongs to.
    pub lease: LeaseId,
    /// Who holds it; the same as the lease's owner.
    pub owner: Owner,
    /// When its owner took it; kept when the deadline moves.
    pub taken_at: Time,
    /// Until when it is live, the instant itself included; `None` for ever.
    pub deadline: Option<Time>,
    /// Whether it has been seen expired. Only `ConTest` locks stay in the table then, for their owner to refresh
    /// or unlock (`reference/contest.md` rules 8 and 9).
    pub lapsed: bool,
}

/// One grant to one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its ID and fence.
    pub id: LeaseId,
    /// Who holds it.
    pub owner: Owner,
    /// The language in which it was asked for.
    pub dialect: Dialect,
    /// What it holds, in the order asked for, within a pool in the order of picking (the least recently written
    /// first); once ended, what it held last. Never empty.
    pub targets: Vec<Target>,
    /// What it held and gave back, or lost, before its end.
    pub returned: Vec<Target>,
    /// When it was granted.
    pub granted_at: Time,
    /// When it was last renewed, or granted. A `ConTest` job renews by refreshing, or locking again, any of it.
    pub renewed_at: Time,
    /// What a renewal adds to the time of the renewal; `None` for a lease without deadline.
    pub ttl: Option<Span>,
    /// What for, in the owner's words.
    pub purpose: Option<Text>,
    /// The client's `request_id`, if it sent one.
    pub key: Option<Text>,
    /// The request that waited for it, if it was not granted at once.
    pub request: Option<RequestId>,
    /// Set while nobody has shown to know of it: it was granted to somebody in line who was not there.
    pub pickup: Option<Box<Pickup>>,
    /// Set once it is over.
    pub ended: Option<Ended>,
}

/// What becomes of a lease that was granted to somebody in line and that nobody collects.
///
/// Whoever waits in line may die there with its place kept. A watch, a poll of the request, the same acquire again, a
/// renewal and a release collect the lease; without any of them it is taken back, so that the next in line need not
/// wait for its whole TTL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pickup {
    /// Until when it can be collected, the instant itself included.
    pub by: Time,
    /// The state that each registered target had, and gets back.
    pub before: BTreeMap<Target, State>,
}

/// The language in which a lease or request was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// Boskos: held until released, unless the pool says otherwise.
    Boskos,
    /// `ConTest` locker: each target with its own deadline; expired locks stay with their owner until taken over.
    Contest,
    /// Lessor's own: one TTL for all targets.
    V1,
}

/// How a lease ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Time,
    /// Why.
    pub cause: Cause,
    /// Whoever ended it in the owner's place, if they said who they are.
    pub by: Option<Owner>,
    /// What they said.
    pub reason: Option<Text>,
}

/// Why a lease lost a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its owner gave it back.
    Released,
    /// Its deadline passed.
    Expired,
    /// It was taken back by the pool's `reap-after`.
    Reaped,
    /// It was taken back by a Boskos `/reset`.
    Reset,
    /// Somebody ended it in the owner's place.
    Forced,
    /// It had lapsed and somebody else took the target.
    TakenOver,
    /// It had lapsed and nobody refreshed it for a day.
    Collected,
    /// The resource was deleted.
    Deleted,
    /// The built-in cleaner took it from a resource that was going away.
    Cleaned,
    /// It was granted to somebody in line who never came for it.
    Uncollected,
}

impl Lock {
    /// Whether the lock keeps others out at `now`. At the deadline itself it still does
    /// (`reference/contest.md` rule 7).
    #[must_use]
    pub fn live(&self, now: Time) -> bool {
        !self.lapsed && self.deadline.is_none_or(|deadline| now <= deadline)
    }
}
