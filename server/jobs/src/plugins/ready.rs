//! Preparing what is to run, and putting it in the place of what runs.
//!
//! Preparing may take a minute and holds nothing up; only what follows takes its turn. By then things may have changed,
//! so a change says what it was prepared for.

use std::sync::Arc;

use lessor_keeper::Error;
use lessor_ledger::{
    Command, PluginCommand, PluginName, PluginNews, PluginOrigin, PluginRecord, PluginVersion, Refusal, Reply,
};
use lessor_plugins::{Prepared, State};
use tokio::sync::OwnedSemaphorePermit;

use super::{ComponentError, Kept, Manifest, PluginError, Plugins, Sight, aside};
use crate::limits::FILE_READ_MAX;

/// What is ready to run. Its component stays on disk until a record refers to it.
pub(super) struct Ready {
    prepared: Prepared,
    /// What has to stay below the ceiling.
    bounded: Option<Manifest>,
    _kept: Kept,
}

/// A change that was prepared.
pub(super) struct Change {
    /// Whose.
    pub(super) name: PluginName,
    /// What is to be committed; if nothing is, what was committed before runs again.
    pub(super) command: Option<PluginCommand>,
    /// The version that it is about: if another one is installed by now, nothing is changed.
    pub(super) about: Option<PluginVersion>,
    /// What is to run from now on, if something else is.
    pub(super) ready: Option<Ready>,
}

impl Plugins {
    /// A place among those that are being prepared.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, PluginError> {
        Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| PluginError::Busy)
    }

    /// As [`place`](Self::place), for the server itself: waits for one.
    pub(super) async fn await_place(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.0.places).acquire_owned().await.ok()
    }

    /// Prepares a version, whose grants may have to stay below the ceiling.
    pub(super) async fn prepare(
        &self,
        name: &PluginName,
        version: &PluginVersion,
        bounded: bool,
    ) -> Result<Ready, PluginError> {
        let manifest = self.manifest(name, version, bounded).await?;
        let (components, wanted) = (self.0.components.clone(), version.digest.to_string());
        let (spelled, secrets) = (name.to_string(), self.0.secrets.clone());
        let of_manifest = manifest.clone();
        let ceiling = bounded.then(|| self.ceiling());
        let (component, kept) = aside(move || components.read(&wanted)).await?;
        let slow = ComponentError::Slow { path: secrets.folder().to_owned() };
        let spec = aside(move || Ok(of_manifest.spec(&spelled, &secrets, ceiling.as_ref())));
        // The thread may hang for ever, if what secrets lie on does; nobody else does.
        let spec = tokio::time::timeout(FILE_READ_MAX, spec).await.map_err(|_| slow)??;
        let prepared = self.0.host.prepare(spec, component).await?;
        Ok(Ready { prepared, bounded: bounded.then_some(manifest), _kept: kept })
    }

    /// How a version is to be run, if its grants are below the ceiling or do not have to be.
    pub(super) async fn manifest(
        &self,
        name: &PluginName,
        version: &PluginVersion,
        bounded: bool,
    ) -> Result<Manifest, PluginError> {
        let manifest = Manifest::parse(&version.spec);
        let manifest = manifest.ok_or_else(|| PluginError::Unreadable(name.clone()))?;
        if bounded {
            self.below_ceiling(name, &manifest).await?;
        }
        Ok(manifest)
    }

    async fn below_ceiling(&self, name: &PluginName, manifest: &Manifest) -> Result<(), PluginError> {
        let (ceiling, grants) = (self.ceiling(), manifest.grants.clone());
        let excess = aside(move || Ok(ceiling.exceeded_by(&grants))).await?;
        if excess.is_empty() { Ok(()) } else { Err(PluginError::Beyond { name: name.clone(), excess }) }
    }

    /// Makes a change in its turn. It is made to the end, whoever waits for it.
    pub(super) async fn make(&self, change: Change) -> Result<Sight, PluginError> {
        let plugins = self.clone();
        let made = tokio::spawn(async move { plugins.make_now(change).await });
        // It is gone only if the server is going down.
        made.await.unwrap_or_else(|_| Err(Error::Stopped.into()))
    }

    async fn make_now(&self, change: Change) -> Result<Sight, PluginError> {
        let Change { name, command, about, ready } = change;
        let _turn = self.0.turn.lock().await;
        if let Some(about) = about
            && self.record(name.clone())?.version != about
        {
            return Err(PluginError::Changed(name));
        }
        // The ceiling may have been lowered meanwhile; whoever lowers it looks at what is committed, in his turn.
        if let Some(Ready { bounded: Some(manifest), .. }) = &ready {
            self.below_ceiling(&name, manifest).await?;
        }
        let again = command.is_none();
        let broke = self.is_quarantined(&name);
        let record = match command {
            Some(command) => self.commit(command).await?,
            None => self.record(name)?,
        };
        match ready {
            Some(ready) => self.swap_in(&record, ready),
            // One that could not be prepared is not there.
            None => drop(self.0.host.set_enabled(record.name.as_str(), record.enabled)),
        }
        if again {
            self.hasten(&record).await;
        }
        // Its record was and is that it is switched on.
        if broke && record.enabled {
            self.tell(record.name.clone(), PluginNews::Enabled).await;
        }
        Ok(self.sight(record))
    }

    fn is_quarantined(&self, name: &PluginName) -> bool {
        let status = self.0.host.status(name.as_str());
        status.is_some_and(|status| matches!(status.state, State::Quarantined { .. }))
    }

    /// Has the releases tried soon that are stuck with a plugin which runs again: what the ledger does with every command
    /// that leaves it switched on. If it cannot, they are tried when they are due.
    async fn hasten(&self, record: &PluginRecord) {
        let (name, enabled) = (record.name.clone(), record.enabled);
        if let Err(error) = self.commit(PluginCommand::Enable { name, enabled }).await {
            tracing::warn!(plugin = %record.name, %error, "stuck releases of a plugin that runs again wait for their time");
        }
    }

    /// Runs what was committed.
    fn swap_in(&self, record: &PluginRecord, ready: Ready) {
        let name = record.name.as_str();
        let status = self.0.host.install(ready.prepared);
        let _ = self.0.host.set_enabled(name, record.enabled);
        self.0.given().insert(record.name.clone(), record.version.clone());
        self.0.broken().remove(&record.name);
        tracing::info!(plugin = name, digest = status.digest, enabled = record.enabled, "a plugin is ready");
    }

    pub(super) async fn commit(&self, command: PluginCommand) -> Result<Arc<PluginRecord>, PluginError> {
        match self.0.keeper.submit(Command::Plugin(command)).await {
            Ok(Reply::Plugin(record)) => Ok(record),
            Err(Error::Refused(Refusal::NoSuchPlugin(name))) => Err(self.no_record(name)),
            Err(error) => Err(error.into()),
            Ok(_) => unreachable!("the ledger answers a plugin's command with nothing else"),
        }
    }
}

/// Whether what a record says of grants must stay below the ceiling.
pub(super) fn bounded(record: &PluginRecord) -> bool {
    record.origin == PluginOrigin::Api
}
