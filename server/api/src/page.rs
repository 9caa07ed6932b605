//! The dashboard: from the last committed state to the view-models of the `web` crate.

use axum::extract::State as Extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use lessor_keeper::Health;
use lessor_ledger::{LeaseId, Ledger, Part, Request, Time};
use lessor_web::{CONTENT_SECURITY_POLICY, Dashboard, LeaseRow, PoolRow, STYLE, Table, WaitRow, length};

use crate::app::App;
use crate::health::pools_trouble;
use crate::limits::{DASHBOARD_ROWS_MAX, DASHBOARD_TARGETS_MAX, PAGE_ROWS_MAX};
use crate::problem::Problem;
use crate::time::Stamp;

/// `GET /`, and `POST /` for Boskos' sake: always the dashboard, always 200.
pub(crate) async fn dashboard(Extract(app): Extract<App>) -> Result<Response, Problem> {
    let trouble = match app.keeper.health() {
        Health::Writable => None,
        Health::ReadOnly(reason) => Some(reason.to_string()),
        Health::Stopped => Some("the server is going down".to_owned()),
    };
    let pools_error = pools_trouble(&app);
    let look = move |ledger: &Ledger, now: Time| {
        let (pools, leases, waits) = (pools(ledger), leases(ledger, now), waits(ledger, now));
        Dashboard { trouble, pools_error, pools, leases, waits }.html()
    };
    let html = app.look(look).await?.map_err(|error| Problem::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, html).into_response())
}

/// `GET /style.css`.
pub(crate) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, STYLE).into_response()
}

fn pools(ledger: &Ledger) -> Table<PoolRow> {
    let rows = ledger.pools().take(DASHBOARD_ROWS_MAX).map(|pool| {
        let usage = ledger.usage(&pool.name);
        PoolRow {
            name: pool.name.to_string(),
            dynamic: pool.lifecycle.is_some(),
            total: usage.total,
            free: usage.free,
            held: usage.held,
            waiting: ledger.waiting(&pool.name).0,
        }
    });
    Table { rows: rows.collect(), total: ledger.pools().count() }
}

fn leases(ledger: &Ledger, now: Time) -> Table<LeaseRow> {
    let rows = ledger.leases_after(None).take(DASHBOARD_ROWS_MAX);
    Table { rows: rows.filter_map(|lease| row(ledger, lease.id, now)).collect(), total: ledger.lease_count() }
}

fn row(ledger: &Ledger, id: LeaseId, now: Time) -> Option<LeaseRow> {
    let grant = ledger.grant(id)?;
    let lease = grant.lease;
    Some(LeaseRow {
        id: lease.id.0,
        owner: lease.owner.to_string(),
        targets: lease.targets.iter().take(DASHBOARD_TARGETS_MAX).map(ToString::to_string).collect(),
        more: lease.targets.len().saturating_sub(DASHBOARD_TARGETS_MAX),
        purpose: lease.purpose.as_ref().map(ToString::to_string),
        held_for: between(lease.granted_at, now),
        expires: grant.expires_at.map(|until| (Stamp(until).to_string(), between(now, until))),
    })
}

fn waits(ledger: &Ledger, now: Time) -> Table<WaitRow> {
    let waiting = ledger.requests_after(None).take(PAGE_ROWS_MAX).filter(|request| request.waits());
    let (mut rows, mut total) = (Vec::new(), 0);
    for request in waiting {
        total += 1;
        if rows.len() < DASHBOARD_ROWS_MAX {
            rows.push(WaitRow {
                id: request.id.0,
                owner: request.owner.to_string(),
                wants: wants(request),
                position: ledger.place(request.id).map(|place| place.position),
                priority: request.priority,
                waited: between(request.since, now),
            });
        }
    }
    Table { rows, total }
}

fn wants(request: &Request) -> Vec<String> {
    let in_words = |part: &Part| match part {
        Part::Pool { pool, state, count, .. } => format!("{count} × {pool} ({state})"),
        Part::Named { targets, .. } => match targets.as_slice() {
            [only] => only.to_string(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            [] => String::new(),
        },
    };
    request.parts.iter().map(in_words).collect()
}

fn between(from: Time, to: Time) -> String {
    length(to.since(from).millis() / 1000)
}
