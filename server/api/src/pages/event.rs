//! Events: what happened, the newest first.

use axum::response::Response;
use lessor_ledger::{EventId, Time};
use lessor_store::EventFilter;
use lessor_web::{Frame, Sort, page};

use crate::extract::{Path, Query};
use crate::pages::listing::{Kind, ListQuery, Listing};
use crate::pages::row;
use crate::pages::visitor::Visitor;
use crate::problem::{Kind as Trouble, Problem};
use crate::sieve::event::{self as sieve, KEYS};

const LIST: Kind = Kind {
    path: "/events",
    what: "events",
    keys: &KEYS,
    sorts: &[Sort { key: "-id", words: "newest first" }],
    example: "kind:lease-ended owner:ann since:2h",
};

/// `GET /events`.
pub(crate) async fn list(visitor: Visitor, Query(query): Query<ListQuery>) -> Response {
    let listing = Listing::new(&LIST, query);
    let now = visitor.app.keeper.now();
    let frame = visitor.frame("Events", "/events", "leases resources queue pools jobs plugins");
    let page = make(&visitor, listing, frame, now).await;
    visitor.answer(page)
}

async fn make(visitor: &Visitor, mut listing: Listing, frame: Frame, now: Time) -> Result<Response, Problem> {
    let (listing, rows, oldest) = visitor
        .app
        .read(move |reader| {
            let wanted = EventFilter {
                before: listing.after.as_deref().and_then(|after| after.parse().ok()).map(EventId),
                newest_first: true,
                ..EventFilter::default()
            };
            let bounds = listing.history_bounds();
            let events =
                listing.finish(sieve::find(reader, &listing.filter, now, wanted, bounds)?.into(), None);
            let rows: Vec<_> = events.iter().map(|event| row::event(event, now)).collect();
            Ok((listing, rows, reader.first_event()?.0))
        })
        .await?;
    listing.show(visitor, rows, |list, rows| page::Events { frame, list, rows, oldest })
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
