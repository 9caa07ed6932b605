//! Every bound of the plugin host, with its unit and its reason.

use std::time::Duration;

/// How often the processor budget of running calls is looked at. A guest that never stops keeps a thread of the runtime
/// from other tasks no longer than this; shorter ticks cost more than they gain (2 % at 1 ms on a loop that does nothing).
pub const TICK: Duration = Duration::from_millis(1);

/// How many calls that compute for more than a tick go on at once, of all plugins together: half of the processors, at
/// least one. The others stay for everybody else, whatever plugins do.
pub(crate) fn slow_lanes() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1))
}

/// Most bytes of a component. The largest known are interpreters: Python's has 18 MB.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;

/// Most bytes of the name of a plugin, which stands in paths and in every line of its log.
pub const NAME_BYTES_MAX: usize = 64;

/// Most plugins of one server.
pub const PLUGINS_MAX: usize = 256;

/// Most calls into all plugins at once, beside a job's and a check's of each plugin, which have rooms of their own: others
/// may take all of these for as long as their calls last. Each call holds an instance of the pool.
pub const CALLS_MAX: usize = 64;

/// Most instances that there are at once: those of calls, among them a job's and a check's of each plugin that have rooms of
/// their own, and idle warm ones. One that is not used costs address space only.
pub(crate) const INSTANCES_MAX: usize = CALLS_MAX + 2 * PLUGINS_MAX + WARM_IDLE_MAX;

/// Most quarantines that are told of at once: more than there can be plugins.
pub const QUARANTINES_TOLD_MAX: usize = 256;

/// Most warm instances of all plugins that wait for a call: each holds an instance of the pool.
pub const WARM_IDLE_MAX: usize = 64;

/// Most of them that one plugin has: as many as it has calls at once if nobody says otherwise. A plugin that is allowed more
/// makes fresh instances for the others.
pub(crate) const WARM_IDLE_OF_ONE_MAX: usize = WARM_IDLE_MAX / 8;

/// Most calls that one warm instance serves, so that what it leaks does not add up.
pub const WARM_CALLS_MAX: u32 = 10_000;

/// Most core instances, memories and tables of one component. Components made of Rust have 3, 1 and 2; Python
/// has 38 instances, other interpreters up to 3 memories.
pub(crate) const CORE_INSTANCES_MAX: u32 = 64;
/// See [`CORE_INSTANCES_MAX`].
pub(crate) const MEMORIES_MAX: u32 = 3;
/// See [`CORE_INSTANCES_MAX`].
pub(crate) const TABLES_MAX: u32 = 8;

/// Most bytes of code of a component, of all its functions: more is refused before a compiler tries. Python's interpreter
/// has 6.6 MB, plugins made of Rust 200 kB.
pub(crate) const CODE_BYTES_MAX: u64 = 16 << 20;

/// Most functions of a component. Python has 13,500.
///
/// This and the bounds down to `ENTRIES_MAX` are of what the server keeps of a component, and goes through for an instance,
/// once it is compiled.
pub(crate) const FUNCTIONS_MAX: u64 = 30_000;

/// Most types of a component, with their fields, cases and declarations. Python has 1,705.
pub(crate) const TYPES_MAX: u64 = 10_000;

/// Most sections of a component, with those of its modules and of the components inside of it. Python has 591.
pub(crate) const SECTIONS_MAX: u64 = 5_000;

/// Most core modules of a component. Python has 38.
pub(crate) const MODULES_MAX: u64 = 64;

/// Most components of a component, itself among them: tools make one for each interface that is exported.
pub(crate) const COMPONENTS_MAX: u64 = 16;

/// Most imports, exports, aliases, instances, globals, data segments and entries of tables that a component lists. Python
/// has 17,000.
pub(crate) const ENTRIES_MAX: u64 = 50_000;

/// Most entries of one table of a guest. Rust and interpreters stay below 10,000.
pub(crate) const TABLE_ENTRIES_MAX: usize = 20_000;

/// Most address space of a process that looks through a component, in bytes. Python's takes some 80 MB,
/// the program itself among them.
pub(crate) const LOOK_MEMORY_BYTES: u64 = 512 << 20;

/// Most processor time for looking through a component, in seconds. Python's takes 0.1 s.
pub(crate) const LOOK_CPU_S: u64 = 5;

/// Longest wait for a look: it gives way to everything else on the machine.
pub(crate) const LOOK_WALL: Duration = Duration::from_mins(1);

/// Most bytes of what a look finds: names of imports and exports.
pub(crate) const LOOK_ANSWER_BYTES_MAX: usize = 1 << 20;

/// Most address space of a process that compiles, in bytes, however many threads it has. Python's interpreter takes
/// 470 MB with two threads, plugins made of Rust 85 MB, the program itself among them.
pub(crate) const COMPILE_MEMORY_BYTES: u64 = 2 << 30;

/// Most processor time for compiling a component, in seconds, of all threads together. Python's interpreter takes 12 s,
/// plugins made of Rust 0.3 s.
pub(crate) const COMPILE_CPU_S: u64 = 60;

/// Longest wait for a compilation: it gives way to everything else on the machine.
pub(crate) const COMPILE_WALL: Duration = Duration::from_mins(10);

/// Most threads that compile: each needs memory of its own for the function that it is at.
pub(crate) const COMPILE_THREADS_MAX: usize = 4;

/// Most bytes of a compiled component, which the server has in memory as long as it is installed. Python's has 35 MB,
/// plugins made of Rust 200 kB.
pub(crate) const COMPILED_BYTES_MAX: usize = 128 << 20;

/// Most bytes that are read of what the process says when it fails: the rest is more of the same.
pub(crate) const LAST_WORDS_BYTES_MAX: u64 = 4 << 10;

/// The range of a plugin's memory limit, and its default, in bytes. Less than the least holds no program; the most is
/// what a slot of the pool has room for.
pub const MEMORY_BYTES: (u64, u64, u64) = (1 << 20, 64 << 20, 256 << 20);

/// The range of the processor time of one call, and its default, in milliseconds.
pub const CPU_MS: (u64, u64, u64) = (1, 2_000, 60_000);

/// The range of the wall-clock time of one call, and its default, in milliseconds. The default is the acquire timeout of
/// `ConTest`, above which only a job that says so goes.
pub const WALL_MS: (u64, u64, u64) = (10, 300_000, 3_600_000);

/// The range of what one call may hand to the server at once, answer or argument, and its default, in bytes as the
/// server stores them. The default holds the 10,000 targets that an answer may have.
pub const OUTPUT_BYTES: (u64, u64, u64) = (1 << 10, 8 << 20, 64 << 20);

/// The range of what one call may log, and its default, in bytes.
pub const LOG_BYTES: (u64, u64, u64) = (0, 64 << 10, 1 << 20);

/// Most bytes of the server's log that a plugin fills at once, over all of its calls: what one call may log at most.
pub(crate) const LOG_BURST_BYTES: u64 = LOG_BYTES.2;

/// How many bytes a second of the log a plugin has beyond that: a line or two for each of 100 calls. A plugin that floods it
/// for a day fills 1.4 GB of a disk.
pub(crate) const LOG_BYTES_PER_SECOND: u64 = 16 << 10;

/// What a line of the log takes beside its message, in bytes: time, level, name.
pub(crate) const LOG_LINE_BYTES: u64 = 100;

/// How often it is told at most how many lines of a plugin were dropped.
pub(crate) const LOG_TOLD_EVERY: Duration = Duration::from_mins(1);

/// The range of host functions that one call may use, and its default. The locker's cost one more for every 100 targets,
/// the inventory's one more for every 1,000 resources that are looked through.
pub const HOST_CALLS: (u64, u64, u64) = (1, 10_000, 1_000_000);

/// How many targets of one call of the locker cost as much as a host function that is called: locking 10,000 of them, the
/// most at once, keeps the server busy for some 10 ms, and calling a function that does next to nothing for microseconds.
pub(crate) const TARGETS_PER_HOST_CALL: usize = 100;

/// How many resources that the inventory looks through cost as much as a host function: 1,000 of them take a processor for
/// some 0.1 ms, whatever is found.
pub(crate) const RESOURCES_PER_HOST_CALL: usize = 1_000;

/// The range of checks of parameters that wait for their turn at one plugin, beyond those that may run at once, before more
/// are refused, and its default. Calls of jobs, of which the ledger has a bound, wait all the same.
pub const MAILBOX: (u64, u64, u64) = (0, 64, 1_024);

/// The range of calls that run at once in one plugin, and its default. The most is half of the rooms that all plugins
/// share.
pub const CONCURRENCY: (u64, u64, u64) = (1, 8, CALLS_MAX as u64 / 2);

/// How long checking parameters may take, and before that wait for its turn. The contract promises it to be quick.
pub const VALIDATE_WALL: Duration = Duration::from_secs(5);

/// Most bytes of the parameters of a call, as JSON: the ledger's bound.
pub const PARAMETERS_BYTES_MAX: usize = 256 << 10;

/// Most bytes of the settings of a plugin, as JSON.
pub const SETTINGS_BYTES_MAX: usize = 1 << 20;

/// Most targets of an answer, and of one call of the locker.
pub const TARGETS_MAX: usize = 10_000;

/// Most bytes of the name of a target: the ledger's bound. Also of its name in the DNS, and of each name and value of its
/// labels, which may be those of a resource.
pub const TARGET_BYTES_MAX: usize = 512;

/// Most bytes of the code of a failure that the log keeps: a word.
pub const FAILURE_CODE_BYTES_MAX: usize = 64;

/// Most bytes of what a target manager keeps with a target.
pub const MANAGER_STATE_BYTES_MAX: usize = 64 << 10;

/// Most problems that are kept of a validation.
pub const PROBLEMS_MAX: usize = 100;

/// Most bytes that are kept of the message of a problem.
pub const PROBLEM_BYTES_MAX: usize = 1 << 10;

/// Most bytes that are kept of the message of a failure, and of one line of a log.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Most resources of one answer of the inventory.
pub const INVENTORY_MAX: u32 = 10_000;

/// Most bytes of one answer of the inventory, as the texts in it: 10,000 resources of 800 bytes, and an
/// eighth of the memory that a plugin has if nobody says otherwise.
pub const INVENTORY_BYTES_MAX: usize = 8 << 20;

/// Most random bytes that a guest gets at once.
pub const RANDOM_BYTES_MAX: u32 = 64 << 10;

/// Most bytes of a file that a guest reads.
pub const FILE_BYTES_MAX: usize = 8 << 20;

/// Longest wait for the whole answer of an endpoint, as the contract says.
pub const HTTP_TIMEOUT_MAX: Duration = Duration::from_secs(30);

/// Longest wait for a connection to an endpoint, TLS included: it is near, or it is not there.
pub(crate) const HTTP_CONNECT: Duration = Duration::from_secs(10);

/// Most bytes of the body of a request to an endpoint, as the contract says.
pub const HTTP_BODY_BYTES_MAX: usize = 1 << 20;

/// Most bytes of the body of an endpoint's answer, as the contract says: a guest's memory has to hold it twice.
pub const HTTP_RESPONSE_BYTES_MAX: usize = 4 << 20;

/// Most bytes of the path and query of a request to an endpoint. Most servers take 8 KiB.
pub(crate) const HTTP_PATH_BYTES_MAX: usize = 8 << 10;

/// Most headers of a request to an endpoint.
pub(crate) const HTTP_HEADERS_MAX: usize = 64;

/// Most bytes of a file of certificate authorities. What a Linux system trusts, all of it, has 220 kB.
pub(crate) const CA_FILE_BYTES_MAX: usize = 1 << 20;

/// Most bytes of all values of headers that a plugin sets over `wasi:http`. Most servers take 8 KiB, some twice that.
pub(crate) const HTTP_HEADERS_BYTES_MAX: usize = 16 << 10;

/// Most requests, responses, bodies, streams, headers and the like that an instance has at once over `wasi:http`. One
/// request takes up to nine; 64 of the largest headers have 1 MiB.
pub(crate) const WASI_RESOURCES_MAX: usize = 64;

/// Most requests that an instance makes at once over `wasi:http`, until it has dropped everything of them: the host keeps
/// 5 MiB of body and answer for each, beside the memory of the guest.
pub(crate) const WASI_REQUESTS_MAX: usize = 4;

/// How long a connection to an endpoint is kept open for the next request. Most servers close theirs after a minute or
/// two, and a request that meets a closing one is lost.
pub(crate) const HTTP_IDLE: Duration = Duration::from_secs(30);

/// Most connections of one endpoint that are kept open for the next request.
pub(crate) const HTTP_IDLE_MAX: usize = 8;

/// How many of the latest [`STRIKES_OF`] calls of one export may end abnormally before the plugin is put in quarantine.
pub const STRIKES_MAX: u32 = 5;

/// Of how many of the latest calls of an export abnormal ends are counted: a good call now and then does not hide them. At
/// most 32, for which there are bits.
pub const STRIKES_OF: u32 = 20;

/// A call that a time limit ends is held against its plugin if it computed for one of so many parts of the processor time
/// that it may have by then; with less, it was kept waiting. Eight checks that loop at once get 600 ms each of their 5 s,
/// and a part is 500 ms by default.
pub(crate) const BLAME_PARTS: u32 = 4;

/// How many of the latest calls the percentiles are made of.
pub const SAMPLES_MAX: usize = 256;

/// Most files of the cache of compiled components: of each plugin what runs, and what it can be rolled back to. A file has
/// some 200 kB for a plugin made of Rust, 35 MB for an interpreter.
pub const CACHE_FILES_MAX: usize = 2 * PLUGINS_MAX;

/// Most frames of a guest's stack that are shown with a trap.
pub(crate) const FRAMES_MAX: usize = 5;
