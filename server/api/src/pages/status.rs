//! How the server is.

use axum::response::Response;
use lessor_web::page;

use crate::app::App;
use crate::health::{self, Check, Finding};
use crate::limits::RELOAD_WAIT_MAX;
use crate::pages::row;
use crate::pages::visitor::{Visitor, done};
use crate::problem::{Kind, Problem};

/// `GET /status`.
pub(crate) async fn show(visitor: Visitor) -> Response {
    let page = make(&visitor).await;
    visitor.answer(page)
}

async fn make(visitor: &Visitor) -> Result<Response, Problem> {
    let app = &visitor.app;
    let (first, last) = app.read(|reader| Ok((reader.first_event()?, reader.last_event()))).await?;
    let ledger = app.keeper.snapshot();
    let checks: Vec<_> = health::checks(app).into_iter().map(seen).collect();
    let count = |count: usize| count.to_string();
    let mut numbers = vec![
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ("Pools", count(ledger.pool_count())),
        ("Resources", count(ledger.resource_count())),
        ("Leases", count(ledger.lease_count())),
        ("Requests, waiting or settled not long ago", count(ledger.request_count())),
        ("Events kept", if last < first { "none".to_owned() } else { format!("{} to {}", first.0, last.0) }),
        ("Commands waiting for the writer", count(app.keeper.waiting())),
        ("Open streams", count(app.streams_open())),
    ];
    numbers.extend(pools_file(app));
    Ok(visitor.page(&page::Status {
        frame: visitor.frame("Status", "/status", "leases queue pools resources jobs plugins"),
        well: checks.iter().all(|check| check.how == page::How::Well),
        checks,
        numbers,
        reloads: app.reload.is_some(),
    }))
}

/// A check as the page shows it.
fn seen(Check { name, finding }: Check) -> page::Check {
    let (how, words) = match finding {
        Finding::Well(words) => (page::How::Well, words.into()),
        Finding::Odd(words) => (page::How::Odd, words),
        Finding::Wrong(words) | Finding::Fatal(words) => (page::How::Wrong, words),
    };
    page::Check { what: name, how, words: words.into() }
}

/// Which pools file is in force, if there is one, and since when.
fn pools_file(app: &App) -> Vec<(&'static str, String)> {
    let status = app.pools.borrow();
    let path = status.path.as_ref().map(|path| ("Pools file", path.display().to_string()));
    let applied = status.applied_at.map(|at| ("Pools file applied", row::utc(at)));
    path.into_iter().chain(applied).collect()
}

/// `POST /status/reload`: reads the pools file again.
pub(crate) async fn reload(visitor: Visitor) -> Response {
    let Some(reload) = &visitor.app.reload else {
        return visitor.oops(Kind::NotFound, "this server was started without a pools file");
    };
    let mut status = visitor.app.pools.clone();
    status.mark_unchanged();
    reload.nudge();
    // Whatever comes of it is on the page; if it takes long, the page says so a little later.
    let waited: Result<_, _> = tokio::time::timeout(RELOAD_WAIT_MAX, status.changed()).await;
    let wrong = waited.is_ok() && visitor.app.pools.borrow().error.is_some();
    done("/status", if wrong { "not-reloaded" } else { "reloaded" })
}
