//! Watches: how a waiting client learns that its request was settled, without asking.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use lessor_ledger::{RequestId, Settled};
use tokio::sync::oneshot;

use crate::limits::{WATCHES_MAX, WATCHES_PER_REQUEST_MAX};

/// Resolves when the watched request is settled, after that is durable. Dropping it changes nothing: the request
/// goes on waiting until it is withdrawn or falls silent.
#[derive(Debug)]
pub struct Watch(oneshot::Receiver<Settled>);

/// The keeper stopped while the request was waiting. The request is durable and waits on after the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keeper has stopped")]
pub struct Stopped;

impl Future for Watch {
    type Output = Result<Settled, Stopped>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(|_| Stopped)
    }
}

/// All watches, by request. Lives in the writer thread, so that nothing can be settled between the moment when a
/// request is queued and the moment when it is watched.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    by_request: BTreeMap<RequestId, Vec<oneshot::Sender<Settled>>>,
    count: usize,
}

impl Watches {
    /// Watches `request`, or `None` at a bound.
    pub(crate) fn add(&mut self, request: RequestId) -> Option<Watch> {
        if self.count >= WATCHES_MAX {
            self.prune();
        }
        let full = self.count >= WATCHES_MAX;
        let senders = self.by_request.entry(request).or_default();
        let before = senders.len();
        senders.retain(|sender| !sender.is_closed());
        self.count -= before - senders.len();
        if full || senders.len() >= WATCHES_PER_REQUEST_MAX {
            if senders.is_empty() {
                self.by_request.remove(&request);
            }
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        senders.push(sender);
        self.count += 1;
        Some(Watch(receiver))
    }

    /// Whether anybody still watches `request`.
    pub(crate) fn is_live(&self, request: RequestId) -> bool {
        self.by_request.get(&request).is_some_and(|senders| senders.iter().any(|sender| !sender.is_closed()))
    }

    /// Tells everybody who watches `request` how it ended.
    pub(crate) fn settle(&mut self, request: RequestId, settled: &Settled) {
        let Some(senders) = self.by_request.remove(&request) else { return };
        self.count -= senders.len();
        for sender in senders {
            // An error means that the watcher has left; the settlement is in the ledger all the same.
            let _ = sender.send(settled.clone());
        }
    }

    /// Every watched request.
    pub(crate) fn requests(&self) -> Vec<RequestId> {
        self.by_request.keys().copied().collect()
    }

    /// Forgets every watch on `request`; whoever watches it is told [`Stopped`].
    pub(crate) fn forget(&mut self, request: RequestId) {
        if let Some(senders) = self.by_request.remove(&request) {
            self.count -= senders.len();
        }
    }

    /// Forgets watches that nobody waits for any more.
    fn prune(&mut self) {
        self.by_request.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        self.count = self.by_request.values().map(Vec::len).sum();
    }
}
