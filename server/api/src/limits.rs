//! Every bound of the API, with its unit and the reason for its size.

use std::time::Duration;

use lessor_ledger::Span;

/// Largest request body, in bytes: room for 10,000 targets (the ledger's bound per call) of 100 bytes each.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Longest time to send a request body. A body of the largest size at 1 Mbit/s takes 8.4 s.
pub(crate) const BODY_READ_MAX: Duration = Duration::from_secs(10);

/// Items in a list when the client names no `limit`.
pub(crate) const PAGE_ITEMS_DEFAULT: usize = 100;

/// Most items in one page of a list.
pub(crate) const PAGE_ITEMS_MAX: usize = 1000;

/// Most bytes of the items in one page of a list, but for one item; a page that reaches it ends early, with a cursor. A
/// thousand resources may have 64 KiB of user data each.
pub(crate) const PAGE_BYTES_MAX: usize = 4 << 20;

/// Most bytes of names, labels and user data of the resources that are shown with their lease. A lease may have 10,000, with
/// 64 KiB of user data each.
pub(crate) const LEASED_BYTES_MAX: usize = 1 << 20;

/// Most bytes of answers that wait for their clients to read them, all together: so many to those who looked, and so many
/// to those who changed something; beyond that a large answer is 503. An
/// answer stays in memory as long as its client takes, and clients may take for ever.
pub(crate) const ANSWERS_BYTES_MAX: usize = 256 << 20;

/// Answers up to this many bytes are not counted: the system's buffers take most of them at once, and as many as there may
/// be connections are no more than [`ANSWERS_BYTES_MAX`] several times over.
pub(crate) const ANSWER_BYTES_SMALL: usize = 64 << 10;

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

/// Shortest time between two looks at what was committed, on behalf of all event streams: a tenth of the 50 ms within which
/// design §5 wants an event delivered.
pub(crate) const BULLETIN_GAP: Duration = Duration::from_millis(5);

/// The same for each stream that the last look woke: with [`STREAMS_MAX`] that follow everything 40 wake-ups a second each.
pub(crate) const BULLETIN_GAP_EACH: Duration = Duration::from_micros(10);

/// Bulletins that a stream may be behind before it goes back to the history: a third of a second's if something happens
/// all the time.
pub(crate) const BULLETINS_MAX: usize = 64;

/// Time between two comments on a silent event stream, and two signals to a page when nothing changes; proxies close
/// silent connections after 30 s and more.
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

/// Most rows of each table on the first page.
pub(crate) const DASHBOARD_ROWS_MAX: usize = 100;

/// Most jobs that failed, and are over, on the first page: the last ones.
pub(crate) const DASHBOARD_FAILED_JOBS_MAX: usize = 5;

/// Most plugins that take no calls that the first page names.
pub(crate) const DASHBOARD_PLUGINS_MAX: usize = 5;

/// Most targets named in one row of a page.
pub(crate) const ROW_TARGETS_MAX: usize = 5;

/// Most holders named in one row of those who wait; the page of one request names more.
pub(crate) const ROW_HOLDERS_MAX: usize = 3;

/// Most things named in one row of those who wait that they wait for. A request may be for 10,000 names.
pub(crate) const ROW_BLOCKERS_MAX: usize = 5;

/// Most of them named on the page of one request.
pub(crate) const PAGE_BLOCKERS_MAX: usize = 200;

/// Rows on one page of a list: two or three screens, 5 kB on the wire.
pub(crate) const LISTING_ROWS_SHOWN: usize = 100;

/// Most rows looked at for one page of a list: those of a large site, in less than 10 ms.
pub(crate) const LISTING_ROWS_LOOKED_AT_MAX: usize = 10_000;

/// Past events or ended leases that a page looks at to find those that it shows: each is decoded from the store, at some
/// 2 µs, and a page is to take less than 10 ms even when the machine is busy.
pub(crate) const HISTORY_ROWS_LOOKED_AT_MAX: usize = 3_000;

/// Rows read from the history at once while a list of them is filled through a filter.
pub(crate) const HISTORY_ROWS_AT_ONCE: usize = 500;

/// Most bytes of a file of a list: some 250,000 events.
pub(crate) const EXPORT_BYTES_MAX: usize = 32 << 20;

/// Most rows of a file of what is true now: five times the resources that design §5 is measured with, some 50 MB while it
/// is made.
pub(crate) const EXPORT_ROWS_MAX: usize = 50_000;

/// Most rows looked at to find them: a hundred times as many, in about a second, aside.
pub(crate) const EXPORT_ROWS_LOOKED_AT_MAX: usize = 1_000_000;

/// Rows of the history that are in memory at once while a file of them is made; then others get their turn.
pub(crate) const EXPORT_HISTORY_ROWS_AT_ONCE: usize = 1_000;

/// Most rows of the history looked at for a file: as many events as are kept unless the server is told otherwise, in some
/// seconds.
pub(crate) const EXPORT_HISTORY_ROWS_MAX: usize = 1_000_000;

/// Events on the page of one thing.
pub(crate) const EVENTS_SHOWN: usize = 20;

/// Targets with how to reach them on the page of one job.
pub(crate) const JOB_TARGETS_SHOWN: usize = 50;

/// Targets with their records on the page of one lease.
pub(crate) const LEASE_TARGETS_SHOWN: usize = 50;

/// Resources, and requests, on the page of one pool.
pub(crate) const POOL_ROWS_SHOWN: usize = 10;

/// Owners on the page of one pool.
pub(crate) const POOL_OWNERS_SHOWN: usize = 8;

/// Lanes of the chart of a pool: a screen.
pub(crate) const GANTT_LANES_MAX: usize = 50;

/// Lanes that it has however busy they were: with 200 events each, a day of leases of a quarter of an hour.
pub(crate) const GANTT_LANES_MIN: usize = 10;

/// Most events read for one chart. 3,000 take 8 ms, which with the rest of the page is more than it may take.
pub(crate) const GANTT_EVENTS_MAX: usize = 2_000;

/// Most of them for the chart of one resource: some 500 leases. In 720 points more could not be told apart.
pub(crate) const GANTT_LANE_EVENTS_MAX: usize = 1_000;

/// Rows in the table beside a chart: 3 kB on the wire.
pub(crate) const GANTT_TABLE_ROWS_MAX: usize = 100;

/// Events of a target that are looked at, before those of a chart, for when its first lease began. Few things happen to
/// what is leased.
pub(crate) const STAY_BEGIN_LOOKED_FOR: usize = 10;

/// Lines of reasons on a form that was refused: holders, misfits, grants.
pub(crate) const FORM_LINES_MAX: usize = 10;

/// Settings on the page of a plugin; all of them may have 256 KiB.
pub(crate) const PLUGIN_SETTINGS_SHOWN: usize = 50;

/// Most resources, leases or requests that one form changes: each is a command of its own, so this is about a second of work.
pub(crate) const BULK_ITEMS_MAX: usize = 1_000;

/// Names in the preview of such a form, and drains of others that it tells apart.
pub(crate) const BULK_NAMES_SHOWN: usize = 10;

/// Tries to drain or edit a resource whose record is written between a look at it and the command, which takes about a
/// millisecond: its state changes when a lease ends, and hardly ever twice in that time.
pub(crate) const EDIT_TRIES_MAX: usize = 5;

/// Most requests that the server keeps alive in their owners' place.
pub(crate) const SEATS_MAX: usize = 1_000;

/// Longest time that the server keeps one alive: a working week.
pub(crate) const SEAT_WAIT_MAX: Duration = Duration::from_hours(5 * 24);

/// Shortest time between two signals to pages: four a second are as many as anybody can see.
pub(crate) const SIGNAL_GAP: Duration = Duration::from_millis(250);

/// Shortest time between two looks of the dashboard at what was committed: next to [`SIGNAL_GAP`] nobody sees it.
pub(crate) const PULSE_GAP: Duration = Duration::from_millis(10);

/// How often it is looked whether leases were renewed: a page that is open shows it within a second.
pub(crate) const RENEWALS_LOOK_EVERY: Duration = Duration::from_millis(500);

/// Shortest time between two signals of renewals. Where thousands of leases are kept alive there is always one, and every
/// open page is made anew for it.
pub(crate) const RENEWALS_GAP: Duration = Duration::from_secs(5);

/// How often the use of every pool is written down even if nothing changes.
pub(crate) const ROLLUP_SAMPLE_EVERY: Duration = Duration::from_mins(1);

/// Most pools whose use is written down: 4 MB.
pub(crate) const ROLLUP_POOLS_MAX: usize = 1_000;

/// Most requests whose beginning is looked for in history at once.
pub(crate) const ROLLUP_REQUESTS_MAX: usize = 10_000;

/// Most events read at the start for the pictures of the last day: about half a second of work aside.
pub(crate) const ROLLUP_EVENTS_MAX: usize = 200_000;

/// Events of them that are in memory at once.
pub(crate) const ROLLUP_EVENTS_AT_ONCE: usize = 5_000;

/// How long the answer to "read the pools file again" waits for what comes of it.
pub(crate) const RELOAD_WAIT_MAX: Duration = Duration::from_secs(2);

/// How far behind the wall clock may be before `/readyz?verbose` says so. Clocks that are kept in step are corrected by
/// less.
pub(crate) const CLOCK_BEHIND_ODD: Span = Span::from_secs(1);

/// Most targets that a job in a list of `/v1` names. A job may have 10,000, and a page 1,000 jobs.
pub(crate) const LISTED_TARGETS_MAX: usize = 20;

/// Most components on their way in at once. Each is held in memory, up to 64 MiB.
pub(crate) const UPLOADS_MAX: usize = 2;

/// Longest time to send a component or a pools file: 64 MiB at 10 Mbit/s take 54 s.
pub(crate) const LARGE_READ_MAX: Duration = Duration::from_mins(2);

/// Longest time in which [`LARGE_PIECE_BYTES`] of it arrive: 1 Mbit/s. Whoever is slower blocks a place that
/// others could use.
pub(crate) const LARGE_PIECE_MAX: Duration = Duration::from_secs(4);

/// What a form may have around the one large file that it sends, in bytes: boundaries and headers of its parts.
pub(crate) const AROUND_FILE_BYTES_MAX: usize = 16 * 1024;

/// The part of it that must arrive within [`LARGE_PIECE_MAX`], in bytes.
pub(crate) const LARGE_PIECE_BYTES: usize = 512 * 1024;

/// Most pools files on their way in at once. Each is held in memory, up to 64 MiB, and as much again while it is read.
pub(crate) const APPLIES_MAX: usize = 2;
