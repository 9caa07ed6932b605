//! The harness of the end-to-end tests: the real binary on a free port, a small HTTP client that can also misbehave,
//! and a ledger with a clock set by hand.
//!
//! - [`Server`] starts `lessor`, waits until it is ready, kills and restarts it on the same data.
//! - [`http`] sends what it is told, byte by byte if need be, and reads one answer.
//! - [`Lab`] asks the ledger itself, for statements about exact instants that no real clock can show.
//! - [`plugin`] installs the real components, and submits jobs.
//! - [`wait`] polls until something holds, within a bound; there are no bare sleeps.

pub mod http;
pub mod lab;
pub mod plugin;
pub mod wait;

mod binary;
mod server;

pub use binary::lessor;
pub use http::{Answer, Client};
pub use lab::Lab;
pub use server::{CONFIG, Exit, Server, Setup, with_query};
