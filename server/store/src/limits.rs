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

/// Changes after which what the log holds is written to the tables, all of it in one transaction.
///
/// About 32,000 mutations and 16 MiB of log. More would coalesce better, but leave more to replay: two generations are
/// absorbed in less than a fifth of a second.
pub const GENERATION_CHANGES: usize = 131_072;

/// Bytes of the log after which the same is done: twice what [`GENERATION_CHANGES`] usual changes take, so that only large
/// records come to that. What the tables lack is in memory, too, as bytes and as records.
pub const GENERATION_BYTES: usize = 32 * 1024 * 1024;

/// How many generations may be ahead of the tables. Commits wait when a slow disk lets it come to that, so that
/// neither the log nor the memory grows without bound.
pub const GENERATIONS_AHEAD_MAX: usize = 4;

/// Least by which a file of the write-ahead log grows, in bytes; it doubles up to [`WAL_GROWTH_MAX`].
pub const WAL_GROWTH_MIN: u64 = 64 * 1024;

/// Most by which a file of the write-ahead log grows at once, in bytes: some hundred batches, and a few milliseconds
/// to fill with zeros.
pub const WAL_GROWTH_MAX: u64 = 4 * 1024 * 1024;

/// Largest file of the write-ahead log that is used again as it is, in bytes; one that a bulk import made larger is
/// cut.
pub const WAL_BYTES_KEPT: u64 = 64 * 1024 * 1024;

/// Most bytes that go to the disk in one direct write, a multiple of its block. Usual batches take 4 to 64 KiB; what a
/// bulk import writes is cut, so that the aligned copy of it stays this small.
pub const DIRECT_WRITE_MAX: usize = 1024 * 1024;

/// How far the thread that writes checkpoints stands back for the others: nobody waits for it, and its work comes in
/// bursts that are longer than what the scheduler lets a thread run at once.
pub const CHECKPOINT_NICE: i32 = 10;

/// Rows of the checkpoint after which its thread looks whether it is to stop.
pub const CHECKPOINT_ROWS_BETWEEN_LOOKS: usize = 1_024;

/// Most journal values that a checkpoint trims beyond twice as many as it wrote itself, so that trimming catches up.
pub const TRIM_PARTS_MAX: usize = 64;

/// Most numbers in one row of the event index, so that a row fits into one page.
pub const POSTING_IDS_MAX: usize = 512;

/// Lease numbers that share the rows of the event index: a power of two, and a part of what the tables mean.
///
/// Of leases that end, a checkpoint then writes a row for 16 in place of 16 rows. With more there would be little left to
/// save, and a reader of one lease's events looks through the numbers of this many: about 32 of them, in 100 bytes; at worst,
/// of leases of 10,000 targets each, 320,000 numbers.
pub const POSTING_BUCKET_LEASES: u64 = 16;

/// Lease numbers that one row of the index of ended leases spans. Of an owner who has them all it takes 4 KiB, a page;
/// a checkpoint at full load holds the leases of two or three such runs.
pub const ENDED_BUCKET_LEASES: u64 = 4_096;

/// How long events and ended leases are kept (design §3.5): 30 days.
pub const HISTORY_KEEP: Span = Span::from_secs(30 * 24 * 60 * 60);

/// How many events are kept (design §3.5).
pub const HISTORY_EVENTS: u64 = 1_000_000;

/// Most items that one query of history returns; ten times the API's largest page.
pub const PAGE_MAX: usize = 10_000;

/// Most bytes that one transaction of a backup copies, so that a backup needs little memory.
pub const BACKUP_CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// How many numbers of leases and of requests the first opening of a backup skips. At the 50,000 leases a second that a
/// server can give, the original passes them after eight months; and with 8,000 restores the numbers still are exact in
/// JavaScript (2^53).
pub const RESTORE_SKIP: u64 = 1 << 40;

/// Most problems that a check describes; the rest is only counted.
pub const PROBLEMS_MAX: usize = 100;

/// Largest encoding buffer that is kept from commit to commit, in bytes.
pub const BUFFER_BYTES_KEPT: usize = 4 * 1024 * 1024;
