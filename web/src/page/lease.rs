//! Leases.

use askama::Template;

use crate::frame::{Frame, Moment};
use crate::list::List;
use crate::page::FormError;
use crate::row::{EventRow, LeaseRow, StateBadge};
use crate::text::Text;

/// The list of leases.
#[derive(Clone, Debug, Template)]
#[template(path = "leases.html")]
pub struct Leases {
    /// What is around it.
    pub frame: Frame,
    /// The list.
    pub list: List,
    /// Its rows.
    pub rows: Vec<LeaseRow>,
    /// Whether it is of those that have ended.
    pub ended: bool,
}

/// A target as its holder needs it.
#[derive(Clone, Debug)]
pub struct Leased {
    /// Its name.
    pub name: Text,
    /// Whether it keeps nobody off any more, as targets of a `ConTest` job that were not refreshed in time.
    pub lapsed: bool,
    /// Its pool and state; `None` for a target without a record.
    pub place: Option<(Text, StateBadge)>,
    /// How to reach it: name, IPv4, IPv6.
    pub addresses: Vec<Text>,
    /// What is known about it.
    pub data: Vec<(Text, Text)>,
}

/// One lease.
#[derive(Clone, Debug, Template)]
#[template(path = "lease.html")]
pub struct LeaseDetail {
    /// What is around it.
    pub frame: Frame,
    /// The lease.
    pub lease: LeaseRow,
    /// What it holds.
    pub targets: Vec<Leased>,
    /// How many more it holds.
    pub more: usize,
    /// What it held and gave back.
    pub returned: Vec<Text>,
    /// When it was last renewed.
    pub renewed: Moment,
    /// What a renewal adds, in words; `None` for no deadline.
    pub ttl: Option<String>,
    /// In which language it was asked for.
    pub dialect: &'static str,
    /// The request that waited for it.
    pub request: Option<u64>,
    /// What was said about its end, and who ended it.
    pub said: Vec<(&'static str, Text)>,
    /// What happened to it.
    pub events: Vec<EventRow>,
    /// The length that was typed for extending it.
    pub ttl_typed: Text,
    /// The state that was typed for releasing it.
    pub state_typed: Text,
    /// What is wrong with what was typed.
    pub error: Option<FormError>,
}
