//! Jobs as the rest of the server sees them: submitted, waited for.

use std::sync::Arc;
use std::time::Duration;

use lessor_keeper::{Error, Keeper};
use lessor_ledger::limits::JOB_PARAMETERS_BYTES_MAX;
use lessor_ledger::{
    Command, Job, JobCommand, JobRecord, JobStart, NameError, Owner, Phase, PluginName, Refusal, Reply, Span,
    Text,
};
use lessor_plugins::limits::VALIDATE_WALL;
use lessor_plugins::{CallError, NoManager, Problem};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::inventory::Snapshots;
use crate::limits::{ACQUIRE_TIMEOUT_DEFAULT, LOCK_DURATION_DEFAULT, RELEASE_TIMEOUT_DEFAULT};
use crate::line::Line;
use crate::manager::Managers;
use crate::runner::Runner;
use crate::watch::Bells;
use crate::work::Shop;

/// Submits jobs and waits for them. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    keeper: Keeper,
    managers: Arc<dyn Managers>,
    bells: Arc<Bells>,
}

/// A job to submit. What is `None` is as in `ConTest`: 5 minutes to acquire and to release, 10 minutes of lease.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who asks.
    pub owner: Owner,
    /// The plugin that acquires and releases; upper and lower case make no difference.
    pub manager: String,
    /// For the manager; `None` and null are not the same to it.
    pub acquire_parameters: Option<Value>,
    /// For the manager; `None` and null are not the same to it.
    pub release_parameters: Option<Value>,
    /// How long acquiring may take.
    pub acquire_timeout: Option<Span>,
    /// How long the targets are leased without a renewal.
    pub lock_duration: Option<Span>,
    /// How long one attempt to release may take.
    pub release_timeout: Option<Span>,
    /// What tells this call from others of its owner, with a fingerprint of it: done twice, it starts one job.
    pub key: Option<(Text, u64)>,
}

/// Why a job was not started. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The manager's name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There are more parameters than are kept.
    #[error("{what} has {bytes} bytes: at most {JOB_PARAMETERS_BYTES_MAX} are taken")]
    TooLarge {
        /// Which.
        what: &'static str,
        /// How many, as the server writes them.
        bytes: usize,
    },
    /// The manager takes no calls.
    #[error("the target manager {manager} takes no jobs: {cause}")]
    Unavailable {
        /// The plugin.
        manager: PluginName,
        /// Why, for people; part of the text, because it is all that is known.
        cause: NoManager,
    },
    /// The server has just started, and has not come to the manager yet.
    #[error("the target manager {manager} is being prepared: try again in a while")]
    Preparing {
        /// The plugin.
        manager: PluginName,
    },
    /// The manager finds something wrong with the parameters: all of it.
    #[error("the target manager {manager} does not take the parameters")]
    Parameters {
        /// The plugin.
        manager: PluginName,
        /// What is wrong. Paths begin with `/acquire_parameters` or `/release_parameters`.
        problems: Vec<Problem>,
    },
    /// The manager gave no verdict on the parameters.
    #[error("the target manager {manager} could not check the parameters: {cause}")]
    Unchecked {
        /// The plugin.
        manager: PluginName,
        /// Why, for people; part of the text, because it is all that is known.
        cause: CallError,
    },
    /// The keeper did not take it.
    #[error(transparent)]
    Keeper(#[from] Error),
}

/// What one waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The job is leased, or over: it does not go on by itself.
    Settled,
    /// The job is over.
    Over,
}

impl Goal {
    fn reached(self, job: &JobRecord) -> bool {
        match job.phase {
            Phase::Over { .. } => true,
            Phase::Leased { .. } => self == Self::Settled,
            Phase::Acquiring { .. } | Phase::Releasing { .. } | Phase::Stuck { .. } => false,
        }
    }
}

impl Jobs {
    /// Starts the runner as a task of the current runtime; it works until `until` is cancelled or the keeper has stopped.
    #[must_use]
    pub fn start(keeper: Keeper, managers: Arc<dyn Managers>, until: CancellationToken) -> Self {
        let inventory = Snapshots::new(keeper.clone());
        let shop =
            Shop { keeper: keeper.clone(), managers: Arc::clone(&managers), inventory, line: Line::new() };
        let bells = Arc::new(Bells::default());
        tokio::spawn(Runner::new(Arc::new(shop), Arc::clone(&bells)).run(until));
        Self { keeper, managers, bells }
    }

    /// Asks the manager whether it takes the parameters, and starts the job.
    ///
    /// # Errors
    /// [`StartError`]; nothing was changed then.
    ///
    /// # Cancel safety
    /// If the future is dropped, the job may have been started all the same.
    pub async fn submit(&self, submission: Submission) -> Result<Arc<JobRecord>, StartError> {
        let Submission { owner, manager, acquire_parameters, release_parameters, key, .. } = submission;
        let manager = plugin_name(&manager)?;
        // As values they have many times the size of their text, and this may wait for long.
        let acquire_parameters = written("acquire_parameters", acquire_parameters)?;
        let release_parameters = written("release_parameters", release_parameters)?;
        let known = tokio::time::timeout(VALIDATE_WALL, self.managers.known(&manager)).await;
        known.map_err(|_| StartError::Preparing { manager: manager.clone() })?;
        let snapshot = self.keeper.snapshot();
        if let Some(key) = &key
            && let Some(job) = snapshot.started_before(&owner, key).map_err(Error::Refused)?
        {
            return Ok(job);
        }
        drop(snapshot);
        self.check(&manager, &acquire_parameters, &release_parameters).await?;
        let start = JobStart {
            owner,
            manager,
            acquire_parameters,
            release_parameters,
            acquire_timeout: submission.acquire_timeout.unwrap_or(ACQUIRE_TIMEOUT_DEFAULT),
            lock_duration: submission.lock_duration.unwrap_or(LOCK_DURATION_DEFAULT),
            release_timeout: submission.release_timeout.unwrap_or(RELEASE_TIMEOUT_DEFAULT),
            key,
        };
        match self.keeper.submit(Command::Job(JobCommand::Start(Box::new(start)))).await? {
            Reply::Job(job) => Ok(job),
            _ => unreachable!("the ledger answers the start of a job with nothing else"),
        }
    }

    async fn check(&self, manager: &PluginName, acquire: &str, release: &str) -> Result<(), StartError> {
        let unavailable = |cause| match cause {
            NoManager::Unknown => Error::Refused(Refusal::NoSuchPlugin(manager.clone())).into(),
            cause => StartError::Unavailable { manager: manager.clone(), cause },
        };
        let asked = self.managers.manager(manager.as_str()).map_err(unavailable)?;
        let checks = [
            ("/acquire_parameters", asked.validate_acquire(acquire)),
            ("/release_parameters", asked.validate_release(release)),
        ];
        let mut problems = Vec::new();
        for (at, check) in checks {
            match check.await {
                Ok(()) => {}
                Err(CallError::Problems(found)) => problems.extend(found.into_iter().map(|problem| {
                    let path = format!("{at}{}", problem.path);
                    Problem { path, ..problem }
                })),
                Err(CallError::Unavailable(cause)) => return Err(unavailable(cause)),
                Err(cause) => return Err(StartError::Unchecked { manager: manager.clone(), cause }),
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(StartError::Parameters { manager: manager.clone(), problems })
        }
    }

    /// Waits until a job has reached `goal`, but no longer than `most`, and gives it as it is then; none if there is no
    /// such job.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn wait(&self, id: Job, goal: Goal, most: Duration) -> Option<Arc<JobRecord>> {
        let bell = self.bells.of(id);
        let over = tokio::time::sleep(most);
        tokio::pin!(over);
        loop {
            // Before looking, so that nothing rings in between unheard.
            let rung = bell.rung();
            let job = self.keeper.snapshot().job(id).cloned()?;
            if goal.reached(&job) {
                return Some(job);
            }
            tokio::select! {
                () = rung => {}
                () = &mut over => return self.keeper.snapshot().job(id).cloned(),
            }
        }
    }
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").finish_non_exhaustive()
    }
}

/// The name by which a plugin is kept: in lower case, because case makes no difference.
///
/// # Errors
/// It is empty or too long.
pub fn plugin_name(text: &str) -> Result<PluginName, NameError> {
    PluginName::new(text.to_ascii_lowercase())
}

/// Parameters as they are kept: empty for none.
fn written(what: &'static str, parameters: Option<Value>) -> Result<Text, StartError> {
    let text = parameters.map(|value| value.to_string()).unwrap_or_default();
    let bytes = text.len();
    if bytes > JOB_PARAMETERS_BYTES_MAX { Err(StartError::TooLarge { what, bytes }) } else { Ok(text.into()) }
}
