//! What Cargo builds or installs for us.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::place::{self, Build};
use crate::{Result, failed, process, say};

/// How long a build may take from nothing, on a slow machine.
pub(crate) const BUILD_BOUND: Duration = Duration::from_mins(30);

/// The version that the rules of deny.toml were written for.
const CARGO_DENY: &str = "0.20.2";

/// `cargo` with the first words of a command, run at the root of the checkout.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(words).current_dir(place::root());
    command
}

/// Builds the server and tells where it is.
pub(crate) fn build_lessor(build: Build) -> Result<PathBuf> {
    let mut command = cargo(&["build", "--package", "lessor"]);
    match build {
        Build::Dev => say::step("Building lessor"),
        Build::Release => {
            say::step("Building lessor with optimisation: the first time takes some minutes");
            command.arg("--release");
        }
    }
    process::show(&mut command, BUILD_BOUND)?.expect_ok("cargo build --package lessor")?;
    let bin = place::lessor(build);
    if bin.is_file() { Ok(bin) } else { failed(format!("the build left no {}", bin.display())) }
}

/// The folder with `cargo-deny`, which is built once if it is not installed.
///
/// It goes before everything else on the `PATH`, where Cargo looks for its subcommands.
pub(crate) fn cargo_deny() -> Result<Option<PathBuf>> {
    if place::which("cargo-deny").is_some() {
        return Ok(None);
    }
    let root = place::tools().join("cargo-deny");
    let bin = root.join("bin");
    if bin.join("cargo-deny").is_file() {
        return Ok(Some(bin));
    }
    say::step(
        "Building cargo-deny, once: it checks licences and sources of dependencies; this takes some minutes",
    );
    let mut command = cargo(&["install", "--locked", "--version", CARGO_DENY, "cargo-deny", "--root"]);
    command.arg(&root).arg("--target-dir").arg(root.join("build"));
    let finished = process::show(&mut command, BUILD_BOUND)?;
    if !finished.ok {
        return crate::missing(format!("cargo-deny is not installed and cannot be built ({})", finished.how));
    }
    // Half a gigabyte that nobody needs again; if it stays, it is only in the way.
    let _ = std::fs::remove_dir_all(root.join("build"));
    Ok(Some(bin))
}
