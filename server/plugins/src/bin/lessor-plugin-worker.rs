//! The process in which components are looked through and compiled, for the tests and benchmarks of this crate: there is no
//! server here that could be its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    lessor_plugins::work(&std::env::args().nth(1).expect("a host starts it with a task"))
}
