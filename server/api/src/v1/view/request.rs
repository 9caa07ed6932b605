//! Requests and what they wait for.

use std::collections::BTreeMap;

use lessor_ledger::{Blocker, Outcome, Part, Place, Request, Wanted};
use serde::Serialize;
use utoipa::ToSchema;

use super::{dialect, millis, owned, pairs};
use crate::problem::ConflictView;
use crate::time::Stamp;
use crate::v1::body::Pairs;

/// Somebody waiting, or who waited not long ago.
#[derive(Serialize, ToSchema)]
#[schema(as = Request)]
pub(crate) struct RequestView {
    /// Its ID.
    id: u64,
    /// Who waits.
    owner: String,
    /// `waiting`, `granted`, `withdrawn` or `lapsed`.
    status: &'static str,
    /// What for: all of it at once, or nothing.
    requests: Vec<PartView>,
    /// State that the resources get with the grant.
    to_state: String,
    /// TTL that the lease gets, in milliseconds; null for the pool's.
    ttl_ms: Option<i64>,
    /// Higher goes first.
    priority: i32,
    /// What for, in the owner's words.
    purpose: Option<String>,
    /// The client's `request_id`.
    request_id: Option<String>,
    /// In which language it was asked: `v1` or `boskos`.
    dialect: &'static str,
    /// Since when it waits.
    since: Stamp,
    /// Until when it counts as alive without another sign of life.
    live_until: Stamp,
    /// Whether it fell silent: it keeps its place for a while, but holds nobody up.
    dormant: bool,
    /// 1 is next; null unless it waits.
    position: Option<u64>,
    /// What it waits for.
    waiting_for: Vec<BlockerView>,
    /// When it was settled; null while it waits.
    settled_at: Option<Stamp>,
    /// The lease that it was granted.
    lease: Option<u64>,
}

/// One thing that a request asks for.
#[derive(Serialize, ToSchema)]
#[schema(as = RequestPart)]
pub(crate) struct PartView {
    /// The pool; null for targets of any pool or none.
    pool: Option<String>,
    /// State that the resources must be in.
    state: String,
    /// How many.
    count: usize,
    /// Labels that they must carry.
    labels: BTreeMap<String, String>,
    /// Which targets; empty for any of the pool.
    targets: Vec<String>,
}

/// One thing that a request waits for.
#[derive(Serialize, ToSchema)]
#[schema(as = Blocker)]
pub(crate) struct BlockerView {
    /// The pool; null if it is about one unregistered target.
    pool: Option<String>,
    /// The state that resources of the pool must be in.
    state: Option<String>,
    /// The unregistered target.
    target: Option<String>,
    /// How many are wanted.
    count: u32,
    /// How many are there for it, after everybody ahead has had their share.
    there: u32,
    /// Whether there is no such pool, or none any more: waiting brings nothing before somebody makes it.
    pool_missing: bool,
    /// Who holds what it could use; a few of them.
    holders: Vec<ConflictView>,
}

impl RequestView {
    /// A request and, while it waits, its place.
    pub(crate) fn of(request: &Request, place: Option<&Place>) -> Self {
        let (status, lease) = match request.outcome {
            None => ("waiting", None),
            Some(Outcome::Granted { lease, .. }) => ("granted", Some(lease.0)),
            Some(Outcome::Withdrawn { .. }) => ("withdrawn", None),
            Some(Outcome::Lapsed { .. }) => ("lapsed", None),
        };
        Self {
            id: request.id.0,
            owner: request.owner.to_string(),
            status,
            requests: request.parts.iter().map(PartView::of).collect(),
            to_state: request.to_state.to_string(),
            ttl_ms: millis(request.ttl),
            priority: request.priority,
            purpose: owned(request.purpose.as_ref()),
            request_id: owned(request.key.as_ref()),
            dialect: dialect(request.dialect),
            since: Stamp(request.since),
            live_until: Stamp(request.live_until),
            dormant: request.dormant,
            position: place.map(|place| place.position),
            waiting_for: place
                .map_or_else(Vec::new, |place| place.blockers.iter().map(BlockerView::of).collect()),
            settled_at: request.outcome.map(|outcome| Stamp(outcome.at())),
            lease,
        }
    }
}

impl PartView {
    fn of(part: &Part) -> Self {
        match part {
            Part::Pool { pool, state, labels, count } => Self {
                pool: Some(pool.to_string()),
                state: state.to_string(),
                count: usize::try_from(*count).unwrap_or(usize::MAX),
                labels: pairs(labels),
                targets: Vec::new(),
            },
            Part::Named { targets, pool, state } => Self {
                pool: owned(pool.as_ref()),
                state: state.to_string(),
                count: targets.len(),
                labels: Pairs::new(),
                targets: targets.iter().map(ToString::to_string).collect(),
            },
        }
    }
}

impl BlockerView {
    fn of(blocker: &Blocker) -> Self {
        let (pool, state, target) = match &blocker.wanted {
            Wanted::Pool(pool, state) => (Some(pool.to_string()), Some(state.to_string()), None),
            Wanted::Target(target) => (None, None, Some(target.to_string())),
        };
        let holders = blocker.holders.iter().map(ConflictView::from).collect();
        let Blocker { count, there, pool_missing, .. } = *blocker;
        Self { pool, state, target, count, there, pool_missing, holders }
    }
}
