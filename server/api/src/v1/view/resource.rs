//! Resources and locks.

use std::collections::BTreeMap;

use lessor_ledger::{Ledger, Lock, Origin, Resource, Time};
use serde::Serialize;
use utoipa::ToSchema;

use super::{addresses, pairs};
use crate::time::Stamp;
use crate::v1::body::AddressesBody;

/// A target that Lessor keeps a record of.
#[derive(Serialize, ToSchema)]
#[schema(as = Resource)]
pub(crate) struct ResourceView {
    name: String,
    pool: String,
    state: String,
    /// Who holds it; null if nobody does.
    owner: Option<String>,
    /// By which lease.
    lease: Option<u64>,
    /// Until when it is held; null for no deadline, or if nobody holds it.
    until: Option<Stamp>,
    labels: BTreeMap<String, String>,
    user_data: BTreeMap<String, String>,
    addresses: AddressesBody,
    /// Set while no new lease may be granted on it.
    cordon: Option<CordonView>,
    /// Who made it: `listed` (the pools file), `dynamic` (its pool), `api`, or `leaving` when it goes once given back.
    origin: &'static str,
    created_at: Stamp,
    /// When it was last written; the oldest is leased first.
    updated_at: Stamp,
    /// When an idle dynamic resource is given up.
    expires_at: Option<Stamp>,
    /// Grows with every write, and is never that of another write, not even after the name was deleted and made again;
    /// what the `ETag` begins with, and edits are compared by (`If-Match`).
    revision: u64,
}

/// Why a resource takes no new leases.
#[derive(Serialize, ToSchema)]
#[schema(as = Cordon)]
pub(crate) struct CordonView {
    message: String,
    since: Stamp,
    /// When it ends by itself; null for when somebody lifts it.
    until: Option<Stamp>,
}

impl ResourceView {
    /// A resource and who holds it at `now`.
    pub(crate) fn of(resource: &Resource, ledger: &Ledger, now: Time) -> Self {
        let details = resource.details();
        let lock = ledger.holder(resource.name.as_str(), now);
        Self {
            name: resource.name.to_string(),
            pool: resource.pool.to_string(),
            state: resource.state.to_string(),
            owner: lock.map(|lock| lock.owner.to_string()),
            lease: lock.map(|lock| lock.lease.0),
            until: lock.and_then(|lock| lock.deadline).map(Stamp),
            labels: pairs(&details.labels),
            user_data: pairs(&details.user_data),
            addresses: addresses(resource),
            cordon: resource.cordon().map(|cordon| CordonView {
                message: cordon.message.to_string(),
                since: Stamp(cordon.since),
                until: cordon.until.map(Stamp),
            }),
            origin: match resource.origin {
                Origin::Listed => "listed",
                Origin::Dynamic => "dynamic",
                Origin::Api => "api",
                Origin::Leaving => "leaving",
            },
            created_at: Stamp(resource.created_at),
            updated_at: Stamp(resource.updated_at),
            expires_at: resource.expires_at.map(Stamp),
            revision: resource.revision,
        }
    }
}

/// One entry of the lock table.
#[derive(Serialize, ToSchema)]
#[schema(as = Lock)]
pub(crate) struct LockView {
    /// What is locked; need not be a registered resource.
    target: String,
    /// The lease that it belongs to.
    lease: u64,
    /// Who holds it.
    owner: String,
    /// The `ConTest` job, if the owner is `job:n`.
    job: Option<u64>,
    /// Until when it is live, the instant itself included; null for no deadline.
    deadline: Option<Stamp>,
    /// Whether it keeps others out. One that is not waits for its owner, or to be collected.
    live: bool,
}

impl LockView {
    /// A lock as it is at `now`.
    pub(crate) fn of(lock: &Lock, now: Time) -> Self {
        Self {
            target: lock.target.to_string(),
            lease: lock.lease.0,
            owner: lock.owner.to_string(),
            job: lock.owner.job().map(|job| job.0),
            deadline: lock.deadline.map(Stamp),
            live: lock.live(now),
        }
    }
}
