//! Events: durable, numbered facts, for history and for whoever follows along.

use crate::lease::{Cause, LeaseId};
use crate::name::{Owner, PluginName, PoolName, State, Target, Text};
use crate::request::RequestId;
use crate::time::Time;

/// Number of an event: rises by one with every event, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u64);

/// One fact. Fields that do not concern its kind are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub id: EventId,
    /// When it happened.
    pub at: Time,
    /// What happened.
    pub kind: EventKind,
    /// To which target.
    pub target: Option<Target>,
    /// In which pool.
    pub pool: Option<PoolName>,
    /// By or to which lease.
    pub lease: Option<LeaseId>,
    /// By or to which request.
    pub request: Option<RequestId>,
    /// Who holds, held, waits or waited; in a job's events the job itself, as `job:<number>`.
    pub owner: Option<Owner>,
    /// Which plugin, or the manager of which job.
    pub plugin: Option<PluginName>,
    /// State before.
    pub from: Option<State>,
    /// State after.
    pub to: Option<State>,
    /// Why a lease lost the target.
    pub cause: Option<Cause>,
    /// Anything said in words: a purpose, a reason, a message.
    pub note: Option<Text>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// A lease got the target; one event per target.
    LeaseGranted,
    /// A lease lost the target for the given cause, but holds others.
    LeaseReduced,
    /// A lease lost its last target for the given cause, and is over.
    LeaseEnded,
    /// A `ConTest` lock expired; its owner may still refresh it.
    LockLapsed,
    /// A lapsed `ConTest` lock was made live again by its owner.
    LockRevived,
    /// A request got in line.
    RequestQueued,
    /// A request was withdrawn.
    RequestWithdrawn,
    /// A request fell silent and lost its place.
    RequestLapsed,
    /// A resource appeared.
    ResourceCreated,
    /// A resource's state, labels, addresses, user data or pool changed outside of a lease's grant and end.
    ResourceChanged,
    /// A resource vanished.
    ResourceDeleted,
    /// A resource takes no new leases.
    ResourceCordoned,
    /// A resource takes leases again.
    ResourceUncordoned,
    /// A pool appeared.
    PoolCreated,
    /// A pool's settings changed.
    PoolChanged,
    /// A pool vanished.
    PoolDeleted,
    /// A job was submitted (`ConTest`: `JobStateStarted`).
    JobStarted,
    /// A job got this target; one event per target, in the order in which the manager returned them.
    TargetAcquired,
    /// The manager of a job could not acquire, or what it returned could not be locked.
    TargetAcquireErr,
    /// A job ends for the reason in the note: its manager is asked to release.
    JobReleasing,
    /// The manager of a job could not release; the note says why, and it will be asked again.
    JobReleaseFailed,
    /// The manager of a job has released this target, or was not asked any more; it is unlocked next.
    TargetReleased,
    /// A job was acquired and released as its owner wished (`ConTest`: `JobStateCompleted`).
    JobCompleted,
    /// A job was not acquired, or its release was given up (`ConTest`: `JobStateFailed`).
    JobFailed,
    /// A job was ended early or lost its lease (`ConTest`: `JobStateCancelled`).
    JobCancelled,
    /// A plugin was installed; the note has the component's digest.
    PluginInstalled,
    /// A plugin runs another component or with other settings; the note has the component's digest.
    PluginReplaced,
    /// A plugin runs what it ran before; the note has the component's digest.
    PluginRolledBack,
    /// A plugin takes calls.
    PluginEnabled,
    /// A plugin takes no calls.
    PluginDisabled,
    /// A plugin is gone.
    PluginRemoved,
    /// A plugin was read again, and is the same; the note has the component's digest.
    PluginReloaded,
    /// A plugin broke too often and is kept from new jobs; the note says how.
    PluginQuarantined,
}

impl EventKind {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 33] = [
        Self::LeaseGranted,
        Self::LeaseReduced,
        Self::LeaseEnded,
        Self::LockLapsed,
        Self::LockRevived,
        Self::RequestQueued,
        Self::RequestWithdrawn,
        Self::RequestLapsed,
        Self::ResourceCreated,
        Self::ResourceChanged,
        Self::ResourceDeleted,
        Self::ResourceCordoned,
        Self::ResourceUncordoned,
        Self::PoolCreated,
        Self::PoolChanged,
        Self::PoolDeleted,
        Self::JobStarted,
        Self::TargetAcquired,
        Self::TargetAcquireErr,
        Self::JobReleasing,
        Self::JobReleaseFailed,
        Self::TargetReleased,
        Self::JobCompleted,
        Self::JobFailed,
        Self::JobCancelled,
        Self::PluginInstalled,
        Self::PluginReplaced,
        Self::PluginRolledBack,
        Self::PluginEnabled,
        Self::PluginDisabled,
        Self::PluginRemoved,
        Self::PluginReloaded,
        Self::PluginQuarantined,
    ];
}
