//! Every bound of the keeper, with its unit and the reason for its size.

use std::time::Duration;

/// Most commands that wait for the writer. One more is answered with [`Error::Busy`](crate::Error::Busy) at once.
///
/// At 50,000 commands a second this is a fifth of a second of work: enough for a burst of every connection that the
/// server accepts, short enough that a full queue means trouble and not load.
pub const LETTERS_MAX: usize = 10_000;

/// A command about more targets than this is a large one: it takes longer than a hundred others.
pub const LARGE_TARGETS: usize = 100;

/// Most targets that all large commands in the queue are about together. A larger one takes all of that room. 10,000 take
/// some 50 ms.
pub const ROOM_TARGETS: u32 = 10_000;

/// Most large commands that wait for room. One more is answered with [`Error::Busy`](crate::Error::Busy) at once; each
/// holds up to some megabytes of names.
pub const LARGE_WAITING_MAX: usize = 256;

/// Most commands that one commit carries.
///
/// With 256 clients no more than 256 wait; 1,024 keeps the wait of the first in a batch below about 10 ms.
pub const LETTERS_PER_BATCH_MAX: usize = 1_024;

/// Most changes in one commit before the rest of the waiting commands get the next one.
///
/// A single command may exceed it (a sync of a large pools file); it then is a batch of its own.
pub const CHANGES_PER_BATCH_MAX: usize = 20_000;

/// Most watches on waiting requests. One more gets no watch, and its request waits all the same.
///
/// Twice the ledger's `REQUESTS_MAX`: a client that comes back may be watched before its old connection is found dead.
pub const WATCHES_MAX: usize = 2 * lessor_ledger::limits::REQUESTS_MAX;

/// Most watches on one request; more come only from a client that polls one request over many connections.
pub const WATCHES_PER_REQUEST_MAX: usize = 64;

/// Committed batches that the feed holds for subscribers that are behind; further behind is
/// [`Missed`](crate::Missed).
///
/// Half a second of full load at about 2,000 commits a second.
pub const FEED_BATCHES_MAX: usize = 1_024;

/// Longest sleep before the wall clock is looked at again, because it may have been set in the meantime.
pub const CLOCK_CHECK: Duration = Duration::from_secs(1);

/// How fast time goes on while the wall clock is behind it, in percent. A TTL of 9 minutes then takes 10, which is safe
/// for whoever holds the lease, and the wall clock catches up on a minute in ten.
pub const CATCH_UP_PERCENT: u128 = 90;

/// Shortest time between two ticks that changed nothing, so that a due time that a tick does not move costs no CPU.
pub const TICK_GAP: Duration = Duration::from_millis(10);

/// How long nobody must ask before the keeper has the tables brought up to date. Long enough that a request every now
/// and then does not cost two syncs, short enough that a start after a crash seldom has anything to replay.
pub const IDLE_BEFORE_CHECKPOINT: Duration = Duration::from_millis(200);

/// How often the keeper looks whether a checkpoint is complete when nobody asks.
pub const CHECKPOINT_LOOK: Duration = Duration::from_millis(10);

/// Wait before the first attempt to reopen a failed store; doubles with every further attempt.
pub const REOPEN_WAIT_MIN: Duration = Duration::from_millis(100);

/// Longest wait between two attempts to reopen a failed store.
pub const REOPEN_WAIT_MAX: Duration = Duration::from_secs(10);

/// How long a store must have been open again before its next failure counts as a new one. Longer than the longest
/// wait, or the waits would never grow to that.
pub const STEADY_AFTER: Duration = Duration::from_secs(30);

/// How long commands that wait are still decided after a stop was asked for; what waits longer is answered that the server
/// stops. A thousand may wait, and the largest take 50 ms each.
pub const STOP_DECIDE_MAX: Duration = Duration::from_secs(1);

/// How long a stop may take to write the last checkpoint. What is left is in the log anyway, and only
/// makes the next start a little longer.
pub const LAST_CHECKPOINT_MAX: Duration = Duration::from_secs(2);

/// Stack of the writer thread, in bytes: the default of a main thread, because a deep map may recurse when dropped.
pub const WRITER_STACK_BYTES: usize = 8 * 1024 * 1024;

/// How long [`Stopper::stop`](crate::Stopper::stop) waits for the thread: [`STOP_DECIDE_MAX`], the last checkpoint,
/// and as long as the former again for what is being committed. With the server's own 5 s for open connections that is
/// within the 10 s that a stop may take.
pub const STOP_MAX: Duration = Duration::from_secs(4);
