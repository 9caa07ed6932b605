//! Jobs and plugins in scripts. `J1` is a job; `job-acquired J1 a,_` is what its manager returned, `_` a blank ID.

use lessor_ledger::limits::JOB_FIRST;
use lessor_ledger::{
    Command, ContestLock, Event, EventKind, Job, JobCommand, JobRecord, JobStart, Phase, PluginCommand,
    PluginName, PluginNews, PluginOrigin, PluginRecord, PluginVersion, TargetFacts,
};

use super::parse::{Options, contest, owner, someone, span};
use super::render::time;

fn job(word: &str) -> Job {
    numbered(word.strip_prefix('J').and_then(|id| id.parse().ok()).expect("a job like J1"))
}

fn numbered(count: u64) -> Job {
    Job(JOB_FIRST + count)
}

/// The same with `job J1` and `job:J1` for the number of `J1`.
pub(super) fn abbreviated(text: &str) -> String {
    let mut short = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("job").map(|at| at + "job".len()) {
        let (before, number) = rest.split_at((at + 1).min(rest.len()));
        let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let (number, after) = number.split_at(digits);
        let count = number.parse().ok().filter(|id| *id > JOB_FIRST).map(|id| Job(id).counted());
        let number = count.map_or_else(|| number.to_owned(), |count| format!("J{count}"));
        short.push_str(before);
        short.push_str(&number);
        rest = after;
    }
    short + rest
}

fn plugin_name(word: &str) -> PluginName {
    PluginName::new(word).expect("a plugin name")
}

/// `j-lock`, `j-try`, `j-unlock`, `j-refresh`: the locker calls of a job's manager, as those of `ConTest`.
pub(super) fn locker(actor: &str, verb: &str, rest: &[&str]) -> JobCommand {
    let of_job = |lock: ContestLock| ContestLock { job: numbered(lock.job.0), ..lock };
    match contest(actor, &verb[2..], rest) {
        Command::ContestLock(lock) => JobCommand::Lock(of_job(lock)),
        Command::ContestTryLock { lock, limit } => JobCommand::TryLock { lock: of_job(lock), limit },
        Command::ContestUnlock(lock) => JobCommand::Unlock(of_job(lock)),
        Command::ContestRefresh(lock) => JobCommand::Refresh(of_job(lock)),
        other => panic!("not a locker call: {other:?}"),
    }
}

pub(super) fn command(actor: &str, verb: &str, rest: &[&str]) -> JobCommand {
    match (verb, rest) {
        ("job-start", [manager, options @ ..]) => {
            let mut options = Options::of(options);
            let start = JobStart {
                owner: owner(actor),
                manager: plugin_name(manager),
                acquire_parameters: "{}".into(),
                release_parameters: "{}".into(),
                acquire_timeout: span(options.take("acquire").unwrap_or("5m")),
                lock_duration: span(options.take("hold").unwrap_or("10m")),
                release_timeout: span(options.take("release").unwrap_or("5m")),
                key: options.take("key").map(|key| (key.into(), 7)),
            };
            options.done();
            JobCommand::Start(Box::new(start))
        }
        ("job-acquired", [id, list]) => {
            let names = list.split(',').filter(|name| *name != "-");
            let targets = names.map(|name| {
                let name = if name == "_" { " ".to_owned() } else { name.to_owned() };
                (name, TargetFacts::default())
            });
            JobCommand::Acquired { job: job(id), targets: targets.collect() }
        }
        ("job-failed", [id, error]) => JobCommand::AcquireFailed { job: job(id), error: (*error).into() },
        ("job-renew", [id, options @ ..]) => {
            let mut options = Options::of(options);
            let lock_duration = options.take("hold").map(span);
            options.done();
            JobCommand::Renew { job: job(id), owner: someone(actor), lock_duration }
        }
        ("job-end", [id, why @ ..]) => {
            let reason = why.first().map(|why| (*why).into());
            JobCommand::End { job: job(id), owner: someone(actor), reason }
        }
        ("job-released", [id, attempt]) => {
            JobCommand::Released { job: job(id), attempt: attempt.parse().expect("an attempt") }
        }
        ("job-unreleased", [id, attempt, error]) => JobCommand::ReleaseFailed {
            job: job(id),
            attempt: attempt.parse().expect("an attempt"),
            error: (*error).into(),
        },
        ("job-force", [id, why]) => {
            JobCommand::Force { job: job(id), reason: (*why).into(), by: someone(actor) }
        }
        _ => panic!("no such verb: {verb} {rest:?}"),
    }
}

fn told(name: &str, news: PluginNews) -> PluginCommand {
    PluginCommand::Tell { name: plugin_name(name), news }
}

pub(super) fn plugin(verb: &str, rest: &[&str]) -> PluginCommand {
    match (verb, rest) {
        ("plugin-install", [name, digest, options @ ..]) => {
            let mut options = Options::of(options);
            let spec = options.take("spec").unwrap_or("{}").into();
            let origin =
                if options.take("config").is_some() { PluginOrigin::Config } else { PluginOrigin::Api };
            options.done();
            let version = PluginVersion { digest: (*digest).into(), spec };
            PluginCommand::Install { name: plugin_name(name), version, origin }
        }
        ("plugin-enable", [name]) => PluginCommand::Enable { name: plugin_name(name), enabled: true },
        ("plugin-disable", [name]) => PluginCommand::Enable { name: plugin_name(name), enabled: false },
        ("plugin-back", [name, digest]) => {
            PluginCommand::RollBack { name: plugin_name(name), digest: (*digest).into() }
        }
        ("plugin-reloaded", [name]) => told(name, PluginNews::Reloaded),
        ("plugin-broke", [name, why]) => told(name, PluginNews::Quarantined((*why).into())),
        ("plugin-healed", [name]) => told(name, PluginNews::Enabled),
        ("plugin-remove", [name]) => PluginCommand::Remove { name: plugin_name(name) },
        _ => panic!("no such verb: {verb} {rest:?}"),
    }
}

pub(super) fn shown(job: &JobRecord) -> String {
    let targets: Vec<&str> = job.targets.iter().map(|target| target.id.as_str()).collect();
    let phase = match job.phase {
        Phase::Acquiring { until } | Phase::Leased { until } => format!(" until {}", time(until)),
        Phase::Releasing { attempt, until } => format!(" #{attempt} until {}", time(until)),
        Phase::Stuck { attempts, retry_at } => format!(" after {attempts}, again {}", time(retry_at)),
        Phase::Over { .. } => String::new(),
    };
    let cause = job.ending.as_ref().map(|ending| format!(" {:?}", ending.cause)).unwrap_or_default();
    format!("J{} {}{phase} [{}]{cause}", job.id.counted(), job.phase.name(), targets.join(","))
}

pub(super) fn plugin_shown(plugin: &PluginRecord) -> String {
    let before = plugin.previous.as_ref().map(|before| format!(" before {}", before.digest));
    let off = if plugin.enabled { "" } else { " off" };
    format!("{} {}{}{off}", plugin.name, plugin.version.digest, before.unwrap_or_default())
}

pub(super) fn event(kind: EventKind, event: &Event) -> String {
    let note = event.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    let plugin = event.plugin.as_ref().map(ToString::to_string).unwrap_or_default();
    let owner = event.owner.as_ref().map(ToString::to_string).unwrap_or_default();
    let target = event.target.as_ref().map(|target| format!(" {target}")).unwrap_or_default();
    let subject = if owner.is_empty() { plugin } else { owner };
    format!("{subject} {kind:?}{target}{note}")
}
