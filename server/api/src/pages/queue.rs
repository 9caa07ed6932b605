//! Those who wait.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use lessor_ledger::{
    Event, EventKind, Ledger, Outcome, Owner, Refusal, Request, RequestId, Time, Withdrawal,
};
use lessor_store::Reader;
use lessor_web::{Frame, Sort, link, page};

use crate::extract::{Path, Query};
use crate::pages::form::{self, Form};
use crate::pages::listing::{Kind, ListQuery, Listing, Paged};
use crate::pages::visitor::{Visitor, done, seconds_between, see};
use crate::pages::{row, seat};
use crate::problem::Problem;
use crate::sieve::event as sieve;
use crate::sieve::request::{Candidate, PAGE_KEYS};
use crate::v1::{body, request};

const LIST: Kind = Kind {
    path: "/queue",
    what: "requests",
    keys: &PAGE_KEYS,
    sorts: &[
        Sort { key: "id", words: "oldest first", column: "Request" },
        Sort { key: "turn", words: "as they are served", column: "" },
        Sort { key: "owner", words: "who", column: "Who" },
    ],
    example: "pool:gpu owner:ann",
};

/// `GET /queue`.
pub(crate) async fn list(visitor: Visitor, Query(query): Query<ListQuery>) -> Response {
    let listing = Listing::new(&LIST, query);
    let frame = visitor.frame("Queue", "/queue", "queue leases");
    let page = make(&visitor, listing, frame).await;
    visitor.answer(page)
}

async fn make(visitor: &Visitor, listing: Listing, frame: Frame) -> Result<Response, Problem> {
    let looker = visitor.clone();
    let rows = move |listing: &mut Listing, ledger: &Ledger, now| {
        let paged = paged(listing, ledger, &looker)?;
        let requests: Vec<_> = listing.finish(paged, None).into_iter().cloned().collect();
        let names = if listing.is_file() { usize::MAX } else { 1 };
        Ok(row::waits(&requests, ledger, now, &looker, names))
    };
    listing.show_now(visitor, rows, |list, rows| page::Queue { frame, list, rows }).await
}

fn paged<'l>(
    listing: &Listing,
    ledger: &'l Ledger,
    visitor: &Visitor,
) -> Result<Paged<&'l Arc<Request>>, Problem> {
    let name = |request: &&Arc<Request>| request.id.0;
    let wanted = |request: &&Arc<Request>| {
        request.waits()
            && listing.filter.matches(&Candidate { request, ledger, viewer: visitor.owner.as_ref() })
    };
    // Higher priorities first.
    let turn = |request: &&Arc<Request>| -i64::from(request.priority);
    match listing.list.sort {
        "turn" => listing.sorted(ledger.requests_after(None), name, turn, wanted),
        "owner" => listing.sorted(ledger.requests_after(None), name, |request| request.owner.clone(), wanted),
        _ => {
            let after = listing.cursor::<u64>()?.map(RequestId);
            Ok(listing.plain(ledger.requests_after(after), name, wanted))
        }
    }
}

/// `GET /queue/{id}`.
pub(crate) async fn show(visitor: Visitor, Path(id): Path<u64>) -> Response {
    let page = detail(&visitor, RequestId(id), None).await;
    visitor.answer(page)
}

async fn detail(visitor: &Visitor, id: RequestId, problem: Option<&Problem>) -> Result<Response, Problem> {
    let frame = visitor.frame_at(link::wait(id.0), format!("Request {id}"), "/queue", "queue leases");
    let looker = visitor.clone();
    let error = problem.map(form::error);
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status());
    let page = move |ledger: &Ledger, now, reader: &Reader| {
        let Some(request) = ledger.request(id) else {
            return Ok(past(&sieve::of_request(reader, id, now)?, (id, now), frame)
                .map(|page| Page::Past(Box::new(page))));
        };
        let events = if request.waits() { Vec::new() } else { sieve::of_request(reader, id, now)? };
        let page = page::WaitDetail {
            wait: row::wait(request, ledger.place(id).as_ref(), now, &looker),
            live_until: if request.dormant {
                row::ago(request.live_until, now)
            } else {
                row::ahead(request.live_until, now)
            },
            patience: seat::until(request).map(|until| row::ahead(until, now)),
            lease: match request.outcome {
                Some(Outcome::Granted { lease, .. }) => Some(lease.0),
                Some(Outcome::Withdrawn { .. } | Outcome::Lapsed { .. }) | None => None,
            },
            events: events.iter().map(|event| row::event(event, now)).collect(),
            error,
            frame,
        };
        Ok(Some(Page::Known(Box::new(page))))
    };
    match visitor.app.browse(page).await?.ok_or(Refusal::NoSuchRequest(id))? {
        Page::Known(page) => Ok(visitor.page_with(status, &*page)),
        Page::Past(page) => Ok(visitor.page_with(status, &*page)),
    }
}

/// The page of a request.
enum Page {
    Known(Box<page::WaitDetail>),
    Past(Box<page::PastWait>),
}

/// A request of which only its events are known still; `None` if not even those are.
fn past(events: &[Event], (id, now): (RequestId, Time), frame: Frame) -> Option<page::PastWait> {
    let queued = events.first()?;
    let last = events.last()?;
    let outcome = match last.kind {
        EventKind::LeaseGranted => "Granted",
        EventKind::RequestWithdrawn => "Cancelled",
        EventKind::RequestLapsed => "Lapsed",
        _ => "It is over",
    };
    Some(page::PastWait {
        frame,
        id: id.0,
        owner: queued.owner.as_ref().map(|owner| owner.as_str().into()),
        pool: queued.pool.as_ref().map(|pool| pool.as_str().into()),
        outcome,
        lease: last.lease.map(|lease| lease.0),
        waited: lessor_web::length(seconds_between(queued.at, last.at)),
        events: events.iter().map(|event| row::event(event, now)).collect(),
    })
}

/// Whoever takes another out of line must have said who they are.
fn me(visitor: &Visitor, id: RequestId) -> Result<Owner, Box<Response>> {
    let ask = || Box::new(see(&link::with("/me", &[("back", link::cancel(id.0).as_str())])));
    visitor.owner.clone().ok_or_else(ask)
}

/// `GET /queue/{id}/cancel`: asks first.
pub(crate) async fn ask(visitor: Visitor, Path(id): Path<u64>) -> Response {
    let id = RequestId(id);
    if let Err(elsewhere) = me(&visitor, id) {
        return *elsewhere;
    }
    let page = confirm(&visitor, id, &Form::default(), None).await;
    visitor.answer(page)
}

async fn confirm(
    visitor: &Visitor,
    id: RequestId,
    form: &Form,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let (ledger, now) = (visitor.app.keeper.snapshot(), visitor.app.keeper.now());
    let Some(request) = ledger.request(id).filter(|request| request.waits()) else {
        return detail(visitor, id, problem).await;
    };
    let page = page::CancelPage {
        frame: visitor.frame(format!("Take request {id} out of line"), "/queue", ""),
        wait: row::wait(request, ledger.place(id).as_ref(), now, visitor),
        reason: form.typed("reason").into(),
        error: problem.map(form::error),
    };
    Ok(visitor.page_with(problem.map_or(StatusCode::OK, |problem| problem.kind().status()), &page))
}

/// `POST /queue/{id}/cancel`: at once by whoever waits, with a reason by anybody else.
pub(crate) async fn cancel(visitor: Visitor, Path(id): Path<u64>, form: Form) -> Response {
    let id = RequestId(id);
    let me = match me(&visitor, id) {
        Ok(me) => me,
        Err(elsewhere) => return *elsewhere,
    };
    let own = visitor.app.keeper.snapshot().request(id).is_none_or(|request| request.owner == me);
    let (withdrawal, what) =
        if own { (Ok(Withdrawal::of(id)), "cancelled") } else { (taken_out(id, me, &form), "taken-out") };
    let withdrawn = match withdrawal {
        Ok(withdrawal) => request::end(&visitor.app, withdrawal).await,
        Err(problem) => Err(problem),
    };
    match withdrawn {
        Ok(()) => done(&link::wait(id.0), what),
        Err(problem) => {
            let page = confirm(&visitor, id, &form, Some(&problem)).await;
            visitor.answer(page)
        }
    }
}

fn taken_out(request: RequestId, by: Owner, form: &Form) -> Result<Withdrawal, Problem> {
    let reason = form.filled("reason").ok_or_else(|| Problem::invalid("reason", "must be said"))?;
    Ok(Withdrawal { request, by: Some(by), reason: Some(body::text("reason", reason)?) })
}
