//! One call: what is asked, how it is bounded, and what its end means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::{Trap, WasmBacktrace};

use crate::Limits;
use crate::call::{CallError, JobCall, Locker, Target, Targets};
use crate::clock::now;
use crate::contract::{targets, types};
use crate::engine::Ticker;
use crate::guest::{Guest, Overuse, Visit};
use crate::lane::{self, Pace};
use crate::limits::{BLAME_PARTS, MESSAGE_BYTES_MAX, VALIDATE_WALL};
use crate::plugin::{Part, Plugin};
use crate::text;
use crate::version::{Instance, Leave, Version};

/// What is asked of a target manager. It borrows what it is asked about: a call that waits has no copy.
#[derive(Clone, Copy)]
pub(crate) enum Question<'a> {
    ValidateAcquire(&'a str),
    ValidateRelease(&'a str),
    Acquire(&'a JobCall, &'a str),
    Release(&'a JobCall, &'a str, Targets<'a>),
}

/// How many functions a target manager exports.
pub(crate) const EXPORTS: usize = 4;

impl<'a> Question<'a> {
    /// Which of the exports it is for, below [`EXPORTS`].
    pub(crate) fn export(&self) -> usize {
        match self {
            Self::ValidateAcquire(_) => 0,
            Self::ValidateRelease(_) => 1,
            Self::Acquire(..) => 2,
            Self::Release(..) => 3,
        }
    }

    pub(crate) fn part(&self) -> Part {
        match self {
            Self::ValidateAcquire(_) | Self::ValidateRelease(_) => Part::Check,
            Self::Acquire(..) => Part::Acquire,
            Self::Release(..) => Part::Release,
        }
    }

    pub(crate) fn parameters(&self) -> &'a str {
        match *self {
            Self::ValidateAcquire(parameters)
            | Self::ValidateRelease(parameters)
            | Self::Acquire(_, parameters)
            | Self::Release(_, parameters, _) => parameters,
        }
    }

    /// The job that depends on the answer; if there is none, somebody waits for a verdict, and can ask again.
    pub(crate) fn job(&self) -> Option<&'a JobCall> {
        match *self {
            Self::ValidateAcquire(_) | Self::ValidateRelease(_) => None,
            Self::Acquire(call, _) | Self::Release(call, ..) => Some(call),
        }
    }

    /// Through what it may lock.
    pub(crate) fn locker(&self) -> Option<&'a Arc<dyn Locker>> {
        if let Self::Acquire(call, _) = *self { Some(&call.locker) } else { None }
    }

    /// How long whoever asks waits for the answer; for a check, that is for its turn and then again for the answer.
    fn timeout(&self) -> Duration {
        self.job().map_or(VALIDATE_WALL, |call| call.timeout)
    }
}

/// What it answered.
pub(crate) enum Answer {
    Checked(Result<(), Vec<types::Problem>>),
    Acquired(Result<Vec<types::Target>, types::Failure>),
    Released(Result<(), types::Failure>),
}

/// What all calls of the host share.
pub(crate) struct Shared {
    pub(crate) ticker: Arc<Ticker>,
    /// Room for running calls of all plugins, beside those that the plugins have for themselves.
    pub(crate) rooms: Semaphore,
    /// Where those that compute for long take turns, plugin by plugin.
    pub(crate) lane: Semaphore,
    /// Room for idle warm instances of all plugins.
    pub(crate) idle_rooms: Arc<Semaphore>,
}

/// Where a call was made, and how it did there.
pub(crate) struct Stay {
    pub(crate) version: Arc<Version>,
    pace: Arc<Pace>,
    /// How much the guest has to compute to be the reason why its time ran out; none if that was less than its own.
    blame: Option<Duration>,
}

impl Stay {
    fn new(version: &Arc<Version>, question: &Question<'_>, pace: &Arc<Pace>) -> Self {
        let Limits { cpu_ms, wall_ms, .. } = version.context.limits;
        let wall = Duration::from_millis(wall_ms);
        let wall = if question.job().is_some() { wall } else { wall.min(VALIDATE_WALL) };
        let blame = wall.min(Duration::from_millis(cpu_ms)) / BLAME_PARTS;
        let blame = (question.timeout() >= wall).then_some(blame);
        Self { version: Arc::clone(version), pace: Arc::clone(pace), blame }
    }

    /// Whether the call took so long because its guest computed, rather than because others did or whoever called had little
    /// time.
    pub(crate) fn is_to_blame(&self) -> bool {
        self.blame.is_some_and(|blame| self.pace.spent() >= blame)
    }
}

/// Runs one call to its end, or to the end of what it may take. Gives with that where it was made, if it had a turn.
///
/// # Cancel safety
///
/// If the future is dropped, the call ends where it is, and its instance is thrown away.
pub(crate) async fn run(
    shared: &Shared,
    plugin: &Plugin,
    question: &Question<'_>,
    began: Instant,
) -> (Option<Stay>, Result<Answer, CallError>) {
    let timeout = question.timeout();
    let cancelled = async {
        match question.job() {
            Some(call) => call.cancel.cancelled().await,
            None => std::future::pending().await,
        }
    };
    let mut stay = None;
    let call = async {
        let stood = within(timeout, place(shared, plugin, question)).await;
        let Place { version, .. } = &match stood {
            // Nothing was asked yet.
            Err(_) if question.job().is_none() => return Err(CallError::Busy),
            stood => stood??,
        };
        // It may have broken, or been switched off, while this call waited.
        plugin.available(question.part())?;
        let turn = now();
        let wall = Duration::from_millis(version.context.limits.wall_ms);
        let waited = match question.job() {
            Some(_) => turn.saturating_duration_since(began),
            // A check has all of its time in its turn: how long it waited for that says nothing about the plugin.
            None => Duration::ZERO,
        };
        let most = wall.min(timeout.saturating_sub(waited));
        let visit = Visit::new(&version.context, turn, turn + most, question);
        let pace = Arc::clone(&visit.pace);
        stay = Some(Stay::new(version, question, &pace));
        let _time = shared.ticker.run();
        let entered = enter(shared, version, question, visit);
        within(most, lane::run(&plugin.lane, &shared.lane, &pace, entered)).await?
    };
    let done = tokio::select! {
        biased;
        () = cancelled => Err(CallError::Cancelled),
        done = call => done,
    };
    (stay, done)
}

async fn within<T>(most: Duration, what: impl Future<Output = T>) -> Result<T, CallError> {
    tokio::time::timeout(most, what).await.map_err(|_| CallError::Timeout)
}

/// Where a call runs. Given back when dropped.
struct Place<'a> {
    version: Arc<Version>,
    /// Of a check: that it was let in.
    _leave: Option<Leave>,
    /// None at the desk.
    _turn: Option<Leave>,
    _room: SemaphorePermit<'a>,
}

/// Waits for a turn at the plugin, and for a room. A call of a job waits for as long as it takes; a check is refused if as
/// many wait as may, and may have the desk. Whoever waits when the plugin is replaced goes on to wait for the new version.
async fn place<'a>(
    shared: &'a Shared,
    plugin: &'a Plugin,
    question: &Question<'_>,
) -> Result<Place<'a>, CallError> {
    let check = question.job().is_none();
    let mut leave = None;
    loop {
        let version = plugin.current();
        if check && leave.is_none() {
            leave = Some(version.let_in().ok_or(CallError::Busy)?);
        }
        let place = tokio::select! {
            biased;
            desk = plugin.desk.acquire(), if check => Some((None, desk.expect("the desk is never closed"))),
            place = turn_and_room(shared, plugin, &version) => place,
        };
        if let Some((turn, room)) = place
            && plugin.is_current(&version)
        {
            return Ok(Place { version, _leave: leave, _turn: turn, _room: room });
        }
    }
}

/// Waits for a turn, and then for a room: the plugin's own, or one of those that all share. None if another version has
/// taken over.
async fn turn_and_room<'a>(
    shared: &'a Shared,
    plugin: &'a Plugin,
    version: &Version,
) -> Option<(Option<Leave>, SemaphorePermit<'a>)> {
    let turn = version.turn().await?;
    let room = tokio::select! {
        biased;
        own = plugin.room.acquire() => own,
        shared = shared.rooms.acquire() => shared,
    };
    Some((Some(turn), room.expect("rooms are never closed")))
}

/// Runs the call in an instance. Only an instance that returned is used again.
async fn enter(
    shared: &Shared,
    version: &Version,
    question: &Question<'_>,
    visit: Visit,
) -> Result<Answer, CallError> {
    let mut instance = match version.instance(visit).await {
        Ok(instance) => instance,
        Err(error) => return Err(classify(&error, None)),
    };
    let done = ask(&mut instance, question).await;
    let guest = instance.store.data();
    version.saw_memory(guest.memory_high_water);
    if guest.visit.log_lines_dropped > 0 && guest.context.may_log(0) {
        let (plugin, lines) = (guest.context.name.as_str(), guest.visit.log_lines_dropped);
        tracing::warn!(target: "plugin", plugin, lines, "the call logged more than it may: lines were dropped");
    }
    match done {
        Ok(answer) => {
            version.put_back(instance, &shared.idle_rooms);
            Ok(answer)
        }
        Err(error) => Err(classify(&error, Some(guest))),
    }
}

async fn ask(instance: &mut Instance, question: &Question<'_>) -> wasmtime::Result<Answer> {
    let Instance { store, bindings, .. } = instance;
    let guest: &targets::Guest = bindings.lessor_plugin_targets();
    let wall_ms = store.data().context.limits.wall_ms;
    Ok(match *question {
        Question::ValidateAcquire(parameters) => {
            Answer::Checked(guest.call_validate_acquire_parameters(store, parameters).await?)
        }
        Question::ValidateRelease(parameters) => {
            Answer::Checked(guest.call_validate_release_parameters(store, parameters).await?)
        }
        Question::Acquire(call, parameters) => {
            Answer::Acquired(guest.call_acquire(store, &told(call, wall_ms), parameters).await?)
        }
        Question::Release(call, parameters, targets) => {
            let targets: Vec<_> = targets().into_iter().map(wire).collect();
            Answer::Released(guest.call_release(store, &told(call, wall_ms), parameters, &targets).await?)
        }
    })
}

/// What the plugin is told of its call.
fn told(call: &JobCall, wall_ms: u64) -> types::Call {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    types::Call {
        job: call.job,
        lock_duration_ms: ms(call.lock_duration),
        timeout_ms: ms(call.timeout).min(wall_ms),
        extra: Vec::new(),
    }
}

fn wire(target: Target) -> types::Target {
    let Target { id, fqdn, ipv4, ipv6, manager_state, labels } = target;
    types::Target { id, fqdn, ipv4, ipv6, manager_state, labels: labels.into_iter().collect() }
}

/// What wasmtime says when a guest hands over more than [`Limits::output_bytes`](crate::Limits): the error has no type.
const TOO_MUCH_DATA: &str = "fuel allocated for hostcalls has been exhausted";

/// Says what an abnormal end means. `guest` is none if there was no instance yet.
fn classify(error: &wasmtime::Error, guest: Option<&Guest>) -> CallError {
    match error.downcast_ref::<Overuse>() {
        Some(Overuse::Cpu) => return CallError::OutOfCpu,
        Some(overuse) => return CallError::Trapped(overuse.to_string()),
        None => {}
    }
    if guest.is_some_and(|guest| guest.out_of_memory) {
        return CallError::OutOfMemory;
    }
    if error.chain().any(|cause| cause.to_string().contains(TOO_MUCH_DATA)) {
        return CallError::OutputTooLarge;
    }
    let mut message = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    if let Some(last) = guest.and_then(|guest| guest.visit.last_error.as_deref()) {
        message = format!("{last} ({message})");
    }
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        let frames: Vec<String> = backtrace.frames().iter().map(frame).collect();
        if !frames.is_empty() {
            message = format!("{message}; in {}", frames.join(" < "));
        }
    }
    CallError::Trapped(text::tame(&message, MESSAGE_BYTES_MAX))
}

fn frame(frame: &wasmtime::FrameInfo) -> String {
    frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), str::to_owned)
}
