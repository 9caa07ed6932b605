//! The plugin host and the records of plugins, on a disk that keeps a write and says that it failed: the host does what
//! the disk says as soon as the store is open again, with real components.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lessor_jobs::{Ceiling, Managers as _, Manifest, PluginError, Plugins, Secrets, Surroundings};
use lessor_keeper::{Error, Keeper, Options, Stopper};
use lessor_plugins::{CallError, Host, HostOptions, NoManager, Worker};
use lessor_store::{Store, StoreOptions, Volume};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use serde_json::{Value, json};

/// Longest wait for something that is bound to happen. Generous, because the machine may be busy.
const SOON: Duration = Duration::from_mins(1);

/// How the plugin is called.
const PLUGIN: &str = "picker";

/// A disk in memory. Once it is to break, it keeps what it is given up to a record of the plugin in a log, and refuses the
/// sync of that and all after it. What else is written meanwhile, whenever it comes to that, it keeps.
#[derive(Clone, Debug, Default)]
struct Disk {
    files: Arc<Mutex<BTreeMap<String, Arc<InMemoryBackend>>>>,
    breaking: Arc<AtomicBool>,
    /// The record is written and not yet synced.
    written: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
}

/// One file of a disk, opened.
#[derive(Debug)]
struct DiskFile {
    disk: Disk,
    memory: Arc<InMemoryBackend>,
    is_log: bool,
}

impl Disk {
    fn mend(&self) {
        self.breaking.store(false, SeqCst);
        self.written.store(false, SeqCst);
        self.broken.store(false, SeqCst);
    }

    fn writable(&self) -> io::Result<()> {
        if self.broken.load(SeqCst) { Err(io::Error::other("the disk is broken")) } else { Ok(()) }
    }
}

impl Volume for Disk {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageBackend>> {
        let mut files = self.files.lock().expect("no holder panics");
        let memory = Arc::clone(files.entry(name.to_owned()).or_default());
        Ok(Box::new(DiskFile { disk: self.clone(), memory, is_log: name.contains("wal") }))
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.writable()?;
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.is_log && self.disk.written.load(SeqCst) {
            self.disk.broken.store(true, SeqCst);
        }
        self.disk.writable()?;
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.writable()?;
        let is_record = || data.windows(PLUGIN.len()).any(|bytes| bytes == PLUGIN.as_bytes());
        if self.is_log && self.disk.breaking.load(SeqCst) && is_record() {
            self.disk.written.store(true, SeqCst);
        }
        self.memory.write(offset, data)
    }
}

/// A component of `cargo xtask plugins`.
fn component(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder");
    let file = folder.join("plugins").join(format!("{name}.wasm"));
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask plugins` first", file.display()))
}

/// What the pool picker runs with. It takes jobs without parameters only if its settings name a pool.
fn manifest(settings: &Value) -> Manifest {
    let manifest = json!({"grants": {"locker": true, "inventory": true}, "settings": settings});
    serde_json::from_value(manifest).expect("a manifest")
}

/// What the host answers to a job without parameters.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Takes,
    Refuses,
    None(NoManager),
}

/// A server without its HTTP: keeper, host and plugins.
struct Shop {
    disk: Disk,
    plugins: Plugins,
    /// The pool picker.
    digest: String,
    _folder: tempfile::TempDir,
    _stopper: Stopper,
}

impl Shop {
    /// With the plugin `picker`, whose settings name no pool.
    async fn open() -> Self {
        let (disk, folder) = (Disk::default(), tempfile::tempdir().expect("a temporary folder"));
        let (store, ledger) = Store::open_on(disk.clone(), StoreOptions::default()).expect("a new store");
        let (keeper, stopper) = Keeper::start(store, ledger, Options::default()).expect("a thread");
        let worker = Worker::new(env!("CARGO_BIN_EXE_lessor").into(), &["plugin-worker"]);
        let host = Host::new(HostOptions { cache: folder.path().join("compiled"), worker }).expect("a host");
        let surroundings = Surroundings {
            components: folder.path().join("plugins"),
            secrets: Secrets::default(),
            ceiling: Ceiling::default(),
        };
        let plugins = Plugins::open(keeper, host, surroundings).expect("a folder");
        plugins.restore(Vec::new()).await;
        tokio::spawn(plugins.keep_to_records());
        let digest = plugins.upload(component("pool-picker")).await.expect("room");
        let shop = Self { disk, plugins, digest, _folder: folder, _stopper: stopper };
        shop.plugins.install(PLUGIN, &shop.digest, &manifest(&json!({}))).await.expect("it fits");
        assert_eq!(shop.verdict().await, Verdict::Refuses);
        shop
    }

    /// Has a change fail that is on disk all the same, and lets the store be opened again.
    async fn lose<T>(&self, change: impl Future<Output = Result<T, PluginError>>) {
        self.disk.breaking.store(true, SeqCst);
        let lost = change.await.err();
        assert!(matches!(lost, Some(PluginError::Keeper(Error::ReadOnly(_)))), "{lost:?}");
        self.disk.mend();
    }

    /// What the host answers to a job without parameters.
    async fn verdict(&self) -> Verdict {
        let manager = match self.plugins.manager(PLUGIN) {
            Ok(manager) => manager,
            Err(absence) => return Verdict::None(absence),
        };
        match manager.validate_acquire("{}").await {
            Ok(()) => Verdict::Takes,
            Err(CallError::Problems(_)) => Verdict::Refuses,
            Err(CallError::Unavailable(absence)) => Verdict::None(absence),
            Err(error) => panic!("{error}"),
        }
    }

    async fn until(&self, wanted: Verdict) {
        let waiting = async {
            while self.verdict().await != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let came = tokio::time::timeout(SOON, waiting).await;
        assert!(came.is_ok(), "waited in vain for {wanted:?}: it is {:?}", self.verdict().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_switched_on_disk_is_switched_in_the_host() {
    let shop = Shop::open().await;
    shop.lose(shop.plugins.enable(PLUGIN, false)).await;
    shop.until(Verdict::None(NoManager::Disabled)).await;
    assert!(!shop.plugins.show(PLUGIN).expect("it is installed").record.expect("it has a record").enabled);
    shop.lose(shop.plugins.enable(PLUGIN, true)).await;
    shop.until(Verdict::Refuses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_installed_or_removed_on_disk_is_so_in_the_host() {
    let shop = Shop::open().await;
    let named = manifest(&json!({"default_pool": "gpu"}));
    shop.lose(shop.plugins.install(PLUGIN, &shop.digest, &named)).await;
    shop.until(Verdict::Takes).await;
    shop.lose(shop.plugins.roll_back(PLUGIN)).await;
    shop.until(Verdict::Refuses).await;
    shop.lose(shop.plugins.remove(PLUGIN)).await;
    shop.until(Verdict::None(NoManager::Unknown)).await;
    assert!(shop.plugins.show(PLUGIN).is_err());
    shop.lose(shop.plugins.install(PLUGIN, &shop.digest, &named)).await;
    shop.until(Verdict::Takes).await;
    assert_eq!(shop.plugins.show(PLUGIN).expect("it is installed").broken, None);
}
