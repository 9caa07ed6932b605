//! From what came back to one line of text.

use std::fmt::Write;

use lessor_ledger::{
    Change, Conflict, Event, EventKind, Grant, Lease, Ledger, Refusal, Reply, Request, Resource, Settled,
    Step, Target, Time,
};

/// More events than this are only counted.
const TOLD_MAX: usize = 20;

/// The reply, and what happened.
pub(crate) fn step(step: &Step) -> String {
    let reply = match &step.reply {
        Ok(reply) => self::reply(reply),
        Err(refusal) => format!("no: {}", self::refusal(refusal)),
    };
    let events = step.changes.iter().filter_map(|change| match change {
        Change::Event(event) => Some(self::event(event)),
        _ => None,
    });
    let settled = step.settled.iter().map(|(id, how)| match how {
        Settled::Granted(grant) => format!("R{id} gets L{}", grant.lease.id),
        Settled::Ended(_) => format!("R{id} ends"),
    });
    let told: Vec<String> = events.chain(settled).collect();
    match told.len() {
        0 => reply,
        count if count > TOLD_MAX => format!("{reply} | {count} events"),
        _ => format!("{reply} | {}", told.join("; ")),
    }
}

fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Done => "done".into(),
        Reply::Held(resources, owner) => {
            let held = resources.iter().map(|r| format!("{}:{}", r.name, r.state));
            format!("{owner} holds {}", held.collect::<Vec<_>>().join(","))
        }
        Reply::Reset(taken) => {
            let taken = taken.iter().map(|(target, owner)| format!("{target} from {owner}"));
            format!("reset [{}]", taken.collect::<Vec<_>>().join(", "))
        }
        Reply::Locked(targets) => format!("locked [{}]", list(targets)),
        Reply::Granted(grant) => self::grant(grant),
        Reply::Replayed(lease) => format!("was L{lease}"),
        Reply::Queued(request, place) => {
            let there = place.blockers.iter().map(|blocker| {
                let missing = if blocker.pool_missing { " of no pool" } else { "" };
                format!("{} of {}{missing}", blocker.there, blocker.count)
            });
            format!("R{} is #{}, {}", request.id, place.position, there.collect::<Vec<_>>().join(" and "))
        }
        Reply::Settled(request) => format!("settled: {}", self::request(request)),
        Reply::Released(lease) => self::lease(lease),
        Reply::Edited(resource, new) => {
            format!("{}{}", if *new { "new " } else { "" }, self::resource(resource))
        }
        Reply::Synced(report) => format!(
            "synced +[{}] -[{}] later[{}]",
            list(&report.created),
            list(&report.deleted),
            list(&report.deferred)
        ),
        Reply::Job(job) => super::job::shown(job),
        Reply::Plugin(plugin) => super::job::plugin_shown(plugin),
    }
}

fn grant(grant: &Grant) -> String {
    let until = grant.expires_at.map_or("for ever".into(), |at| format!("until {}", time(at)));
    format!("L{} {} [{}] {until}", grant.lease.id, grant.lease.owner, list(&grant.lease.targets))
}

fn lease(lease: &Lease) -> String {
    let mut text = format!("L{} {} [{}]", lease.id, lease.owner, list(&lease.targets));
    if !lease.returned.is_empty() {
        let _ = write!(text, " returned [{}]", list(&lease.returned));
    }
    if let Some(ended) = &lease.ended {
        let _ = write!(text, " {:?}", ended.cause);
        if let Some(by) = &ended.by {
            let _ = write!(text, " by {by}");
        }
    }
    text
}

fn request(request: &Request) -> String {
    let outcome = request.outcome.map_or("waits".into(), |outcome| match outcome {
        lessor_ledger::Outcome::Granted { lease, .. } => format!("granted L{lease}"),
        lessor_ledger::Outcome::Withdrawn { .. } => "withdrawn".into(),
        lessor_ledger::Outcome::Lapsed { .. } => "lapsed".into(),
    });
    let dormant = if request.dormant { " dormant" } else { "" };
    format!("R{} {} {outcome}{dormant}", request.id, request.owner)
}

fn resource(resource: &Resource) -> String {
    let mut text = format!("{} in {} {}", resource.name, resource.pool, resource.state);
    let details = resource.details();
    if !details.labels.is_empty() {
        let _ = write!(text, " {:?}", details.labels);
    }
    if !details.user_data.is_empty() {
        let _ = write!(text, " data {:?}", details.user_data);
    }
    if let Some(cordon) = resource.cordon() {
        let _ = write!(text, " cordoned");
        if !cordon.message.is_empty() {
            let _ = write!(text, ": {}", cordon.message);
        }
        if let Some(until) = cordon.until {
            let _ = write!(text, " until {}", time(until));
        }
    }
    if let Some(at) = resource.expires_at {
        let _ = write!(text, " expires {}", time(at));
    }
    text
}

/// A resource and its lock, or a lock, or a pool.
pub(crate) fn record(ledger: &Ledger, name: &str) -> String {
    let mut text = match (ledger.resource(name), ledger.pool(name)) {
        (Some(resource), _) => {
            format!("{} @{} rev {}", self::resource(resource), time(resource.updated_at), resource.revision)
        }
        (None, Some(pool)) => {
            let counts = pool
                .lifecycle
                .as_ref()
                .map_or("static".into(), |l| format!("{}/{}", l.min_count, l.max_count));
            let usage = ledger.usage(&pool.name);
            format!("{name}: {counts}, {} held of {}, {:?}", usage.held, usage.total, usage.by_state)
        }
        (None, None) => name.to_string(),
    };
    match ledger.lock(name) {
        Some(lock) => {
            let until = lock.deadline.map_or("for ever".into(), time);
            let lapsed = if lock.lapsed { ", lapsed" } else { "" };
            let _ = write!(
                text,
                ", {} L{} since {} until {until}{lapsed}",
                lock.owner,
                lock.lease,
                time(lock.taken_at)
            );
        }
        None if ledger.pool(name).is_none() => text.push_str(", not held"),
        None => {}
    }
    text
}

fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Busy(conflicts) | Refusal::Unavailable(conflicts) => {
            let kind = if matches!(refusal, Refusal::Busy(_)) { "busy" } else { "unavailable" };
            format!("{kind} [{}]", conflicts.iter().map(conflict).collect::<Vec<_>>().join(", "))
        }
        Refusal::NotHeld(missing) => {
            let missing = missing.iter().map(|missing| match &missing.holder {
                Some(holder) => format!("{} is {holder}'s", missing.target),
                None => missing.target.to_string(),
            });
            format!("not held [{}]", missing.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn conflict(conflict: &Conflict) -> String {
    let what = conflict.target.as_ref().map(Target::to_string);
    let mut text = what.or_else(|| conflict.pool.as_ref().map(ToString::to_string)).unwrap_or_default();
    if let Some(holder) = &conflict.holder {
        let _ = write!(text, " is {holder}'s");
    }
    if let Some(why) = &conflict.why {
        let _ = write!(text, " {why}");
    }
    text
}

fn event(event: &Event) -> String {
    let target = event.target.as_ref().map(Target::to_string).unwrap_or_default();
    let pool = event.pool.as_ref().map(ToString::to_string).unwrap_or_default();
    let lease = event.lease.map(|lease| format!("L{lease}")).unwrap_or_default();
    let request = event.request.map(|request| format!("R{request}")).unwrap_or_default();
    let owner = event.owner.as_ref().map(ToString::to_string).unwrap_or_default();
    let states = match (&event.from, &event.to) {
        (None, None) => String::new(),
        (from, to) => {
            let name = |state: &Option<lessor_ledger::State>| {
                state.as_ref().map(ToString::to_string).unwrap_or_default()
            };
            format!(" {}>{}", name(from), name(to))
        }
    };
    let cause = event.cause.map(|cause| format!(" {cause:?}")).unwrap_or_default();
    match event.kind {
        EventKind::LeaseGranted => format!("{lease} +{target} {owner}{states}"),
        EventKind::LeaseReduced => format!("{lease} -{target}{cause}{states}"),
        EventKind::LeaseEnded => format!("{lease} -{target}{cause}{states}, over"),
        EventKind::LockLapsed => format!("{lease} {target} lapsed{states}"),
        EventKind::LockRevived => format!("{lease} {target} revived"),
        EventKind::RequestQueued => format!("{request} {owner} queued"),
        EventKind::RequestWithdrawn => {
            let note = event.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            format!("{request} withdrawn{note}")
        }
        EventKind::RequestLapsed => format!("{request} lapsed"),
        EventKind::ResourceCreated => format!("{} made in {pool}{states}", short(&target)),
        EventKind::ResourceChanged => {
            let note = event.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            format!("{} changed{states}{note}", short(&target))
        }
        EventKind::ResourceDeleted => format!("{} gone from {pool}{states}", short(&target)),
        EventKind::ResourceCordoned => format!("{target} cordoned"),
        EventKind::ResourceUncordoned => {
            let note = event.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            format!("{target} uncordoned{note}")
        }
        EventKind::PoolCreated => format!("pool {pool} made"),
        EventKind::PoolChanged => format!("pool {pool} changed"),
        EventKind::PoolDeleted => format!("pool {pool} gone"),
        other => super::job::event(other, event),
    }
}

/// Generated names are long.
fn short(name: &str) -> &str {
    if name.len() == 36 { &name[..8] } else { name }
}

fn list(targets: &[Target]) -> String {
    targets.iter().map(|target| short(target.as_str())).collect::<Vec<_>>().join(",")
}

/// Seconds, with a `+` for the nanosecond after, and everything in between in full.
pub(crate) fn time(at: Time) -> String {
    let nanos = at.nanos();
    let (second, rest) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    match rest {
        0 => format!("{second}s"),
        1 => format!("{second}s+"),
        _ if rest % 1_000_000 == 0 => format!("{}ms", at.millis()),
        _ => format!("{nanos}ns"),
    }
}
