//! Reading history while the store is written.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use lessor_ledger::{Event, EventId, Lease, LeaseId, Time};
use redb::{ReadTransaction, ReadableDatabase};

use crate::backup;
use crate::error::{BackupError, ReadError, reading};
use crate::history::{EventFilter, History, LeaseFilter};
use crate::latest::{Latest, LatestFilter};
use crate::store::Shared;
use crate::tail::Tail;

/// A handle for reading history: ended leases and events. Cheap to clone, and for any number of threads.
///
/// Every call sees one committed state. Calls read from disk and so may block: not for an async thread. They never
/// hold up the writer.
#[derive(Clone, Debug)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The ended lease with this ID; `None` if it never was, has not ended, or is so old that it was forgotten.
    ///
    /// # Errors
    /// [`ReadError`] if the store is closed or cannot be read.
    pub fn lease(&self, id: LeaseId) -> Result<Option<Lease>, ReadError> {
        self.read(|history| history.lease(id))
    }

    /// Ended leases that match, by ID.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub fn leases(&self, filter: &LeaseFilter) -> Result<Vec<Lease>, ReadError> {
        self.read(|history| history.leases(filter))
    }

    /// Events that match, by number.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<Event>, ReadError> {
        self.read(|history| history.events(filter))
    }

    /// The last events of these targets, in their order: of one committed state, and at most `most` all together. Each of
    /// the first `least` has an equal share of them, and what one leaves of it is for those after; of the others there are
    /// answers for as many as fit whole.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub fn latest(
        &self,
        wanted: &[LatestFilter],
        (most, least): (usize, usize),
    ) -> Result<Vec<Latest>, ReadError> {
        self.read(|history| history.latest(wanted, (most, least)))
    }

    /// Number of the first event that is kept and was not before `time`; one more than the last if none is. Looks at some
    /// 20 events, however many there are: their times rise with their numbers.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub fn first_at(&self, time: Time) -> Result<EventId, ReadError> {
        self.read(|history| history.first_at(time))
    }

    /// Number of the last committed event, 0 if there never was one. Reads nothing from disk.
    #[must_use]
    pub fn last_event(&self) -> EventId {
        EventId(self.shared.tail.read().unwrap_or_else(PoisonError::into_inner).last.counters.event)
    }

    /// Number of the oldest event that is still kept; one more than the last if none is.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub fn first_event(&self) -> Result<EventId, ReadError> {
        self.read(History::first_event)
    }

    /// Writes a consistent copy of the store to the file `path`, which must not exist. Takes commits meanwhile; what
    /// is committed after the start is not in it.
    ///
    /// # Errors
    /// [`BackupError`]; there is no new file at `path` then, but perhaps a left-over beside it.
    pub fn backup_to(&self, path: &Path) -> Result<(), BackupError> {
        let (tail, txn) = self.moment()?;
        backup::write(&txn, &tail, path)
    }

    fn read<T>(&self, read: impl FnOnce(&History) -> Result<T, ReadError>) -> Result<T, ReadError> {
        reading(|| {
            let (tail, txn) = self.moment()?;
            read(&History::new(tail, txn))
        })
    }

    /// One committed state. The tail is taken first: what leaves it afterwards is in the tables that the transaction
    /// then sees. So the tables may be a checkpoint ahead of the tail's mark, never behind it.
    fn moment(&self) -> Result<(Tail, ReadTransaction), ReadError> {
        let tail = self.shared.tail.read().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((tail, self.begin()?))
    }

    fn begin(&self) -> Result<ReadTransaction, ReadError> {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(database.as_ref().ok_or(ReadError::Closed)?.begin_read()?)
    }
}
