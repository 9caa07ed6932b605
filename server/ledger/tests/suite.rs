//! Everything that is known about the rules, as tests.
//!
//! - `table_*`: one script per rule, with the replies and changes that it must give.
//! - `model`: random commands of all dialects against a deliberately naive second reading of the rules.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes its literals that way")]

mod growth;
mod job_bytes;
mod model;
mod script;
mod table_boskos;
mod table_contest;
mod table_dynamic;
mod table_jobs;
mod table_leases;
mod table_lines;
mod table_plugins;
mod table_resources;
mod table_sync;
mod table_waiters;
