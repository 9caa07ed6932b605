//! The dashboard: from the last committed state, and from history, to the view-models of the `web` crate; from plain
//! forms to commands.
//!
//! A page never walks everything: a list looks at a bounded number of rows and leaves a cursor, pictures come from
//! rollups. What is done answers 303, so that going back or reloading does nothing twice; what is refused comes back
//! with what was typed.

mod act;
mod asset;
mod bulk;
mod drain;
mod edit;
mod event;
mod export;
mod form;
mod gantt;
mod install;
mod job;
mod lease;
mod listing;
mod manifest;
mod mine;
mod place;
mod plugin;
mod pool;
mod queue;
mod resource;
mod row;
mod seen;
mod signal;
mod status;
mod stay;
mod visitor;

pub(crate) mod oops;
pub(crate) mod pulse;
pub(crate) mod rollup;
pub(crate) mod seat;

use axum::Router;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;

use crate::app::App;

/// Every page and form, and what pages load.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(mine::show).post(mine::show))
        .route("/me", get(mine::me).post(mine::name))
        .route("/theme", post(mine::theme))
        .route("/help", get(mine::help))
        .route("/pools", get(pool::list))
        .route("/pools/{name}", get(pool::show))
        .route("/resources", get(resource::list))
        .route("/resources/{name}", get(resource::show))
        .route("/resources/{name}/edit", get(edit::show).post(edit::save))
        .route("/resources/{name}/drain", post(drain::drain))
        .route("/resources/{name}/undrain", post(drain::undrain))
        .route("/bulk/{what}", get(bulk::show).post(bulk::act))
        .route("/lease", get(act::show).post(act::lease))
        .route("/leases", get(lease::list))
        .route("/leases/{id}", get(lease::show))
        .route("/leases/{id}/extend", post(lease::extend))
        .route("/leases/{id}/release", post(lease::release))
        .route("/leases/{id}/force", get(lease::ask).post(lease::force))
        .route("/queue", get(queue::list))
        .route("/queue/{id}", get(queue::show))
        .route("/queue/{id}/cancel", get(queue::ask).post(queue::cancel))
        .route("/events", get(event::list))
        .route("/events/{id}", get(event::show))
        .route("/jobs", get(job::list))
        .route("/jobs/{id}", get(job::show))
        .route("/jobs/{id}/renew", post(job::renew))
        .route("/jobs/{id}/end", post(job::end))
        .route("/jobs/{id}/force", post(job::force))
        .route("/plugins", get(plugin::list))
        .route("/plugins/{name}", get(plugin::show))
        .route("/plugins/{name}/enable", post(plugin::enable))
        .route("/plugins/{name}/disable", post(plugin::disable))
        .route("/plugins/{name}/reload", post(plugin::reload))
        .route("/plugins/{name}/roll-back", post(plugin::roll_back))
        .route("/plugins/{name}/remove", post(plugin::remove))
        .route("/components", post(install::upload))
        .route("/components/{digest}", get(install::show).post(install::install))
        .route("/status", get(status::show))
        .route("/status/reload", post(status::reload))
        .route("/ui/signals", get(signal::follow))
        .route("/assets/{name}", get(asset::show))
        .layer(CompressionLayer::new())
}
