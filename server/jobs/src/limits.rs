//! Every bound of the runner of jobs, with its unit and its reason.

use std::time::Duration;

use lessor_ledger::Span;
use lessor_ledger::limits::JOB_PARAMETERS_BYTES_MAX;
use lessor_plugins::limits::PARAMETERS_BYTES_MAX;

// What a job keeps, its manager must take.
const _: () = assert!(JOB_PARAMETERS_BYTES_MAX == PARAMETERS_BYTES_MAX);

/// How long acquiring may take if nobody says otherwise: `ConTest`'s own.
pub const ACQUIRE_TIMEOUT_DEFAULT: Span = Span::from_secs(5 * 60);

/// How long targets are leased without a renewal if nobody says otherwise: `ConTest`'s own.
pub const LOCK_DURATION_DEFAULT: Span = Span::from_secs(10 * 60);

/// How long one attempt to release may take if nobody says otherwise: `ConTest`'s own.
pub const RELEASE_TIMEOUT_DEFAULT: Span = Span::from_secs(5 * 60);

/// A call that ends this shortly before its job's own time limit has ended because of that limit: the ledger, which is
/// about to notice, then says so. Covers the time between the start of a job and of its call.
pub(crate) const LATE: Span = Span::from_secs(1);

/// First pause before the outcome of a call is told again to a keeper that did not take it; doubles.
pub(crate) const REPORT_RETRY_MIN: Duration = Duration::from_millis(20);

/// Longest pause before the outcome of a call is told again.
pub(crate) const REPORT_RETRY_MAX: Duration = Duration::from_secs(2);

/// Most answers of the inventory in the making at once, for all plugins; more wait. One over a million resources takes
/// a processor for some 100 ms.
pub(crate) const INVENTORY_READS_MAX: usize = 2;

/// Most targets of calls of lockers in the keeper's queue at once, of all jobs; more calls wait in line. As many as one call
/// may name, which takes the keeper some 10 ms: everybody else waits behind what stands there.
pub(crate) const LINE_TARGETS_MAX: u32 = 10_000;

/// Most targets that the message of a refused lock names; the refusal itself has all of them.
pub(crate) const TARGETS_SPELLED_MAX: usize = 5;

/// Most plugins of which the readiness line says that they are not as they should be; the list of plugins has all of them.
pub(crate) const TROUBLES_SPELLED_MAX: usize = 8;

/// Most characters of each one's reason in that line; the plugin itself has all of it.
pub(crate) const REASON_CHARS_SPELLED_MAX: usize = 300;

/// Most components on disk that no plugin refers to: uploads that somebody is about to install. Each has at most 64 MiB.
pub(crate) const SPARE_COMPONENTS_MAX: usize = 8;

/// Largest secret, in bytes: a certificate chain with its key has some 10 kB.
pub(crate) const SECRET_BYTES_MAX: usize = 64 * 1024;

/// Most plugins being prepared at once. Each has its component of at most 64 MiB in memory, and they are compiled one
/// after the other.
pub(crate) const PREPARATIONS_MAX: usize = 4;

/// How long reading what an operator named may take: the file of a component of the configuration, 64 MiB from a slow disk,
/// or all secrets of a plugin.
pub(crate) const FILE_READ_MAX: Duration = Duration::from_secs(30);

/// Shortest time between two looks at which jobs have turned: not to be noticed beside what a plugin's call takes, and five
/// times fewer than there are commits at full load.
pub(crate) const TURNS_GAP: Duration = Duration::from_millis(2);

/// Shortest time between two looks whether commits were missed, which is when the store was opened again. The feed holds 1,024
/// commits; if more came within this, it would look at all records in vain, and do no harm.
pub(crate) const RECORDS_GAP: Duration = Duration::from_millis(100);
