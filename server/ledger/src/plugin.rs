//! Plugins: which components are installed, and as what. What is in them is the host's business.

use crate::name::{PluginName, Text};
use crate::time::Time;

/// One installed plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRecord {
    /// Its name.
    pub name: PluginName,
    /// What runs.
    pub version: PluginVersion,
    /// What ran before, to go back to.
    pub previous: Option<PluginVersion>,
    /// Whether it takes calls.
    pub enabled: bool,
    /// Who put it here.
    pub origin: PluginOrigin,
    /// When it was first installed.
    pub installed_at: Time,
    /// When anything about it last changed.
    pub changed_at: Time,
}

/// A component and how it is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginVersion {
    /// SHA-256 of the component, in hexadecimal digits.
    pub digest: Text,
    /// Kind, settings, grants and limits, as JSON; the ledger does not look inside. Holds no secrets.
    pub spec: Text,
}

/// Who put a plugin here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PluginOrigin {
    /// The server's configuration.
    Config,
    /// The API.
    Api,
}
