//! Refusals: why the ledger said no. A refusal changes nothing (promise P4).

use crate::lease::LeaseId;
use crate::name::{Job, Owner, PluginName, PoolName, State, Target};
use crate::request::RequestId;
use crate::time::Time;

/// Why a command was refused. Each names the thing and the limit; which status or text a dialect gives it is the
/// API's business.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such pool, or (in the Boskos dialect) a pool without resources and without lifecycle.
    #[error("there is no pool {0:?}")]
    NoSuchPool(PoolName),
    /// No such resource.
    #[error("there is no resource {0:?}")]
    NoSuchResource(Target),
    /// No lease ever had this ID.
    #[error("there is no lease {0}")]
    NoSuchLease(LeaseId),
    /// The lease is over.
    #[error("lease {0} has ended")]
    LeaseEnded(LeaseId),
    /// No request with this ID, or it was settled so long ago that it is forgotten.
    #[error("there is no request {0}")]
    NoSuchRequest(RequestId),
    /// Boskos: the pool is there, but nothing in it can be had.
    #[error("nothing is free in pool {pool:?} in state {state:?}")]
    NothingFree {
        /// The pool.
        pool: PoolName,
        /// The state asked for.
        state: State,
    },
    /// Boskos `acquirebystate`: not all of the names are unowned and in this state.
    #[error("not all of the named resources are free in state {state:?}")]
    NotAllInState {
        /// The state asked for.
        state: State,
    },
    /// The caller is not the holder.
    #[error("{what} is held by {}, not by {asked:?}", .holder.as_ref().map_or("nobody", Owner::as_str))]
    NotOwner {
        /// The target or lease.
        what: String,
        /// Who asked.
        asked: Owner,
        /// Who holds it, if anybody.
        holder: Option<Owner>,
    },
    /// The resource is in another state.
    #[error("resource {target:?} is in state {stored:?}, not {asked:?}")]
    StateMismatch {
        /// The resource.
        target: Target,
        /// Its state.
        stored: State,
        /// The state asked for.
        asked: State,
    },
    /// `ConTest`: job 0 stands for no job.
    #[error("job ID must not be 0")]
    JobZero,
    /// `ConTest`: a target ID is empty.
    #[error("a target ID must not be empty")]
    EmptyTarget,
    /// Targets are held by others, or cordoned: all of them, in the order asked for.
    #[error("{} of the targets cannot be had", .0.len())]
    Busy(Vec<Conflict>),
    /// `/v1`: not everything is there now, and the caller does not want to wait.
    #[error("not everything asked for is free now")]
    Unavailable(Vec<Conflict>),
    /// Targets on which the caller holds no lock: all of them, in the order asked for.
    #[error("{} of the targets are not locked by the caller", .0.len())]
    NotHeld(Vec<Missing>),
    /// As things are, waiting would never end.
    #[error("the request can never be met: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unsatisfiable(Vec<Unmet>),
    /// The TTL is zero, negative or longer than the pool allows.
    #[error("ttl must be more than 0 and at most {max_ms} ms{}", .pool.as_ref().map_or(String::new(), |pool| format!(" in pool {pool:?}")))]
    TtlOutOfRange {
        /// Longest TTL allowed, in milliseconds.
        max_ms: i64,
        /// The pool that sets the limit, if it is not the server.
        pool: Option<PoolName>,
    },
    /// The idempotency key was used with another body.
    #[error("this idempotency key was used for a different request")]
    KeyReused,
    /// The record was changed since the caller read it.
    #[error("resource {target:?} is at revision {current}, not {given}")]
    StaleRevision {
        /// The resource.
        target: Target,
        /// Its revision; 0 if it does not exist.
        current: u64,
        /// The revision that the caller expected.
        given: u64,
    },
    /// A new resource needs a pool.
    #[error("resource {0:?} does not exist, so its pool must be given")]
    PoolNeeded(Target),
    /// A cordon would end before it begins.
    #[error("the cordon of resource {0:?} would be over at once: its end must be later than now")]
    CordonOver(Target),
    /// No job with this number, or it was over so long ago that it is forgotten.
    #[error("there is no job {}", .0.0)]
    NoSuchJob(Job),
    /// The idempotency key started this job, which is over and forgotten: whether it was done again would be a guess.
    #[error("this idempotency key started job {}, which is over and forgotten: use another key to start one more", .0.0)]
    JobForgotten(Job),
    /// The job is not in a phase in which this can be done.
    #[error("job {} is {phase}", .job.0)]
    JobPhase {
        /// The job.
        job: Job,
        /// Its phase.
        phase: &'static str,
    },
    /// The server looks after this job's locks; nobody else may.
    #[error("job {} is run by the server, which looks after its locks: renew or end the job instead", .0.0)]
    JobManaged(Job),
    /// A length of time is out of its range.
    #[error("{what} must be {} and at most {max_ms} ms", .least_ms.map_or("more than 0".to_owned(), |ms| format!("at least {ms} ms")))]
    SpanOutOfRange {
        /// Which.
        what: &'static str,
        /// The shortest allowed, in milliseconds; `None` if anything above 0 is.
        least_ms: Option<i64>,
        /// The longest allowed, in milliseconds.
        max_ms: i64,
    },
    /// No such plugin.
    #[error("there is no plugin {0:?}")]
    NoSuchPlugin(PluginName),
    /// There is no version before the one that runs, or not the one expected.
    #[error("plugin {0:?} has no such earlier version to go back to")]
    NothingToRollBack(PluginName),
    /// Jobs need the plugin to be released.
    #[error("plugin {plugin:?} is needed by {} live jobs", .jobs.len())]
    PluginInUse {
        /// The plugin.
        plugin: PluginName,
        /// The jobs.
        jobs: Vec<Job>,
    },
    /// The command asks for, or carries, more than one may: it will never be taken as it is.
    #[error("{what}: the limit is {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// A bound of the server is reached, by what others do too: the same command may be taken later.
    #[error("{what}: the limit of the server is {limit}, try again later")]
    Full {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
}

/// A target that cannot be had now, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The target; `None` if too few resources of a pool are free.
    pub target: Option<Target>,
    /// The pool, if it is about a resource or a pool.
    pub pool: Option<PoolName>,
    /// Who holds it, if anybody.
    pub holder: Option<Owner>,
    /// By which lease.
    pub lease: Option<LeaseId>,
    /// Until when, if the lease has a deadline, or the cordon of what nobody holds an end.
    pub until: Option<Time>,
    /// Everything else in words: `cordoned: fan broken`, `in state dirty`, `2 of 3 free`, `reserved for requests ahead`.
    pub why: Option<String>,
}

/// A target on which the caller holds no lock, and who does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The target.
    pub target: Target,
    /// Who holds a live lock on it, if anybody.
    pub holder: Option<Owner>,
}

/// A rule by which a request can never be met as things are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// No such pool.
    #[error("there is no pool {0:?}")]
    NoSuchPool(PoolName),
    /// More than the pool can ever hold.
    #[error("{asked} asked for, pool {pool:?} can hold at most {most}")]
    TooMany {
        /// The pool.
        pool: PoolName,
        /// How many were asked for.
        asked: u64,
        /// How many there can be.
        most: u64,
    },
    /// Too few resources carry the labels.
    #[error("{asked} asked for, {most} of pool {pool:?} carry the labels {labels}")]
    NoLabelMatch {
        /// The pool.
        pool: PoolName,
        /// How many were asked for.
        asked: u64,
        /// How many carry the labels.
        most: u64,
        /// The labels, as `key=value,key=value`.
        labels: String,
    },
    /// Enough resources carry the labels, but other parts of the same request need some of them, too.
    #[error(
        "{asked} asked for with the labels {labels}, pool {pool:?} has {most} besides what other parts of the request need"
    )]
    NotTogether {
        /// The pool.
        pool: PoolName,
        /// How many were asked for.
        asked: u64,
        /// How many are left for this part.
        most: u64,
        /// The labels, as `key=value,key=value`.
        labels: String,
    },
    /// A named target is not a resource of the pool asked for.
    #[error("{target:?} is not a resource of pool {pool:?}")]
    NotInPool {
        /// The target.
        target: Target,
        /// The pool.
        pool: PoolName,
    },
}
