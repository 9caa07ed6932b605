//! What the tests share: components, a host with a folder of its own, and a server that remembers who locked what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use lessor_plugins::{
    CallError, Grants, Host, HostOptions, Inventory, InventoryError, JobCall, Kind, Limits, Locker,
    LockerError, PluginSpec, PluginStatus, PoolView, Prepared, ResourceQuery, ResourceView, Target,
    TargetManager, Unfit, Worker,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A component of `cargo xtask plugins`.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder");
    let file = folder.join("plugins").join(format!("{name}.wasm"));
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask plugins` first", file.display()))
}

/// What looks through components and compiles them.
pub(crate) fn worker() -> Worker {
    Worker::new(env!("CARGO_BIN_EXE_lessor-plugin-worker").into(), &[])
}

/// The same component with another digest: a custom section is ignored.
pub(crate) fn marked(mut component: Vec<u8>, mark: u8) -> Vec<u8> {
    component.extend([0, 3, 1, b'm', mark]);
    component
}

/// The component with one text in place of another of the same length, wherever it stands.
pub(crate) fn patched(mut component: Vec<u8>, old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len(), "lengths stand before texts");
    let mut found = false;
    for at in 0..=component.len() - old.len() {
        if &component[at..at + old.len()] == old.as_bytes() {
            component[at..at + old.len()].copy_from_slice(new.as_bytes());
            found = true;
        }
    }
    assert!(found, "{old} is not there");
    component
}

/// A plugin that may lock.
pub(crate) fn spec(name: &str) -> PluginSpec {
    PluginSpec {
        name: name.to_owned(),
        kind: Kind::TargetManager,
        settings: Value::Null,
        secrets: BTreeMap::new(),
        grants: Grants { locker: true, ..Grants::default() },
        beneath: BTreeMap::new(),
        limits: Limits::default(),
        warm: false,
    }
}

/// The museum, with what it imports granted, and with tight limits.
pub(crate) fn museum() -> PluginSpec {
    let mut spec = spec("museum");
    spec.grants.secrets = ["token".to_owned()].into();
    spec.secrets = [("token".to_owned(), "hunter2".to_owned().into())].into();
    spec.grants.files = [PathBuf::from("/nowhere")].into();
    spec.limits = Limits { memory_bytes: 16 << 20, output_bytes: 1 << 20, ..Limits::default() };
    spec
}

/// The museum with little processor time.
pub(crate) fn hurried_museum() -> PluginSpec {
    let mut spec = museum();
    spec.limits.cpu_ms = 50;
    spec
}

/// Waits for something that happens by itself. What is compiled without optimisation beside other tests takes its time.
pub(crate) async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let happens = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(5), happens)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

/// A host, and the server that its plugins see.
pub(crate) struct Rig {
    pub(crate) host: Host,
    pub(crate) cache: PathBuf,
    pub(crate) book: Arc<Book>,
    /// Goes with the rig.
    _folder: TempDir,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with_worker(worker())
    }

    /// A host that has its components compiled in another way.
    pub(crate) fn with_worker(worker: Worker) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let cache = folder.path().join("compiled");
        let host = Host::new(HostOptions { cache: cache.clone(), worker }).expect("a host starts");
        Self { host, cache, book: Arc::new(Book::default()), _folder: folder }
    }

    /// A host with one plugin.
    pub(crate) async fn with(spec: PluginSpec, component: Vec<u8>) -> Self {
        let rig = Self::new();
        rig.install(spec, component).await;
        rig
    }

    pub(crate) async fn prepare(&self, spec: PluginSpec, component: Vec<u8>) -> Result<Prepared, Unfit> {
        self.host.prepare(spec, component).await
    }

    pub(crate) async fn install(&self, spec: PluginSpec, component: Vec<u8>) -> PluginStatus {
        let prepared = self.prepare(spec, component).await.expect("the plugin fits");
        self.host.install(prepared)
    }

    pub(crate) fn manager(&self, name: &str) -> TargetManager {
        self.host.target_manager(name).expect("there is such a plugin")
    }

    /// A call for a job, with half a minute of time.
    pub(crate) fn call(&self, job: u64) -> JobCall {
        JobCall {
            job,
            timeout: Duration::from_secs(30),
            lock_duration: Duration::from_mins(5),
            cancel: CancellationToken::new(),
            locker: Arc::new(JobLocker { job, book: Arc::clone(&self.book) }),
            inventory: Arc::new(Shelf),
        }
    }

    /// Asks the plugin of this name for targets, for job 7.
    pub(crate) async fn acquire(&self, name: &str, parameters: &Value) -> Result<Vec<Target>, CallError> {
        self.manager(name).acquire(self.call(7), &parameters.to_string()).await
    }
}

/// Who locked what, and how often anybody locked anything.
#[derive(Default)]
pub(crate) struct Book {
    holders: Mutex<BTreeMap<String, u64>>,
    pub(crate) locks: AtomicU64,
}

impl Book {
    pub(crate) fn hold(&self, target: &str, job: u64) {
        self.holders.lock().expect("nobody panics with it").insert(target.to_owned(), job);
    }

    pub(crate) fn holders(&self) -> BTreeMap<String, u64> {
        self.holders.lock().expect("nobody panics with it").clone()
    }

    fn lock(&self, job: u64, targets: Vec<String>) -> Result<(), LockerError> {
        let mut holders = self.holders.lock().expect("nobody panics with it");
        let held = targets.iter().filter(|target| holders.get(*target).is_some_and(|holder| *holder != job));
        let held: Vec<String> = held.cloned().collect();
        if !held.is_empty() {
            let message = format!("held by others: {}", held.join(", "));
            return Err(LockerError::Held { message, targets: held });
        }
        self.locks.fetch_add(1, Ordering::SeqCst);
        holders.extend(targets.into_iter().map(|target| (target, job)));
        Ok(())
    }
}

struct JobLocker {
    job: u64,
    book: Arc<Book>,
}

impl Locker for JobLocker {
    fn lock(&self, targets: Vec<String>, _: Duration) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(async move { self.book.lock(self.job, targets) })
    }

    fn try_lock(
        &self,
        targets: Vec<String>,
        _: Duration,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<String>, LockerError>> {
        Box::pin(async move {
            let free =
                targets.into_iter().filter(|target| self.book.lock(self.job, vec![target.clone()]).is_ok());
            Ok(free.take(limit as usize).collect())
        })
    }

    fn unlock(&self, targets: Vec<String>) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(async move {
            self.book
                .holders
                .lock()
                .expect("nobody panics with it")
                .retain(|name, _| !targets.contains(name));
            Ok(())
        })
    }

    fn refresh(&self, _: Vec<String>, _: Duration) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A locker that never answers.
pub(crate) struct Silent;

impl Locker for Silent {
    fn lock(&self, _: Vec<String>, _: Duration) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(std::future::pending())
    }

    fn try_lock(
        &self,
        _: Vec<String>,
        _: Duration,
        _: u32,
    ) -> BoxFuture<'_, Result<Vec<String>, LockerError>> {
        Box::pin(std::future::pending())
    }

    fn unlock(&self, _: Vec<String>) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(std::future::pending())
    }

    fn refresh(&self, _: Vec<String>, _: Duration) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(std::future::pending())
    }
}

/// Three machines of a pool, one of which is not at the site.
struct Shelf;

impl Inventory for Shelf {
    fn resources(&self, query: ResourceQuery) -> BoxFuture<'_, Result<Vec<ResourceView>, InventoryError>> {
        let view = |(name, site): (&str, &str)| ResourceView {
            name: name.to_owned(),
            pool: "gpu".to_owned(),
            state: "free".to_owned(),
            free: true,
            labels: [("site".to_owned(), site.to_owned())].into(),
            ipv4: Some("192.0.2.7".to_owned()),
            ..ResourceView::default()
        };
        let all = [("gpu-1", "ber"), ("gpu-2", "muc"), ("gpu-3", "ber")].map(view);
        let fits = |view: &ResourceView| {
            query.pool.as_ref().is_none_or(|pool| *pool == view.pool)
                && query.labels.iter().all(|(name, value)| view.labels.get(name) == Some(value))
        };
        let matching = all.into_iter().filter(fits).collect();
        Box::pin(async { Ok(matching) })
    }

    fn extent(&self, pool: Option<&str>) -> usize {
        // Of a large one it tells that it is.
        pool.and_then(|pool| pool.strip_prefix("large-")?.parse().ok()).unwrap_or(3)
    }

    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, InventoryError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
