//! A response, when it comes, and its body.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use hyper::body::Bytes;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::component::Resource;

use super::fields::Fields;
use super::io::{Fault, Pollable};
use super::types::{self, ErrorCode};
use super::{Place, streams};
use crate::client::Answer;
use crate::guest::Guest;

/// What comes of a request. It is under way by itself, until nobody can wait for it any more.
pub(crate) type Coming = Shared<BoxFuture<'static, Arc<Outcome>>>;

/// What came, with the room for its request: whoever has the answer keeps that.
pub(crate) struct Outcome {
    answer: Result<Answer, ErrorCode>,
    _place: Place,
}

/// Sends a request on its way.
pub(super) fn coming(
    request: impl Future<Output = Result<Answer, ErrorCode>> + Send + 'static,
    place: Place,
) -> Coming {
    let under_way = AbortOnDropHandle::new(tokio::spawn(request));
    let done = async {
        let answer = under_way.await.unwrap_or(Err(ErrorCode::InternalError(None)));
        Arc::new(Outcome { answer, _place: place })
    };
    done.boxed().shared()
}

/// A response that may not be there yet.
pub struct Awaited {
    coming: Coming,
    taken: bool,
}

impl Awaited {
    pub(super) fn new(coming: Coming) -> Self {
        Self { coming, taken: false }
    }
}

/// A response.
pub struct Incoming {
    outcome: Arc<Outcome>,
    consumed: bool,
}

/// The body of a response.
pub struct Content {
    bytes: Bytes,
    outcome: Arc<Outcome>,
    streamed: bool,
}

/// What is left to read of a body.
pub struct Input {
    left: Bytes,
    _outcome: Arc<Outcome>,
}

/// What comes after a body: nothing.
pub struct Trailers {
    taken: bool,
}

impl types::Host for Guest {
    fn http_error_code(&mut self, _: Resource<Fault>) -> wasmtime::Result<Option<ErrorCode>> {
        self.visit.host_call()?;
        // Streams break for reasons of their own only.
        Ok(None)
    }
}

impl types::HostFutureIncomingResponse for Guest {
    fn subscribe(&mut self, this: Resource<Awaited>) -> wasmtime::Result<Resource<Pollable>> {
        self.visit.host_call()?;
        let coming = self.desk.table.get(&this)?.coming.clone();
        self.keep(Pollable::response(coming))
    }

    fn get(
        &mut self,
        this: Resource<Awaited>,
    ) -> wasmtime::Result<Option<Result<Result<Resource<Incoming>, ErrorCode>, ()>>> {
        self.visit.host_call()?;
        let awaited = self.desk.table.get_mut(&this)?;
        let Some(outcome) = awaited.coming.clone().now_or_never() else { return Ok(None) };
        if std::mem::replace(&mut awaited.taken, true) {
            return Ok(Some(Err(())));
        }
        Ok(Some(Ok(match &outcome.answer {
            Err(code) => Err(code.clone()),
            Ok(_) => Ok(self.keep(Incoming { outcome, consumed: false })?),
        })))
    }

    fn drop(&mut self, this: Resource<Awaited>) -> wasmtime::Result<()> {
        self.end(this)
    }
}

impl Incoming {
    fn answer(&self) -> wasmtime::Result<&Answer> {
        self.outcome.answer.as_ref().map_err(|_| wasmtime::Error::msg("a failure was kept as a response"))
    }
}

impl types::HostIncomingResponse for Guest {
    fn status(&mut self, this: Resource<Incoming>) -> wasmtime::Result<u16> {
        self.visit.host_call()?;
        Ok(self.desk.table.get(&this)?.answer()?.status)
    }

    fn headers(&mut self, this: Resource<Incoming>) -> wasmtime::Result<Resource<Fields>> {
        self.visit.host_call()?;
        let headers = self.desk.table.get(&this)?.answer()?.headers.clone();
        self.keep(Fields::fixed(headers))
    }

    fn consume(&mut self, this: Resource<Incoming>) -> wasmtime::Result<Result<Resource<Content>, ()>> {
        self.visit.host_call()?;
        let response = self.desk.table.get_mut(&this)?;
        if std::mem::replace(&mut response.consumed, true) {
            return Ok(Err(()));
        }
        let (bytes, outcome) = (response.answer()?.body.clone(), Arc::clone(&response.outcome));
        self.keep(Content { bytes, outcome, streamed: false }).map(Ok)
    }

    fn drop(&mut self, this: Resource<Incoming>) -> wasmtime::Result<()> {
        self.end(this)
    }
}

impl types::HostIncomingBody for Guest {
    fn stream(&mut self, this: Resource<Content>) -> wasmtime::Result<Result<Resource<Input>, ()>> {
        self.visit.host_call()?;
        let content = self.desk.table.get_mut(&this)?;
        if std::mem::replace(&mut content.streamed, true) {
            return Ok(Err(()));
        }
        let input = Input { left: content.bytes.clone(), _outcome: Arc::clone(&content.outcome) };
        self.keep(input).map(Ok)
    }

    fn finish(&mut self, this: Resource<Content>) -> wasmtime::Result<Resource<Trailers>> {
        self.visit.host_call()?;
        self.desk.table.delete(this)?;
        self.keep(Trailers { taken: false })
    }

    fn drop(&mut self, this: Resource<Content>) -> wasmtime::Result<()> {
        self.end(this)
    }
}

impl types::HostFutureTrailers for Guest {
    fn subscribe(&mut self, _: Resource<Trailers>) -> wasmtime::Result<Resource<Pollable>> {
        self.visit.host_call()?;
        self.keep(Pollable::READY)
    }

    fn get(
        &mut self,
        this: Resource<Trailers>,
    ) -> wasmtime::Result<Option<Result<Result<Option<Resource<Fields>>, ErrorCode>, ()>>> {
        self.visit.host_call()?;
        let taken = std::mem::replace(&mut self.desk.table.get_mut(&this)?.taken, true);
        Ok(Some(if taken { Err(()) } else { Ok(Ok(None)) }))
    }

    fn drop(&mut self, this: Resource<Trailers>) -> wasmtime::Result<()> {
        self.end(this)
    }
}

/// Nothing waits: a body is all there.
impl streams::HostInputStream for Guest {
    fn read(
        &mut self,
        this: Resource<Input>,
        most: u64,
    ) -> wasmtime::Result<Result<Vec<u8>, streams::StreamError>> {
        self.visit.host_call()?;
        let Input { left, .. } = self.desk.table.get_mut(&this)?;
        if left.is_empty() {
            return Ok(Err(streams::StreamError::Closed));
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(left.len());
        Ok(Ok(left.split_to(most).to_vec()))
    }

    fn blocking_read(
        &mut self,
        this: Resource<Input>,
        most: u64,
    ) -> wasmtime::Result<Result<Vec<u8>, streams::StreamError>> {
        streams::HostInputStream::read(self, this, most)
    }

    fn skip(
        &mut self,
        this: Resource<Input>,
        most: u64,
    ) -> wasmtime::Result<Result<u64, streams::StreamError>> {
        let skipped = streams::HostInputStream::read(self, this, most)?;
        Ok(skipped.map(|bytes| bytes.len() as u64))
    }

    fn blocking_skip(
        &mut self,
        this: Resource<Input>,
        most: u64,
    ) -> wasmtime::Result<Result<u64, streams::StreamError>> {
        streams::HostInputStream::skip(self, this, most)
    }

    fn subscribe(&mut self, _: Resource<Input>) -> wasmtime::Result<Resource<Pollable>> {
        self.visit.host_call()?;
        self.keep(Pollable::READY)
    }

    fn drop(&mut self, this: Resource<Input>) -> wasmtime::Result<()> {
        self.end(this)
    }
}
