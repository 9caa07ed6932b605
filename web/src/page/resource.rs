//! Resources.

use askama::Template;

use crate::frame::{Frame, Moment};
use crate::link;
use crate::list::List;
use crate::page::{Chosen, FormError};
use crate::row::{EventRow, Holder, ResourceRow};
use crate::text::Text;

/// The list of resources.
#[derive(Clone, Debug, Template)]
#[template(path = "resources.html")]
pub struct Resources {
    /// What is around it.
    pub frame: Frame,
    /// The list.
    pub list: List,
    /// Its rows.
    pub rows: Vec<ResourceRow>,
}

/// A target without a record: a name that somebody leases, or leased.
#[derive(Clone, Debug, Template)]
#[template(path = "target.html")]
pub struct TargetDetail {
    /// What is around it.
    pub frame: Frame,
    /// Its name.
    pub name: Text,
    /// Who holds it.
    pub holder: Option<Holder>,
    /// Who held it.
    pub timeline: Chosen,
    /// What happened to it.
    pub events: Vec<EventRow>,
}

/// One resource.
#[derive(Clone, Debug, Template)]
#[template(path = "resource.html")]
pub struct ResourceDetail {
    /// What is around it.
    pub frame: Frame,
    /// The resource.
    pub resource: ResourceRow,
    /// How to reach it.
    pub addresses: Vec<Text>,
    /// What its holders keep with it.
    pub data: Vec<(Text, Text)>,
    /// Where it comes from.
    pub origin: &'static str,
    /// When it was made.
    pub created: Moment,
    /// When it is given up while idle.
    pub expires: Option<Moment>,
    /// Its revision.
    pub revision: u64,
    /// How many wait for its pool.
    pub waiting: u64,
    /// Stands for how it is drained.
    pub seen: String,
    /// The message that was typed for draining it.
    pub message: Text,
    /// The length that was typed for it.
    pub until: Text,
    /// The end that was chosen for it: `2026-05-04T09:30`, in UTC.
    pub until_at: String,
    /// Who held it.
    pub timeline: Chosen,
    /// What happened to it.
    pub events: Vec<EventRow>,
    /// What is wrong with what was typed.
    pub error: Option<FormError>,
}

impl TargetDetail {
    /// The form that leases it, or waits for it.
    fn lease_form(&self) -> String {
        link::lease_form(&self.name)
    }
}
