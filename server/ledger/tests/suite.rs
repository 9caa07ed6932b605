//! Everything that is known about the rules, as tests.
//!
//! - `table_*`: one script per rule, with the replies and changes that it must give.
//! - `sync_fixtures`: the upstream tables F1–F18 and G1–G10 of `reference/boskos.md` §8.
//! - `model`: random commands of all dialects against a deliberately naive second reading of the rules.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes its literals that way")]

mod job_bytes;
mod model;
mod script;
mod sync_fixtures;
mod table_boskos;
mod table_contest;
mod table_dynamic;
mod table_jobs;
mod table_leases;
mod table_lines;
mod table_plugins;
mod table_resources;
mod table_waiters;
