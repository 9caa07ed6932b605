//! Names: of targets, pools, states and owners. Cheap to clone, compared byte by byte, never empty.
//!
//! Up to 23 bytes lie in the name itself, longer ones are shared. Names are the keys of every map, and a map that
//! has a snapshot copies nodes: that must not visit a counter in another place of memory for each key.

use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::limits::{JOB_FIRST, NAME_BYTES_MAX};

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text has no bytes.
    #[error("{what} must not be empty")]
    Empty {
        /// What the text was meant to name.
        what: &'static str,
    },
    /// The text is longer than [`NAME_BYTES_MAX`].
    #[error("{what} has {bytes} bytes, at most {NAME_BYTES_MAX} are allowed")]
    TooLong {
        /// What the text was meant to name.
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// 1 to [`NAME_BYTES_MAX`] bytes of UTF-8; no other assumption.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SmolStr);

        impl $name {
            /// Takes `text` as a name.
            ///
            /// # Errors
            /// [`NameError`] if it is empty or longer than [`NAME_BYTES_MAX`] bytes.
            pub fn new(text: impl AsRef<str> + Into<Arc<str>>) -> Result<Self, NameError> {
                match text.as_ref().len() {
                    0 => Err(NameError::Empty { what: $what }),
                    bytes if bytes > NAME_BYTES_MAX => Err(NameError::TooLong { what: $what, bytes }),
                    _ => Ok(Self(SmolStr::new(text))),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(/// Name of anything lockable, e.g. `gpu-1`.
    Target, "a target name");
name!(/// Name of a pool (Boskos: resource type), e.g. `gce-project`.
    PoolName, "a pool name");
name!(/// State of a resource. `free`, `dirty`, `toBeDeleted` and `tombstone` have meaning, the rest is the users'.
    State, "a state");
name!(/// Who holds or waits, e.g. `ci-job-17`; the `ConTest` job *n* is the owner `job:n`.
    Owner, "an owner");
name!(/// Name of a plugin, e.g. `csv`. Kept in lower case, because case makes no difference.
    PluginName, "a plugin name");

/// Any other text in a record: a label, a purpose, a message.
pub type Text = Arc<str>;

/// A `ConTest` job ID. 0 means "none" and is refused by every operation (`reference/contest.md` rule 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job(pub u64);

impl Job {
    /// The number of a job that the server runs, made of the next one of the counter that it shares with leases.
    pub(crate) fn numbered(count: u64) -> Self {
        Self(JOB_FIRST + count)
    }

    /// What its number takes of that counter. Jobs of earlier versions had it as it is.
    #[must_use]
    pub fn counted(self) -> u64 {
        self.0.checked_sub(JOB_FIRST).unwrap_or(self.0)
    }
}

impl Owner {
    /// The owner that stands for a `ConTest` job.
    #[must_use]
    pub fn of_job(job: Job) -> Self {
        Self(smol_str::format_smolstr!("job:{}", job.0))
    }

    /// The `ConTest` job that this owner stands for, if it is the canonical `job:n`.
    #[must_use]
    pub fn job(&self) -> Option<Job> {
        let digits = self.0.strip_prefix("job:")?;
        let job = digits.parse().ok().filter(|&job| job != 0)?;
        (Self::of_job(Job(job)) == *self).then_some(Job(job))
    }
}

impl Target {
    /// Before every other name; only good as the start of a range.
    pub(crate) fn lowest() -> Self {
        Self(SmolStr::default())
    }
}

impl State {
    /// Before every other state; only good as the start of a range.
    pub(crate) fn lowest() -> Self {
        Self(SmolStr::default())
    }

    /// Ready to be leased; the state of a resource that was given none.
    #[must_use]
    pub fn free() -> Self {
        well_known(&FREE, "free")
    }

    /// Returned, waiting to be cleaned.
    #[must_use]
    pub fn dirty() -> Self {
        well_known(&DIRTY, "dirty")
    }

    /// What a janitor or cleaner is at work on.
    #[must_use]
    pub fn cleaning() -> Self {
        well_known(&CLEANING, "cleaning")
    }

    /// A dynamic resource that waits for the cleaner.
    #[must_use]
    pub fn to_be_deleted() -> Self {
        well_known(&TO_BE_DELETED, "toBeDeleted")
    }

    /// A dynamic resource that is clean and ready to vanish.
    #[must_use]
    pub fn tombstone() -> Self {
        well_known(&TOMBSTONE, "tombstone")
    }
}

type Shared = std::sync::OnceLock<State>;
static FREE: Shared = Shared::new();
static DIRTY: Shared = Shared::new();
static CLEANING: Shared = Shared::new();
static TO_BE_DELETED: Shared = Shared::new();
static TOMBSTONE: Shared = Shared::new();

fn well_known(cell: &Shared, text: &'static str) -> State {
    cell.get_or_init(|| State(SmolStr::new_static(text))).clone()
}
