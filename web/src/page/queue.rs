//! Those who wait.

use askama::Template;

use crate::frame::{Frame, Moment};
use crate::list::List;
use crate::page::FormError;
use crate::row::WaitRow;

/// The list of requests.
#[derive(Clone, Debug, Template)]
#[template(path = "queue.html")]
pub struct Queue {
    /// What is around it.
    pub frame: Frame,
    /// The list.
    pub list: List,
    /// Its rows.
    pub rows: Vec<WaitRow>,
}

/// One request.
#[derive(Clone, Debug, Template)]
#[template(path = "wait.html")]
pub struct WaitDetail {
    /// What is around it.
    pub frame: Frame,
    /// The request.
    pub wait: WaitRow,
    /// Until when it counts as alive without another sign of life.
    pub live_until: Moment,
    /// Until when the server waits in its owner's place, if it was made here.
    pub patience: Option<Moment>,
    /// The lease that it was granted.
    pub lease: Option<u64>,
    /// What is wrong with what was asked.
    pub error: Option<FormError>,
}

impl WaitDetail {
    /// It as the rows of a table.
    fn rows(&self) -> &[WaitRow] {
        std::slice::from_ref(&self.wait)
    }
}
