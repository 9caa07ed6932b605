//! Queries over ended leases and events: the tables up to the mark, the tail after it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use lessor_ledger::{Event, EventId, EventKind, Lease, LeaseId, Owner, Target, Time};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use crate::codec::{LeaseRecord, Names, decode};
use crate::ended::{self, Party};
use crate::error::{Fault, ReadError, damaged};
use crate::limits::PAGE_MAX;
use crate::log::Log;
use crate::posting::Wanted;
use crate::schema::{ENDED, EVENT_PARTS, POSTINGS};
use crate::tail::Tail;
use crate::walk::{Walk, events_of};

/// Which ended leases are wanted. [`Default`] wants the first [`PAGE_MAX`] of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseFilter {
    /// Only those with higher IDs.
    pub after: Option<LeaseId>,
    /// Only those with lower IDs.
    pub before: Option<LeaseId>,
    /// Only those that held this target at any time.
    pub target: Option<Target>,
    /// Only those of this owner.
    pub owner: Option<Owner>,
    /// Highest IDs first.
    pub newest_first: bool,
    /// At most this many, and at most [`PAGE_MAX`].
    pub limit: usize,
}

impl Default for LeaseFilter {
    fn default() -> Self {
        Self { after: None, before: None, target: None, owner: None, newest_first: false, limit: PAGE_MAX }
    }
}

/// Which events are wanted. [`Default`] wants the first [`PAGE_MAX`] of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those with higher numbers.
    pub after: Option<EventId>,
    /// Only those with lower numbers.
    pub before: Option<EventId>,
    /// Only those about this target.
    pub target: Option<Target>,
    /// Only those about this lease.
    pub lease: Option<LeaseId>,
    /// Only those of one of these kinds; empty for any.
    pub kinds: Vec<EventKind>,
    /// Highest numbers first.
    pub newest_first: bool,
    /// At most this many, and at most [`PAGE_MAX`].
    pub limit: usize,
}

impl Default for EventFilter {
    fn default() -> Self {
        Self {
            after: None,
            before: None,
            target: None,
            lease: None,
            kinds: Vec::new(),
            newest_first: false,
            limit: PAGE_MAX,
        }
    }
}

impl LeaseFilter {
    /// The IDs that may match.
    fn ids(&self) -> RangeInclusive<u64> {
        let first = self.after.map_or(0, |id| id.0.saturating_add(1));
        let last = self.before.map_or(u64::MAX, |id| id.0.saturating_sub(1));
        first..=last
    }

    fn matches(&self, lease: &Lease) -> bool {
        let held = |target| lease.targets.contains(target) || lease.returned.contains(target);
        self.ids().contains(&lease.id.0)
            && self.target.as_ref().is_none_or(held)
            && self.owner.as_ref().is_none_or(|owner| lease.owner == *owner)
    }
}

impl EventFilter {
    fn ids(&self, last_event: u64) -> RangeInclusive<u64> {
        let first = self.after.map_or(1, |id| id.0.saturating_add(1));
        let last = self.before.map_or(u64::MAX, |id| id.0.saturating_sub(1));
        first..=last.min(last_event)
    }

    fn matches(&self, event: &Event) -> bool {
        self.target.as_ref().is_none_or(|target| event.target.as_ref() == Some(target))
            && self.lease.is_none_or(|lease| event.lease == Some(lease))
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
    }

    /// What the index knows and at least one of which is true of every match, the rarest known; empty if it is of no use.
    fn wanted(&self) -> Vec<Wanted<'_>> {
        if let Some(lease) = self.lease {
            return vec![Wanted::Lease(lease)];
        }
        if let Some(target) = &self.target {
            return vec![Wanted::Target(target)];
        }
        let kinds: std::collections::BTreeSet<_> = self.kinds.iter().copied().collect();
        kinds.into_iter().map(Wanted::Kind).collect()
    }
}

/// One committed state of history.
pub(crate) struct History {
    pub(crate) tail: Tail,
    pub(crate) txn: ReadTransaction,
}

impl History {
    /// `tail` must have been taken before `txn` began.
    pub(crate) fn new(tail: Tail, txn: ReadTransaction) -> Self {
        Self { tail, txn }
    }

    pub(crate) fn lease(&self, id: LeaseId) -> Result<Option<Lease>, ReadError> {
        if let Some(lease) = self.tail.lease(id) {
            return Ok(Some((**lease).clone()));
        }
        let ended = self.txn.open_table(ENDED)?;
        Ok(read_lease(&ended, id.0, &mut Names::new())?)
    }

    pub(crate) fn leases(&self, filter: &LeaseFilter) -> Result<Vec<Lease>, ReadError> {
        let limit = filter.limit.min(PAGE_MAX);
        if filter.ids().is_empty() {
            return Ok(Vec::new());
        }
        let mut found = BTreeMap::new();
        for lease in self.stored_leases(filter, limit)? {
            found.insert(lease.id, lease);
        }
        for lease in self.tail.ended().filter(|lease| filter.matches(lease)) {
            found.entry(lease.id).or_insert_with(|| (**lease).clone());
        }
        let leases = found.into_values();
        Ok(if filter.newest_first {
            leases.rev().take(limit).collect()
        } else {
            leases.take(limit).collect()
        })
    }

    /// The first `limit` matches that are in the tables.
    fn stored_leases(&self, filter: &LeaseFilter, limit: usize) -> Result<Vec<Lease>, ReadError> {
        let ids = filter.ids();
        let leases = self.txn.open_table(ENDED)?;
        let mut names = Names::new();
        let mut found = Vec::new();
        let mut add = |id: u64| -> Result<bool, Fault> {
            if let Some(lease) = read_lease(&leases, id, &mut names)?
                && filter.matches(&lease)
            {
                found.push(lease);
            }
            Ok(found.len() < limit)
        };
        if limit == 0 {
            return Ok(Vec::new());
        }
        let party = filter.target.as_ref().map(Party::target);
        if let Some(party) = party.or_else(|| filter.owner.as_ref().map(Party::owner)) {
            ended::each(&self.txn, party, &ids, filter.newest_first, add)?;
        } else {
            let mut rows = leases.range(ids)?;
            while let Some(row) = if filter.newest_first { rows.next_back() } else { rows.next() } {
                if !add(row?.0.value())? {
                    break;
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn events(&self, filter: &EventFilter) -> Result<Vec<Event>, ReadError> {
        let limit = filter.limit.min(PAGE_MAX);
        let ids = filter.ids(self.tail.last.counters.event);
        let mut found = Vec::new();
        if filter.newest_first {
            self.tail_events(filter, &ids, limit, &mut found);
            self.stored_events(filter, &ids, limit, &mut found)?;
        } else {
            self.stored_events(filter, &ids, limit, &mut found)?;
            self.tail_events(filter, &ids, limit, &mut found);
        }
        Ok(found)
    }

    fn tail_events(
        &self,
        filter: &EventFilter,
        ids: &RangeInclusive<u64>,
        limit: usize,
        found: &mut Vec<Event>,
    ) {
        if *ids.end() <= self.tail.mark.counters.event {
            return;
        }
        let room = limit.saturating_sub(found.len());
        let matches = |event: &&std::sync::Arc<Event>| ids.contains(&event.id.0) && filter.matches(event);
        let copy = |event: &std::sync::Arc<Event>| (**event).clone();
        if filter.newest_first {
            found.extend(self.tail.events().rev().filter(matches).take(room).map(copy));
        } else {
            found.extend(self.tail.events_from(*ids.start()).filter(matches).take(room).map(copy));
        }
    }

    fn stored_events(
        &self,
        filter: &EventFilter,
        ids: &RangeInclusive<u64>,
        limit: usize,
        found: &mut Vec<Event>,
    ) -> Result<(), ReadError> {
        let ids = *ids.start()..=(*ids.end()).min(self.tail.mark.counters.event);
        if ids.is_empty() || found.len() >= limit {
            return Ok(());
        }
        let walk = Walk { ids, newest_first: filter.newest_first };
        let wanted = filter.wanted();
        let mut add = |event: Event| {
            if filter.matches(&event) {
                found.push(event);
            }
            found.len() < limit
        };
        if wanted.is_empty() {
            return Ok(walk.all(&self.txn, &mut add)?);
        }
        let mut log = Log::open(&self.txn)?;
        for id in events_of(&self.txn.open_table(POSTINGS)?, &wanted, &walk)? {
            if let Some(event) = log.event(EventId(id?))?
                && !add(event)
            {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn first_event(&self) -> Result<EventId, ReadError> {
        let parts = self.txn.open_table(EVENT_PARTS)?;
        if let Some((first, _)) = parts.first()? {
            return Ok(EventId(first.value()));
        }
        let first = self.tail.events().next().map(|event| event.id);
        Ok(first.unwrap_or(EventId(self.tail.last.counters.event + 1)))
    }

    /// The first event that is kept and was not before `time`; the one after the last if there is none.
    pub(crate) fn first_at(&self, time: Time) -> Result<EventId, ReadError> {
        let mark = self.tail.mark.counters.event;
        if let Some(found) = Log::open(&self.txn)?.first_at(time, self.first_event()?.0..=mark)? {
            return Ok(found);
        }
        let found = self.tail.events_from(mark + 1).find(|event| event.id.0 > mark && event.at >= time);
        Ok(found.map_or(EventId(self.tail.last.counters.event + 1), |event| event.id))
    }
}

fn read_lease(
    table: &ReadOnlyTable<u64, &'static [u8]>,
    id: u64,
    names: &mut Names,
) -> Result<Option<Lease>, Fault> {
    let Some(value) = table.get(id)? else { return Ok(None) };
    decode::<LeaseRecord<'_>>(value.value(), names).map(Some).map_err(damaged("ended"))
}
