//! Keeps the ledger's changes in redb and gives the ledger back after a restart.
//!
//! - [`Store::commit`] writes a [`Batch`] of changes to the journal: one value, one disk sync. From then on it is
//!   durable, and [`Reader`]s see it.
//! - What the tables lack is written in small chunks that ride along with later commits, or alone by
//!   [`Store::checkpoint_some`].
//! - [`Store::open`] loads the tables, absorbs the journal after the mark and answers the ledger.
//! - [`Reader`] answers what the ledger forgets: ended leases and events.
//! - [`check`](fn@check) verifies a store that nobody has open, and never writes to it.
//!
//! This crate decides nothing about leases. It never reads a clock: time comes with the batches.

pub mod limits;

mod backend;
mod backup;
mod check;
mod checkpoint;
mod codec;
mod error;
mod history;
mod home;
mod journal;
mod load;
mod options;
mod posting;
mod reader;
mod schema;
mod store;
mod tail;
mod trim;
mod walk;

pub use check::{Report, check};
pub use codec::DecodeError;
pub use error::{BackupError, CommitError, Fault, OpenError, ReadError};
pub use history::{EventFilter, LeaseFilter};
pub use home::STORE_FILE;
pub use journal::Batch;
pub use options::{Retention, StoreOptions};
pub use reader::Reader;
pub use schema::SCHEMA_VERSION;
pub use store::Store;
