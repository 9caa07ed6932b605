//! Every bound of the ledger, with its unit and the reason for its size.

use crate::time::Span;

/// Longest name of a target, pool, state or owner, in bytes (design §1).
pub const NAME_BYTES_MAX: usize = 512;

/// Longest free text (purpose, reason, message), in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;

/// Most resources: four of the largest labs that are known. One that is idle takes some 450 bytes, so all of them 2 GB.
pub const RESOURCES_MAX: usize = 4_000_000;

/// Most targets that one lease, one `ConTest` call or one request may name or ask for.
///
/// `ConTest` chunks its SQL at 100 rows and its checklist asks for 250; 10,000 is a whole lab.
pub const TARGETS_PER_CALL_MAX: usize = 10_000;

/// Most parts (pools) in one request.
pub const PARTS_PER_REQUEST_MAX: usize = 16;

/// Most parts with labels in one request, times the targets that they want together: what matching them takes as long as
/// the request waits, each time that something becomes free. 20,000 take some 30 ms; two parts may want a whole lab.
pub const MATCHING_MAX: usize = 2 * TARGETS_PER_CALL_MAX;

/// The same of all requests that wait, together: what becomes free may have to be matched with each of them.
pub const MATCHING_WAITING_MAX: usize = 3 * MATCHING_MAX;

/// Most labels, and most user-data keys, on one resource or in one selector.
pub const LABELS_MAX: usize = 64;

/// Most labels of one resource, or in one selector, keys and values together, in bytes: 64 of 64 bytes. The names of an
/// entry of the pools file have the same ones in memory, but each has a copy on disk.
pub const LABELS_BYTES_MAX: usize = 4 * 1024;

/// Largest user data of one resource, keys and values together, in bytes.
pub const USER_DATA_BYTES_MAX: usize = 64 * 1024;

/// Most requests waiting at once in the whole server.
pub const REQUESTS_MAX: usize = 100_000;

/// Most names, labels and parts of all waiting requests together: two for each request that may wait. One takes some
/// 2 KiB in the lines, so all of them 400 MiB.
pub const REQUESTS_SIZE_MAX: usize = 2 * REQUESTS_MAX;

/// Most targets locked at once, by leases of any kind, at which a name that is no resource can still be locked: a million
/// resources, all of them held, and a quarter of that in other names. One takes up to 1 KiB. Resources are locked beyond
/// it, and so are names that were waited for, of which there are at most [`REQUESTS_SIZE_MAX`].
pub const LOCKS_MAX: usize = 1_250_000;

/// Most settled requests whose outcome is remembered; beyond that the oldest are forgotten before
/// [`OUTCOME_KEEP`] is over. As many as can wait at once.
pub const OUTCOMES_MAX: usize = REQUESTS_MAX;

/// Most names, labels and parts of all settled requests together, as [`REQUESTS_SIZE_MAX`]. They stand in no line, so one
/// takes some 50 bytes.
pub const OUTCOMES_SIZE_MAX: usize = 5 * REQUESTS_SIZE_MAX;

/// Most idempotency keys remembered at once.
pub const KEYS_MAX: usize = 200_000;

/// Most members of a pool looked at to say who holds them, or why they cannot be had: 1,000 take about 0.3 ms.
pub const MEMBERS_SCANNED_MAX: usize = 1_000;

/// Most holders compared to name those who end first: 100 take some 15 us, and whoever gets in line pays for it.
pub const HOLDERS_COMPARED_MAX: usize = 100;

/// Most states of a pool counted to say why nothing can be had; a pool has about seven.
pub const STATES_SCANNED_MAX: usize = 100;

/// How long an idempotency key is remembered after its first use: 24 h, as `reference`d by `ux.md` §4.
pub const KEY_KEEP: Span = Span::from_secs(24 * 60 * 60);

/// How long a silent waiter may come back to its old place, after its request has expired.
///
/// Boskos collects expired waiters every 60 s, so upstream loses a place 0 to 60 s after it expired
/// (`reference/boskos.md` §3.2 Q4); this is the mean of that, and exact.
pub const REQUEST_GRACE: Span = Span::from_secs(30);

/// How long the outcome of a settled `/v1` request can be read.
pub const OUTCOME_KEEP: Span = Span::from_secs(10 * 60);

/// How long an expired `ConTest` lock stays in the table for its owner to refresh or unlock (design §3.2).
pub const LAPSED_LOCK_KEEP: Span = Span::from_secs(24 * 60 * 60);

/// TTL of a `/v1` lease when neither the request nor the pool names one.
pub const TTL_DEFAULT: Span = Span::from_secs(10 * 60);

/// Longest TTL of a `/v1` lease when the pool sets no other limit: 30 days.
pub const TTL_MAX: Span = Span::from_secs(30 * 24 * 60 * 60);

/// How long a dynamic resource waits for an outside cleaner before the built-in one does its work. Upstream's
/// cleaner looks every 15 s (`reference/boskos.md` §5.3).
pub const CLEANER_DELAY: Span = Span::from_secs(15);

/// Most resources that one tick creates for one dynamic pool, so that no step grows with a typing error in
/// `min-count`; the next tick goes on.
pub const CREATED_PER_STEP_MAX: usize = 1_000;

/// Most jobs that are not over at once. Each may have a plugin at work, and each holds at least one target.
pub const JOBS_MAX: usize = 10_000;

/// Added to the numbers of jobs that the server runs. `ConTest` numbers its own jobs from 1, and both hold locks as
/// `job:<number>`. 2^40 is more than anybody counts to, and with it numbers are exact in JSON, below 2^53, for the first
/// 8,000 restored backups.
pub const JOB_FIRST: u64 = 1 << 40;

/// Most bytes of parameters and of what managers said about targets, of all jobs that are not over: a tenth of the memory
/// of a small server. A thousand jobs with the largest parameters.
pub const JOBS_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The same of jobs that are over; beyond that the oldest are forgotten before [`JOB_KEEP`] is over.
pub const JOBS_OVER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long a job can be read after it is over.
pub const JOB_KEEP: Span = Span::from_secs(24 * 60 * 60);

/// Most jobs that are over and can be read; beyond that the oldest are forgotten before [`JOB_KEEP`] is over.
pub const JOBS_OVER_MAX: usize = 10_000;

/// Largest acquire or release parameters of one job, in bytes: a list of a thousand targets with addresses.
pub const JOB_PARAMETERS_BYTES_MAX: usize = 256 * 1024;

/// Most that a manager may say about one target, in bytes, its own state and the labels included.
pub const TARGET_FACTS_BYTES_MAX: usize = 64 * 1024;

/// Most that a manager may say about all targets of one job, in bytes, because a commit carries all of it.
pub const JOB_FACTS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Shortest that acquiring or one attempt to release may be given: with less, no manager could ever do it.
pub const JOB_CALL_MIN: Span = Span::from_secs(1);

/// Longest that acquiring or one attempt to release may take: 24 h. Upstream takes 5 min if nobody says otherwise.
pub const JOB_CALL_MAX: Span = Span::from_secs(24 * 60 * 60);

/// Wait before the second attempt to release; doubles with every further one.
pub const RELEASE_RETRY_MIN: Span = Span::from_secs(1);

/// Most bytes of jobs whose releases are hastened in one step, which writes all that these jobs keep: some 10 ms. That is
/// thousands of jobs, or two of the largest.
pub const HASTENED_BYTES_MAX: usize = 1 << 20;

/// Longest wait between two attempts to release.
pub const RELEASE_RETRY_MAX: Span = Span::from_secs(5 * 60);

/// Most plugins installed at once.
pub const PLUGINS_MAX: usize = 256;

/// Largest description of a plugin (kind, settings, grants, limits as JSON), in bytes.
pub const PLUGIN_SPEC_BYTES_MAX: usize = 256 * 1024;
