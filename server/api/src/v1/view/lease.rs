//! Leases.

use std::collections::BTreeMap;
use std::sync::Arc;

use lessor_ledger::{Grant, Lease, Ledger, Resource, Time};
use serde::Serialize;
use utoipa::ToSchema;

use super::{addresses, cause, dialect, millis, owned, pairs};
use crate::limits::LEASED_BYTES_MAX;
use crate::time::Stamp;
use crate::v1::body::AddressesBody;

/// One grant to one owner.
#[derive(Serialize, ToSchema)]
#[schema(as = Lease)]
pub(crate) struct LeaseView {
    /// Its ID: only ever grows, never used twice.
    id: u64,
    /// The same number, to send along to whatever can refuse a stale holder.
    fence: u64,
    /// Who holds it.
    owner: String,
    /// What it holds, in the order asked for; once ended, what it held last.
    targets: Vec<String>,
    /// The registered ones among its targets, the first of them if they are large; empty once ended.
    resources: Vec<LeasedView>,
    /// How many more there are: `GET /v1/resources/{name}` has each of them.
    resources_left_out: usize,
    /// What it held and gave back, or lost, before its end.
    returned: Vec<String>,
    /// When it was granted.
    granted_at: Stamp,
    /// When it was last renewed, or granted.
    renewed_at: Stamp,
    /// Whether it keeps others off. Not once ended, nor when all locks of a `ConTest` job have expired: those wait for
    /// their owner to refresh them, for anybody to take them over, or for the end of a day.
    live: bool,
    /// Until when, the instant itself included; null for no deadline, and once ended.
    expires_at: Option<Stamp>,
    /// What a renewal adds, in milliseconds; null for no deadline.
    ttl_ms: Option<i64>,
    /// How much of it is left as the server sees it, in milliseconds; null for no deadline, and once ended.
    remaining_ms: Option<i64>,
    /// What for, in the owner's words.
    purpose: Option<String>,
    /// In which language it was asked for: `v1`, `boskos` or `contest`.
    dialect: &'static str,
    /// The client's `request_id`.
    request_id: Option<String>,
    /// The request that waited for it; null if it was granted at once.
    request: Option<u64>,
    /// The `ConTest` job, for leases of owners `job:n`.
    job: Option<u64>,
    /// When it ended; null while it is held.
    ended_at: Option<Stamp>,
    /// Why it ended.
    cause: Option<&'static str>,
    /// What was said about its end.
    reason: Option<String>,
    /// Who ended it in the owner's place.
    by: Option<String>,
}

/// A resource as its holder needs it.
#[derive(Serialize, ToSchema)]
#[schema(as = LeasedResource)]
pub(crate) struct LeasedView {
    name: String,
    pool: String,
    state: String,
    labels: BTreeMap<String, String>,
    addresses: AddressesBody,
    user_data: BTreeMap<String, String>,
}

impl LeaseView {
    /// A lease that is held.
    pub(crate) fn held(grant: &Grant, now: Time) -> Self {
        let shown = leading(&grant.resources);
        Self {
            resources: shown.iter().map(|resource| LeasedView::of(resource)).collect(),
            resources_left_out: grant.resources.len() - shown.len(),
            live: grant.live,
            expires_at: grant.expires_at.map(Stamp),
            remaining_ms: grant.expires_at.map(|until| until.since(now).millis().max(0)),
            ..Self::record(&grant.lease)
        }
    }

    /// A lease as the records have it: ended, or held but without what the lock table says.
    pub(crate) fn record(lease: &Lease) -> Self {
        let ended = lease.ended.as_ref();
        Self {
            id: lease.id.0,
            fence: lease.id.0,
            owner: lease.owner.to_string(),
            targets: lease.targets.iter().map(ToString::to_string).collect(),
            resources: Vec::new(),
            resources_left_out: 0,
            returned: lease.returned.iter().map(ToString::to_string).collect(),
            granted_at: Stamp(lease.granted_at),
            renewed_at: Stamp(lease.renewed_at),
            live: false,
            expires_at: None,
            ttl_ms: millis(lease.ttl),
            remaining_ms: None,
            purpose: owned(lease.purpose.as_ref()),
            dialect: dialect(lease.dialect),
            request_id: owned(lease.key.as_ref()),
            request: lease.request.map(|request| request.0),
            job: lease.owner.job().map(|job| job.0),
            ended_at: ended.map(|ended| Stamp(ended.at)),
            cause: ended.map(|ended| cause(ended.cause)),
            reason: ended.and_then(|ended| owned(ended.reason.as_ref())),
            by: ended.and_then(|ended| owned(ended.by.as_ref())),
        }
    }

    /// The lease as it stands in `ledger`, or as it ended.
    pub(crate) fn current(lease: &Lease, ledger: &Ledger, now: Time) -> Self {
        match ledger.grant(lease.id) {
            Some(grant) if lease.ended.is_none() => Self::held(&grant, now),
            _ => Self::record(lease),
        }
    }
}

/// The first of these resources, as far as [`LEASED_BYTES_MAX`] goes.
fn leading(resources: &[Arc<Resource>]) -> &[Arc<Resource>] {
    let mut bytes = 0;
    let fits = resources.iter().take_while(|resource| {
        let details = resource.details();
        let texts = details.labels.iter().chain(details.user_data.iter());
        bytes +=
            resource.name.as_str().len() + texts.map(|(key, value)| key.len() + value.len()).sum::<usize>();
        bytes <= LEASED_BYTES_MAX
    });
    &resources[..fits.count()]
}

impl LeasedView {
    fn of(resource: &Resource) -> Self {
        let details = resource.details();
        Self {
            name: resource.name.to_string(),
            pool: resource.pool.to_string(),
            state: resource.state.to_string(),
            labels: pairs(&details.labels),
            addresses: addresses(resource),
            user_data: pairs(&details.user_data),
        }
    }
}
