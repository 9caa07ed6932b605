//! Resources.

use axum::http::StatusCode;
use axum::response::Response;
use lessor_ledger::{Ledger, Origin, Refusal, Resource, State, Target, Time};
use lessor_store::{EventFilter, ReadError, Reader};
use lessor_web::chart::Window;
use lessor_web::{EventRow, Frame, Sort, Text, link, page};
use serde::Deserialize;

use crate::extract::{Path, Query};
use crate::limits::EVENTS_SHOWN;
use crate::pages::listing::{Kind, ListQuery, Listing, Paged};
use crate::pages::visitor::Visitor;
use crate::pages::{drain, form, gantt, row};
use crate::problem::Problem;
use crate::sieve::resource::{Candidate, PAGE_KEYS, candidates};
use crate::v1::body;

const LIST: Kind = Kind {
    path: "/resources",
    what: "resources",
    keys: &PAGE_KEYS,
    sorts: &[
        Sort { key: "name", words: "name", column: "Resource" },
        Sort { key: "until", words: "free soonest", column: "Until" },
        Sort { key: "state", words: "state", column: "State" },
        Sort { key: "-updated", words: "last changed", column: "" },
    ],
    example: "state:free pool:gpu label:site=ber",
};

/// `GET /resources`.
pub(crate) async fn list(visitor: Visitor, Query(query): Query<ListQuery>) -> Response {
    let listing = Listing::new(&LIST, query);
    let frame = visitor.frame("Resources", "/resources", "resources leases");
    let page = make(&visitor, listing, frame).await;
    visitor.answer(page)
}

async fn make(visitor: &Visitor, listing: Listing, frame: Frame) -> Result<Response, Problem> {
    let looker = visitor.clone();
    let rows = move |listing: &mut Listing, ledger: &Ledger, now| {
        let paged = paged(listing, (ledger, now), &looker)?;
        let rows = listing.finish(paged, Some(ledger.resource_count()));
        Ok(rows.iter().map(|row| row::resource(row.resource, ledger, now, &looker)).collect())
    };
    listing.show_now(visitor, rows, |list, rows| page::Resources { frame, list, rows }).await
}

fn paged<'l>(
    listing: &Listing,
    (ledger, now): (&'l Ledger, Time),
    visitor: &'l Visitor,
) -> Result<Paged<Candidate<'l>>, Problem> {
    let sort = listing.list.sort;
    let after = if sort == "name" { listing.cursor::<Target>()? } else { None };
    let rows = candidates((ledger, now), visitor.owner.as_ref(), (None, &listing.filter), after.as_ref());
    let name = |row: &Candidate<'_>| row.resource.name.clone();
    let wanted = |row: &Candidate<'_>| listing.filter.matches(row);
    let until = |row: &Candidate<'_>| match row.lock {
        // What nobody can have, held or not, is not free however long one waits.
        _ if row.resource.cordon().is_some() => i64::MAX,
        None if row.resource.state == State::free() => i64::MIN,
        None => i64::MAX,
        Some(lock) => lock.deadline.map_or(i64::MAX - 1, Time::nanos),
    };
    let updated = |row: &Candidate<'_>| row.resource.updated_at.nanos();
    // As it is shown.
    let state = |row: &Candidate<'_>| row::state(&row.resource.state, row.lock.is_some()).shown().to_owned();
    match sort {
        "until" => listing.sorted(rows, name, until, wanted),
        "state" => listing.sorted(rows, name, state, wanted),
        "-updated" => listing.sorted(rows, name, updated, wanted),
        _ => Ok(listing.plain(rows, name, wanted)),
    }
}

/// What the address of a resource may ask for.
#[derive(Deserialize)]
pub(crate) struct ShowQuery {
    #[serde(default)]
    window: String,
}

/// `GET /resources/{name}`.
pub(crate) async fn show(
    visitor: Visitor,
    Path(name): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Response {
    let window = Window::named(&query.window).unwrap_or_default();
    let page = detail(&visitor, name, window, Typed::default()).await;
    visitor.answer(page)
}

/// What was typed on the page and not accepted.
#[derive(Default)]
pub(crate) struct Typed {
    pub(crate) message: String,
    pub(crate) until: String,
    pub(crate) until_at: String,
    pub(crate) problem: Option<Problem>,
}

/// The page of a resource.
pub(crate) async fn detail(
    visitor: &Visitor,
    name: String,
    window: Window,
    typed: Typed,
) -> Result<Response, Problem> {
    let name = body::target("name", name)?;
    let Typed { message, until, until_at, problem } = typed;
    let title = format!("Resource {name}");
    let here = link::resource(name.as_str());
    let frame = visitor.frame_at(here, title, "/resources", "resources leases queue");
    let looker = visitor.clone();
    let found = visitor
        .app
        .browse(move |ledger, now, reader| match ledger.resource(name.as_str()) {
            Some(resource) => look(ledger, now, reader, resource, window, (frame, &looker))
                .map(|page| Found::Resource(Box::new(page))),
            None => nameless(ledger, now, reader, name, window, (frame, &looker)),
        })
        .await?;
    let mut page = match found {
        Found::Resource(page) => page,
        Found::Target(page) => return problem.map_or_else(|| Ok(visitor.page(&*page)), Err),
        Found::Nothing(refusal) => return Err(refusal.into()),
    };
    page.message = message.into();
    page.until = until.into();
    page.until_at = until_at;
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.kind().status());
    page.error = problem.as_ref().map(form::error);
    Ok(visitor.page_with(status, &*page))
}

/// What there is of a name.
enum Found {
    Resource(Box<page::ResourceDetail>),
    Target(Box<page::TargetDetail>),
    Nothing(Refusal),
}

fn events_of(reader: &Reader, name: &Target, now: Time) -> Result<Vec<EventRow>, ReadError> {
    let filter = EventFilter {
        target: Some(name.clone()),
        newest_first: true,
        limit: EVENTS_SHOWN,
        ..EventFilter::default()
    };
    Ok(reader.events(&filter)?.iter().map(|event| row::event(event, now)).collect())
}

/// A name without a record that somebody holds, or of which history knows.
fn nameless(
    ledger: &Ledger,
    now: Time,
    reader: &Reader,
    name: Target,
    window: Window,
    (frame, visitor): (Frame, &Visitor),
) -> Result<Found, ReadError> {
    let holder = ledger.holder(name.as_str(), now).map(|lock| row::holder(lock, ledger, now, visitor));
    let events = events_of(reader, &name, now)?;
    if holder.is_none() && events.is_empty() {
        return Ok(Found::Nothing(Refusal::NoSuchResource(name)));
    }
    let timeline = gantt::resource(ledger, now, reader, &name, window)?;
    let name = Text::from(name.as_str());
    Ok(Found::Target(Box::new(page::TargetDetail { frame, name, holder, timeline, events })))
}

fn look(
    ledger: &Ledger,
    now: Time,
    reader: &Reader,
    resource: &Resource,
    window: Window,
    (frame, visitor): (Frame, &Visitor),
) -> Result<page::ResourceDetail, ReadError> {
    let details = resource.details();
    Ok(page::ResourceDetail {
        frame,
        resource: row::resource(resource, ledger, now, visitor),
        addresses: addresses(resource),
        data: details
            .user_data
            .iter()
            .map(|(key, value)| (Text::from(&**key), Text::from(&**value)))
            .collect(),
        origin: match resource.origin {
            Origin::Listed => "the pools file",
            Origin::Dynamic => "its pool, which makes and removes them",
            Origin::Api => "the API",
            Origin::Leaving => "a pools file that no longer names it: it goes when it is given back",
        },
        created: row::ago(resource.created_at, now),
        expires: resource.expires_at.map(|at| row::ahead(at, now)),
        revision: resource.revision,
        waiting: ledger.waiting(&resource.pool).0,
        seen: drain::seen_of(resource.cordon()),
        message: Text::default(),
        until: Text::default(),
        until_at: String::new(),
        timeline: gantt::resource(ledger, now, reader, &resource.name, window)?,
        events: events_of(reader, &resource.name, now)?,
        error: None,
    })
}

/// How to reach a resource.
pub(crate) fn addresses(resource: &Resource) -> Vec<Text> {
    let addresses = &resource.details().addresses;
    let fqdn = addresses.fqdn.as_ref().map(|fqdn| Text::from(&**fqdn));
    let ipv4 = addresses.ipv4.map(|address| Text::from(address.to_string()));
    let ipv6 = addresses.ipv6.map(|address| Text::from(address.to_string()));
    [fqdn, ipv4, ipv6].into_iter().flatten().collect()
}
