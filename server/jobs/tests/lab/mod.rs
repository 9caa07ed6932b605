//! A keeper, a runner, and managers that do what they are told.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use lessor_jobs::{Goal, Jobs, Manager, Managers, StartError, Submission};
use lessor_keeper::{Clock, Keeper, Options, Stopper};
use lessor_ledger::{
    Command, EndCause, Job, JobCommand, JobRecord, Owner, Phase, PluginCommand, PluginName, PluginOrigin,
    PluginVersion, Span, Time, Verdict,
};
use lessor_plugins::{CallError, JobCall, Locker, NoManager, Problem, Target, Targets};
use lessor_store::{Store, StoreOptions};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longest wait for something that is bound to happen at once. Generous, because the machine may be busy.
const SOON: Duration = Duration::from_secs(30);

/// What a manager does with its next call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Returns these.
    Targets(&'static [&'static str]),
    /// Locks the first and returns the second.
    Lock(&'static [&'static str], &'static [&'static str]),
    /// Fails.
    Fail(&'static str),
    /// Waits until it is cancelled.
    Hang,
}

/// A call that was made.
pub(crate) struct Call {
    pub(crate) what: &'static str,
    pub(crate) job: u64,
    pub(crate) timeout: Duration,
    pub(crate) lock_duration: Duration,
    pub(crate) targets: Vec<String>,
    pub(crate) locker: Arc<dyn Locker>,
}

struct Double {
    acquire: Mutex<VecDeque<Act>>,
    release: Mutex<VecDeque<Act>>,
    calls: mpsc::UnboundedSender<Call>,
}

#[derive(Clone)]
struct Doubles(Arc<Double>);

impl Managers for Doubles {
    fn manager(&self, name: &str) -> Result<Arc<dyn Manager>, NoManager> {
        if name == "doubles" { Ok(Arc::new(self.clone())) } else { Err(NoManager::Unknown) }
    }
}

impl Doubles {
    async fn act(
        &self,
        what: &'static str,
        act: Act,
        call: JobCall,
        targets: &[Target],
    ) -> Result<Vec<Target>, CallError> {
        let seen = |what| Call {
            what,
            job: call.job,
            timeout: call.timeout,
            lock_duration: call.lock_duration,
            targets: targets.iter().map(|target| target.id.clone()).collect(),
            locker: Arc::clone(&call.locker),
        };
        let _ = self.0.calls.send(seen(what));
        let failed = |message: String| CallError::Failed { message, retryable: false };
        let made = |names: &[&str]| {
            names.iter().map(|name| Target { id: (*name).to_owned(), ..Target::default() }).collect()
        };
        match act {
            Act::Targets(names) => Ok(made(names)),
            Act::Lock(locked, names) => {
                let locked = locked.iter().map(|name| (*name).to_owned()).collect();
                let lock = call.locker.lock(locked, call.lock_duration).await;
                lock.map(|()| made(names)).map_err(|error| failed(error.to_string()))
            }
            Act::Fail(why) => Err(failed(why.to_owned())),
            Act::Hang => {
                call.cancel.cancelled().await;
                let _ = self.0.calls.send(seen("cancelled"));
                Err(CallError::Cancelled)
            }
        }
    }
}

impl Manager for Doubles {
    fn validate_acquire<'a>(&'a self, parameters: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        let parameters: Value = serde_json::from_str(parameters).unwrap_or_default();
        let bad = parameters["bad"].as_array().cloned().unwrap_or_default();
        let problems = bad.iter().filter_map(Value::as_str);
        let problems: Vec<_> =
            problems.map(|path| Problem { path: path.to_owned(), message: "is bad".to_owned() }).collect();
        let verdict = if problems.is_empty() { Ok(()) } else { Err(CallError::Problems(problems)) };
        Box::pin(std::future::ready(verdict))
    }

    fn validate_release<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn acquire<'a>(&'a self, call: JobCall, _: &'a str) -> BoxFuture<'a, Result<Vec<Target>, CallError>> {
        let act = self.0.acquire.lock().expect("no test panics with it").pop_front().unwrap_or(Act::Hang);
        Box::pin(self.act("acquire", act, call, &[]))
    }

    fn release<'a>(
        &'a self,
        call: JobCall,
        _: &'a str,
        targets: Targets<'a>,
    ) -> BoxFuture<'a, Result<(), CallError>> {
        let act = self.0.release.lock().expect("no test panics with it").pop_front();
        let act = act.unwrap_or(Act::Targets(&[]));
        Box::pin(async move { self.act("release", act, call, &targets()).await.map(drop) })
    }
}

struct Dial(AtomicI64);

impl Clock for Dial {
    fn now(&self) -> Time {
        Time::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::ZERO
    }
}

pub(crate) struct Lab {
    pub(crate) keeper: Keeper,
    pub(crate) jobs: Jobs,
    doubles: Doubles,
    calls: tokio::sync::Mutex<mpsc::UnboundedReceiver<Call>>,
    clock: Arc<Dial>,
    stop: CancellationToken,
    _stopper: Stopper,
    _folder: tempfile::TempDir,
}

impl Lab {
    /// At second 1,000, with the target manager `doubles`.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (store, ledger) = Store::open(folder.path(), StoreOptions::default()).expect("a new store");
        let clock = Arc::new(Dial(AtomicI64::new(1_000_000_000_000)));
        let options = Options {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            clock_check: Duration::from_millis(5),
            ..Options::default()
        };
        let (keeper, stopper) = Keeper::start(store, ledger, options).expect("a thread");
        let name = PluginName::new("doubles").expect("a name");
        let version = PluginVersion { digest: "d".into(), spec: "{}".into() };
        let install = PluginCommand::Install { name, version, origin: PluginOrigin::Api };
        keeper.submit(Command::Plugin(install)).await.expect("a record");
        let (sender, calls) = mpsc::unbounded_channel();
        let double = Double { acquire: Mutex::default(), release: Mutex::default(), calls: sender };
        let (doubles, stop) = (Doubles(Arc::new(double)), CancellationToken::new());
        let jobs = Jobs::start(keeper.clone(), Arc::new(doubles.clone()), stop.clone());
        let calls = tokio::sync::Mutex::new(calls);
        Self { keeper, jobs, doubles, calls, clock, stop, _stopper: stopper, _folder: folder }
    }

    /// Ends the runner, and starts another.
    pub(crate) fn new_runner(&mut self) {
        self.stop.cancel();
        self.stop = CancellationToken::new();
        self.jobs = Jobs::start(self.keeper.clone(), Arc::new(self.doubles.clone()), self.stop.clone());
    }

    /// Submits a job that may be acquired for 60 s, leases for 600 s and may be released for 60 s.
    pub(crate) async fn try_start(
        &self,
        manager: &str,
        acquire: &Value,
    ) -> Result<Arc<JobRecord>, StartError> {
        let submission = Submission {
            owner: Owner::new("ann").expect("a name"),
            manager: manager.to_owned(),
            acquire_parameters: Some(acquire.clone()),
            release_parameters: None,
            acquire_timeout: Some(Span::from_secs(60)),
            lock_duration: None,
            release_timeout: Some(Span::from_secs(60)),
            key: None,
        };
        self.jobs.submit(submission).await
    }

    pub(crate) async fn start(&self, act: Act) -> Job {
        self.doubles.0.acquire.lock().expect("no test panics with it").push_back(act);
        self.try_start("Doubles", &json!({})).await.expect("it starts").id
    }

    pub(crate) fn next_release(&self, act: Act) {
        self.doubles.0.release.lock().expect("no test panics with it").push_back(act);
    }

    /// The next call, which must be this one.
    pub(crate) async fn call(&self, what: &str) -> Call {
        let mut calls = self.calls.lock().await;
        let call = tokio::time::timeout(SOON, calls.recv()).await;
        let call = call.unwrap_or_else(|_| panic!("no {what} came")).expect("the doubles are there");
        assert_eq!(call.what, what);
        call
    }

    #[track_caller]
    pub(crate) fn no_more_calls(&self) {
        let mut calls = self.calls.try_lock().expect("nobody waits for a call");
        assert!(calls.try_recv().is_err(), "there was one call more");
    }

    pub(crate) async fn submit(&self, command: JobCommand) {
        self.keeper.submit(Command::Job(command)).await.expect("the ledger takes it");
    }

    /// Sets the clock ahead.
    pub(crate) fn pass(&self, secs: i64) {
        self.clock.0.fetch_add(secs * 1_000_000_000, Ordering::SeqCst);
    }

    pub(crate) fn phase(&self, job: Job) -> &'static str {
        self.keeper.snapshot().job(job).expect("there is such a job").phase.name()
    }

    /// The phase in which it does not go on by itself.
    pub(crate) async fn settled(&self, job: Job) -> &'static str {
        self.jobs.wait(job, Goal::Settled, SOON).await.expect("there is such a job").phase.name()
    }

    /// How it went, and why it ended.
    pub(crate) async fn over(&self, job: Job) -> (Verdict, Option<EndCause>) {
        let job = self.jobs.wait(job, Goal::Over, SOON).await.expect("there is such a job");
        let Phase::Over { verdict, .. } = job.phase else { panic!("it is not over: {job:?}") };
        (verdict, job.ending.as_ref().map(|ending| ending.cause))
    }

    pub(crate) fn holder(&self, target: &str) -> Option<String> {
        let snapshot = self.keeper.snapshot();
        snapshot.holder(target, self.keeper.now()).map(|lock| lock.owner.to_string())
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
    }
}
