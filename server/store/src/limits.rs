//! Every bound of the store, with its unit and the reason for its size.

use lessor_ledger::Span;

/// Memory that redb may use to cache pages, in bytes.
///
/// The current records live in the ledger, so the store reads only history and the inner pages of its trees:
/// 64 MiB hold the inner pages of all tables at a million resources, and are 64 bytes for each of them.
pub const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Most changes in one value of the journal. A larger batch becomes several values in one transaction.
///
/// A usual batch (64 mutations, four changes each) fits into one; reading an event never decodes more than this.
pub const PART_CHANGES_MAX: usize = 1_024;

/// Dirty records after which a generation is closed and its writing begins.
///
/// More would coalesce better but leave a longer journal to replay: two generations are absorbed in less than a
/// tenth of a second.
pub const GENERATION_RECORDS: usize = 32_768;

/// Least checkpoint rows that ride along with a commit; until so many are owed, commits write none.
///
/// Rows are written in the order of their keys, so a large chunk shares pages that many small ones would each write
/// anew: with a few rows in every commit, 49 pages were written for 32 mutations.
pub const RIDING_ROWS_MIN: usize = 1_024;

/// In how many chunks a small generation is written at least, so that tests with small ones see half-written ones;
/// one of [`GENERATION_RECORDS`] is written in chunks of [`RIDING_ROWS_MIN`] or more.
pub const CHUNKS_PER_GENERATION: usize = 32;

/// Most checkpoint rows that ride along with one commit. Usually there ride five for every four rows that commits
/// made dirty meanwhile, so that a generation is written before the next is full; this bounds it after a bulk import.
pub const RIDING_ROWS_MAX: usize = 8_192;

/// Most checkpoint bytes that ride along with a small commit; with a large one, twice its own size. The chunk ends
/// with the row that reaches it.
pub const RIDING_BYTES_MAX: usize = 1024 * 1024;

/// Most checkpoint rows written alone when idle, so that a commit never waits long for it: a few milliseconds.
pub const IDLE_ROWS_MAX: usize = 2_048;

/// Most checkpoint bytes written alone when idle. The chunk ends with the row that reaches it.
pub const IDLE_BYTES_MAX: usize = 1024 * 1024;

/// Most journal values that a commit trims beyond as many as it wrote itself, so that trimming catches up.
pub const TRIM_PARTS_MAX: usize = 2;

/// Pieces of history freed with each commit, so that none pays for a whole generation; a commit adds about one.
pub const SEGMENTS_FREED: usize = 4;

/// Most IDs in one row of the event index, so that a row fits into one page.
pub const POSTING_IDS_MAX: usize = 512;

/// How long events and ended leases are kept (design §3.5): 30 days.
pub const HISTORY_KEEP: Span = Span::from_secs(30 * 24 * 60 * 60);

/// How many events are kept (design §3.5).
pub const HISTORY_EVENTS: u64 = 1_000_000;

/// Most items that one query of history returns; ten times the API's largest page.
pub const PAGE_MAX: usize = 10_000;

/// Most bytes that one transaction of a backup copies, so that a backup needs little memory.
pub const BACKUP_CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// Most problems that a check describes; the rest is only counted.
pub const PROBLEMS_MAX: usize = 100;

/// Largest encoding buffer that is kept from commit to commit, in bytes.
pub const BUFFER_BYTES_KEPT: usize = 4 * 1024 * 1024;
