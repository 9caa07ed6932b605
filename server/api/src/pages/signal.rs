//! `/ui/signals`: what pages listen to.
//!
//! A signal says up to which event each kind of thing has changed, and nothing else; a page that shows an older one
//! fetches itself anew. So a page sees what its reader may see, by one way only; a signal that is missed is made up
//! for by the next; and a reconnect needs no memory, because the first signal comes at once. When nothing changes the last
//! one is sent again now and then: pages hear of no comments, and would not know that nobody is there any more.

use std::convert::Infallible;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event as Frame, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;

use crate::app::App;
use crate::limits::STREAM_KEEP_ALIVE;
use crate::pages::pulse::Signal;
use crate::problem::Problem;

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `GET /ui/signals`: server-sent events. Ends when the server goes down.
pub(crate) async fn follow(
    axum::extract::State(app): axum::extract::State<App>,
) -> Result<Response, Problem> {
    let permit = app.stream()?;
    let mut signals = app.pulse.signals();
    signals.mark_changed();
    let shutdown = app.shutdown.clone();
    let state = (signals, shutdown, permit);
    let frames = stream::unfold(state, async |(mut signals, shutdown, permit)| {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return None,
            went_on = signals.changed() => went_on.ok()?,
            () = tokio::time::sleep(STREAM_KEEP_ALIVE) => {}
        }
        let frame = frame(&mut signals);
        Some((Ok::<_, Infallible>(frame), (signals, shutdown, permit)))
    });
    let mut response = Sse::new(frames).into_response();
    response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

fn frame(signals: &mut watch::Receiver<Signal>) -> Frame {
    let Signal { pools, resources, leases, queue, jobs, plugins, touched, renewed } =
        *signals.borrow_and_update();
    Frame::default().data(format!(
        r#"{{"pools":{pools},"resources":{resources},"leases":{leases},"queue":{queue},"jobs":{jobs},"plugins":{plugins},"touched":{touched},"renewed":{renewed}}}"#
    ))
}
