//! Forms. What was typed comes back with what is wrong with it.

use askama::Template;

use crate::frame::{Frame, Moment};
use crate::link;
use crate::list::singular;
use crate::row::{LeaseRow, ResourceRow};
use crate::text::Text;

/// Why a form was not accepted.
#[derive(Clone, Debug, Default)]
pub struct FormError {
    /// The field that is wrong, if it is one.
    pub field: Option<String>,
    /// What is wrong.
    pub words: Text,
    /// Everything that is in the way, line by line: who holds what, what does not fit.
    pub lines: Vec<Text>,
}

/// What a lease form says.
#[derive(Clone, Debug, Default)]
pub struct LeaseForm {
    /// The pool to lease from.
    pub pool: Text,
    /// Whether no field could carry its name as it is, so that it cannot be changed on the form.
    pub pool_is_fixed: bool,
    /// How many.
    pub count: Text,
    /// Labels that they must carry, `key=value` and commas or spaces between.
    pub labels: Text,
    /// Or exactly these targets, one a line.
    pub targets: Text,
    /// Or one target whose name no field could carry as it is, so that it cannot be changed on the form.
    pub fixed_target: Option<Text>,
    /// For whom.
    pub owner: Text,
    /// What for.
    pub purpose: Text,
    /// How long.
    pub ttl: Text,
    /// How long to wait in line if not everything is free; empty for not at all.
    pub wait: Text,
    /// Names this try, so that sending the form twice leases once.
    pub key: String,
}

/// A pool to choose.
#[derive(Clone, Debug)]
pub struct PoolChoice {
    /// Its name.
    pub name: Text,
    /// How many are free of how many.
    pub words: String,
}

/// The page that leases something or gets in line for it.
#[derive(Clone, Debug, Template)]
#[template(path = "lease_form.html")]
pub struct LeasePage {
    /// What is around it.
    pub frame: Frame,
    /// What is typed.
    pub form: LeaseForm,
    /// Pools to choose from.
    pub pools: Vec<PoolChoice>,
    /// Why it was not accepted.
    pub error: Option<FormError>,
}

/// The page that asks before it ends somebody's lease.
#[derive(Clone, Debug, Template)]
#[template(path = "force.html")]
pub struct ForcePage {
    /// What is around it.
    pub frame: Frame,
    /// The lease as it is.
    pub lease: LeaseRow,
    /// Stands for what it holds.
    pub seen: String,
    /// The reason that was typed.
    pub reason: Text,
    /// The state that was typed.
    pub to_state: Text,
    /// Why it was not accepted.
    pub error: Option<FormError>,
}

impl ForcePage {
    /// It as the rows of a table.
    fn rows(&self) -> &[LeaseRow] {
        std::slice::from_ref(&self.lease)
    }
}

/// The page that edits a resource.
#[derive(Clone, Debug, Template)]
#[template(path = "edit.html")]
pub struct EditPage {
    /// What is around it.
    pub frame: Frame,
    /// The resource as it is.
    pub resource: ResourceRow,
    /// The state.
    pub state: Edited,
    /// The labels, one a line; `None` if no field could carry them as they are.
    pub labels: Option<Edited>,
    /// Why it was not accepted.
    pub error: Option<FormError>,
}

/// A text that is edited.
#[derive(Clone, Debug)]
pub struct Edited {
    /// What is in the field.
    pub text: Text,
    /// Stands for what it is now, so that it is known whether it was changed, here and elsewhere.
    pub seen: String,
    /// Whether what was typed would take the place of what somebody else wrote while the form was filled in.
    pub overtaken: bool,
}

impl EditPage {
    /// Whether somebody else wrote something that would be written over.
    fn overtaken(&self) -> bool {
        self.state.overtaken || self.labels.as_ref().is_some_and(|labels| labels.overtaken)
    }
}

/// What many can be changed of at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkOf {
    /// Resources.
    Resources,
    /// Leases that are held.
    Leases,
    /// Requests that wait.
    Requests,
    /// Jobs that may hold something.
    Jobs,
}

impl BulkOf {
    /// What they are called.
    fn words(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Leases => "leases",
            Self::Requests => "requests",
            Self::Jobs => "jobs",
        }
    }

    /// By the last part of the list's address.
    #[must_use]
    pub fn named(what: &str) -> Option<Self> {
        let all = [Self::Resources, Self::Leases, Self::Requests, Self::Jobs];
        all.into_iter().find(|of| of.list().trim_start_matches('/') == what)
    }

    /// The list of them.
    #[must_use]
    pub fn list(self) -> &'static str {
        match self {
            Self::Resources => "/resources",
            Self::Leases => "/leases",
            Self::Requests => "/queue",
            Self::Jobs => "/jobs",
        }
    }
}

/// Resources that are drained for one reason.
#[derive(Clone, Debug)]
pub struct Drains {
    /// Stands for the reason.
    pub drained: String,
    /// Why.
    pub why: Text,
    /// When the first of their drains ends by itself.
    pub until: Option<Moment>,
    /// Whether others end later, or never.
    pub ends_differ: bool,
    /// How many of them do not end by themselves.
    pub endless: usize,
    /// The first of them to end: its name, and where it is.
    pub first: (Text, String),
    /// How many they are.
    pub count: usize,
}

/// The page that asks before it changes many.
#[derive(Clone, Debug, Template)]
#[template(path = "bulk.html")]
pub struct BulkPage {
    /// What is around it.
    pub frame: Frame,
    /// What they are.
    pub of: BulkOf,
    /// Which of them.
    pub filter: Text,
    /// After which one: those before were done already.
    pub after: Option<String>,
    /// How many there are now.
    pub count: usize,
    /// How many of them are of whoever looks.
    pub mine: usize,
    /// How many of them are drained already.
    pub drained: usize,
    /// For how many reasons.
    pub ways: usize,
    /// The reasons, those of most first.
    pub drains: Vec<Drains>,
    /// Stands for which they are, and how they are drained.
    pub seen: String,
    /// The last of them, if there are more, which one action does not touch.
    pub next: Option<String>,
    /// The first of them: what they are called, and where they are.
    pub names: Vec<(Text, String)>,
    /// The message that was typed.
    pub message: Text,
    /// The length that was typed.
    pub until: Text,
    /// The end that was chosen: `2026-05-04T09:30`, in UTC.
    pub until_at: String,
    /// The length that was typed.
    pub ttl: Text,
    /// The reason that was typed.
    pub reason: Text,
    /// The state that was typed.
    pub to_state: Text,
    /// Why it was not accepted.
    pub error: Option<FormError>,
}

impl BulkPage {
    /// The list that it was asked for from.
    fn back(&self) -> String {
        link::with(self.of.list(), &[("q", self.filter.raw())])
    }

    /// What they are called.
    fn words(&self) -> &'static str {
        let words = self.of.words();
        if self.count == 1 { singular(words) } else { words }
    }

    /// Those after these.
    fn further(&self) -> Option<String> {
        let next = self.next.as_deref()?;
        Some(link::bulk(self.of.list(), self.filter.raw(), Some(next)))
    }

    /// Where its form goes.
    fn action(&self) -> String {
        link::bulk(self.of.list(), self.filter.raw(), self.after.as_deref())
    }
}

/// Whether an error is about this field.
pub(crate) fn is_wrong(error: Option<&FormError>, field: &str) -> bool {
    error.and_then(|error| error.field.as_deref()).is_some_and(|wrong| wrong == field)
}
