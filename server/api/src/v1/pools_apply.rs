//! `POST /v1/pools/apply`: pools and their listed resources as in a pools file that the client sends.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State as Extract;
use lessor_control::pools;
use lessor_ledger::{Change, Command, Ledger, PoolEntry, Reply, SyncReport, Target, Time};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::extract::{Path, Query, bytes};
use crate::problem::{Kind, Problem};
use crate::v1;
use crate::v1::view::PoolView;

/// How to apply.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApplyQuery {
    /// Only say what would change.
    #[serde(default)]
    #[param(default = false)]
    dry_run: bool,
}

/// What changed, or would.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PoolsApplied)]
pub(crate) struct AppliedView {
    /// Whether nothing was done.
    dry_run: bool,
    /// Pools that are new.
    pools_created: Vec<String>,
    /// Pools whose settings change.
    pools_changed: Vec<String>,
    /// Pools that go.
    pools_deleted: Vec<String>,
    /// Resources that are new.
    created: Vec<String>,
    /// Resources that get other labels, addresses or another pool.
    changed: Vec<String>,
    /// Resources that go.
    deleted: Vec<String>,
    /// Resources that are to go or to move, but are held: done when they are given back.
    deferred: Vec<String>,
}

/// Makes pools and their listed resources as in the pools file in the body.
///
/// A server that was started with a pools file of its own applies that file again when it changes, and at its next
/// start.
#[utoipa::path(post, path = "/v1/pools/apply", tag = "pools", params(ApplyQuery),
    request_body(content = String, content_type = "application/yaml", description = "A pools file"),
    responses((status = 200, description = "What changed, or would", body = AppliedView))
)]
pub(crate) async fn apply(
    Extract(app): Extract<App>,
    Query(query): Query<ApplyQuery>,
    body: Body,
) -> Result<Json<AppliedView>, Problem> {
    let text = bytes(body).await?;
    let (ledger, now) = (app.keeper.snapshot(), app.keeper.now());
    let (entries, mut plan) = off_thread(move || plan(&ledger, now, &text)).await??;
    plan.dry_run = query.dry_run;
    if !query.dry_run {
        match app.submit(Command::Sync(entries)).await? {
            // Somebody may have been faster than the plan.
            Reply::Synced(report) => plan.set(report),
            reply => unreachable!("the ledger answers a sync with what it did, not with {reply:?}"),
        }
    }
    Ok(Json(plan))
}

/// `GET` on the same path: a pool may well be called `apply`.
pub(crate) async fn show(app: Extract<App>) -> Result<Json<PoolView>, Problem> {
    v1::pool::show(app, Path("apply".to_owned())).await
}

/// Reading a large file, and trying it out, takes longer than an async thread should be held up.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))
}

/// Reads the file and tries it out on a copy of the ledger.
fn plan(ledger: &Arc<Ledger>, now: Time, text: &[u8]) -> Result<(Vec<PoolEntry>, AppliedView), Problem> {
    let text = std::str::from_utf8(text).map_err(|_| Problem::new(Kind::Malformed, "body: is not UTF-8"))?;
    let entries = pools::parse(text).map_err(|error| Problem::invalid("body", error))?;
    let mut copy = Ledger::clone(ledger);
    // What is due anyway is not the file's doing.
    let _ = copy.apply(Command::Tick, now);
    let before = copy.clone();
    let step = copy.apply(Command::Sync(entries.clone()), now);
    let mut plan = AppliedView::default();
    if let Reply::Synced(report) = step.reply.map_err(Problem::from)? {
        plan.set(report);
    }
    let mut changed = BTreeSet::new();
    for change in &step.changes {
        match change {
            Change::Pool(pool) if before.pool(pool.name.as_str()).is_none() => {
                plan.pools_created.push(pool.name.to_string());
            }
            Change::Pool(pool) => plan.pools_changed.push(pool.name.to_string()),
            Change::PoolGone(pool) => plan.pools_deleted.push(pool.to_string()),
            Change::Resource(resource) if before.resource(resource.name.as_str()).is_some() => {
                changed.insert(resource.name.to_string());
            }
            Change::Resource(_)
            | Change::ResourceGone(_)
            | Change::Lock(_)
            | Change::LockGone(_)
            | Change::Lease(_)
            | Change::Request(_)
            | Change::RequestGone(_)
            | Change::Key(_)
            | Change::KeyGone(..)
            | Change::Job(_)
            | Change::JobGone(_)
            | Change::Plugin(_)
            | Change::PluginGone(_)
            | Change::Event(_) => {}
        }
    }
    plan.changed = changed.into_iter().collect();
    Ok((entries, plan))
}

impl AppliedView {
    fn set(&mut self, report: SyncReport) {
        let names = |targets: Vec<Target>| targets.iter().map(ToString::to_string).collect();
        self.created = names(report.created);
        self.deleted = names(report.deleted);
        self.deferred = names(report.deferred);
    }
}

#[cfg(test)]
mod tests {
    use lessor_ledger::{Settings, Span};

    use super::*;

    const NOW: Time = Time::from_millis(1_000);

    fn ledger(text: &str) -> Arc<Ledger> {
        let mut ledger = Ledger::new(Settings { request_ttl: Span::from_secs(30), seed: 1 });
        let entries = pools::parse(text).expect("a pools file");
        let step = ledger.apply(Command::Sync(entries), NOW);
        step.reply.expect("a sync is not refused");
        Arc::new(ledger)
    }

    fn diff(before: &str, after: &str) -> AppliedView {
        plan(&ledger(before), NOW, after.as_bytes()).expect("a pools file").1
    }

    const GPU: &str = "resources: [{type: gpu, state: free, names: [gpu-1, gpu-2]}]";

    #[test]
    fn the_same_file_changes_nothing() {
        assert_eq!(diff(GPU, GPU), AppliedView::default());
    }

    #[test]
    fn what_is_new_gone_or_different_is_named() {
        let after = "resources: [{type: gpu, state: free, names: [gpu-2, gpu-3], labels: {site: ber}, \
                     max-ttl: 1h}, {type: board, state: free, names: [b1]}]";
        let plan = diff(GPU, after);
        assert_eq!(plan.pools_created, ["board"]);
        assert_eq!(plan.pools_changed, ["gpu"]);
        assert_eq!(plan.created, ["b1", "gpu-3"]);
        assert_eq!(plan.changed, ["gpu-2"]);
        assert_eq!(plan.deleted, ["gpu-1"]);
        let plan = diff(after, GPU);
        assert_eq!(plan.pools_deleted, ["board"]);
    }

    #[test]
    fn a_bad_file_is_refused_with_its_text() {
        let refused = plan(&ledger(GPU), NOW, b"resources: []").expect_err("declares nothing");
        assert_eq!(refused.kind(), Kind::Invalid);
        assert_eq!(refused.detail(), "body: empty config");
    }
}
