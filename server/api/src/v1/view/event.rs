//! Events.

use lessor_ledger::{Event, EventKind};
use serde::Serialize;
use utoipa::ToSchema;

use super::{cause, owned};
use crate::time::Stamp;

/// Name of a kind of event.
pub(crate) const fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::LeaseGranted => "lease-granted",
        EventKind::LeaseReduced => "lease-reduced",
        EventKind::LeaseEnded => "lease-ended",
        EventKind::LockLapsed => "lock-lapsed",
        EventKind::LockRevived => "lock-revived",
        EventKind::RequestQueued => "request-queued",
        EventKind::RequestWithdrawn => "request-withdrawn",
        EventKind::RequestLapsed => "request-lapsed",
        EventKind::ResourceCreated => "resource-created",
        EventKind::ResourceChanged => "resource-changed",
        EventKind::ResourceDeleted => "resource-deleted",
        EventKind::ResourceCordoned => "resource-cordoned",
        EventKind::ResourceUncordoned => "resource-uncordoned",
        EventKind::PoolCreated => "pool-created",
        EventKind::PoolChanged => "pool-changed",
        EventKind::PoolDeleted => "pool-deleted",
        EventKind::JobStarted => "job-started",
        EventKind::TargetAcquired => "target-acquired",
        EventKind::TargetAcquireErr => "target-acquire-err",
        EventKind::JobReleasing => "job-releasing",
        EventKind::JobReleaseFailed => "job-release-failed",
        EventKind::TargetReleased => "target-released",
        EventKind::JobCompleted => "job-completed",
        EventKind::JobFailed => "job-failed",
        EventKind::JobCancelled => "job-cancelled",
        EventKind::PluginInstalled => "plugin-installed",
        EventKind::PluginReplaced => "plugin-replaced",
        EventKind::PluginRolledBack => "plugin-rolled-back",
        EventKind::PluginEnabled => "plugin-enabled",
        EventKind::PluginDisabled => "plugin-disabled",
        EventKind::PluginRemoved => "plugin-removed",
        EventKind::PluginReloaded => "plugin-reloaded",
        EventKind::PluginQuarantined => "plugin-quarantined",
    }
}

/// One durable, numbered fact. What does not concern its kind is null.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventView {
    /// Its number: rises by one with every event, for ever.
    pub(crate) id: u64,
    /// When it happened.
    at: Stamp,
    /// What happened, e.g. `lease-granted`.
    pub(crate) kind: &'static str,
    /// To which target.
    target: Option<String>,
    /// In which pool.
    pool: Option<String>,
    /// By or to which lease.
    lease: Option<u64>,
    /// By or to which request.
    request: Option<u64>,
    /// Who holds, held, waits or waited; in a job's events the job itself, as `job:<number>`.
    owner: Option<String>,
    /// Which plugin, or the manager of which job.
    plugin: Option<String>,
    /// State before.
    from: Option<String>,
    /// State after.
    to: Option<String>,
    /// Why a lease lost the target.
    cause: Option<&'static str>,
    /// Anything said in words.
    note: Option<String>,
}

impl EventView {
    /// An event.
    pub(crate) fn of(event: &Event) -> Self {
        Self {
            id: event.id.0,
            at: Stamp(event.at),
            kind: kind(event.kind),
            target: owned(event.target.as_ref()),
            pool: owned(event.pool.as_ref()),
            lease: event.lease.map(|lease| lease.0),
            request: event.request.map(|request| request.0),
            owner: owned(event.owner.as_ref()),
            plugin: owned(event.plugin.as_ref()),
            from: owned(event.from.as_ref()),
            to: owned(event.to.as_ref()),
            cause: event.cause.map(cause),
            note: owned(event.note.as_ref()),
        }
    }
}
