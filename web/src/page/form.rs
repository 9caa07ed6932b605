//! Forms. What was typed comes back with what is wrong with it.

use askama::Template;

use crate::frame::Frame;
use crate::row::{LeaseRow, ResourceRow};
use crate::text::Text;

/// Why a form was not accepted.
#[derive(Clone, Debug, Default)]
pub struct FormError {
    /// The field that is wrong, if it is one.
    pub field: Option<String>,
    /// What is wrong.
    pub words: Text,
    /// Who holds what, line by line, where that is why.
    pub holders: Vec<Text>,
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
    /// The revision that the form was made from.
    pub revision: u64,
    /// The state that was typed.
    pub state: Text,
    /// The labels that were typed, one a line; `None` if no field could carry them as they are.
    pub labels: Option<Text>,
    /// Why it was not accepted.
    pub error: Option<FormError>,
}

/// The page that asks before it changes many resources.
#[derive(Clone, Debug, Template)]
#[template(path = "bulk.html")]
pub struct BulkPage {
    /// What is around it.
    pub frame: Frame,
    /// Which resources.
    pub filter: Text,
    /// How many there are now.
    pub count: usize,
    /// Stands for which they are.
    pub seen: String,
    /// Whether there are more, which one action does not touch.
    pub more: bool,
    /// The first of them.
    pub names: Vec<Text>,
    /// The message that was typed.
    pub message: Text,
    /// The end that was typed.
    pub until: Text,
    /// Why it was not accepted.
    pub error: Option<FormError>,
}

/// Whether an error is about this field.
pub(crate) fn is_wrong(error: Option<&FormError>, field: &str) -> bool {
    error.and_then(|error| error.field.as_deref()).is_some_and(|wrong| wrong == field)
}
