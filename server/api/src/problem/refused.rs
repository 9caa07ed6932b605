//! Which problem an error of the layers below is.

use std::io;

use lessor_jobs::{ComponentError, PluginError, StartError};
use lessor_keeper::{Error, chain};
use lessor_ledger::limits::JOB_PARAMETERS_BYTES_MAX;
use lessor_ledger::{Conflict, Missing, NameError, Refusal};
use lessor_plugins::CallError;

use super::more::{ConflictView, ExceedingView, More, ParameterView, UnmetView};
use super::{Kind, Problem};

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Busy => Self::new(Kind::Overloaded, error.to_string()),
            Error::ReadOnly(_) => {
                Self::new(Kind::ReadOnly, "the last write failed; writes resume by themselves")
            }
            Error::Stopped => Self::new(Kind::Stopping, error.to_string()),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        let (kind, more) = match refusal {
            Refusal::NoSuchPool(_) => (Kind::NoSuchPool, More::default()),
            Refusal::NoSuchResource(_) => (Kind::NoSuchResource, More::default()),
            Refusal::NoSuchLease(_) => (Kind::NoSuchLease, More::default()),
            Refusal::LeaseEnded(id) => (Kind::LeaseEnded, More { lease: Some(id.0), ..More::default() }),
            Refusal::NoSuchRequest(_) => (Kind::NoSuchRequest, More::default()),
            Refusal::NothingFree { .. } | Refusal::NotAllInState { .. } => (Kind::Busy, More::default()),
            Refusal::NotOwner { holder, .. } => {
                (Kind::NotHolder, More { holder: holder.map(|owner| owner.to_string()), ..More::default() })
            }
            Refusal::StateMismatch { .. } => (Kind::StateMismatch, More::default()),
            Refusal::JobZero | Refusal::EmptyTarget | Refusal::PoolNeeded(_) | Refusal::CordonOver(_) => {
                (Kind::Invalid, More::default())
            }
            Refusal::Busy(conflicts) | Refusal::Unavailable(conflicts) => (Kind::Busy, blocked(&conflicts)),
            Refusal::NotHeld(missing) => (Kind::NotHolder, not_held(&missing)),
            Refusal::Unsatisfiable(unmet) => {
                let unsatisfied = unmet.iter().map(UnmetView::from).collect();
                (Kind::Unsatisfiable, More { unsatisfied, ..More::default() })
            }
            Refusal::TtlOutOfRange { max_ms, .. } | Refusal::SpanOutOfRange { max_ms, .. } => {
                (Kind::Invalid, More { limit: Some(max_ms), ..More::default() })
            }
            Refusal::KeyReused => (Kind::KeyReused, More::default()),
            Refusal::StaleRevision { current, .. } => {
                (Kind::StaleRevision, More { revision: Some(current), ..More::default() })
            }
            Refusal::NoSuchJob(_) => (Kind::NoSuchJob, More::default()),
            Refusal::JobForgotten(_) => (Kind::JobOver, More::default()),
            Refusal::JobPhase { .. } => (Kind::JobPhase, More::default()),
            Refusal::JobManaged(_) => (Kind::JobManaged, More::default()),
            Refusal::NoSuchPlugin(_) => (Kind::NoSuchPlugin, More::default()),
            Refusal::NothingToRollBack(_) => (Kind::NothingToRollBack, More::default()),
            Refusal::PluginInUse { .. } => (Kind::PluginInUse, More::default()),
            Refusal::TooLarge { limit, .. } => (Kind::Invalid, at_most(limit)),
            Refusal::Full { limit, .. } => (Kind::Limit, at_most(limit)),
        };
        Self::new(kind, detail).with(more)
    }
}

fn at_most(limit: usize) -> More {
    More { limit: i64::try_from(limit).ok(), ..More::default() }
}

/// All conflicts; a single holder is named at the top too.
fn blocked(conflicts: &[Conflict]) -> More {
    let holder = match conflicts {
        [only] => only.holder.as_ref().map(ToString::to_string),
        _ => None,
    };
    More { holder, conflicts: conflicts.iter().map(ConflictView::from).collect(), ..More::default() }
}

fn not_held(missing: &[Missing]) -> More {
    let holder = match missing {
        [only] => only.holder.as_ref().map(ToString::to_string),
        _ => None,
    };
    let conflicts = missing
        .iter()
        .map(|missing| ConflictView {
            target: Some(missing.target.to_string()),
            holder: missing.holder.as_ref().map(ToString::to_string),
            ..ConflictView::default()
        })
        .collect();
    More { holder, conflicts, ..More::default() }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        let detail = error.to_string();
        match error {
            StartError::Name(error) => Self::invalid("target_manager", error),
            StartError::Keeper(error) => error.into(),
            StartError::TooLarge { .. } => {
                Self::new(Kind::TooLarge, detail).with(at_most(JOB_PARAMETERS_BYTES_MAX))
            }
            StartError::Unavailable { .. } => Self::new(Kind::PluginUnavailable, detail),
            StartError::Parameters { problems, .. } => {
                let problems = problems.into_iter();
                let problems =
                    problems.map(|found| ParameterView { path: found.path, message: found.message });
                let more = More { problems: problems.collect(), ..More::default() };
                Self::new(Kind::BadParameters, detail).with(more)
            }
            StartError::Preparing { .. } | StartError::Unchecked { cause: CallError::Busy, .. } => {
                Self::new(Kind::Overloaded, detail)
            }
            StartError::Unchecked { .. } => Self::new(Kind::PluginBroke, detail),
        }
    }
}

impl From<PluginError> for Problem {
    fn from(error: PluginError) -> Self {
        match error {
            PluginError::Name(error) => Self::invalid("name", error),
            PluginError::Keeper(error) => error.into(),
            PluginError::Unfit(unfit) => {
                let misfits = unfit.misfits.iter().map(ToString::to_string).collect();
                let missing_grants = unfit.missing_grants();
                let more = More { misfits, missing_grants, ..More::default() };
                let kind = if unfit.is_of_the_system() { Kind::Overloaded } else { Kind::PluginUnfit };
                Self::new(kind, unfit.to_string()).with(more)
            }
            PluginError::Beyond { ref excess, .. } => {
                let exceeding = excess.iter().map(|excess| ExceedingView {
                    grant: excess.grant,
                    value: excess.value.clone(),
                    allow: excess.allow(),
                });
                let more = More { exceeding_grants: exceeding.collect(), ..More::default() };
                Self::new(Kind::GrantNotAllowed, error.to_string()).with(more)
            }
            PluginError::NeverRan(_) => Self::new(Kind::PluginUnavailable, error.to_string()),
            PluginError::Changed(_) => Self::new(Kind::PluginChanged, error.to_string()),
            PluginError::Busy => Self::new(Kind::Overloaded, error.to_string()),
            PluginError::Unreadable(_) => Self::new(Kind::PluginUnfit, error.to_string()),
            PluginError::Component(error) => match error {
                ComponentError::Unknown(_) | ComponentError::Damaged(_) => {
                    Self::new(Kind::NoSuchComponent, error.to_string())
                }
                ComponentError::Configured { .. } => Self::new(Kind::NoSuchComponent, chain(&error)),
                ComponentError::TooLarge => Self::new(Kind::TooLarge, error.to_string()),
                ComponentError::Empty => Self::new(Kind::Invalid, error.to_string()),
                ComponentError::Disk { ref source, .. } if is_full(source) => {
                    tracing::error!(cause = %chain(&error), "a component has no room");
                    let detail = "there is no room for the component on the server's disk: make some, and send it again";
                    Self::new(Kind::ReadOnly, detail)
                }
                ComponentError::Disk { .. } | ComponentError::Slow { .. } => Self::internal(&error),
            },
        }
    }
}

/// Whether there is no room on a disk, or no more of it for the server.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        Self::new(Kind::Invalid, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_line_is_a_limit_that_waiting_helps_with() {
        use lessor_ledger::limits::REQUESTS_MAX;
        let full = Refusal::Full { what: "requests waiting", limit: REQUESTS_MAX };
        assert_eq!(Problem::from(full).kind(), Kind::Limit);
        let large = Refusal::TooLarge { what: "parts in one request", limit: 16 };
        assert_eq!(Problem::from(large).kind(), Kind::Invalid);
    }
}
