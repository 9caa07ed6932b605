//! From records to rows.

use std::sync::Arc;

use lessor_jobs::Sight;
use lessor_ledger::{
    Blocker, Cause, Conflict, Event, Grant, JobRecord, Lease, Ledger, Lock, Outcome, Part, Phase, Place,
    Pool, PoolName, Request, Resource, State, Target, Time, Verdict, Wanted,
};
use lessor_web::chart::{Bar, Sparkline, Stock};
use lessor_web::{
    Drained, EventRow, Holder, JobRow, LeaseRow, Moment, PluginRow, PoolRow, ResourceRow, StateBadge, Text,
    WaitRow,
};

use crate::limits::{PAGE_BLOCKERS_MAX, ROW_BLOCKERS_MAX, ROW_HOLDERS_MAX};
use crate::pages::rollup::Summary;
use crate::pages::visitor::{Visitor, seconds_between};
use crate::time::Stamp;
use crate::v1::view;

/// A time to the second, as pages write it.
pub(crate) fn utc(time: Time) -> String {
    Stamp(Time::from_millis(time.millis().div_euclid(1000) * 1000)).to_string()
}

/// A moment that has been.
pub(crate) fn ago(at: Time, now: Time) -> Moment {
    Moment::ago(utc(at), seconds_between(at, now))
}

/// A moment to come.
pub(crate) fn ahead(at: Time, now: Time) -> Moment {
    Moment::ahead(utc(at), seconds_between(now, at))
}

fn words(text: Option<&lessor_ledger::Text>) -> Option<Text> {
    text.filter(|text| !text.is_empty()).map(|text| Text::from(&**text))
}

fn name(target: &Target) -> Text {
    target.as_str().into()
}

/// A pool with its counts and its line.
pub(crate) fn pool(pool: &Pool, ledger: &Ledger, now: Time, summary: Option<&Summary>) -> PoolRow {
    let stock = stock(ledger, &pool.name);
    let (waiting, oldest) = ledger.waiting(&pool.name);
    PoolRow {
        name: pool.name.as_str().into(),
        dynamic: pool.lifecycle.is_some(),
        bar: Bar::of(&stock),
        stock,
        use_of_day: summary.map(|summary| Sparkline::of(&summary.percents, summary.mean)),
        waiting,
        oldest: oldest.map(|since| ago(since, now)),
        waits: summary.and_then(Summary::percentiles),
    }
}

fn stock(ledger: &Ledger, pool: &PoolName) -> Stock {
    let usage = ledger.usage(pool);
    let rest = usage.total.saturating_sub(usage.free).saturating_sub(usage.held);
    let dirty = usage.by_state.get(&State::dirty()).copied().unwrap_or(0).min(rest);
    Stock { free: usage.free, leased: usage.held, dirty, away: rest - dirty }
}

/// A state, as of a resource that is held or not.
pub(crate) fn state(state: &State, held: bool) -> StateBadge {
    let class = match state {
        _ if held => "leased",
        state if *state == State::free() => "free",
        state if *state == State::dirty() => "dirty",
        _ => "away",
    };
    StateBadge { name: state.as_str().into(), class }
}

/// A resource and who holds it.
pub(crate) fn resource(resource: &Resource, ledger: &Ledger, now: Time, visitor: &Visitor) -> ResourceRow {
    let lock = ledger.holder(resource.name.as_str(), now);
    ResourceRow {
        name: name(&resource.name),
        pool: resource.pool.as_str().into(),
        state: state(&resource.state, lock.is_some()),
        holder: lock.map(|lock| holder(lock, ledger, now, visitor)),
        drained: resource.cordon().map(|cordon| Drained {
            why: Text::from(&*cordon.message),
            since: ago(cordon.since, now),
            until: cordon.until.map(|until| ahead(until, now)),
        }),
        labels: resource
            .details()
            .labels
            .iter()
            .map(|(key, value)| (Text::from(&**key), Text::from(&**value)))
            .collect(),
        updated: ago(resource.updated_at, now),
    }
}

/// Who holds something.
pub(crate) fn holder(lock: &Lock, ledger: &Ledger, now: Time, visitor: &Visitor) -> Holder {
    Holder {
        owner: lock.owner.as_str().into(),
        lease: lock.lease.0,
        purpose: ledger.lease(lock.lease).and_then(|lease| words(lease.purpose.as_ref())),
        since: ago(lock.taken_at, now),
        until: lock.deadline.map(|deadline| ahead(deadline, now)),
        mine: visitor.is(&lock.owner),
    }
}

/// A lease that is held; `names` as many targets of it as are named.
///
/// Of a `ConTest` job only what has not lapsed is held; if all of it has, nothing is.
pub(crate) fn held(grant: &Grant, now: Time, visitor: &Visitor, names: usize) -> LeaseRow {
    let (ends, lapsed) = if grant.live { (grant.expires_at, None) } else { (None, grant.expires_at) };
    LeaseRow {
        holder: Holder { until: ends.map(|at| ahead(at, now)), ..of(&grant.lease, now, visitor) },
        lapsed: lapsed.map(|at| ago(at, now)),
        ..lease(&grant.lease, now, visitor, names)
    }
}

fn of(lease: &Lease, now: Time, visitor: &Visitor) -> Holder {
    Holder {
        owner: lease.owner.as_str().into(),
        lease: lease.id.0,
        purpose: words(lease.purpose.as_ref()),
        since: ago(lease.granted_at, now),
        until: None,
        mine: visitor.is(&lease.owner),
    }
}

/// A lease as the records have it.
pub(crate) fn lease(lease: &Lease, now: Time, visitor: &Visitor, names: usize) -> LeaseRow {
    LeaseRow {
        holder: of(lease, now, visitor),
        targets: lease.targets.iter().take(names).map(name).collect(),
        more: lease.targets.len().saturating_sub(names),
        lapsed: None,
        ended: lease.ended.as_ref().map(|ended| (Text::from(cause(ended.cause)), ago(ended.at, now))),
    }
}

/// Why something ended, for people.
pub(crate) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Released => "released",
        Cause::Expired => "expired",
        Cause::Reaped => "reaped",
        Cause::Reset => "reset",
        Cause::Forced => "taken back",
        Cause::TakenOver => "taken over",
        Cause::Collected => "collected",
        Cause::Deleted => "deleted",
        Cause::Cleaned => "cleaned",
        Cause::Uncollected => "not collected",
    }
}

/// Requests and, while they wait, their places: found together, with one walk along each line. `names` as many targets
/// of one as are named.
pub(crate) fn waits(
    requests: &[Arc<Request>],
    ledger: &Ledger,
    now: Time,
    visitor: &Visitor,
    names: usize,
) -> Vec<WaitRow> {
    let places = ledger.places(requests);
    let most = Most { blockers: ROW_BLOCKERS_MAX, holders: ROW_HOLDERS_MAX, names };
    requests.iter().map(|request| row_of(request, places.get(&request.id), now, visitor, most)).collect()
}

/// A request and, while it waits, its place, with everybody who is known to be in its way.
pub(crate) fn wait(request: &Request, place: Option<&Place>, now: Time, visitor: &Visitor) -> WaitRow {
    let most = Most { blockers: PAGE_BLOCKERS_MAX, holders: Blocker::HOLDERS_MAX, names: 1 };
    row_of(request, place, now, visitor, most)
}

/// How much of what is wanted, and of what is in the way, is named.
#[derive(Clone, Copy)]
struct Most {
    blockers: usize,
    /// For each of them.
    holders: usize,
    /// Of what is wanted by name.
    names: usize,
}

fn row_of(request: &Request, place: Option<&Place>, now: Time, visitor: &Visitor, most: Most) -> WaitRow {
    let in_the_way = place.map_or(&[][..], |place| &place.blockers);
    let named = in_the_way.iter().take(most.blockers);
    WaitRow {
        id: request.id.0,
        owner: request.owner.as_str().into(),
        wants: request.parts.iter().flat_map(|each| part(each, most.names)).collect(),
        purpose: words(request.purpose.as_ref()),
        position: place.map(|place| place.position),
        priority: request.priority,
        since: ago(request.since, now),
        blockers: named.map(|each| blocker(each, &request.parts, now, most.holders)).collect(),
        more_blockers: in_the_way.len().saturating_sub(most.blockers),
        outcome: request.outcome.map(|outcome| match outcome {
            Outcome::Granted { .. } => "Granted",
            Outcome::Withdrawn { .. } => "Cancelled",
            Outcome::Lapsed { .. } => "Lapsed",
        }),
        dormant: request.dormant,
        mine: visitor.is(&request.owner),
    }
}

fn part(part: &Part, names: usize) -> Vec<Text> {
    match part {
        Part::Pool { pool, state, labels, count } => {
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!(" {key}={value}")).collect();
            let state = if *state == State::free() { String::new() } else { format!(" ({state})") };
            vec![format!("{count} × {pool}{state}{}", labels.concat()).into()]
        }
        Part::Named { targets, .. } => match targets.get(names..) {
            Some(rest) if !rest.is_empty() => {
                let first: Vec<&str> = targets[..names].iter().map(Target::as_str).collect();
                vec![format!("{} and {} more", first.join(", "), rest.len()).into()]
            }
            _ => targets.iter().map(name).collect(),
        },
    }
}

fn blocker(blocker: &Blocker, parts: &[Part], now: Time, most: usize) -> lessor_web::Blocker {
    // Who waits for something of a pool by its name is not helped by others that are free there.
    let is_named = parts.iter().all(|part| matches!(part, Part::Named { .. }));
    let only =
        blocker.holders.first().and_then(|holder| holder.target.as_ref()).filter(|_| blocker.count == 1);
    let words = match &blocker.wanted {
        Wanted::Pool(pool, _) if blocker.pool_missing => format!("there is no pool {pool}"),
        Wanted::Pool(pool, _) if is_named => only.map_or_else(
            || format!("{} of {} named ones in {pool}", blocker.there, blocker.count),
            Target::to_string,
        ),
        Wanted::Pool(pool, state) => format!("{} of {} {state} in {pool}", blocker.there, blocker.count),
        Wanted::Target(target) => format!("{target}"),
    };
    let who = |conflict: &Conflict| match (&conflict.holder, &conflict.why) {
        (Some(holder), _) => (
            holder.as_str().into(),
            conflict.lease.map(|lease| lease.0),
            conflict.until.map(|until| ahead(until, now)),
        ),
        (None, why) => (Text::from(why.clone().unwrap_or_default()), None, None),
    };
    lessor_web::Blocker {
        words: words.into(),
        holders: blocker.holders.iter().take(most).map(who).collect(),
        more: blocker.holders.len() > most,
    }
}

/// An event.
pub(crate) fn event(event: &Event, now: Time) -> EventRow {
    let states = match (&event.from, &event.to) {
        (Some(from), Some(to)) if from != to => Some(format!("{from} → {to}")),
        (None, Some(to)) => Some(format!("→ {to}")),
        _ => None,
    };
    let because = event.cause.map(|why| cause(why).to_owned());
    let note = event.note.as_ref().filter(|note| !note.is_empty()).map(|note| format!("“{note}”"));
    let plugin = event.plugin.as_ref().map(|plugin| format!("plugin {plugin}"));
    let words: Vec<String> = [plugin, because, states, note].into_iter().flatten().collect();
    EventRow {
        id: event.id.0,
        at: ago(event.at, now),
        kind: view::kind(event.kind),
        target: event.target.as_ref().map(name),
        pool: event.pool.as_ref().map(|pool| pool.as_str().into()),
        lease: event.lease.map(|lease| lease.0),
        request: event.request.map(|request| request.0),
        owner: event.owner.as_ref().map(|owner| owner.as_str().into()),
        words: words.join(", ").into(),
    }
}

/// A job.
pub(crate) fn job(job: &JobRecord, now: Time, visitor: &Visitor, names: usize) -> JobRow {
    let (class, next) = match job.phase {
        Phase::Acquiring { until } => ("away", Some(("gives up", ahead(until, now)))),
        Phase::Leased { until } => ("leased", Some(("ends", ahead(until, now)))),
        Phase::Releasing { until, .. } => ("dirty", Some(("gives up", ahead(until, now)))),
        Phase::Stuck { retry_at, .. } => ("drained", Some(("is tried again", ahead(retry_at, now)))),
        Phase::Over { at, verdict: Verdict::Completed } => ("free", Some(("was over", ago(at, now)))),
        Phase::Over { at, verdict: Verdict::Failed } => ("drained", Some(("was over", ago(at, now)))),
        Phase::Over { at, verdict: Verdict::Cancelled } => ("away", Some(("was over", ago(at, now)))),
    };
    let ending = job.ending.as_ref();
    let cause = || ending.map(|ending| Text::from(view::end_cause(ending.cause)));
    JobRow {
        id: job.id.0,
        owner: job.owner.as_str().into(),
        mine: visitor.is(&job.owner),
        manager: job.manager.as_str().into(),
        phase: StateBadge { name: job.phase.name().into(), class },
        leased: job.leased_until().is_some(),
        live: job.live(),
        targets: job.targets.iter().take(names).map(|target| name(&target.id)).collect(),
        more: job.targets.len().saturating_sub(names),
        since: ago(job.started_at, now),
        next,
        why: words(job.failure.as_ref())
            .or_else(|| words(ending.and_then(|ending| ending.reason.as_ref())))
            .or_else(cause),
    }
}

/// A plugin, and how it does.
pub(crate) fn plugin(sight: &Sight, now: Time) -> PluginRow {
    let Sight { name, record, manifest, status, broken, .. } = sight;
    let (state, reason) = view::plugin_state(status.as_ref(), broken.clone());
    let class = match state {
        "enabled" => "free",
        "disabled" => "away",
        _ => "drained",
    };
    let count = |of: fn(&lessor_plugins::PluginStatus) -> u64| status.as_ref().map_or(0, of);
    PluginRow {
        name: name.as_str().into(),
        kind: manifest.as_ref().map_or("unknown".into(), |manifest| Text::from(manifest.kind.to_string())),
        state: StateBadge { name: state.into(), class },
        reason: reason.map(Text::from),
        calls: count(|status| status.calls),
        errors: count(|status| status.errors),
        refused: count(|status| status.refused),
        in_flight: count(|status| status.in_flight),
        p95: status.as_ref().and_then(|status| status.p95_us).map(millis),
        changed: record.as_ref().map(|record| ago(record.changed_at, now)),
    }
}

/// Microseconds as milliseconds with one digit, rounded up.
fn millis(micros: u64) -> String {
    let tenths = micros.div_ceil(100);
    format!("{}.{} ms", tenths / 10, tenths % 10)
}
