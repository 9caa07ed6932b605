//! The plugin host: components come in, calls go in and out, and nothing else does.
//!
//! A plugin is a WebAssembly component that was built for the contract in `plugins-sdk/wit`. This crate has it
//! compiled in a process of its own, links it to what its operator granted and to nothing else, and calls it within bounds of processor time, wall-clock time,
//! memory, output and log. Every call has an instance of its own unless the plugin is `warm`; after anything but a plain
//! return the instance is thrown away.
//!
//! It never decides about leases, knows no HTTP server and keeps no record: what is installed is kept by whoever installs.
//! Calls run on the runtime of the caller; a guest gives way to other tasks every [`limits::TICK`], and one
//! that computes for longer goes on in turns with the others that do.

mod address;
mod authorities;
mod bucket;
mod cache;
mod call;
mod client;
mod clock;
mod compiler;
mod contract;
mod endpoint;
mod engine;
mod error;
mod guest;
mod host;
mod imports;
mod inspect;
mod lane;
pub mod limits;
mod manager;
mod plugin;
mod prepare;
pub mod regular;
mod spec;
mod status;
mod survey;
mod text;
mod version;
mod visit;
mod wasi;
mod ways;
mod worker;

pub use call::{
    CallError, Inventory, InventoryError, JobCall, Locker, LockerError, NoManager, PoolView, Problem,
    ResourceQuery, ResourceView, Target, Targets,
};
pub use compiler::{Bounds, Worker};
pub use error::{HostError, Misfit, Unfit};
pub use host::{Host, HostOptions};
pub use inspect::{CONTRACT, Inspection};
pub use manager::TargetManager;
pub use prepare::{Checked, Prepared, is_name};
pub use spec::{Endpoint, Grants, Kind, Limits, PluginSpec, Secret};
pub use status::{PluginStatus, Quarantine, State};
pub use worker::work;
