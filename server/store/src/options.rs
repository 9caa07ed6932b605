//! What a store may be told on opening.

use lessor_ledger::{Settings, Span};

use crate::limits;

/// How to open a store. [`Default`] is what the server uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Becomes [`Settings::request_ttl`] of the ledger.
    pub request_ttl: Span,
    /// Seed of a store that is new; `None` draws one. An existing store keeps the one that it has.
    pub seed: Option<u64>,
    /// How long history is kept.
    pub retention: Retention,
    /// Memory for cached pages, in bytes; see [`limits::CACHE_BYTES`].
    pub cache_bytes: usize,
    /// Changes after which they are written to the tables; see [`limits::GENERATION_CHANGES`]. Tests make it small.
    pub generation_changes: usize,
    /// Bytes of the log after which they are; see [`limits::GENERATION_BYTES`]. Tests make it small.
    pub generation_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            request_ttl: Settings::default().request_ttl,
            seed: None,
            retention: Retention::default(),
            cache_bytes: limits::CACHE_BYTES,
            generation_changes: limits::GENERATION_CHANGES,
            generation_bytes: limits::GENERATION_BYTES,
        }
    }
}

/// How long history is kept. An ended lease goes together with the part of the journal that ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events older than this go, counted back from the latest commit.
    pub keep: Span,
    /// At least this many of the latest events stay, if they are not too old.
    pub events: u64,
}

impl Default for Retention {
    /// 30 days and 1 million events (design §3.5).
    fn default() -> Self {
        Self { keep: limits::HISTORY_KEEP, events: limits::HISTORY_EVENTS }
    }
}
