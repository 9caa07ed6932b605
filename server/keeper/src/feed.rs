//! The feed: committed events, for whoever follows along. A subscriber that is too slow misses some and is told so;
//! it never holds the writer up.

use std::sync::Arc;
use std::time::Duration;

use lessor_ledger::{Change, Event};
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};
use tokio::time::Instant;

/// A subscription to committed events, from the moment it was made.
#[derive(Debug)]
pub struct Feed {
    receiver: broadcast::Receiver<Bundle>,
    /// Shortest time between two wake-ups.
    gap: Duration,
    /// When it may be woken next.
    rested: Instant,
}

/// Why a feed does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missed {
    /// Events were skipped: the subscriber was too slow, or the store was reopened. The feed goes on; what was
    /// skipped is in the history.
    #[error("events were skipped")]
    Skipped,
    /// The keeper has stopped: nothing more will come.
    #[error("the keeper has stopped")]
    Stopped,
}

#[derive(Clone, Debug)]
enum Bundle {
    Events(Arc<[Arc<Event>]>),
    Gap,
}

impl Feed {
    /// The same, at rest for `gap` between two times of waiting. For a subscriber that need not know at once: at full load
    /// there are thousands of commits a second, and most of what following them costs is being woken.
    ///
    /// What came meanwhile is given without a pause. Within a gap no more than
    /// [`FEED_BATCHES_MAX`](crate::limits::FEED_BATCHES_MAX) commits should come, or some are missed. That there is no keeper
    /// any more may be told a gap later. Needs a runtime with timers. A future of [`next`](Self::next) that is dropped
    /// while it waits shortens the rest, and loses nothing.
    #[must_use]
    pub fn paced(self, gap: Duration) -> Self {
        Self { gap, ..self }
    }

    /// The events of the next commit that had any, in order of their numbers.
    ///
    /// # Errors
    /// [`Missed`] if events were skipped, or if there is no keeper any more.
    ///
    /// # Cancel safety
    /// Cancel safe: a dropped future loses no event.
    pub async fn next(&mut self) -> Result<Arc<[Arc<Event>]>, Missed> {
        match self.receive().await {
            Ok(Bundle::Events(events)) => Ok(events),
            Ok(Bundle::Gap) | Err(RecvError::Lagged(_)) => Err(Missed::Skipped),
            Err(RecvError::Closed) => Err(Missed::Stopped),
        }
    }

    async fn receive(&mut self) -> Result<Bundle, RecvError> {
        match self.receiver.try_recv() {
            Ok(bundle) => return Ok(bundle),
            Err(TryRecvError::Lagged(missed)) => return Err(RecvError::Lagged(missed)),
            Err(TryRecvError::Closed) => return Err(RecvError::Closed),
            Err(TryRecvError::Empty) => {}
        }
        if !self.gap.is_zero() {
            tokio::time::sleep_until(self.rested).await;
        }
        let received = self.receiver.recv().await;
        self.rested = Instant::now() + self.gap;
        received
    }
}

/// Where subscriptions come from.
#[derive(Debug)]
pub(crate) struct Source {
    sender: broadcast::WeakSender<Bundle>,
}

impl Source {
    pub(crate) fn subscribe(&self) -> Feed {
        let receiver = match self.sender.upgrade() {
            Some(sender) => sender.subscribe(),
            None => broadcast::channel(1).1,
        };
        Feed { receiver, gap: Duration::ZERO, rested: Instant::now() }
    }
}

/// The writer's end. When it is dropped, every feed ends.
#[derive(Debug)]
pub(crate) struct Publisher {
    sender: broadcast::Sender<Bundle>,
}

impl Publisher {
    pub(crate) fn new(batches_max: usize) -> Self {
        Self { sender: broadcast::channel(batches_max).0 }
    }

    pub(crate) fn source(&self) -> Source {
        Source { sender: self.sender.downgrade() }
    }

    /// Shows the events among `changes` to everybody. Costs nothing while nobody follows.
    pub(crate) fn publish(&self, changes: &[Change]) {
        if self.sender.receiver_count() == 0 {
            return;
        }
        let events = changes.iter().filter_map(|change| match change {
            Change::Event(event) => Some(Arc::clone(event)),
            _ => None,
        });
        let events: Arc<[Arc<Event>]> = events.collect();
        if !events.is_empty() {
            // An error means that the last subscriber has just left.
            let _ = self.sender.send(Bundle::Events(events));
        }
    }

    /// Tells everybody that events may be missing.
    pub(crate) fn gap(&self) {
        // An error means that nobody follows.
        let _ = self.sender.send(Bundle::Gap);
    }
}
