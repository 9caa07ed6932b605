//! The Boskos dialect: `/acquire`, `/acquirebystate`, `/release`, `/reset`, `/update` and `/metric` at the root.
//!
//! Its clients overwrite the path of the URL they are given, so it cannot live under a prefix. Everything a client
//! could see is as upstream: parameters come from the query only, a check follows the order method, required
//! parameters, parsing, operation, an error is a line of plain text. Answers with a body are JSON that says
//! `text/plain`, because that is what Go's server sniffs; only `/metric` says `application/json`.
//!
//! Two things differ on purpose: a name longer than the ledger's bound is a 400, and a server that takes no writes
//! answers 503 with `Retry-After`.

mod answer;
mod handlers;
mod json;
mod limits;
mod patch;
mod query;
mod quote;

use axum::Router;
use axum::routing::any;

use crate::app::App;

/// The six endpoints. Each takes every method, because the 405 is theirs too.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/acquire", any(handlers::acquire))
        .route("/acquirebystate", any(handlers::acquire_by_state))
        .route("/release", any(handlers::release))
        .route("/reset", any(handlers::reset))
        .route("/update", any(handlers::update))
        .route("/metric", any(handlers::metric))
}
