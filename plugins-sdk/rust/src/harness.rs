//! A Lessor in memory, to test plugins without a server and without WebAssembly.
//!
//! It keeps to the contract as far as a plugin can see: locks belong to jobs, and are all or nothing. Time does not go by
//! in it, so no lock ends by itself, and its randomness is the same each time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::call;
use crate::files::FileError;
use crate::http::{HttpError, Request, Response};
use crate::inventory::{InventoryError, Pool, Query, Resource};
use crate::locker::LockError;
use crate::log::Level;
use crate::manager::{Job, TargetManager};
use crate::problem::{Failure, Problem};
use crate::target::Target;

thread_local! {
    /// The Lessor of the call that runs on this thread, and its job.
    static CURRENT: RefCell<Option<(Rc<RefCell<State>>, u64)>> = const { RefCell::new(None) };
}

/// A Lessor in memory.
#[derive(Default)]
pub struct Lessor(Rc<RefCell<State>>);

/// What an endpoint answers.
type Answer = Box<dyn FnMut(Request) -> Result<Response, HttpError>>;

#[derive(Default)]
struct State {
    locks: BTreeMap<String, (u64, Duration)>,
    resources: BTreeMap<String, Resource>,
    settings: Option<String>,
    secrets: BTreeMap<String, String>,
    files: BTreeMap<String, Vec<u8>>,
    answers: BTreeMap<String, Answer>,
    log: Vec<(Level, String)>,
    now_ms: u64,
    random: u64,
}

impl Lessor {
    /// One where nothing is locked, set or granted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a job hold a target.
    #[must_use]
    pub fn held(self, target: &str, job: u64) -> Self {
        self.0.borrow_mut().locks.insert(target.to_owned(), (job, Duration::from_mins(10)));
        self
    }

    /// Adds a resource. It is free if nobody holds its target.
    #[must_use]
    pub fn resource(self, resource: Resource) -> Self {
        self.0.borrow_mut().resources.insert(resource.name.clone(), resource);
        self
    }

    /// Sets the settings of the plugin, as JSON text.
    #[must_use]
    pub fn settings(self, json: &str) -> Self {
        self.0.borrow_mut().settings = Some(json.to_owned());
        self
    }

    /// Grants a secret.
    #[must_use]
    pub fn secret(self, name: &str, value: &str) -> Self {
        self.0.borrow_mut().secrets.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds a file that was granted.
    #[must_use]
    pub fn file(self, path: &str, content: &str) -> Self {
        self.0.borrow_mut().files.insert(path.to_owned(), content.as_bytes().to_vec());
        self
    }

    /// Grants an HTTP endpoint that answers as the function says.
    #[must_use]
    pub fn endpoint(
        self,
        name: &str,
        answer: impl FnMut(Request) -> Result<Response, HttpError> + 'static,
    ) -> Self {
        self.0.borrow_mut().answers.insert(name.to_owned(), Box::new(answer));
        self
    }

    /// Who holds a target.
    #[must_use]
    pub fn holder(&self, target: &str) -> Option<u64> {
        self.0.borrow().locks.get(target).map(|(job, _)| *job)
    }

    /// The targets that a job holds, in the order of their names, each with how long it was locked for.
    #[must_use]
    pub fn held_by(&self, job: u64) -> Vec<(String, Duration)> {
        let state = self.0.borrow();
        let held = state.locks.iter().filter(|(_, (holder, _))| *holder == job);
        held.map(|(target, (_, duration))| (target.clone(), *duration)).collect()
    }

    /// What was logged.
    #[must_use]
    pub fn log(&self) -> Vec<(Level, String)> {
        self.0.borrow().log.clone()
    }

    /// Runs a function in which the modules of this crate reach this Lessor, for a job.
    pub fn run<T>(&self, job: u64, function: impl FnOnce() -> T) -> T {
        /// Puts back what was there, also when the function panics.
        struct Back(Option<(Rc<RefCell<State>>, u64)>);
        impl Drop for Back {
            fn drop(&mut self) {
                let before = self.0.take();
                CURRENT.with_borrow_mut(|current| *current = before);
            }
        }
        let before = CURRENT.with_borrow_mut(|current| current.replace((Rc::clone(&self.0), job)));
        let _back = Back(before);
        function()
    }

    /// Checks parameters of `acquire` as the server would. Empty text stands for none at all.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn validate_acquire<M: TargetManager>(&self, parameters: &str) -> Result<(), Vec<Problem>> {
        self.run(0, || call::validate_acquire::<M>(parameters))
    }

    /// Checks parameters of `release` as the server would.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn validate_release<M: TargetManager>(&self, parameters: &str) -> Result<(), Vec<Problem>> {
        self.run(0, || call::validate_release::<M>(parameters))
    }

    /// Acquires as the server would, up to the locks that it takes afterwards. After a failure, everything that is locked
    /// for the job is freed.
    ///
    /// # Errors
    ///
    /// What the plugin says.
    pub fn acquire<M: TargetManager>(&self, job: &Job, parameters: &str) -> Result<Vec<Target>, Failure> {
        let targets = self.run(job.number, || call::acquire::<M>(job, parameters));
        if targets.is_err() {
            self.0.borrow_mut().locks.retain(|_, (holder, _)| *holder != job.number);
        }
        targets
    }

    /// Releases as the server would, up to the locks that it gives up afterwards.
    ///
    /// # Errors
    ///
    /// What the plugin says.
    pub fn release<M: TargetManager>(
        &self,
        job: &Job,
        parameters: &str,
        targets: Vec<Target>,
    ) -> Result<(), Failure> {
        self.run(job.number, || call::release::<M>(job, parameters, targets))
    }
}

/// Reaches the Lessor of the running call.
fn with<T>(function: impl FnOnce(&mut State, u64) -> T) -> T {
    CURRENT.with_borrow(|current| {
        let (state, job) = current.as_ref().expect("a plugin's code runs inside `harness::Lessor::run`");
        function(&mut state.borrow_mut(), *job)
    })
}

pub(crate) fn log(level: Level, message: &str) {
    with(|state, _| state.log.push((level, message.to_owned())));
}

pub(crate) fn settings() -> String {
    with(|state, _| state.settings.clone().unwrap_or_else(|| "{}".to_owned()))
}

pub(crate) fn secret(name: &str) -> Option<String> {
    with(|state, _| state.secrets.get(name).cloned())
}

pub(crate) fn now_ms() -> u64 {
    with(|state, _| state.now_ms)
}

pub(crate) fn elapsed_ns() -> u64 {
    0
}

pub(crate) fn remaining_ms() -> u64 {
    300_000
}

pub(crate) fn random() -> u64 {
    // SplitMix64: small, and good enough to shuffle with.
    with(|state, _| {
        state.random = state.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state.random ^ (state.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

pub(crate) fn read_file(path: &str) -> Result<Vec<u8>, FileError> {
    with(|state, _| {
        state.files.get(path).cloned().ok_or_else(|| FileError {
            code: "not-found".to_owned(),
            message: "there is no such file".to_owned(),
        })
    })
}

pub(crate) fn send(endpoint: &str, request: Request) -> Result<Response, HttpError> {
    with(|state, _| {
        if let Some(answer) = state.answers.get_mut(endpoint) {
            return answer(request);
        }
        let message = format!("the endpoint {endpoint} was not granted");
        Err(HttpError { code: "not-granted".to_owned(), message, sent: false })
    })
}

fn refused(code: &str, message: &str, targets: Vec<String>) -> LockError {
    LockError { code: code.to_owned(), message: format!("{message}: {}", targets.join(", ")), targets }
}

fn valid(targets: &[String]) -> Result<(), LockError> {
    let bad = |target: &&String| target.is_empty() || target.len() > 512;
    match targets.iter().find(bad) {
        Some(bad) => Err(refused("invalid", "the name of a target has 1 to 512 bytes", vec![bad.clone()])),
        None => Ok(()),
    }
}

/// The targets that somebody else holds.
fn taken(state: &State, job: u64, targets: &[String]) -> Vec<String> {
    let theirs = |target: &&String| state.locks.get(*target).is_some_and(|(holder, _)| *holder != job);
    targets.iter().filter(theirs).cloned().collect()
}

/// The targets that the job does not hold.
fn missing(state: &State, job: u64, targets: &[String]) -> Vec<String> {
    let mine = |target: &String| state.locks.get(target).is_some_and(|(holder, _)| *holder == job);
    targets.iter().filter(|target| !mine(target)).cloned().collect()
}

pub(crate) fn lock(targets: &[String], duration_ms: u64) -> Result<(), LockError> {
    valid(targets)?;
    with(|state, job| {
        let taken = taken(state, job, targets);
        if !taken.is_empty() {
            return Err(refused("held", "held by another job", taken));
        }
        for target in targets {
            state.locks.insert(target.clone(), (job, Duration::from_millis(duration_ms)));
        }
        Ok(())
    })
}

pub(crate) fn try_lock(targets: &[String], duration_ms: u64, limit: u32) -> Result<Vec<String>, LockError> {
    valid(targets)?;
    with(|state, job| {
        let mut got: Vec<String> = Vec::new();
        for target in targets {
            let full = got.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
            if full || got.contains(target) || !taken(state, job, std::slice::from_ref(target)).is_empty() {
                continue;
            }
            state.locks.insert(target.clone(), (job, Duration::from_millis(duration_ms)));
            got.push(target.clone());
        }
        Ok(got)
    })
}

pub(crate) fn unlock(targets: &[String]) -> Result<(), LockError> {
    with(|state, job| {
        let missing = missing(state, job, targets);
        if !missing.is_empty() {
            return Err(refused("not-held", "not held by this job", missing));
        }
        state.locks.retain(|target, _| !targets.contains(target));
        Ok(())
    })
}

pub(crate) fn refresh(targets: &[String], duration_ms: u64) -> Result<(), LockError> {
    with(|state, job| {
        let missing = missing(state, job, targets);
        if !missing.is_empty() {
            return Err(refused("not-held", "not held by this job", missing));
        }
        for target in targets {
            state.locks.insert(target.clone(), (job, Duration::from_millis(duration_ms)));
        }
        Ok(())
    })
}

pub(crate) fn resources(query: &Query) -> Result<Vec<Resource>, InventoryError> {
    if query.limit == 0 || query.limit > 10_000 {
        let message = "the limit must be 1 to 10000".to_owned();
        return Err(InventoryError { code: "invalid".to_owned(), message });
    }
    with(|state, _| {
        let free = |resource: &Resource| !state.locks.contains_key(&resource.name);
        let matches = |resource: &&Resource| {
            query.pool.as_ref().is_none_or(|pool| *pool == resource.pool)
                && query.state.as_ref().is_none_or(|wanted| *wanted == resource.state)
                && query.labels.iter().all(|label| resource.labels.contains(label))
                && (!query.free_only || free(resource))
        };
        let found = state.resources.values().filter(matches);
        let found = found.map(|resource| Resource { free: free(resource), ..resource.clone() });
        Ok(found.take(usize::try_from(query.limit).unwrap_or(usize::MAX)).collect())
    })
}

pub(crate) fn pools() -> Result<Vec<Pool>, InventoryError> {
    with(|state, _| {
        let mut pools: BTreeMap<&str, Pool> = BTreeMap::new();
        for resource in state.resources.values() {
            let pool = pools.entry(&resource.pool).or_default();
            pool.name.clone_from(&resource.pool);
            pool.resources += 1;
            pool.free += u64::from(!state.locks.contains_key(&resource.name));
        }
        Ok(pools.into_values().collect())
    })
}
