//! Every bound of the control loops, with its unit and the reason for its size.

use std::time::Duration;

/// Largest pools file, in bytes, from wherever it comes: a million names of 60 bytes. The whole file is read into memory.
pub const POOLS_FILE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most values in a pools file, with every alias counted as what it stands for, so that a few nested aliases cannot
/// fill the memory. A million names take a little more than a million.
pub const POOLS_FILE_VALUES_MAX: usize = 4_000_000;

/// Deepest nesting in a pools file, in lists and maps. The format needs 5.
pub const POOLS_FILE_DEPTH_MAX: usize = 32;

/// Most errors that are reported for one pools file; the rest is only counted.
pub const POOLS_ERRORS_MAX: usize = 100;

/// How often the pools file is looked at.
pub const POOLS_POLL: Duration = Duration::from_secs(1);

/// Longest wait between two attempts to hand a good pools file to a keeper that cannot write.
pub const POOLS_RETRY_MAX: Duration = Duration::from_secs(30);
