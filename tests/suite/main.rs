//! The end-to-end tests, as one binary. Those named `boskos_NNN_…` and `contest_NNN_…` hold the statement of that
//! number in `reference/boskos.md` §6 and `reference/contest.md` §7.

mod cli;
mod concurrency;
mod conformance;
mod crash;
mod hostile;
mod jobs;
mod log;
mod plugins;
mod secrets;
mod tidy;
