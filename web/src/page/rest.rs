//! My work, events, the status, help, and what went wrong.

use askama::Template;

use crate::frame::Frame;
use crate::list::List;
use crate::row::{EventRow, LeaseRow, PoolRow, WaitRow};
use crate::text::Text;

/// The first page: what is mine, and what can be had.
#[derive(Clone, Debug, Template)]
#[template(path = "mine.html")]
pub struct Mine {
    /// What is around it.
    pub frame: Frame,
    /// Leases of whoever looks; of everybody while nobody has said who looks.
    pub leases: Vec<LeaseRow>,
    /// How many leases there are in all.
    pub leases_total: usize,
    /// Requests of whoever looks; of everybody while nobody has said who looks.
    pub waits: Vec<WaitRow>,
    /// Pools.
    pub pools: Vec<PoolRow>,
    /// How many pools there are in all.
    pub pools_total: usize,
}

/// The list of events.
#[derive(Clone, Debug, Template)]
#[template(path = "events.html")]
pub struct Events {
    /// What is around it.
    pub frame: Frame,
    /// The list.
    pub list: List,
    /// Its rows.
    pub rows: Vec<EventRow>,
    /// The number of the oldest event that is kept.
    pub oldest: u64,
}

/// One event.
#[derive(Clone, Debug, Template)]
#[template(path = "event.html")]
pub struct EventDetail {
    /// What is around it.
    pub frame: Frame,
    /// The event.
    pub event: EventRow,
}

impl EventDetail {
    /// It as the rows of a table.
    fn rows(&self) -> &[EventRow] {
        std::slice::from_ref(&self.event)
    }
}

/// How the server is.
#[derive(Clone, Debug, Template)]
#[template(path = "status.html")]
pub struct Status {
    /// What is around it.
    pub frame: Frame,
    /// Whether everything is as it should be.
    pub well: bool,
    /// What was looked at: what, whether it is well, and what is to be said about it.
    pub checks: Vec<(&'static str, bool, Text)>,
    /// Numbers: what, and how much.
    pub numbers: Vec<(&'static str, String)>,
    /// Whether the pools file can be read again from here.
    pub reloads: bool,
}

/// Keys, and what filters can say.
#[derive(Clone, Debug, Template)]
#[template(path = "help.html")]
pub struct Help {
    /// What is around it.
    pub frame: Frame,
}

/// Something that did not go as it should.
#[derive(Clone, Debug, Template)]
#[template(path = "oops.html")]
pub struct Oops {
    /// What is around it.
    pub frame: Frame,
    /// What went wrong, in general.
    pub heading: Text,
    /// What went wrong.
    pub words: Text,
}

/// The page that asks who looks.
#[derive(Clone, Debug, Template)]
#[template(path = "me.html")]
pub struct Me {
    /// What is around it.
    pub frame: Frame,
    /// The name that was typed.
    pub owner: Text,
    /// Where to go afterwards.
    pub back: Text,
    /// Why it cannot be a name.
    pub error: Option<Text>,
}
