//! Those who wait.

use askama::Template;

use crate::frame::{Frame, Moment};
use crate::list::List;
use crate::page::FormError;
use crate::row::{EventRow, WaitRow};
use crate::text::Text;

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
    /// What happened to it, once it is over.
    pub events: Vec<EventRow>,
    /// What is wrong with what was asked.
    pub error: Option<FormError>,
}

/// One request that is over for so long that only its events are known.
#[derive(Clone, Debug, Template)]
#[template(path = "past_wait.html")]
pub struct PastWait {
    /// What is around it.
    pub frame: Frame,
    /// Its ID.
    pub id: u64,
    /// Who waited.
    pub owner: Option<Text>,
    /// For what pool, or for the first of them.
    pub pool: Option<Text>,
    /// What became of it.
    pub outcome: &'static str,
    /// The lease that came of it.
    pub lease: Option<u64>,
    /// For how long it waited.
    pub waited: String,
    /// What happened to it.
    pub events: Vec<EventRow>,
}

/// The page that asks before it takes another out of line.
#[derive(Clone, Debug, Template)]
#[template(path = "cancel.html")]
pub struct CancelPage {
    /// What is around it.
    pub frame: Frame,
    /// The request as it is.
    pub wait: WaitRow,
    /// The reason that was typed.
    pub reason: Text,
    /// Why it was not accepted.
    pub error: Option<FormError>,
}

impl CancelPage {
    /// It as the rows of a table.
    fn rows(&self) -> &[WaitRow] {
        std::slice::from_ref(&self.wait)
    }
}

impl WaitDetail {
    /// It as the rows of a table.
    fn rows(&self) -> &[WaitRow] {
        std::slice::from_ref(&self.wait)
    }
}
