//! Rows: what a list, and the page of one thing, know of it.

use crate::chart::{Bar, Sparkline, Stock};
use crate::frame::Moment;
use crate::link;
use crate::text::Text;

/// Who holds something, what for, since when and until when.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Who.
    pub owner: Text,
    /// By which lease.
    pub lease: u64,
    /// What for.
    pub purpose: Option<Text>,
    /// Since when.
    pub since: Moment,
    /// Until when; `None` for no deadline.
    pub until: Option<Moment>,
    /// Whether it is whoever looks.
    pub mine: bool,
}

/// A state: its name, and what kind of state it is.
#[derive(Clone, Debug)]
pub struct StateBadge {
    /// Its name.
    pub name: Text,
    /// `free`, `leased`, `dirty`, `drained` or `away`: the same signs and colours stand for phases of jobs.
    pub class: &'static str,
}

impl StateBadge {
    /// Whether somebody holds it although its state says `free`: states are for whoever cleans, not for locks.
    #[must_use]
    pub fn held_free(&self) -> bool {
        self.class == "leased" && self.name.raw() == "free"
    }

    /// What comes first where it is shown.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.held_free() { "held" } else { self.name.raw() }
    }

    /// The sign that stands for its kind, beside colour and words.
    #[must_use]
    pub fn sign(&self) -> &'static str {
        match self.class {
            "free" => "○",
            "leased" => "●",
            "dirty" => "◐",
            "drained" => "⊘",
            _ => "◌",
        }
    }
}

/// One pool.
#[derive(Clone, Debug)]
pub struct PoolRow {
    /// Its name.
    pub name: Text,
    /// Whether its resources come and go with its counts.
    pub dynamic: bool,
    /// Its resources by what they are.
    pub stock: Stock,
    /// The same as a picture.
    pub bar: Bar,
    /// How much of it was leased.
    pub use_of_day: Option<Sparkline>,
    /// Live waiters.
    pub waiting: u64,
    /// Since when the longest of them waits.
    pub oldest: Option<Moment>,
    /// How long half of those who waited had to, and 95 of 100, in words.
    pub waits: Option<(String, String)>,
}

impl PoolRow {
    /// The form that leases one of it.
    #[must_use]
    pub fn lease_form(&self) -> String {
        link::with("/lease", &[("pool", self.name.raw())])
    }

    /// Its resources, filtered.
    #[must_use]
    pub fn resources(&self, more: &str) -> String {
        let filter = format!("{} {more}", lessor_filter::term("pool", self.name.raw()));
        link::with("/resources", &[("q", filter.trim())])
    }
}

/// One resource.
#[derive(Clone, Debug)]
pub struct ResourceRow {
    /// Its name.
    pub name: Text,
    /// The pool that it belongs to.
    pub pool: Text,
    /// Its state.
    pub state: StateBadge,
    /// Who holds it.
    pub holder: Option<Holder>,
    /// Set while it takes no new leases.
    pub drained: Option<Drained>,
    /// Its labels.
    pub labels: Vec<(Text, Text)>,
    /// When it was last written.
    pub updated: Moment,
}

/// That a resource takes no new leases.
#[derive(Clone, Debug)]
pub struct Drained {
    /// Why.
    pub why: Text,
    /// Since when.
    pub since: Moment,
    /// When it ends by itself.
    pub until: Option<Moment>,
}

impl ResourceRow {
    /// The form that leases it, or waits for it.
    #[must_use]
    pub fn lease_form(&self) -> String {
        link::lease_form(&self.name)
    }
}

/// One lease.
#[derive(Clone, Debug)]
pub struct LeaseRow {
    /// Who holds it, or held it.
    pub holder: Holder,
    /// What it holds: the first few.
    pub targets: Vec<Text>,
    /// How many more it holds.
    pub more: usize,
    /// When all that it holds lapsed: anybody may take it, and its owner may still refresh it.
    pub lapsed: Option<Moment>,
    /// How and when it ended.
    pub ended: Option<(Text, Moment)>,
}

/// One request that waits, or waited.
#[derive(Clone, Debug)]
pub struct WaitRow {
    /// Its ID.
    pub id: u64,
    /// Who waits.
    pub owner: Text,
    /// What for, in words: `2 × gpu`.
    pub wants: Vec<Text>,
    /// What they are to be used for.
    pub purpose: Option<Text>,
    /// Its place in line; 1 is next.
    pub position: Option<u64>,
    /// Higher goes first.
    pub priority: i32,
    /// Since when it waits.
    pub since: Moment,
    /// What is missing, and who has it: a line for each thing that it waits for.
    pub blockers: Vec<Blocker>,
    /// How many more things it waits for than are named.
    pub more_blockers: usize,
    /// What became of it, unless it waits.
    pub outcome: Option<&'static str>,
    /// Whether it fell silent and holds nobody up.
    pub dormant: bool,
    /// Whether it is of whoever looks.
    pub mine: bool,
}

/// One thing that a request waits for.
#[derive(Clone, Debug)]
pub struct Blocker {
    /// What is wanted and how much of it is there, in words.
    pub words: Text,
    /// Who has what it could use: owner, lease, and until when.
    pub holders: Vec<(Text, Option<u64>, Option<Moment>)>,
    /// Whether there are more of them than a row names.
    pub more: bool,
}

/// One event.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// Its number.
    pub id: u64,
    /// When it happened.
    pub at: Moment,
    /// What happened, e.g. `lease-granted`.
    pub kind: &'static str,
    /// To which target.
    pub target: Option<Text>,
    /// In which pool.
    pub pool: Option<Text>,
    /// By or to which lease.
    pub lease: Option<u64>,
    /// By or to which request.
    pub request: Option<u64>,
    /// Who holds, held, waits or waited.
    pub owner: Option<Text>,
    /// Everything else in words: states, cause, note.
    pub words: Text,
}

/// One job.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// Its number.
    pub id: u64,
    /// Who asked for it.
    pub owner: Text,
    /// Whether it is of whoever looks.
    pub mine: bool,
    /// The plugin that acquires and releases.
    pub manager: Text,
    /// How far it is, and what kind of state that is.
    pub phase: StateBadge,
    /// Whether it is leased, so that it can be renewed.
    pub leased: bool,
    /// Whether it may hold something, so that it can be ended.
    pub live: bool,
    /// What it holds, or held: the first few.
    pub targets: Vec<Text>,
    /// How many more.
    pub more: usize,
    /// When it was submitted.
    pub since: Moment,
    /// What comes next, and when.
    pub next: Option<(&'static str, Moment)>,
    /// Why it ends or ended, or what its manager said.
    pub why: Option<Text>,
}

impl JobRow {
    /// What ending it does.
    #[must_use]
    pub fn end(&self) -> &'static str {
        if self.phase.name.raw() == "stuck" { "Try again now" } else { "End" }
    }
}

/// One plugin.
#[derive(Clone, Debug)]
pub struct PluginRow {
    /// Its name.
    pub name: Text,
    /// What it is for.
    pub kind: Text,
    /// Whether it takes calls, and what kind of state that is.
    pub state: StateBadge,
    /// Why it takes none.
    pub reason: Option<Text>,
    /// Calls that are over.
    pub calls: u64,
    /// Calls that ended otherwise than by a plain return.
    pub errors: u64,
    /// Calls that were refused because too many waited.
    pub refused: u64,
    /// Calls that run or wait.
    pub in_flight: u64,
    /// How long 95 of 100 of the latest calls took at most, in words.
    pub p95: Option<String>,
    /// When anything about it last changed; none if it was never installed.
    pub changed: Option<Moment>,
}
