//! Lessor's own dialect: leases, requests, pools, resources, locks and events as JSON.
//!
//! One file per noun; `view` has the shapes that go out, `body` turns what comes in into the ledger's types.

pub(crate) mod acquire;
pub(crate) mod backup;
pub(crate) mod body;
pub(crate) mod event;
pub(crate) mod force;
pub(crate) mod hold;
pub(crate) mod job;
pub(crate) mod key;
pub(crate) mod lease;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod plugin;
pub(crate) mod pool;
pub(crate) mod pools_apply;
pub(crate) mod request;
pub(crate) mod resource;
pub(crate) mod view;
