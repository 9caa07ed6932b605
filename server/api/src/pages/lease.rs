//! Leases: looking at them, and doing something with one.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use lessor_ledger::{Command, Dialect, Force, Lease, LeaseId, Ledger, Owner, Refusal, Subject, Target, Time};
use lessor_store::{EventFilter, LeaseFilter, ReadError, Reader};
use lessor_web::{Frame, Sort, Text, link, page};

use crate::extract::{Path, Query};
use crate::limits::{EVENTS_SHOWN, LEASE_TARGETS_SHOWN, ROW_TARGETS_MAX};
use crate::pages::form::{self, Form};
use crate::pages::listing::{Kind, ListQuery, Listing, Look, Paged};
use crate::pages::visitor::{Visitor, done, see};
use crate::pages::{resource, row, seen};
use crate::problem::{Kind as Trouble, Problem};
use crate::sieve::lease::{self as sieve, Candidate, PAGE_KEYS};
use crate::v1::body;

const LIST: Kind = Kind {
    path: "/leases",
    what: "leases",
    keys: &PAGE_KEYS,
    sorts: &[
        Sort { key: "id", words: "oldest first", column: "Lease" },
        Sort { key: "-id", words: "newest first", column: "Lease" },
        Sort { key: "until", words: "ending soonest", column: "Until" },
        Sort { key: "owner", words: "holder", column: "Holder" },
    ],
    example: "owner:ann nightly",
};

/// Those that have ended: they are read from the end of the history, and never looked at all together.
const PAST: Kind = Kind { sorts: &[Sort { key: "-id", words: "newest first", column: "Lease" }], ..LIST };

/// `GET /leases`.
pub(crate) async fn list(visitor: Visitor, Query(query): Query<ListQuery>) -> Response {
    let listing = Listing::new(&LIST, query.clone());
    let frame = visitor.frame("Leases", "/leases", "leases");
    let page = if sieve::is_about_ended(&listing.filter) {
        ended(&visitor, Listing::new(&PAST, query), frame).await
    } else {
        active(&visitor, listing, frame).await
    };
    visitor.answer(page)
}

async fn active(visitor: &Visitor, listing: Listing, frame: Frame) -> Result<Response, Problem> {
    let looker = visitor.clone();
    let rows = move |listing: &mut Listing, ledger: &Ledger, now| {
        let leases = listing.finish(paged(listing, ledger, &looker)?, Some(ledger.lease_count()));
        let grants = leases.iter().filter_map(|lease| ledger.grant(lease.id));
        Ok(grants.map(|grant| row::held(&grant, now, &looker, listing.names())).collect())
    };
    let page = |list, rows| page::Leases { frame, list, rows, ended: false };
    listing.show_now(visitor, rows, page).await
}

fn paged<'l>(
    listing: &Listing,
    ledger: &'l Ledger,
    visitor: &Visitor,
) -> Result<Paged<&'l Arc<Lease>>, Problem> {
    let name = |lease: &&Arc<Lease>| lease.id.0;
    let viewer = visitor.owner.as_ref();
    let wanted = |lease: &&Arc<Lease>| listing.filter.matches(&Candidate { lease, ledger, viewer });
    let owner = listing.filter.only("owner").and_then(|owner| Owner::new(owner).ok());
    let after = || Ok::<_, Problem>(listing.cursor::<u64>()?.map(LeaseId));
    Ok(match (listing.list.sort, &owner) {
        ("until", None) => by_end(listing, ledger, wanted)?,
        ("until", Some(owner)) => {
            listing.sorted(ledger.leases_of(owner, None), name, |lease| end(lease, ledger), wanted)?
        }
        ("owner", None) => {
            let after = listing.cursor::<(Owner, u64)>()?.map(|(owner, id)| (owner, LeaseId(id)));
            listing.plain(ledger.leases_by_owner(after), |lease| (lease.owner.clone(), lease.id.0), wanted)
        }
        ("-id", None) => listing.plain(ledger.leases_before(after()?), name, wanted),
        ("-id", Some(owner)) => listing.plain(ledger.leases_of_before(owner, after()?), name, wanted),
        (_, None) => listing.plain(ledger.leases_after(after()?), name, wanted),
        // Those of one holder are in the order of holders in any.
        (_, Some(owner)) => listing.plain(ledger.leases_of(owner, after()?), name, wanted),
    })
}

/// When a lease ends; after everything else if it does not.
fn end(lease: &Lease, ledger: &Ledger) -> i64 {
    ledger.expires_at(lease).map_or(i64::MAX, Time::nanos)
}

/// All leases by their ends, without a look at those that are on no page so far.
fn by_end<'l>(
    listing: &Listing,
    ledger: &'l Ledger,
    wanted: impl Fn(&&'l Arc<Lease>) -> bool,
) -> Result<Paged<&'l Arc<Lease>>, Problem> {
    let cursor = listing.cursor::<(i64, u64)>()?;
    let ends = cursor.is_none_or(|(at, _)| at < i64::MAX);
    let from = cursor.filter(|_| ends).map(|(at, id)| (Time::from_nanos(at), LeaseId(id)));
    let ending = ends.then(|| ledger.leases_by_end(from)).into_iter().flatten();
    let ending = ending.map(|(at, lease)| (at.nanos(), lease));
    let from = cursor.filter(|_| !ends).map(|(_, id)| LeaseId(id));
    let endless = ledger.has_endless_locks().then(|| ledger.leases_after(from)).into_iter().flatten();
    let endless = endless.map(|lease| (i64::MAX, lease));
    let paged = listing.plain(
        ending.chain(endless),
        |(at, lease)| (*at, lease.id.0),
        |(at, lease)| wanted(lease) && (*at < i64::MAX || end(lease, ledger) == i64::MAX),
    );
    Ok(paged.map(|(_, lease)| lease))
}

async fn ended(visitor: &Visitor, listing: Listing, frame: Frame) -> Result<Response, Problem> {
    let (looker, names) = (visitor.clone(), listing.names());
    let find = move |look: &Look<'_>| {
        let wanted =
            LeaseFilter { before: look.before.map(LeaseId), newest_first: true, ..LeaseFilter::default() };
        let viewer = looker.owner.as_ref();
        let found = sieve::ended(look.reader, look.ledger, look.filter, viewer, wanted, look.bounds)?;
        Ok(found.map(|lease| row::lease(&lease, look.now, &looker, names)))
    };
    let page = |list, rows| page::Leases { frame, list, rows, ended: true };
    listing.show_past(visitor, find, page).await
}

/// `GET /leases/{id}`.
pub(crate) async fn show(visitor: Visitor, Path(id): Path<u64>) -> Response {
    let page = detail(&visitor, LeaseId(id), &Form::default(), None).await;
    visitor.answer(page)
}

async fn detail(
    visitor: &Visitor,
    id: LeaseId,
    typed: &Form,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let title = format!("Lease {id}");
    let frame = visitor.frame_at(link::lease(id.0), title, "/leases", "leases resources");
    let looker = visitor.clone();
    let mut page = visitor
        .app
        .browse(move |ledger, now, reader| {
            let known = match ledger.lease(id) {
                Some(lease) => Some(Arc::clone(lease)),
                None => reader.lease(id)?.map(Arc::new),
            };
            match known {
                Some(lease) => look(ledger, now, reader, &lease, (frame, &looker)).map(Ok),
                None => Ok(Err(Refusal::NoSuchLease(id))),
            }
        })
        .await??;
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status());
    page.ttl_typed = typed.typed("ttl").into();
    page.state_typed = typed.typed("to_state").into();
    page.error = problem.map(form::error);
    Ok(visitor.page_with(status, &page))
}

fn look(
    ledger: &Ledger,
    now: Time,
    reader: &Reader,
    lease: &Lease,
    (frame, visitor): (Frame, &Visitor),
) -> Result<page::LeaseDetail, ReadError> {
    let filter = EventFilter {
        lease: Some(lease.id),
        newest_first: true,
        limit: EVENTS_SHOWN,
        ..EventFilter::default()
    };
    let ended = lease.ended.as_ref();
    let by = ended.and_then(|ended| ended.by.as_ref()).map(|by| ("By", Text::from(by.as_str())));
    let reason =
        ended.and_then(|ended| ended.reason.as_ref()).map(|reason| ("Reason", Text::from(&**reason)));
    let held = ledger.grant(lease.id).filter(|_| ended.is_none());
    let targets = lease
        .targets
        .iter()
        .take(LEASE_TARGETS_SHOWN)
        .map(|target| leased(target, ledger, now, ended.is_none()));
    Ok(page::LeaseDetail {
        frame,
        lease: match held {
            Some(grant) => row::held(&grant, now, visitor, ROW_TARGETS_MAX),
            None => row::lease(lease, now, visitor, ROW_TARGETS_MAX),
        },
        targets: targets.collect(),
        more: lease.targets.len().saturating_sub(LEASE_TARGETS_SHOWN),
        returned: lease
            .returned
            .iter()
            .take(LEASE_TARGETS_SHOWN)
            .map(|target| target.as_str().into())
            .collect(),
        renewed: row::ago(lease.renewed_at, now),
        ttl: lease.ttl.map(|ttl| lessor_web::length(ttl.millis() / 1000)),
        dialect: match lease.dialect {
            Dialect::Boskos => "the Boskos dialect",
            Dialect::Contest => "the ConTest dialect",
            Dialect::V1 => "/v1",
        },
        request: lease.request.map(|request| request.0),
        said: by.into_iter().chain(reason).collect(),
        events: reader.events(&filter)?.iter().map(|event| row::event(event, now)).collect(),
        ttl_typed: Text::default(),
        state_typed: Text::default(),
        error: None,
    })
}

/// A target of a lease. What is written on it is for the holder; of an ended lease it may be another's by now.
fn leased(target: &Target, ledger: &Ledger, now: Time, lives: bool) -> page::Leased {
    let record = ledger.resource(target.as_str());
    let data = record.filter(|_| lives).map(|resource| &resource.details().user_data);
    let is_held = ledger.holder(target.as_str(), now).is_some();
    page::Leased {
        name: target.as_str().into(),
        lapsed: lives && ledger.lock(target.as_str()).is_some_and(|lock| lock.lapsed),
        place: record.map(|resource| (resource.pool.as_str().into(), row::state(&resource.state, is_held))),
        addresses: record.map(|resource| resource::addresses(resource)).unwrap_or_default(),
        data: data
            .into_iter()
            .flatten()
            .map(|(key, value)| (Text::from(&**key), Text::from(&**value)))
            .collect(),
    }
}

/// Whoever does something must have said who they are, so that nobody ends what is another's by mistake.
fn me(visitor: &Visitor, back: &str) -> Result<Owner, Box<Response>> {
    let ask = || Box::new(see(&link::with("/me", &[("back", back)])));
    visitor.owner.clone().ok_or_else(ask)
}

async fn outcome(
    visitor: &Visitor,
    id: LeaseId,
    form: &Form,
    command: Result<Command, Problem>,
    what: &'static str,
) -> Response {
    let submitted = match command {
        Ok(command) => visitor.app.submit(command).await,
        Err(problem) => Err(problem),
    };
    match submitted {
        Ok(_) => {
            visitor.app.pulse.touch();
            done(&link::lease(id.0), what)
        }
        Err(problem) => {
            let page = detail(visitor, id, form, Some(&problem)).await;
            visitor.answer(page)
        }
    }
}

/// `POST /leases/{id}/extend`.
pub(crate) async fn extend(visitor: Visitor, Path(id): Path<u64>, form: Form) -> Response {
    let id = LeaseId(id);
    let owner = match me(&visitor, &link::lease(id.0)) {
        Ok(owner) => owner,
        Err(elsewhere) => return *elsewhere,
    };
    let ttl = form.filled("ttl").map(|text| form::length("ttl", &text));
    let command = ttl.transpose().map(|ttl| Command::Renew { lease: id, owner: Some(owner), ttl });
    outcome(&visitor, id, &form, command, "extended").await
}

/// `POST /leases/{id}/release`.
pub(crate) async fn release(visitor: Visitor, Path(id): Path<u64>, form: Form) -> Response {
    let id = LeaseId(id);
    let owner = match me(&visitor, &link::lease(id.0)) {
        Ok(owner) => owner,
        Err(elsewhere) => return *elsewhere,
    };
    let to_state = body::optional("to_state", form.filled("to_state"), body::state);
    let command =
        to_state.map(|to_state| Command::Release { lease: id, owner: Some(owner), targets: None, to_state });
    outcome(&visitor, id, &form, command, "released").await
}

/// `GET /leases/{id}/force`: asks first.
pub(crate) async fn ask(visitor: Visitor, Path(id): Path<u64>) -> Response {
    if let Err(elsewhere) = me(&visitor, &link::force(id)) {
        return *elsewhere;
    }
    let page = confirm(&visitor, LeaseId(id), &Form::default(), None);
    visitor.answer(page)
}

fn confirm(
    visitor: &Visitor,
    id: LeaseId,
    form: &Form,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let (ledger, now) = (visitor.app.keeper.snapshot(), visitor.app.keeper.now());
    let grant = ledger.grant(id).ok_or(Refusal::LeaseEnded(id))?;
    let page = page::ForcePage {
        frame: visitor.frame(format!("Take back lease {id}"), "/leases", ""),
        lease: row::held(&grant, now, visitor, ROW_TARGETS_MAX),
        // Whoever tries again has seen what it holds now.
        seen: seen_of(&grant.lease),
        reason: form.typed("reason").into(),
        to_state: form.typed("to_state").into(),
        error: problem.map(form::error),
    };
    Ok(visitor.page_with(problem.map_or(StatusCode::OK, |problem| problem.kind().status()), &page))
}

/// `POST /leases/{id}/force`.
pub(crate) async fn force(visitor: Visitor, Path(id): Path<u64>, form: Form) -> Response {
    let by = match me(&visitor, &link::force(id)) {
        Ok(by) => by,
        Err(elsewhere) => return *elsewhere,
    };
    let id = LeaseId(id);
    let submitted = match force_command(&visitor, id, &form, by) {
        Ok(command) => visitor.app.submit(command).await,
        Err(problem) => Err(problem),
    };
    match submitted {
        Ok(_) => done(&link::lease(id.0), "forced"),
        Err(problem) => {
            let page = confirm(&visitor, id, &form, Some(&problem));
            visitor.answer(page)
        }
    }
}

/// What a lease holds. Its holder need not be compared: an ID is never used twice, and a lease stays with whom it was
/// granted to.
fn seen_of(lease: &Lease) -> String {
    seen::digest(lease.targets.iter().map(Target::as_str))
}

fn force_command(visitor: &Visitor, id: LeaseId, form: &Form, by: Owner) -> Result<Command, Problem> {
    let reason = form.filled("reason").ok_or_else(|| Problem::invalid("reason", "must be said"))?;
    let ledger = visitor.app.keeper.snapshot();
    let lease = ledger.lease(id).ok_or(Refusal::LeaseEnded(id))?;
    if form.typed("seen") != seen_of(lease) {
        return Err(Problem::new(Trouble::StaleRevision, "it holds something else by now: look again"));
    }
    Ok(Command::Force(Force {
        subject: Subject::Lease(id),
        expected: None,
        reason: body::text("reason", reason)?,
        by: Some(by),
        to_state: body::optional("to_state", form.filled("to_state"), body::state)?,
    }))
}
