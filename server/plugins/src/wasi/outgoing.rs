//! A request, its body, and its way out.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use tokio::sync::oneshot;
use wasmtime::component::Resource;

use super::fields::Fields;
use super::gate::Errand;
use super::incoming::{Awaited, coming};
use super::io::{Fault, Pollable};
use super::types::{self, ErrorCode, Scheme};
use super::{Place, outgoing_handler, streams};
use crate::clock::now;
use crate::guest::Guest;
use crate::limits::{HTTP_BODY_BYTES_MAX, HTTP_PATH_BYTES_MAX, HTTP_TIMEOUT_MAX};
use crate::text;

/// A request that is being made.
pub struct Draft {
    method: Method,
    scheme: Option<Scheme>,
    authority: Option<String>,
    path: Option<String>,
    headers: Fields,
    body: Coffer,
    place: Place,
}

/// Where the body of a request comes from.
enum Coffer {
    /// Nobody asked for it: there is none.
    Untouched,
    /// From whoever finishes it.
    Awaited(oneshot::Receiver<Vec<u8>>),
}

/// The body of a request, until it is finished. One that is dropped before is never sent, nor is its request.
pub struct Body {
    written: Written,
    done: oneshot::Sender<Vec<u8>>,
    streamed: bool,
    place: Place,
}

/// What was written to a body so far.
type Written = Arc<Mutex<Vec<u8>>>;

/// Where a body is written to.
pub struct Output {
    written: Written,
    _place: Place,
}

/// How long a request may take: the least of the times that it names, for all of it.
#[derive(Default)]
pub struct Options {
    connect: Option<u64>,
    first_byte: Option<u64>,
    between_bytes: Option<u64>,
}

impl Options {
    fn timeout(&self) -> Duration {
        let named = [self.connect, self.first_byte, self.between_bytes];
        let least = named.into_iter().flatten().map(Duration::from_nanos).min();
        least.unwrap_or(HTTP_TIMEOUT_MAX).min(HTTP_TIMEOUT_MAX)
    }
}

impl outgoing_handler::Host for Guest {
    fn handle(
        &mut self,
        request: Resource<Draft>,
        options: Option<Resource<Options>>,
    ) -> wasmtime::Result<Result<Resource<Awaited>, ErrorCode>> {
        self.visit.host_call()?;
        let Draft { method, scheme, authority, path, headers, body, place } =
            self.desk.table.delete(request)?;
        let options = options.map(|options| self.desk.table.delete(options)).transpose()?.unwrap_or_default();
        let left = self.visit.deadline.saturating_duration_since(now());
        let errand = Errand { method, scheme, authority, path, headers: headers.map };
        let gate = Arc::clone(&self.context.gate);
        let request = match gate.request(errand) {
            Ok(request) => request,
            Err(refused) => {
                let (plugin, why) = (self.context.name.as_str(), text::tame(&refused.why, 200));
                if self.context.may_log(why.len()) {
                    tracing::warn!(target: "plugin", plugin, why, "a request over wasi:http was refused");
                }
                return Ok(Err(refused.code));
            }
        };
        let body = async {
            match body {
                Coffer::Untouched => Some(Vec::new()),
                Coffer::Awaited(done) => done.await.ok(),
            }
        };
        let coming = coming(gate.send(request, body, options.timeout().min(left)), place);
        self.keep(Awaited::new(coming)).map(Ok)
    }
}

impl types::HostOutgoingRequest for Guest {
    fn new(&mut self, headers: Resource<Fields>) -> wasmtime::Result<Resource<Draft>> {
        self.visit.host_call()?;
        let headers = Fields { fixed: true, ..self.desk.table.delete(headers)? };
        let body = Coffer::Untouched;
        let place = self.desk.place()?;
        self.keep(Draft {
            method: Method::GET,
            scheme: None,
            authority: None,
            path: None,
            headers,
            body,
            place,
        })
    }

    fn body(&mut self, this: Resource<Draft>) -> wasmtime::Result<Result<Resource<Body>, ()>> {
        self.visit.host_call()?;
        let draft = self.desk.table.get_mut(&this)?;
        if matches!(draft.body, Coffer::Awaited(_)) {
            return Ok(Err(()));
        }
        let (done, awaited) = oneshot::channel();
        draft.body = Coffer::Awaited(awaited);
        let place = Place::clone(&draft.place);
        self.keep(Body { written: Written::default(), done, streamed: false, place }).map(Ok)
    }

    fn method(&mut self, this: Resource<Draft>) -> wasmtime::Result<types::Method> {
        self.visit.host_call()?;
        Ok(spoken(&self.desk.table.get(&this)?.method))
    }

    fn set_method(
        &mut self,
        this: Resource<Draft>,
        method: types::Method,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.visit.host_call()?;
        let draft = self.desk.table.get_mut(&this)?;
        Ok(understood(&method).map(|method| draft.method = method).ok_or(()))
    }

    fn path_with_query(&mut self, this: Resource<Draft>) -> wasmtime::Result<Option<String>> {
        self.visit.host_call()?;
        Ok(self.desk.table.get(&this)?.path.clone())
    }

    fn set_path_with_query(
        &mut self,
        this: Resource<Draft>,
        path: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.visit.host_call()?;
        let draft = self.desk.table.get_mut(&this)?;
        Ok(bounded(path).map(|path| draft.path = path))
    }

    fn scheme(&mut self, this: Resource<Draft>) -> wasmtime::Result<Option<Scheme>> {
        self.visit.host_call()?;
        Ok(self.desk.table.get(&this)?.scheme.clone())
    }

    fn set_scheme(
        &mut self,
        this: Resource<Draft>,
        scheme: Option<Scheme>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.visit.host_call()?;
        let draft = self.desk.table.get_mut(&this)?;
        if matches!(scheme, Some(Scheme::Other(_))) {
            return Ok(Err(()));
        }
        draft.scheme = scheme;
        Ok(Ok(()))
    }

    fn authority(&mut self, this: Resource<Draft>) -> wasmtime::Result<Option<String>> {
        self.visit.host_call()?;
        Ok(self.desk.table.get(&this)?.authority.clone())
    }

    fn set_authority(
        &mut self,
        this: Resource<Draft>,
        authority: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.visit.host_call()?;
        let draft = self.desk.table.get_mut(&this)?;
        Ok(bounded(authority).map(|authority| draft.authority = authority))
    }

    fn headers(&mut self, this: Resource<Draft>) -> wasmtime::Result<Resource<Fields>> {
        self.visit.host_call()?;
        let headers = self.desk.table.get(&this)?.headers.clone();
        self.keep(headers)
    }

    fn drop(&mut self, this: Resource<Draft>) -> wasmtime::Result<()> {
        self.end(this)
    }
}

fn bounded(text: Option<String>) -> Result<Option<String>, ()> {
    let fits = text.as_ref().is_none_or(|text| text.len() <= HTTP_PATH_BYTES_MAX);
    if fits { Ok(text) } else { Err(()) }
}

/// Every method that the standard names, except those that are not for asking a server for something.
const METHODS: [(types::Method, Method); 7] = [
    (types::Method::Get, Method::GET),
    (types::Method::Head, Method::HEAD),
    (types::Method::Post, Method::POST),
    (types::Method::Put, Method::PUT),
    (types::Method::Patch, Method::PATCH),
    (types::Method::Delete, Method::DELETE),
    (types::Method::Options, Method::OPTIONS),
];

fn understood(method: &types::Method) -> Option<Method> {
    let same = |known: &types::Method| mem::discriminant(known) == mem::discriminant(method);
    METHODS.into_iter().find(|(known, _)| same(known)).map(|(_, method)| method)
}

fn spoken(method: &Method) -> types::Method {
    let known = METHODS.into_iter().find(|(_, known)| known == method);
    known.map_or_else(|| types::Method::Other(method.to_string()), |(spoken, _)| spoken)
}

impl types::HostOutgoingBody for Guest {
    fn write(&mut self, this: Resource<Body>) -> wasmtime::Result<Result<Resource<Output>, ()>> {
        self.visit.host_call()?;
        let body = self.desk.table.get_mut(&this)?;
        if mem::replace(&mut body.streamed, true) {
            return Ok(Err(()));
        }
        let output = Output { written: Arc::clone(&body.written), _place: Place::clone(&body.place) };
        self.keep(output).map(Ok)
    }

    fn finish(
        &mut self,
        this: Resource<Body>,
        trailers: Option<Resource<Fields>>,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        self.visit.host_call()?;
        let Body { written, done, .. } = self.desk.table.delete(this)?;
        if let Some(trailers) = trailers {
            self.desk.table.delete(trailers)?;
            return Ok(Err(ErrorCode::HttpRequestTrailerSectionSize(Some(0))));
        }
        let bytes = mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
        // Nobody waits for it if the request was dropped.
        let _ = done.send(bytes);
        Ok(Ok(()))
    }

    fn drop(&mut self, this: Resource<Body>) -> wasmtime::Result<()> {
        self.end(this)
    }
}

impl streams::Host for Guest {}

/// Nothing waits: a body is kept until it is finished.
impl streams::HostOutputStream for Guest {
    fn check_write(&mut self, this: Resource<Output>) -> wasmtime::Result<Result<u64, streams::StreamError>> {
        self.visit.host_call()?;
        let written =
            self.desk.table.get(&this)?.written.lock().unwrap_or_else(PoisonError::into_inner).len();
        let room = HTTP_BODY_BYTES_MAX - written;
        if room > 0 { Ok(Ok(room as u64)) } else { self.full() }
    }

    fn write(
        &mut self,
        this: Resource<Output>,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<(), streams::StreamError>> {
        self.visit.host_call()?;
        let written = Arc::clone(&self.desk.table.get(&this)?.written);
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() + bytes.len() > HTTP_BODY_BYTES_MAX {
            return self.full();
        }
        written.extend(bytes);
        Ok(Ok(()))
    }

    fn blocking_write_and_flush(
        &mut self,
        this: Resource<Output>,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<(), streams::StreamError>> {
        streams::HostOutputStream::write(self, this, bytes)
    }

    fn flush(&mut self, _: Resource<Output>) -> wasmtime::Result<Result<(), streams::StreamError>> {
        self.visit.host_call()?;
        Ok(Ok(()))
    }

    fn blocking_flush(
        &mut self,
        this: Resource<Output>,
    ) -> wasmtime::Result<Result<(), streams::StreamError>> {
        streams::HostOutputStream::flush(self, this)
    }

    fn subscribe(&mut self, _: Resource<Output>) -> wasmtime::Result<Resource<Pollable>> {
        self.visit.host_call()?;
        self.keep(Pollable::READY)
    }

    fn drop(&mut self, this: Resource<Output>) -> wasmtime::Result<()> {
        self.end(this)
    }
}

impl Guest {
    fn full<T>(&mut self) -> wasmtime::Result<Result<T, streams::StreamError>> {
        let fault = Fault(format!("the body has more than {HTTP_BODY_BYTES_MAX} bytes"));
        Ok(Err(streams::StreamError::LastOperationFailed(self.keep(fault)?)))
    }
}

impl types::HostRequestOptions for Guest {
    fn new(&mut self) -> wasmtime::Result<Resource<Options>> {
        self.visit.host_call()?;
        self.keep(Options::default())
    }

    fn connect_timeout(&mut self, this: Resource<Options>) -> wasmtime::Result<Option<u64>> {
        self.visit.host_call()?;
        Ok(self.desk.table.get(&this)?.connect)
    }

    fn set_connect_timeout(
        &mut self,
        this: Resource<Options>,
        timeout: Option<u64>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.visit.host_call()?;
        self.desk.table.get_mut(&this)?.connect = timeout;
        Ok(Ok(()))
    }

    fn first_byte_timeout(&mut self, this: Resource<Options>) -> wasmtime::Result<Option<u64>> {
        self.visit.host_call()?;
        Ok(self.desk.table.get(&this)?.first_byte)
    }

    fn set_first_byte_timeout(
        &mut self,
        this: Resource<Options>,
        timeout: Option<u64>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.visit.host_call()?;
        self.desk.table.get_mut(&this)?.first_byte = timeout;
        Ok(Ok(()))
    }

    fn between_bytes_timeout(&mut self, this: Resource<Options>) -> wasmtime::Result<Option<u64>> {
        self.visit.host_call()?;
        Ok(self.desk.table.get(&this)?.between_bytes)
    }

    fn set_between_bytes_timeout(
        &mut self,
        this: Resource<Options>,
        timeout: Option<u64>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.visit.host_call()?;
        self.desk.table.get_mut(&this)?.between_bytes = timeout;
        Ok(Ok(()))
    }

    fn drop(&mut self, this: Resource<Options>) -> wasmtime::Result<()> {
        self.end(this)
    }
}
