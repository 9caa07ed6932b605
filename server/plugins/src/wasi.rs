//! `wasi:http` 0.2, the sending half: for plugins whose toolchain speaks that rather than `http-endpoint`.
//!
//! It is this crate's own, and small, because a request and its answer are handed over whole, as with named endpoints:
//! a body is sent when it is finished, and a response is there when all of it is. So all that ever waits is a response.
//! Every function counts against the call's host calls, and all that a guest keeps here is bounded. Headers are, too:
//! see [`limits`](crate::limits).

#[expect(unreachable_pub, reason = "the bindings name its types in interfaces that are `pub`")]
mod fields;
mod gate;
#[expect(unreachable_pub, reason = "as of `fields`")]
mod incoming;
#[expect(unreachable_pub, reason = "as of `fields`")]
mod io;
#[expect(unreachable_pub, reason = "as of `fields`")]
mod outgoing;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};

pub(crate) use self::gate::Gate;
use crate::guest::{Guest, Overuse};
use crate::inspect::Anatomy;
use crate::limits::{WASI_REQUESTS_MAX, WASI_RESOURCES_MAX};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "outgoing",
        imports: {
            "wasi:io/poll": async | trappable,
            default: trappable,
        },
        with: {
            "wasi:io/error.error": super::io::Fault,
            "wasi:io/poll.pollable": super::io::Pollable,
            "wasi:io/streams.input-stream": super::incoming::Input,
            "wasi:io/streams.output-stream": super::outgoing::Output,
            "wasi:http/types.fields": super::fields::Fields,
            "wasi:http/types.outgoing-request": super::outgoing::Draft,
            "wasi:http/types.request-options": super::outgoing::Options,
            "wasi:http/types.outgoing-body": super::outgoing::Body,
            "wasi:http/types.future-incoming-response": super::incoming::Awaited,
            "wasi:http/types.incoming-response": super::incoming::Incoming,
            "wasi:http/types.incoming-body": super::incoming::Content,
            "wasi:http/types.future-trailers": super::incoming::Trailers,
        },
    });
}

use self::bindings::wasi::http::{outgoing_handler, types};
use self::bindings::wasi::io::{error, poll, streams};

/// Links what the component imports. That it is granted was checked.
pub(crate) fn link(linker: &mut Linker<Guest>, anatomy: &Anatomy) -> wasmtime::Result<()> {
    type Own = HasSelf<Guest>;
    if !anatomy.wants_wasi_http() {
        return Ok(());
    }
    error::add_to_linker::<_, Own>(linker, |guest| guest)?;
    poll::add_to_linker::<_, Own>(linker, |guest| guest)?;
    streams::add_to_linker::<_, Own>(linker, |guest| guest)?;
    types::add_to_linker::<_, Own>(linker, |guest| guest)?;
    outgoing_handler::add_to_linker::<_, Own>(linker, |guest| guest)
}

/// What a guest has handles to, and room for requests.
pub(crate) struct Desk {
    table: ResourceTable,
    places: Arc<Semaphore>,
}

/// Room for one request, kept by everything that belongs to it.
type Place = Arc<OwnedSemaphorePermit>;

impl Desk {
    pub(crate) fn new() -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(WASI_RESOURCES_MAX);
        Self { table, places: Arc::new(Semaphore::new(WASI_REQUESTS_MAX)) }
    }

    /// Whether nothing is kept, nor under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn place(&self) -> wasmtime::Result<Place> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map(Arc::new).map_err(|_| wasmtime::Error::new(Overuse::Requests))
    }
}

impl Guest {
    /// Keeps something for the guest.
    fn keep<T: Send + 'static>(&mut self, what: T) -> wasmtime::Result<Resource<T>> {
        Ok(self.desk.table.push(what)?)
    }

    /// Ends what the guest dropped.
    fn end<T: Send + 'static>(&mut self, what: Resource<T>) -> wasmtime::Result<()> {
        self.desk.table.delete(what)?;
        Ok(())
    }
}
