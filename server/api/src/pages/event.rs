//! Events: what happened, the newest first.

use axum::response::Response;
use lessor_ledger::EventId;
use lessor_store::{EventFilter, Reader};
use lessor_web::{Frame, Sort, page};

use crate::extract::{Path, Query};
use crate::pages::listing::{Kind, ListQuery, Listing, Look};
use crate::pages::row;
use crate::pages::visitor::Visitor;
use crate::problem::{Kind as Trouble, Problem};
use crate::sieve::event::{self as sieve, KEYS};

const LIST: Kind = Kind {
    path: "/events",
    what: "events",
    keys: &KEYS,
    sorts: &[Sort { key: "-id", words: "newest first", column: "Event" }],
    example: "kind:lease-ended owner:ann since:2h",
};

/// `GET /events`.
pub(crate) async fn list(visitor: Visitor, Query(query): Query<ListQuery>) -> Response {
    let listing = Listing::new(&LIST, query);
    let frame = visitor.frame("Events", "/events", "leases resources queue pools jobs plugins");
    let page = make(&visitor, listing, frame).await;
    visitor.answer(page)
}

async fn make(visitor: &Visitor, listing: Listing, frame: Frame) -> Result<Response, Problem> {
    let oldest = visitor.app.read(Reader::first_event).await?.0;
    let find = |look: &Look<'_>| {
        let wanted =
            EventFilter { before: look.before.map(EventId), newest_first: true, ..EventFilter::default() };
        let found = sieve::find(look.reader, look.filter, look.now, wanted, look.bounds)?;
        Ok(found.map(|event| row::event(&event, look.now)))
    };
    listing.show_past(visitor, find, |list, rows| page::Events { frame, list, rows, oldest }).await
}

/// `GET /events/{id}`.
pub(crate) async fn show(visitor: Visitor, Path(id): Path<u64>) -> Response {
    let page = detail(&visitor, id).await;
    visitor.answer(page)
}

async fn detail(visitor: &Visitor, id: u64) -> Result<Response, Problem> {
    let filter = EventFilter {
        after: id.checked_sub(1).map(EventId),
        before: id.checked_add(1).map(EventId),
        limit: 1,
        ..EventFilter::default()
    };
    let events = visitor.app.read(move |reader| reader.events(&filter)).await?;
    let Some(event) = events.first() else {
        return Err(Problem::new(
            Trouble::NotFound,
            format!("event {id} has not happened, or is no longer kept"),
        ));
    };
    let frame = visitor.frame(format!("Event {id}"), "/events", "");
    Ok(visitor.page(&page::EventDetail { frame, event: row::event(event, visitor.app.keeper.now()) }))
}
