//! The promises of design §2 that the ledger alone can keep, judged from its changes.

use std::collections::BTreeMap;

use lessor_ledger::{
    Change, Command, Dialect, Event, EventKind, LeaseId, Ledger, Part, Request, RequestId, Step, Target,
};

use crate::script::records;

/// Watches the changes go by, as a client of the event log would.
#[derive(Default)]
pub(crate) struct Witness {
    /// Who holds what, and whether that lapsed.
    holders: BTreeMap<Target, (LeaseId, bool)>,
    newest: u64,
}

impl Witness {
    pub(crate) fn judge(&mut self, before: &Ledger, command: &Command, step: &Step, after: &Ledger) {
        for change in &step.changes {
            match change {
                Change::Event(event) => self.exclusion(event),
                Change::Lease(lease) => {
                    let known = before.counters().lease.max(self.newest);
                    let new = lease.id.0 > known;
                    assert!(new || lease.id.0 <= self.newest, "P2: lease {} out of turn", lease.id);
                    self.newest = self.newest.max(lease.id.0);
                }
                _ => {}
            }
        }
        assert!(after.counters().lease >= before.counters().lease, "P2: the lease counter went back");
        if *command == Command::Resume {
            no_overtaking(before, command, step, after);
            return;
        }
        // What was due is settled and handed out first, whatever the command does then.
        let mut ticked = before.clone();
        let tick = ticked.apply(Command::Tick, after.now());
        no_overtaking(before, &Command::Tick, &tick, &ticked);
        no_overtaking(&ticked, command, step, after);
        if step.reply.is_err() {
            nothing_changed(&ticked, command, after);
        }
    }

    /// P1: nobody gets what somebody else holds.
    fn exclusion(&mut self, event: &Event) {
        let (Some(target), Some(lease)) = (&event.target, event.lease) else { return };
        match event.kind {
            EventKind::LeaseGranted => {
                assert!(lease.0 > self.newest, "P2: lease {lease} was granted after {}", self.newest);
                let old = self.holders.insert(target.clone(), (lease, false));
                assert_eq!(old, None, "P1: {target} was granted to lease {lease}");
            }
            EventKind::LeaseReduced | EventKind::LeaseEnded => {
                let old = self.holders.remove(target).map(|(holder, _)| holder);
                assert_eq!(old, Some(lease), "P1: lease {lease} lost {target}");
            }
            EventKind::LockLapsed | EventKind::LockRevived => {
                let lapsed = event.kind == EventKind::LockLapsed;
                let old = self.holders.insert(target.clone(), (lease, lapsed));
                assert_eq!(old, Some((lease, !lapsed)), "P1: {target} lapsed or came back");
            }
            _ => {}
        }
    }
}

/// P4: a refused command does what a tick would have done, apart from a Boskos poll's place in line.
fn nothing_changed(ticked: &Ledger, command: &Command, after: &Ledger) {
    if matches!(command, Command::BoskosAcquire(ask) if ask.request_id.is_some()) {
        return;
    }
    assert_eq!(records(after), records(ticked), "P4: a refusal changed something: {command:?}");
}

/// P5: whoever was granted something, nobody ahead of them still waits for it.
fn no_overtaking(before: &Ledger, command: &Command, step: &Step, after: &Ledger) {
    let leases = step.changes.iter().filter_map(|change| match change {
        Change::Lease(lease) if lease.id.0 > before.counters().lease => Some(lease),
        _ => None,
    });
    for lease in leases {
        let turn = match (lease.request, command) {
            (Some(id), _) => after.request(id).map(|request| turn_of(request)),
            (None, Command::Acquire(ask)) => Some((-i64::from(ask.priority), u64::MAX)),
            (None, Command::BoskosAcquire(ask)) if ask.request_id.is_none() => Some((i64::MAX, u64::MAX)),
            (None, Command::BoskosAcquire(ask)) => {
                let mine =
                    |request: &&Request| request.dialect == Dialect::Boskos && request.key == ask.request_id;
                let waited = before.requests_after(None).map(AsRef::as_ref).find(mine);
                Some(waited.map_or((0, u64::MAX), turn_of))
            }
            // The other operations name their targets and pass the line by, as their dialects have it.
            (None, _) => None,
        };
        let Some(turn) = turn else { continue };
        for event in granted(step, lease.id) {
            let stood = |request: &&Request| request.waits() && !request.dormant && turn_of(request) < turn;
            for ahead in after.requests_after(None).map(AsRef::as_ref).filter(stood) {
                assert!(!starves(after, ahead, event), "P5: {event:?} passed by {ahead:?}");
            }
        }
    }
}

fn turn_of(request: &Request) -> (i64, u64) {
    (-i64::from(request.priority), request.id.0)
}

fn granted(step: &Step, lease: LeaseId) -> impl Iterator<Item = &Event> {
    step.changes.iter().filter_map(move |change| match change {
        Change::Event(event) if event.kind == EventKind::LeaseGranted && event.lease == Some(lease) => {
            Some(event.as_ref())
        }
        _ => None,
    })
}

/// Whether `ahead` could have used what the event says was granted, and lacks it.
fn starves(after: &Ledger, ahead: &Request, event: &Event) -> bool {
    let (Some(target), Some(pool), Some(state)) = (&event.target, &event.pool, &event.from) else {
        return false;
    };
    let Some(resource) = after.resource(target.as_str()) else { return false };
    let usable = ahead.parts.iter().any(|part| match part {
        Part::Pool { pool: of, state: wanted, labels, .. } => {
            let own = &resource.details().labels;
            of == pool && wanted == state && labels.iter().all(|(key, value)| own.get(key) == Some(value))
        }
        Part::Named { targets, pool: of, state: wanted } => {
            of.as_ref().is_none_or(|of| of == pool) && wanted == state && targets.contains(target)
        }
    });
    let blockers = blockers(after, ahead.id);
    let mine: Vec<&(u32, u32)> = blockers
        .iter()
        .filter(|(wanted, _)| *wanted == (pool.to_string(), state.to_string()))
        .map(|(_, n)| n)
        .collect();
    // With several demands in one line it cannot be told from outside which of them is short.
    usable && mine.len() == 1 && mine[0].0 < mine[0].1
}

type Blockers = Vec<((String, String), (u32, u32))>;

fn blockers(after: &Ledger, id: RequestId) -> Blockers {
    let place = after.place(id).expect("it waits");
    let named = place.blockers.into_iter().filter_map(|blocker| match blocker.wanted {
        lessor_ledger::Wanted::Pool(pool, state) => {
            Some(((pool.to_string(), state.to_string()), (blocker.there, blocker.count)))
        }
        lessor_ledger::Wanted::Target(_) => None,
    });
    named.collect()
}
