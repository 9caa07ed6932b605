//! Random commands of all dialects over few names, so that they meet.

use std::collections::BTreeMap;

use lessor_ledger::{
    Acquire, BoskosAcquire, BoskosUpdate, Command, ContestLock, CordonEdit, Force, Job, JobCommand, JobStart,
    LeaseId, Ledger, Lifecycle, Owner, Part, Phase, PluginCommand, PluginName, PluginOrigin, PluginVersion,
    Pool, PoolEntry, PoolName, PoolOrigin, RequestId, ResourceEdit, Span, State, Subject, Target,
    TargetFacts, Text, Withdrawal,
};

use super::dice::Dice;

const POOLS: [&str; 3] = ["gpu", "board", "cloud"];
const STATES: [&str; 4] = ["free", "dirty", "leased", "broken"];
const OWNERS: [&str; 4] = ["ann", "bob", "ci-job-17", "job:5"];

pub(crate) fn target(text: impl Into<String>) -> Target {
    Target::new(text.into()).unwrap()
}

pub(crate) fn owner(text: &str) -> Owner {
    Owner::new(text).unwrap()
}

/// The pools file that a lab begins with: two static pools and a dynamic one.
pub(crate) fn pools() -> Command {
    let entry = |name: &str, count: usize, lifecycle| PoolEntry {
        pool: Pool {
            name: PoolName::new(name).unwrap(),
            origin: PoolOrigin::Config,
            initial_state: State::free(),
            lifecycle,
            default_ttl: None,
            max_ttl: None,
            on_expire: None,
            reap_after: None,
        },
        names: (0..count).map(|n| target(format!("{name}-{n}"))).collect(),
        labels: None,
        addresses: BTreeMap::new(),
    };
    let dynamic = Lifecycle { min_count: 2, max_count: 4, ..Lifecycle::default() };
    Command::Sync(vec![entry("gpu", 6, None), entry("board", 4, None), entry("cloud", 0, Some(dynamic))])
}

/// One random command; `ledger` is looked at for IDs that make sense.
pub(crate) fn random(dice: &mut Dice, ledger: &Ledger) -> Command {
    match dice.below(24) {
        20 => plugin(dice.pick::<&str>(&["v1", "v2", "v3"])),
        21 => job(),
        22..24 => job_goes_on(dice, ledger),
        0..3 => boskos_acquire(dice),
        3..5 => boskos_release(dice, ledger),
        5 => boskos_other(dice, ledger),
        6 => Command::ContestLock(contest(dice)),
        7 => Command::ContestTryLock { lock: contest(dice), limit: dice.below(3) },
        8 => Command::ContestUnlock(contest(dice)),
        9 => Command::ContestRefresh(contest(dice)),
        10..13 => Command::Acquire(Box::new(acquire(dice))),
        13 => Command::Renew { lease: lease(dice, ledger), owner: None, ttl: None },
        14..16 => Command::Release { lease: lease(dice, ledger), owner: None, targets: None, to_state: None },
        16 => force(dice, ledger),
        17 => Command::Withdraw(Withdrawal::of(RequestId(dice.below(ledger.counters().request + 2)))),
        18 => resource(dice),
        _ => Command::Tick,
    }
}

fn pool(dice: &mut Dice) -> PoolName {
    PoolName::new(*dice.pick(&POOLS)).unwrap()
}

fn state(dice: &mut Dice) -> State {
    State::new(*dice.pick(&STATES)).unwrap()
}

fn mostly_free(dice: &mut Dice) -> State {
    if dice.once_in(4) { state(dice) } else { State::free() }
}

fn any_owner(dice: &mut Dice) -> Owner {
    owner(dice.pick::<&str>(&OWNERS))
}

fn any_target(dice: &mut Dice) -> Target {
    let pool = *dice.pick(&["gpu", "board", "elsewhere"]);
    target(format!("{pool}-{}", dice.below(6)))
}

fn span(dice: &mut Dice) -> Span {
    Span::from_secs(1 + i64::try_from(dice.below(120)).unwrap())
}

fn lease(dice: &mut Dice, ledger: &Ledger) -> LeaseId {
    let active: Vec<_> = ledger.leases_after(None).map(|lease| lease.id).collect();
    if active.is_empty() || dice.once_in(8) {
        LeaseId(dice.below(ledger.counters().lease + 2))
    } else {
        *dice.pick(&active)
    }
}

fn boskos_acquire(dice: &mut Dice) -> Command {
    Command::BoskosAcquire(BoskosAcquire {
        pool: pool(dice),
        state: mostly_free(dice),
        dest: state(dice),
        owner: any_owner(dice),
        request_id: dice.once_in(2).then(|| Text::from(format!("poll-{}", dice.below(5)))),
    })
}

fn boskos_release(dice: &mut Dice, ledger: &Ledger) -> Command {
    let held: Vec<_> =
        ledger.locks_after(None).map(|lock| (lock.target.clone(), lock.owner.clone())).collect();
    if held.is_empty() {
        return Command::Tick;
    }
    let (name, owner) = dice.pick(&held).clone();
    Command::BoskosRelease { name, dest: mostly_free(dice), owner }
}

fn boskos_other(dice: &mut Dice, ledger: &Ledger) -> Command {
    if dice.once_in(2) {
        let (pool, state, dest) = (pool(dice), state(dice), State::dirty());
        return Command::BoskosReset { pool, state, expire: span(dice), dest };
    }
    let held: Vec<_> =
        ledger.locks_after(None).map(|lock| (lock.target.clone(), lock.owner.clone())).collect();
    if held.is_empty() {
        return Command::Tick;
    }
    let (name, owner) = dice.pick(&held).clone();
    let state = ledger.resource(name.as_str()).map_or(State::free(), |resource| resource.state.clone());
    let patch = BTreeMap::from([(Text::from("serial"), Text::from(dice.roll().to_string()))]);
    Command::BoskosUpdate(BoskosUpdate { name, owner, state, patch })
}

fn contest(dice: &mut Dice) -> ContestLock {
    let targets = (0..=dice.below(3)).map(|_| Some(any_target(dice))).collect();
    ContestLock { job: Job(1 + dice.below(3)), duration: span(dice), targets }
}

fn acquire(dice: &mut Dice) -> Acquire {
    let part = if dice.once_in(3) {
        Part::Named { targets: vec![any_target(dice)], pool: None, state: State::free() }
    } else {
        let count = 1 + u32::try_from(dice.below(3)).unwrap();
        Part::Pool { pool: pool(dice), state: State::free(), labels: BTreeMap::new(), count }
    };
    Acquire {
        owner: any_owner(dice),
        parts: vec![part],
        to_state: State::new("leased").unwrap(),
        ttl: dice.once_in(2).then(|| span(dice)),
        queue: dice.once_in(2),
        wait_anyway: dice.once_in(4),
        priority: i32::try_from(dice.below(3)).unwrap(),
        purpose: dice.once_in(3).then(|| Text::from("nightly run")),
        key: dice.once_in(3).then(|| (Text::from(format!("key-{}", dice.below(9))), 1)),
    }
}

fn force(dice: &mut Dice, ledger: &Ledger) -> Command {
    let subject =
        if dice.once_in(2) { Subject::Lease(lease(dice, ledger)) } else { Subject::Target(any_target(dice)) };
    Command::Force(Force {
        subject,
        expected: None,
        reason: "needed elsewhere".into(),
        by: Some(any_owner(dice)),
        to_state: None,
    })
}

fn resource(dice: &mut Dice) -> Command {
    let name = target(format!("own-{}", dice.below(4)));
    if dice.once_in(3) {
        return Command::DeleteResource { name, revision: None };
    }
    Command::PutResource(Box::new(ResourceEdit {
        pool: Some(pool(dice)),
        state: Some(state(dice)),
        labels: Some(BTreeMap::from([(Text::from("site"), Text::from("ber"))])),
        cordon: dice.once_in(3).then(|| Some(CordonEdit { message: "fan broken".into(), until: None })),
        ..ResourceEdit::of(name)
    }))
}

/// Installs a plugin with this digest.
pub(crate) fn plugin(digest: &str) -> Command {
    Command::Plugin(PluginCommand::Install {
        name: PluginName::new("csv").unwrap(),
        version: PluginVersion { digest: digest.into(), spec: r#"{"kind":"target-manager"}"#.into() },
        origin: PluginOrigin::Api,
    })
}

/// Starts a job of that plugin.
pub(crate) fn job() -> Command {
    Command::Job(JobCommand::Start(Box::new(JobStart {
        owner: owner("dan"),
        manager: PluginName::new("csv").unwrap(),
        acquire_parameters: r#"{"file":"hosts.csv"}"#.into(),
        release_parameters: "null".into(),
        acquire_timeout: Span::from_secs(60),
        lock_duration: Span::from_secs(300),
        release_timeout: Span::from_secs(60),
        key: None,
    })))
}

/// The job's manager has found one target.
pub(crate) fn acquired(job: Job, target: &str) -> Command {
    let facts = TargetFacts { fqdn: Some("found.example.org".into()), ..TargetFacts::default() };
    Command::Job(JobCommand::Acquired { job, targets: vec![(target.to_owned(), facts)] })
}

/// Whatever the job that is due next may meet.
fn job_goes_on(dice: &mut Dice, ledger: &Ledger) -> Command {
    let Some(record) = ledger.live_jobs().next() else { return job() };
    let job = record.id;
    let attempt = match record.phase {
        Phase::Releasing { attempt, .. } => attempt,
        _ => 1,
    };
    Command::Job(match dice.below(6) {
        0 => return acquired(job, &format!("found-{}", dice.below(3))),
        1 => JobCommand::AcquireFailed { job, error: "no file".into() },
        2 => JobCommand::Renew { job, owner: None, lock_duration: None },
        3 => JobCommand::End { job, owner: None, reason: Some("done".into()) },
        4 => JobCommand::Released { job, attempt },
        _ => JobCommand::ReleaseFailed { job, attempt, error: "no power".into() },
    })
}
