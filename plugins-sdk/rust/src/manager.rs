//! What a target manager is.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::problem::{Failure, Problems};
use crate::target::Target;

/// Where targets come from.
///
/// An instance may serve one call only, so there is no `self`: what must last goes into the state of the targets.
pub trait TargetManager {
    /// Parameters of `acquire`. Those that cannot be read as this type are refused when a job is submitted.
    type Acquire: DeserializeOwned;

    /// Parameters of `release`, likewise. [`NoParameters`](crate::NoParameters) if it takes none.
    type Release: DeserializeOwned;

    /// Says everything that is wrong with parameters that could be read. Must be quick and change nothing.
    fn check_acquire(parameters: &Self::Acquire, problems: &mut Problems) {
        let _ = (parameters, problems);
    }

    /// Likewise for `release`.
    fn check_release(parameters: &Self::Release, problems: &mut Problems) {
        let _ = (parameters, problems);
    }

    /// Finds targets for a job. Locking them is optional: the server locks what is returned in any case.
    ///
    /// # Errors
    ///
    /// There are none to be had. The server frees everything that is locked for the job.
    fn acquire(job: &Job, parameters: Self::Acquire) -> Result<Vec<Target>, Failure>;

    /// Is told that a job is done with its targets, which are still locked. May be told more than once.
    ///
    /// # Errors
    ///
    /// It did not work; the server asks again.
    fn release(job: &Job, parameters: Self::Release, targets: Vec<Target>) -> Result<(), Failure> {
        let _ = (job, parameters, targets);
        Ok(())
    }
}

/// For which job a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// A number that is never used again.
    pub number: u64,
    /// How long locks should last that the plugin takes.
    pub lock_duration: Duration,
    /// How long this call may take.
    pub timeout: Duration,
}

impl Job {
    /// A job for tests, with the durations that jobs have by default.
    #[must_use]
    pub fn numbered(number: u64) -> Self {
        Self { number, lock_duration: Duration::from_mins(15), timeout: Duration::from_mins(5) }
    }
}
