//! Events as streams send them: each is written once, however many streams send it.

use std::sync::{Arc, OnceLock};

use axum::response::sse::Event as Frame;
use lessor_ledger::Event;

use crate::v1::view::EventView;

/// An event, and what is sent of it once somebody sends it.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) event: Arc<Event>,
    frame: OnceLock<Frame>,
}

impl Written {
    pub(crate) fn new(event: Arc<Event>) -> Self {
        Self { event, frame: OnceLock::new() }
    }

    pub(crate) fn frame(&self) -> Frame {
        self.frame.get_or_init(|| write(&self.event)).clone()
    }
}

fn write(event: &Event) -> Frame {
    let view = EventView::of(event);
    let data = serde_json::to_string(&view).expect("an event has only string keys and plain values");
    Frame::default().id(view.id.to_string()).event(view.kind).data(data)
}
