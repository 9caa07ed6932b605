//! Plugins of the configuration, and those that were installed before the server started.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use lessor_keeper::chain;
use lessor_ledger::{Command, PluginOrigin, PluginRecord};

use super::components::read_bounded;
use super::ready::bounded;
use super::{Manifest, PluginError, Plugins, Sight, aside};
use crate::jobs::plugin_name;

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

impl Plugins {
    /// Prepares what was installed before, then what is configured. What does not fit any more is told in the log and by
    /// [`look`](Self::look), and holds nothing else up. Plugins that the configuration does not name any more are removed,
    /// unless jobs need them.
    ///
    /// # Cancel safety
    /// May be dropped; what was not prepared by then does not run.
    pub async fn restore(&self, configured: Vec<Configured>) {
        // By then the keeper has settled what the stop left over.
        let _ = self.0.keeper.submit(Command::Tick).await;
        let ledger = self.0.keeper.snapshot();
        for record in ledger.plugins() {
            self.prepare_again(record).await;
        }
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
        self.sweep().await;
    }

    /// Installs a plugin of the configuration, as its component's file is now.
    pub(super) async fn configure(&self, configured: Configured) -> Result<Sight, PluginError> {
        let name = plugin_name(&configured.name)?;
        self.0.configured().insert(name.clone(), configured.clone());
        let _place = self.await_place().await;
        let (digest, _kept) = match configured.component {
            Source::Digest(digest) => (digest, None),
            Source::File(path) => {
                let components = self.0.components.clone();
                let kept = aside(move || components.keep(&read_bounded(&path)?)).await?;
                (kept.digest().to_owned(), Some(kept))
            }
        };
        self.put(name, &digest, &configured.manifest, PluginOrigin::Config).await
    }

    /// At a start. Failing is told, not fatal.
    async fn prepare_again(&self, record: &PluginRecord) {
        match self.prepare(&record.name, &record.version, bounded(record)).await {
            Ok(ready) => self.swap_in(record, ready),
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(plugin = %record.name, reason, "an installed plugin does not run");
                self.0.broken().insert(record.name.clone(), reason);
            }
        }
    }
}
