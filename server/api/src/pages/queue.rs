//! Those who wait.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use lessor_ledger::{Command, Ledger, Outcome, Refusal, Request, RequestId};
use lessor_web::{Frame, Sort, link, page};

use crate::extract::{Path, Query};
use crate::pages::listing::{Kind, ListQuery, Listing, Paged};
use crate::pages::visitor::{Visitor, done};
use crate::pages::{form, row, seat};
use crate::problem::Problem;
use crate::sieve::request::{Candidate, PAGE_KEYS};
use crate::v1::hold;

const LIST: Kind = Kind {
    path: "/queue",
    what: "requests",
    keys: &PAGE_KEYS,
    sorts: &[
        Sort { key: "id", words: "oldest first", column: "Request" },
        Sort { key: "turn", words: "as they are served", column: "Place" },
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
        let paged = paged(listing, ledger, &looker);
        let requests: Vec<_> = listing.finish(paged, None).into_iter().cloned().collect();
        let names = if listing.is_file() { usize::MAX } else { 1 };
        row::waits(&requests, ledger, now, &looker, names)
    };
    listing.show_now(visitor, rows, |list, rows| page::Queue { frame, list, rows }).await
}

fn paged<'l>(listing: &Listing, ledger: &'l Ledger, visitor: &Visitor) -> Paged<&'l Arc<Request>> {
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
            let after = listing.after.as_deref().and_then(|after| after.parse().ok()).map(RequestId);
            listing.plain(ledger.requests_after(after), name, wanted)
        }
    }
}

/// `GET /queue/{id}`.
pub(crate) async fn show(visitor: Visitor, Path(id): Path<u64>) -> Response {
    let page = detail(&visitor, RequestId(id), None);
    visitor.answer(page)
}

fn detail(visitor: &Visitor, id: RequestId, problem: Option<&Problem>) -> Result<Response, Problem> {
    let (ledger, now) = (visitor.app.keeper.snapshot(), visitor.app.keeper.now());
    let request = ledger.request(id).ok_or(Refusal::NoSuchRequest(id))?;
    let page = page::WaitDetail {
        frame: visitor.frame_at(link::wait(id.0), format!("Request {id}"), "/queue", "queue leases"),
        wait: row::wait(request, ledger.place(id).as_ref(), now, visitor),
        live_until: row::ahead(request.live_until, now),
        patience: seat::until(request).map(|until| row::ahead(until, now)),
        lease: match request.outcome {
            Some(Outcome::Granted { lease, .. }) => Some(lease.0),
            Some(Outcome::Withdrawn { .. } | Outcome::Lapsed { .. }) | None => None,
        },
        error: problem.map(form::error),
    };
    Ok(visitor.page_with(problem.map_or(StatusCode::OK, |problem| problem.kind().status()), &page))
}

/// `POST /queue/{id}/cancel`.
pub(crate) async fn cancel(visitor: Visitor, Path(id): Path<u64>) -> Response {
    let id = RequestId(id);
    let withdrawn = visitor.app.submit(Command::Withdraw(id)).await.and_then(|_| {
        match visitor.app.keeper.snapshot().request(id).and_then(|request| request.outcome) {
            Some(Outcome::Granted { lease, .. }) => Err(hold::granted(id, lease)),
            _ => Ok(()),
        }
    });
    match withdrawn {
        Ok(()) => done(&link::wait(id.0), "cancelled"),
        Err(problem) => {
            let page = detail(&visitor, id, Some(&problem));
            visitor.answer(page)
        }
    }
}
