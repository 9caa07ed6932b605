//! Plugins of the configuration, and those that were installed before the server started.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use lessor_keeper::chain;
use lessor_ledger::{Command, PluginName, PluginOrigin, PluginRecord};
use lessor_plugins::State;

use super::components::read_configured;
use super::ready::{Change, bounded};
use super::{Ceiling, ComponentError, Manifest, PluginError, Plugins, Sight, aside};
use crate::limits::{FILE_READ_MAX, PREPARATIONS_MAX, REASON_CHARS_SPELLED_MAX, TROUBLES_SPELLED_MAX};

/// A plugin of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Configured {
    /// How it is called.
    pub name: PluginName,
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

impl Plugins {
    /// Prepares what was installed before, then what is configured, a few at a time: one that takes long to compile keeps
    /// no other away. From this call on everything waits
    /// for them that needs them, until the future that is returned has come to them. What does not fit any more is told in
    /// the log and by [`look`](Self::look), and holds nothing else up. Plugins that the configuration does not name any more
    /// are removed, unless jobs need them.
    ///
    /// # Cancel safety
    /// May be dropped when the server goes down; what was not prepared by then does not run.
    pub fn restore(&self, configured: Vec<Configured>) -> impl Future<Output = ()> + Send + use<> {
        let named = self.name(&configured);
        let installed: Vec<_> =
            self.0.keeper.snapshot().plugins().map(|record| record.name.clone()).collect();
        self.0.preparing.send_replace(named.iter().cloned().chain(installed).collect());
        let plugins = self.clone();
        async move {
            let _before_it_is_followed_again = plugins.0.refreshing.lock().await;
            // By then the keeper has settled what the stop left over.
            let _ = plugins.0.keeper.submit(Command::Tick).await;
            let snapshot = plugins.0.keeper.snapshot();
            let again =
                stream::iter(snapshot.plugins()).for_each_concurrent(PREPARATIONS_MAX, async |record| {
                    plugins.prepare_again(record).await;
                    if plugins.0.host.status(record.name.as_str()).is_some() || !named.contains(&record.name)
                    {
                        plugins.0.prepared(&record.name);
                    }
                });
            again.await;
            plugins.follow(configured).await;
            plugins.0.preparing.send_replace(BTreeSet::new());
        }
    }

    /// What a start, or the configuration as it was read again, has not come to yet.
    #[must_use]
    pub fn preparing(&self) -> Vec<PluginName> {
        self.0.preparing.borrow().iter().cloned().collect()
    }

    /// Follows the configuration as it is read again: what is new or changed is installed, what it does not name any more
    /// is removed, the rest goes on untouched. What the API may not grant any more stops, what it may grant again runs.
    ///
    /// If the configuration is wrong, everything stays as it is, and [`trouble`](Self::trouble) says why.
    ///
    /// # Cancel safety
    /// May be dropped; then some of it is not done.
    pub async fn refresh(&self, read: Result<(Vec<Configured>, Ceiling), String>) {
        let _one_at_a_time = self.0.refreshing.lock().await;
        match read {
            Err(reason) => {
                tracing::error!(reason, "the plugins of the configuration stay as they are");
                *self.0.misread() = Some(reason);
            }
            Ok((configured, ceiling)) => {
                *self.0.misread() = None;
                self.lower_or_raise(ceiling).await;
                self.hold_against_ceiling().await;
                self.follow(configured).await;
                tracing::info!("the plugins of the configuration were read again");
            }
        }
    }

    /// In its turn, so that what is committed was held against the old ceiling or will be against the new one.
    async fn lower_or_raise(&self, ceiling: Ceiling) {
        let _turn = self.0.turn.lock().await;
        *self.0.ceiling() = ceiling;
    }

    /// What is wrong with the configuration as it was read last, or with the plugins that should run: in one line.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        if let Some(reason) = &*self.0.misread() {
            return Some(format!("{reason}; the plugins stay as they are"));
        }
        let broken = spelled(self.0.broken().iter().map(|(name, reason)| (name.as_str(), reason.as_str())));
        let all = self.0.host.list();
        let quarantined = spelled(all.iter().filter_map(|plugin| match &plugin.state {
            State::Quarantined { reason } => Some((plugin.name.as_str(), reason.as_str())),
            State::Enabled | State::Disabled => None,
        }));
        let told = [("not as they should be", broken), ("in quarantine", quarantined)];
        let told = told.into_iter().filter_map(|(what, names)| Some(format!("{what}: {}", names?)));
        let told = told.collect::<Vec<_>>().join("; ");
        (!told.is_empty()).then_some(told)
    }

    /// Notes what is configured from now on, and gives its names.
    fn name(&self, configured: &[Configured]) -> BTreeSet<PluginName> {
        let by_name = configured.iter().map(|one| (one.name.clone(), one.clone()));
        *self.0.configured() = by_name.collect();
        configured.iter().map(|one| one.name.clone()).collect()
    }

    /// Installs what is configured, and removes what was and is not any more.
    async fn follow(&self, configured: Vec<Configured>) {
        let named = self.name(&configured);
        let new = named.iter().filter(|name| self.0.host.status(name.as_str()).is_none()).cloned();
        self.0.preparing.send_modify(|preparing| preparing.extend(new));
        stream::iter(configured).for_each_concurrent(PREPARATIONS_MAX, |one| self.follow_one(one)).await;
        let snapshot = self.0.keeper.snapshot();
        self.0.broken().retain(|name, _| named.contains(name) || snapshot.plugin(name.as_str()).is_some());
        let gone = |record: &&Arc<PluginRecord>| {
            record.origin == PluginOrigin::Config && !named.contains(&record.name)
        };
        let gone: Vec<_> = snapshot.plugins().filter(gone).cloned().collect();
        for record in gone {
            match self.remove(record.name.as_str()).await {
                Ok(()) => tracing::info!(plugin = %record.name, "a plugin is not configured any more"),
                Err(error) => {
                    tracing::warn!(plugin = %record.name, %error, "a plugin that is not configured any more stays");
                }
            }
        }
        self.sweep().await;
    }

    async fn follow_one(&self, configured: Configured) {
        let name = configured.name.clone();
        if let Err(error) = self.configure(configured, false).await {
            let reason = chain(&error);
            tracing::error!(plugin = %name, reason, "a configured plugin does not run");
            self.0.broken().insert(name.clone(), reason);
        }
        self.0.prepared(&name);
    }

    /// What came over the API runs if it may have its grants, and only then.
    async fn hold_against_ceiling(&self) {
        let snapshot = self.0.keeper.snapshot();
        let records: Vec<_> = snapshot.plugins().filter(|record| bounded(record)).cloned().collect();
        for record in &records {
            let runs = self.0.host.status(record.name.as_str()).is_some();
            match self.manifest(&record.name, &record.version, true).await {
                Err(error) if runs => {
                    let _turn = self.0.turn.lock().await;
                    self.give_up(record, &error);
                }
                Ok(_) if !runs => self.prepare_again(record).await,
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Installs a plugin of the configuration, as its component's file is now: `anyway`, or if it does not run like that.
    pub(super) async fn configure(&self, configured: Configured, anyway: bool) -> Result<Sight, PluginError> {
        let Configured { name, component, manifest } = configured;
        let _place = self.await_place().await;
        let (digest, _kept) = match component {
            Source::Digest(digest) => (digest, None),
            Source::File(path) => {
                let components = self.0.components.clone();
                let slow = ComponentError::Slow { path: path.clone() };
                let kept = aside(move || components.keep(&read_configured(&path)?));
                // The thread may hang for ever, if the disk does; nobody else does.
                let kept = tokio::time::timeout(FILE_READ_MAX, kept).await.map_err(|_| slow)??;
                (kept.digest().to_owned(), Some(kept))
            }
        };
        if !anyway && let Some(sight) = self.runs_as(&name, &digest, &manifest) {
            self.0.broken().remove(&name);
            return Ok(sight);
        }
        self.put(name, &digest, &manifest, PluginOrigin::Config).await
    }

    /// The plugin, if it is the configuration's, prepared, and what is asked for.
    fn runs_as(&self, name: &PluginName, digest: &str, manifest: &Manifest) -> Option<Sight> {
        let record = self.record(name.clone()).ok()?;
        let same = record.origin == PluginOrigin::Config
            && *record.version.digest == *digest
            && record.version.spec == manifest.text();
        (same && self.0.host.status(name.as_str()).is_some()).then(|| self.sight(record))
    }

    /// Has run what is installed. Failing is told, not fatal.
    pub(super) async fn prepare_again(&self, record: &PluginRecord) {
        let _place = self.await_place().await;
        let name = record.name.clone();
        let done = match self.prepare(&name, &record.version, bounded(record)).await {
            Ok(ready) => {
                let about = Some(record.version.clone());
                self.make(Change { name, command: None, about, ready: Some(ready) }).await.map(drop)
            }
            Err(error) => Err(error),
        };
        let Err(error) = done else { return };
        let _turn = self.0.turn.lock().await;
        // Who has installed another one meanwhile, or removed it, knows better.
        if self.record(record.name.clone()).is_ok_and(|now| now.version == record.version) {
            self.give_up(record, &error);
        }
    }

    /// Ends what runs under the name, in its turn, because what is installed does not run.
    fn give_up(&self, record: &PluginRecord, error: &PluginError) {
        let reason = chain(error);
        tracing::error!(plugin = %record.name, reason, "an installed plugin does not run");
        let _ = self.0.host.remove(record.name.as_str());
        self.0.given().insert(record.name.clone(), record.version.clone());
        self.0.broken().insert(record.name.clone(), reason);
    }
}

/// Plugins with their reasons, the first of them; none if there are none.
fn spelled<'a>(plugins: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let mut plugins = plugins.map(|(name, reason)| format!("{name} ({})", in_short(reason)));
    let mut spelled: Vec<String> = plugins.by_ref().take(TROUBLES_SPELLED_MAX).collect();
    let left = plugins.count();
    spelled.extend((left > 0).then(|| format!("{left} more")));
    (!spelled.is_empty()).then(|| spelled.join(", "))
}

/// The beginning of a reason, in one line.
fn in_short(reason: &str) -> String {
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(REASON_CHARS_SPELLED_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
