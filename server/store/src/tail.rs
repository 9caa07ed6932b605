//! The tail: history that is committed but not yet in the tables, kept in memory for readers.

use std::sync::Arc;

use imbl::Vector;
use lessor_ledger::{Change, Event, Lease, LeaseId};

/// What one batch, or a piece of a large one, adds to history.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Number of the batch.
    pub(crate) batch: u64,
    /// Its events, numbers rising.
    pub(crate) events: Box<[Arc<Event>]>,
    /// Leases that it ended.
    pub(crate) ended: Box<[Arc<Lease>]>,
}

impl Segment {
    pub(crate) fn new(batch: u64, changes: &[Change]) -> Self {
        let mut events = Vec::new();
        let mut ended = Vec::new();
        for change in changes {
            match change {
                Change::Event(event) => events.push(Arc::clone(event)),
                Change::Lease(lease) if lease.ended.is_some() => ended.push(Arc::clone(lease)),
                _ => {}
            }
        }
        Self { batch, events: events.into(), ended: ended.into() }
    }
}

/// The batches after the mark. Cloning takes constant time, so readers work on a clone and never hold up the writer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    segments: Vector<Arc<Segment>>,
    /// Events up to this number are in the tables' indexes; later ones are in the segments.
    pub(crate) indexed_event: u64,
    /// The last committed event, 0 if there never was one.
    pub(crate) last_event: u64,
}

impl Tail {
    /// A tail that begins after this event.
    pub(crate) fn new(indexed_event: u64) -> Self {
        Self { segments: Vector::new(), indexed_event, last_event: indexed_event }
    }

    /// Adds what came next.
    pub(crate) fn push(&mut self, segment: Segment) {
        if !segment.events.is_empty() || !segment.ended.is_empty() {
            self.segments.push_back(Arc::new(segment));
        }
    }

    /// Takes out the batches up to `batch`, because the tables have all that is in them, `indexed_event` being the
    /// last event in them. They are handed out so that the caller can free them bit by bit.
    pub(crate) fn advance(&mut self, batch: u64, indexed_event: u64) -> Vector<Arc<Segment>> {
        self.indexed_event = self.indexed_event.max(indexed_event);
        let later = self.segments.iter().position(|segment| segment.batch > batch);
        let rest = self.segments.split_off(later.unwrap_or(self.segments.len()));
        std::mem::replace(&mut self.segments, rest)
    }

    /// The events of the tail, in order.
    pub(crate) fn events(&self) -> impl DoubleEndedIterator<Item = &Arc<Event>> {
        self.segments.iter().flat_map(|segment| segment.events.iter())
    }

    /// The leases that ended in the tail, in the order of their ends.
    pub(crate) fn ended(&self) -> impl DoubleEndedIterator<Item = &Arc<Lease>> {
        self.segments.iter().flat_map(|segment| segment.ended.iter())
    }

    /// The lease with this ID, if it ended in the tail.
    pub(crate) fn lease(&self, id: LeaseId) -> Option<&Arc<Lease>> {
        self.ended().rev().find(|lease| lease.id == id)
    }
}
