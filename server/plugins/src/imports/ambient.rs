//! What needs no grant, and secrets: `log`, `settings`, `secrets`, `clock`, `random`.

use crate::clock::{now, wall_ms};
use crate::contract::{clock, log, random, secrets, settings, types};
use crate::guest::{Guest, Overuse};
use crate::limits::{MESSAGE_BYTES_MAX, RANDOM_BYTES_MAX};
use crate::text;

impl types::Host for Guest {}

impl log::Host for Guest {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.visit.host_call()?;
        let line = text::tame(&message, MESSAGE_BYTES_MAX);
        if level == log::Level::Error {
            self.visit.last_error = Some(line.clone());
        }
        // What nobody reads takes nothing of what it may write.
        if !is_written(level) || !self.visit.may_log(line.len()) || !self.context.may_log(line.len()) {
            return Ok(());
        }
        let plugin = self.context.name.as_str();
        match level {
            log::Level::Debug => tracing::debug!(target: "plugin", plugin, "{line}"),
            log::Level::Info => tracing::info!(target: "plugin", plugin, "{line}"),
            log::Level::Warn => tracing::warn!(target: "plugin", plugin, "{line}"),
            log::Level::Error => tracing::error!(target: "plugin", plugin, "{line}"),
        }
        Ok(())
    }
}

fn is_written(level: log::Level) -> bool {
    match level {
        log::Level::Debug => tracing::enabled!(target: "plugin", tracing::Level::DEBUG),
        log::Level::Info => tracing::enabled!(target: "plugin", tracing::Level::INFO),
        log::Level::Warn => tracing::enabled!(target: "plugin", tracing::Level::WARN),
        log::Level::Error => tracing::enabled!(target: "plugin", tracing::Level::ERROR),
    }
}

impl settings::Host for Guest {
    fn get(&mut self) -> wasmtime::Result<String> {
        self.visit.host_call()?;
        Ok(self.context.settings.clone())
    }
}

impl secrets::Host for Guest {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.visit.host_call()?;
        // Only what was granted is in there.
        Ok(self.context.secrets.get(&name).map(|secret| secret.reveal().to_owned()))
    }
}

impl clock::Host for Guest {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.visit.host_call()?;
        Ok(wall_ms())
    }

    fn elapsed_ns(&mut self) -> wasmtime::Result<u64> {
        self.visit.host_call()?;
        let elapsed = now().saturating_duration_since(self.visit.began);
        Ok(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    fn remaining_ms(&mut self) -> wasmtime::Result<u64> {
        self.visit.host_call()?;
        let left = self.visit.deadline.saturating_duration_since(now());
        Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }
}

impl random::Host for Guest {
    fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        self.visit.host_call()?;
        if count > RANDOM_BYTES_MAX {
            return Err(wasmtime::Error::new(Overuse::RandomBytes));
        }
        let mut bytes = vec![0; count as usize];
        getrandom::fill(&mut bytes).map_err(wasmtime::Error::new)?;
        Ok(bytes)
    }

    fn number(&mut self) -> wasmtime::Result<u64> {
        self.visit.host_call()?;
        getrandom::u64().map_err(wasmtime::Error::new)
    }
}
