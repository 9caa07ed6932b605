//! My work, events, the status, help, and what went wrong.

use askama::Template;

use crate::frame::Frame;
use crate::list::List;
use crate::row::{EventRow, JobRow, LeaseRow, PluginRow, PoolRow, WaitRow};
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
    /// Jobs of whoever looks, of everybody while nobody has said who looks, that hold something or did not go well.
    pub jobs: Vec<JobRow>,
    /// How many jobs, whoever's, cannot release what they hold.
    pub stuck: usize,
    /// Plugins that take no calls.
    pub plugins: Vec<PluginRow>,
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
    /// What was looked at.
    pub checks: Vec<Check>,
    /// Numbers: what, and how much.
    pub numbers: Vec<(&'static str, String)>,
    /// Whether the pools file can be read again from here.
    pub reloads: bool,
}

/// Something that was looked at.
#[derive(Clone, Debug)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// How it is.
    pub how: How,
    /// What is to be said about it.
    pub words: Text,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As it should be.
    Well,
    /// Nothing is wrong, but somebody may want to know.
    Odd,
    /// Not as it should be.
    Wrong,
}

impl How {
    /// The class of its badge.
    fn class(self) -> &'static str {
        match self {
            Self::Well => "free",
            Self::Odd => "dirty",
            Self::Wrong => "drained",
        }
    }

    /// Its sign, which does not need colours.
    fn sign(self) -> &'static str {
        match self {
            Self::Well => "✓",
            Self::Odd => "!",
            Self::Wrong => "✗",
        }
    }

    /// It in words.
    fn words(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Odd => "odd",
            Self::Wrong => "not well",
        }
    }
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
