//! Plugins.

use lessor_jobs::{Manifest, Sight};
use lessor_ledger::PluginOrigin;
use lessor_plugins::{PluginStatus, State};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::time::Stamp;

/// An installed plugin, and how it does since the server started.
#[derive(Serialize, ToSchema)]
#[schema(as = Plugin)]
pub(crate) struct PluginView {
    /// Its name, in lower case.
    name: String,
    /// What it is for, e.g. `target-manager`.
    kind: Option<String>,
    /// `enabled`, `disabled`, `quarantined` (it broke too often, and takes no new jobs until it is enabled
    /// again; only if `release` broke it releases nothing, either),
    /// `broken` (it could not be prepared), or `preparing` (the server has just started, or read its configuration again).
    state: &'static str,
    /// Why it is quarantined or broken.
    reason: Option<String>,
    /// Who put it here: `api` or `config`.
    origin: &'static str,
    /// SHA-256 of its component; null for one of the configuration that could not be prepared yet.
    digest: Option<String>,
    /// The same of what it ran before, to roll back to.
    previous_digest: Option<String>,
    /// The version of the contract that it was built for.
    contract: Option<String>,
    /// The interfaces that it exports.
    exports: Vec<String>,
    /// The interfaces that it imports.
    imports: Vec<String>,
    /// The grants that its imports need.
    wanted_grants: Vec<String>,
    /// Those of them that it does not have.
    missing_grants: Vec<String>,
    /// What it reads through `settings`; null for none.
    settings: Value,
    /// What it may use: see `PUT`.
    #[schema(value_type = Object)]
    grants: Value,
    /// The most that the API may grant it, by `[plugin-grants]` of the server's configuration; null for a plugin of the
    /// configuration itself, which has what that says.
    #[schema(value_type = Option<Object>)]
    grants_ceiling: Value,
    /// What one call may take: see `PUT`.
    #[schema(value_type = Object)]
    limits: Value,
    /// Whether an instance is used for more than one call.
    warm: bool,
    /// Calls that are over.
    calls: u64,
    /// Calls that ended otherwise than by a plain return.
    errors: u64,
    /// Calls that were refused: too many waited, or it was switched off or put in quarantine while they did.
    refused: u64,
    /// Calls that run or wait for their turn.
    in_flight: u64,
    /// How long 95 of 100 of the latest calls took at most, in microseconds; null before the first.
    p95_us: Option<u64>,
    /// The most memory that one instance had, in bytes.
    memory_high_water_bytes: u64,
    /// How many of the latest 20 calls of one of its exports ended abnormally.
    strikes: u32,
    /// The latest abnormal end.
    last_error: Option<String>,
    /// When it was first installed; null for one of the configuration that could not be prepared yet.
    installed_at: Option<Stamp>,
    /// When anything about it last changed; null as well then.
    changed_at: Option<Stamp>,
}

impl PluginView {
    /// A plugin as it is now.
    pub(crate) fn of(sight: Sight) -> Self {
        let origin = match sight.origin() {
            PluginOrigin::Config => "config",
            PluginOrigin::Api => "api",
        };
        let Sight { name, record, manifest, status, broken, ceiling } = sight;
        let record = record.as_deref();
        let previous = record.and_then(|record| record.previous.as_ref());
        let (state, reason) = state(status.as_ref(), broken);
        let json = |value: Option<serde_json::Result<Value>>| value.and_then(Result::ok).unwrap_or_default();
        let kind = manifest.as_ref().map(|manifest| manifest.kind.to_string());
        let with = |read: fn(&Manifest) -> serde_json::Result<Value>| json(manifest.as_ref().map(read));
        Self {
            name: name.to_string(),
            kind,
            state,
            reason,
            origin,
            digest: record.map(|record| record.version.digest.to_string()),
            previous_digest: previous.map(|previous| previous.digest.to_string()),
            settings: with(|manifest| Ok(manifest.settings.clone())),
            grants: with(|manifest| serde_json::to_value(&manifest.grants)),
            grants_ceiling: json(ceiling.map(serde_json::to_value)),
            limits: with(|manifest| serde_json::to_value(&manifest.limits)),
            warm: manifest.as_ref().is_some_and(|manifest| manifest.warm),
            contract: status.as_ref().map(|status| status.contract.clone()),
            calls: status.as_ref().map_or(0, |status| status.calls),
            errors: status.as_ref().map_or(0, |status| status.errors),
            refused: status.as_ref().map_or(0, |status| status.refused),
            in_flight: status.as_ref().map_or(0, |status| status.in_flight),
            p95_us: status.as_ref().and_then(|status| status.p95_us),
            memory_high_water_bytes: status.as_ref().map_or(0, |status| status.memory_high_water_bytes),
            strikes: status.as_ref().map_or(0, |status| status.strikes),
            last_error: status.as_ref().and_then(|status| status.last_error.clone()),
            installed_at: record.map(|record| Stamp(record.installed_at)),
            changed_at: record.map(|record| Stamp(record.changed_at)),
            exports: status.as_ref().map(|status| status.exports.clone()).unwrap_or_default(),
            imports: status.as_ref().map(|status| status.imports.clone()).unwrap_or_default(),
            wanted_grants: status.as_ref().map(|status| status.wanted_grants.clone()).unwrap_or_default(),
            missing_grants: status.map(|status| status.missing_grants).unwrap_or_default(),
        }
    }
}

/// Name of the state of a plugin, and why it takes no calls.
pub(crate) fn state(status: Option<&PluginStatus>, broken: Option<String>) -> (&'static str, Option<String>) {
    let Some(status) = status else {
        // A start has not come to it yet, or it would say why.
        return (if broken.is_some() { "broken" } else { "preparing" }, broken);
    };
    match &status.state {
        State::Enabled => ("enabled", broken),
        State::Disabled => ("disabled", broken),
        State::Quarantined { reason } => ("quarantined", Some(reason.clone())),
    }
}
