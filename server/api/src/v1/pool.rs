//! `/v1/pools`: pools with their counts and lines.

use axum::Json;
use axum::extract::State as Extract;
use lessor_filter::Filter;
use lessor_ledger::{Ledger, Pool, PoolName, Refusal};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::sieve::pool::{Candidate, KEYS};
use crate::v1::body;
use crate::v1::list::{self, Page};
use crate::v1::view::PoolView;

/// Filter of `GET /v1/pools`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only what this filter finds: `is:free gpu`. All words must be true of an item; README, "Filters".
    #[param(max_length = 2048)]
    filter: Option<String>,
    /// Most items in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// Cursor from the page before.
    #[param(min_length = 1, max_length = 512)]
    after: Option<String>,
}

fn view(ledger: &Ledger, pool: &Pool) -> PoolView {
    PoolView::of(pool, &ledger.usage(&pool.name), ledger.waiting(&pool.name))
}

/// Lists pools by name.
#[utoipa::path(get, path = "/v1/pools", operation_id = "list_pools", tag = "pools", params(ListQuery), responses(
    (status = 200, description = "Pools", body = Page<PoolView>)
))]
pub(crate) async fn list(
    Extract(app): Extract<App>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<PoolView>>, Problem> {
    let limit = list::limit(query.limit)?;
    let after = body::optional("after", query.after, body::pool)?;
    let filter = list::filter(query.filter.as_deref(), &KEYS)?;
    app.look(move |ledger, _| page(ledger, limit, after.as_ref(), &filter)).await.map(Json)
}

fn page(ledger: &Ledger, limit: usize, after: Option<&PoolName>, filter: &Filter) -> Page<PoolView> {
    let pools = ledger.pools().skip_while(|pool| after.is_some_and(|after| pool.name <= *after));
    let wanted = |pool: &Pool| filter.matches(&Candidate { pool, ledger });
    list::page(pools, limit, |pool| pool.name.to_string(), |pool| wanted(pool), |pool| view(ledger, pool))
}

/// Shows a pool.
#[utoipa::path(get, path = "/v1/pools/{name}", operation_id = "show_pool", tag = "pools", params(("name" = String, Path, min_length = 1, max_length = 512)), responses(
    (status = 200, description = "The pool", body = PoolView),
    (status = 404, description = "No such pool"),
))]
pub(crate) async fn show(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
) -> Result<Json<PoolView>, Problem> {
    let name = body::pool("name", name)?;
    let ledger = app.keeper.snapshot();
    match ledger.pool(name.as_str()) {
        Some(pool) => Ok(Json(view(&ledger, pool))),
        None => Err(Refusal::NoSuchPool(name).into()),
    }
}
