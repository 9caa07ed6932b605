//! The tail: batches that are committed but not yet in the tables, kept in memory for readers and for the checkpoint.

use std::sync::Arc;

use imbl::Vector;
use lessor_ledger::{Change, Event, Lease, LeaseId};

use crate::journal::{Mark, StoredPart};

/// One batch.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The batch, and what is true after it.
    pub(crate) mark: Mark,
    /// What happened, in order.
    pub(crate) changes: Arc<[Change]>,
    /// The same as the journal keeps it.
    pub(crate) parts: Vec<StoredPart>,
}

impl Segment {
    fn events(&self) -> impl DoubleEndedIterator<Item = &Arc<Event>> {
        self.changes.iter().filter_map(|change| match change {
            Change::Event(event) => Some(event),
            _ => None,
        })
    }

    fn ended(&self) -> impl DoubleEndedIterator<Item = &Arc<Lease>> {
        self.changes.iter().filter_map(|change| match change {
            Change::Lease(lease) if lease.ended.is_some() => Some(lease),
            _ => None,
        })
    }
}

/// The batches after the mark. Cloning takes constant time, so readers work on a clone and never hold up the writer.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    segments: Vector<Arc<Segment>>,
    /// How far the tables are complete.
    pub(crate) mark: Mark,
    /// The last batch committed.
    pub(crate) last: Mark,
}

impl Tail {
    /// A tail that begins after this batch.
    pub(crate) fn new(mark: Mark) -> Self {
        Self { segments: Vector::new(), mark, last: mark }
    }

    /// Adds what came next.
    pub(crate) fn push(&mut self, segment: Segment) {
        self.last = segment.mark;
        self.segments.push_back(Arc::new(segment));
    }

    /// Takes out the batches up to `mark`, because the tables have all that is in them. They are handed out, so that
    /// the caller frees them when nobody waits for that.
    pub(crate) fn advance(&mut self, mark: Mark) -> Vector<Arc<Segment>> {
        self.mark = mark;
        let later = self.segments.iter().position(|segment| segment.mark.batch > mark.batch);
        let rest = self.segments.split_off(later.unwrap_or(self.segments.len()));
        std::mem::replace(&mut self.segments, rest)
    }

    /// The batches of the tail, in order.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.iter()
    }

    /// The events of the tail, in order.
    pub(crate) fn events(&self) -> impl DoubleEndedIterator<Item = &Arc<Event>> {
        self.segments.iter().flat_map(|segment| segment.events())
    }

    /// The events of the tail from number `first` on, in order.
    pub(crate) fn events_from(&self, first: u64) -> impl Iterator<Item = &Arc<Event>> {
        let before = move |segment: &&Arc<Segment>| segment.mark.counters.event < first;
        self.segments.iter().skip_while(before).flat_map(|segment| segment.events())
    }

    /// The leases that ended in the tail, in the order of their ends.
    pub(crate) fn ended(&self) -> impl DoubleEndedIterator<Item = &Arc<Lease>> {
        self.segments.iter().flat_map(|segment| segment.ended())
    }

    /// The lease with this ID, if it ended in the tail.
    pub(crate) fn lease(&self, id: LeaseId) -> Option<&Arc<Lease>> {
        self.ended().rev().find(|lease| lease.id == id)
    }
}
