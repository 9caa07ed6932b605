//! Every bound of the command line client, with its unit and the reason for its size.

use std::time::Duration;

/// Longest time to wait for a TCP connection. A server in the same site answers in milliseconds; 5 s still tells a
/// mistyped address apart from a slow network.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Longest time for one answer of the server, apart from what it was asked to wait. A commit takes about a
/// millisecond, so 20 s means that something is wrong.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Largest variable that a command is given, name and value together, in bytes: Linux takes no longer one
/// (`MAX_ARG_STRLEN`, execve(2)).
pub(crate) const VARIABLE_BYTES_MAX: usize = 128 * 1024;

/// Most bytes of all variables that a command is told of its lease with. Linux takes a quarter of the stack's limit for
/// arguments and environment together, 2 MiB by default; this is a quarter of that.
pub(crate) const ENVIRONMENT_BYTES_MAX: usize = 512 * 1024;

/// Longest part of a wait that one request covers. Shorter than the 30 s after which the server takes a silent
/// waiter for dead, and short enough that the position shown is fresh.
pub(crate) const LONG_POLL: Duration = Duration::from_secs(10);

/// How long `acquire` and `run` wait unless told otherwise. Long enough for a busy lab, short enough that a
/// forgotten job ends the same day.
pub(crate) const WAIT_DEFAULT: Duration = Duration::from_hours(1);

/// How long the server may be away while a job is being acquired; then the job is given up.
pub(crate) const ACQUIRE_RETRY_MAX: Duration = Duration::from_mins(1);

/// First pause before a failed request is sent again; it doubles from try to try.
pub(crate) const RETRY_FIRST: Duration = Duration::from_millis(100);

/// Longest pause before a failed request is sent again.
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(2);

/// How long `run` watches whether the manager of its job releases it, before it ends itself.
pub(crate) const JOB_RELEASE_WATCHED: Duration = Duration::from_secs(5);

/// How long a release is tried again when the server does not answer; after that the TTL frees the lease.
pub(crate) const RELEASE_RETRY_MAX: Duration = Duration::from_secs(10);

/// Time between SIGTERM and SIGKILL when a lease is lost, unless told otherwise (`--grace`). Never more than a third
/// of the TTL, so that the last third of each period is left for renewing.
pub(crate) const GRACE_DEFAULT: Duration = Duration::from_secs(20);

/// SIGKILL is sent this long before the lease can expire, or a tenth of the TTL if that is less.
pub(crate) const KILL_MARGIN: Duration = Duration::from_secs(1);

/// How often `run` looks whether its lease was taken away: a command should not go on for long beside the next holder,
/// and a look costs the server no commit.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Longest time that `--on-lost` may take before it is killed.
pub(crate) const ON_LOST_MAX: Duration = Duration::from_secs(30);

/// Longest sleep of the guard of a running command. Time asleep is not counted by timers, so a machine that was
/// suspended finds out within this time that its lease is over.
pub(crate) const GUARD_NAP_MAX: Duration = Duration::from_secs(1);

/// How often the process group of an ended command is looked at until it is empty.
pub(crate) const GROUP_POLL: Duration = Duration::from_millis(20);

/// How often the group is killed, one [`GROUP_POLL`] after the other, before it is given up. A second is enough for a busy
/// machine; who lives longer is in an uninterruptible wait.
pub(crate) const GROUP_KILLS_MAX: usize = 50;

/// Items per page of a list; the most that the server gives.
pub(crate) const PAGE: u64 = 1000;

/// Events that are shown unless told otherwise: a few screens.
pub(crate) const EVENTS_SHOWN: u64 = 100;

/// Most newest events that are held in memory to be shown oldest first, at about 500 bytes each.
pub(crate) const EVENTS_MAX: u64 = 100_000;

/// Longest body of an answer that is read into memory, in bytes: a page of 1,000 resources with 64 KiB of user data
/// each.
pub(crate) const ANSWER_BYTES_MAX: usize = 80 * 1024 * 1024;

/// Longest line of an event stream, in bytes; an event holds a few names and texts of at most 4 KiB.
pub(crate) const STREAM_LINE_BYTES_MAX: usize = 1024 * 1024;

/// Largest file of contexts, in bytes: hundreds of servers.
pub(crate) const CONTEXTS_BYTES_MAX: u64 = 64 * 1024;

/// Longest silence of an event stream. The server sends a comment every 15 s, so after three of them are missing the
/// connection is dead.
pub(crate) const STREAM_SILENCE_MAX: Duration = Duration::from_secs(45);

/// Longest time on top of the usual for sending a component, and for preparing it, or a pools file; the server's own
/// bound for sending either.
pub(crate) const UPLOAD_MAX: Duration = Duration::from_mins(2);

/// Largest component that is sent, in bytes; the server's own bound.
pub(crate) const COMPONENT_BYTES_MAX: u64 = 64 << 20;

/// Longest file of parameters, settings, pools or targets that a plugin is tried with, in bytes: what the server takes of
/// the largest of them.
pub(crate) const PLUGIN_INPUT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How long a call into a plugin that is tried may take unless told otherwise: as long as a job's by default.
pub(crate) const PLUGIN_TIMEOUT_DEFAULT: &str = "5m";

/// Most targets of a lease that are named in a line for people.
pub(crate) const TARGETS_NAMED: usize = 10;
