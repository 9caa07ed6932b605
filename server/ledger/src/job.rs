//! Jobs: targets that a target manager acquires for somebody, leases to them, and releases (`reference/contest.md` §4).
//!
//! A job holds its targets as the owner `job:<number>`. Its phases, and what is locked in each:
//!
//! | phase | the manager | locks |
//! |---|---|---|
//! | acquiring | acquires, and may lock through its locker | what the manager locked, with its deadlines |
//! | leased | is at rest | every target, until the job's deadline; a renewal moves it |
//! | releasing | releases, again and again if it must | every target that is left, without deadline |
//! | stuck | failed to release, and is asked again later | as releasing |
//! | over | | none |

use std::collections::BTreeMap;

use crate::name::{Job, Owner, PluginName, Target, Text};
use crate::time::{Span, Time};

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRecord {
    /// Its number. From the same counter as leases, so it never repeats.
    pub id: Job,
    /// Who asked for it; the locks belong to [`Owner::of_job`].
    pub owner: Owner,
    /// The plugin that acquires and releases.
    pub manager: PluginName,
    /// What it is to acquire, as JSON; the ledger does not look inside.
    pub acquire_parameters: Text,
    /// What it is to know when it releases, as JSON.
    pub release_parameters: Text,
    /// How long acquiring may take.
    pub acquire_timeout: Span,
    /// How long the targets are leased from the acquisition, and from each renewal on.
    pub lock_duration: Span,
    /// How long one attempt to release may take.
    pub release_timeout: Span,
    /// When it was submitted.
    pub started_at: Time,
    /// When it was acquired or last renewed.
    pub renewed_at: Option<Time>,
    /// How far it is.
    pub phase: Phase,
    /// What was acquired, in the manager's order. What a job loses leaves this list; the rest stays after the end.
    pub targets: Vec<JobTarget>,
    /// Why it ends or ended.
    pub ending: Option<Ending>,
    /// What the manager said when it last failed.
    pub failure: Option<Text>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The manager acquires, until this instant at the latest.
    Acquiring {
        /// After this the job has failed.
        until: Time,
    },
    /// Whoever asked has the targets, until this instant unless they renew.
    Leased {
        /// After this the targets are released.
        until: Time,
    },
    /// The manager releases.
    Releasing {
        /// 1 for the first attempt.
        attempt: u32,
        /// After this the attempt has failed.
        until: Time,
    },
    /// The manager could not release; nobody else gets the targets before it can, or somebody forces it.
    Stuck {
        /// How many attempts have failed.
        attempts: u32,
        /// When it is tried again.
        retry_at: Time,
    },
    /// Nothing is held any more.
    Over {
        /// Since when.
        at: Time,
        /// How it went.
        verdict: Verdict,
    },
}

/// How a job went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Acquired, ended by its owner, released.
    Completed,
    /// Not acquired, or its release was given up.
    Failed,
    /// Ended before it was acquired, or its lease was lost.
    Cancelled,
}

/// Why a job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub cause: EndCause,
    /// Since when.
    pub at: Time,
    /// In words: who ended it, which target was lost to whom, what the manager said.
    pub reason: Option<Text>,
}

/// Why a job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndCause {
    /// Its owner, or somebody in the owner's place, said so.
    Asked,
    /// Nobody renewed it.
    Expired,
    /// It lost a target.
    Lost,
    /// The manager refused or failed to acquire, or what it returned could not be locked.
    NotAcquired,
    /// Acquiring took too long.
    AcquireTimeout,
    /// The server stopped while it was being acquired.
    Interrupted,
}

/// A target as its manager returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobTarget {
    /// What is locked.
    pub id: Target,
    /// What else the manager said about it.
    pub facts: TargetFacts,
}

/// What a manager says about a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetFacts {
    /// Fully qualified domain name; never checked.
    pub fqdn: Option<Text>,
    /// Primary IPv4 address, as text.
    pub ipv4: Option<Text>,
    /// Primary IPv6 address, as text.
    pub ipv6: Option<Text>,
    /// The manager's own, between acquiring and releasing; JSON (`ConTest`: `TMS`).
    pub manager_state: Option<Text>,
    /// Labels.
    pub labels: BTreeMap<Text, Text>,
}

impl JobRecord {
    /// Who holds its locks.
    #[must_use]
    pub fn holder(&self) -> Owner {
        Owner::of_job(self.id)
    }

    /// Whether it may hold or get anything.
    #[must_use]
    pub fn live(&self) -> bool {
        !matches!(self.phase, Phase::Over { .. })
    }

    /// What its leases are for, so that whoever looks at one finds whom to ask.
    pub(crate) fn purpose(&self) -> Text {
        format!("for {} by {}", self.owner, self.manager).into()
    }

    /// What it keeps for its manager and its owner, in bytes: parameters and facts, which are all that can be large.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let parameters = self.acquire_parameters.len() + self.release_parameters.len();
        parameters + self.targets.iter().map(|target| target.facts.bytes()).sum::<usize>()
    }

    /// Until when it is leased; `None` in every other phase.
    #[must_use]
    pub fn leased_until(&self) -> Option<Time> {
        match self.phase {
            Phase::Leased { until } => Some(until),
            Phase::Acquiring { .. } | Phase::Releasing { .. } | Phase::Stuck { .. } | Phase::Over { .. } => {
                None
            }
        }
    }
}

impl TargetFacts {
    /// How much it is, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let texts = [&self.fqdn, &self.ipv4, &self.ipv6, &self.manager_state];
        let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        texts + self.labels.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
    }
}

impl Phase {
    /// The instant after which something happens by itself; for a job that is over, when it ended.
    pub(crate) fn turns_at(self) -> Time {
        match self {
            Self::Acquiring { until } | Self::Leased { until } | Self::Releasing { until, .. } => until,
            Self::Stuck { retry_at, .. } => retry_at,
            Self::Over { at, .. } => at,
        }
    }

    /// Its name, e.g. `leased`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Acquiring { .. } => "acquiring",
            Self::Leased { .. } => "leased",
            Self::Releasing { .. } => "releasing",
            Self::Stuck { .. } => "stuck",
            Self::Over { verdict: Verdict::Completed, .. } => "completed",
            Self::Over { verdict: Verdict::Failed, .. } => "failed",
            Self::Over { verdict: Verdict::Cancelled, .. } => "cancelled",
        }
    }
}

impl EndCause {
    /// How a job that ends for this reason went, if nothing else goes wrong.
    pub(crate) fn verdict(self, acquired: bool) -> Verdict {
        match self {
            Self::Asked if acquired => Verdict::Completed,
            Self::Asked | Self::Expired | Self::Lost => Verdict::Cancelled,
            Self::NotAcquired | Self::AcquireTimeout | Self::Interrupted => Verdict::Failed,
        }
    }
}
