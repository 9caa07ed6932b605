//! A Lessor in memory: the real rules on a ledger of its own, without a store or a server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, ready};
use lessor_ledger::{
    Command, ContestLock, Job, JobCommand, JobRecord, JobStart, Ledger, Owner, PluginCommand, PluginName,
    PluginOrigin, PluginVersion, PoolEntry, Refusal, Reply, Resource, Settings, Span, Target, TargetFacts,
    Time,
};
use lessor_plugins::{Inventory, InventoryError, Locker, LockerError, PoolView, ResourceQuery, ResourceView};

use crate::cli::clock::Moment;

/// Under whose number targets are locked that are to be held by somebody else.
const SOMEBODY_ELSE: Job = Job(1_000_000);

/// A Lessor in memory, with one plugin and one job at most.
pub(super) struct Lessor {
    ledger: Mutex<Ledger>,
    began: Moment,
}

/// What a job holds: the target, and how long it stays locked.
pub(super) type Held = (String, Duration);

impl Lessor {
    /// One with these pools, in which somebody else holds these targets, and where a plugin of this name is installed.
    ///
    /// # Errors
    /// What the rules say against it.
    pub(super) fn new(pools: Vec<PoolEntry>, held: &[String], plugin: &str) -> Result<Self, String> {
        let lessor = Self { ledger: Mutex::new(Ledger::new(Settings::default())), began: Moment::now() };
        let say = |refusal: Refusal| refusal.to_string();
        if !pools.is_empty() {
            lessor.apply(Command::Sync(pools)).map_err(say)?;
        }
        if !held.is_empty() {
            let lock = contest_lock(SOMEBODY_ELSE, held.to_vec(), Duration::from_hours(24));
            lessor.apply(Command::ContestLock(lock.map_err(|error| error.to_string())?)).map_err(say)?;
        }
        let version = PluginVersion { digest: "".into(), spec: "{}".into() };
        let name = PluginName::new(plugin).map_err(|error| error.to_string())?;
        let install = PluginCommand::Install { name, version, origin: PluginOrigin::Api };
        lessor.apply(Command::Plugin(install)).map_err(say)?;
        Ok(lessor)
    }

    /// Submits a job, which is then being acquired.
    pub(super) fn start(
        &self,
        plugin: &str,
        timeout: Duration,
        lock: Duration,
    ) -> Result<Arc<JobRecord>, Refusal> {
        let owner = Owner::new("you").expect("it is a name");
        let manager = PluginName::new(plugin).expect("it was installed under this name");
        let (acquire_timeout, release_timeout, lock_duration) = (span(timeout), span(timeout), span(lock));
        let start = JobStart {
            owner,
            manager,
            acquire_parameters: "null".into(),
            release_parameters: "null".into(),
            acquire_timeout,
            lock_duration,
            release_timeout,
            key: None,
        };
        self.job(JobCommand::Start(Box::new(start)))
    }

    /// Asks for something about a job, and gives it as it is then.
    pub(super) fn job(&self, command: JobCommand) -> Result<Arc<JobRecord>, Refusal> {
        match self.apply(Command::Job(command))? {
            Reply::Job(job) => Ok(job),
            _ => unreachable!("the ledger answers these with the job"),
        }
    }

    /// What a job holds, by target.
    pub(super) fn held(&self, job: Job) -> Vec<Held> {
        let owner = Owner::of_job(job);
        let (ledger, now) = (self.ledger(), self.now());
        let locks = ledger.locks_after(None).filter(|lock| lock.owner == owner && lock.live(now));
        let for_how_long = |until: Option<Time>| {
            let nanos = until.map_or(i64::MAX, |until| until.since(now).nanos());
            Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
        };
        locks.map(|lock| (lock.target.to_string(), for_how_long(lock.deadline))).collect()
    }

    fn apply(&self, command: Command) -> Result<Reply, Refusal> {
        let mut ledger = self.ledger();
        ledger.apply(command, self.now()).reply
    }

    fn now(&self) -> Time {
        Time::ZERO.plus(span(Moment::now().since(self.began)))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_command(
        &self,
        job: Job,
        targets: Vec<String>,
        duration: Duration,
        command: impl FnOnce(ContestLock) -> JobCommand,
    ) -> Result<Vec<String>, LockerError> {
        let lock =
            contest_lock(job, targets, duration).map_err(|error| LockerError::Invalid(error.to_string()))?;
        match self.apply(Command::Job(command(lock))) {
            Ok(Reply::Locked(targets)) => Ok(targets.iter().map(ToString::to_string).collect()),
            Ok(_) => unreachable!("the ledger answers locks with what is locked"),
            Err(refusal) => Err(refused(&refusal)),
        }
    }
}

fn span(duration: Duration) -> Span {
    Span::from_nanos(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

fn contest_lock(
    job: Job,
    targets: Vec<String>,
    duration: Duration,
) -> Result<ContestLock, lessor_ledger::NameError> {
    // An empty name is for the ledger to refuse.
    let named =
        targets.into_iter().map(|name| if name.is_empty() { Ok(None) } else { Target::new(name).map(Some) });
    Ok(ContestLock { job, duration: span(duration), targets: named.collect::<Result<_, _>>()? })
}

fn refused(refusal: &Refusal) -> LockerError {
    let spell = |targets: &[String]| format!("{refusal}: {}", targets.join(", "));
    match refusal {
        Refusal::Busy(conflicts) | Refusal::Unavailable(conflicts) => {
            let targets = conflicts.iter().filter_map(|conflict| conflict.target.as_ref());
            let targets: Vec<String> = targets.map(ToString::to_string).collect();
            LockerError::Held { message: spell(&targets), targets }
        }
        Refusal::NotHeld(missing) => {
            let targets: Vec<String> = missing.iter().map(|missing| missing.target.to_string()).collect();
            LockerError::NotHeld { message: spell(&targets), targets }
        }
        _ => LockerError::Invalid(refusal.to_string()),
    }
}

/// The locker of a job's plugin.
pub(super) struct JobLocker {
    /// Where it locks.
    pub(super) lessor: Arc<Lessor>,
    /// For whom.
    pub(super) job: Job,
}

impl Locker for JobLocker {
    fn lock(&self, targets: Vec<String>, duration: Duration) -> BoxFuture<'_, Result<(), LockerError>> {
        let locked = self.lessor.lock_command(self.job, targets, duration, JobCommand::Lock);
        Box::pin(ready(locked.map(drop)))
    }

    fn try_lock(
        &self,
        targets: Vec<String>,
        duration: Duration,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<String>, LockerError>> {
        let command = |lock| JobCommand::TryLock { lock, limit: u64::from(limit) };
        Box::pin(ready(self.lessor.lock_command(self.job, targets, duration, command)))
    }

    fn unlock(&self, targets: Vec<String>) -> BoxFuture<'_, Result<(), LockerError>> {
        let unlocked = self.lessor.lock_command(self.job, targets, Duration::ZERO, JobCommand::Unlock);
        Box::pin(ready(unlocked.map(drop)))
    }

    fn refresh(&self, targets: Vec<String>, duration: Duration) -> BoxFuture<'_, Result<(), LockerError>> {
        let refreshed = self.lessor.lock_command(self.job, targets, duration, JobCommand::Refresh);
        Box::pin(ready(refreshed.map(drop)))
    }
}

impl Inventory for Lessor {
    fn resources(&self, query: ResourceQuery) -> BoxFuture<'_, Result<Vec<ResourceView>, InventoryError>> {
        let (ledger, now) = (self.ledger(), self.now());
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let all = ledger.resources_after(None).map(|resource| view(&ledger, resource, now));
        let wanted = |view: &ResourceView| {
            query.pool.as_ref().is_none_or(|pool| *pool == view.pool)
                && query.state.as_ref().is_none_or(|state| *state == view.state)
                && query.labels.iter().all(|(key, value)| view.labels.get(key) == Some(value))
                && (!query.free_only || view.free)
        };
        Box::pin(ready(Ok(all.filter(wanted).take(limit).collect())))
    }

    fn extent(&self, _: Option<&str>) -> usize {
        self.ledger().resource_count()
    }

    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, InventoryError>> {
        let ledger = self.ledger();
        let pools = ledger.pools().map(|pool| {
            let usage = ledger.usage(&pool.name);
            PoolView { name: pool.name.to_string(), resources: usage.total, free: usage.total - usage.held }
        });
        Box::pin(ready(Ok(pools.collect())))
    }
}

fn view(ledger: &Ledger, resource: &Resource, now: Time) -> ResourceView {
    let details = resource.details();
    let addresses = &details.addresses;
    ResourceView {
        name: resource.name.to_string(),
        pool: resource.pool.to_string(),
        state: resource.state.to_string(),
        free: details.cordon.is_none() && ledger.holder(resource.name.as_str(), now).is_none(),
        labels: details.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        fqdn: addresses.fqdn.as_ref().map(ToString::to_string),
        ipv4: addresses.ipv4.map(|address| address.to_string()),
        ipv6: addresses.ipv6.map(|address| address.to_string()),
    }
}

/// What the ledger is told of a target that a plugin returned.
pub(super) fn facts(target: &lessor_plugins::Target) -> (String, TargetFacts) {
    let text = |text: &Option<String>| text.as_deref().map(Into::into);
    let facts = TargetFacts {
        fqdn: text(&target.fqdn),
        ipv4: text(&target.ipv4),
        ipv6: text(&target.ipv6),
        manager_state: text(&target.manager_state),
        labels: target
            .labels
            .iter()
            .map(|(key, value)| (key.as_str().into(), value.as_str().into()))
            .collect(),
    };
    (target.id.clone(), facts)
}
