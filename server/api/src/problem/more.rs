//! What a problem says beyond its kind and its text, for programs.

use lessor_ledger::{Conflict, Unmet};
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Stamp;

/// Extension members, each only where it applies.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct More {
    /// Who holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) holder: Option<String>,
    /// Everything that stands in the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) conflicts: Vec<ConflictView>,
    /// Each rule by which waiting would never end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unsatisfied: Vec<UnmetView>,
    /// Each reason why the plugin does not fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) misfits: Vec<String>,
    /// The grants that would be needed, by the names of their fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing_grants: Vec<&'static str>,
    /// Each grant that the server's configuration does not let the API give.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) exceeding_grants: Vec<ExceedingView>,
    /// Everything that is wrong with the parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) problems: Vec<ParameterView>,
    /// The lease that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<u64>,
    /// The request that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<u64>,
    /// The record's revision now; 0 if it does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<u64>,
    /// The largest value allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<i64>,
}

/// A target that cannot be had now, and why.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Conflict)]
pub(crate) struct ConflictView {
    /// The target; absent if too few resources of a pool are free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// The pool, if it is about a resource or a pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pool: Option<String>,
    /// Who holds it; null if nobody does.
    pub(crate) holder: Option<String>,
    /// By which lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<u64>,
    /// Until when, if there is a deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Stamp>,
    /// Everything else in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// A rule by which a request can never be met as things are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Unmet)]
pub(crate) struct UnmetView {
    /// `no-such-pool`, `too-many`, `no-label-match` (also if other parts of the request need what matches) or `not-in-pool`.
    pub(super) rule: &'static str,
    /// The pool.
    pub(super) pool: String,
    /// The rule in words, with its numbers.
    pub(super) reason: String,
}

/// A grant that the server's configuration does not let the API give.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExceedingGrant)]
pub(crate) struct ExceedingView {
    /// Its field in `grants`.
    pub(super) grant: &'static str,
    /// What was asked for.
    pub(super) value: String,
    /// The lines of the server's configuration that would allow it.
    pub(super) allow: String,
}

impl ExceedingView {
    /// It in words.
    pub(crate) fn words(&self) -> String {
        format!("{} {}: allow it with {}", self.grant, self.value, self.allow)
    }
}

/// One thing that is wrong with the parameters of a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ParameterProblem)]
pub(crate) struct ParameterView {
    /// Where: a JSON pointer into the body.
    pub(super) path: String,
    /// What.
    pub(super) message: String,
}

impl From<&Conflict> for ConflictView {
    fn from(conflict: &Conflict) -> Self {
        Self {
            target: conflict.target.as_ref().map(ToString::to_string),
            pool: conflict.pool.as_ref().map(ToString::to_string),
            holder: conflict.holder.as_ref().map(ToString::to_string),
            lease: conflict.lease.map(|lease| lease.0),
            until: conflict.until.map(Stamp),
            why: conflict.why.clone(),
        }
    }
}

impl From<&Unmet> for UnmetView {
    fn from(unmet: &Unmet) -> Self {
        let (rule, pool) = match unmet {
            Unmet::NoSuchPool(pool) => ("no-such-pool", pool),
            Unmet::TooMany { pool, .. } => ("too-many", pool),
            Unmet::NoLabelMatch { pool, .. } | Unmet::NotTogether { pool, .. } => ("no-label-match", pool),
            Unmet::NotInPool { pool, .. } => ("not-in-pool", pool),
        };
        Self { rule, pool: pool.to_string(), reason: unmet.to_string() }
    }
}
