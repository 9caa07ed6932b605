//! The store from outside: what survives a crash, what readers see, what opening refuses.

#![expect(clippy::unwrap_used, reason = "in a test, a failed unwrap is a failed test")]

mod backup;
mod check;
mod crash;
mod golden;
mod history;
mod lab;
mod neighbours;
mod opening;
