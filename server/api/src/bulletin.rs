//! What event streams live on: committed events, some commits at a time, each handed to those who follow its target.
//!
//! A thousand streams that each look at every commit leave nothing of two cores. So one task follows the feed for all of
//! them, merges what comes within [`BULLETIN_GAP`], and wakes those whom it concerns. The first commit after a quiet
//! moment is told at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use lessor_keeper::{Feed, Keeper, Missed};
use lessor_ledger::{Event, Target};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::limits::{BULLETIN_GAP, BULLETINS_MAX};

/// Events in the order of their numbers; shared by all who follow the same.
pub(crate) type Events = Arc<[Arc<Event>]>;

/// `None` says that events may be missing.
type News = Option<Events>;

/// By what is followed: one target, or everything. There are no more than there are open streams, and some that were
/// closed since the last commit.
type Channels = BTreeMap<Option<Target>, broadcast::Sender<News>>;

/// Where subscriptions come from.
#[derive(Clone, Debug)]
pub(crate) struct Bulletins {
    /// `None` when nothing more will come.
    channels: Arc<Mutex<Option<Channels>>>,
}

/// Follows what happens from the moment that it was made.
#[derive(Debug)]
pub(crate) struct Subscription {
    receiver: broadcast::Receiver<News>,
}

impl Bulletins {
    /// Begins to follow. Within a runtime; ends with the keeper or at `shutdown`.
    pub(crate) fn start(keeper: &Keeper, shutdown: CancellationToken) -> Self {
        let bulletins = Self { channels: Arc::new(Mutex::new(Some(Channels::new()))) };
        let (teller, feed) = (bulletins.clone(), keeper.feed());
        tokio::spawn(async move {
            shutdown.run_until_cancelled_owned(teller.run(feed)).await;
            teller.with(|channels| *channels = None);
        });
        bulletins
    }

    /// Follows what happens to `target`, or everything.
    pub(crate) fn subscribe(&self, target: Option<Target>) -> Subscription {
        let receiver = self.with(|channels| match channels {
            Some(channels) => {
                channels.entry(target).or_insert_with(|| broadcast::channel(BULLETINS_MAX).0).subscribe()
            }
            None => broadcast::channel(1).1,
        });
        Subscription { receiver }
    }

    fn with<T>(&self, then: impl FnOnce(&mut Option<Channels>) -> T) -> T {
        then(&mut self.channels.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn run(&self, mut feed: Feed) {
        let mut next = feed.next().await;
        loop {
            let mut commits = Vec::new();
            let mut whole = true;
            loop {
                match next {
                    Ok(events) => commits.push(events),
                    Err(Missed::Skipped) => whole = false,
                    Err(Missed::Stopped) => return,
                }
                match feed.next().now_or_never() {
                    Some(more) => next = more,
                    None => break,
                }
            }
            self.tell(whole.then_some(commits.as_slice()));
            tokio::time::sleep(BULLETIN_GAP).await;
            next = feed.next().await;
        }
    }

    /// Tells those whom it concerns. Whoever subscribes after this reads the last state after that, which has all of it.
    fn tell(&self, commits: Option<&[Events]>) {
        self.with(|channels| {
            let Some(channels) = channels else { return };
            channels.retain(|_, channel| channel.receiver_count() > 0);
            // An error of sending means that the last one has just left.
            match commits {
                None => channels.values().for_each(|channel| drop(channel.send(None))),
                Some(commits) => {
                    for (whom, events) in sort(commits, channels) {
                        if let Some(channel) = channels.get(&whom) {
                            drop(channel.send(Some(events.into())));
                        }
                    }
                }
            }
        });
    }
}

/// Which events concern whom, among those who follow.
fn sort(commits: &[Events], channels: &Channels) -> BTreeMap<Option<Target>, Vec<Arc<Event>>> {
    let mut sorted: BTreeMap<Option<Target>, Vec<Arc<Event>>> = BTreeMap::new();
    if channels.is_empty() {
        return sorted;
    }
    for event in commits.iter().flat_map(|events| &**events) {
        if event.target.is_some() && channels.contains_key(&event.target) {
            sorted.entry(event.target.clone()).or_default().push(Arc::clone(event));
        }
        if channels.contains_key(&None) {
            sorted.entry(None).or_default().push(Arc::clone(event));
        }
    }
    sorted
}

impl Subscription {
    /// What happened next.
    ///
    /// # Errors
    /// As [`Feed::next`].
    ///
    /// # Cancel safety
    /// Cancel safe: a dropped future loses no event.
    pub(crate) async fn next(&mut self) -> Result<Events, Missed> {
        match self.receiver.recv().await {
            Ok(Some(events)) => Ok(events),
            Ok(None) | Err(RecvError::Lagged(_)) => Err(Missed::Skipped),
            Err(RecvError::Closed) => Err(Missed::Stopped),
        }
    }
}
