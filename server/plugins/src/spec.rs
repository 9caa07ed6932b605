//! What an operator says of a plugin: its kind, settings, secrets, grants and limits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits;

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Hands out targets for jobs.
    TargetManager,
    /// Makes machines. Part of the contract; this version of the host refuses it.
    Provider,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TargetManager => "target-manager",
            Self::Provider => "provider",
        })
    }
}

/// A configured plugin, as it is handed to [`Host::prepare`](crate::Host::prepare) with its component.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// How it is called: 1 to 64 of `[A-Za-z0-9._-]`. Upper and lower case make no difference.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// What it reads through `settings`: a JSON object, or null for none; at most 1 MiB.
    pub settings: serde_json::Value,
    /// The values of secrets: those that it is granted, and those that endpoints are sent. Only those that `grants.secrets`
    /// names are shown to it.
    pub secrets: BTreeMap<String, Secret>,
    /// What it may use.
    pub grants: Grants,
    /// Folders that one of `grants.files` must not lead out of, by that: whoever granted it was not free to grant others.
    /// The kernel sees to it with every read, so links that come to be there later make no difference.
    pub beneath: BTreeMap<PathBuf, PathBuf>,
    /// What one call may take.
    pub limits: Limits,
    /// Whether an instance is used again after a call that returned. A fresh one isolates calls from each other.
    pub warm: bool,
}

/// A secret value: it never appears in what is printed or stored.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Arc<str>);

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value.into())
    }
}

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: &str) -> Self {
        Self(value.into())
    }

    /// The value itself, for the guest that was granted it and for nobody else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a plugin may use beyond its own memory. Nothing by default.
///
/// `log`, `settings`, `clock` and `random` need no grant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Locks on targets, for the job of a call.
    pub locker: bool,
    /// Pools and resources of the server, to read.
    pub inventory: bool,
    /// Names of secrets.
    pub secrets: BTreeSet<String>,
    /// Folders below which files may be read.
    pub files: BTreeSet<PathBuf>,
    /// HTTP endpoints, by the name that the plugin knows them by.
    pub http: BTreeMap<String, Endpoint>,
    /// Hosts that may be talked to over `wasi:http`, each as `host:port`. A name leads to public addresses only; an
    /// address that is not public has to be named itself.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub wasi_http: BTreeSet<String>,
}

/// An HTTP endpoint that the server talks to for a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Where it is: `http` or `https`, host, perhaps a port and the path that all requests begin with.
    pub url: String,
    /// The name of the secret that is sent as `Authorization: Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_secret: Option<String>,
    /// Whether it may be at a private or loopback address, whether its name resolves to that or `url` has the address
    /// itself. At a link-local one it may be only if this is set and `url` has the address itself, plainly written.
    #[serde(default)]
    pub private: bool,
    /// The certificate authorities that vouch for it, as a PEM file of the server's machine; at `https` only. They are
    /// believed instead of those that the system trusts. Read whenever the plugin is prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// What one call into a plugin may take. See [`limits`] for ranges and reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Processor time of the guest, in milliseconds.
    pub cpu_ms: u64,
    /// Time by the wall clock, in milliseconds. The job's own timeout holds too.
    pub wall_ms: u64,
    /// Memory of an instance, in bytes.
    pub memory_bytes: u64,
    /// What the guest hands over at once, in bytes as the server stores it.
    pub output_bytes: u64,
    /// What the guest logs, in bytes.
    pub log_bytes: u64,
    /// How many host functions the guest calls.
    pub host_calls: u64,
    /// How many calls wait for their turn.
    pub mailbox: u64,
    /// How many calls run at once.
    pub concurrency: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_ms: limits::CPU_MS.1,
            wall_ms: limits::WALL_MS.1,
            memory_bytes: limits::MEMORY_BYTES.1,
            output_bytes: limits::OUTPUT_BYTES.1,
            log_bytes: limits::LOG_BYTES.1,
            host_calls: limits::HOST_CALLS.1,
            mailbox: limits::MAILBOX.1,
            concurrency: limits::CONCURRENCY.1,
        }
    }
}

impl Limits {
    /// Every limit that is out of its range: its name, its value, the least and the most.
    pub(crate) fn out_of_range(&self) -> Vec<(&'static str, u64, u64, u64)> {
        let all = [
            ("cpu_ms", self.cpu_ms, limits::CPU_MS),
            ("wall_ms", self.wall_ms, limits::WALL_MS),
            ("memory_bytes", self.memory_bytes, limits::MEMORY_BYTES),
            ("output_bytes", self.output_bytes, limits::OUTPUT_BYTES),
            ("log_bytes", self.log_bytes, limits::LOG_BYTES),
            ("host_calls", self.host_calls, limits::HOST_CALLS),
            ("mailbox", self.mailbox, limits::MAILBOX),
            ("concurrency", self.concurrency, limits::CONCURRENCY),
        ];
        let wrong = all.into_iter().filter(|(_, value, (least, _, most))| value < least || value > most);
        wrong.map(|(name, value, (least, _, most))| (name, value, least, most)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn the_default_limits_are_in_range_and_others_are_named() {
        assert_eq!(Limits::default().out_of_range(), []);
        let limits = Limits { memory_bytes: 1, concurrency: 65, ..Limits::default() };
        let wrong = limits.out_of_range();
        assert_eq!(wrong, [("memory_bytes", 1, 1 << 20, 256 << 20), ("concurrency", 65, 1, 32)]);
    }

    #[test]
    fn grants_and_limits_refuse_what_they_do_not_know() {
        assert!(serde_json::from_str::<Grants>(r#"{"locker": true, "sockets": true}"#).is_err());
        assert!(serde_json::from_str::<Limits>(r#"{"cpu": 7}"#).is_err());
        let limits: Limits = serde_json::from_str(r#"{"cpu_ms": 7}"#).unwrap();
        assert_eq!(limits, Limits { cpu_ms: 7, ..Limits::default() });
    }
}
