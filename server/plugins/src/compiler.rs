//! Where components are compiled: threads of their own, which give way to everything else on the machine.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::Semaphore;

use crate::error::{HostError, Misfit};

/// How much the threads give way: the most there is. Calls, leases and pages go first.
const NICE: i32 = 19;

/// Compiles one component after the other.
pub(crate) struct Compiler {
    threads: Arc<ThreadPool>,
    /// One at a time, first come first served: each uses all threads.
    turn: Arc<Semaphore>,
}

impl Compiler {
    pub(crate) fn start() -> Result<Self, HostError> {
        let pool = ThreadPoolBuilder::new()
            .thread_name(|number| format!("plugin-compiler-{number}"))
            // Where the system does not let it, compiling only is in the way of others more.
            .start_handler(|_| _ = rustix::process::nice(NICE));
        let threads = Arc::new(pool.build().map_err(|error| HostError::Compiler(error.to_string()))?);
        Ok(Self { threads, turn: Arc::new(Semaphore::new(1)) })
    }

    /// Does work that takes long, when it is its turn. How many wait is for whoever prepares to bound.
    ///
    /// # Errors
    ///
    /// The work panicked: a component that makes the compiler panic is none.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped while it waits, nothing is done. Work that began goes on, and keeps its turn until it ends.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Misfit> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.expect("the turn is never closed");
        let threads = Arc::clone(&self.threads);
        let done = tokio::task::spawn_blocking(move || {
            let _until_it_ends = turn;
            threads.install(work)
        });
        done.await.map_err(|panic| Misfit::NotAComponent(panic.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_runs_one_at_a_time_also_when_nobody_waits_for_it_any_more() {
        let compiler = Arc::new(Compiler::start().unwrap());
        let (began, begins) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let theirs = Arc::clone(&compiler);
        let first = tokio::spawn(async move {
            let long = move || {
                began.send(()).expect("the test waits");
                ends.recv().expect("the test says when");
            };
            theirs.run(long).await
        });
        tokio::task::spawn_blocking(move || begins.recv()).await.unwrap().unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(compiler.turn.available_permits(), 0, "it still runs");
        let mut second = Box::pin(compiler.run(|| 7));
        assert!(futures_util::poll!(&mut second).is_pending());
        end.send(()).unwrap();
        assert_eq!(second.await, Ok(7));
    }

    #[tokio::test]
    async fn work_gives_way_and_may_panic() {
        let compiler = Compiler::start().unwrap();
        let nice = compiler.run(|| rustix::process::getpriority_process(None)).await.unwrap();
        assert_eq!(nice.unwrap(), NICE);
        let panic = compiler.run(|| -> () { panic!("a bug of the compiler") }).await;
        assert!(matches!(panic, Err(Misfit::NotAComponent(_))), "{panic:?}");
        assert_eq!(compiler.run(|| 7).await, Ok(7));
    }
}
