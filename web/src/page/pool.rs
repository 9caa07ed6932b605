//! Pools.

use askama::Template;

use crate::chart::{Gantt, Histogram, Span, Told, Window};
use crate::frame::Frame;
use crate::list::List;
use crate::row::{PoolRow, ResourceRow, WaitRow};
use crate::text::Text;

/// The list of pools.
#[derive(Clone, Debug, Template)]
#[template(path = "pools.html")]
pub struct Pools {
    /// What is around it.
    pub frame: Frame,
    /// The list.
    pub list: List,
    /// Its rows.
    pub rows: Vec<PoolRow>,
}

/// A chart, and how much time it shows.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// How much time.
    pub window: Window,
    /// The chart.
    pub gantt: Gantt,
    /// The same in words, where there is no room for it.
    pub told: Vec<Told>,
    /// The same as a table, the last first.
    pub table: Vec<Held>,
    /// How many more do not fit in the table.
    pub more: usize,
    /// Whether there are targets before those of this chart.
    pub further: bool,
    /// The last target of this chart, if there are more after it.
    pub next: Option<Text>,
}

/// A row of such a table.
#[derive(Clone, Debug)]
pub struct Held {
    /// What was held.
    pub target: Text,
    /// By whom, and when.
    pub span: Span,
}

/// One pool.
#[derive(Clone, Debug, Template)]
#[template(path = "pool.html")]
pub struct PoolDetail {
    /// What is around it.
    pub frame: Frame,
    /// The pool.
    pub pool: PoolRow,
    /// Its settings in words.
    pub settings: Vec<(&'static str, Text)>,
    /// How many are in which state, whoever holds them.
    pub states: Vec<(Text, u64)>,
    /// Who holds most of it.
    pub owners: Vec<(Text, u64)>,
    /// How long others waited.
    pub histogram: Option<Histogram>,
    /// The next in line.
    pub waits: Vec<WaitRow>,
    /// The first of its resources.
    pub resources: Vec<ResourceRow>,
    /// Who held what, if it is asked for.
    pub timeline: Option<Chosen>,
}
