//! The thread that writes checkpoints, so that no commit waits for one.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::checkpoint::{Rows, write_parts};
use crate::error::{Fault, reading};
use crate::journal::Mark;
use crate::limits::{CHECKPOINT_NICE, TRIM_PARTS_MAX};
use crate::options::Retention;
use crate::schema::{META, META_MARK};
use crate::store::Shared;
use crate::tail::Segment;
use crate::trim;

/// The store's end: asks for checkpoints, one at a time.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    /// `None` only while being dropped: its end tells the thread to end.
    jobs: Option<SyncSender<()>>,
    done: Receiver<Result<Done, Fault>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    running: bool,
}

/// What came of a checkpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// The tables are complete up to here.
    pub(crate) mark: Mark,
    /// Whether more is to be trimmed.
    pub(crate) more: bool,
}

impl Checkpointer {
    pub(crate) fn start(shared: Arc<Shared>, retention: Retention) -> io::Result<Self> {
        let (jobs, asked) = mpsc::sync_channel(1);
        let (answer, done) = mpsc::sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("lessor-tables".into()).spawn(move || {
            // An error means that it competes with the writer as it is.
            let _ = rustix::process::nice(CHECKPOINT_NICE);
            while asked.recv().is_ok() {
                // An error means that the store is gone, and with it the sender of jobs.
                let _ = answer.send(reading(|| write(&shared, retention, &told)));
            }
        })?;
        Ok(Self { jobs: Some(jobs), done, stop, thread: Some(thread), running: false })
    }

    /// Whether a checkpoint is being written.
    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    /// Begins to write what is in the tail now. Does nothing while another checkpoint is being written.
    pub(crate) fn begin(&mut self) {
        if !self.running
            && let Some(jobs) = &self.jobs
        {
            // An error means that the thread has died, which `poll` says.
            let _ = jobs.send(());
            self.running = true;
        }
    }

    /// What came of the last checkpoint; `None` while it is being written, and when that was asked before.
    pub(crate) fn poll(&mut self) -> Option<Result<Done, Fault>> {
        if !self.running {
            return None;
        }
        match self.done.try_recv() {
            Ok(done) => Some(self.end(done)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(self.end(Err(died()))),
        }
    }

    /// As [`poll`](Self::poll), but waits for the end of a checkpoint that is being written.
    pub(crate) fn wait(&mut self, most: Duration) -> Option<Result<Done, Fault>> {
        if !self.running {
            return None;
        }
        match self.done.recv_timeout(most) {
            Ok(done) => Some(self.end(done)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(self.end(Err(died()))),
        }
    }

    /// Gives up a checkpoint that is being written, and waits until nothing is written any more.
    pub(crate) fn give_up(&mut self) {
        self.stop.store(true, Relaxed);
        if self.running {
            // Whatever came of it: the tables are as they were, or the checkpoint is complete.
            let _ = self.done.recv();
            self.running = false;
        }
        self.stop.store(false, Relaxed);
    }

    fn end(&mut self, done: Result<Done, Fault>) -> Result<Done, Fault> {
        self.running = false;
        done
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.give_up();
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened, and nothing is left to do about it.
            let _ = thread.join();
        }
    }
}

fn died() -> Fault {
    io::Error::other("the thread that writes the tables has died").into()
}

/// Writes one checkpoint.
fn write(shared: &Shared, retention: Retention, stop: &AtomicBool) -> Result<Done, Fault> {
    let tail = shared.tail.read().unwrap_or_else(PoisonError::into_inner).clone();
    let segments: Vec<Arc<Segment>> = tail.segments().map(Arc::clone).collect();
    let (before, mark) = (tail.mark, tail.last);
    drop(tail);
    let mut rows = Rows::default();
    for segment in &segments {
        rows.note(segment, before.counters);
    }
    let txn = shared.begin_write()?;
    write_parts(&txn, &segments)?;
    rows.write(&txn, stop)?;
    let mut bytes = Vec::new();
    mark.encode(&mut bytes);
    txn.open_table(META)?.insert(META_MARK, bytes.as_slice())?;
    let limits = trim::Limits { retention, mark };
    let more = trim::trim(&txn, &limits, 2 * segments.len() + TRIM_PARTS_MAX)?;
    if stop.load(Relaxed) {
        txn.abort()?;
        return Ok(Done { mark: before, more: true });
    }
    txn.commit()?;
    drop(segments);
    let retired = shared.tail.write().unwrap_or_else(PoisonError::into_inner).advance(mark);
    // Freed here, after the lock: some ten thousand small pieces.
    drop(retired);
    Ok(Done { mark, more })
}
