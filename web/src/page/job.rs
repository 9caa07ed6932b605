//! Jobs.

use askama::Template;

use crate::frame::{Frame, Moment};
use crate::link;
use crate::list::List;
use crate::page::FormError;
use crate::row::JobRow;
use crate::text::Text;

/// The list of jobs.
#[derive(Clone, Debug, Template)]
#[template(path = "jobs.html")]
pub struct Jobs {
    /// What is around it.
    pub frame: Frame,
    /// The list.
    pub list: List,
    /// Its rows.
    pub rows: Vec<JobRow>,
}

/// One job.
#[derive(Clone, Debug, Template)]
#[template(path = "job.html")]
pub struct JobDetail {
    /// What is around it.
    pub frame: Frame,
    /// The job.
    pub job: JobRow,
    /// Whether its manager is releasing it right now.
    pub ending: bool,
    /// Whether its manager could not release it, and will be asked again.
    pub stuck: bool,
    /// Its targets with how to reach them.
    pub targets: Vec<(Text, Vec<Text>)>,
    /// How many more targets there are.
    pub more: usize,
    /// When it was last renewed, or acquired.
    pub renewed: Option<Moment>,
    /// How long a renewal leases it if nothing else is said, in words.
    pub lock_duration: String,
    /// Everything else: what it is, and its value.
    pub facts: Vec<(&'static str, Text)>,
    /// The length that was typed.
    pub typed_duration: Text,
    /// The reason that was typed.
    pub reason: Text,
    /// What is wrong with what was asked.
    pub error: Option<FormError>,
}

impl JobDetail {
    /// What happened to it.
    fn events(&self) -> String {
        link::with("/events", &[("q", &format!("owner:job:{}", self.job.id))])
    }
}
