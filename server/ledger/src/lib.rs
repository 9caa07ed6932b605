//! The rules of Lessor: who may hold what, since when, until when, and who is next.
//!
//! This crate owns every decision about pools, resources, locks, leases and requests. It is pure: it never reads
//! a clock, never does I/O, never waits, and draws no random numbers. Time and names come in as data, facts come
//! out as [`Change`]s. The same commands at the same times give the same changes, on every machine.
//!
//! - [`Ledger::apply`] decides a [`Command`] at a [`Time`] and folds what it decided into the state.
//! - [`Ledger::absorb`] folds one [`Change`] into the state: the only mutator, and the recovery path too.
//! - Cloning a [`Ledger`] takes constant time, because its maps share structure; a clone is a snapshot.

pub mod limits;

mod apply;
mod beside;
mod change;
mod check;
mod command;
mod ends;
mod event;
mod index;
mod job;
mod labels;
mod lease;
mod name;
mod place;
mod plugin;
mod pool;
mod refusal;
mod reply;
mod request;
mod resource;
mod sharing;
mod shortage;
mod state;
mod time;
mod view;
mod walk;
mod weight;

pub use change::{Answer, Change, Counters, Key};
pub use check::Violation;
pub use command::{
    Acquire, BoskosAcquire, BoskosUpdate, Command, ContestLock, CordonEdit, Force, JobCommand, JobStart,
    Part, PluginCommand, PluginNews, PoolEntry, ResourceEdit, Subject, Wanted, Withdrawal,
};
pub use event::{Event, EventId, EventKind};
pub use job::{EndCause, Ending, JobRecord, JobTarget, Phase, TargetFacts, Verdict};
pub use labels::Labels;
pub use lease::{Cause, Dialect, Ended, Lease, LeaseId, Lock, Pickup};
pub use name::{Job, NameError, Owner, PluginName, PoolName, State, Target, Text};
pub use place::{Blocker, Place};
pub use plugin::{PluginOrigin, PluginRecord, PluginVersion};
pub use pool::{Lifecycle, Pool, PoolOrigin};
pub use refusal::{Conflict, Missing, Refusal, Unmet};
pub use reply::{Grant, Reply, Settled, Step, SyncReport};
pub use request::{Outcome, Request, RequestId};
pub use resource::{Addresses, Cordon, Details, Move, Origin, Resource};
pub use state::{Ledger, Settings};
pub use time::{Span, Time};
pub use view::Usage;
