//! After a write whose outcome nobody knew: what the host runs is held against what the records say.
//!
//! A command that failed with the store may turn out to be on disk when the store is opened again. Whoever sent it was told
//! that it failed, and the host was left as it was; the records know better.

use std::sync::Arc;

use lessor_keeper::Missed;
use lessor_ledger::{PluginName, PluginRecord};
use lessor_plugins::State;

use super::Plugins;
use crate::limits::RECORDS_GAP;

impl Plugins {
    /// Follows the keeper until it stops. Whenever the store was opened again, the host is brought to what is on disk:
    /// which plugins there are, which version runs, and whether it is switched on.
    ///
    /// # Cancel safety
    /// May be dropped when the server goes down.
    pub fn keep_to_records(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut feed = self.0.keeper.feed().paced(RECORDS_GAP);
        let plugins = self.clone();
        async move {
            loop {
                match feed.next().await {
                    Ok(_) => {}
                    Err(Missed::Skipped) => plugins.hold_against_records().await,
                    Err(Missed::Stopped) => return,
                }
            }
        }
    }

    async fn hold_against_records(&self) {
        let _after_what_prepares_them_all = self.0.refreshing.lock().await;
        self.remove_and_switch().await;
        for record in self.0.keeper.snapshot().plugins() {
            let given = self.0.given().get(&record.name).cloned();
            if given.as_ref() != Some(&record.version) {
                tracing::warn!(plugin = %record.name, "what runs is not what is installed: preparing that");
                self.prepare_again(record).await;
            }
        }
    }

    /// What takes no preparing, in its turn: so nothing was committed that is not in the host yet.
    async fn remove_and_switch(&self) {
        let _turn = self.0.turn.lock().await;
        let ledger = self.0.keeper.snapshot();
        let given: Vec<PluginName> = self.0.given().keys().cloned().collect();
        for name in given {
            match ledger.plugin(name.as_str()) {
                None => self.forget(&name),
                Some(record) => self.switch(record),
            }
        }
    }

    fn switch(&self, record: &Arc<PluginRecord>) {
        let name = record.name.as_str();
        let Some(status) = self.0.host.status(name) else { return };
        if record.enabled == (status.state == State::Disabled) {
            tracing::warn!(
                plugin = name,
                enabled = record.enabled,
                "a plugin is switched to what is on disk"
            );
            // It was there a moment ago, and only in turns one goes.
            let _ = self.0.host.set_enabled(name, record.enabled);
        }
    }
}
