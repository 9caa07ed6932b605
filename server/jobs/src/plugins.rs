//! The life of plugins: installed, replaced, switched off and on, rolled back, removed; prepared again at every start.
//!
//! Records are the ledger's and components lie on disk; the host runs what they say. A change is prepared first, then
//! committed, then swapped in: a misfit changes nothing, and calls in flight finish on what was there. While one plugin is
//! being prepared, all others can be changed.

mod ceiling;
mod components;
mod configured;
mod error;
mod faithful;
mod manifest;
mod quarantine;
mod ready;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use lessor_keeper::{Error, Keeper};
use lessor_ledger::{
    Ledger, PluginCommand, PluginName, PluginNews, PluginOrigin, PluginRecord, PluginVersion, Refusal,
};
use lessor_plugins::{Host, Inspection, NoManager, PluginStatus, Unfit};
use tokio::sync::{Semaphore, watch};

use crate::jobs::plugin_name;
use crate::limits::PREPARATIONS_MAX;
use crate::manager::{Manager, Managers};
pub use ceiling::{Ceiling, Excess};
pub use components::ComponentError;
use components::{Components, Kept};
pub use configured::{Configured, Source};
pub use error::PluginError;
pub use manifest::{Manifest, Secrets};
use ready::{Change, bounded};

/// All plugins of a server. Cheap to clone.
#[derive(Clone)]
pub struct Plugins(Arc<Inner>);

/// What all plugins of a server share.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Folder of their components.
    pub components: PathBuf,
    /// Where the values of secrets are.
    pub secrets: Secrets,
    /// What the API may grant at most.
    pub ceiling: Ceiling,
}

struct Inner {
    keeper: Keeper,
    host: Host,
    components: Components,
    secrets: Secrets,
    ceiling: Mutex<Ceiling>,
    /// How many may be prepared at once.
    places: Arc<Semaphore>,
    /// One commit at a time, so that the host runs what was committed last. Nobody prepares in their turn.
    turn: tokio::sync::Mutex<()>,
    /// The configuration is followed once at a time.
    refreshing: tokio::sync::Mutex<()>,
    /// Why the configuration could not be read again, if it could not.
    misread: Mutex<Option<String>>,
    /// Plugins of the configuration, to read again.
    configured: Mutex<BTreeMap<PluginName, Configured>>,
    /// What a start, or the configuration as it was read again, has not come to yet.
    preparing: watch::Sender<BTreeSet<PluginName>>,
    /// Why plugins that should run do not.
    broken: Mutex<BTreeMap<PluginName, String>>,
    /// Which version of a plugin the host was given last, or refused.
    given: Mutex<BTreeMap<PluginName, PluginVersion>>,
}

/// A plugin: its record, and how it does.
#[derive(Clone, Debug)]
pub struct Sight {
    /// How it is called.
    pub name: PluginName,
    /// The record; none if the configuration names it, and it could not be prepared yet.
    pub record: Option<Arc<PluginRecord>>,
    /// How it is run; none if an unknown version of the server wrote it.
    pub manifest: Option<Manifest>,
    /// How it does; none if it could not be prepared, or it is still being prepared.
    pub status: Option<PluginStatus>,
    /// Why it could not be prepared.
    pub broken: Option<String>,
    /// The most that it may be granted; none if its grants are the configuration's own.
    pub ceiling: Option<Ceiling>,
}

impl Sight {
    /// Who put it here.
    #[must_use]
    pub fn origin(&self) -> PluginOrigin {
        self.record.as_ref().map_or(PluginOrigin::Config, |record| record.origin)
    }
}

impl Plugins {
    /// Opens the folder of components. Nothing runs before [`restore`](Self::restore).
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(keeper: Keeper, host: Host, surroundings: Surroundings) -> Result<Self, ComponentError> {
        let Surroundings { components, secrets, ceiling } = surroundings;
        Ok(Self(Arc::new(Inner {
            keeper,
            host,
            components: Components::open(components)?,
            secrets,
            ceiling: Mutex::new(ceiling),
            places: Arc::new(Semaphore::new(PREPARATIONS_MAX)),
            turn: tokio::sync::Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
            misread: Mutex::default(),
            configured: Mutex::default(),
            preparing: watch::Sender::default(),
            broken: Mutex::default(),
            given: Mutex::default(),
        })))
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
        self.sweep().await;
        Ok(kept.digest().to_owned())
    }

    /// What a component that was uploaded is, and what it wants. Nothing of it is run.
    ///
    /// # Errors
    /// There is no such component, what was uploaded is none, or too many are being prepared.
    ///
    /// # Cancel safety
    /// If the future is dropped, a compilation that began goes on and is kept.
    pub async fn inspect(&self, digest: &str) -> Result<Inspection, PluginError> {
        let _place = self.place()?;
        let (components, wanted) = (self.0.components.clone(), digest.to_owned());
        let (component, _kept) = aside(move || components.read(&wanted)).await?;
        let unfit = |misfit| Unfit { name: "that was uploaded".to_owned(), misfits: vec![misfit] };
        Ok(self.0.host.inspect(component).await.map_err(unfit)?)
    }

    /// Installs a component under a name, or replaces what runs under it, at the wish of the API.
    ///
    /// # Errors
    /// [`PluginError`]; nothing was changed then.
    ///
    /// # Cancel safety
    /// If the future is dropped, the change may be made all the same.
    pub async fn install(&self, name: &str, digest: &str, manifest: &Manifest) -> Result<Sight, PluginError> {
        let name = plugin_name(name)?;
        let _place = self.place()?;
        self.put(name, digest, manifest, PluginOrigin::Api).await
    }

    /// Switches a plugin on or off. Switching on ends a quarantine, and tries again what could not be prepared. Switching
    /// off waits for nobody.
    ///
    /// # Errors
    /// There is no such plugin, it does not fit or may not have its grants any more, or the keeper does not take it.
    ///
    /// # Cancel safety
    /// If the future is dropped, the change may be made all the same.
    pub async fn enable(&self, name: &str, enabled: bool) -> Result<Sight, PluginError> {
        let name = plugin_name(name)?;
        if enabled && let Some(configured) = self.not_installed(&name) {
            return self.configure(configured, true).await;
        }
        let command = Some(PluginCommand::Enable { name: name.clone(), enabled });
        if !enabled {
            return self.make(Change { name, command, about: None, ready: None }).await;
        }
        let record = self.record(name.clone())?;
        let (version, bounded) = (&record.version, bounded(&record));
        let ready = if self.0.host.status(name.as_str()).is_some() {
            self.manifest(&name, version, bounded).await?;
            None
        } else {
            let _place = self.place()?;
            Some(self.prepare(&name, version, bounded).await?)
        };
        self.make(Change { name, command, about: Some(version.clone()), ready }).await
    }

    /// Reads a plugin again: of the configuration, its component's file; of every one, its secrets. Ends a quarantine.
    ///
    /// # Errors
    /// There is no such plugin, or it does not fit any more; what ran goes on then.
    pub async fn reload(&self, name: &str) -> Result<Sight, PluginError> {
        let name = plugin_name(name)?;
        let before = self.record(name.clone()).ok();
        let sight = self.read_again(name).await?;
        // Anything else is an event of its own.
        if let (Some(before), Some(now)) = (before, &sight.record)
            && before.version == now.version
        {
            self.tell(sight.name.clone(), PluginNews::Reloaded).await;
        }
        Ok(sight)
    }

    async fn read_again(&self, name: PluginName) -> Result<Sight, PluginError> {
        let configured = self.0.configured().get(&name).cloned();
        if let Some(configured) = configured {
            return self.configure(configured, true).await;
        }
        let _place = self.place()?;
        let record = self.record(name.clone())?;
        let ready = Some(self.prepare(&name, &record.version, bounded(&record)).await?);
        self.make(Change { name, command: None, about: Some(record.version.clone()), ready }).await
    }

    /// Goes back to the version before; again, and it is the one after.
    ///
    /// # Errors
    /// There is none, or it does not fit any more or may not have its grants.
    pub async fn roll_back(&self, name: &str) -> Result<Sight, PluginError> {
        let name = plugin_name(name)?;
        let _place = self.place()?;
        let record = self.record(name.clone())?;
        let nothing = || Error::Refused(Refusal::NothingToRollBack(name.clone()));
        let previous = record.previous.clone().ok_or_else(nothing)?;
        // What the configuration grants now is what it granted then only if it says the same.
        let bounded = bounded(&record) || previous.spec != record.version.spec;
        let ready = Some(self.prepare(&name, &previous, bounded).await?);
        let command = Some(PluginCommand::RollBack { name: name.clone(), digest: previous.digest });
        self.make(Change { name, command, about: Some(record.version.clone()), ready }).await
    }

    /// Removes a plugin, unless jobs need it. Calls in flight finish.
    ///
    /// # Errors
    /// There is no such plugin, or jobs need it.
    pub async fn remove(&self, name: &str) -> Result<(), PluginError> {
        let name = plugin_name(name)?;
        let turn = self.0.turn.lock().await;
        let record = self.commit(PluginCommand::Remove { name }).await?;
        self.forget(&record.name);
        drop(turn);
        self.sweep().await;
        Ok(())
    }

    /// Ends what has no record any more.
    fn forget(&self, name: &PluginName) {
        // One that could not be prepared is not there.
        let _ = self.0.host.remove(name.as_str());
        self.0.given().remove(name);
        self.0.broken().remove(name);
        self.0.configured().remove(name);
    }

    /// What the API may grant at most.
    #[must_use]
    pub fn ceiling(&self) -> Ceiling {
        self.0.ceiling().clone()
    }

    /// All plugins of this state of the ledger, and those of the configuration that are not installed, by name.
    #[must_use]
    pub fn look(&self, ledger: &Ledger) -> Vec<Sight> {
        let missing = self.missing(ledger).into_iter().map(|one| self.sight_of_missing(one));
        let installed = ledger.plugins().map(|record| self.sight(Arc::clone(record)));
        let mut all: Vec<Sight> = installed.chain(missing).collect();
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Those of the configuration that are not installed.
    fn missing(&self, ledger: &Ledger) -> Vec<Configured> {
        let configured = self.0.configured();
        configured.values().filter(|one| ledger.plugin(one.name.as_str()).is_none()).cloned().collect()
    }

    /// How each of [these](Self::look) does, and why if it could not be prepared, at less cost.
    #[must_use]
    pub fn statuses(&self, ledger: &Ledger) -> Vec<(PluginName, Option<PluginStatus>, Option<String>)> {
        let of = |name: &PluginName| {
            let status = self.0.host.status(name.as_str());
            let broken = self.why_broken(name, status.is_some());
            (name.clone(), status, broken)
        };
        let installed = ledger.plugins().map(|record| of(&record.name));
        installed.chain(self.missing(ledger).iter().map(|one| of(&one.name))).collect()
    }

    /// One plugin.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn show(&self, name: &str) -> Result<Sight, PluginError> {
        let name = plugin_name(name)?;
        match self.not_installed(&name) {
            Some(configured) => Ok(self.sight_of_missing(configured)),
            None => Ok(self.sight(self.record(name)?)),
        }
    }

    /// The plugin of the configuration that has this name, if it is not installed.
    fn not_installed(&self, name: &PluginName) -> Option<Configured> {
        let configured = self.0.configured().get(name).cloned()?;
        self.0.keeper.snapshot().plugin(name.as_str()).is_none().then_some(configured)
    }

    fn record(&self, name: PluginName) -> Result<Arc<PluginRecord>, PluginError> {
        let record = self.0.keeper.snapshot().plugin(name.as_str()).cloned();
        record.ok_or_else(|| self.no_record(name))
    }

    /// Why there is no record of this name.
    fn no_record(&self, name: PluginName) -> PluginError {
        if self.0.configured().contains_key(&name) {
            PluginError::NeverRan(name)
        } else {
            Error::Refused(Refusal::NoSuchPlugin(name)).into()
        }
    }

    fn sight(&self, record: Arc<PluginRecord>) -> Sight {
        let status = self.0.host.status(record.name.as_str());
        Sight {
            name: record.name.clone(),
            manifest: Manifest::parse(&record.version.spec),
            broken: self.why_broken(&record.name, status.is_some()),
            status,
            ceiling: bounded(&record).then(|| self.ceiling()),
            record: Some(record),
        }
    }

    /// A plugin of the configuration that is not installed, because it could not be prepared yet.
    fn sight_of_missing(&self, configured: Configured) -> Sight {
        let Configured { name, manifest, .. } = configured;
        let broken =
            self.why_broken(&name, false).map(|why| format!("{why}; once that is mended, reload it"));
        Sight { name, record: None, manifest: Some(manifest), status: None, broken, ceiling: None }
    }

    fn why_broken(&self, name: &PluginName, runs: bool) -> Option<String> {
        let lost = !runs && !self.0.preparing.borrow().contains(name);
        let broken = self.0.broken().get(name).cloned();
        broken.or_else(|| lost.then(|| "the server has not prepared it".to_owned()))
    }

    /// Why the host has no plugin of this name: perhaps it is installed and could not be prepared.
    fn absence(&self, name: &str) -> NoManager {
        let sight = self.show(name).ok();
        sight.and_then(|sight| sight.broken).map_or(NoManager::Unknown, NoManager::Broken)
    }

    async fn put(
        &self,
        name: PluginName,
        digest: &str,
        manifest: &Manifest,
        origin: PluginOrigin,
    ) -> Result<Sight, PluginError> {
        let version = PluginVersion { digest: digest.into(), spec: manifest.text() };
        let ready = Some(self.prepare(&name, &version, origin == PluginOrigin::Api).await?);
        let command = Some(PluginCommand::Install { name: name.clone(), version, origin });
        self.make(Change { name, command, about: None, ready }).await
    }

    /// Removes components that nobody refers to or is about to.
    async fn sweep(&self) {
        let (components, keeper) = (self.0.components.clone(), self.0.keeper.clone());
        let used = move || {
            let ledger = keeper.snapshot();
            let versions =
                ledger.plugins().flat_map(|record| [Some(&record.version), record.previous.as_ref()]);
            versions.flatten().map(|version| version.digest.to_string()).collect::<BTreeSet<_>>()
        };
        // Only a panic could be lost here.
        let _ = tokio::task::spawn_blocking(move || components.sweep(used)).await;
    }
}

impl Managers for Plugins {
    fn manager(&self, name: &str) -> Result<Arc<dyn Manager>, NoManager> {
        match self.0.host.target_manager(name) {
            Ok(manager) => Ok(Arc::new(manager)),
            Err(NoManager::Unknown) => Err(self.absence(name)),
            Err(error) => Err(error),
        }
    }

    fn known<'a>(&'a self, name: &'a PluginName) -> BoxFuture<'a, ()> {
        let mut preparing = self.0.preparing.subscribe();
        Box::pin(async move {
            // It is closed only with the last of us.
            let _ = preparing.wait_for(|preparing| !preparing.contains(name)).await;
        })
    }
}

impl Inner {
    /// Nobody needs to wait for a plugin any more.
    fn prepared(&self, name: &PluginName) {
        self.preparing.send_if_modified(|preparing| preparing.remove(name));
    }

    fn ceiling(&self) -> MutexGuard<'_, Ceiling> {
        self.ceiling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn misread(&self) -> MutexGuard<'_, Option<String>> {
        self.misread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn broken(&self) -> MutexGuard<'_, BTreeMap<PluginName, String>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn given(&self) -> MutexGuard<'_, BTreeMap<PluginName, PluginVersion>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
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
