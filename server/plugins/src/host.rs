//! The host: which plugins there are, and how one gets in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::cache::{Cache, hex};
use crate::call::NoManager;
use crate::endpoint::{Clients, Door};
use crate::engine::{self, Ticker};
use crate::error::{HostError, Misfit, Unfit};
use crate::inspect::{Anatomy, Inspection};
use crate::limits::{
    CALLS_MAX, COMPONENT_BYTES_MAX, NAME_BYTES_MAX, PLUGINS_MAX, SETTINGS_BYTES_MAX, WARM_IDLE_MAX,
};
use crate::manager::TargetManager;
use crate::plugin::Plugin;
use crate::status::PluginStatus;
use crate::version::Version;
use crate::visit::Shared;
use crate::{Grants, Kind, PluginSpec, contract, inspect};

/// How a host is set up.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// A folder for compiled components, which nobody but the server's user can enter. It is made if it is not there.
    pub cache: PathBuf,
}

/// All plugins of a server. Cheap to clone; all clones are one host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    engine: Engine,
    cache: Cache,
    clients: Clients,
    shared: Arc<Shared>,
    /// One compilation at a time: each uses as many threads as there are.
    compiling: Semaphore,
    /// By name, in lower case.
    plugins: RwLock<BTreeMap<String, Arc<Plugin>>>,
}

/// A version of a plugin that was checked and compiled, and is not used yet.
pub struct Prepared(Arc<Version>);

impl Prepared {
    /// SHA-256 of the component, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// What its status would be right after it was installed.
    #[must_use]
    pub fn status(&self) -> PluginStatus {
        Plugin::new(Arc::clone(&self.0)).status()
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("name", &self.0.context.name)
            .field("digest", &self.0.digest)
            .finish()
    }
}

impl Host {
    /// Starts the engine and opens the cache.
    ///
    /// # Errors
    ///
    /// The folder cannot be used or is open to others; the engine or its clock does not start.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let engine = engine::start()?;
        let HostOptions { cache } = options;
        let cache = Cache::open(cache, &engine)?;
        let shared = Shared {
            ticker: Arc::new(Ticker::start(&engine)?),
            rooms: Arc::new(Semaphore::new(CALLS_MAX)),
            idle_rooms: Arc::new(Semaphore::new(WARM_IDLE_MAX)),
        };
        Ok(Self(Arc::new(Inner {
            engine,
            cache,
            clients: Clients::new()?,
            shared: Arc::new(shared),
            compiling: Semaphore::new(1),
            plugins: RwLock::default(),
        })))
    }

    /// Checks a component against its kind, the contract and its grants, and compiles it or takes it from the cache.
    ///
    /// Compiling takes 30 ms for a plugin made of Rust and seconds for an interpreter; it is done off the threads of the
    /// runtime, one at a time.
    ///
    /// # Errors
    ///
    /// Everything that does not fit, at once.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is installed; a compilation that began goes on and is kept in the cache.
    pub async fn prepare(&self, spec: PluginSpec, component: Vec<u8>) -> Result<Prepared, Unfit> {
        let name = spec.name.clone();
        let misfits = misfits(&spec, &component);
        if !misfits.is_empty() {
            return Err(Unfit { name, misfits });
        }
        // It is never closed.
        let _turn = self.0.compiling.acquire().await.ok();
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || inner.prepare(spec, &component)).await;
        // A component that makes the compiler panic is no component.
        done.unwrap_or_else(|panic| Err(Unfit::one(&name, Misfit::NotAComponent(panic.to_string()))))
    }

    /// Tells what a component is and what it wants, as if everything were granted. Nothing of it is run or installed.
    ///
    /// # Errors
    ///
    /// It is no component.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a compilation that began goes on and is kept in the cache.
    pub async fn inspect(&self, component: Vec<u8>) -> Result<Inspection, Misfit> {
        if component.len() > COMPONENT_BYTES_MAX {
            return Err(Misfit::TooLarge { bytes: component.len(), most: COMPONENT_BYTES_MAX });
        }
        // It is never closed.
        let _turn = self.0.compiling.acquire().await.ok();
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || inner.inspect(&component)).await;
        done.unwrap_or_else(|panic| Err(Misfit::NotAComponent(panic.to_string())))
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
        let plugin = Arc::new(Plugin::new(version));
        let status = plugin.status();
        plugins.insert(key, plugin);
        status
    }

    /// Switches a plugin on or off; none if there is no such plugin. Calls in flight finish. Switching on ends a quarantine.
    #[must_use = "none means that there is no such plugin"]
    pub fn set_enabled(&self, name: &str, enabled: bool) -> Option<PluginStatus> {
        let plugin = self.0.plugin(name)?;
        plugin.set_enabled(enabled);
        Some(plugin.status())
    }

    /// Removes a plugin, and tells whether it was there. Calls in flight finish.
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

    /// A target manager to call. Upper and lower case of the name make no difference.
    ///
    /// # Errors
    ///
    /// There is none of this name, or it takes no calls.
    pub fn target_manager(&self, name: &str) -> Result<TargetManager, NoManager> {
        let plugin = self.0.plugin(name).ok_or(NoManager::Unknown)?;
        if plugin.current().kind != Kind::TargetManager {
            return Err(NoManager::NotATargetManager);
        }
        plugin.available()?;
        Ok(TargetManager::new(plugin, Arc::clone(&self.0.shared)))
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl Inner {
    fn plugin(&self, name: &str) -> Option<Arc<Plugin>> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).get(&key(name)).map(Arc::clone)
    }

    /// The part of [`Host::prepare`] that takes long.
    fn prepare(&self, spec: PluginSpec, component: &[u8]) -> Result<Prepared, Unfit> {
        let unfit = |misfit| Unfit::one(&spec.name, misfit);
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner).len();
        if plugins >= PLUGINS_MAX && self.plugin(&spec.name).is_none() {
            return Err(unfit(Misfit::TooMany(plugins)));
        }
        let digest = hex(&Sha256::digest(component));
        let not_one = |error: &wasmtime::Error| unfit(Misfit::NotAComponent(format!("{error:#}")));
        let compiled = self.compile(&digest, component).map_err(|error| not_one(&error))?;
        let anatomy = inspect::read(&self.engine, &compiled);
        let misfits = anatomy.misfits(spec.kind, &spec.grants);
        if !misfits.is_empty() {
            return Err(Unfit { name: spec.name, misfits });
        }
        let name = spec.name.clone();
        let doors = self.doors(&spec).map_err(|misfits| Unfit { name: name.clone(), misfits })?;
        let linked = Version::link(&self.engine, &compiled, spec, doors, digest, anatomy);
        let version = linked.map_err(|error| Unfit::one(&name, Misfit::Shape(format!("{error:#}"))))?;
        Ok(Prepared(Arc::new(version)))
    }

    /// The endpoints that a plugin may talk to.
    fn doors(&self, spec: &PluginSpec) -> Result<BTreeMap<String, Arc<Door>>, Vec<Misfit>> {
        let (mut doors, mut misfits) = (BTreeMap::new(), Vec::new());
        for (name, endpoint) in &spec.grants.http {
            match Door::open(&self.clients, endpoint, spec) {
                Ok(door) => drop(doors.insert(name.clone(), Arc::new(door))),
                Err(why) => misfits.push(Misfit::Endpoint { endpoint: name.clone(), why }),
            }
        }
        if misfits.is_empty() { Ok(doors) } else { Err(misfits) }
    }

    /// The part of [`Host::inspect`] that takes long.
    fn inspect(&self, component: &[u8]) -> Result<Inspection, Misfit> {
        let digest = hex(&Sha256::digest(component));
        let compiled = self.compile(&digest, component);
        let compiled = compiled.map_err(|error| Misfit::NotAComponent(format!("{error:#}")))?;
        let anatomy = inspect::read(&self.engine, &compiled);
        let kind = anatomy.kind();
        let mut misfits = anatomy.misfits(kind.unwrap_or(Kind::TargetManager), &Grants::default());
        misfits.retain(|misfit| !matches!(misfit, Misfit::NotGranted { .. }));
        if misfits.is_empty()
            && let Err(error) = contract::fit(&self.engine, &compiled, &anatomy)
        {
            misfits.push(Misfit::Shape(format!("{error:#}")));
        }
        let Anatomy { imports, exports, contract, wanted } = anatomy;
        let wanted_grants = wanted.into_iter().map(ToOwned::to_owned).collect();
        Ok(Inspection { digest, kind, contract, exports, imports, wanted_grants, misfits })
    }

    fn compile(&self, digest: &str, component: &[u8]) -> wasmtime::Result<Component> {
        if let Some(compiled) = self.cache.load(&self.engine, digest) {
            return Ok(compiled);
        }
        let compiled = Component::from_binary(&self.engine, component)?;
        self.cache.keep(digest, &compiled.serialize()?);
        Ok(compiled)
    }
}

/// What is wrong before anybody looks into the component.
fn misfits(spec: &PluginSpec, component: &[u8]) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    if !is_name(&spec.name) {
        misfits.push(Misfit::Name);
    }
    let wrong = spec.limits.out_of_range().into_iter();
    misfits.extend(wrong.map(|(limit, value, least, most)| Misfit::Limit { limit, value, least, most }));
    let settings_fit = spec.settings.is_null()
        || (spec.settings.is_object() && spec.settings.to_string().len() <= SETTINGS_BYTES_MAX);
    if !settings_fit {
        misfits.push(Misfit::Settings);
    }
    let unset = spec.grants.secrets.iter().filter(|name| !spec.secrets.contains_key(*name));
    misfits.extend(unset.cloned().map(Misfit::SecretNotSet));
    if component.len() > COMPONENT_BYTES_MAX {
        misfits.push(Misfit::TooLarge { bytes: component.len(), most: COMPONENT_BYTES_MAX });
    }
    misfits
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// By what a plugin is found.
fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}
