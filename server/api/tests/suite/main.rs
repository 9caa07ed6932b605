//! The API without a socket, with a real keeper on a real store, and a clock that the test sets.

mod events;
mod guard;
mod lab;
mod leases;
mod lists;
mod openapi;
mod operations;
mod pages;
mod pages_bulk;
mod pages_forms;
mod pages_install;
mod pages_jobs;
mod pages_lapsed;
mod pages_missing;
mod pages_over;
mod pages_sorted;
mod problems;
mod resources;
mod waiting;
