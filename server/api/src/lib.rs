//! Lessor's faces over HTTP: `/v1`, the Boskos dialect, the `ConTest` dialect, operations and the dashboard.
//!
//! A handler parses, submits to the keeper and renders; no rule about leases lives here. This is the only crate
//! that knows status codes. What it shows is committed: lists and pages come from the keeper's snapshot, ended
//! leases and events from the store.

mod answers;
mod app;
mod boskos;
mod bulletin;
mod conditional;
mod contest;
mod extract;
mod guard;
mod health;
mod length;
mod limits;
mod metrics;
mod moment;
mod object;
mod openapi;
mod pages;
mod problem;
mod router;
mod sieve;
mod sse;
mod time;
mod v1;
mod written;

pub use app::{App, Inputs};
pub use guard::Hosts;
pub use openapi::document as openapi;
pub use router::{Site, site};
