//! How many bytes jobs may keep, whatever their number is.

use lessor_ledger::limits::{
    HASTENED_BYTES_MAX, JOB_PARAMETERS_BYTES_MAX, JOBS_BYTES_MAX, JOBS_OVER_BYTES_MAX,
};
use lessor_ledger::{
    Command, Job, JobCommand, JobStart, Ledger, Owner, Phase, PluginCommand, PluginName, PluginOrigin,
    PluginVersion, Refusal, Reply, Settings, Span, TargetFacts, Text, Time,
};

fn apply(ledger: &mut Ledger, command: Command) -> Result<Reply, Refusal> {
    ledger.apply(command, Time::from_nanos(0)).reply
}

/// With a plugin, and how to start the largest job of it, with an idempotency key or without.
fn ledger() -> (Ledger, impl Fn(&mut Ledger, Option<&str>) -> Result<Job, Refusal>) {
    let mut ledger =
        Ledger::new(Settings { request_ttl: Span::from_secs(30), seed: 7, ..Settings::default() });
    let name = PluginName::new("csv").expect("a name");
    let version = PluginVersion { digest: "v1".into(), spec: "{}".into() };
    let install = PluginCommand::Install { name: name.clone(), version, origin: PluginOrigin::Api };
    apply(&mut ledger, Command::Plugin(install)).expect("a plugin");
    let parameters: Text = "p".repeat(JOB_PARAMETERS_BYTES_MAX).into();
    let start = move |ledger: &mut Ledger, key: Option<&str>| {
        let start = JobStart {
            owner: Owner::new("ann").expect("a name"),
            manager: name.clone(),
            acquire_parameters: parameters.clone(),
            release_parameters: parameters.clone(),
            acquire_timeout: Span::from_secs(60),
            lock_duration: Span::from_secs(60),
            release_timeout: Span::from_secs(60),
            key: key.map(|key| (key.into(), 1)),
        };
        match apply(ledger, Command::Job(JobCommand::Start(Box::new(start))))? {
            Reply::Job(job) => Ok(job.id),
            other => panic!("not a job: {other:?}"),
        }
    };
    (ledger, start)
}

fn end(ledger: &mut Ledger, job: Job) {
    let end = JobCommand::End { job, owner: None, reason: None };
    apply(ledger, Command::Job(end)).expect("it ends");
}

#[test]
fn live_jobs_keep_so_many_bytes_and_no_more() {
    let (mut ledger, start) = ledger();
    let room = JOBS_BYTES_MAX / (2 * JOB_PARAMETERS_BYTES_MAX);
    let jobs: Vec<Job> = (0..room).map(|_| start(&mut ledger, None).expect("there is room")).collect();
    let full = start(&mut ledger, None).expect_err("there is none");
    assert!(matches!(full, Refusal::Full { limit: JOBS_BYTES_MAX, .. }), "{full:?}");
    // What its manager says does not fit either, and the job fails for it.
    let facts = TargetFacts { fqdn: Some("x".into()), ..TargetFacts::default() };
    let acquired = JobCommand::Acquired { job: jobs[0], targets: vec![("a".to_owned(), facts)] };
    match apply(&mut ledger, Command::Job(acquired)) {
        Ok(Reply::Job(job)) => {
            let failure = job.failure.as_deref().unwrap_or_default();
            assert!(failure.contains("there is no room"), "{failure}");
        }
        other => panic!("not a job: {other:?}"),
    }
    start(&mut ledger, None).expect("one is over");
    assert_eq!(ledger.check(), []);
}

#[test]
fn jobs_that_are_over_keep_so_many_bytes_and_the_oldest_go_first() {
    let (mut ledger, start) = ledger();
    let room = JOBS_OVER_BYTES_MAX / (2 * JOB_PARAMETERS_BYTES_MAX);
    let jobs: Vec<Job> = (0..room + 3)
        .map(|_| {
            let job = start(&mut ledger, None).expect("there is room");
            end(&mut ledger, job);
            job
        })
        .collect();
    // Whatever comes next makes room.
    apply(&mut ledger, Command::Tick).expect("time passes");
    let kept: Vec<Job> = ledger.jobs_after(None).map(|job| job.id).collect();
    assert_eq!(kept, jobs[3..]);
    assert_eq!(ledger.check(), []);
}

#[test]
fn a_key_starts_no_second_job_after_the_first_was_forgotten() {
    let (mut ledger, start) = ledger();
    let once = start(&mut ledger, Some("once")).expect("there is room");
    end(&mut ledger, once);
    assert_eq!(start(&mut ledger, Some("once")), Ok(once), "it can still be read");
    for _ in 0..JOBS_OVER_BYTES_MAX / (2 * JOB_PARAMETERS_BYTES_MAX) {
        let job = start(&mut ledger, None).expect("there is room");
        end(&mut ledger, job);
    }
    apply(&mut ledger, Command::Tick).expect("time passes");
    assert_eq!(ledger.job(once), None);
    let count = ledger.jobs_after(None).count();
    assert_eq!(start(&mut ledger, Some("once")), Err(Refusal::JobForgotten(once)));
    assert_eq!(ledger.jobs_after(None).count(), count);
    start(&mut ledger, Some("another")).expect("another key is another job");
    assert_eq!(ledger.check(), []);
}

#[test]
fn no_more_releases_are_hastened_at_once_than_one_step_may_write() {
    let (mut ledger, start) = ledger();
    let jobs: Vec<Job> = (0..5).map(|_| start(&mut ledger, None).expect("there is room")).collect();
    let at = |ledger: &mut Ledger, seconds: i64, command: Command| {
        ledger.apply(command, Time::from_nanos(seconds * 1_000_000_000)).reply.expect("it may be done")
    };
    let fails = |job, attempt| Command::Job(JobCommand::ReleaseFailed { job, attempt, error: "no".into() });
    for &job in &jobs {
        let targets = vec![(format!("t{}", job.0), TargetFacts::default())];
        at(&mut ledger, 0, Command::Job(JobCommand::Acquired { job, targets }));
        end(&mut ledger, job);
        at(&mut ledger, 0, fails(job, 1));
    }
    at(&mut ledger, 2, Command::Tick);
    for &job in &jobs {
        at(&mut ledger, 2, fails(job, 2));
    }
    let enable = PluginCommand::Enable { name: PluginName::new("csv").expect("a name"), enabled: true };
    at(&mut ledger, 2, Command::Plugin(enable));
    let due = jobs.iter().map(|&job| match ledger.job(job).expect("it is there").phase {
        Phase::Stuck { retry_at, .. } => retry_at.nanos() / 1_000_000_000,
        other => panic!("not stuck: {other:?}"),
    });
    let most = HASTENED_BYTES_MAX / (2 * JOB_PARAMETERS_BYTES_MAX);
    assert_eq!((most, due.collect::<Vec<_>>()), (2, vec![3, 3, 4, 4, 4]));
}
