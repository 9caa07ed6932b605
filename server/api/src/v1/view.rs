//! The shapes that go out. Ledger types are never serialized themselves, so that neither side binds the other.

use lessor_ledger::{
    Blocker, Cause, Dialect, Event, EventKind, Grant, Lease, Ledger, Lock, Origin, Outcome, Part, Place,
    Pool, PoolOrigin, Request, Resource, Span, Time, Usage, Wanted,
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use crate::problem::ConflictView;
use crate::time::Stamp;
use crate::v1::body::{AddressesBody, Pairs};

fn owned(text: Option<impl ToString>) -> Option<String> {
    text.map(|text| text.to_string())
}

fn pairs(map: &BTreeMap<lessor_ledger::Text, lessor_ledger::Text>) -> Pairs {
    map.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn millis(span: Option<Span>) -> Option<i64> {
    span.map(Span::millis)
}

/// Name of a cause.
pub(crate) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Released => "released",
        Cause::Expired => "expired",
        Cause::Reaped => "reaped",
        Cause::Reset => "reset",
        Cause::Forced => "forced",
        Cause::TakenOver => "taken-over",
        Cause::Collected => "collected",
        Cause::Deleted => "deleted",
        Cause::Cleaned => "cleaned",
    }
}

/// Name of a dialect.
pub(crate) fn dialect(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Boskos => "boskos",
        Dialect::Contest => "contest",
        Dialect::V1 => "v1",
    }
}

/// Name of a kind of event.
pub(crate) fn kind(kind: EventKind) -> &'static str {
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
    }
}

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
    /// The registered ones among its targets; empty once ended.
    resources: Vec<LeasedView>,
    /// What it held and gave back, or lost, before its end.
    returned: Vec<String>,
    /// When it was granted.
    granted_at: Stamp,
    /// When it was last renewed, or granted.
    renewed_at: Stamp,
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
        Self {
            resources: grant.resources.iter().map(|resource| LeasedView::of(resource)).collect(),
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
            returned: lease.returned.iter().map(ToString::to_string).collect(),
            granted_at: Stamp(lease.granted_at),
            renewed_at: Stamp(lease.renewed_at),
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

fn addresses(resource: &Resource) -> AddressesBody {
    let addresses = &resource.details().addresses;
    AddressesBody { fqdn: owned(addresses.fqdn.as_ref()), ipv4: addresses.ipv4, ipv6: addresses.ipv6 }
}

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
        Self { pool, state, target, count: blocker.count, there: blocker.there, holders }
    }
}

/// A pool with its counts.
#[derive(Serialize, ToSchema)]
#[schema(as = Pool)]
pub(crate) struct PoolView {
    name: String,
    /// `static` (its resources are listed) or `dynamic` (they come and go with its counts).
    kind: &'static str,
    /// Who declared it: `config`, `api`, or `retired` when the pools file no longer does and it only waits to be empty.
    origin: &'static str,
    /// State that a new resource gets.
    initial_state: String,
    /// All resources.
    total: u64,
    /// Those that can be leased now in state `free`.
    free: u64,
    /// Those that somebody holds.
    held: u64,
    /// All, by state.
    by_state: BTreeMap<String, u64>,
    /// Live waiters.
    waiting: u64,
    /// Since when the longest of them waits.
    oldest_wait_since: Option<Stamp>,
    /// TTL of a lease that asks for none, in milliseconds; null for the server's.
    default_ttl_ms: Option<i64>,
    /// Longest TTL, in milliseconds; null for the server's.
    max_ttl_ms: Option<i64>,
    /// State of a resource whose lock expired.
    on_expire: String,
    /// A Boskos lease that was not refreshed for this long is taken back, in milliseconds; null for never.
    reap_after_ms: Option<i64>,
    /// Policy of a dynamic pool.
    lifecycle: Option<LifecycleView>,
}

/// Policy of a dynamic pool.
#[derive(Serialize, ToSchema)]
#[schema(as = Lifecycle)]
pub(crate) struct LifecycleView {
    /// Resources to keep at least.
    min_count: i64,
    /// Resources to keep at most.
    max_count: i64,
    /// How long an idle resource is kept after its last release, in milliseconds; null for ever.
    lifespan_ms: Option<i64>,
    /// How many resources of other pools one of these is made of.
    needs: BTreeMap<String, i64>,
}

impl PoolView {
    /// A pool with its counts and its line.
    pub(crate) fn of(pool: &Pool, usage: &Usage, waiting: (u64, Option<Time>)) -> Self {
        Self {
            name: pool.name.to_string(),
            kind: if pool.lifecycle.is_some() { "dynamic" } else { "static" },
            origin: match pool.origin {
                PoolOrigin::Config => "config",
                PoolOrigin::Api => "api",
                PoolOrigin::Retired => "retired",
            },
            initial_state: pool.initial_state.to_string(),
            total: usage.total,
            free: usage.free,
            held: usage.held,
            by_state: usage.by_state.iter().map(|(state, &count)| (state.to_string(), count)).collect(),
            waiting: waiting.0,
            oldest_wait_since: waiting.1.map(Stamp),
            default_ttl_ms: millis(pool.default_ttl),
            max_ttl_ms: millis(pool.max_ttl),
            on_expire: pool.state_after_expiry().to_string(),
            reap_after_ms: millis(pool.reap_after),
            lifecycle: pool.lifecycle.as_ref().map(|lifecycle| LifecycleView {
                min_count: lifecycle.min_count,
                max_count: lifecycle.max_count,
                lifespan_ms: millis(lifecycle.lifespan),
                needs: lifecycle.needs.iter().map(|(pool, &count)| (pool.to_string(), count)).collect(),
            }),
        }
    }
}

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
    /// Grows with every write; the `ETag` is this number in quotes.
    revision: u64,
}

/// Why a resource takes no new leases.
#[derive(Serialize, ToSchema)]
#[schema(as = Cordon)]
pub(crate) struct CordonView {
    message: String,
    since: Stamp,
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
            cordon: resource
                .cordon()
                .map(|cordon| CordonView { message: cordon.message.to_string(), since: Stamp(cordon.since) }),
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
    /// Who holds, held, waits or waited.
    owner: Option<String>,
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
            from: owned(event.from.as_ref()),
            to: owned(event.to.as_ref()),
            cause: event.cause.map(cause),
            note: owned(event.note.as_ref()),
        }
    }
}
