//! Lessor's pages: plain data in, HTML out.
//!
//! Knows nothing about the server: no ledger, no HTTP. Every text is escaped by the template engine; there is no
//! script, so the strictest Content-Security-Policy fits ([`CONTENT_SECURITY_POLICY`]).

mod dashboard;
mod length;

pub use askama::Error;
pub use dashboard::{Dashboard, LeaseRow, PoolRow, Table, WaitRow};
pub use length::length;

/// The stylesheet of all pages.
pub const STYLE: &str = include_str!("../static/style.css");

/// The policy that fits the pages: our stylesheet and forms, nothing else.
pub const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
