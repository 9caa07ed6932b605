//! The host with real components: the examples, and a museum of bad plugins.
//!
//! `cargo xtask plugins` builds them.

mod bounded;
mod crafted;
mod endpoints;
mod examples;
mod kept;
mod life;
mod museum;
mod refused;
mod rig;
mod tls;
mod wasi;
