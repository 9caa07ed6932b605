//! The first page, who looks at it, and in which colours.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use lessor_ledger::{JobRecord, Ledger, Owner, Phase, Time, Verdict};
use lessor_web::{Frame, Text, Theme, page};
use serde::Deserialize;

use crate::extract::Query;
use crate::limits::{
    DASHBOARD_FAILED_JOBS_MAX, DASHBOARD_PLUGINS_MAX, DASHBOARD_ROWS_MAX, LISTING_ROWS_LOOKED_AT_MAX,
    ROW_TARGETS_MAX,
};
use crate::pages::form::Form;
use crate::pages::row;
use crate::pages::visitor::{Visitor, back, done, see, with_owner, with_theme};
use crate::problem::Problem;
use crate::v1::body;

/// `GET /`, and `POST /` for Boskos' sake: always 200.
pub(crate) async fn show(visitor: Visitor) -> Response {
    let page = make(&visitor).await;
    visitor.answer(page)
}

async fn make(visitor: &Visitor) -> Result<Response, Problem> {
    let title = if visitor.owner.is_some() { "My work" } else { "Now" };
    let frame = visitor.frame(title, "/", "leases queue pools resources jobs plugins");
    let looker = visitor.clone();
    let page = visitor.app.look(move |ledger, now| look(ledger, now, frame, &looker)).await?;
    Ok(visitor.page(&page))
}

fn look(ledger: &Ledger, now: Time, frame: Frame, visitor: &Visitor) -> page::Mine {
    let leases: Vec<_> = match &visitor.owner {
        Some(owner) => ledger.leases_of(owner, None).take(DASHBOARD_ROWS_MAX).collect(),
        None => ledger.leases_after(None).take(DASHBOARD_ROWS_MAX).collect(),
    };
    let concerns = |owner: &Owner| visitor.owner.as_ref().is_none_or(|viewer| viewer == owner);
    let waits = ledger
        .requests_after(None)
        .take(LISTING_ROWS_LOOKED_AT_MAX)
        .filter(|request| request.waits() && concerns(&request.owner));
    let waits: Vec<_> = waits.take(DASHBOARD_ROWS_MAX).cloned().collect();
    let (jobs, stuck) = jobs(ledger, concerns);
    let plugins = visitor.app.plugins.look(ledger);
    let pools = ledger.pools().take(DASHBOARD_ROWS_MAX);
    page::Mine {
        frame,
        leases: leases
            .iter()
            .filter_map(|lease| ledger.grant(lease.id))
            .map(|grant| row::held(&grant, now, visitor, ROW_TARGETS_MAX))
            .collect(),
        leases_total: ledger.lease_count(),
        waits: row::waits(&waits, ledger, now, visitor, 1),
        jobs: jobs.into_iter().map(|job| row::job(job, now, visitor, ROW_TARGETS_MAX)).collect(),
        stuck,
        plugins: plugins
            .iter()
            .map(|sight| row::plugin(sight, now))
            .filter(|plugin| !matches!(plugin.state.name.raw(), "enabled" | "preparing"))
            .take(DASHBOARD_PLUGINS_MAX)
            .collect(),
        pools: pools
            .map(|pool| row::pool(pool, ledger, now, visitor.app.pulse.summary(&pool.name, now).as_ref()))
            .collect(),
        pools_total: ledger.pool_count(),
    }
}

/// The jobs that are shown, those that may hold something first, and how many are stuck, whoever's they are.
fn jobs(ledger: &Ledger, concerns: impl Fn(&Owner) -> bool) -> (Vec<&Arc<JobRecord>>, usize) {
    let (mut live, mut failed, mut stuck) = (Vec::new(), Vec::new(), 0);
    for job in ledger.jobs_after(None) {
        stuck += usize::from(matches!(job.phase, Phase::Stuck { .. }));
        if !concerns(&job.owner) {
            continue;
        }
        match job.phase {
            Phase::Over { verdict: Verdict::Failed, .. } => failed.push(job),
            Phase::Over { .. } => {}
            _ => live.push(job),
        }
    }
    // What failed last is news.
    live.extend(failed.into_iter().rev().take(DASHBOARD_FAILED_JOBS_MAX));
    live.truncate(DASHBOARD_ROWS_MAX);
    (live, stuck)
}

/// `GET /help`.
pub(crate) async fn help(visitor: Visitor) -> Response {
    visitor.page(&page::Help { frame: visitor.frame("Keys and filters", "", "") })
}

/// Where to go after saying who one is.
#[derive(Deserialize)]
pub(crate) struct MeQuery {
    #[serde(default)]
    back: String,
}

/// `GET /me`: asks who looks.
pub(crate) async fn me(visitor: Visitor, Query(query): Query<MeQuery>) -> Response {
    let owner = visitor.owner.as_ref().map(|owner| Text::from(owner.as_str())).unwrap_or_default();
    visitor.page(&page::Me {
        frame: visitor.frame("Who are you?", "", ""),
        owner,
        back: back(&query.back).into(),
        error: None,
    })
}

/// `POST /me`: remembers who looks; an empty name forgets them.
pub(crate) async fn name(visitor: Visitor, form: Form) -> Response {
    let back = back(form.typed("back"));
    let Some(name) = form.filled("owner") else { return with_owner(see(back), "") };
    match body::owner("owner", name.clone()) {
        Ok(owner) => with_owner(done(back, "named"), owner.as_str()),
        Err(problem) => {
            let page = page::Me {
                frame: visitor.frame("Who are you?", "", ""),
                owner: name.into(),
                back: back.into(),
                error: Some(problem.detail().into()),
            };
            visitor.page_with(StatusCode::BAD_REQUEST, &page)
        }
    }
}

/// `POST /theme`: remembers the colours.
pub(crate) async fn theme(form: Form) -> Response {
    let theme = Theme::named(form.typed("theme")).unwrap_or_default();
    with_theme(see(back(form.typed("back"))), theme)
}
