//! What the benchmarks share: a host with a folder of its own, and components of `cargo xtask plugins`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lessor_plugins::{Grants, Host, HostOptions, Kind, Limits, PluginSpec, Worker};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A component, built before.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let program = std::env::current_exe().expect("a program knows its own path");
    // target/<profile>/deps/<program>
    let target = program.ancestors().nth(3).expect("a benchmark lies in target/<profile>/deps");
    let file = target.join("plugins").join(format!("{name}.wasm"));
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask plugins` first", file.display()))
}

/// A plugin that may lock, with an instance for each call or one that stays.
pub(crate) fn spec(name: &str, warm: bool) -> PluginSpec {
    let memory_bytes = 256 << 20;
    PluginSpec {
        name: name.to_owned(),
        kind: Kind::TargetManager,
        settings: serde_json::Value::Null,
        secrets: BTreeMap::new(),
        grants: Grants { locker: true, ..Grants::default() },
        beneath: BTreeMap::new(),
        limits: Limits { concurrency: 32, memory_bytes, ..Limits::default() },
        warm,
    }
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime starts")
}

/// A folder for compiled components.
pub(crate) fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("there is room");
    let cache = folder.path().join("compiled");
    (folder, cache)
}

pub(crate) fn host(cache: &Path) -> Host {
    let worker = Worker::new(env!("CARGO_BIN_EXE_lessor-plugin-worker").into(), &[]);
    Host::new(HostOptions { cache: cache.to_owned(), worker }).expect("a host starts")
}
