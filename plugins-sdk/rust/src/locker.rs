//! Locks on targets, for the job of this call and no other. Needs the grant `locker`; works in `acquire` only.

use std::time::Duration;

use crate::problem::Failure;

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockError {
    /// `held`, `not-held`, `invalid` or `unavailable`.
    pub code: String,
    /// For people.
    pub message: String,
    /// The targets that it is about, as far as known.
    pub targets: Vec<String>,
}

impl std::fmt::Display for LockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LockError {}

impl From<LockError> for Failure {
    fn from(LockError { code, message, .. }: LockError) -> Self {
        let retryable = code == "held" || code == "unavailable";
        Self { code, message, retryable }
    }
}

/// Locks all targets for so long from now, or none. Those that the job holds already are locked anew.
///
/// # Errors
///
/// Somebody else holds one, or a name is not valid.
pub fn lock(targets: &[String], duration: Duration) -> Result<(), LockError> {
    crate::side::lock(targets, ms(duration))
}

/// Locks as many of the targets as are free, in their order, up to `limit`, and tells which.
///
/// # Errors
///
/// A name is not valid. That all are held is no error.
pub fn try_lock(targets: &[String], duration: Duration, limit: u32) -> Result<Vec<String>, LockError> {
    crate::side::try_lock(targets, ms(duration), limit)
}

/// Frees all targets, or none.
///
/// # Errors
///
/// The job does not hold one of them.
pub fn unlock(targets: &[String]) -> Result<(), LockError> {
    crate::side::unlock(targets)
}

/// Lets the locks on all targets end so long from now, or changes none.
///
/// # Errors
///
/// The job does not hold one of them.
pub fn refresh(targets: &[String], duration: Duration) -> Result<(), LockError> {
    crate::side::refresh(targets, ms(duration))
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
