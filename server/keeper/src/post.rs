//! Handing out a batch's answers.
//!
//! Waking a handler from outside its runtime may take a system call, because a worker that has just run out of work
//! sleeps. For a batch of answers that would be many. So a batch is handed over whole to one task of the runtime,
//! which wakes the handlers from within, where that is a matter of a queue.

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::writer::Answer;

/// An answer and whom it is for.
pub(crate) type Reply = (oneshot::Sender<Answer>, Answer);

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Post {
    /// Never holds more than [`LETTERS_MAX`](crate::limits::LETTERS_MAX) answers, because so many can be asked for,
    /// and those in the batch at hand. `None` outside of a runtime.
    task: Option<mpsc::UnboundedSender<Vec<Reply>>>,
}

impl Post {
    /// A post whose task runs in the caller's runtime, if there is one. The task ends with the post, after it has
    /// delivered everything.
    pub(crate) fn new() -> Self {
        let task = Handle::try_current().ok().map(|runtime| {
            let (sender, mut batches) = mpsc::unbounded_channel();
            runtime.spawn(async move {
                while let Some(batch) = batches.recv().await {
                    deliver(batch);
                }
            });
            sender
        });
        Self { task }
    }

    /// Delivers all of `replies`, and leaves the vector empty.
    pub(crate) fn deliver(&self, replies: &mut Vec<Reply>) {
        match &self.task {
            // One wake-up is one wake-up: the detour would only cost time.
            Some(task) if replies.len() > 1 => {
                let batch = std::mem::replace(replies, Vec::with_capacity(replies.len()));
                // The runtime may be gone although somebody still waits for an answer, in another one.
                if let Err(error) = task.send(batch) {
                    deliver(error.0);
                }
            }
            _ => deliver(replies.drain(..)),
        }
    }
}

fn deliver(replies: impl IntoIterator<Item = Reply>) {
    for (sender, answer) in replies {
        // An error means that they have left; what was decided stays decided.
        let _ = sender.send(answer);
    }
}
