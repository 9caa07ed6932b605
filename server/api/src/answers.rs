//! Answers on their way out: how much memory those may hold that their clients have not read yet.
//!
//! An answer is made at once, and read whenever its client likes. What is counted here is given back when the last piece
//! of it was written to the connection, or the connection ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{ANSWER_BYTES_SMALL, ANSWERS_BYTES_MAX};
use crate::problem::{Kind, Problem};

const KIB: usize = 1024;

/// What an answer is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// Somebody who looked, and can look again.
    Look,
    /// Somebody who changed something, and may learn nowhere else what came of it.
    Change,
}

/// Room for answers, in KiB. Whoever reads slowly what they only looked at keeps nobody from learning what they did.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    looks: Arc<Semaphore>,
    changes: Arc<Semaphore>,
}

impl Answers {
    /// With room for [`ANSWERS_BYTES_MAX`] of each kind.
    pub(crate) fn new() -> Self {
        let room = || Arc::new(Semaphore::new(ANSWERS_BYTES_MAX / KIB));
        Self { looks: room(), changes: room() }
    }

    /// Counts an answer until it was sent. Streams, which have no length, have bounds of their own.
    ///
    /// # Errors
    /// There is no room for it. What it says happened has happened.
    pub(crate) fn hold(&self, response: Response, to: To) -> Result<Response, Problem> {
        let len = response.body().size_hint().exact().and_then(|len| usize::try_from(len).ok());
        let Some(len) = len.filter(|len| *len > ANSWER_BYTES_SMALL) else { return Ok(response) };
        // One that is larger than all the room is sent when there is nothing else.
        let share = u32::try_from(len.div_ceil(KIB).min(ANSWERS_BYTES_MAX / KIB)).unwrap_or(u32::MAX);
        let (room, next) = match to {
            To::Look => (&self.looks, "ask for less at once, or later"),
            To::Change => (&self.changes, "this was done, and has to be looked up"),
        };
        match Arc::clone(room).try_acquire_many_owned(share) {
            Ok(share) => Ok(response.map(|body| Body::new(Held { body, share: Arc::new(share) }))),
            Err(_) => Err(Problem::new(
                Kind::Overloaded,
                format!(
                    "answers of {} MiB wait to be read by their clients, which is the limit: {next}",
                    ANSWERS_BYTES_MAX / KIB / KIB
                ),
            )),
        }
    }
}

/// A body that is counted.
struct Held {
    body: Body,
    share: Arc<OwnedSemaphorePermit>,
}

/// A piece of it, which the connection may keep when the body is gone.
struct Piece {
    data: Bytes,
    _share: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map_ok(|frame| {
            frame.map_data(|data| Bytes::from_owner(Piece { data, _share: Arc::clone(&self.share) }))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn answer(len: usize) -> Response {
        Response::new(Body::from(vec![b'x'; len]))
    }

    #[tokio::test]
    async fn room_is_taken_until_the_last_piece_is_gone() {
        let answers = Answers::new();
        let free = || answers.looks.available_permits();
        let all = free();
        let held = answers.hold(answer(ANSWERS_BYTES_MAX / 2), To::Look).expect("there is room");
        assert_eq!(free(), all / 2);
        let refused = answers.hold(answer(ANSWERS_BYTES_MAX), To::Look).expect_err("there is none");
        assert_eq!(refused.kind(), Kind::Overloaded);
        assert!(answers.hold(answer(ANSWER_BYTES_SMALL), To::Look).is_ok(), "a small one is not counted");
        let done = answers.hold(answer(ANSWERS_BYTES_MAX), To::Change).expect("looks are not in its way");
        let refused = answers.hold(answer(ANSWERS_BYTES_MAX), To::Change).expect_err("there is one");
        assert_eq!(refused.kind(), Kind::Overloaded);
        drop(done);
        let bytes = to_bytes(held.into_body(), usize::MAX).await.expect("a body");
        assert_eq!((bytes.len(), free()), (ANSWERS_BYTES_MAX / 2, all / 2), "somebody still has it");
        drop(bytes);
        assert_eq!(free(), all);
        let larger = answers.hold(answer(ANSWERS_BYTES_MAX + 1), To::Look).expect("it is alone");
        assert_eq!(larger.body().size_hint().exact(), Some(ANSWERS_BYTES_MAX as u64 + 1));
        drop(larger);
        assert_eq!(free(), all);
    }
}
