//! `POST /v1/pools/apply`: pools and their listed resources as in a pools file that the client sends.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State as Extract;
use lessor_control::limits::POOLS_FILE_BYTES_MAX;
use lessor_control::{Trial, pools};
use lessor_ledger::{Change, Command, Ledger, PoolEntry, Reply, SyncReport, Target, Time};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::extract::{Path, Query, large};
use crate::limits::APPLIES_MAX;
use crate::problem::{Kind, Problem};
use crate::v1;
use crate::v1::view::PoolView;

/// Room for pools files on their way in.
static APPLIES: Semaphore = Semaphore::const_new(APPLIES_MAX);

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
    /// Resources that are new, also those that are made anew in another pool.
    created: Vec<String>,
    /// Resources that stay and get other labels or addresses.
    changed: Vec<String>,
    /// Resources that go, or are made anew in another pool.
    deleted: Vec<String>,
    /// Resources that are to go or to move, but are held: done when they are given back.
    deferred: Vec<String>,
    /// The pools file of the server's own, if it has one: it is applied again, in place of this one, when it changes, on
    /// SIGHUP, and at the next start.
    #[serde(skip_serializing_if = "Option::is_none")]
    server_file: Option<String>,
}

/// Makes pools and their listed resources as in the pools file in the body.
///
/// A server that was started with a pools file of its own applies that file again when it changes, on SIGHUP, and at its
/// next start; `server_file` names it.
#[utoipa::path(post, path = "/v1/pools/apply", tag = "pools", params(ApplyQuery),
    request_body(content = String, content_type = "application/yaml", description = "A pools file"),
    responses((status = 200, description = "What changed, or would", body = AppliedView))
)]
pub(crate) async fn apply(
    Extract(app): Extract<App>,
    Query(query): Query<ApplyQuery>,
    body: Body,
) -> Result<Json<AppliedView>, Problem> {
    let _permit = APPLIES.try_acquire().map_err(|_| {
        let detail = format!("{APPLIES_MAX} pools files are on their way in, which is the limit");
        Problem::new(Kind::Overloaded, detail)
    })?;
    let text = large(body, POOLS_FILE_BYTES_MAX).await?;
    let (ledger, now) = (app.keeper.snapshot(), app.keeper.now());
    let (entries, mut plan) = off_thread(move || plan(&ledger, now, &text)).await??;
    plan.dry_run = query.dry_run;
    plan.server_file = app.pools.borrow().path.as_ref().map(|path| path.display().to_string());
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
    let Trial { before, after, step } = Trial::of(ledger, &entries, now);
    let mut plan = AppliedView::default();
    if let Reply::Synced(report) = step.reply.map_err(Problem::from)? {
        plan.set(report);
    }
    plan.compare(&before, &after, &step.changes);
    Ok((entries, plan))
}

impl AppliedView {
    /// Finds what differs in the end, of what was touched on the way: a sync may write a record more than once.
    fn compare(&mut self, before: &Ledger, after: &Ledger, changes: &[Change]) {
        let (mut pools, mut resources) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            match change {
                Change::Pool(pool) => pools.extend([&pool.name]),
                Change::PoolGone(name) => pools.extend([name]),
                Change::Resource(resource) => resources.extend([&resource.name]),
                Change::ResourceGone(_)
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
        for name in pools {
            let lists = match (before.pool(name.as_str()), after.pool(name.as_str())) {
                (None, Some(_)) => &mut self.pools_created,
                (Some(_), None) => &mut self.pools_deleted,
                (Some(old), Some(new)) if old != new => &mut self.pools_changed,
                (Some(_), Some(_)) | (None, None) => continue,
            };
            lists.push(name.to_string());
        }
        let told: BTreeSet<&String> =
            [&self.created, &self.deleted, &self.deferred].into_iter().flatten().collect();
        let edited = resources.into_iter().filter(|name| {
            let (old, new) = (before.resource(name.as_str()), after.resource(name.as_str()));
            old.is_some() && new.is_some() && old != new && !told.contains(&name.to_string())
        });
        self.changed = edited.map(ToString::to_string).collect();
    }

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
        let mut ledger =
            Ledger::new(Settings { request_ttl: Span::from_secs(30), seed: 1, ..Settings::default() });
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
    fn everything_is_in_one_list_and_there_once() {
        let dynamic =
            |max: u32| format!("resources: [{{type: vm, state: free, min-count: 0, max-count: {max}}}]");
        assert_eq!(diff(&dynamic(1), &dynamic(2)).pools_changed, ["vm"]);
        assert_eq!(diff(GPU, &dynamic(2)).pools_created, ["vm"]);
        let twice = "resources: [{type: gpu, names: [gpu-1]}, {type: gpu, names: [gpu-2], max-ttl: 1h}]";
        assert_eq!(diff(GPU, twice).pools_changed, ["gpu"]);

        let moved = diff(GPU, "resources: [{type: gpu, names: [gpu-1]}, {type: board, names: [gpu-2]}]");
        assert_eq!((moved.created, moved.deleted), (vec!["gpu-2".to_owned()], vec!["gpu-2".to_owned()]));
        assert_eq!(moved.changed, Vec::<String>::new());
    }

    #[test]
    fn what_is_held_is_deferred_and_not_changed() {
        let mut held = Ledger::clone(&ledger(GPU));
        let take = lessor_ledger::BoskosAcquire {
            pool: lessor_ledger::PoolName::new("gpu").expect("a name"),
            state: lessor_ledger::State::free(),
            dest: lessor_ledger::State::new("busy").expect("a name"),
            owner: lessor_ledger::Owner::new("ann").expect("a name"),
            request_id: None,
        };
        held.apply(Command::BoskosAcquire(take), NOW).reply.expect("it is free");
        let after = b"resources: [{type: gpu, names: [gpu-2], labels: {a: b}}]";
        let plan = plan(&Arc::new(held), NOW, after).expect("a pools file").1;
        assert_eq!(plan.deferred, ["gpu-1"]);
        assert_eq!((plan.changed, plan.deleted), (vec!["gpu-2".to_owned()], Vec::<String>::new()));
    }

    #[test]
    fn a_bad_file_is_refused_with_its_text() {
        let refused = plan(&ledger(GPU), NOW, b"resources: []").expect_err("declares nothing");
        assert_eq!(refused.kind(), Kind::Invalid);
        assert_eq!(refused.detail(), "body: empty config");
    }
}
