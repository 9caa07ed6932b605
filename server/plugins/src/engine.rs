//! The engine that compiles and runs components, and the thread that counts its time.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};

use serde::{Deserialize, Serialize};
use wasmtime::{Config, Enabled, Engine, EngineWeak, OptLevel, PoolingAllocationConfig};

use crate::error::HostError;
use crate::limits::{
    CORE_INSTANCES_MAX, FRAMES_MAX, INSTANCES_MAX, MEMORIES_MAX, MEMORY_BYTES, TABLE_ENTRIES_MAX, TABLES_MAX,
    TICK,
};

/// Most of its own stack that a guest may use, in bytes: deep enough for interpreters.
const GUEST_STACK_BYTES: usize = 512 << 10;

/// The stack that a call runs on, in bytes: the guest's part, and what host functions need on top of it.
const CALL_STACK_BYTES: usize = 2 << 20;

/// What stays of an instance's memory for the next one of the same slot, in bytes: it need not be fetched from the
/// kernel again.
const KEPT_BYTES: usize = 1 << 20;

/// What is reserved of the address space for each memory where little may be reserved, in bytes.
const SMALL_RESERVATION_BYTES: u64 = 64 << 20;

/// How much of the address space there is for memories of guests. Machine code depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Space {
    /// All that an instruction can reach.
    Full,
    /// Little: each access is checked.
    Small,
}

/// An engine with a pool of instances; where the address space is too small for a pool, one without.
pub(crate) fn start() -> Result<(Engine, Space), HostError> {
    let mut config = config(Space::Full);
    config.allocation_strategy(pool());
    let pooled = match Engine::new(&config) {
        Ok(engine) => return Ok((engine, Space::Full)),
        Err(error) => error,
    };
    tracing::warn!(error = format!("{pooled:#}"), "no pool of plugin instances: calls will take longer");
    let engine = Engine::new(&self::config(Space::Small));
    Ok((engine.map_err(|error| HostError::Engine(format!("{error:#}")))?, Space::Small))
}

/// An engine that compiles for one of the server, and runs nothing.
pub(crate) fn of_worker(space: Space) -> wasmtime::Result<Engine> {
    Engine::new(&config(space))
}

fn config(space: Space) -> Config {
    let mut config = Config::new();
    if space == Space::Small {
        config.memory_reservation(SMALL_RESERVATION_BYTES).memory_guard_size(64 << 10);
    }
    config
        .epoch_interruption(true)
        .wasm_component_model(true)
        // Interpreters and Rust use no threads, and none are offered.
        .concurrency_support(false)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(CALL_STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_MAX));
    config
}

fn pool() -> PoolingAllocationConfig {
    let instances = u32::try_from(INSTANCES_MAX).expect("the bounds are small");
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORE_INSTANCES_MAX)
        .total_memories(instances * MEMORIES_MAX)
        .total_tables(instances * TABLES_MAX)
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memory_size(usize::try_from(MEMORY_BYTES.2).expect("the bound is small"))
        .table_elements(TABLE_ENTRIES_MAX)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .linear_memory_keep_resident(KEPT_BYTES)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// The thread that lets time go by for the engine, as long as calls run.
///
/// It is a thread, not a task: a guest that keeps all threads of the runtime busy must not stop its own clock.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
    join: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    over: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> Result<Self, HostError> {
        let shared = Arc::new(Shared::default());
        let (engine, theirs) = (engine.weak(), Arc::clone(&shared));
        let join = std::thread::Builder::new()
            .name("plugin-clock".to_owned())
            .spawn(move || tick(&engine, &theirs))
            .map_err(HostError::Ticker)?;
        Ok(Self { shared, thread: join.thread().clone(), join: Some(join) })
    }

    /// Lets time go by until what is returned is dropped.
    pub(crate) fn run(self: &Arc<Self>) -> Running {
        if self.shared.running.fetch_add(1, Ordering::SeqCst) == 0 {
            self.thread.unpark();
        }
        Running(Arc::clone(self))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(join) = self.join.take() {
            // It does nothing that could panic.
            let _ = join.join();
        }
    }
}

fn tick(engine: &EngineWeak, shared: &Shared) {
    while !shared.over.load(Ordering::SeqCst) {
        if shared.running.load(Ordering::SeqCst) == 0 {
            // Whoever starts the first call unparks us, also when that is before this line.
            std::thread::park();
            continue;
        }
        std::thread::sleep(TICK);
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
    }
}

/// As long as this lives, time goes by.
pub(crate) struct Running(Arc<Ticker>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}
