//! The whole route table.

use axum::Router;
use axum::http::{Method, Uri};
use axum::routing::{get, post};

use crate::app::App;
use crate::guard::Guard;
use crate::pages::oops::ForBrowsers;
use crate::problem::{Kind, Problem};
use crate::{boskos, contest, health, metrics, openapi, pages, v1};

/// What a server hands requests to: the routes, behind what sees every request. That is around the routes and not a
/// layer on them, because axum boxes each layer for each route, and each request in it.
pub type Site = ForBrowsers<Guard<Router>>;

/// Everything that Lessor answers to.
#[must_use]
pub fn site(app: App) -> Site {
    ForBrowsers::new(app.clone(), Guard::new(app.clone(), routes(app)))
}

fn routes(app: App) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/healthz/ready", get(health::ready))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/openapi.json", get(openapi::show))
        .merge(pages::routes())
        .merge(boskos::routes())
        .merge(contest::routes())
        .merge(v1_routes())
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

fn v1_routes() -> Router<App> {
    Router::new()
        .route("/v1/leases", get(v1::lease::list).post(v1::acquire::acquire))
        .route("/v1/leases/{id}", get(v1::lease::show).delete(v1::lease::delete))
        .route("/v1/leases/{id}/renew", post(v1::lease::renew))
        .route("/v1/leases/{id}/release", post(v1::lease::release))
        .route("/v1/leases/{id}/force-release", post(v1::force::lease))
        .route("/v1/requests", get(v1::request::list))
        .route("/v1/requests/{id}", get(v1::request::show).delete(v1::request::withdraw))
        .route("/v1/pools", get(v1::pool::list))
        .route("/v1/pools/apply", post(v1::pools_apply::apply).get(v1::pools_apply::show))
        .route("/v1/pools/{name}", get(v1::pool::show))
        .route("/v1/resources", get(v1::resource::list))
        .route(
            "/v1/resources/{name}",
            get(v1::resource::show)
                .put(v1::resource::put)
                .patch(v1::resource::patch)
                .delete(v1::resource::delete),
        )
        .route("/v1/locks", get(v1::lock::list))
        .route("/v1/locks/force-release", post(v1::force::target))
        .route("/v1/jobs", get(v1::job::list).post(v1::job::start))
        .route("/v1/jobs/{id}", get(v1::job::show).delete(v1::job::end))
        .route("/v1/jobs/{id}/renew", post(v1::job::renew))
        .route("/v1/jobs/{id}/force", post(v1::job::force))
        .route("/v1/components", post(v1::plugin::upload))
        .route("/v1/plugins", get(v1::plugin::list))
        .route(
            "/v1/plugins/{name}",
            get(v1::plugin::show).put(v1::plugin::install).delete(v1::plugin::remove),
        )
        .route("/v1/plugins/{name}/enable", post(v1::plugin::enable))
        .route("/v1/plugins/{name}/disable", post(v1::plugin::disable))
        .route("/v1/plugins/{name}/reload", post(v1::plugin::reload))
        .route("/v1/plugins/{name}/roll-back", post(v1::plugin::roll_back))
        .route("/v1/events", get(v1::event::list))
        .route("/v1/events/stream", get(v1::event::stream))
        .route("/v1/backup", post(v1::backup::backup))
}

async fn nowhere(uri: Uri) -> Problem {
    Problem::new(Kind::NotFound, format!("nothing lives at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(Kind::MethodNotAllowed, format!("{} does not know {method}", uri.path()))
}
