//! Commands: everything that can be asked of the ledger, as data.

use std::collections::BTreeMap;

use crate::job::TargetFacts;
use crate::labels::Labels;
use crate::lease::LeaseId;
use crate::name::{Job, Owner, PluginName, PoolName, State, Target, Text};
use crate::plugin::{PluginOrigin, PluginVersion};
use crate::pool::Pool;
pub use crate::request::Part;
use crate::request::RequestId;
use crate::resource::Addresses;
use crate::time::{Span, Time};

/// One question to the ledger. [`Ledger::apply`](crate::Ledger::apply) decides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Settles what is due and nothing else.
    Tick,
    /// Gives every waiter a full request TTL, because the server was away and they could not poll.
    Resume,

    /// Boskos `/acquire`. Answers [`Reply::Held`](crate::Reply::Held) with one resource.
    BoskosAcquire(BoskosAcquire),
    /// Boskos `/acquirebystate`. Answers [`Reply::Held`](crate::Reply::Held), least recently updated first.
    BoskosAcquireByState {
        /// State that all of them must be in.
        state: State,
        /// State that they get.
        dest: State,
        /// Who takes them.
        owner: Owner,
        /// Which; repetitions collapse. An empty name matches nothing, so it is `None` here.
        names: Vec<Option<Target>>,
    },
    /// Boskos `/release`. Answers [`Reply::Done`](crate::Reply::Done).
    BoskosRelease {
        /// The resource.
        name: Target,
        /// State that it gets.
        dest: State,
        /// Who says so; must be its holder.
        owner: Owner,
    },
    /// Boskos `/update`. Answers [`Reply::Done`](crate::Reply::Done).
    BoskosUpdate(BoskosUpdate),
    /// Boskos `/reset`. Answers [`Reply::Reset`](crate::Reply::Reset).
    BoskosReset {
        /// The pool.
        pool: PoolName,
        /// State that they must be in.
        state: State,
        /// How long they must not have been written.
        expire: Span,
        /// State that they get.
        dest: State,
    },

    /// `ConTest` `Lock`: all or nothing. Answers [`Reply::Locked`](crate::Reply::Locked).
    ContestLock(ContestLock),
    /// `ConTest` `TryLock`: as many as possible, in order, at most `limit`.
    ContestTryLock {
        /// Which, for whom, how long.
        lock: ContestLock,
        /// At most this many.
        limit: u64,
    },
    /// `ConTest` `Unlock`: all or nothing. The duration is not looked at.
    ContestUnlock(ContestLock),
    /// `ConTest` `RefreshLocks`: all or nothing.
    ContestRefresh(ContestLock),

    /// `/v1`: lease now, or get in line. Answers [`Reply::Granted`](crate::Reply::Granted) or
    /// [`Reply::Queued`](crate::Reply::Queued).
    Acquire(Box<Acquire>),
    /// `/v1`: move the deadline on. Answers [`Reply::Granted`](crate::Reply::Granted).
    Renew {
        /// The lease.
        lease: LeaseId,
        /// If set, must be its owner.
        owner: Option<Owner>,
        /// A new TTL from now on, or the one that it has.
        ttl: Option<Span>,
    },
    /// `/v1`: give back all, or some. Answers [`Reply::Released`](crate::Reply::Released).
    Release {
        /// The lease.
        lease: LeaseId,
        /// If set, must be its owner.
        owner: Option<Owner>,
        /// Which of its targets; `None` for all.
        targets: Option<Vec<Target>>,
        /// State that they get, or what the pool says.
        to_state: Option<State>,
    },
    /// Ends somebody else's lease. Answers [`Reply::Released`](crate::Reply::Released).
    Force(Force),
    /// A sign of life of a `/v1` waiter. Answers [`Reply::Queued`](crate::Reply::Queued) or
    /// [`Reply::Settled`](crate::Reply::Settled).
    Poll(RequestId),
    /// Leaves the line. Withdrawing a settled request is a no-op. Answers [`Reply::Done`](crate::Reply::Done).
    Withdraw(Withdrawal),

    /// Creates a resource, or sets its pool, labels, addresses and user data. Answers
    /// [`Reply::Edited`](crate::Reply::Edited).
    PutResource(Box<ResourceEdit>),
    /// Changes what is `Some` in the edit. Answers [`Reply::Edited`](crate::Reply::Edited).
    PatchResource(Box<ResourceEdit>),
    /// Deletes a resource that nobody holds. Answers [`Reply::Done`](crate::Reply::Done).
    DeleteResource {
        /// Which.
        name: Target,
        /// If set, must be its revision.
        revision: Option<u64>,
    },
    /// Makes pools and listed resources as in the pools file. Answers [`Reply::Synced`](crate::Reply::Synced).
    Sync(Vec<PoolEntry>),

    /// Anything about a job.
    Job(JobCommand),
    /// Anything about a plugin. Answers [`Reply::Plugin`](crate::Reply::Plugin).
    Plugin(PluginCommand),
}

/// What can be asked about jobs. Answers [`Reply::Job`](crate::Reply::Job) unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobCommand {
    /// A new job, whose parameters its manager has found good.
    Start(Box<JobStart>),
    /// The manager, while it acquires, locks for its job. Answers [`Reply::Locked`](crate::Reply::Locked).
    Lock(ContestLock),
    /// As [`Command::ContestTryLock`], by the manager while it acquires.
    TryLock {
        /// Which, for which job, how long.
        lock: ContestLock,
        /// At most this many.
        limit: u64,
    },
    /// As [`Command::ContestUnlock`], by the manager while it acquires.
    Unlock(ContestLock),
    /// As [`Command::ContestRefresh`], by the manager while it acquires.
    Refresh(ContestLock),
    /// The manager has acquired; what it returned is checked and locked here.
    Acquired {
        /// The job.
        job: Job,
        /// What it returned, unchecked.
        targets: Vec<(String, TargetFacts)>,
    },
    /// The manager could not acquire.
    AcquireFailed {
        /// The job.
        job: Job,
        /// What it said.
        error: Text,
    },
    /// Leases the targets anew, from now on.
    Renew {
        /// The job.
        job: Job,
        /// If set, must be its owner.
        owner: Option<Owner>,
        /// For how long from now on, for this and later renewals; what it was by default.
        lock_duration: Option<Span>,
    },
    /// Gives it back: cancels what is being acquired, releases what is leased, tries a stuck release again at once.
    End {
        /// The job.
        job: Job,
        /// If set, must be its owner.
        owner: Option<Owner>,
        /// Why, for the event log.
        reason: Option<Text>,
    },
    /// The manager has released.
    Released {
        /// The job.
        job: Job,
        /// Which attempt this is about; of an older one nothing comes.
        attempt: u32,
    },
    /// The manager could not release.
    ReleaseFailed {
        /// The job.
        job: Job,
        /// Which attempt this is about; of an older one nothing comes.
        attempt: u32,
        /// What it said.
        error: Text,
    },
    /// Frees everything at once; the manager is not asked any more.
    Force {
        /// The job.
        job: Job,
        /// Why, for the event log.
        reason: Text,
        /// Who says so.
        by: Option<Owner>,
    },
}

/// See [`JobCommand::Start`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStart {
    /// Who asks.
    pub owner: Owner,
    /// The plugin that acquires and releases.
    pub manager: PluginName,
    /// For the manager, as JSON.
    pub acquire_parameters: Text,
    /// For the manager, as JSON.
    pub release_parameters: Text,
    /// How long acquiring may take.
    pub acquire_timeout: Span,
    /// How long the targets are leased without a renewal.
    pub lock_duration: Span,
    /// How long one attempt to release may take.
    pub release_timeout: Span,
    /// The `Idempotency-Key` or `request_id`, and the fingerprint of the body that it came with.
    pub key: Option<(Text, u64)>,
}

/// What can be asked about plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginCommand {
    /// This version runs from now on; the one before is kept to go back to. The host has found it fit.
    Install {
        /// Which.
        name: PluginName,
        /// What runs.
        version: PluginVersion,
        /// Who puts it here.
        origin: PluginOrigin,
    },
    /// It takes calls, or does not.
    Enable {
        /// Which.
        name: PluginName,
        /// Whether it does.
        enabled: bool,
    },
    /// The version before runs again, and the two change places.
    RollBack {
        /// Which.
        name: PluginName,
        /// Digest of the version to go back to, which the host has found fit.
        digest: Text,
    },
    /// It is gone. Refused while a job needs it.
    Remove {
        /// Which.
        name: PluginName,
    },
    /// Something happened to it that changes no record: an event, and nothing else.
    Tell {
        /// To which.
        name: PluginName,
        /// What.
        news: PluginNews,
    },
}

/// What may happen to a plugin without a change of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginNews {
    /// It was read again, and is the same.
    Reloaded,
    /// It takes calls again that its quarantine kept off.
    Enabled,
    /// It broke too often: how.
    Quarantined(Text),
}

/// See [`Command::BoskosAcquire`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoskosAcquire {
    /// The pool (Boskos: type).
    pub pool: PoolName,
    /// State that the resource must be in.
    pub state: State,
    /// State that it gets.
    pub dest: State,
    /// Who takes it.
    pub owner: Owner,
    /// Keeps a place in line from poll to poll.
    pub request_id: Option<Text>,
}

/// See [`Command::BoskosUpdate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoskosUpdate {
    /// The resource.
    pub name: Target,
    /// Must be its holder.
    pub owner: Owner,
    /// Must be its state.
    pub state: State,
    /// User data to merge: an empty value deletes the key.
    pub patch: BTreeMap<Text, Text>,
}

/// The arguments that the four `ConTest` operations share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContestLock {
    /// The job; 0 is refused.
    pub job: Job,
    /// How long from now; zero and negative are legal.
    pub duration: Span,
    /// Which; repetitions collapse. An empty ID refuses the whole call, so it is `None` here.
    pub targets: Vec<Option<Target>>,
}

/// See [`Command::Acquire`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquire {
    /// Who asks.
    pub owner: Owner,
    /// What for: all of it at once, or nothing.
    pub parts: Vec<Part>,
    /// State that the resources get; `leased` by default at the API.
    pub to_state: State,
    /// TTL of the lease; `None` takes the pool's.
    pub ttl: Option<Span>,
    /// Whether to get in line when not everything is there.
    pub queue: bool,
    /// Whether to get in line even for what can never be met as things are.
    pub wait_anyway: bool,
    /// Higher goes first.
    pub priority: i32,
    /// What for, in the owner's words.
    pub purpose: Option<Text>,
    /// Idempotency key, and the fingerprint of the body it came with.
    pub key: Option<(Text, u64)>,
}

/// Ends a lease in its owner's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Force {
    /// Which.
    pub subject: Subject,
    /// If set, must be the holder: somebody else may have taken it in the meantime.
    pub expected: Option<Owner>,
    /// Why, for the event log and the former holder.
    pub reason: Text,
    /// Who says so.
    pub by: Option<Owner>,
    /// State that the resources get, or what the pool says.
    pub to_state: Option<State>,
}

/// Takes a request out of line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Which.
    pub request: RequestId,
    /// Who says so.
    pub by: Option<Owner>,
    /// Why, for the event log and whoever waited.
    pub reason: Option<Text>,
}

impl Withdrawal {
    /// One without a word, as whoever waits leaves.
    #[must_use]
    pub fn of(request: RequestId) -> Self {
        Self { request, by: None, reason: None }
    }
}

/// What to take away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// All of a lease.
    Lease(LeaseId),
    /// One target, whoever holds it.
    Target(Target),
}

/// What a resource is to be. In a put, `None` means "empty"; in a patch, "as it is".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceEdit {
    /// Which.
    pub name: Target,
    /// If set, must be its revision; 0 means that it must not exist yet.
    pub revision: Option<u64>,
    /// The pool; needed for a new resource.
    pub pool: Option<PoolName>,
    /// The state; in a put of an existing resource `None` leaves it as it is.
    pub state: Option<State>,
    /// The labels.
    pub labels: Option<BTreeMap<Text, Text>>,
    /// The user data.
    pub user_data: Option<BTreeMap<Text, Text>>,
    /// The addresses.
    pub addresses: Option<Addresses>,
    /// `Some(Some(_))` cordons, in place of any cordon before; `Some(None)` uncordons.
    pub cordon: Option<Option<CordonEdit>>,
}

impl ResourceEdit {
    /// One that says nothing but which resource.
    #[must_use]
    pub fn of(name: Target) -> Self {
        Self {
            name,
            revision: None,
            pool: None,
            state: None,
            labels: None,
            user_data: None,
            addresses: None,
            cordon: None,
        }
    }
}

/// How a resource is to be cordoned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CordonEdit {
    /// For whoever wonders.
    pub message: Text,
    /// When it ends by itself, the instant itself included; later than now. `None`: when somebody lifts it.
    pub until: Option<Time>,
}

/// One entry of the pools file, read and validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolEntry {
    /// The pool's settings. Of two entries with one name the later wins where they differ.
    pub pool: Pool,
    /// The resources that it lists; empty for a dynamic entry.
    pub names: Vec<Target>,
    /// Labels of every resource listed here; `None` leaves labels as they are.
    pub labels: Option<Labels>,
    /// Addresses of the listed resources, by name.
    pub addresses: BTreeMap<Target, Addresses>,
}

/// What a queue is about: resources of one pool and state, or one unregistered target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Resources of this pool that are in this state.
    Pool(PoolName, State),
    /// A target that is not a registered resource.
    Target(Target),
}
