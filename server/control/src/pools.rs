//! The pools file: which pools there are and which resources are in them.
//!
//! The format is that of Boskos (`reference/boskos.md` §4), read just as leniently (unknown keys are ignored, keys
//! match whatever their case, numbers and bools are taken where a text is wanted) and validated with the same rules
//! and texts. Keys of our own per entry, all optional: `labels`, `targets`, `default-ttl`, `max-ttl`, `on-expire`
//! and `reap-after`. Boskos ignores them, so one file serves both.
//!
//! ```yaml
//! resources:
//! - type: gpu
//!   state: free
//!   names: [gpu-1, gpu-2]
//!   labels: {site: ber}
//!   targets: {gpu-1: {fqdn: gpu-1.lab.example, ipv4: 192.0.2.1}}
//!   default-ttl: 10m
//! ```

mod entry;
mod fields;
mod scalar;
mod validate;
mod yaml;

use lessor_ledger::PoolEntry;

use crate::limits::POOLS_ERRORS_MAX;
use entry::Raw;
pub use fields::FieldError;
pub use yaml::YamlError;

/// Why a text is not a pools file. Whoever wrote it has to mend it.
#[derive(Debug, thiserror::Error)]
pub enum PoolsError {
    /// It is not YAML, or too much of it.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A value is of the wrong kind.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// It declares nothing at all.
    #[error("empty config")]
    Empty,
    /// It breaks rules.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Rules that a pools file breaks: one as it is, several as `[a, b]`, equal ones once, as Boskos shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    errors: Vec<String>,
    more: usize,
}

impl Invalid {
    /// What is wrong, in the order of the file; at most [`POOLS_ERRORS_MAX`].
    #[must_use]
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    fn of(found: Vec<String>) -> Option<Self> {
        let mut seen = std::collections::BTreeSet::new();
        let mut errors: Vec<String> = found.into_iter().filter(|error| seen.insert(error.clone())).collect();
        let more = errors.len().saturating_sub(POOLS_ERRORS_MAX);
        errors.truncate(POOLS_ERRORS_MAX);
        (!errors.is_empty()).then_some(Self { errors, more })
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.errors.as_slice() {
            [error] => f.write_str(error),
            errors if self.more == 0 => write!(f, "[{}]", errors.join(", ")),
            errors => write!(f, "[{}, and {} more]", errors.join(", "), self.more),
        }
    }
}

impl std::error::Error for Invalid {}

/// Reads and validates a pools file.
///
/// # Errors
/// [`PoolsError`], whose text is what Boskos says where Boskos has a text.
pub fn parse(text: &str) -> Result<Vec<PoolEntry>, PoolsError> {
    let document = yaml::read(text)?;
    let raw = entry::read(&document)?;
    if raw.is_empty() {
        return Err(PoolsError::Empty);
    }
    if let Some(invalid) = Invalid::of(validate::validate(&raw)) {
        return Err(invalid.into());
    }
    let entries: Result<Vec<_>, FieldError> =
        raw.into_iter().enumerate().map(|(index, raw)| Raw::into_entry(raw, index)).collect();
    Ok(entries?)
}

#[cfg(test)]
mod tests;
