//! Every bound of the benchmark, with its unit and the reason for its size.

use std::time::Duration;

/// Most clients, and most waiters: each is one TCP connection, and a machine has about 28,000 ports for those.
pub(crate) const CLIENTS_MAX: u64 = 20_000;

/// Most resources: what one server is measured with (design goal: a million).
pub(crate) const RESOURCES_MAX: u64 = 2_000_000;

/// Longest answer that is read, in bytes; a lease with one resource has less than 1 KiB.
pub(crate) const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// How long a server that was started may take until it answers; it may have a million resources to create.
pub(crate) const START_MAX: Duration = Duration::from_mins(2);

/// How often a server that was started is asked whether it is ready.
pub(crate) const START_POLL: Duration = Duration::from_millis(20);

/// How long waiters may take to get in line.
pub(crate) const LINE_UP_MAX: Duration = Duration::from_mins(1);

/// Connections that create and delete resources.
pub(crate) const SETUP_CLIENTS: usize = 32;

/// Largest latency that is told apart from larger ones, in microseconds: a minute.
pub(crate) const LATENCY_MICROS_MAX: u64 = 60_000_000;

/// Time for connections to open and caches to fill before counting begins.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);

/// Kinds of errors that are told apart.
pub(crate) const ERROR_KINDS_MAX: usize = 20;

/// Most event streams: what a server keeps open.
pub(crate) const STREAMS_MAX: u64 = 2_000;

/// Time between two mutations of the target that the streams follow. With a thousand streams that is 2,000 deliveries a
/// second, each of which costs both sides about as much as a request: what is measured is the streams, not those.
pub(crate) const PROBE_EVERY: Duration = Duration::from_millis(500);

/// Longest time that a stream may be silent while the target is mutated.
pub(crate) const DELIVERY_MAX: Duration = Duration::from_secs(10);

/// Most rounds over the pages: 30 pages of 10 ms each, for an hour.
pub(crate) const PAGE_ROUNDS_MAX: u64 = 12_000;

/// Owners that leases are spread over where pages are measured: the teams and jobs of a large site.
pub(crate) const OWNERS: u64 = 300;

/// Resources whose past a chart of a pool shows: a page of it.
pub(crate) const CHART_LANES: usize = 50;

/// Most leases that each of them had before: far more than a page looks at.
pub(crate) const PAST_MAX: u64 = 1_000;
