//! Requests: who waits for what, since when, and what became of it.

use std::collections::BTreeMap;

use crate::lease::{Dialect, LeaseId};
use crate::name::{Owner, PoolName, State, Target, Text};
use crate::time::{Span, Time};

/// ID of a request; also its place among requests of equal priority, because it only ever grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Somebody waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its ID.
    pub id: RequestId,
    /// Who waits.
    pub owner: Owner,
    /// The language in which it was asked.
    ///
    /// A [`Dialect::Boskos`] poller is granted when it polls; a [`Dialect::V1`] request by the release itself.
    pub dialect: Dialect,
    /// What for: all of it at once, or nothing.
    pub parts: Vec<Part>,
    /// State that the resources get with the grant.
    pub to_state: State,
    /// TTL of the lease; `None` takes the pool's.
    pub ttl: Option<Span>,
    /// Higher goes first.
    pub priority: i32,
    /// What for, in the owner's words.
    pub purpose: Option<Text>,
    /// The client's `request_id`.
    pub key: Option<Text>,
    /// Since when it waits.
    pub since: Time,
    /// Until when it counts as alive, the instant itself included; moved on by every sign of life.
    pub live_until: Time,
    /// Whether it has been seen silent past `live_until`: it keeps its place for
    /// [`REQUEST_GRACE`](crate::limits::REQUEST_GRACE) but holds nobody up.
    pub dormant: bool,
    /// What became of it; `None` while it waits.
    pub outcome: Option<Outcome>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was granted this lease.
    Granted {
        /// The lease.
        lease: LeaseId,
        /// When.
        at: Time,
    },
    /// It was withdrawn by its owner or an operator.
    Withdrawn {
        /// When.
        at: Time,
    },
    /// Nobody asked for it any more.
    Lapsed {
        /// When.
        at: Time,
    },
}

/// One thing that a request or an acquire asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Any `count` resources of `pool` that are in `state` and carry all of `labels`.
    Pool {
        /// The pool.
        pool: PoolName,
        /// The state that they must be in.
        state: State,
        /// Labels that they must carry.
        labels: BTreeMap<Text, Text>,
        /// How many, at least 1.
        count: u32,
    },
    /// These targets. A registered one must be in `state`; any other name is simply locked.
    Named {
        /// The targets, without repetition.
        targets: Vec<Target>,
        /// If set, each must be a resource of this pool.
        pool: Option<PoolName>,
        /// State that the registered ones must be in.
        state: State,
    },
}

/// What matching the parts with labels costs: as many looks as there are such parts, for each target that they want together.
/// A part alone has nothing to be matched with.
pub(crate) fn matching(parts: &[Part]) -> usize {
    let wanted = parts.iter().filter_map(|part| match part {
        Part::Pool { labels, count, .. } if !labels.is_empty() => Some(*count as usize),
        _ => None,
    });
    let (by_labels, targets) =
        wanted.fold((0_usize, 0_usize), |(n, sum), count| (n + 1, sum.saturating_add(count)));
    if by_labels > 1 { by_labels.saturating_mul(targets) } else { 0 }
}

impl Request {
    /// How much it asks for: its parts, and the names and labels in them, each of which takes room in the indexes.
    #[must_use]
    pub fn size(&self) -> usize {
        let said = self.parts.iter().map(|part| match part {
            Part::Pool { labels, .. } => 1 + labels.len(),
            Part::Named { targets, .. } => 1 + targets.len(),
        });
        said.sum()
    }

    /// Whether it still waits.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.outcome.is_none()
    }
}

impl Outcome {
    /// When the request was settled.
    #[must_use]
    pub fn at(self) -> Time {
        match self {
            Self::Granted { at, .. } | Self::Withdrawn { at } | Self::Lapsed { at } => at,
        }
    }
}
