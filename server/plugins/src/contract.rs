//! The contract of `plugins-sdk/wit/v0.1.0` as Rust types, and what of it is linked.

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../plugins-sdk/wit/v0.1.0",
        world: "target-manager",
        imports: {
            "lessor:plugin/log": trappable,
            "lessor:plugin/settings": trappable,
            "lessor:plugin/secrets": trappable,
            "lessor:plugin/clock": trappable,
            "lessor:plugin/random": trappable,
            default: async | trappable,
        },
        exports: { default: async },
    });
}

pub(crate) use bindings::exports::lessor::plugin::targets;
pub(crate) use bindings::lessor::plugin::{
    clock, files, http_endpoint, inventory, locker, log, random, secrets, settings, types,
};
pub(crate) use bindings::{TargetManager, TargetManagerPre};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::guest::Guest;
use crate::inspect::Anatomy;

/// Links what the component imports of the contract, and nothing else. That it is granted was checked.
fn link(linker: &mut Linker<Guest>, anatomy: &Anatomy) -> wasmtime::Result<()> {
    type Own = HasSelf<Guest>;
    let has = |interface: &str| anatomy.has_import(interface);
    if has("log") {
        log::add_to_linker::<_, Own>(linker, |guest| guest)?;
    }
    if has("settings") {
        settings::add_to_linker::<_, Own>(linker, |guest| guest)?;
    }
    if has("secrets") {
        secrets::add_to_linker::<_, Own>(linker, |guest| guest)?;
    }
    if has("clock") {
        clock::add_to_linker::<_, Own>(linker, |guest| guest)?;
    }
    if has("random") {
        random::add_to_linker::<_, Own>(linker, |guest| guest)?;
    }
    if has("files") {
        files::add_to_linker::<_, Own>(linker, |guest| guest)?;
    }
    if has("http-endpoint") {
        http_endpoint::add_to_linker::<_, Own>(linker, |guest| guest)?;
    }
    if has("locker") {
        locker::add_to_linker::<_, Own>(linker, |guest| guest)?;
    }
    if has("inventory") {
        inventory::add_to_linker::<_, Own>(linker, |guest| guest)?;
    }
    crate::wasi::link(linker, anatomy)
}

/// Links a component and finds its exports.
pub(crate) fn fit(
    engine: &Engine,
    component: &Component,
    anatomy: &Anatomy,
) -> wasmtime::Result<TargetManagerPre<Guest>> {
    let mut linker = Linker::new(engine);
    link(&mut linker, anatomy)?;
    TargetManagerPre::new(linker.instantiate_pre(component)?)
}
