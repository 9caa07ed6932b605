//! One installed version of a plugin: its compiled component, what it is linked to, and its turnstile.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::bucket::{Bucket, Verdict};
use crate::clock::now;
use crate::contract::{self, TargetManager, TargetManagerPre};
use crate::endpoint::Door;
use crate::guest::{Guest, Overuse, Visit};
use crate::inspect::Anatomy;
use crate::limits::{WARM_CALLS_MAX, WARM_IDLE_OF_ONE_MAX};
use crate::wasi::{Desk, Gate};
use crate::ways::Ways;
use crate::{Kind, Limits, PluginSpec, Secret};

/// What an instance may know and use: fixed for a version.
pub(crate) struct Context {
    pub(crate) name: String,
    /// JSON text.
    pub(crate) settings: String,
    /// Those that are granted.
    pub(crate) secrets: BTreeMap<String, Secret>,
    /// Granted folders, and for each the one that it must not lead out of, if there is one.
    pub(crate) files: BTreeMap<PathBuf, Option<PathBuf>>,
    pub(crate) http: BTreeMap<String, Arc<Door>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) limits: Limits,
    /// What may be logged.
    pub(crate) log: Bucket,
}

impl Context {
    /// Whether a line with so many bytes about the plugin, or of it, may be logged now: it is the cause of all of them.
    pub(crate) fn may_log(&self, bytes: usize) -> bool {
        let Verdict { may, dropped } = self.log.take(bytes, now());
        if let Some(lines) = dropped {
            let plugin = self.name.as_str();
            tracing::warn!(target: "plugin", plugin, lines, "the plugin logs more than it may over all of its calls: lines were dropped");
        }
        may
    }
}

/// A version of a plugin, ready to be called. Calls hold it until they are over, also when it was replaced.
pub(crate) struct Version {
    pub(crate) context: Arc<Context>,
    pub(crate) kind: Kind,
    pub(crate) digest: String,
    pub(crate) anatomy: Anatomy,
    pub(crate) warm: bool,
    engine: Engine,
    pre: TargetManagerPre<Guest>,
    /// Room for checks of parameters that run or wait.
    checks: Arc<Semaphore>,
    /// Room for calls that run, first come first served. Closed when another version has taken over.
    turnstile: Arc<Semaphore>,
    idle: Mutex<Vec<Instance>>,
    /// The most memory that one of its instances had, in bytes.
    pub(crate) memory_high_water: AtomicU64,
}

/// A live instance with its store.
pub(crate) struct Instance {
    pub(crate) store: Store<Guest>,
    pub(crate) bindings: TargetManager,
    calls: u32,
    /// Room among the idle instances of all plugins, while it is idle.
    room: Option<OwnedSemaphorePermit>,
}

/// Leave to run, or to wait for that, given back when dropped.
pub(crate) type Leave = OwnedSemaphorePermit;

impl Version {
    /// Links a checked component to what it imports.
    pub(crate) fn link(
        engine: &Engine,
        component: &wasmtime::component::Component,
        spec: PluginSpec,
        Ways { doors: http, gate }: Ways,
        digest: String,
        anatomy: Anatomy,
    ) -> wasmtime::Result<Self> {
        let pre = contract::fit(engine, component, &anatomy)?;
        let PluginSpec { name, kind, settings, secrets, grants, mut beneath, limits, warm } = spec;
        let settings = if settings.is_null() { "{}".to_owned() } else { settings.to_string() };
        let secrets = secrets.into_iter().filter(|(name, _)| grants.secrets.contains(name)).collect();
        let running = usize::try_from(limits.concurrency).unwrap_or(usize::MAX);
        let waiting = usize::try_from(limits.mailbox).unwrap_or(usize::MAX);
        let files = grants.files.into_iter().map(|folder| {
            let beneath = beneath.remove(&folder);
            (folder, beneath)
        });
        let (files, log) = (files.collect(), Bucket::new(now()));
        let context = Context { name, settings, secrets, files, http, gate, limits, log };
        Ok(Self {
            context: Arc::new(context),
            kind,
            digest,
            anatomy,
            warm,
            engine: engine.clone(),
            pre,
            checks: Arc::new(Semaphore::new(running + 1 + waiting)),
            turnstile: Arc::new(Semaphore::new(running)),
            idle: Mutex::new(Vec::new()),
            memory_high_water: AtomicU64::new(0),
        })
    }

    /// Lets a check of parameters in, unless as many as may are there.
    pub(crate) fn let_in(&self) -> Option<Leave> {
        Arc::clone(&self.checks).try_acquire_owned().ok()
    }

    /// Waits for the turn of a call; none if another version has taken over.
    pub(crate) async fn turn(&self) -> Option<Leave> {
        Arc::clone(&self.turnstile).acquire_owned().await.ok()
    }

    /// Sends away who waits for a turn, and who comes: another version has taken over. Calls that run go on.
    pub(crate) fn close(&self) {
        self.turnstile.close();
    }

    /// An instance for one call: one that waits, or a new one.
    pub(crate) async fn instance(&self, visit: Visit) -> wasmtime::Result<Instance> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut instance) = idle {
            instance.room = None;
            instance.store.data_mut().visit = visit;
            instance.store.set_epoch_deadline(1);
            return Ok(instance);
        }
        let context = Arc::clone(&self.context);
        let guest = Guest { context, visit, desk: Desk::new(), memory_high_water: 0, out_of_memory: false };
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| guest);
        store.set_hostcall_fuel(usize::try_from(self.context.limits.output_bytes).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| tick(store.data_mut()));
        let bindings = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance { store, bindings, calls: 0, room: None })
    }

    /// Keeps an instance that returned plainly for the next call, if this plugin is warm and there is room.
    pub(crate) fn put_back(&self, mut instance: Instance, rooms: &Arc<Semaphore>) {
        instance.calls += 1;
        if !self.warm || instance.calls >= WARM_CALLS_MAX {
            return;
        }
        // A request that is under way ends with its call.
        if !instance.store.data().desk.is_empty() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= WARM_IDLE_OF_ONE_MAX {
            return;
        }
        let Ok(room) = Arc::clone(rooms).try_acquire_owned() else { return };
        instance.room = Some(room);
        // What the call could reach ends with it.
        let visit = &mut instance.store.data_mut().visit;
        (visit.locker, visit.inventory) = (None, None);
        idle.push(instance);
    }

    /// Notes how much memory an instance had.
    pub(crate) fn saw_memory(&self, bytes: usize) {
        self.memory_high_water.fetch_max(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Charges a tick to the guest that runs, and lets others run.
fn tick(guest: &mut Guest) -> wasmtime::Result<UpdateDeadline> {
    let interrupted = guest.visit.pace.tick();
    // A tick that went by while the guest waited for the host is not its own.
    if !std::mem::take(&mut guest.visit.waited) {
        guest.visit.pace.charge();
    }
    if guest.visit.pace.spent() > Duration::from_millis(guest.context.limits.cpu_ms) {
        return Err(wasmtime::Error::new(Overuse::Cpu));
    }
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(interrupted)))
}
