//! Quarantines as events: the host puts plugins in quarantine, the ledger keeps what happened.

use lessor_ledger::limits::TEXT_BYTES_MAX;
use lessor_ledger::{PluginCommand, PluginName, PluginNews};
use lessor_plugins::Quarantine;
use tokio::sync::broadcast::error::RecvError;

use super::Plugins;
use crate::jobs::plugin_name;

impl Plugins {
    /// Tells of every quarantine from now on. Ends with the host.
    ///
    /// # Cancel safety
    /// May be dropped when the server goes down.
    pub fn tell_quarantines(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut quarantines = self.0.host.quarantines();
        let plugins = self.clone();
        async move {
            loop {
                match quarantines.recv().await {
                    Ok(Quarantine { plugin, reason }) => {
                        let Ok(name) = plugin_name(&plugin) else { continue };
                        let reason = &reason[..reason.floor_char_boundary(TEXT_BYTES_MAX)];
                        plugins.tell(name, PluginNews::Quarantined(reason.into())).await;
                    }
                    Err(RecvError::Lagged(missed)) => {
                        tracing::warn!(missed, "there were more quarantines at once than become events");
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        }
    }

    /// Makes an event of what changes no record. Failing is told, and nothing else.
    pub(super) async fn tell(&self, name: PluginName, news: PluginNews) {
        let command = PluginCommand::Tell { name: name.clone(), news };
        if let Err(error) = self.commit(command).await {
            tracing::warn!(plugin = %name, %error, "what happened to a plugin is no event");
        }
    }
}
