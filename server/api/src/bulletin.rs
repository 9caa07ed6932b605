//! What event streams live on: committed events, some commits at a time, each handed to those who follow its target.
//!
//! A thousand streams that each look at every commit leave nothing of two cores. So one task follows the feed for all of
//! them, merges what comes within [`BULLETIN_GAP`], longer if that concerned many, and wakes those whom it concerns. The first
//! commit after a quiet moment is told at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use lessor_keeper::{Feed, Keeper, Missed};
use lessor_ledger::{Event, Target};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::limits::{BULLETIN_GAP, BULLETIN_GAP_EACH, BULLETINS_MAX, STREAMS_MAX};
use crate::written::Written;

/// The events of one commit.
type Commit = Arc<[Arc<Event>]>;

/// Events in the order of their numbers; shared by all who follow the same.
pub(crate) type News = Arc<[Arc<Written>]>;

/// By what is followed: one target, or everything. There are no more than [`STREAMS_MAX`] and one: those of streams that were
/// closed go with the next commit, or when there are that many.
/// `None` says that events may be missing.
type Channels = BTreeMap<Option<Target>, broadcast::Sender<Option<News>>>;

/// Where subscriptions come from.
#[derive(Clone, Debug)]
pub(crate) struct Bulletins {
    /// `None` when nothing more will come.
    channels: Arc<Mutex<Option<Channels>>>,
}

/// Follows what happens from the moment that it was made.
#[derive(Debug)]
pub(crate) struct Subscription {
    receiver: broadcast::Receiver<Option<News>>,
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
                if channels.len() > STREAMS_MAX {
                    channels.retain(|_, channel| channel.receiver_count() > 0);
                }
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
            let woken = self.tell(whole.then_some(commits.as_slice()));
            tokio::time::sleep(BULLETIN_GAP + BULLETIN_GAP_EACH * woken).await;
            next = feed.next().await;
        }
    }

    /// Tells those whom it concerns, and how many they are. Whoever subscribes after this reads the last state after that, which
    /// has all of it.
    fn tell(&self, commits: Option<&[Commit]>) -> u32 {
        self.with(|channels| {
            let Some(channels) = channels else { return 0 };
            channels.retain(|_, channel| channel.receiver_count() > 0);
            // An error of sending means that the last one has just left.
            let told: usize = match commits {
                None => channels.values().map(|channel| channel.send(None).unwrap_or(0)).sum(),
                Some(commits) => {
                    let news = sort(commits, channels).into_iter();
                    let news = news.filter_map(|(whom, events)| Some((channels.get(&whom)?, events)));
                    news.map(|(channel, events)| channel.send(Some(events.into())).unwrap_or(0)).sum()
                }
            };
            u32::try_from(told).unwrap_or(u32::MAX)
        })
    }
}

/// Which events concern whom, among those who follow.
fn sort(commits: &[Commit], channels: &Channels) -> BTreeMap<Option<Target>, Vec<Arc<Written>>> {
    let mut sorted: BTreeMap<Option<Target>, Vec<Arc<Written>>> = BTreeMap::new();
    if channels.is_empty() {
        return sorted;
    }
    let everything = channels.contains_key(&None);
    for event in commits.iter().flat_map(|events| &**events) {
        let target = event.target.is_some() && channels.contains_key(&event.target);
        if !target && !everything {
            continue;
        }
        let written = Arc::new(Written::new(Arc::clone(event)));
        if target {
            sorted.entry(event.target.clone()).or_default().push(Arc::clone(&written));
        }
        if everything {
            sorted.entry(None).or_default().push(written);
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
    pub(crate) async fn next(&mut self) -> Result<News, Missed> {
        match self.receiver.recv().await {
            Ok(Some(events)) => Ok(events),
            Ok(None) | Err(RecvError::Lagged(_)) => Err(Missed::Skipped),
            Err(RecvError::Closed) => Err(Missed::Stopped),
        }
    }
}
