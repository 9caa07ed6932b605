//! Changes: what a step did, as records. The store keeps them, recovery absorbs them.

use std::sync::Arc;

use crate::event::Event;
use crate::job::JobRecord;
use crate::lease::{Lease, LeaseId, Lock};
use crate::name::{Job, Owner, PluginName, PoolName, Target, Text};
use crate::plugin::PluginRecord;
use crate::pool::Pool;
use crate::request::{Request, RequestId};
use crate::resource::Resource;
use crate::time::Time;

/// What a record *is now*, or that it is gone; never a difference, so absorbing one twice is harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This is the pool now.
    Pool(Arc<Pool>),
    /// There is no such pool any more.
    PoolGone(PoolName),
    /// This is the resource now.
    Resource(Arc<Resource>),
    /// There is no such resource any more.
    ResourceGone(Target),
    /// This is the target's entry in the lock table now.
    Lock(Arc<Lock>),
    /// The target has no entry in the lock table any more.
    LockGone(Target),
    /// This is the lease now. Once [`Lease::ended`] is set it leaves the ledger and belongs to history.
    Lease(Arc<Lease>),
    /// This is the request now.
    Request(Arc<Request>),
    /// The request is forgotten.
    RequestGone(RequestId),
    /// This is what an idempotency key stands for now.
    Key(Arc<Key>),
    /// The idempotency key is forgotten.
    KeyGone(Owner, Text),
    /// This is the job now.
    Job(Arc<JobRecord>),
    /// The job is forgotten.
    JobGone(Job),
    /// This is the plugin now.
    Plugin(Arc<PluginRecord>),
    /// There is no such plugin any more.
    PluginGone(PluginName),
    /// This happened.
    Event(Arc<Event>),
}

/// What became of the `/v1` acquire or start of a job that carried this idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Who sent it; two owners may use the same text.
    pub owner: Owner,
    /// The `Idempotency-Key` or `request_id`.
    pub text: Text,
    /// Fingerprint of the request body, so that the same key with another body is refused.
    pub fingerprint: u64,
    /// What the first use led to.
    pub outcome: Answer,
    /// When it was first used.
    pub at: Time,
}

/// What the first use of an idempotency key led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A lease.
    Lease(LeaseId),
    /// A place in line.
    Request(RequestId),
    /// A job.
    Job(Job),
}

/// The highest numbers given out so far. Kept apart from the records, because those may be trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// Highest lease ID or job number.
    pub lease: u64,
    /// Highest request ID.
    pub request: u64,
    /// Highest event number.
    pub event: u64,
    /// Highest revision of a resource.
    pub revision: u64,
}

impl Counters {
    /// The larger of both, field by field.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            lease: self.lease.max(other.lease),
            request: self.request.max(other.request),
            event: self.event.max(other.event),
            revision: self.revision.max(other.revision),
        }
    }

    /// Makes sure that the revision of `resource` is never given out again.
    pub(crate) fn cover_revision(&mut self, resource: &Resource) {
        self.revision = self.revision.max(resource.revision);
    }

    /// Makes sure that the numbers in `change` are never given out again.
    pub(crate) fn cover(&mut self, change: &Change) {
        match change {
            Change::Lease(lease) => self.lease = self.lease.max(lease.id.0),
            Change::Request(request) => self.request = self.request.max(request.id.0),
            Change::Event(event) => self.event = self.event.max(event.id.0),
            Change::Job(job) => self.lease = self.lease.max(job.id.counted()),
            Change::Resource(resource) => self.cover_revision(resource),
            Change::Pool(_)
            | Change::PoolGone(_)
            | Change::ResourceGone(_)
            | Change::Lock(_)
            | Change::LockGone(_)
            | Change::RequestGone(_)
            | Change::Key(_)
            | Change::KeyGone(..)
            | Change::JobGone(_)
            | Change::Plugin(_)
            | Change::PluginGone(_) => {}
        }
    }
}
