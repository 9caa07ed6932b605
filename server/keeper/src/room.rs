//! Room for large commands among those that wait.
//!
//! The writer decides in the order in which it is asked. A command about ten thousand targets takes as long as a thousand
//! others, and whoever sends one may send the next as soon as it is answered. So large ones wait outside of the queue
//! until there is room, and whoever else asks has one of them before him at most.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::limits::{LARGE_TARGETS, LARGE_WAITING_MAX, ROOM_TARGETS};

/// What a large command has as long as it is not decided.
pub(crate) type Place = OwnedSemaphorePermit;

pub(crate) struct Room {
    targets: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            targets: Arc::new(Semaphore::new(ROOM_TARGETS as usize)),
            waiting: Semaphore::new(LARGE_WAITING_MAX),
        }
    }

    /// Waits until there is room for a command about so many targets, first come first served. A small one needs none.
    ///
    /// # Errors
    /// [`Error::Busy`] at once if too many wait already.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(crate) async fn place(&self, targets: usize) -> Result<Option<Place>, Error> {
        if targets <= LARGE_TARGETS {
            return Ok(None);
        }
        let _waits = self.waiting.try_acquire().map_err(|_| Error::Busy)?;
        let targets = u32::try_from(targets).unwrap_or(u32::MAX).min(ROOM_TARGETS);
        let place = Arc::clone(&self.targets).acquire_many_owned(targets).await;
        Ok(Some(place.expect("it is never closed")))
    }
}
