//! A response, when it comes, and its body.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use hyper::body::Bytes;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::component::Resource;

use super::fields::Fields;
use super::io::{Fault, Pollable};
use super::streams;
use super::types::{self, ErrorCode};
use crate::client::Answer;
use crate::guest::Guest;

/// What comes of a request. It is under way by itself, until nobody can wait for it any more.
pub(crate) type Coming = Shared<BoxFuture<'static, Arc<Result<Answer, ErrorCode>>>>;

/// Sends a request on its way.
pub(super) fn coming(request: impl Future<Output = Result<Answer, ErrorCode>> + Send + 'static) -> Coming {
    let under_way = AbortOnDropHandle::new(tokio::spawn(request));
    let done = async { Arc::new(under_way.await.unwrap_or(Err(ErrorCode::InternalError(None)))) };
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
    answer: Arc<Result<Answer, ErrorCode>>,
    consumed: bool,
}

/// The body of a response.
pub struct Content {
    bytes: Bytes,
    streamed: bool,
}

/// What is left to read of a body.
pub struct Input(Bytes);

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
        let coming = self.table.get(&this)?.coming.clone();
        self.keep(Pollable::response(coming))
    }

    fn get(
        &mut self,
        this: Resource<Awaited>,
    ) -> wasmtime::Result<Option<Result<Result<Resource<Incoming>, ErrorCode>, ()>>> {
        self.visit.host_call()?;
        let awaited = self.table.get_mut(&this)?;
        let Some(answer) = awaited.coming.clone().now_or_never() else { return Ok(None) };
        if std::mem::replace(&mut awaited.taken, true) {
            return Ok(Some(Err(())));
        }
        Ok(Some(Ok(match &*answer {
            Err(code) => Err(code.clone()),
            Ok(_) => Ok(self.keep(Incoming { answer, consumed: false })?),
        })))
    }

    fn drop(&mut self, this: Resource<Awaited>) -> wasmtime::Result<()> {
        self.end(this)
    }
}

impl Incoming {
    fn answer(&self) -> wasmtime::Result<&Answer> {
        self.answer.as_ref().as_ref().map_err(|_| wasmtime::Error::msg("a failure was kept as a response"))
    }
}

impl types::HostIncomingResponse for Guest {
    fn status(&mut self, this: Resource<Incoming>) -> wasmtime::Result<u16> {
        self.visit.host_call()?;
        Ok(self.table.get(&this)?.answer()?.status)
    }

    fn headers(&mut self, this: Resource<Incoming>) -> wasmtime::Result<Resource<Fields>> {
        self.visit.host_call()?;
        let headers = self.table.get(&this)?.answer()?.headers.clone();
        self.keep(Fields::fixed(headers))
    }

    fn consume(&mut self, this: Resource<Incoming>) -> wasmtime::Result<Result<Resource<Content>, ()>> {
        self.visit.host_call()?;
        let response = self.table.get_mut(&this)?;
        if std::mem::replace(&mut response.consumed, true) {
            return Ok(Err(()));
        }
        let bytes = response.answer()?.body.clone();
        self.keep(Content { bytes, streamed: false }).map(Ok)
    }

    fn drop(&mut self, this: Resource<Incoming>) -> wasmtime::Result<()> {
        self.end(this)
    }
}

impl types::HostIncomingBody for Guest {
    fn stream(&mut self, this: Resource<Content>) -> wasmtime::Result<Result<Resource<Input>, ()>> {
        self.visit.host_call()?;
        let content = self.table.get_mut(&this)?;
        if std::mem::replace(&mut content.streamed, true) {
            return Ok(Err(()));
        }
        let input = Input(content.bytes.clone());
        self.keep(input).map(Ok)
    }

    fn finish(&mut self, this: Resource<Content>) -> wasmtime::Result<Resource<Trailers>> {
        self.visit.host_call()?;
        self.table.delete(this)?;
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
        let taken = std::mem::replace(&mut self.table.get_mut(&this)?.taken, true);
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
        let Input(left) = self.table.get_mut(&this)?;
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
