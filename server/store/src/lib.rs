//! Keeps the ledger's changes in redb and gives the ledger back after a restart.
//!
//! - [`Store::commit`] appends a [`Batch`] of changes to the write-ahead log: one write, one disk sync. From then on it
//!   is durable, and [`Reader`]s see it.
//! - A thread writes to the tables what they lack, many batches in one transaction.
//! - [`Store::open`] loads the tables, absorbs the log after them and answers the ledger.
//! - [`Reader`] answers what the ledger forgets: ended leases and events.
//! - [`check`](fn@check) verifies a store that nobody has open, and never writes to it.
//!
//! This crate decides nothing about leases. It never reads a clock: time comes with the batches.

pub mod limits;

mod backend;
mod backup;
mod by_lease;
mod check;
mod checkpoint;
mod checkpointer;
mod codec;
mod direct;
mod ended;
mod error;
mod history;
mod home;
mod journal;
mod latest;
mod load;
mod log;
mod options;
mod posting;
mod reader;
mod schema;
mod store;
mod tail;
mod trim;
mod wal;
mod walk;

pub use check::{Report, check};
pub use codec::DecodeError;
pub use error::{BackupError, CommitError, Fault, OpenError, ReadError, WalDamage};
pub use history::{EventFilter, LeaseFilter};
pub use home::{STORE_FILE, Volume};
pub use journal::Batch;
pub use latest::{Latest, LatestFilter};
pub use options::{Retention, StoreOptions};
pub use reader::Reader;
pub use schema::SCHEMA_VERSION;
pub use store::Store;
