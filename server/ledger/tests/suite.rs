//! Everything that is known about the rules, as tests.
//!
//! - `table_*`: one script per rule, with the replies and changes that it must give.
//! - `growth`, `long_calls`: what must not cost more than it does.
//! - `holders`: who is named to those who wait.
//! - `room`, `job_bytes`: how much there may be.
//! - `model`: random commands of all dialects against a deliberately naive second reading of the rules.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes its literals that way")]

mod calls;
mod cost;
mod growth;
mod holders;
mod job_bytes;
mod long_calls;
mod model;
mod room;
mod script;
mod table_boskos;
mod table_collecting;
mod table_contest;
mod table_dynamic;
mod table_job_ends;
mod table_jobs;
mod table_leases;
mod table_lines;
mod table_plugins;
mod table_resources;
mod table_sync;
mod table_waiters;
