//! The journal: batch after batch, what happened and what the records are since.
//!
//! A batch is one or more *parts* under consecutive keys. A part is a CBOR array of a header, the events as a byte string
//! of records, and the other changes as a byte string of tagged records. So an event is found without stepping over
//! records, and records are replayed without stepping over events.
//!
//! In the log a part has everything. What the journal keeps of it when the tables have its records is history: the events,
//! and of the records the leases that ended, which go when the part does. A part with neither is not kept.

use std::ops::Range;
use std::sync::Arc;

use lessor_ledger::{Change, Counters, Event, Time};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::codec::{self, DecodeError, EventRecord, Names, Record as _};
use crate::error::{Fault, damaged};
use crate::limits::{BUFFER_BYTES_KEPT, PART_CHANGES_MAX};
use crate::schema::PartKey;

/// What one commit makes durable.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its number: one more than that of the batch before, the first is 1.
    pub number: u64,
    /// When it was decided. Never before the batch before.
    pub at: Time,
    /// The highest numbers given out, this batch included.
    pub counters: Counters,
    /// What happened, in order.
    pub changes: Arc<[Change]>,
}

/// A place in the journal, and what was true there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) batch: u64,
    pub(crate) at: Time,
    pub(crate) counters: Counters,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct MarkRecord {
    #[n(0)]
    batch: u64,
    #[n(1)]
    at: i64,
    #[n(2)]
    counters: CountersRecord,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct CountersRecord {
    #[n(0)]
    lease: u64,
    #[n(1)]
    request: u64,
    #[n(2)]
    event: u64,
    #[n(3)]
    #[cbor(default)]
    revision: u64,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct HeaderRecord {
    #[n(0)]
    at: i64,
    #[n(1)]
    counters: CountersRecord,
    #[n(2)]
    first_event: u64,
    #[n(3)]
    events: u64,
    #[n(4)]
    #[cbor(default)]
    more: bool,
}

impl Default for Mark {
    fn default() -> Self {
        Self::START
    }
}

impl CountersRecord {
    fn of(counters: Counters) -> Self {
        let Counters { lease, request, event, revision } = counters;
        Self { lease, request, event, revision }
    }

    fn build(self) -> Counters {
        let Self { lease, request, event, revision } = self;
        Counters { lease, request, event, revision }
    }
}

impl Mark {
    /// The place of a batch whose parts have this header.
    pub(crate) fn of(batch: u64, header: &Header) -> Self {
        Self { batch, at: header.at, counters: header.counters }
    }

    /// Before the first batch.
    pub(crate) const START: Self = Self {
        batch: 0,
        at: Time::from_nanos(i64::MIN),
        counters: Counters { lease: 0, request: 0, event: 0, revision: 0 },
    };

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        let counters = CountersRecord::of(self.counters);
        codec::put(&MarkRecord { batch: self.batch, at: self.at.nanos(), counters }, out);
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mark: MarkRecord = minicbor::decode(bytes).map_err(DecodeError::from).map_err(damaged("meta"))?;
        Ok(Self { batch: mark.batch, at: Time::from_nanos(mark.at), counters: mark.counters.build() })
    }
}

/// What is known about a part before its sections are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// When the batch was decided.
    pub(crate) at: Time,
    /// The highest numbers given out, the whole batch included.
    pub(crate) counters: Counters,
    /// Number of the first event in this part or after it.
    pub(crate) first_event: u64,
    /// How many events are in this part.
    pub(crate) events: u64,
    /// Whether another part of the batch follows.
    pub(crate) more: bool,
}

/// One stored part, not yet decoded further than needed.
pub(crate) struct Part<'a> {
    pub(crate) header: Header,
    events: &'a [u8],
    /// Where the records begin as an item.
    records_at: usize,
    records: &'a [u8],
}

impl<'a> Part<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        Self::read(bytes).map_err(damaged("journal"))
    }

    fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.array()?;
        let header: HeaderRecord = decoder.decode()?;
        let header = Header {
            at: Time::from_nanos(header.at),
            counters: header.counters.build(),
            first_event: header.first_event,
            events: header.events,
            more: header.more,
        };
        let events = decoder.bytes()?;
        Ok(Self { header, events, records_at: decoder.position(), records: decoder.bytes()? })
    }

    /// Hands every change to `each`: records in order, then events in order.
    pub(crate) fn changes(&self, names: &mut Names, mut each: impl FnMut(Change)) -> Result<(), Fault> {
        codec::decode_changes(self.records, names, &mut each).map_err(damaged("journal"))?;
        self.events(names, |event| {
            each(Change::Event(event.into()));
            true
        })
    }

    /// Hands events to `each`, in order, until it answers `false`.
    pub(crate) fn events(&self, names: &mut Names, mut each: impl FnMut(Event) -> bool) -> Result<(), Fault> {
        let mut decoder = Decoder::new(self.events);
        while decoder.position() < self.events.len() {
            let event = codec::read::<EventRecord<'_>>(&mut decoder, names).map_err(damaged("journal"))?;
            if !each(event) {
                break;
            }
        }
        Ok(())
    }

    /// The events of this part with these numbers, which fall.
    pub(crate) fn those(&self, ids: &[u64], names: &mut Names) -> Result<Vec<Event>, Fault> {
        self.pick(ids, names).map_err(damaged("journal"))
    }

    fn pick(&self, mut ids: &[u64], names: &mut Names) -> Result<Vec<Event>, DecodeError> {
        let mut decoder = Decoder::new(self.events);
        let mut found = Vec::with_capacity(ids.len());
        while let Some((&next, later)) = ids.split_last()
            && decoder.position() < self.events.len()
        {
            let record: EventRecord<'_> = decoder.decode()?;
            if record.id == next {
                found.push(record.build(names)?);
                ids = later;
            }
        }
        Ok(found)
    }

    /// Leases that ended in this part.
    pub(crate) fn ended_leases(&self) -> Result<Vec<lessor_ledger::LeaseId>, Fault> {
        codec::ended_leases(self.records).map_err(damaged("journal"))
    }
}

/// A part as the log has it.
#[derive(Clone, Debug)]
pub(crate) struct StoredPart {
    pub(crate) key: PartKey,
    pub(crate) header: Header,
    pub(crate) value: Box<[u8]>,
    /// Where in `value` the records begin as an item.
    records_at: usize,
    /// How many bytes the records have, with which `value` ends.
    records_len: usize,
    /// Where in the records the leases are that ended, each with its tag.
    ended: Box<[Range<usize>]>,
}

impl StoredPart {
    /// A part that was read from the log.
    pub(crate) fn of(key: PartKey, value: Box<[u8]>) -> Result<Self, Fault> {
        let Part { header, records_at, records, .. } = Part::parse(&value)?;
        let ended = codec::ended_records(records).map_err(damaged("journal"))?.into();
        let records_len = records.len();
        Ok(Self { key, header, value, records_at, records_len, ended })
    }

    /// Writes to `out` what the journal keeps of it when the tables have its records; answers whether that is anything.
    pub(crate) fn history(&self, out: &mut Vec<u8>) -> bool {
        out.clear();
        out.extend_from_slice(&self.value[..self.records_at]);
        let records = &self.value[self.value.len() - self.records_len..];
        let ended = self.ended.iter().map(|range| &records[range.clone()]);
        put_section(ended, out);
        self.header.events > 0 || !self.ended.is_empty()
    }
}

/// Appends a byte string that is made of `pieces`.
fn put_section<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone, out: &mut Vec<u8>) {
    let len: usize = pieces.clone().map(<[u8]>::len).sum();
    Encoder::new(&mut *out)
        .bytes_len(len as u64)
        .unwrap_or_else(|error| unreachable!("writing to memory cannot fail: {error}"));
    pieces.for_each(|piece| out.extend_from_slice(piece));
}

/// Turns batches into parts, with buffers that are used again and again.
#[derive(Debug, Default)]
pub(crate) struct Scribe {
    records: Vec<u8>,
    events: Vec<u8>,
    /// Where in `records` the leases are that ended.
    ended: Vec<Range<usize>>,
    value: Vec<u8>,
}

impl Scribe {
    /// The parts of `batch`. `last_event` is the number of the last event before it.
    pub(crate) fn write(&mut self, batch: &Batch, mut last_event: u64) -> Vec<StoredPart> {
        let mut parts = Vec::with_capacity(batch.changes.len() / PART_CHANGES_MAX + 1);
        let mut rest = &*batch.changes;
        loop {
            let (part, later) = rest.split_at(rest.len().min(PART_CHANGES_MAX));
            rest = later;
            let header = self.encode(batch, part, last_event, !rest.is_empty());
            last_event = last_event.max((header.first_event + header.events).saturating_sub(1));
            let number = u32::try_from(parts.len()).expect("a batch fits into memory");
            parts.push(self.part((batch.number, number), header));
            if rest.is_empty() {
                break;
            }
        }
        self.shrink();
        parts
    }

    fn encode(&mut self, batch: &Batch, changes: &[Change], last_event: u64, more: bool) -> Header {
        self.clear();
        let mut first_event = last_event + 1;
        let mut events = 0;
        for change in changes {
            let start = self.records.len();
            codec::encode_change(change, &mut self.records, &mut self.events);
            match change {
                Change::Event(event) => {
                    if events == 0 {
                        first_event = event.id.0;
                    }
                    events += 1;
                }
                Change::Lease(lease) if lease.ended.is_some() => self.ended.push(start..self.records.len()),
                _ => {}
            }
        }
        Header { at: batch.at, counters: batch.counters, first_event, events, more }
    }

    fn clear(&mut self) {
        self.records.clear();
        self.events.clear();
        self.ended.clear();
        self.value.clear();
    }

    /// The part that was encoded.
    fn part(&mut self, key: PartKey, header: Header) -> StoredPart {
        let record = HeaderRecord {
            at: header.at.nanos(),
            counters: CountersRecord::of(header.counters),
            first_event: header.first_event,
            events: header.events,
            more: header.more,
        };
        Encoder::new(&mut self.value)
            .array(3)
            .and_then(|e| e.encode(&record))
            .and_then(|e| e.bytes(&self.events))
            .unwrap_or_else(|error| unreachable!("writing to memory cannot fail: {error}"));
        let records_at = self.value.len();
        put_section(std::iter::once(self.records.as_slice()), &mut self.value);
        StoredPart {
            key,
            header,
            value: self.value.as_slice().into(),
            records_at,
            records_len: self.records.len(),
            ended: self.ended.as_slice().into(),
        }
    }

    fn shrink(&mut self) {
        for buffer in [&mut self.records, &mut self.events, &mut self.value] {
            if buffer.capacity() > BUFFER_BYTES_KEPT {
                buffer.clear();
                buffer.shrink_to(BUFFER_BYTES_KEPT);
            }
        }
    }
}

/// Parts with batch numbers above `after`, in order.
pub(crate) fn after(batch: u64) -> std::ops::RangeFrom<PartKey> {
    (batch.saturating_add(1), 0)..
}
