//! Plugin records: what is installed, and what was before.

use std::sync::Arc;

use crate::apply::Draft;
use crate::change::Change;
use crate::command::{PluginCommand, PluginNews};
use crate::event::EventKind;
use crate::limits;
use crate::name::{Job, PluginName, Text};
use crate::plugin::{PluginOrigin, PluginRecord, PluginVersion};
use crate::refusal::Refusal;
use crate::reply::Reply;

impl Draft<'_> {
    pub(super) fn plugin(&mut self, command: PluginCommand) -> Result<Reply, Refusal> {
        let reply = match command {
            PluginCommand::Install { name, version, origin } => self.install_plugin(name, version, origin),
            PluginCommand::Enable { name, enabled } => self.enable_plugin(name, enabled),
            PluginCommand::RollBack { name, digest } => self.roll_back_plugin(name, &digest),
            PluginCommand::Remove { name } => self.remove_plugin(name),
            PluginCommand::Tell { name, news } => return self.tell_of_plugin(name, news),
        }?;
        // Also if nothing changed here: one in quarantine is enabled, and switched on again all the same.
        if let Reply::Plugin(plugin) = &reply
            && plugin.enabled
        {
            self.hasten_releases(&plugin.name);
        }
        Ok(reply)
    }

    fn install_plugin(
        &mut self,
        name: PluginName,
        version: PluginVersion,
        origin: PluginOrigin,
    ) -> Result<Reply, Refusal> {
        if version.spec.len() > limits::PLUGIN_SPEC_BYTES_MAX {
            let limit = limits::PLUGIN_SPEC_BYTES_MAX;
            return Err(Refusal::TooLarge { what: "bytes of a plugin's description", limit });
        }
        let Some(old) = self.ledger.plugins.get(&name).cloned() else {
            if self.ledger.plugins.len() >= limits::PLUGINS_MAX {
                return Err(Refusal::Full { what: "plugins", limit: limits::PLUGINS_MAX });
            }
            let plugin = PluginRecord {
                name,
                version,
                previous: None,
                enabled: true,
                origin,
                installed_at: self.now,
                changed_at: self.now,
            };
            return Ok(self.put_plugin(EventKind::PluginInstalled, plugin));
        };
        if old.version == version && old.origin == origin {
            return Ok(Reply::Plugin(old));
        }
        let previous = if old.version == version { old.previous.clone() } else { Some(old.version.clone()) };
        let plugin = PluginRecord { version, previous, origin, ..PluginRecord::clone(&old) };
        Ok(self.put_plugin(EventKind::PluginReplaced, plugin))
    }

    fn enable_plugin(&mut self, name: PluginName, enabled: bool) -> Result<Reply, Refusal> {
        let old = self.plugin_of(name)?;
        if old.enabled == enabled {
            return Ok(Reply::Plugin(old));
        }
        let kind = if enabled { EventKind::PluginEnabled } else { EventKind::PluginDisabled };
        Ok(self.put_plugin(kind, PluginRecord { enabled, ..PluginRecord::clone(&old) }))
    }

    fn roll_back_plugin(&mut self, name: PluginName, digest: &Text) -> Result<Reply, Refusal> {
        let old = self.plugin_of(name)?;
        match &old.previous {
            Some(previous) if previous.digest == *digest => {
                let plugin = PluginRecord {
                    version: previous.clone(),
                    previous: Some(old.version.clone()),
                    ..PluginRecord::clone(&old)
                };
                Ok(self.put_plugin(EventKind::PluginRolledBack, plugin))
            }
            _ => Err(Refusal::NothingToRollBack(old.name.clone())),
        }
    }

    fn remove_plugin(&mut self, name: PluginName) -> Result<Reply, Refusal> {
        let old = self.plugin_of(name)?;
        let jobs = self.ledger.live_jobs().filter(|job| job.manager == old.name);
        let jobs: Vec<Job> = jobs.map(|job| job.id).collect();
        if !jobs.is_empty() {
            return Err(Refusal::PluginInUse { plugin: old.name.clone(), jobs });
        }
        self.record(Change::PluginGone(old.name.clone()));
        self.tell_plugin(EventKind::PluginRemoved, &old, old.version.digest.clone());
        Ok(Reply::Plugin(old))
    }

    fn tell_of_plugin(&mut self, name: PluginName, news: PluginNews) -> Result<Reply, Refusal> {
        let plugin = self.plugin_of(name)?;
        let (kind, said) = match news {
            PluginNews::Reloaded => (EventKind::PluginReloaded, plugin.version.digest.clone()),
            PluginNews::Enabled => (EventKind::PluginEnabled, plugin.version.digest.clone()),
            PluginNews::Quarantined(why) => (EventKind::PluginQuarantined, why),
        };
        self.tell_plugin(kind, &plugin, said);
        Ok(Reply::Plugin(plugin))
    }

    fn plugin_of(&self, name: PluginName) -> Result<Arc<PluginRecord>, Refusal> {
        self.ledger.plugins.get(&name).cloned().ok_or(Refusal::NoSuchPlugin(name))
    }

    fn put_plugin(&mut self, kind: EventKind, plugin: PluginRecord) -> Reply {
        let plugin = Arc::new(PluginRecord { changed_at: self.now, ..plugin });
        self.record(Change::Plugin(Arc::clone(&plugin)));
        self.tell_plugin(kind, &plugin, plugin.version.digest.clone());
        Reply::Plugin(plugin)
    }

    fn tell_plugin(&mut self, kind: EventKind, plugin: &PluginRecord, note: Text) {
        let mut event = self.event(kind);
        event.plugin = Some(plugin.name.clone());
        event.note = Some(note);
        self.tell(event);
    }
}
