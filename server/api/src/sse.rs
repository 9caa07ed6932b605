//! The event stream: from the history until it has caught up, then live; never a gap without a word, never an
//! event twice.
//!
//! News are subscribed to before the history is read, so an event is in the history, or in the news, or in both;
//! of both the number tells. A client that reads too slowly falls behind the news and is served from the history
//! again. What the history has forgotten is announced with `event: reset`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use lessor_keeper::Missed;
use lessor_ledger::EventId;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::bulletin::{News, Subscription};
use crate::limits::{STREAM_CATCH_UP_EVENTS, STREAM_KEEP_ALIVE};
use crate::problem::Problem;
use crate::v1::event::Topic;
use crate::written::Written;

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// One open stream.
struct Follow {
    app: App,
    topic: Topic,
    news: Subscription,
    /// Everything up to here was sent, or is not wanted.
    done: EventId,
    /// Events to look at next, from `at` on.
    batch: News,
    at: usize,
    /// To be sent before the batch.
    reset: Option<Frame>,
    live: bool,
    _permit: OwnedSemaphorePermit,
}

/// Answers with events about `topic` after `after`, or from now on. Ends when the server goes down.
///
/// # Errors
/// A problem if too many streams are open.
pub(crate) fn follow(app: &App, topic: Topic, after: Option<EventId>) -> Result<Response, Problem> {
    let permit = app.stream()?;
    let news = app.bulletins.subscribe(topic.target().cloned());
    // Read after subscribing, so that what is newer comes as news.
    let newest = EventId(app.keeper.snapshot().counters().event);
    let mut follow = Follow {
        app: app.clone(),
        topic,
        news,
        done: after.unwrap_or(newest),
        batch: Arc::default(),
        at: 0,
        reset: None,
        live: after.is_none(),
        _permit: permit,
    };
    if follow.done > newest {
        // A number from another store, or from before a backup was restored.
        follow.reset(newest);
    }
    let frames = stream::unfold(follow, async |mut follow| {
        let frame = follow.next().await?;
        Some((Ok::<_, Infallible>(frame), follow))
    });
    let mut response =
        Sse::new(frames).keep_alive(KeepAlive::new().interval(STREAM_KEEP_ALIVE)).into_response();
    response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

impl Follow {
    /// The next frame; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Frame> {
        let shutdown = self.app.shutdown.clone();
        while !shutdown.is_cancelled() {
            if let Some(frame) = self.ready() {
                return Some(frame);
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                went_on = self.gather() => went_on.ok()?,
            }
        }
        None
    }

    /// The next frame that need not be waited for.
    fn ready(&mut self) -> Option<Frame> {
        if let Some(reset) = self.reset.take() {
            return Some(reset);
        }
        while let Some(written) = self.batch.get(self.at) {
            self.at += 1;
            if written.event.id <= self.done {
                continue;
            }
            self.done = written.event.id;
            if self.topic.covers(&written.event) {
                return Some(written.frame());
            }
        }
        None
    }

    /// Gets the next batch, or catches up without finding anything.
    async fn gather(&mut self) -> Result<(), Missed> {
        if !self.live {
            return self.catch_up().await;
        }
        match self.news.next().await {
            Ok(events) => (self.batch, self.at) = (events, 0),
            Err(Missed::Skipped) => self.live = false,
            Err(Missed::Stopped) => return Err(Missed::Stopped),
        }
        Ok(())
    }

    /// Reads one page of the history.
    async fn catch_up(&mut self) -> Result<(), Missed> {
        let filter = self.topic.filter(Some(self.done), STREAM_CATCH_UP_EVENTS);
        let read = self.app.read(move |reader| {
            let (first, last) = (reader.first_event()?, reader.last_event());
            Ok((first, last, reader.events(&filter)?))
        });
        // The problem is in the log; the client comes back with the number of the last event that it got.
        let (first, last, events) = read.await.map_err(|_| Missed::Stopped)?;
        if first.0 > self.done.0.saturating_add(1) {
            self.reset(EventId(first.0 - 1));
        }
        self.live = events.len() < STREAM_CATCH_UP_EVENTS;
        if events.is_empty() {
            // Nothing up to the last one is wanted, so nobody need ask for it again.
            self.done = self.done.max(last);
        }
        let written = events.into_iter().map(|event| Arc::new(Written::new(Arc::new(event))));
        (self.batch, self.at) = (written.collect(), 0);
        Ok(())
    }

    /// Says that what lies between the last event and the one after `to` cannot be had.
    fn reset(&mut self, to: EventId) {
        self.done = to;
        let data = format!(r#"{{"after":{}}}"#, to.0);
        self.reset = Some(Frame::default().id(to.0.to_string()).event("reset").data(data));
    }
}
