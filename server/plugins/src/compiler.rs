//! The server's side of looking through components and compiling them: a process for each, started, heard out and ended.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::Space;
use crate::error::Misfit;
use crate::limits::{
    COMPILE_CPU_S, COMPILE_MEMORY_BYTES, COMPILE_THREADS_MAX, COMPILE_WALL, COMPILED_BYTES_MAX,
    LAST_WORDS_BYTES_MAX, LOOK_ANSWER_BYTES_MAX, LOOK_CPU_S, LOOK_MEMORY_BYTES, LOOK_WALL, MESSAGE_BYTES_MAX,
};
use crate::survey::{Flaw, Survey};
use crate::text;
use crate::worker::{FLAWED, OUT_OF_MEMORY, Step, Task};

/// What Rust's allocator says before it aborts.
const ALLOCATOR_FAILED: &str = "memory allocation of ";

/// The program that looks through components and compiles them: one that calls [`work`](crate::work) with its last
/// argument, the task.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Where it is.
    pub program: PathBuf,
    /// What comes before the task.
    pub arguments: Vec<OsString>,
    /// How looking through a component is bounded.
    pub looking: Bounds,
    /// How compiling one is bounded.
    pub compiling: Bounds,
}

/// What one process may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most bytes of its address space.
    pub memory_bytes: u64,
    /// Most seconds of processor time, of all its threads.
    pub cpu_s: u64,
    /// Longest until it has answered.
    pub wall: Duration,
    /// Most bytes of its answer.
    pub answer_bytes: usize,
}

impl Worker {
    /// This program, with arguments before the task, and the bounds of [`limits`](crate::limits).
    #[must_use]
    pub fn own(arguments: &[&str]) -> Self {
        // Not its path: another version may have taken that by now.
        Self::new("/proc/self/exe".into(), arguments)
    }

    /// Another program, with arguments before the task, and the bounds of [`limits`](crate::limits).
    #[must_use]
    pub fn new(program: PathBuf, arguments: &[&str]) -> Self {
        Self {
            program,
            arguments: arguments.iter().map(Into::into).collect(),
            looking: Bounds {
                memory_bytes: LOOK_MEMORY_BYTES,
                cpu_s: LOOK_CPU_S,
                wall: LOOK_WALL,
                answer_bytes: LOOK_ANSWER_BYTES_MAX,
            },
            compiling: Bounds {
                memory_bytes: COMPILE_MEMORY_BYTES,
                cpu_s: COMPILE_CPU_S,
                wall: COMPILE_WALL,
                answer_bytes: COMPILED_BYTES_MAX,
            },
        }
    }

    fn bounds(&self, step: Step) -> Bounds {
        match step {
            Step::Look => self.looking,
            Step::Compile => self.compiling,
        }
    }
}

/// Has components looked through and compiled.
pub(crate) struct Compiler {
    worker: Worker,
    space: Space,
    /// One look at a time, first come first served: together they take no more than one.
    looks: Semaphore,
    /// The same for compilations. How many wait is for whoever prepares to bound.
    turn: Arc<Semaphore>,
}

impl Compiler {
    pub(crate) fn new(worker: Worker, space: Space) -> Self {
        Self { worker, space, looks: Semaphore::new(1), turn: Arc::new(Semaphore::new(1)) }
    }

    /// Tells what a component is and how much of one.
    ///
    /// # Errors
    ///
    /// It is none, too much of one, or takes too much to look through.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the look ends.
    pub(crate) async fn look(&self, component: &[u8]) -> Result<Survey, Misfit> {
        let _turn = self.looks.acquire().await.expect("the looks are never closed");
        let answer = self.run(Step::Look, component).await?;
        serde_json::from_slice(&answer).map_err(|error| failed(Step::Look, error.to_string()))
    }

    /// Waits until nobody else compiles.
    pub(crate) async fn turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.turn).acquire_owned().await.expect("the turn is never closed")
    }

    /// Makes machine code of a component, in the caller's [turn](Self::turn).
    ///
    /// # Errors
    ///
    /// It cannot be compiled, or takes too much.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the compilation ends.
    pub(crate) async fn compile(&self, component: &[u8]) -> Result<Vec<u8>, Misfit> {
        self.run(Step::Compile, component).await
    }

    /// Runs a process, and once more if something else ended it: the component is not to blame then.
    async fn run(&self, step: Step, component: &[u8]) -> Result<Vec<u8>, Misfit> {
        match self.run_once(step, component).await {
            Err(Misfit::Killed { doing }) => {
                tracing::warn!("{doing} a component was ended by a signal: it is tried once more");
                self.run_once(step, component).await
            }
            done => done,
        }
    }

    /// Runs a process to its end, or to the end of its time.
    async fn run_once(&self, step: Step, component: &[u8]) -> Result<Vec<u8>, Misfit> {
        let bounds = self.worker.bounds(step);
        let mut child = self.start(step, bounds).map_err(|error| failed(step, error.to_string()))?;
        let spoken = tokio::time::timeout(bounds.wall, converse(&mut child, component, bounds)).await;
        let Ok(spoken) = spoken else {
            // It has ended if it cannot be.
            let _ = child.kill().await;
            return Err(overspent(step, format!("{} s", bounds.wall.as_secs_f64())));
        };
        let Spoken { status, answer, last_words } =
            spoken.map_err(|error| failed(step, error.to_string()))?;
        if answer.len() > bounds.answer_bytes {
            return Err(overspent(step, format!("{} MiB for what comes of it", bounds.answer_bytes >> 20)));
        }
        match status.code().map(u8::try_from) {
            Some(Ok(0)) => return Ok(answer),
            Some(Ok(FLAWED)) => {
                let flaw: Flaw =
                    serde_json::from_slice(&answer).map_err(|error| failed(step, error.to_string()))?;
                return Err(flaw.into());
            }
            _ => {}
        }
        let last_words = String::from_utf8_lossy(&last_words);
        Err(match death(status, &last_words) {
            Death::Memory => overspent(step, format!("{} MiB of memory", bounds.memory_bytes >> 20)),
            Death::Cpu => overspent(step, format!("{} s of processor time", bounds.cpu_s)),
            Death::Killed => Misfit::Killed { doing: doing(step) },
            Death::Other => {
                failed(step, text::tame(&format!("{status}: {}", last_words.trim_end()), MESSAGE_BYTES_MAX))
            }
        })
    }

    fn start(&self, step: Step, bounds: Bounds) -> io::Result<Child> {
        let Bounds { memory_bytes, cpu_s, .. } = bounds;
        let task = Task { step, parent: std::process::id(), space: self.space, memory_bytes, cpu_s };
        let task = serde_json::to_string(&task).expect("a task can be written");
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(COMPILE_THREADS_MAX);
        Command::new(&self.worker.program)
            .args(&self.worker.arguments)
            .arg(task)
            .env_clear()
            // Wasmtime compiles on rayon's threads.
            .env("RAYON_NUM_THREADS", threads.to_string())
            // The server's allocator reserves a gigabyte at once, or what it can get of it: in KiB, 32 MiB.
            .env("MIMALLOC_ARENA_RESERVE", "32768")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

/// What a process said, and how it ended.
struct Spoken {
    status: ExitStatus,
    /// At most a byte more than it may have.
    answer: Vec<u8>,
    last_words: Vec<u8>,
}

/// Hands the component over, and hears the process out; but if it says too much, it is not heard to its end.
async fn converse(child: &mut Child, component: &[u8], bounds: Bounds) -> io::Result<Spoken> {
    let mut stdin = child.stdin.take().expect("it was piped");
    let stdout = child.stdout.take().expect("it was piped");
    let stderr = child.stderr.take().expect("it was piped");
    let hand_over = async {
        // One that has ended does not listen; how it ended says more.
        let _ = stdin.write_all(component).await;
        drop(stdin);
    };
    let most = bounds.answer_bytes as u64 + 1;
    let ((), answer, last_words) =
        tokio::join!(hand_over, hear(stdout, most), hear(stderr, LAST_WORDS_BYTES_MAX));
    Ok(Spoken { answer: answer?, last_words: last_words?, status: child.wait().await? })
}

/// Reads so much, and then closes the pipe: who goes on writing is ended by that.
async fn hear(pipe: impl AsyncRead + Unpin, most: u64) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    pipe.take(most).read_to_end(&mut said).await?;
    Ok(said)
}

/// Of what a process died.
enum Death {
    Memory,
    Cpu,
    /// By somebody else: the server kills it too, but does not ask then.
    Killed,
    Other,
}

fn death(status: ExitStatus, last_words: &str) -> Death {
    let by = |signal: Signal| status.signal() == Some(signal.as_raw());
    if by(Signal::XCPU) {
        return Death::Cpu;
    }
    if by(Signal::KILL) {
        return Death::Killed;
    }
    let aborted = by(Signal::ABORT) && last_words.contains(ALLOCATOR_FAILED);
    if aborted || status.code() == Some(OUT_OF_MEMORY.into()) { Death::Memory } else { Death::Other }
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Look => "looking through",
        Step::Compile => "compiling",
    }
}

fn overspent(step: Step, most: String) -> Misfit {
    Misfit::Overspent { doing: doing(step), most }
}

fn failed(step: Step, why: String) -> Misfit {
    Misfit::Failed { doing: doing(step), why }
}
