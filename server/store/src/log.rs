//! The events that are in the tables, found by their numbers.

use std::ops::RangeInclusive;

use lessor_ledger::{Event, EventId, Time};
use redb::{AccessGuard, Range, ReadOnlyTable, ReadTransaction};

use crate::codec::Names;
use crate::error::Fault;
use crate::journal::Part;
use crate::schema::{EVENT_PARTS, JOURNAL, PartKey};

/// Finds events, and keeps the part that the last one was in.
pub(crate) struct Log {
    parts: Parts,
    names: Names,
}

/// The parts of the journal by their events, and where among them the last one was.
struct Parts {
    journal: ReadOnlyTable<PartKey, &'static [u8]>,
    table: ReadOnlyTable<u64, PartKey>,
    current: Option<Loaded>,
    /// Those before it.
    before: Option<Range<'static, u64, PartKey>>,
}

/// A part of the journal, and which events are in it.
struct Loaded {
    ids: RangeInclusive<u64>,
    value: AccessGuard<'static, &'static [u8]>,
}

impl Log {
    pub(crate) fn open(txn: &ReadTransaction) -> Result<Self, Fault> {
        Ok(Self {
            parts: Parts {
                journal: txn.open_table(JOURNAL)?,
                table: txn.open_table(EVENT_PARTS)?,
                current: None,
                before: None,
            },
            names: Names::new(),
        })
    }

    /// The event with this number, if it is still kept.
    pub(crate) fn event(&mut self, id: EventId) -> Result<Option<Event>, Fault> {
        let mut found = None;
        self.each(&[id.0], |event| found = Some(event))?;
        Ok(found)
    }

    /// Hands the events with these numbers, which fall, to `add`, as far as they are still kept. Reads each part once.
    pub(crate) fn each(&mut self, mut ids: &[u64], mut add: impl FnMut(Event)) -> Result<(), Fault> {
        while let Some(&last) = ids.first() {
            let Some(loaded) = self.parts.load(last)? else { break };
            let here = ids.iter().take_while(|&id| loaded.ids.contains(id)).count();
            // What is in no part is not kept any more, and what is older neither.
            let (here, older) = ids.split_at(here.max(1));
            let found = Part::parse(loaded.value.value())?.those(here, &mut self.names)?;
            found.into_iter().rev().for_each(&mut add);
            ids = older;
        }
        Ok(())
    }

    /// The first of these events that was not before `time`: halves them part by part, and of each reads but the first.
    pub(crate) fn first_at(
        &mut self,
        time: Time,
        ids: RangeInclusive<u64>,
    ) -> Result<Option<EventId>, Fault> {
        // Parts that begin before `low` begin before the time, those from `high` on do not.
        let (mut low, mut high) = (*ids.start(), *ids.end() + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let Some(loaded) = self.parts.load(middle)? else { break };
            let mut first = None;
            Part::parse(loaded.value.value())?.events(&mut self.names, |event| {
                first = Some(event.at);
                false
            })?;
            if first.is_some_and(|first| first < time) {
                low = *loaded.ids.end() + 1;
            } else {
                high = *loaded.ids.start();
            }
        }
        // It may be within the part before.
        let mut found = (low <= *ids.end()).then_some(EventId(low));
        if low > *ids.start()
            && let Some(loaded) = self.parts.load(low - 1)?
        {
            Part::parse(loaded.value.value())?.events(&mut self.names, |event| {
                let wanted = event.at >= time;
                if wanted {
                    found = Some(event.id);
                }
                !wanted
            })?;
        }
        Ok(found)
    }
}

impl Parts {
    /// The part in which the event is, or the last one before it; `None` if it is older than all of them.
    fn load(&mut self, id: u64) -> Result<Option<&Loaded>, Fault> {
        if self.current.as_ref().is_none_or(|loaded| !loaded.ids.contains(&id)) {
            let Some((first, key)) = self.find(id)? else { return Ok(None) };
            let missing = Fault::Missing { table: "journal", what: "a part that the index of events names" };
            let value = self.journal.get(key)?.ok_or(missing)?;
            let events = Part::parse(value.value())?.header.events;
            let ids = first..=(first + events).saturating_sub(1);
            self.current = Some(Loaded { ids, value });
        }
        Ok(self.current.as_ref())
    }

    /// Where that part begins, and its key. Whoever reads backwards finds it right before the one that is loaded.
    fn find(&mut self, id: u64) -> Result<Option<(u64, PartKey)>, Fault> {
        let earlier = self.current.as_ref().is_some_and(|loaded| id < *loaded.ids.start());
        if let Some(before) = self.before.as_mut().filter(|_| earlier)
            && let Some((first, key)) = before.next_back().transpose()?
            && first.value() <= id
        {
            return Ok(Some((first.value(), key.value())));
        }
        let mut upto = self.table.range(..=id)?;
        let last = upto.next_back().transpose()?;
        self.before = Some(upto);
        Ok(last.map(|(first, key)| (first.value(), key.value())))
    }
}
