//! The ledger, seen in the model's terms.

use std::collections::BTreeMap;
use std::sync::Arc;

use lessor_ledger::{
    Change, Command, Conflict, Grant, Lease, LeaseId, Ledger, Missing, Outcome, Owner, Refusal, Reply,
    Request, Resource, Step, Target, Time,
};

use super::decide::{Said, list};
use super::naive::{Deal, Fate, Hold, Model, Thing, Waiter};
use super::registry::edit_text;

/// Tells the model what it cannot know: generated names and the numbers of new leases.
pub(crate) fn tell(model: &mut Model, before: &Ledger, step: &Step) {
    let is_new = |resource: &Resource| {
        resource.name.as_str().len() == 36 && before.resource(resource.name.as_str()).is_none()
    };
    let mut newest = before.counters().lease;
    for change in &step.changes {
        match change {
            Change::Resource(resource) if is_new(resource) && !model.names.contains(&resource.name) => {
                model.names.push(resource.name.clone());
            }
            Change::Lease(lease) if lease.id.0 > newest => {
                newest = lease.id.0;
                model.leases.push((lease.id, lease.targets.clone()));
            }
            _ => {}
        }
    }
    model.last_lease = newest;
}

/// A reply in the model's words.
pub(crate) fn said(reply: &Result<Reply, Refusal>) -> Said {
    match reply {
        Ok(reply) => Ok(given(reply)),
        Err(refusal) => Err(refused(refusal)),
    }
}

fn given(reply: &Reply) -> String {
    match reply {
        Reply::Done => "done".into(),
        Reply::Held(resources, owner) => {
            format!("{owner} holds {}", list(resources.iter().map(|resource| &resource.name)))
        }
        Reply::Reset(taken) => {
            let taken = taken.iter().map(|(target, owner)| format!("{target} from {owner}"));
            format!("reset {}", taken.collect::<Vec<_>>().join(","))
        }
        Reply::Locked(targets) => format!("locked {}", list(targets)),
        Reply::Granted(grant) => granted(grant),
        Reply::Replayed(id) => format!("was {id}"),
        Reply::Queued(request, place) => {
            let there: Vec<u32> = place.blockers.iter().map(|blocker| blocker.there).collect();
            format!("queued {} at {} {there:?}", request.id, place.position)
        }
        Reply::Settled(request) => match request.outcome {
            Some(Outcome::Granted { lease, .. }) => format!("settled granted {lease}"),
            Some(Outcome::Withdrawn { .. }) => "settled withdrawn".into(),
            Some(Outcome::Lapsed { .. }) => "settled lapsed".into(),
            None => "settled waits".into(),
        },
        Reply::Released(lease) if lease.ended.is_some() => format!("lease {} over", lease.id),
        Reply::Released(lease) => format!("lease {} {} {}", lease.id, lease.owner, list(&lease.targets)),
        Reply::Edited(resource, new) => {
            let new = if *new { "new" } else { "edited" };
            format!("{new} {}", edit_text(&thing(resource)))
        }
        Reply::Synced(report) => {
            let mut deferred = report.deferred.clone();
            deferred.sort();
            format!("synced {}", list(&deferred))
        }
        Reply::Job(_) | Reply::Plugin(_) => unreachable!("the strategy asks nothing about jobs"),
    }
}

fn granted(grant: &Grant) -> String {
    let lease = &grant.lease;
    format!("granted {} {} {} {:?}", lease.id, lease.owner, list(&lease.targets), grant.expires_at)
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NoSuchPool(_) => "no pool".into(),
        Refusal::NoSuchResource(_) => "no resource".into(),
        Refusal::NoSuchLease(_) => "no lease".into(),
        Refusal::LeaseEnded(_) => "ended".into(),
        Refusal::NoSuchRequest(_) => "no request".into(),
        Refusal::NothingFree { .. } => "nothing free".into(),
        Refusal::NotAllInState { .. } => "not all".into(),
        Refusal::NotOwner { holder, .. } => {
            format!("not owner but {}", holder.as_ref().map_or("nobody", lessor_ledger::Owner::as_str))
        }
        Refusal::StateMismatch { stored, .. } => format!("in state {stored}"),
        Refusal::JobZero => "job 0".into(),
        Refusal::EmptyTarget => "empty target".into(),
        Refusal::Busy(conflicts) => {
            format!("busy {}", conflicts.iter().map(conflict).collect::<Vec<_>>().join(","))
        }
        Refusal::Unavailable(_) => "unavailable".into(),
        Refusal::NotHeld(missing) if missing.len() == 1 && missing[0].holder.is_none() => not_held(missing),
        Refusal::NotHeld(missing) => not_held(missing),
        Refusal::Unsatisfiable(_) => "unsatisfiable".into(),
        Refusal::TtlOutOfRange { .. } => "ttl".into(),
        Refusal::KeyReused => "key".into(),
        Refusal::StaleRevision { .. } => "stale".into(),
        Refusal::PoolNeeded(_) => "pool needed".into(),
        Refusal::CordonOver(_) => "cordon over".into(),
        Refusal::TooLarge { what, .. } => format!("limit of {what}"),
        Refusal::Full { what, .. } => format!("full of {what}"),
        Refusal::NoSuchJob(_)
        | Refusal::JobForgotten(_)
        | Refusal::JobPhase { .. }
        | Refusal::JobManaged(_)
        | Refusal::SpanOutOfRange { .. }
        | Refusal::NoSuchPlugin(_)
        | Refusal::NothingToRollBack(_)
        | Refusal::PluginInUse { .. } => unreachable!("the strategy asks nothing about jobs"),
    }
}

fn conflict(conflict: &Conflict) -> String {
    let target = conflict.target.as_ref().map_or("", Target::as_str);
    conflict.holder.as_ref().map_or(target.to_owned(), |holder| format!("{target} of {holder}"))
}

fn not_held(missing: &[Missing]) -> String {
    let missing = missing.iter().map(|missing| match &missing.holder {
        Some(holder) => format!("{} of {holder}", missing.target),
        None => missing.target.to_string(),
    });
    format!("not held {}", missing.collect::<Vec<_>>().join(","))
}

fn thing(resource: &Resource) -> Thing {
    let details = resource.details();
    let moves = details
        .moves_to
        .as_ref()
        .map(|next| (next.pool.clone(), next.state.clone(), BTreeMap::clone(&next.details.labels)));
    Thing {
        name: resource.name.clone(),
        pool: resource.pool.clone(),
        state: resource.state.clone(),
        origin: resource.origin,
        labels: BTreeMap::clone(&details.labels),
        data: details.user_data.clone(),
        cordon: details.cordon.as_ref().map(|cordon| (cordon.message.clone(), cordon.until)),
        updated: resource.updated_at,
        expires: resource.expires_at,
        moves,
    }
}

fn waiter(request: &Request) -> Waiter {
    Waiter {
        id: request.id,
        owner: request.owner.clone(),
        dialect: request.dialect,
        parts: request.parts.clone(),
        to: request.to_state.clone(),
        ttl: request.ttl,
        priority: request.priority,
        key: request.key.clone(),
        live_until: request.live_until,
        dormant: request.dormant,
        fate: match request.outcome {
            None => Fate::Waits,
            Some(Outcome::Granted { lease, at }) => Fate::Granted(lease, at),
            Some(Outcome::Withdrawn { at }) => Fate::Withdrawn(at),
            Some(Outcome::Lapsed { at }) => Fate::Lapsed(at),
        },
    }
}

/// Every record of both must be alike.
pub(crate) fn compare(ledger: &Ledger, model: &Model, command: &Command) {
    let things: Vec<Thing> = ledger.resources_after(None).map(|resource| thing(resource)).collect();
    assert_eq!(things, sorted(&model.things, |thing| thing.name.clone()), "resources after {command:?}");
    let holds = ledger.locks_after(None).map(|lock| Hold {
        target: lock.target.clone(),
        lease: lock.lease,
        owner: lock.owner.clone(),
        taken: lock.taken_at,
        deadline: lock.deadline,
        over: lock.lapsed,
    });
    let holds: Vec<Hold> = holds.collect();
    assert_eq!(holds, sorted(&model.holds, |hold| hold.target.clone()), "locks after {command:?}");
    let deals = ledger.leases_after(None).map(|lease| Deal {
        id: lease.id,
        owner: lease.owner.clone(),
        dialect: lease.dialect,
        targets: lease.targets.clone(),
        returned: sorted(&lease.returned, Clone::clone),
        ttl: lease.ttl,
        renewed: lease.renewed_at,
        key: lease.key.clone(),
        pickup: lease.pickup.as_ref().map(|pickup| (pickup.by, pickup.before.clone())),
    });
    let deals: Vec<Deal> = deals.collect();
    let mut expected = sorted(&model.deals, |deal| deal.id);
    for deal in &mut expected {
        deal.returned.sort();
    }
    assert_eq!(deals, expected, "leases after {command:?}");
    let waiters: Vec<Waiter> = ledger.requests_after(None).map(|request| waiter(request)).collect();
    assert_eq!(waiters, sorted(&model.waiters, |waiter| waiter.id), "requests after {command:?}");
    places(ledger, command);
    ends(ledger, model, command);
    orders(ledger, command);
    holders(ledger, command);
    let pools = sorted(&model.pools, |pool| pool.name.clone());
    assert_eq!(super::pools_of(ledger), pools, "pools after {command:?}");
    for note in &model.notes {
        let key = ledger.key(&note.owner, &note.text).map(|key| (key.fingerprint, key.outcome, key.at));
        assert_eq!(key, Some((note.print, note.answer, note.at)), "keys after {command:?}");
    }
}

/// All at once must be what each is on its own.
fn places(ledger: &Ledger, command: &Command) {
    let requests: Vec<_> = ledger.requests_after(None).cloned().collect();
    let each = requests.iter().filter_map(|request| Some((request.id, ledger.place(request.id)?)));
    assert_eq!(ledger.places(&requests), each.collect(), "places after {command:?}");
}

/// The order of leases by their ends is that of the locks that have not lapsed, from wherever it is read.
fn ends(ledger: &Ledger, model: &Model, command: &Command) {
    let mut holds: BTreeMap<LeaseId, Vec<&Hold>> = BTreeMap::new();
    for hold in &model.holds {
        holds.entry(hold.lease).or_default().push(hold);
    }
    let end = |holds: &[&Hold]| {
        let held: Vec<_> = holds.iter().filter(|hold| !hold.over).collect();
        let lapsed = holds.iter().filter_map(|hold| hold.deadline).max();
        if held.is_empty() { lapsed } else { held.iter().filter_map(|hold| hold.deadline).min() }
    };
    let mut expected: Vec<(Time, LeaseId)> =
        holds.iter().filter_map(|(id, holds)| Some((end(holds)?, *id))).collect();
    expected.sort_unstable();
    let from = |cursor| -> Vec<(Time, LeaseId)> {
        ledger.leases_by_end(cursor).map(|(end, lease)| (end, lease.id)).collect()
    };
    assert_eq!(from(None), expected, "leases by end after {command:?}");
    for (index, place) in expected.iter().enumerate() {
        assert_eq!(
            from(Some(*place)),
            expected[index + 1..],
            "leases by end after {command:?} from {place:?}"
        );
    }
    let endless = model.holds.iter().any(|hold| hold.deadline.is_none());
    assert_eq!(ledger.has_endless_locks(), endless, "endless locks after {command:?}");
}

/// Leases from the last to the first, and by owner, are those from the first to the last, from wherever they are read.
fn orders(ledger: &Ledger, command: &Command) {
    let places = |leases: &mut dyn Iterator<Item = &Arc<Lease>>| -> Vec<(Owner, LeaseId)> {
        leases.map(|lease| (lease.owner.clone(), lease.id)).collect()
    };
    let all = places(&mut ledger.leases_after(None));
    let cursors = || all.iter().map(Some).chain([None]);
    for cursor in cursors() {
        let id = cursor.map(|(_, id)| *id);
        let mut newest = all.clone();
        newest.retain(|place| id.is_none_or(|id| place.1 < id));
        newest.reverse();
        assert_eq!(places(&mut ledger.leases_before(id)), newest, "newest after {command:?} from {id:?}");
        if let Some((owner, _)) = cursor {
            let found = places(&mut ledger.leases_of_before(owner, id));
            let theirs: Vec<_> = newest.iter().filter(|place| place.0 == *owner).cloned().collect();
            assert_eq!(found, theirs, "newest of {owner} after {command:?} from {id:?}");
        }
        let mut by_owner = sorted(&all, Clone::clone);
        by_owner.retain(|place| cursor.is_none_or(|cursor| place > cursor));
        let found = places(&mut ledger.leases_by_owner(cursor.cloned()));
        assert_eq!(found, by_owner, "by owner after {command:?} from {cursor:?}");
    }
}

/// Many looked up in a row are as each on its own.
fn holders(ledger: &Ledger, command: &Command) {
    let now = ledger.now();
    for (resource, lock) in ledger.with_holders(ledger.resources_after(None), now) {
        assert_eq!(lock, ledger.holder(resource.name.as_str(), now), "holders after {command:?}");
    }
}

fn sorted<T: Clone, K: Ord>(all: &[T], by: impl Fn(&T) -> K) -> Vec<T> {
    let mut all = all.to_vec();
    all.sort_by_key(by);
    all
}
