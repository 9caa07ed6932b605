//! How the server is.

use axum::response::Response;
use lessor_keeper::Health;
use lessor_web::{Text, page};

use crate::app::App;
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
    let (ledger, now) = (app.keeper.snapshot(), app.keeper.now());
    let checks = checks(app);
    let count = |count: usize| count.to_string();
    let numbers = vec![
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ("Pools", count(ledger.pool_count())),
        ("Resources", count(ledger.resource_count())),
        ("Leases", count(ledger.lease_count())),
        ("Requests, waiting or settled not long ago", count(ledger.request_count())),
        ("Events kept", format!("{first} to {last}", first = first.0, last = last.0)),
        ("Commands waiting for the writer", count(app.keeper.waiting())),
        ("Open streams", count(app.streams_open())),
        ("Time of the server", row::utc(now)),
    ];
    Ok(visitor.page(&page::Status {
        frame: visitor.frame("Status", "/status", "leases queue pools resources"),
        well: checks.iter().all(|(_, good, _)| *good),
        checks,
        numbers,
        reloads: app.reload.is_some(),
    }))
}

fn checks(app: &App) -> Vec<(&'static str, bool, Text)> {
    let store = match app.keeper.health() {
        Health::Writable => ("Store", true, "takes writes".into()),
        Health::ReadOnly(reason) => ("Store", false, Text::from(format!("takes no writes: {reason}"))),
        Health::Stopped => ("Store", false, "the server is going down".into()),
    };
    let status = app.pools.borrow();
    let pools = match (&status.path, status.error.as_ref().or(status.warning.as_ref())) {
        (_, Some(trouble)) => (false, trouble.to_string()),
        (Some(path), None) => match status.applied_at {
            Some(at) => (true, format!("{} as of {}", path.display(), row::utc(at))),
            None => (false, format!("{} was not applied yet", path.display())),
        },
        (None, None) => (true, "none: pools come over the API".to_owned()),
    };
    vec![store, ("Pools file", pools.0, pools.1.into())]
}

/// `POST /status/reload`: reads the pools file again.
pub(crate) async fn reload(visitor: Visitor) -> Response {
    let Some(reload) = &visitor.app.reload else {
        return visitor.oops(&Problem::new(Kind::NotFound, "this server was started without a pools file"));
    };
    let mut status = visitor.app.pools.clone();
    status.mark_unchanged();
    reload.nudge();
    // Whatever comes of it is on the page; if it takes long, the page says so a little later.
    let waited: Result<_, _> = tokio::time::timeout(RELOAD_WAIT_MAX, status.changed()).await;
    match waited {
        Ok(_) | Err(_) => done("/status", "reloaded"),
    }
}
