//! What goes into a call and what comes out of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// For whom a call is made, and through what the plugin reaches the server while it lasts.
#[derive(Clone)]
pub struct JobCall {
    /// The job.
    pub job: u64,
    /// How long the call may take, waiting for its turn included. The plugin's own `wall_ms` holds too, and the plugin is
    /// told the lesser of them.
    pub timeout: Duration,
    /// How long locks should last that the plugin takes.
    pub lock_duration: Duration,
    /// Ends the call when it is cancelled: [`CallError::Cancelled`].
    pub cancel: CancellationToken,
    /// Locks, bound to the job. `release` gets none.
    pub locker: Arc<dyn Locker>,
    /// Pools and resources.
    pub inventory: Arc<dyn Inventory>,
}

/// Something that one party at a time may use, as a target manager returned it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its identity: 1 to 512 bytes, not blank.
    pub id: String,
    /// Its name in the DNS, unchecked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// Textual IPv4 address, checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<String>,
    /// Textual IP address, checked; `ConTest` takes one of version 4 here too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<String>,
    /// JSON text that the plugin gets back as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_state: Option<String>,
    /// By what people find it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Targets of a job, made when a call has its turn: calls that wait keep none.
pub type Targets<'a> = &'a (dyn Fn() -> Vec<Target> + Sync);

/// One thing that is wrong with parameters, as the plugin sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A JSON pointer into the parameters; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// The four operations on locks, bound to one job.
///
/// Each takes at most 10,000 targets. They are dropped when the call ends: a locker must not leave a lock half taken then.
pub trait Locker: Send + Sync {
    /// Locks all or none.
    fn lock(&self, targets: Vec<String>, duration: Duration) -> BoxFuture<'_, Result<(), LockerError>>;

    /// Locks what is free, in order, up to `limit`, and tells which.
    fn try_lock(
        &self,
        targets: Vec<String>,
        duration: Duration,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<String>, LockerError>>;

    /// Frees all or none.
    fn unlock(&self, targets: Vec<String>) -> BoxFuture<'_, Result<(), LockerError>>;

    /// Sets the end of all or none.
    fn refresh(&self, targets: Vec<String>, duration: Duration) -> BoxFuture<'_, Result<(), LockerError>>;
}

/// Why a locker did nothing. The message goes to the plugin as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockerError {
    /// Somebody else holds a target.
    #[error("{message}")]
    Held {
        /// For people.
        message: String,
        /// Which targets, as far as known.
        targets: Vec<String>,
    },
    /// The job does not hold a target.
    #[error("{message}")]
    NotHeld {
        /// For people.
        message: String,
        /// Which targets, as far as known.
        targets: Vec<String>,
    },
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The server cannot do it now.
    #[error("{0}")]
    Unavailable(String),
}

/// What the server knows, to read: the last committed state.
pub trait Inventory: Send + Sync {
    /// The resources that match, in the order of their names.
    fn resources(&self, query: ResourceQuery) -> BoxFuture<'_, Result<Vec<ResourceView>, InventoryError>>;

    /// How many resources are looked through for an answer: all of this pool, or all there are.
    fn extent(&self, pool: Option<&str>) -> usize;

    /// All pools, in the order of their names.
    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, InventoryError>>;
}

/// Which resources to tell of. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceQuery {
    /// Of this pool.
    pub pool: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// With all of these labels.
    pub labels: BTreeMap<String, String>,
    /// Those that could be locked by name.
    pub free_only: bool,
    /// How many at most: 1 to 10,000.
    pub limit: u32,
}

/// A resource as a plugin sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceView {
    /// Its name, and its target's.
    pub name: String,
    /// Its pool.
    pub pool: String,
    /// Its state.
    pub state: String,
    /// Whether it could be locked by its name: nobody holds it, and it is not cordoned.
    pub free: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its name in the DNS.
    pub fqdn: Option<String>,
    /// Textual IPv4 address.
    pub ipv4: Option<String>,
    /// Textual IPv6 address.
    pub ipv6: Option<String>,
}

/// A pool as a plugin sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolView {
    /// Its name.
    pub name: String,
    /// How many resources it has.
    pub resources: u64,
    /// How many of them nobody holds.
    pub free: u64,
}

/// Why the inventory did not answer. The message goes to the plugin as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// The query itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The server cannot answer now.
    #[error("{0}")]
    Unavailable(String),
}

/// Why a call into a plugin gave no answer, or not the wanted one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin finds something wrong with the parameters: its own verdict.
    #[error("{}", spell(.0))]
    Problems(Vec<Problem>),
    /// The plugin says that it failed, or its answer makes no sense.
    #[error("{message}")]
    Failed {
        /// For people.
        message: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// It took longer than it may by the wall clock.
    #[error("the plugin did not answer in time")]
    Timeout,
    /// Whoever called did not want the answer any more.
    #[error("the call was cancelled")]
    Cancelled,
    /// The guest broke: a panic, a bad access, too deep a recursion.
    #[error("the plugin broke: {0}")]
    Trapped(String),
    /// It took more processor time than it may.
    #[error("the plugin used up its processor time")]
    OutOfCpu,
    /// It wanted more memory than it may have.
    #[error("the plugin wanted more memory than it may have")]
    OutOfMemory,
    /// It handed over more than it may.
    #[error("the plugin handed over more than it may")]
    OutputTooLarge,
    /// Too many calls wait for it already.
    #[error("too many calls wait for the plugin: try again later")]
    Busy,
    /// It takes no calls.
    #[error(transparent)]
    Unavailable(#[from] NoManager),
}

/// Problems in one line.
fn spell(problems: &[Problem]) -> String {
    let spelled =
        problems.iter().map(
            |Problem { path, message }| {
                if path.is_empty() { message.clone() } else { format!("{path}: {message}") }
            },
        );
    spelled.collect::<Vec<_>>().join("; ")
}

/// Why there is no target manager of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoManager {
    /// No plugin has the name.
    #[error("there is no plugin of this name")]
    Unknown,
    /// It is installed, and could not be prepared.
    #[error("the plugin is broken: {0}")]
    Broken(String),
    /// The plugin is of another kind.
    #[error("the plugin is not a target manager")]
    NotATargetManager,
    /// It was switched off.
    #[error("the plugin is disabled")]
    Disabled,
    /// It broke too often.
    #[error("the plugin is in quarantine until it is enabled again: {0}")]
    Quarantined(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_with_their_paths() {
        let problem = |path: &str, message: &str| Problem { path: path.into(), message: message.into() };
        let error = CallError::Problems(vec![problem("/Targets/0/ID", "is blank"), problem("", "too few")]);
        assert_eq!(error.to_string(), "/Targets/0/ID: is blank; too few");
    }

    #[test]
    fn a_target_keeps_what_it_has_and_omits_what_it_has_not() {
        let target = Target { id: "a".into(), manager_state: Some("{}".into()), ..Target::default() };
        let text = serde_json::to_string(&target).unwrap();
        assert_eq!(text, r#"{"id":"a","manager_state":"{}"}"#);
        assert_eq!(serde_json::from_str::<Target>(&text).unwrap(), target);
    }
}
