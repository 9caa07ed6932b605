//! What can be seen of a plugin from outside.

use serde::{Deserialize, Serialize};

use crate::Kind;

/// A plugin as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginStatus {
    /// Its name, as it was installed.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// SHA-256 of its component, in hexadecimal.
    pub digest: String,
    /// The version of the contract that it was built for.
    pub contract: String,
    /// The interfaces that it exports, as the component names them.
    pub exports: Vec<String>,
    /// The interfaces that it imports, as the component names them.
    pub imports: Vec<String>,
    /// The grants that its imports need, by the names of the fields of [`Grants`](crate::Grants).
    pub wanted_grants: Vec<String>,
    /// Those of them that it does not have. An installed plugin has all.
    pub missing_grants: Vec<String>,
    /// Whether an instance is used for more than one call.
    pub warm: bool,
    /// Whether it takes calls.
    pub state: State,
    /// Calls that are over, since the server started; those that run or wait are in `in_flight`.
    pub calls: u64,
    /// Those of them that ended otherwise than by a plain return: traps, limits, timeouts.
    pub errors: u64,
    /// Calls that were refused: too many waited, or it was switched off or put in quarantine while they did.
    pub refused: u64,
    /// How long 95 of 100 of the latest calls took at most, in microseconds; none before the first.
    pub p95_us: Option<u64>,
    /// The most memory that one instance had, in bytes.
    pub memory_high_water_bytes: u64,
    /// Calls that run or wait for their turn.
    pub in_flight: u64,
    /// How many of the latest 20 calls of one of its exports ended abnormally.
    pub strikes: u32,
    /// The latest abnormal end.
    pub last_error: Option<String>,
}

/// A plugin was put in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// Its name, as it was installed.
    pub plugin: String,
    /// How it broke.
    pub reason: String,
}

/// Whether a plugin takes calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum State {
    /// It does.
    Enabled,
    /// It was switched off.
    Disabled,
    /// It broke too often, and takes none until it is enabled again, but for what comes after the part that broke: checks, `acquire`,
    /// `release`.
    Quarantined {
        /// How it broke the last time.
        reason: String,
    },
}
