//! Lessor's pages: plain data in, HTML out.
//!
//! Knows nothing about the server: no ledger, no HTTP. Every text is escaped by the template engine and what somebody
//! else wrote is a [`Text`], which also shows what would be invisible. Pages are whole without a script; the one
//! module that there is keeps them up to date. Nothing is inline, so the strictest Content-Security-Policy fits
//! ([`CONTENT_SECURITY_POLICY`]).

pub mod asset;
pub mod chart;
pub mod link;
pub mod page;

mod frame;
mod length;
mod list;
mod row;
mod text;

pub use askama::{Error, Template};
pub use frame::{CONTENT_SECURITY_POLICY, Frame, Moment, SECTIONS, Section, Theme};
pub use length::length;
pub use list::{List, Sort};
pub use row::{
    Blocker, Drained, EventRow, Holder, JobRow, LeaseRow, PluginRow, PoolRow, ResourceRow, StateBadge,
    WaitRow,
};
pub use text::{SHOWN_CHARS_MAX, Text, is_invisible};
