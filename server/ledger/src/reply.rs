//! Replies: what the ledger said yes with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::change::Change;
use crate::job::JobRecord;
use crate::lease::{Lease, LeaseId};
use crate::name::{Owner, Target};
use crate::place::Place;
use crate::plugin::PluginRecord;
use crate::refusal::Refusal;
use crate::request::{Request, RequestId};
use crate::resource::Resource;
use crate::time::Time;

/// What one command did.
#[must_use]
#[derive(Debug)]
pub struct Step {
    /// The answer.
    pub reply: Result<Reply, Refusal>,
    /// What happened, in order. After a refusal only what was due anyway.
    pub changes: Vec<Change>,
    /// Requests whose waiting ended in this step, whoever asked.
    pub settled: Vec<(RequestId, Settled)>,
}

/// How a request's waiting ended.
#[derive(Clone, Debug)]
pub enum Settled {
    /// It was granted.
    Granted(Box<Grant>),
    /// It was withdrawn or lapsed; see [`Request::outcome`].
    Ended(Arc<Request>),
}

/// The answer to a command that was not refused.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Done, nothing to tell.
    Done,
    /// Boskos: these resources are the caller's now.
    Held(Vec<Arc<Resource>>, Owner),
    /// Boskos: these were taken from these owners.
    Reset(BTreeMap<Target, Owner>),
    /// `ConTest`: these are locked, unlocked or refreshed.
    Locked(Vec<Target>),
    /// The lease as it is now.
    Granted(Box<Grant>),
    /// The idempotency key was used before and led to this lease, which is over: look it up in the history.
    Replayed(LeaseId),
    /// In line.
    Queued(Arc<Request>, Place),
    /// The request was settled before.
    Settled(Arc<Request>),
    /// What is left of the lease, or how it ended.
    Released(Arc<Lease>),
    /// The resource as it is now, and whether it is new.
    Edited(Arc<Resource>, bool),
    /// What a sync did: names of what was created and deleted, and of what has to wait because it is held.
    Synced(SyncReport),
    /// The job as it is now.
    Job(Arc<JobRecord>),
    /// The plugin as it is now, or was when it was removed.
    Plugin(Arc<PluginRecord>),
}

/// A lease with what is needed to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The lease.
    pub lease: Arc<Lease>,
    /// When the first of its locks ends; `None` for never.
    pub expires_at: Option<Time>,
    /// Whether it keeps anybody off; not if all of its locks have lapsed.
    pub live: bool,
    /// The registered ones among its targets.
    pub resources: Vec<Arc<Resource>>,
}

/// What a sync did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Resources that were created.
    pub created: Vec<Target>,
    /// Resources that were deleted.
    pub deleted: Vec<Target>,
    /// Resources that are to go or to move, but are held: done when they are given back.
    pub deferred: Vec<Target>,
}
