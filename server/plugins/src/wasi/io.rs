//! `wasi:io`: what can be waited for, and what went wrong with a stream.

use futures_util::FutureExt;
use futures_util::future::select_all;
use wasmtime::component::Resource;

use super::incoming::Coming;
use super::{error, poll};
use crate::guest::Guest;

/// Why a stream broke.
pub struct Fault(pub(super) String);

/// What can be waited for: a response, or something that is there already, as all streams are.
#[derive(Clone)]
pub struct Pollable(Option<Coming>);

impl Pollable {
    pub(super) const READY: Self = Self(None);

    pub(super) fn response(coming: Coming) -> Self {
        Self(Some(coming))
    }

    fn ready(&self) -> bool {
        self.0.as_ref().is_none_or(|coming| coming.clone().now_or_never().is_some())
    }

    async fn wait(self) {
        if let Some(coming) = self.0 {
            coming.await;
        }
    }
}

impl error::Host for Guest {}

impl error::HostError for Guest {
    fn to_debug_string(&mut self, this: Resource<Fault>) -> wasmtime::Result<String> {
        self.visit.host_call()?;
        Ok(self.desk.table.get(&this)?.0.clone())
    }

    fn drop(&mut self, this: Resource<Fault>) -> wasmtime::Result<()> {
        self.end(this)
    }
}

impl poll::Host for Guest {
    async fn poll(&mut self, all: Vec<Resource<Pollable>>) -> wasmtime::Result<Vec<u32>> {
        self.visit.host_call()?;
        if all.is_empty() {
            return Err(wasmtime::Error::msg("it polls nothing"));
        }
        let all = all.iter().map(|one| self.desk.table.get(one).cloned()).collect::<Result<Vec<_>, _>>()?;
        if !all.iter().any(Pollable::ready) {
            select_all(all.iter().map(|one| Box::pin(one.clone().wait()))).await;
            self.visit.waited = true;
        }
        Ok((0..).zip(&all).filter(|(_, one)| one.ready()).map(|(at, _)| at).collect())
    }
}

impl poll::HostPollable for Guest {
    async fn ready(&mut self, this: Resource<Pollable>) -> wasmtime::Result<bool> {
        self.visit.host_call()?;
        Ok(self.desk.table.get(&this)?.ready())
    }

    async fn block(&mut self, this: Resource<Pollable>) -> wasmtime::Result<()> {
        self.visit.host_call()?;
        let one = self.desk.table.get(&this)?.clone();
        one.wait().await;
        self.visit.waited = true;
        Ok(())
    }

    async fn drop(&mut self, this: Resource<Pollable>) -> wasmtime::Result<()> {
        self.end(this)
    }
}
