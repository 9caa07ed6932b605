//! Every bound of the server process, with its unit and the reason for its size.

use std::time::Duration;

/// Most lines of the log that wait to be written. A line has a few hundred bytes, a plugin's up to 64 KiB.
pub(crate) const LOG_LINES_MAX: usize = 4_096;

/// How often the log says that lines of it were lost.
pub(crate) const LOG_LOSSES_EVERY: Duration = Duration::from_secs(10);

/// Most open connections, if the system lets the process have as many files. One more is answered 503 and closed.
///
/// The API holds up to 10,000 requests and 2,000 event streams open; this leaves room for everybody else. Each takes
/// a file descriptor and some 20 KiB.
pub(crate) const CONNECTIONS_MAX: usize = 16_384;

/// File descriptors kept for the store, the log, and connections that are being turned away.
pub(crate) const FILES_RESERVED: u64 = 64;

/// Connections that the kernel holds until they are accepted.
pub(crate) const BACKLOG: u32 = 4_096;

/// Longest time to send the head of a request; also how long a connection may be idle between two requests.
///
/// Longer than the pauses of a client that polls every 3 s with jitter, or renews a lease every 20 s.
pub(crate) const HEAD_READ_MAX: Duration = Duration::from_secs(30);

/// How long a connection may be still before the system asks whether the peer is there: half of Boskos' request TTL,
/// so that a held request does not wait much longer for somebody who is gone than a polled one.
pub(crate) const KEEPALIVE_AFTER: Duration = Duration::from_secs(15);

/// How long a peer may take nothing of what it was sent before its connection ends: longer than a client that is stopped in
/// a debugger for a moment, and not so long that its answers fill the memory.
pub(crate) const STALLED_MAX: Duration = Duration::from_mins(1);

/// Least that a peer must take of what waits for it within [`STALLED_MAX`], in bytes, or its connection ends: 4 KiB a second,
/// slower than any network that people use. The largest answer of a list takes 17 minutes so.
pub(crate) const TAKEN_MIN: usize = 256 * 1024;

/// Pause between two questions to a peer that is still. When they go unanswered for [`STALLED_MAX`], the connection ends.
pub(crate) const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);

/// Largest head of a request, in bytes: twice the 32 KiB that a URL and a cookie jar may reach behind proxies.
/// The number of header lines is bounded too, by hyper's own 100.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long connections may take to finish their requests once the server goes down.
///
/// Together with the keeper's own bound this stays within the 10 s that a stop may take.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Pause after the system refused to accept, which it does when it runs out of something: trying at once would only
/// burn the CPU.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Largest configuration file, in bytes.
pub(crate) const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
