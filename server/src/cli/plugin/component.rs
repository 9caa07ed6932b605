//! Components as files, and a host to look at them with.

use std::io::Read as _;
use std::path::Path;

use lessor_plugins::limits::COMPONENT_BYTES_MAX;
use lessor_plugins::{Host, HostOptions, Worker};
use tempfile::TempDir;

use crate::cli::Inner;
use crate::cli::failure::Failure;

/// What every core module begins with: a magic number and the version 1. Components have another version.
const CORE_MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Reads a component.
///
/// # Errors
/// It cannot be read, is too large, or is a core module.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let name = file.display();
    let opened = std::fs::File::open(file).map_err(Failure::io(format!("cannot open {name}")))?;
    let mut bytes = Vec::new();
    let read = opened.take(COMPONENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(Failure::io(format!("cannot read {name}")))?;
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(Failure::Usage(format!(
            "{name} has more than {COMPONENT_BYTES_MAX} bytes: no server takes it"
        )));
    }
    if bytes.starts_with(&CORE_MODULE) {
        return Err(Failure::Usage(format!(
            "{name} is a WebAssembly module, not a component: `lessor plugin build` makes one of a Rust project"
        )));
    }
    Ok(bytes)
}

/// A host with a cache of its own, which goes when the returned folder is dropped.
///
/// # Errors
/// There is no room for its cache, or its engine does not start.
pub(super) fn host() -> Result<(Host, TempDir), Failure> {
    let folder = TempDir::new().map_err(Failure::io("cannot make a temporary folder"))?;
    let worker = Worker::own(&[Inner::PLUGIN_WORKER]);
    let host = Host::new(HostOptions { cache: folder.path().join("cache"), worker });
    let host = host.map_err(|cause| Failure::Plugin { cause: Box::new(cause) })?;
    Ok((host, folder))
}
