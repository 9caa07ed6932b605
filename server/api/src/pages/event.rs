//! Events: what happened, the newest first.

use axum::response::Response;
use lessor_filter::{Filter, Row, Value, contains};
use lessor_ledger::{Event, EventId, EventKind, LeaseId, Target, Time};
use lessor_store::{EventFilter, ReadError, Reader};
use lessor_web::{Frame, Sort, page};

use crate::extract::{Path, Query};
use crate::limits::{LISTING_EVENTS_AT_ONCE, LISTING_ROWS_LOOKED_AT_MAX};
use crate::pages::listing::{Kind, ListQuery, Listing, Paged};
use crate::pages::row;
use crate::pages::visitor::Visitor;
use crate::problem::{Kind as Trouble, Problem};
use crate::time::Length;
use crate::v1::view;

const LIST: Kind = Kind {
    path: "/events",
    what: "events",
    keys: &["kind", "target", "pool", "owner", "lease", "request", "since", "until"],
    sorts: &[Sort { key: "-id", words: "newest first" }],
    example: "kind:lease-ended owner:ann since:2h",
};

/// An event as a filter sees it.
struct Candidate<'e> {
    event: &'e Event,
    now: Time,
}

impl Row for Candidate<'_> {
    fn has(&self, key: &str, value: &Value) -> bool {
        let Self { event, now } = self;
        let number = |number: Option<u64>| number.is_some_and(|number| value.is(&number.to_string()));
        match key {
            "kind" => value.is(view::kind(event.kind)),
            "target" => event.target.as_ref().is_some_and(|target| value.is(target.as_str())),
            "pool" => event.pool.as_ref().is_some_and(|pool| value.is(pool.as_str())),
            "owner" => event.owner.as_ref().is_some_and(|owner| value.is(owner.as_str())),
            "lease" => number(event.lease.map(|lease| lease.0)),
            "request" => number(event.request.map(|request| request.0)),
            "since" => instant(value, *now).is_some_and(|since| event.at >= since),
            _ => instant(value, *now).is_some_and(|until| event.at <= until),
        }
    }

    fn contains(&self, needle: &str) -> bool {
        let Event { target, pool, owner, note, from, to, .. } = self.event;
        let texts = [
            target.as_ref().map(Target::as_str),
            pool.as_ref().map(lessor_ledger::PoolName::as_str),
            owner.as_ref().map(lessor_ledger::Owner::as_str),
            note.as_deref(),
            from.as_ref().map(lessor_ledger::State::as_str),
            to.as_ref().map(lessor_ledger::State::as_str),
            Some(view::kind(self.event.kind)),
        ];
        texts.into_iter().flatten().any(|text| contains(text, needle))
    }
}

/// A time as a filter says it: a length before now (`2h`), or RFC 3339.
fn instant(value: &Value, now: Time) -> Option<Time> {
    let Value::Exactly(text) = value else { return None };
    moment(text, now)
}

fn moment(text: &str, now: Time) -> Option<Time> {
    if let Ok(Length(length)) = text.parse() {
        return Some(now.plus(lessor_ledger::Span::from_nanos(-length.nanos())));
    }
    let stamp: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(stamp.as_nanosecond()).ok().map(Time::from_nanos)
}

/// `GET /events`.
pub(crate) async fn list(visitor: Visitor, Query(query): Query<ListQuery>) -> Response {
    let mut listing = Listing::new(&LIST, query);
    let now = visitor.app.keeper.now();
    for key in ["since", "until"] {
        if let Some(text) = listing.filter.only(key)
            && moment(text, now).is_none()
        {
            let why = format!("{text:?} is neither a length like 2h nor a time like 2026-05-04T09:30:00Z");
            listing.list.error = Some(why.into());
            listing.filter = Filter::default();
        }
    }
    let frame = visitor.frame("Events", "/events", "leases resources queue pools");
    let page = make(&visitor, listing, frame, now).await;
    visitor.answer(page)
}

async fn make(visitor: &Visitor, mut listing: Listing, frame: Frame, now: Time) -> Result<Response, Problem> {
    let (listing, rows, oldest) = visitor
        .app
        .read(move |reader| {
            let paged = paged(&listing, reader, now)?;
            let events = listing.finish(paged, None);
            let rows: Vec<_> = events.iter().map(|event| row::event(event, now)).collect();
            Ok((listing, rows, reader.first_event()?.0))
        })
        .await?;
    if let Some(file) = listing.export(&rows) {
        return file;
    }
    Ok(visitor.page(&page::Events { frame, list: listing.list, rows, oldest }))
}

/// Walks back through the history in pieces until enough was found, looked at, or there is no more.
fn paged(listing: &Listing, reader: &Reader, now: Time) -> Result<Paged<Event>, ReadError> {
    let filter = &listing.filter;
    let since = filter.only("since").and_then(|text| moment(text, now));
    let mut wanted = EventFilter {
        before: listing.after.as_deref().and_then(|after| after.parse().ok()).map(EventId),
        target: filter.only("target").and_then(|name| Target::new(name).ok()),
        lease: filter.only("lease").and_then(|id| id.parse().ok()).map(LeaseId),
        kinds: filter.only("kind").and_then(kind).into_iter().collect(),
        newest_first: true,
        limit: LISTING_EVENTS_AT_ONCE,
        ..EventFilter::default()
    };
    let (mut rows, mut looked_at): (Vec<Event>, usize) = (Vec::new(), 0);
    loop {
        let events = reader.events(&wanted)?;
        let last_piece = events.len() < wanted.limit;
        for event in events {
            looked_at += 1;
            wanted.before = Some(event.id);
            if since.is_some_and(|since| event.at < since) {
                return Ok(Paged { rows, next: None, looked_at: None });
            }
            if filter.matches(&Candidate { event: &event, now }) {
                rows.push(event);
            }
            let next = || wanted.before.map(|before| before.0.to_string());
            if rows.len() == listing.limit() {
                let next = next().filter(|_| !last_piece || wanted.before.is_some_and(|before| before.0 > 1));
                return Ok(Paged { rows, next, looked_at: None });
            }
            if looked_at == LISTING_ROWS_LOOKED_AT_MAX {
                return Ok(Paged { rows, next: next(), looked_at: Some(looked_at) });
            }
        }
        if last_piece {
            return Ok(Paged { rows, next: None, looked_at: None });
        }
    }
}

fn kind(name: &str) -> Option<EventKind> {
    EventKind::ALL.into_iter().find(|&kind| view::kind(kind) == name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_lengths_or_stamps() {
        let now = Time::from_millis(10_000_000);
        assert_eq!(moment("2h", now), Some(Time::from_millis(2_800_000)));
        assert_eq!(moment("1970-01-01T00:00:05Z", now), Some(Time::from_millis(5_000)));
        assert_eq!(moment("soon", now), None);
    }

    #[test]
    fn every_kind_can_be_asked_for() {
        for each in EventKind::ALL {
            assert_eq!(kind(view::kind(each)), Some(each));
        }
    }
}
