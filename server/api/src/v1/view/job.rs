//! Jobs.

use std::collections::BTreeMap;

use lessor_ledger::{EndCause, JobRecord, JobTarget, Ledger, Phase, Text, Time};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{owned, pairs};
use crate::limits::LISTED_TARGETS_MAX;
use crate::time::Stamp;

/// Targets that a target manager acquires for somebody, leases to them, and releases.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobView {
    /// Its number: only ever grows, never used twice.
    id: u64,
    /// Who asked for it.
    owner: String,
    /// Who holds its locks: `job:<id>`.
    holder: String,
    /// The plugin that acquires and releases.
    target_manager: String,
    /// `acquiring`, `leased`, `releasing`, `stuck` (could not be released, and is tried again), or how it is over:
    /// `completed`, `failed`, `cancelled`.
    phase: &'static str,
    /// What was acquired, in the manager's order; what the job lost is left out. In a list, the first few by name.
    targets: Vec<JobTargetView>,
    /// How many targets there are.
    target_count: usize,
    /// What the manager was asked for; null if nothing was given. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    acquire_parameters: Option<Value>,
    /// What the manager is told when it releases; null if nothing was given. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_parameters: Option<Value>,
    /// How long acquiring may take, in milliseconds.
    acquire_timeout_ms: i64,
    /// How long the targets are leased from each renewal on, in milliseconds: what was asked for, or the least `max-ttl` of
    /// their pools.
    lock_duration_ms: i64,
    /// How long one attempt to release may take, in milliseconds.
    release_timeout_ms: i64,
    /// When it was submitted.
    started_at: Stamp,
    /// When it was acquired or last renewed; null before.
    renewed_at: Option<Stamp>,
    /// Until when it is leased unless it is renewed; null in every other phase.
    expires_at: Option<Stamp>,
    /// How much of it is left as the server sees it, in milliseconds.
    remaining_ms: Option<i64>,
    /// Until when the call that is under way may take: acquiring, or the attempt to release.
    call_ends_at: Option<Stamp>,
    /// Which attempt to release is under way, or how many have failed; null before the first.
    attempts: Option<u32>,
    /// When a stuck job is tried again.
    retry_at: Option<Stamp>,
    /// When it was over.
    ended_at: Option<Stamp>,
    /// Why it ends or ended: `asked`, `expired`, `lost`, `not-acquired`, `acquire-timeout` or `interrupted`.
    cause: Option<&'static str>,
    /// The same in words: who ended it, which target was lost to whom, what the manager said.
    reason: Option<String>,
    /// What the manager said when it last failed.
    failure: Option<String>,
}

/// A target as its manager returned it. What it did not say is left out.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = JobTarget)]
pub(crate) struct JobTargetView {
    /// What is locked.
    id: String,
    /// The lease by which it is locked, to send along to whatever can refuse a stale holder; gone once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    fence: Option<u64>,
    /// Fully qualified domain name.
    #[serde(skip_serializing_if = "Option::is_none")]
    fqdn: Option<String>,
    /// Primary IPv4 address, as the manager wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ipv4: Option<String>,
    /// Primary IPv6 address, as the manager wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ipv6: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    /// The manager's own: what it set when it acquired, and gets back when it releases.
    #[serde(skip_serializing_if = "Value::is_null")]
    manager_state: Value,
}

impl JobView {
    /// A job as it stands in `ledger`.
    pub(crate) fn of(job: &JobRecord, ledger: &Ledger, now: Time) -> Self {
        let targets = job.targets.iter().map(|target| JobTargetView::of(target, job, ledger));
        Self {
            targets: targets.collect(),
            acquire_parameters: Some(value(Some(&job.acquire_parameters))),
            release_parameters: Some(value(Some(&job.release_parameters))),
            ..Self::row(job, ledger, now)
        }
    }

    /// The same in a list: without what may be large.
    pub(crate) fn row(job: &JobRecord, ledger: &Ledger, now: Time) -> Self {
        let named = job.targets.iter().take(LISTED_TARGETS_MAX);
        let ending = job.ending.as_ref();
        let expires_at = job.leased_until();
        let (call_ends_at, attempts, retry_at, ended_at) = match job.phase {
            Phase::Acquiring { until } => (Some(until), None, None, None),
            Phase::Leased { .. } => (None, None, None, None),
            Phase::Releasing { attempt, until } => (Some(until), Some(attempt), None, None),
            Phase::Stuck { attempts, retry_at } => (None, Some(attempts), Some(retry_at), None),
            Phase::Over { at, .. } => (None, None, None, Some(at)),
        };
        Self {
            id: job.id.0,
            owner: job.owner.to_string(),
            holder: job.holder().to_string(),
            target_manager: job.manager.to_string(),
            phase: job.phase.name(),
            targets: named.map(|target| JobTargetView::named(target, job, ledger)).collect(),
            target_count: job.targets.len(),
            acquire_parameters: None,
            release_parameters: None,
            acquire_timeout_ms: job.acquire_timeout.millis(),
            lock_duration_ms: job.lock_duration.millis(),
            release_timeout_ms: job.release_timeout.millis(),
            started_at: Stamp(job.started_at),
            renewed_at: job.renewed_at.map(Stamp),
            expires_at: expires_at.map(Stamp),
            remaining_ms: expires_at.map(|until| until.since(now).millis().max(0)),
            call_ends_at: call_ends_at.map(Stamp),
            attempts,
            retry_at: retry_at.map(Stamp),
            ended_at: ended_at.map(Stamp),
            cause: ending.map(|ending| cause(ending.cause)),
            reason: ending.and_then(|ending| owned(ending.reason.as_ref())),
            failure: owned(job.failure.as_ref()),
        }
    }
}

impl JobTargetView {
    fn named(target: &JobTarget, job: &JobRecord, ledger: &Ledger) -> Self {
        let lock = ledger.lock(target.id.as_str()).filter(|lock| job.live() && lock.owner == job.holder());
        let fence = lock.map(|lock| lock.lease.0);
        Self { id: target.id.to_string(), fence, ..Self::default() }
    }

    fn of(target: &JobTarget, job: &JobRecord, ledger: &Ledger) -> Self {
        let facts = &target.facts;
        Self {
            fqdn: owned(facts.fqdn.as_ref()),
            ipv4: owned(facts.ipv4.as_ref()),
            ipv6: owned(facts.ipv6.as_ref()),
            labels: pairs(&facts.labels),
            manager_state: value(facts.manager_state.as_ref()),
            ..Self::named(target, job, ledger)
        }
    }
}

/// Text that was JSON when it came in; null if there is none.
fn value(text: Option<&Text>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Name of why a job ends.
pub(crate) fn cause(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Asked => "asked",
        EndCause::Expired => "expired",
        EndCause::Lost => "lost",
        EndCause::NotAcquired => "not-acquired",
        EndCause::AcquireTimeout => "acquire-timeout",
        EndCause::Interrupted => "interrupted",
    }
}
