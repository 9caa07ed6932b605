//! `/healthz` and `/readyz`: for whoever restarts the process, and for whoever sends it work.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_keeper::Health;
use serde::Deserialize;

use crate::app::App;
use crate::extract::Query;

const PLAIN: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];

/// `GET /readyz?verbose`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadyQuery {
    /// Any value, or none: list every check.
    verbose: Option<String>,
}

struct Check {
    name: &'static str,
    /// What is wrong.
    trouble: Option<String>,
    /// Whether the server should get no work while this is wrong.
    fatal: bool,
}

/// `GET /healthz`: the process answers.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses(
    (status = 200, description = "The process answers", body = String, content_type = "text/plain")
))]
pub(crate) async fn alive() -> Response {
    (PLAIN, "OK").into_response()
}

/// `GET /readyz`: whether the server takes work. With `verbose` says why not, and what else is wrong.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    params(("verbose" = Option<String>, Query, description = "List every check, one on a line")),
    responses(
        (status = 200, description = "The server takes work", body = String, content_type = "text/plain"),
        (status = 503, description = "It does not", body = String, content_type = "text/plain"),
    )
)]
pub(crate) async fn ready(State(app): State<App>, Query(query): Query<ReadyQuery>) -> Response {
    let checks = checks(&app);
    let ready = !checks.iter().any(|check| check.fatal && check.trouble.is_some());
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut text = String::new();
    for check in
        checks.iter().filter(|check| query.verbose.is_some() || check.fatal && check.trouble.is_some())
    {
        let line = match &check.trouble {
            None => format!("[+] {}: ok\n", check.name),
            Some(trouble) => format!("[-] {}: {trouble}\n", check.name),
        };
        text.push_str(&line);
    }
    text.push_str(if ready { "OK" } else { "not ready" });
    (status, PLAIN, text).into_response()
}

fn checks(app: &App) -> [Check; 3] {
    let store = match app.keeper.health() {
        Health::Writable => None,
        Health::ReadOnly(reason) => Some(format!("takes no writes: {reason}")),
        Health::Stopped => Some("stopped".to_owned()),
    };
    let stopping = app.shutdown.is_cancelled().then(|| "the server is going down".to_owned());
    let pools = pools_trouble(app);
    [
        Check { name: "store", trouble: store, fatal: true },
        Check { name: "serving", trouble: stopping, fatal: true },
        Check { name: "pools file", trouble: pools, fatal: false },
    ]
}

/// What is wrong or odd about the pools file.
pub(crate) fn pools_trouble(app: &App) -> Option<String> {
    let status = app.pools.borrow();
    status.error.as_ref().or(status.warning.as_ref()).map(ToString::to_string)
}
