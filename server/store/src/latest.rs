//! The last events of several targets at once: of one committed state, and no part of the journal is read twice.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use lessor_ledger::{Event, EventId, Target};

use crate::error::ReadError;
use crate::history::History;
use crate::log::Log;
use crate::posting::Wanted;
use crate::schema::POSTINGS;
use crate::walk::{Walk, events_of};

/// Which events of a target are wanted: the last ones of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestFilter {
    /// Events about this target.
    pub target: Target,
    /// Only those with higher numbers.
    pub after: Option<EventId>,
    /// Only those with lower numbers.
    pub before: Option<EventId>,
    /// At most this many.
    pub limit: usize,
}

/// The last events of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest {
    /// The last one first.
    pub events: Vec<Event>,
    /// Whether there are more in the range.
    pub more: bool,
}

impl LatestFilter {
    fn ids(&self) -> RangeInclusive<u64> {
        let first = self.after.map_or(1, |id| id.0.saturating_add(1));
        let last = self.before.map_or(u64::MAX, |id| id.0.saturating_sub(1));
        first..=last
    }
}

impl History {
    /// What is asked for, in that order; all together at most `most` events. Each of the first `least` has an equal share of
    /// them, and what one leaves of it is for those after; of the others there are as many as fit whole.
    pub(crate) fn latest(
        &self,
        wanted: &[LatestFilter],
        (most, least): (usize, usize),
    ) -> Result<Vec<Latest>, ReadError> {
        let stored = self.first_event()?.0..=self.tail.mark.counters.event;
        let postings = self.txn.open_table(POSTINGS)?;
        let mut left = most;
        let mut answers = Vec::with_capacity(wanted.len());
        // Numbers of events, and whose answers they belong to.
        let mut old = Vec::new();
        for (number, (filter, young)) in wanted.iter().zip(self.young(wanted)).enumerate() {
            let sharers = least.min(wanted.len()).saturating_sub(number).max(1);
            let room = filter.limit.min(left / sharers);
            let mut ids_of_it = Vec::new();
            let mut more = young.len() > room;
            let events: Vec<Event> = young.into_iter().take(room).map(|event| Event::clone(event)).collect();
            let mut count = events.len();
            let ids = filter.ids();
            let ids = *stored.start().max(ids.start())..=*stored.end().min(ids.end());
            if !more && !ids.is_empty() {
                let walk = Walk { ids, newest_first: true };
                for id in events_of(&postings, &[Wanted::Target(&filter.target)], &walk)? {
                    more = count == room;
                    if more {
                        break;
                    }
                    ids_of_it.push((id?, number));
                    count += 1;
                }
            }
            if number >= least && more && room < filter.limit {
                break;
            }
            old.append(&mut ids_of_it);
            left -= count;
            answers.push(Latest { events, more });
        }
        self.add_old(old, &mut answers)?;
        Ok(answers)
    }

    /// For each of `wanted` the events that are not in the tables yet, the last one first.
    fn young(&self, wanted: &[LatestFilter]) -> Vec<Vec<&Arc<Event>>> {
        let mut places: BTreeMap<&Target, Vec<usize>> = BTreeMap::new();
        for (number, filter) in wanted.iter().enumerate() {
            places.entry(&filter.target).or_default().push(number);
        }
        let first = wanted.iter().map(|filter| *filter.ids().start()).min().unwrap_or(u64::MAX);
        let first = first.max(self.tail.mark.counters.event + 1);
        let mut young = vec![Vec::new(); wanted.len()];
        for event in self.tail.events().rev().take_while(|event| event.id.0 >= first) {
            let places = event.target.as_ref().and_then(|target| places.get(target));
            for &number in places.into_iter().flatten() {
                let filter = &wanted[number];
                // One more than is wanted tells that there are more.
                if filter.ids().contains(&event.id.0) && young[number].len() <= filter.limit {
                    young[number].push(event);
                }
            }
        }
        young
    }

    /// Adds the events that are in the tables.
    fn add_old(&self, mut old: Vec<(u64, usize)>, answers: &mut [Latest]) -> Result<(), ReadError> {
        old.sort_unstable_by(|one, other| other.cmp(one));
        let mut ids: Vec<u64> = old.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        let mut old = old.into_iter().peekable();
        Log::open(&self.txn)?.each(&ids, |event| {
            while let Some((id, number)) = old.next_if(|(id, _)| *id >= event.id.0) {
                if id == event.id.0 {
                    answers[number].events.push(event.clone());
                }
            }
        })?;
        Ok(())
    }
}
