//! Loops that act by themselves, and what they read: for now the pools file.
//!
//! - [`pools`] reads and validates a pools file: the Boskos format, and keys of our own.
//! - [`Trial`] tells what its entries would change.
//! - [`Reloader`] keeps the server's pools as the file says, and tells how that went in a [`PoolsStatus`].
//! - [`go_duration`] reads and writes durations as Go does, because the Boskos and `ConTest` wires do.
//!
//! Nothing here decides about leases: a loop submits a command like everybody else.

pub mod go_duration;
pub mod limits;
pub mod pools;

mod reload;
mod source;
mod trial;

pub use reload::{Nudge, PoolsStatus, Reloader, Unreadable};
pub use trial::Trial;
