//! Doing the same to everything that a filter finds: asks first, with its number.

mod action;
mod find;

use axum::http::StatusCode;
use axum::response::Response;
use lessor_web::page::BulkOf;
use lessor_web::{Text, link, page};
use serde::Deserialize;

use action::Action;
use find::{Item, find};

use crate::extract::{Path, Query};
use crate::limits::{BULK_NAMES_SHOWN, FORM_LINES_MAX};
use crate::moment;
use crate::pages::form::{self, Form};
use crate::pages::visitor::{Visitor, done};
use crate::problem::{Kind, Problem};

fn named(what: &str) -> Result<BulkOf, Problem> {
    BulkOf::named(what)
        .ok_or_else(|| Problem::new(Kind::NotFound, format!("there are no {what:?} to change")))
}

/// Which of them.
#[derive(Deserialize)]
pub(crate) struct ShowQuery {
    #[serde(default)]
    q: String,
    /// The last one that was done before.
    after: Option<String>,
}

/// `GET /bulk/{what}`: how many there are, and what can be done.
pub(crate) async fn show(
    visitor: Visitor,
    Path(what): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Response {
    let page = match named(&what) {
        Ok(what) => preview(&visitor, what, &query, &Form::default(), None).await,
        Err(problem) => Err(problem),
    };
    visitor.answer(page)
}

async fn preview(
    visitor: &Visitor,
    what: BulkOf,
    query: &ShowQuery,
    form: &Form,
    error: Option<(StatusCode, page::FormError)>,
) -> Result<Response, Problem> {
    let found = find(visitor, what, query).await?;
    let field = |name: &str| Text::from(form.typed(name));
    let drains = found.drains(visitor.app.keeper.now());
    let (status, error) = error.map_or((StatusCode::OK, None), |(status, error)| (status, Some(error)));
    let page = page::BulkPage {
        frame: visitor.frame("All that match", what.list(), ""),
        of: what,
        filter: query.q.as_str().into(),
        after: query.after.clone(),
        count: found.items.len(),
        mine: found.items.iter().filter(|item| item.mine).count(),
        drained: drains.iter().map(|drains| drains.count).sum(),
        ways: drains.len(),
        drains: drains.into_iter().take(BULK_NAMES_SHOWN).collect(),
        seen: found.seen(),
        next: found.next.clone(),
        names: found.items.iter().take(BULK_NAMES_SHOWN).map(Item::named).collect(),
        message: field("message"),
        until: field("until"),
        until_at: moment::field(form.typed("until_at")),
        ttl: field("ttl"),
        reason: field("reason"),
        to_state: field("to_state"),
        error,
    };
    Ok(visitor.page_with(status, &page))
}

/// `POST /bulk/{what}`: does it, one by one; what vanishes meanwhile is left out.
pub(crate) async fn act(
    visitor: Visitor,
    Path(what): Path<String>,
    Query(query): Query<ShowQuery>,
    form: Form,
) -> Response {
    let what = match named(&what) {
        Ok(what) => what,
        Err(problem) => return visitor.answer(Err(problem)),
    };
    let error = match change(&visitor, what, &query, &form).await {
        Ok(Outcome { refused, next: Some(next), .. }) if refused.is_empty() => {
            return done(&link::bulk(what.list(), &query.q, Some(&next)), "bulk-part");
        }
        Ok(outcome) if outcome.refused.is_empty() => {
            return done(&link::with(what.list(), &[("q", &query.q)]), "bulk");
        }
        Ok(outcome) => (StatusCode::CONFLICT, outcome.error()),
        Err(problem) => (problem.kind().status(), form::error(&problem)),
    };
    let page = preview(&visitor, what, &query, &form, Some(error)).await;
    visitor.answer(page)
}

/// What became of many.
#[derive(Default)]
struct Outcome {
    done: usize,
    /// What was not done, and why.
    refused: Vec<String>,
    /// After which one there are more.
    next: Option<String>,
}

impl Outcome {
    fn error(self) -> page::FormError {
        let Self { done, refused, .. } = self;
        let words = format!("Done for {done} of them, not for {}.", refused.len());
        let lines = refused.into_iter().take(FORM_LINES_MAX).map(Text::from).collect();
        page::FormError { field: None, words: words.into(), lines }
    }
}

async fn change(visitor: &Visitor, what: BulkOf, query: &ShowQuery, form: &Form) -> Result<Outcome, Problem> {
    let action = Action::read(what, form, visitor)?;
    let found = find(visitor, what, query).await?;
    if form.typed("seen") != found.seen() {
        let count = found.items.len();
        let why = format!("others match by now, or are drained otherwise, {count} of them: look again");
        return Err(Problem::new(Kind::StaleRevision, why));
    }
    let mut outcome = Outcome { next: found.next, ..Outcome::default() };
    let mut first = None;
    for item in &found.items {
        match action.on(item, visitor).await {
            None => {}
            Some(Ok(())) => outcome.done += 1,
            Some(Err(problem)) if is_gone(problem.kind()) => {}
            Some(Err(problem)) if problem.kind().status().is_server_error() => return Err(problem),
            Some(Err(problem)) => {
                outcome.refused.push(format!("{}: {}", item.label, form::in_words(&problem)));
                first.get_or_insert(problem);
            }
        }
    }
    visitor.app.pulse.touch();
    match first {
        // What is wrong for all of them is likely to be wrong on the form.
        Some(problem) if outcome.done == 0 => Err(problem),
        _ => Ok(outcome),
    }
}

/// Whether there is nothing left to do it to.
fn is_gone(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::NoSuchResource | Kind::NoSuchLease | Kind::LeaseEnded | Kind::NoSuchRequest | Kind::NoSuchJob
    )
}
