//! When leases end, and which of them ends next.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::sync::Arc;

use crate::lease::{Lease, LeaseId};
use crate::name::Target;
use crate::state::Ledger;
use crate::time::Time;

impl Ledger {
    /// The earliest deadline of what an active lease holds and of what has not lapsed of that; once all of it has, when the
    /// last did. `None` if it has none.
    #[must_use]
    pub fn expires_at(&self, lease: &Lease) -> Option<Time> {
        let locks = lease.targets.iter().filter_map(|target| self.locks.get(target));
        let (mut held, mut first, mut last_lapsed) = (false, None, None);
        for lock in locks {
            if lock.lapsed {
                last_lapsed = last_lapsed.max(lock.deadline);
            } else {
                held = true;
                first = first.into_iter().chain(lock.deadline).min();
            }
        }
        if held { first } else { last_lapsed }
    }

    /// Active leases that [end](Self::expires_at) by themselves, the first to end first; of those that end at one time the first
    /// number first. From the one after `cursor` on.
    ///
    /// Costs as much as the leases that are taken from it hold, and those of which something has lapsed.
    pub fn leases_by_end(
        &self,
        cursor: Option<(Time, LeaseId)>,
    ) -> impl Iterator<Item = (Time, &Arc<Lease>)> {
        let from = cursor.map_or(Time::from_nanos(i64::MIN), |(at, _)| at);
        let mut locks = self.locked_until(from).peekable();
        // A lease whose locks end at several times comes at one of them.
        let mut ends = BTreeMap::new();
        let together = iter::from_fn(move || {
            let &(at, _) = locks.peek()?;
            let same = iter::from_fn(|| locks.next_if(|(other, _)| *other == at));
            let ids = same.filter_map(|(_, target)| Some(self.locks.get(target)?.lease));
            let mut end =
                |id: LeaseId| *ends.entry(id).or_insert_with(|| self.expires_at(self.leases.get(&id)?));
            Some((at, ids.filter(|id| end(*id) == Some(at)).collect::<BTreeSet<_>>()))
        });
        let leases = together.flat_map(|(at, ids)| ids.into_iter().map(move |id| (at, id)));
        let leases = leases.filter(move |place| cursor.is_none_or(|cursor| *place > cursor));
        leases.filter_map(|(at, id)| Some((at, self.leases.get(&id)?)))
    }

    /// Whether anything is held until it is given back.
    #[must_use]
    pub fn has_endless_locks(&self) -> bool {
        self.locks.len() > self.index.deadlines.len() + self.index.lapsed.len()
    }

    /// Locks that end by themselves, live or lapsed, by when they end.
    fn locked_until(&self, from: Time) -> impl Iterator<Item = (Time, &Target)> {
        let live = self.index.deadlines.range((from, Target::lowest())..);
        let lapsed = self.index.lapsed.range((from, Target::lowest())..);
        let (mut live, mut lapsed) = (live.peekable(), lapsed.peekable());
        iter::from_fn(move || {
            let first = match (lapsed.peek(), live.peek()) {
                (Some(one), Some(other)) if one < other => lapsed.next(),
                (Some(_), None) => lapsed.next(),
                _ => live.next(),
            };
            first.map(|(at, target)| (*at, target))
        })
    }
}
