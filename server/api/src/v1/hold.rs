//! Waiting with an open connection: as long as it is open, the waiter is alive; when it closes, an anonymous waiter
//! leaves the line, because nobody could ever ask for it again.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_keeper::{Error, Keeper, Watch};
use lessor_ledger::{
    Command, Grant, LeaseId, Outcome, Place, Reply, Request, RequestId, Settled, Withdrawal,
};
use tokio::time::{Instant, MissedTickBehavior};

use crate::app::App;
use crate::problem::{Kind, More, Problem};
use crate::v1::acquire::Ask;
use crate::v1::view::{LeaseView, RequestView};

/// Signs of life per request TTL: two may be late or lost.
const SIGNS_PER_TTL: u32 = 3;

/// What became of an acquire.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Granted, now or by the same key before.
    Granted(Box<Grant>),
    /// In line.
    Waiting(Arc<Request>, Place),
    /// Settled: without a lease, or its lease is over.
    Settled(Arc<Request>),
    /// The same key led to this lease, which is over.
    Over(LeaseId),
}

/// Leases now, or gets in line and waits there as long as the client wants.
///
/// # Cancel safety
/// If it is dropped while it waits, a request without a key is withdrawn; if it was granted meanwhile, the lease is
/// released. With a key the place is kept for as long as any silent waiter keeps it.
pub(crate) async fn acquire(app: &App, ask: Ask) -> Result<Answer, Problem> {
    if ask.wait.is_zero() {
        let reply = app.submit(Command::Acquire(Box::new(ask.command))).await?;
        return Ok(answer(app, reply));
    }
    let _permit = app.hold()?;
    let keyless = ask.command.key.is_none();
    let command = Command::Acquire(Box::new(ask.command));
    let (reply, watch) = if keyless {
        submit_for_somebody(&app.keeper, command).await
    } else {
        app.keeper.submit_and_watch(command).await
    }?;
    let Reply::Queued(request, place) = reply else { return Ok(answer(app, reply)) };
    let leaving = keyless.then(|| Leaving { keeper: app.keeper.clone(), request: Some(request.id) });
    let answer = wait(app, request, place, watch, ask.wait).await?;
    if let Some(leaving) = leaving {
        leaving.stay();
    }
    Ok(answer)
}

/// Waits until the request is settled, the time is over, or the server goes down.
///
/// # Cancel safety
/// Cancel safe: the request goes on waiting.
pub(crate) async fn wait(
    app: &App,
    request: Arc<Request>,
    place: Place,
    watch: Option<Watch>,
    wait: Duration,
) -> Result<Answer, Problem> {
    let id = request.id;
    let ttl = app.keeper.snapshot().settings().request_ttl;
    let beat = Duration::from_nanos(ttl.nanos().unsigned_abs()) / SIGNS_PER_TTL;
    let beat = beat.max(Duration::from_millis(1));
    let mut signs = tokio::time::interval_at(Instant::now() + beat, beat);
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let over = tokio::time::sleep(wait);
    let settled = async {
        match watch {
            Some(watch) => watch.await,
            // At the bound of watches: the signs of life find out.
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over, settled);
    let mut last = (request, place);
    loop {
        tokio::select! {
            settled = &mut settled => return match settled {
                Ok(Settled::Granted(grant)) => Ok(Answer::Granted(grant)),
                Ok(Settled::Ended(request)) => Ok(Answer::Settled(request)),
                Err(stopped) => Err(Problem::new(Kind::Stopping, stopped.to_string())),
            },
            () = &mut over => break,
            () = app.shutdown.cancelled() => return Ok(Answer::Waiting(last.0, last.1)),
            _ = signs.tick() => match app.keeper.submit(Command::Poll(id)).await {
                Ok(Reply::Queued(request, place)) => last = (request, place),
                Ok(reply) => return Ok(answer(app, reply)),
                // The next sign comes in time; the client need not know.
                Err(Error::Busy | Error::ReadOnly(_)) => {}
                Err(error @ (Error::Refused(_) | Error::Stopped)) => return Err(error.into()),
            },
        }
    }
    // The place may have changed, and the client has a full TTL from here to come back.
    match app.keeper.submit(Command::Poll(id)).await {
        Ok(reply) => Ok(answer(app, reply)),
        Err(Error::Busy | Error::ReadOnly(_)) => Ok(Answer::Waiting(last.0, last.1)),
        Err(error @ (Error::Refused(_) | Error::Stopped)) => Err(error.into()),
    }
}

/// What a reply to an acquire or a poll means.
pub(crate) fn answer(app: &App, reply: Reply) -> Answer {
    match reply {
        Reply::Granted(grant) => Answer::Granted(grant),
        Reply::Queued(request, place) => Answer::Waiting(request, place),
        Reply::Settled(request) => match request.outcome {
            Some(Outcome::Granted { lease, .. }) => match app.keeper.snapshot().grant(lease) {
                Some(grant) => Answer::Granted(Box::new(grant)),
                None => Answer::Settled(request),
            },
            Some(Outcome::Withdrawn { .. } | Outcome::Lapsed { .. }) | None => Answer::Settled(request),
        },
        Reply::Replayed(lease) => Answer::Over(lease),
        Reply::Done
        | Reply::Held(..)
        | Reply::Reset(_)
        | Reply::Locked(_)
        | Reply::Released(_)
        | Reply::Edited(..)
        | Reply::Synced(_)
        | Reply::Job(_)
        | Reply::Plugin(_) => unreachable!("the ledger answers an acquire or a poll with nothing else"),
    }
}

impl Answer {
    /// 201 with a lease, 202 with a place in line, or the problem that it is over.
    pub(crate) fn into_response(self, app: &App) -> Result<Response, Problem> {
        match self {
            Self::Granted(grant) => {
                let location = format!("/v1/leases/{}", grant.lease.id);
                let view = LeaseView::held(&grant, app.keeper.now());
                Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(view)).into_response())
            }
            Self::Waiting(request, place) => {
                let location = format!("/v1/requests/{}", request.id);
                let ttl = app.keeper.snapshot().settings().request_ttl.millis();
                let retry = (ttl / 1000 / i64::from(SIGNS_PER_TTL)).max(1).to_string();
                let headers = [(header::LOCATION, location), (header::RETRY_AFTER, retry)];
                Ok((StatusCode::ACCEPTED, headers, Json(RequestView::of(&request, Some(&place))))
                    .into_response())
            }
            Self::Settled(request) => Err(match request.outcome {
                Some(Outcome::Granted { lease, .. }) => lease_over(lease),
                _ => Problem::new(
                    Kind::RequestOver,
                    format!("request {} is over and was not granted", request.id),
                )
                .with(More { request: Some(request.id.0), ..More::default() }),
            }),
            Self::Over(lease) => Err(lease_over(lease)),
        }
    }
}

fn lease_over(lease: LeaseId) -> Problem {
    Problem::new(Kind::LeaseEnded, format!("lease {lease}, which this request was granted, has ended"))
        .with(More { lease: Some(lease.0), ..More::default() })
}

/// A request cannot leave the line any more, because it was granted.
pub(crate) fn granted(request: RequestId, lease: LeaseId) -> Problem {
    Problem::new(Kind::Granted, format!("request {request} was granted lease {lease}; release that instead"))
        .with(More { request: Some(request.0), lease: Some(lease.0), ..More::default() })
}

/// Submits an acquire that is undone if nobody is there any more to hear the reply.
async fn submit_for_somebody(keeper: &Keeper, command: Command) -> Result<(Reply, Option<Watch>), Error> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let keeper = keeper.clone();
    tokio::spawn(async move {
        let outcome = keeper.submit_and_watch(command).await;
        match tell.send(outcome) {
            Err(Ok((Reply::Queued(request, _), _))) => leave(&keeper, request.id).await,
            Err(Ok((Reply::Granted(grant), _))) => give_back(&keeper, grant.lease.id).await,
            Err(Ok(_) | Err(_)) | Ok(()) => {}
        }
    });
    told.await.unwrap_or(Err(Error::Stopped))
}

/// Takes a request out of the line when it is dropped, unless its client knows how to come back to it.
#[derive(Debug)]
struct Leaving {
    keeper: Keeper,
    request: Option<RequestId>,
}

impl Leaving {
    fn stay(mut self) {
        self.request = None;
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let Some(request) = self.request else { return };
        // Without a runtime the process is going down, and the request lapses by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let keeper = self.keeper.clone();
        runtime.spawn(async move { leave(&keeper, request).await });
    }
}

async fn leave(keeper: &Keeper, request: RequestId) {
    // If it does not get through, the request lapses by itself after its TTL.
    let _ = keeper.submit(Command::Withdraw(Withdrawal::of(request))).await;
    let outcome = keeper.snapshot().request(request).and_then(|request| request.outcome);
    if let Some(Outcome::Granted { lease, .. }) = outcome {
        give_back(keeper, lease).await;
    }
}

async fn give_back(keeper: &Keeper, lease: LeaseId) {
    let command = Command::Release { lease, owner: None, targets: None, to_state: None };
    // If it does not get through, the lease expires by itself.
    let _ = keeper.submit(command).await;
}
