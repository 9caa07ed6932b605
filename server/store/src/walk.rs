//! Walking through stored events in either direction, all of them or those on some subjects.

use std::ops::RangeInclusive;

use lessor_ledger::Event;
use redb::{ReadOnlyTable, ReadTransaction};

use crate::codec::Names;
use crate::error::Fault;
use crate::journal::Part;
use crate::posting::{self, Wanted};
use crate::schema::{EVENT_PARTS, JOURNAL, PartKey};

/// Which events, and from which end.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    /// Numbers of the events.
    pub(crate) ids: RangeInclusive<u64>,
    /// Highest first.
    pub(crate) newest_first: bool,
}

impl Walk {
    /// Hands all events in the range to `add` until it answers `false`.
    pub(crate) fn all(
        &self,
        txn: &ReadTransaction,
        add: &mut impl FnMut(Event) -> bool,
    ) -> Result<(), Fault> {
        let parts = txn.open_table(EVENT_PARTS)?;
        let journal = txn.open_table(JOURNAL)?;
        let mut names = Names::new();
        // The first event of the range may be in the middle of a part.
        let first = parts.range(..=*self.ids.start())?.next_back().transpose()?;
        let first = first.map_or(*self.ids.start(), |(first, _)| first.value());
        let mut rows = parts.range(first..=*self.ids.end())?;
        while let Some(row) = if self.newest_first { rows.next_back() } else { rows.next() } {
            if !self.part(&journal, row?.1.value(), &mut names, add)? {
                break;
            }
        }
        Ok(())
    }

    /// Hands the events of one part to `add`. Answers whether it wants more.
    fn part(
        &self,
        journal: &ReadOnlyTable<PartKey, &'static [u8]>,
        key: PartKey,
        names: &mut Names,
        add: &mut impl FnMut(Event) -> bool,
    ) -> Result<bool, Fault> {
        let missing = Fault::Missing { table: "journal", what: "a part that the index of events names" };
        let value = journal.get(key)?.ok_or(missing)?;
        let mut events = Vec::new();
        Part::parse(value.value())?.events(names, |event| {
            if self.ids.contains(&event.id.0) {
                events.push(event);
            }
            true
        })?;
        if self.newest_first {
            events.reverse();
        }
        Ok(events.into_iter().all(add))
    }
}

/// Numbers of the events in the range that are about at least one of what is wanted, in the order of the walk.
pub(crate) fn events_of<'a>(
    postings: &ReadOnlyTable<(&'static [u8], u64), &'static [u8]>,
    wanted: &[Wanted<'a>],
    walk: &Walk,
) -> Result<impl Iterator<Item = Result<u64, Fault>> + use<'a>, Fault> {
    let mut streams = Vec::new();
    for wanted in wanted {
        streams.push(Stream::open(postings, *wanted, walk)?);
    }
    let newest_first = walk.newest_first;
    Ok(std::iter::from_fn(move || next(&mut streams, newest_first).transpose()))
}

/// The next number over all streams; several may have it.
fn next(streams: &mut [Stream<'_>], newest_first: bool) -> Result<Option<u64>, Fault> {
    let mut best = None;
    for stream in streams.iter_mut() {
        let head = stream.peek()?;
        best = match (best, head) {
            (Some(best), Some(head)) if newest_first => Some(head.max(best)),
            (Some(best), Some(head)) => Some(head.min(best)),
            (best, head) => best.or(head),
        };
    }
    for stream in streams.iter_mut() {
        if best.is_some() && stream.peek()? == best {
            stream.row.pop();
        }
    }
    Ok(best)
}

/// The events of one thing that is wanted.
struct Stream<'a> {
    rows: redb::Range<'static, (&'static [u8], u64), &'static [u8]>,
    /// Events that are left of the current row, the next one last.
    row: Vec<u64>,
    wanted: Wanted<'a>,
    walk: Walk,
}

impl<'a> Stream<'a> {
    fn open(
        table: &ReadOnlyTable<(&'static [u8], u64), &'static [u8]>,
        wanted: Wanted<'a>,
        walk: &Walk,
    ) -> Result<Self, Fault> {
        let key = wanted.key();
        let numbers = wanted.numbers(&walk.ids);
        // The first number of the range may be in the middle of a row.
        let first = table.range((key.as_slice(), 0)..=(key.as_slice(), *numbers.start()))?.next_back();
        let first = first.transpose()?.map_or(*numbers.start(), |(row, _)| row.value().1);
        let rows = table.range((key.as_slice(), first)..=(key.as_slice(), *numbers.end()))?;
        Ok(Self { rows, row: Vec::new(), wanted, walk: walk.clone() })
    }

    fn peek(&mut self) -> Result<Option<u64>, Fault> {
        while self.row.is_empty() {
            let row = if self.walk.newest_first { self.rows.next_back() } else { self.rows.next() };
            let Some((key, value)) = row.transpose()? else { return Ok(None) };
            let numbers = posting::numbers(key.value().1, value.value())?;
            let events = numbers.into_iter().filter_map(|number| self.wanted.event(number));
            self.row = events.filter(|event| self.walk.ids.contains(event)).collect();
            if !self.walk.newest_first {
                self.row.reverse();
            }
        }
        Ok(self.row.last().copied())
    }
}
