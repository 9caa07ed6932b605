//! Why a command got no reply, and whether commands are taken at all.

use std::error::Error as StdError;
use std::sync::Arc;

use lessor_ledger::Refusal;

/// Why a command got no reply.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The ledger said no; nothing changed. The caller has to ask for something else.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many commands wait already; this one was not taken. Trying again in a moment helps.
    #[error("too many commands wait already")]
    Busy,
    /// The store cannot be written at the moment. The command had no effect that anybody has seen. The operator
    /// has to look at the disk; trying again helps once the store has been reopened.
    #[error("the store cannot be written: {0}")]
    ReadOnly(String),
    /// The keeper was stopped or has died.
    #[error("the keeper has stopped")]
    Stopped,
}

/// Whether commands are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Writable,
    /// The store failed for this reason and has not been reopened yet. Reading works.
    ReadOnly(Arc<str>),
    /// The keeper was stopped or has died.
    Stopped,
}

/// An error with its causes on one line, for logs and health pages: `it failed: because: at the root`.
#[must_use]
pub fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
