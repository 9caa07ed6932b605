//! `/healthz` and `/readyz`: for whoever restarts the process, and for whoever sends it work.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_keeper::Health;
use lessor_ledger::{Ledger, Phase};
use serde::Deserialize;

use crate::app::App;
use crate::extract::Query;
use crate::limits::CLOCK_BEHIND_ODD;

const PLAIN: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];

/// `GET /readyz?verbose`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadyQuery {
    /// Any value, or none: list every check.
    verbose: Option<String>,
}

/// Something that was looked at.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) finding: Finding,
}

/// What a check found.
pub(crate) enum Finding {
    /// All is well; in words.
    Well(&'static str),
    /// Nothing is wrong, but whoever looks may want to know.
    Odd(String),
    /// Something is wrong, and the server serves all the same.
    Wrong(String),
    /// The server should get no work while this is so.
    Fatal(String),
}

/// `GET /healthz`: the process answers.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses(
    (status = 200, description = "The process answers", body = String, content_type = "text/plain")
))]
pub(crate) async fn alive() -> Response {
    (PLAIN, "OK").into_response()
}

/// `GET /readyz`: whether the server takes work. With `verbose` says why not, and what else is wrong (`[-]`) or odd
/// (`[!]`).
#[utoipa::path(get, path = "/readyz", tag = "operations",
    params(("verbose" = Option<String>, Query, description = "List every check, one on a line")),
    responses(
        (status = 200, description = "The server takes work", body = String, content_type = "text/plain"),
        (status = 503, description = "It does not", body = String, content_type = "text/plain"),
    )
)]
pub(crate) async fn ready(State(app): State<App>, Query(query): Query<ReadyQuery>) -> Response {
    let checks = checks(&app);
    let ready = !checks.iter().any(|check| matches!(check.finding, Finding::Fatal(_)));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut text = String::new();
    for Check { name, finding } in &checks {
        let (mark, what) = match finding {
            Finding::Fatal(what) => ("[-]", what.as_str()),
            _ if query.verbose.is_none() => continue,
            Finding::Wrong(what) => ("[-]", what.as_str()),
            Finding::Odd(what) => ("[!]", what.as_str()),
            Finding::Well(what) => ("[+]", *what),
        };
        let _ = writeln!(text, "{mark} {name}: {what}");
    }
    text.push_str(if ready { "OK" } else { "not ready" });
    (status, PLAIN, text).into_response()
}

/// Everything that is looked at, for `/readyz` and for the page *Status*.
pub(crate) fn checks(app: &App) -> [Check; 6] {
    let ledger = app.keeper.snapshot();
    let store = match app.keeper.health() {
        Health::Writable => Finding::Well("ok"),
        Health::ReadOnly(reason) => Finding::Fatal(format!("takes no writes: {reason}")),
        Health::Stopped => Finding::Fatal("stopped".to_owned()),
    };
    let serving = if app.shutdown.is_cancelled() {
        Finding::Fatal("the server is going down".to_owned())
    } else {
        Finding::Well("ok")
    };
    [
        Check { name: "store", finding: store },
        Check { name: "serving", finding: serving },
        Check { name: "pools file", finding: pools_file(app) },
        Check { name: "clock", finding: clock(app) },
        Check { name: "plugins", finding: plugins(app, &ledger) },
        Check { name: "jobs", finding: jobs(&ledger) },
    ]
}

/// Time never goes back for leases (promise P9), so a wall clock that was set back makes it go on by itself.
fn clock(app: &App) -> Finding {
    let behind = app.keeper.clock_behind();
    if behind <= CLOCK_BEHIND_ODD {
        return Finding::Well("ok");
    }
    Finding::Odd(format!(
        "the wall clock is {} s behind the time of the leases: until it has caught up, times are ahead by that, and \
         a TTL takes a ninth longer",
        behind.nanos() / 1_000_000_000
    ))
}

fn plugins(app: &App, ledger: &Ledger) -> Finding {
    let named =
        |what: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
    let preparing = app.plugins.preparing().iter().map(ToString::to_string).collect();
    let disabled = ledger.plugins().filter(|plugin| !plugin.enabled).map(|plugin| plugin.name.to_string());
    let odd = [
        named("being prepared", preparing),
        named("switched off, so they take no calls", disabled.collect()),
    ];
    let odd: Vec<String> = odd.into_iter().flatten().collect();
    match app.plugins.trouble() {
        Some(trouble) => Finding::Wrong([vec![trouble], odd].concat().join("; ")),
        None if odd.is_empty() => Finding::Well("ok"),
        None => Finding::Odd(odd.join("; ")),
    }
}

/// A job that cannot release what it holds keeps others from it.
fn jobs(ledger: &Ledger) -> Finding {
    let mut stuck = ledger.live_jobs().filter(|job| matches!(job.phase, Phase::Stuck { .. }));
    match (stuck.next(), stuck.count()) {
        (None, _) => Finding::Well("ok"),
        (Some(job), 0) => Finding::Wrong(format!("job {} cannot release what it holds", job.id.0)),
        (Some(job), others) => {
            Finding::Wrong(format!("{} cannot release what they hold, such as job {}", others + 1, job.id.0))
        }
    }
}

fn pools_file(app: &App) -> Finding {
    let status = app.pools.borrow();
    match (&status.error, &status.warning) {
        (Some(error), _) => Finding::Wrong(error.to_string()),
        (None, Some(warning)) => Finding::Odd(format!("{warning}; the pools stay as they are")),
        (None, None) if status.path.is_none() => Finding::Well("none, pools come and go over the API"),
        (None, None) => Finding::Well("ok"),
    }
}

/// What is wrong or odd about the pools file.
pub(crate) fn pools_trouble(app: &App) -> Option<String> {
    let status = app.pools.borrow();
    status.error.as_ref().or(status.warning.as_ref()).map(ToString::to_string)
}
