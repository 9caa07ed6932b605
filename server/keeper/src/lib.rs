//! The single writer: one thread owns the ledger and the store, decides commands in batches, and makes each batch
//! durable before anybody sees it.
//!
//! - [`Keeper`] is the handle: cheap to clone, used by everything that asks or reads.
//! - [`Stopper`] ends the thread in good order.
//! - A batch is decided on a *copy* of the ledger. If it cannot be committed, the copy is dropped and nothing
//!   happened (promise P4); nobody has seen any of it (promise P3).
//! - Readers hold an `Arc` of the last committed state and are never in the writer's way.
//!
//! This crate decides nothing about leases: that is the ledger's business. It knows when to ask it.
//!
//! Races accepted: a client may be told that a command failed although the disk kept it, when a commit fails after
//! its data reached the disk. The store is then reloaded, the truth is what the disk says, and everybody who was
//! told otherwise was told "try again", never "no".

pub mod limits;
pub mod stats;

mod clock;
mod error;
mod feed;
mod handle;
mod options;
mod post;
mod recovery;
mod room;
mod watch;
mod writer;

pub use clock::{Clock, SystemClock};
pub use error::{Error, Health, chain};
pub use feed::{Feed, Missed};
pub use handle::{Keeper, StartError, StopError, Stopper};
pub use options::Options;
pub use stats::Stats;
pub use watch::{Stopped, Watch};
