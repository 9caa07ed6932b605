//! `GET /v1/locks`: the lock table, which all dialects share.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use lessor_filter::Filter as Words;
use lessor_ledger::{Ledger, Lock, Owner, Target, Time};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::extract::Query;
use crate::problem::Problem;
use crate::sieve::lock::{Candidate, KEYS};
use crate::v1::body;
use crate::v1::list::{self, Page};
use crate::v1::view::LockView;

/// Filter of `GET /v1/locks`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// The lock of this target.
    #[param(min_length = 1, max_length = 512)]
    target: Option<String>,
    /// Locks of this owner.
    #[param(min_length = 1, max_length = 512)]
    owner: Option<String>,
    /// Only live ones, or only ones that are not.
    live: Option<bool>,
    /// Only what this filter finds: `pool:gpu -owner:ci-* is:live`. All words must be true of an item; README, "Filters".
    #[param(max_length = 2048)]
    filter: Option<String>,
    /// Most items in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// Cursor from the page before.
    #[param(min_length = 1, max_length = 512)]
    after: Option<String>,
}

/// Lists locks by target.
#[utoipa::path(get, path = "/v1/locks", operation_id = "list_locks", tag = "locks", params(ListQuery), responses(
    (status = 200, description = "Locks", body = Page<LockView>)
))]
pub(crate) async fn list(
    Extract(app): Extract<App>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<LockView>>, Problem> {
    let filter = Filter::new(query)?;
    app.look(move |ledger, now| filter.page(ledger, now)).await.map(Json)
}

/// Which locks are wanted.
struct Filter {
    limit: usize,
    after: Option<Target>,
    target: Option<Target>,
    owner: Option<Owner>,
    live: Option<bool>,
    words: Words,
}

impl Filter {
    fn new(query: ListQuery) -> Result<Self, Problem> {
        Ok(Self {
            limit: list::limit(query.limit)?,
            after: list::after_name(query.after)?,
            target: body::optional("target", query.target, body::target)?,
            owner: body::optional("owner", query.owner, body::owner)?,
            live: query.live,
            words: list::filter(query.filter.as_deref(), &KEYS)?,
        })
    }

    fn page(&self, ledger: &Ledger, now: Time) -> Page<LockView> {
        let key = |lock: &&Arc<Lock>| lock.target.to_string();
        let wanted = |lock: &&Arc<Lock>| self.wants(lock, ledger, now);
        let view = |lock: &&Arc<Lock>| LockView::of(lock, now);
        match &self.target {
            Some(target) => {
                let lock = ledger.lock(target.as_str());
                let lock = lock.filter(|_| self.after.as_ref().is_none_or(|after| target > after));
                list::page(lock.into_iter(), self.limit, key, wanted, view)
            }
            None => list::page(ledger.locks_after(self.after.as_ref()), self.limit, key, wanted, view),
        }
    }

    fn wants(&self, lock: &Lock, ledger: &Ledger, now: Time) -> bool {
        self.owner.as_ref().is_none_or(|owner| lock.owner == *owner)
            && self.live.is_none_or(|live| lock.live(now) == live)
            && self.words.matches(&Candidate { lock, ledger, now })
    }
}
