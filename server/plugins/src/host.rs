//! The host: which plugins there are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Semaphore, broadcast};
use wasmtime::Engine;

use crate::Kind;
use crate::authorities::Authorities;
use crate::cache::Cache;
use crate::call::NoManager;
use crate::compiler::{Compiler, Worker};
use crate::engine::{self, Ticker};
use crate::error::HostError;
use crate::limits::{CALLS_MAX, QUARANTINES_TOLD_MAX, WARM_IDLE_MAX, slow_lanes};
use crate::manager::TargetManager;
use crate::plugin::{Part, Plugin};
use crate::prepare::Prepared;
use crate::status::{PluginStatus, Quarantine};
use crate::visit::Shared;

/// How a host is set up.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// A folder for compiled components, which nobody but the server's user can enter. It is made if it is not there.
    pub cache: PathBuf,
    /// The program that looks through components and compiles them.
    pub worker: Worker,
}

/// All plugins of a server. Cheap to clone; all clones are one host.
#[derive(Clone)]
pub struct Host(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) cache: Cache,
    pub(crate) authorities: Authorities,
    shared: Arc<Shared>,
    pub(crate) compiler: Compiler,
    /// By name, in lower case.
    pub(crate) plugins: RwLock<BTreeMap<String, Arc<Plugin>>>,
    quarantines: broadcast::Sender<Quarantine>,
}

impl Host {
    /// Starts the engine and opens the cache.
    ///
    /// # Errors
    ///
    /// The folder cannot be used or is open to others; the engine or its clock does not start.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let (engine, space) = engine::start()?;
        let HostOptions { cache, worker } = options;
        let cache = Cache::open(cache, &engine)?;
        let shared = Shared {
            ticker: Arc::new(Ticker::start(&engine)?),
            rooms: Semaphore::new(CALLS_MAX),
            lane: Semaphore::new(slow_lanes()),
            idle_rooms: Arc::new(Semaphore::new(WARM_IDLE_MAX)),
        };
        Ok(Self(Arc::new(Inner {
            engine,
            cache,
            authorities: Authorities::default(),
            shared: Arc::new(shared),
            compiler: Compiler::new(worker, space),
            plugins: RwLock::default(),
            quarantines: broadcast::Sender::new(QUARANTINES_TOLD_MAX),
        })))
    }

    /// Makes a prepared version the current one. Calls in flight finish on the old one. A plugin that was disabled stays so.
    #[must_use = "the status says whether it takes calls"]
    pub fn install(&self, prepared: Prepared) -> PluginStatus {
        let Prepared(version) = prepared;
        let key = key(&version.context.name);
        let mut plugins = self.0.plugins.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = plugins.get(&key) {
            plugin.replace(version);
            return plugin.status();
        }
        let plugin = Arc::new(Plugin::new(version, self.0.quarantines.clone()));
        let status = plugin.status();
        plugins.insert(key, plugin);
        status
    }

    /// Switches a plugin on or off; none if there is no such plugin. Calls that run finish, those that
    /// wait are refused. Switching on ends a quarantine.
    #[must_use = "none means that there is no such plugin"]
    pub fn set_enabled(&self, name: &str, enabled: bool) -> Option<PluginStatus> {
        let plugin = self.0.plugin(name)?;
        plugin.set_enabled(enabled);
        Some(plugin.status())
    }

    /// Removes a plugin, and tells whether it was there. Calls that run finish, those that wait are refused.
    #[must_use = "false means that there is no such plugin"]
    pub fn remove(&self, name: &str) -> bool {
        let mut plugins = self.0.plugins.write().unwrap_or_else(PoisonError::into_inner);
        let removed = plugins.remove(&key(name));
        if let Some(plugin) = &removed {
            // Whoever still has a handle to it is told so.
            plugin.set_enabled(false);
        }
        removed.is_some()
    }

    /// All plugins, in the order of their names.
    #[must_use]
    pub fn list(&self) -> Vec<PluginStatus> {
        let plugins = self.0.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.values().map(|plugin| plugin.status()).collect()
    }

    /// One plugin.
    #[must_use]
    pub fn status(&self, name: &str) -> Option<PluginStatus> {
        self.0.plugin(name).map(|plugin| plugin.status())
    }

    /// Quarantines from now on. Whoever is slow misses the oldest of more than [`QUARANTINES_TOLD_MAX`].
    #[must_use]
    pub fn quarantines(&self) -> broadcast::Receiver<Quarantine> {
        self.0.quarantines.subscribe()
    }

    /// A target manager to call. Upper and lower case of the name make no difference.
    ///
    /// # Errors
    ///
    /// There is none of this name, or it takes no calls at all.
    pub fn target_manager(&self, name: &str) -> Result<TargetManager, NoManager> {
        let plugin = self.0.plugin(name).ok_or(NoManager::Unknown)?;
        if plugin.current().kind != Kind::TargetManager {
            return Err(NoManager::NotATargetManager);
        }
        plugin.available(Part::Release)?;
        Ok(TargetManager::new(plugin, Arc::clone(&self.0.shared)))
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn plugin(&self, name: &str) -> Option<Arc<Plugin>> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).get(&key(name)).map(Arc::clone)
    }
}

/// By what a plugin is found.
fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}
