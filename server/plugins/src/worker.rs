//! The process in which components are looked through and compiled.
//!
//! A component of some hundred kilobytes can keep a compiler busy for minutes and make it take gigabytes, and nobody can
//! tell by looking at it. So the server does neither itself: it starts its own program again with a [`Task`]. That process
//! bounds itself before it reads anything, gives way to all others, opens no file, dies with the server, reads the component
//! from standard input, and answers on standard output.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use rustix::process::{Pid, Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

use crate::engine::{self, Space};
use crate::limits::COMPONENT_BYTES_MAX;
use crate::survey::{Flaw, survey};

/// How much the process gives way: the most there is. Calls, leases and pages go first.
const NICE: i32 = 19;

/// How the process ends that has written a [`Flaw`], as JSON, instead of what was asked for.
pub(crate) const FLAWED: u8 = 3;

/// How the process ends that may not have the memory that it needs. Where that shows nowhere but in the allocator, it is
/// aborted.
pub(crate) const OUT_OF_MEMORY: u8 = 4;

/// What the process is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// Answers with a [`Survey`](crate::survey::Survey), as JSON.
    Look,
    /// Answers with machine code for an engine of this build, on this machine.
    Compile,
}

/// The one argument of the process, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) step: Step,
    /// The process that must be its parent.
    pub(crate) parent: u32,
    /// What the server's engine has.
    pub(crate) space: Space,
    /// Most bytes of its address space.
    pub(crate) memory_bytes: u64,
    /// Most seconds of processor time.
    pub(crate) cpu_s: u64,
}

/// Why the process does not do what it was started for.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the task is none")]
    Task(#[from] serde_json::Error),
    #[error("it cannot bound itself")]
    Bounds(#[from] rustix::io::Errno),
    #[error("its server has gone")]
    Orphan,
    #[error("the engine does not start: {0}")]
    Engine(String),
    #[error("the component cannot be read, or the answer not written")]
    Pipe(#[from] io::Error),
}

/// Does what a [`Host`](crate::Host) starts its [`Worker`](crate::Worker) for: looks through a component, or compiles it.
///
/// Must be called on the main thread of a program that has not started another one yet, and be all that it does.
#[must_use = "the code tells the server what the answer is"]
pub fn work(task: &str) -> ExitCode {
    match answer(task) {
        Ok(code) => ExitCode::from(code),
        Err(Failure::Pipe(error)) if error.kind() == io::ErrorKind::OutOfMemory => OUT_OF_MEMORY.into(),
        Err(failure) => {
            let why = std::error::Error::source(&failure).map_or_else(String::new, |why| format!(": {why}"));
            // The server reads it; if it has gone, nobody does.
            let _ = writeln!(io::stderr(), "{failure}{why}");
            ExitCode::FAILURE
        }
    }
}

fn answer(task: &str) -> Result<u8, Failure> {
    let task: Task = serde_json::from_str(task)?;
    bound(&task)?;
    let mut component = Vec::new();
    io::stdin().lock().take(COMPONENT_BYTES_MAX as u64 + 1).read_to_end(&mut component)?;
    let answer = match task.step {
        Step::Look => survey(&component).map(|survey| json(&survey)),
        Step::Compile => {
            let engine =
                engine::of_worker(task.space).map_err(|error| Failure::Engine(format!("{error:#}")))?;
            match engine.precompile_component(&component) {
                Err(error) if is_out_of_memory(&error) => return Ok(OUT_OF_MEMORY),
                compiled => compiled.map_err(|error| Flaw::NotAComponent(format!("{error:#}"))),
            }
        }
    };
    let (code, answer) = answer.map_or_else(|flaw| (FLAWED, json(&flaw)), |answer| (0, answer));
    io::stdout().lock().write_all(&answer)?;
    Ok(code)
}

/// Ties the process to its parent, and keeps it from harming anybody.
fn bound(task: &Task) -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the tie was made.
    let parent = rustix::process::getppid().map(Pid::as_raw_pid);
    if parent != i32::try_from(task.parent).ok() {
        return Err(Failure::Orphan);
    }
    // Whoever started the server may have left less.
    let left = |resource, most: u64| {
        rustix::process::getrlimit(resource).maximum.map_or(most, |left| most.min(left))
    };
    let limit = |resource, most: u64| {
        let most = left(resource, most);
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    };
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    // The three pipes are open already.
    limit(Resource::Nofile, 3)?;
    // Beyond the first limit it is told so by a signal of its own, which tells it from what others do; at the second, killed.
    let killed = left(Resource::Cpu, task.cpu_s + 1);
    let told = task.cpu_s.min(killed.saturating_sub(1));
    rustix::process::setrlimit(Resource::Cpu, Rlimit { current: Some(told), maximum: Some(killed) })?;
    limit(Resource::As, task.memory_bytes)?;
    // Where the system does not let it, it only is in the way of others more.
    let _ = rustix::process::nice(NICE);
    Ok(())
}

fn json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("names and numbers can be written")
}

fn is_out_of_memory(error: &wasmtime::Error) -> bool {
    error.is::<wasmtime::OutOfMemory>()
        || error.chain().any(|cause| {
            cause.downcast_ref::<rustix::io::Errno>() == Some(&rustix::io::Errno::NOMEM)
                || cause
                    .downcast_ref::<io::Error>()
                    .is_some_and(|error| error.kind() == io::ErrorKind::OutOfMemory)
        })
}
