//! The life of plugins: installed, replaced, switched off and on, rolled back, removed; prepared again at every start.
//!
//! Records are the ledger's and components lie on disk; the host runs what they say. A change is prepared first, then
//! committed, then swapped in: a misfit changes nothing, and calls in flight finish on what was there.

mod components;
mod manifest;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lessor_keeper::{Error, Keeper, chain};
use lessor_ledger::{
    Command, Ledger, NameError, PluginCommand, PluginName, PluginOrigin, PluginRecord, PluginVersion,
    Refusal, Reply,
};
use lessor_plugins::{Host, PluginStatus, Prepared, Unfit};

use crate::jobs::plugin_name;
pub use components::ComponentError;
use components::{Components, read_bounded};
pub use manifest::{Manifest, Secrets};

/// All plugins of a server. Cheap to clone.
#[derive(Clone)]
pub struct Plugins(Arc<Inner>);

struct Inner {
    keeper: Keeper,
    host: Host,
    components: Components,
    secrets: Secrets,
    /// One change at a time, so that the host runs what was committed last.
    turn: tokio::sync::Mutex<()>,
    /// Plugins of the configuration, to read again.
    configured: Mutex<BTreeMap<PluginName, Configured>>,
    /// Why plugins that should run do not.
    broken: Mutex<BTreeMap<PluginName, String>>,
}

/// A plugin of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Configured {
    /// How it is called; upper and lower case make no difference.
    pub name: String,
    /// What it is made of.
    pub component: Source,
    /// How it is to be run.
    pub manifest: Manifest,
}

/// Where a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In this file.
    File(PathBuf),
    /// Among those that were uploaded, by SHA-256 in hexadecimal digits.
    Digest(String),
}

/// A plugin: its record, and how it does.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The record.
    pub record: Arc<PluginRecord>,
    /// How it is run; none if an unknown version of the server wrote it.
    pub manifest: Option<Manifest>,
    /// How it does; none if it could not be prepared.
    pub status: Option<PluginStatus>,
    /// Why it could not be prepared.
    pub broken: Option<String>,
}

/// Why a plugin was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The component does not fit: every reason.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// There is no such component, or it cannot be read.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// An unknown version of the server wrote the record.
    #[error("the description of plugin {0:?} is not understood: install it again")]
    Unreadable(PluginName),
    /// The keeper did not take it.
    #[error(transparent)]
    Keeper(#[from] Error),
}

impl Plugins {
    /// Opens the folder of components. Nothing runs before [`restore`](Self::restore).
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(
        keeper: Keeper,
        host: Host,
        folder: PathBuf,
        secrets: Secrets,
    ) -> Result<Self, ComponentError> {
        Ok(Self(Arc::new(Inner {
            keeper,
            host,
            components: Components::open(folder)?,
            secrets,
            turn: tokio::sync::Mutex::default(),
            configured: Mutex::default(),
            broken: Mutex::default(),
        })))
    }

    /// Prepares what was installed before, then what is configured. What does not fit any more is told in the log and by
    /// [`look`](Self::look), and holds nothing else up. Plugins that the configuration does not name any more are removed,
    /// unless jobs need them.
    ///
    /// # Cancel safety
    /// May be dropped; what was not prepared by then does not run.
    pub async fn restore(&self, configured: Vec<Configured>) {
        let turn = self.0.turn.lock().await;
        // By then the keeper has settled what the stop left over.
        let _ = self.0.keeper.submit(Command::Tick).await;
        let ledger = self.0.keeper.snapshot();
        for record in ledger.plugins() {
            self.prepare_again(record).await;
        }
        drop(turn);
        let named: BTreeSet<_> = configured.iter().filter_map(|one| plugin_name(&one.name).ok()).collect();
        for one in configured {
            if let Err(error) = self.configure(one.clone()).await {
                tracing::error!(plugin = one.name, error = chain(&error), "a configured plugin does not run");
                if let Ok(name) = plugin_name(&one.name) {
                    self.0.broken().insert(name, chain(&error));
                }
            }
        }
        let gone = |record: &&Arc<PluginRecord>| {
            record.origin == PluginOrigin::Config && !named.contains(&record.name)
        };
        for record in ledger.plugins().filter(gone) {
            if let Err(error) = self.remove(record.name.as_str()).await {
                tracing::warn!(plugin = %record.name, %error, "a plugin that is not configured any more stays");
            }
        }
        let _turn = self.0.turn.lock().await;
        self.sweep().await;
    }

    /// Keeps a component for [`install`](Self::install), and gives its digest.
    ///
    /// # Errors
    /// It is too large, or the disk fails.
    ///
    /// # Cancel safety
    /// If the future is dropped, the component may be kept all the same.
    pub async fn upload(&self, component: Vec<u8>) -> Result<String, ComponentError> {
        let components = self.0.components.clone();
        let kept = aside(move || components.keep(&component)).await?;
        // What is being installed is referred to only when it is committed.
        let _turn = self.0.turn.lock().await;
        self.sweep().await;
        Ok(kept)
    }

    /// Installs a component under a name, or replaces what runs under it.
    ///
    /// # Errors
    /// [`PluginError`]; nothing was changed then.
    ///
    /// # Cancel safety
    /// If the future is dropped, the change may be made all the same, or be committed and run only from the next start or
    /// reload on.
    pub async fn install(
        &self,
        name: &str,
        digest: &str,
        manifest: &Manifest,
        origin: PluginOrigin,
    ) -> Result<Sight, PluginError> {
        let name = plugin_name(name)?;
        let _turn = self.0.turn.lock().await;
        let prepared = self.prepare(&name, digest, manifest).await?;
        let version = PluginVersion { digest: digest.into(), spec: manifest.text() };
        let record = self.commit(PluginCommand::Install { name, version, origin }).await?;
        self.swap_in(&record, prepared);
        Ok(self.sight(record))
    }

    /// Switches a plugin on or off. Switching on ends a quarantine, and tries again what could not be prepared.
    ///
    /// # Errors
    /// There is no such plugin, it does not fit, or the keeper does not take it.
    pub async fn enable(&self, name: &str, enabled: bool) -> Result<Sight, PluginError> {
        let name = plugin_name(name)?;
        let _turn = self.0.turn.lock().await;
        let record = self.commit(PluginCommand::Enable { name, enabled }).await?;
        if self.0.host.set_enabled(record.name.as_str(), enabled).is_none() && enabled {
            let prepared = self.prepare_version(&record.name, &record.version).await?;
            self.swap_in(&record, prepared);
        }
        Ok(self.sight(record))
    }

    /// Reads a plugin again: of the configuration, its component's file; of every one, its secrets. Ends a quarantine.
    ///
    /// # Errors
    /// There is no such plugin, or it does not fit any more; what ran goes on then.
    pub async fn reload(&self, name: &str) -> Result<Sight, PluginError> {
        let name = plugin_name(name)?;
        let configured = self.0.configured().get(&name).cloned();
        if let Some(configured) = configured {
            return self.configure(configured).await;
        }
        let _turn = self.0.turn.lock().await;
        let record = self.record(name)?;
        let prepared = self.prepare_version(&record.name, &record.version).await?;
        self.swap_in(&record, prepared);
        Ok(self.sight(record))
    }

    /// Goes back to the version before; again, and it is the one after.
    ///
    /// # Errors
    /// There is none, or it does not fit any more.
    pub async fn roll_back(&self, name: &str) -> Result<Sight, PluginError> {
        let name = plugin_name(name)?;
        let _turn = self.0.turn.lock().await;
        let record = self.record(name)?;
        let nothing = || Error::Refused(Refusal::NothingToRollBack(record.name.clone()));
        let previous = record.previous.clone().ok_or_else(nothing)?;
        let prepared = self.prepare_version(&record.name, &previous).await?;
        let (name, digest) = (record.name.clone(), previous.digest);
        let record = self.commit(PluginCommand::RollBack { name, digest }).await?;
        self.swap_in(&record, prepared);
        Ok(self.sight(record))
    }

    /// Removes a plugin, unless jobs need it. Calls in flight finish.
    ///
    /// # Errors
    /// There is no such plugin, or jobs need it.
    pub async fn remove(&self, name: &str) -> Result<(), PluginError> {
        let name = plugin_name(name)?;
        let _turn = self.0.turn.lock().await;
        let record = self.commit(PluginCommand::Remove { name }).await?;
        // One that could not be prepared is not there.
        let _ = self.0.host.remove(record.name.as_str());
        self.0.broken().remove(&record.name);
        self.0.configured().remove(&record.name);
        self.sweep().await;
        Ok(())
    }

    /// All plugins of this state of the ledger, by name.
    #[must_use]
    pub fn look(&self, ledger: &Ledger) -> Vec<Sight> {
        ledger.plugins().map(|record| self.sight(Arc::clone(record))).collect()
    }

    /// One plugin.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn show(&self, name: &str) -> Result<Sight, PluginError> {
        Ok(self.sight(self.record(plugin_name(name)?)?))
    }

    fn record(&self, name: PluginName) -> Result<Arc<PluginRecord>, PluginError> {
        let record = self.0.keeper.snapshot().plugin(name.as_str()).cloned();
        record.ok_or_else(|| Error::Refused(Refusal::NoSuchPlugin(name)).into())
    }

    fn sight(&self, record: Arc<PluginRecord>) -> Sight {
        Sight {
            manifest: Manifest::parse(&record.version.spec),
            status: self.0.host.status(record.name.as_str()),
            broken: self.0.broken().get(&record.name).cloned(),
            record,
        }
    }

    async fn configure(&self, configured: Configured) -> Result<Sight, PluginError> {
        let name = plugin_name(&configured.name)?;
        self.0.configured().insert(name.clone(), configured.clone());
        let digest = match configured.component {
            Source::Digest(digest) => digest,
            Source::File(path) => {
                let components = self.0.components.clone();
                aside(move || components.keep(&read_bounded(&path)?)).await?
            }
        };
        self.install(name.as_str(), &digest, &configured.manifest, PluginOrigin::Config).await
    }

    /// At a start. Failing is told, not fatal.
    async fn prepare_again(&self, record: &PluginRecord) {
        match self.prepare_version(&record.name, &record.version).await {
            Ok(prepared) => self.swap_in(record, prepared),
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(plugin = %record.name, reason, "an installed plugin does not run");
                self.0.broken().insert(record.name.clone(), reason);
            }
        }
    }

    async fn prepare_version(
        &self,
        name: &PluginName,
        version: &PluginVersion,
    ) -> Result<Prepared, PluginError> {
        let manifest = Manifest::parse(&version.spec);
        let manifest = manifest.ok_or_else(|| PluginError::Unreadable(name.clone()))?;
        self.prepare(name, &version.digest, &manifest).await
    }

    async fn prepare(
        &self,
        name: &PluginName,
        digest: &str,
        manifest: &Manifest,
    ) -> Result<Prepared, PluginError> {
        let (components, wanted) = (self.0.components.clone(), digest.to_owned());
        let (manifest, name, secrets) = (manifest.clone(), name.to_string(), self.0.secrets.clone());
        let read = aside(move || Ok((components.read(&wanted)?, manifest.spec(&name, &secrets))));
        let (component, spec) = read.await?;
        Ok(self.0.host.prepare(spec, component).await?)
    }

    /// Runs what was committed.
    fn swap_in(&self, record: &PluginRecord, prepared: Prepared) {
        let name = record.name.as_str();
        let status = self.0.host.install(prepared);
        let _ = self.0.host.set_enabled(name, record.enabled);
        self.0.broken().remove(&record.name);
        tracing::info!(plugin = name, digest = status.digest, enabled = record.enabled, "a plugin is ready");
    }

    async fn commit(&self, command: PluginCommand) -> Result<Arc<PluginRecord>, PluginError> {
        match self.0.keeper.submit(Command::Plugin(command)).await? {
            Reply::Plugin(record) => Ok(record),
            _ => unreachable!("the ledger answers a plugin's command with nothing else"),
        }
    }

    /// Removes components that nobody refers to. Call it in your turn: nothing may be on its way to be referred to.
    async fn sweep(&self) {
        let ledger = self.0.keeper.snapshot();
        let versions = ledger.plugins().flat_map(|record| [Some(&record.version), record.previous.as_ref()]);
        let used = versions.flatten().map(|version| version.digest.to_string()).collect();
        let components = self.0.components.clone();
        // Only a panic could be lost here.
        let _ = tokio::task::spawn_blocking(move || components.sweep(&used)).await;
    }
}

impl Inner {
    fn broken(&self) -> MutexGuard<'_, BTreeMap<PluginName, String>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn configured(&self) -> MutexGuard<'_, BTreeMap<PluginName, Configured>> {
        self.configured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugins").finish_non_exhaustive()
    }
}

/// Does what may block in a thread where it may.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ComponentError> + Send + 'static,
) -> Result<T, ComponentError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.expect("reading and writing files does not panic")
}
