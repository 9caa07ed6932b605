//! Doing the same to every resource that a filter finds: asks first, with their number.

use axum::http::StatusCode;
use axum::response::Response;
use lessor_filter::Filter;
use lessor_ledger::{Command, Refusal, ResourceEdit, Target};
use lessor_web::{link, page};
use serde::Deserialize;

use crate::extract::Query;
use crate::limits::{BULK_NAMES_SHOWN, BULK_RESOURCES_MAX, LISTING_ROWS_LOOKED_AT_MAX};
use crate::pages::edit::{cordon, nothing};
use crate::pages::form::{self, Form};
use crate::pages::seen;
use crate::pages::visitor::{Visitor, done};
use crate::problem::Problem;
use crate::sieve::resource::{Candidate, PAGE_KEYS, candidates};

/// Which resources.
#[derive(Deserialize)]
pub(crate) struct ShowQuery {
    #[serde(default)]
    q: String,
}

/// The first resources that a filter finds, and whether there are more.
struct Found {
    names: Vec<Target>,
    more: bool,
}

impl Found {
    fn seen(&self) -> String {
        seen::digest(self.names.iter().map(Target::as_str))
    }
}

async fn find(visitor: &Visitor, text: &str) -> Result<Found, Problem> {
    let filter = Filter::parse(text, &PAGE_KEYS).map_err(|error| Problem::invalid("filter", error))?;
    let looker = visitor.clone();
    visitor
        .app
        .look(move |ledger, now| {
            let all = candidates(ledger, &filter, None, LISTING_ROWS_LOOKED_AT_MAX + 1);
            let mut found = Found { names: Vec::new(), more: false };
            for (looked_at, resource) in all.into_iter().enumerate() {
                if found.names.len() == BULK_RESOURCES_MAX || looked_at == LISTING_ROWS_LOOKED_AT_MAX {
                    found.more = true;
                    break;
                }
                if filter.matches(&Candidate { resource, ledger, now, viewer: looker.owner.as_ref() }) {
                    found.names.push(resource.name.clone());
                }
            }
            found
        })
        .await
}

/// `GET /bulk`: how many there are, and what can be done.
pub(crate) async fn show(visitor: Visitor, Query(query): Query<ShowQuery>) -> Response {
    let page = preview(&visitor, &query.q, &Form::default(), None).await;
    visitor.answer(page)
}

async fn preview(
    visitor: &Visitor,
    text: &str,
    form: &Form,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let found = find(visitor, text).await?;
    let seen = found.seen();
    let Found { names, more } = found;
    let page = page::BulkPage {
        frame: visitor.frame("All that match", "/resources", ""),
        filter: text.into(),
        count: names.len(),
        seen,
        more,
        names: names.iter().take(BULK_NAMES_SHOWN).map(|name| name.as_str().into()).collect(),
        message: form.typed("message").into(),
        until: form.typed("until").into(),
        error: problem.map(form::error),
    };
    Ok(visitor.page_with(problem.map_or(StatusCode::OK, |problem| problem.kind().status()), &page))
}

/// `POST /bulk`: does it, resource by resource; those that vanish meanwhile are left out.
pub(crate) async fn act(visitor: Visitor, Query(query): Query<ShowQuery>, form: Form) -> Response {
    match change(&visitor, &query.q, &form).await {
        Ok(()) => done(&link::with("/resources", &[("q", &query.q)]), "bulk"),
        Err(problem) => {
            let page = preview(&visitor, &query.q, &form, Some(&problem)).await;
            visitor.answer(page)
        }
    }
}

async fn change(visitor: &Visitor, text: &str, form: &Form) -> Result<(), Problem> {
    let cordon = match form.typed("action") {
        "drain" => Some(cordon(form, visitor.app.keeper.now())?),
        "undrain" => None,
        other => return Err(Problem::invalid("action", format!("there is no {other:?}"))),
    };
    let found = find(visitor, text).await?;
    if form.typed("seen") != found.seen() {
        let why = format!("other resources match by now, {} of them: look again", found.names.len());
        return Err(Problem::new(crate::problem::Kind::StaleRevision, why));
    }
    for name in found.names {
        let edit = ResourceEdit { cordon: Some(cordon.clone()), ..nothing(name) };
        match visitor.app.keeper.submit(Command::PatchResource(Box::new(edit))).await {
            // The end that was typed is the same for all.
            Err(error @ lessor_keeper::Error::Refused(Refusal::CordonOver(_))) => return Err(error.into()),
            Ok(_) | Err(lessor_keeper::Error::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
