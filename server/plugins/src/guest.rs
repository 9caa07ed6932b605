//! What the host keeps with a running instance: whose it is, what the call may still take, and what it took.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::ResourceLimiter;

use crate::call::{Inventory, Locker};
use crate::lane::Pace;
use crate::limits::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ENTRIES_MAX, TABLES_MAX};
use crate::version::Context;
use crate::visit::Question;
use crate::wasi::Desk;

/// The data of an instance's store.
pub(crate) struct Guest {
    pub(crate) context: Arc<Context>,
    pub(crate) visit: Visit,
    /// What it has handles to, of `wasi:http`.
    pub(crate) desk: Desk,
    /// The most memory that the instance had so far, in bytes.
    pub(crate) memory_high_water: usize,
    /// Whether it was refused memory.
    pub(crate) out_of_memory: bool,
}

/// One call into an instance.
pub(crate) struct Visit {
    pub(crate) locker: Option<Arc<dyn Locker>>,
    pub(crate) inventory: Option<Arc<dyn Inventory>>,
    pub(crate) began: Instant,
    pub(crate) deadline: Instant,
    pub(crate) pace: Arc<Pace>,
    /// Whether the guest waited for the host since the last tick, which is then not its own.
    pub(crate) waited: bool,
    host_calls_left: u64,
    log_bytes_left: u64,
    pub(crate) log_lines_dropped: u64,
    /// The last line that was logged as an error.
    pub(crate) last_error: Option<String>,
}

impl Visit {
    pub(crate) fn new(context: &Context, began: Instant, deadline: Instant, question: &Question<'_>) -> Self {
        Self {
            locker: question.locker().map(Arc::clone),
            inventory: question.job().map(|call| Arc::clone(&call.inventory)),
            began,
            deadline,
            pace: Arc::default(),
            waited: false,
            host_calls_left: context.limits.host_calls,
            log_bytes_left: context.limits.log_bytes,
            log_lines_dropped: 0,
            last_error: None,
        }
    }

    /// Takes one of the host calls that are left.
    pub(crate) fn host_call(&mut self) -> wasmtime::Result<()> {
        self.host_calls(1)
    }

    /// Takes some of the host calls that are left, for one that costs as much as so many.
    pub(crate) fn host_calls(&mut self, count: usize) -> wasmtime::Result<()> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let left = self.host_calls_left.checked_sub(count);
        self.host_calls_left = left.ok_or_else(|| wasmtime::Error::new(Overuse::HostCalls))?;
        Ok(())
    }

    /// Takes a line of so many bytes from what may still be logged, and whether there was as much.
    pub(crate) fn may_log(&mut self, bytes: usize) -> bool {
        // A line costs something even when it is empty.
        let cost = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(1);
        if let Some(left) = self.log_bytes_left.checked_sub(cost) {
            self.log_bytes_left = left;
            return true;
        }
        self.log_lines_dropped += 1;
        false
    }
}

/// A limit that a guest ran into inside a function of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Overuse {
    #[error("it called more functions of the server than one call may")]
    HostCalls,
    #[error("it asked for more random bytes at once than 65536")]
    RandomBytes,
    #[error("it makes more requests at once over wasi:http than 4")]
    Requests,
    #[error("it used up its processor time")]
    Cpu,
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let limit = usize::try_from(self.context.limits.memory_bytes).unwrap_or(usize::MAX);
        if desired > limit || maximum.is_some_and(|maximum| desired > maximum) {
            self.out_of_memory = true;
            // An error ends the guest with the reason; `false` would let it end itself with none.
            return Err(wasmtime::Error::msg(format!("it wanted {desired} bytes of memory")));
        }
        self.memory_high_water = self.memory_high_water.max(desired);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ENTRIES_MAX {
            self.out_of_memory = true;
            return Err(wasmtime::Error::msg(format!("it wanted a table of {desired} entries")));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize + 1
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}
