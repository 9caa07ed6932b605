//! Every bound of the API, with its unit and the reason for its size.

use std::time::Duration;

/// Largest request body, in bytes: room for 10,000 targets (the ledger's bound per call) of 100 bytes each.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Longest time to send a request body. A body of the largest size at 1 Mbit/s takes 8.4 s.
pub(crate) const BODY_READ_MAX: Duration = Duration::from_secs(10);

/// Items in a list when the client names no `limit`.
pub(crate) const PAGE_ITEMS_DEFAULT: usize = 100;

/// Most items in one page of a list.
pub(crate) const PAGE_ITEMS_MAX: usize = 1000;

/// Most rows looked at for one page of a filtered list; a page that reaches it ends early, with a cursor.
///
/// Keeps the cost of a page independent of the number of records (promise P6). A row takes about 0.2 µs.
pub(crate) const PAGE_ROWS_MAX: usize = 20_000;

/// Longest time that one HTTP request is held open for a waiter; a longer `wait` goes on with `GET /v1/requests/{id}`.
///
/// Proxies commonly close connections that were silent for 5 minutes or more.
pub(crate) const HOLD_MAX: Duration = Duration::from_mins(5);

/// Most HTTP requests held open for waiters at once: ten times what design §5 is measured with.
pub(crate) const HELD_REQUESTS_MAX: usize = 10_000;

/// Most open event streams at once: twice what design §5 is measured with.
pub(crate) const STREAMS_MAX: usize = 2_000;

/// Time between two comments on a silent event stream; proxies close silent connections after 30 s and more.
pub(crate) const STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Events read from the history at once while a stream catches up: with the most streams, all of them behind, that is
/// about 100 MB.
pub(crate) const STREAM_CATCH_UP_EVENTS: usize = 100;

/// Most lists, pages and reads of the history in the making at once; more wait. Each occupies a thread.
pub(crate) const READS_MAX: usize = 8;

/// Most copies of the store in the making at once. Each takes as much disk as the store.
pub(crate) const BACKUPS_MAX: usize = 1;

/// Bytes of a copy that are read and sent in one piece: enough to keep a network busy, little to keep in memory.
pub(crate) const BACKUP_CHUNK_BYTES: usize = 256 * 1024;

/// Longest `Idempotency-Key` or `request_id`, in bytes.
pub(crate) const KEY_BYTES_MAX: usize = 512;

/// Seconds that a client is told to wait after a 503 before it tries again.
pub(crate) const RETRY_AFTER_SECS: u32 = 1;

/// Most label sets of `boskos_acquire_duration_seconds`: `dest` is the client's free choice. Later ones count as
/// `other`.
pub(crate) const ACQUIRE_SERIES_MAX: usize = 1_000;

/// Most rows of each table on the dashboard.
pub(crate) const DASHBOARD_ROWS_MAX: usize = 100;

/// Most targets named in one row of the dashboard.
pub(crate) const DASHBOARD_TARGETS_MAX: usize = 5;
