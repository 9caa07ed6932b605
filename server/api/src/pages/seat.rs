//! Seats: the server waits in line for whoever asked on a page, because a page that was left open, or a browser without
//! a script, gives no sign of life.
//!
//! How long is written in the request's key, so a server that was restarted goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lessor_keeper::{Error, Keeper};
use lessor_ledger::{Command, Dialect, Ledger, Reply, Request, RequestId, Span, Time, Withdrawal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::limits::SEATS_MAX;
use crate::problem::{Kind, Problem};

/// Before the keys of requests that were made on a page.
const MARK: &str = "dashboard";
/// Signs of life per request TTL: two may be late or lost.
const SIGNS_PER_TTL: u32 = 3;

type Sitting = BTreeMap<RequestId, Time>;

/// Requests that the server keeps alive.
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    sitting: Arc<Mutex<Sitting>>,
    coming: Arc<Semaphore>,
}

/// The key of a request that is to be kept alive for `seconds`.
pub(crate) fn key(nonce: &str, seconds: u64) -> String {
    format!("{MARK}:{seconds}:{nonce}")
}

/// Until when the server waits for this request; `None` if it was not made on a page.
pub(crate) fn until(request: &Request) -> Option<Time> {
    if request.dialect != Dialect::V1 {
        return None;
    }
    let mut parts = request.key.as_deref()?.splitn(3, ':');
    if parts.next() != Some(MARK) {
        return None;
    }
    let seconds = parts.next()?.parse().ok()?;
    parts.next()?;
    Some(request.since.plus(Span::from_secs(seconds)))
}

impl Seats {
    /// Goes on with what was begun before a restart. Within a runtime; ends at `shutdown`.
    pub(crate) fn start(keeper: &Keeper, shutdown: CancellationToken) -> Self {
        let ledger = keeper.snapshot();
        let seats = Self {
            sitting: Arc::new(Mutex::new(left_over(&ledger))),
            coming: Arc::new(Semaphore::new(SEATS_MAX)),
        };
        let ttl = Duration::from_nanos(ledger.settings().request_ttl.nanos().unsigned_abs());
        let beat = (ttl / SIGNS_PER_TTL).max(Duration::from_millis(1));
        tokio::spawn(seats.clone().run(keeper.clone(), beat, shutdown));
        seats
    }

    /// Makes sure that there is a seat for whoever is about to come.
    ///
    /// # Errors
    /// A problem if all seats are taken.
    pub(crate) fn reserve(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let full = || {
            Problem::new(
                Kind::Overloaded,
                format!("the server waits in line for {SEATS_MAX} already, which is the limit"),
            )
        };
        let permit = Arc::clone(&self.coming).try_acquire_owned().map_err(|_| full())?;
        let coming = SEATS_MAX - self.coming.available_permits();
        if self.sitting().len() + coming > SEATS_MAX { Err(full()) } else { Ok(permit) }
    }

    /// Keeps a request alive for as long as its key says.
    pub(crate) fn sit(&self, request: &Request) {
        if let Some(until) = until(request) {
            self.sitting().insert(request.id, until);
        }
    }

    fn sitting(&self) -> MutexGuard<'_, Sitting> {
        self.sitting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self, keeper: Keeper, beat: Duration, shutdown: CancellationToken) {
        let mut beats = tokio::time::interval(beat);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = beats.tick() => self.beat(&keeper).await,
            }
        }
    }

    /// One sign of life for everybody, which also collects what was granted; whoever has been granted, has left, or has
    /// waited long enough, gets up.
    async fn beat(&self, keeper: &Keeper) {
        let sitting = self.sitting().clone();
        for (id, until) in sitting {
            let waits = keeper.snapshot().request(id).is_some_and(|request| request.waits());
            let command = if waits && keeper.now() > until {
                let reason = Some("nothing came in the time it was to wait".into());
                Command::Withdraw(Withdrawal { reason, ..Withdrawal::of(id) })
            } else {
                Command::Poll(id)
            };
            match keeper.submit(command).await {
                Ok(Reply::Queued(..)) | Err(Error::Busy | Error::ReadOnly(_)) => {}
                Ok(_) | Err(Error::Refused(_) | Error::Stopped) => {
                    self.sitting().remove(&id);
                }
            }
        }
    }
}

/// Requests that were made on a page before the server was restarted.
fn left_over(ledger: &Ledger) -> Sitting {
    let open = ledger.requests_after(None).filter(|request| ledger.needs_waiter(request));
    open.filter_map(|request| Some((request.id, until(request)?))).take(SEATS_MAX).collect()
}
