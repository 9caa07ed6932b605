//! `cargo xtask plugins`: the example plugins as components, and the museum of bad ones that the tests use.
//!
//! They are a workspace of their own at `examples/plugins`, built to `target/plugins-build`. The components come to
//! `target/plugins`, where the tests look for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use sha2::{Digest, Sha256};
use wit_component::ComponentEncoder;

use crate::plugins_compiler::{Compiler, TARGET};
use crate::process::Finished;
use crate::tools::BUILD_BOUND;
use crate::{Result, failed, place, process, say};

/// The guests that are no example: the tests of the host need them.
const OF_TESTS: [&str; 4] = ["fetcher", "museum", "slow-start", "surfer"];

/// Build the example plugins as components, into target/plugins.
///
/// The compiler's target for WebAssembly is found, or fetched with rustup, or taken from Debian. What is up to date is
/// not built again. The same source and compiler give the same components, byte for byte.
#[derive(Args)]
pub(crate) struct Plugins {
    /// Build everything a second time, from nothing and in another folder, and see that it is the same.
    #[arg(long)]
    twice: bool,
    /// Use Debian's compiler, also where the one of the checkout can do it.
    #[arg(long)]
    debian: bool,
}

impl Plugins {
    pub(crate) fn run(&self) -> Result<()> {
        let compiler = if self.debian { Compiler::debian()? } else { Compiler::find()? };
        let built = build_with(&compiler)?;
        if self.twice {
            same_again(&compiler, &built)?;
        }
        say::step(&format!("The components are in {}", folder().display()));
        for Component { name, bytes } in &built {
            say::note(&format!("{name:<12} {:>7} bytes  sha256 {:x}", bytes.len(), Sha256::digest(bytes)));
        }
        Ok(())
    }
}

/// A built component.
#[derive(PartialEq, Eq)]
pub(crate) struct Component {
    name: String,
    bytes: Vec<u8>,
}

/// Where the components are, each as `<name>.wasm`.
pub(crate) fn folder() -> PathBuf {
    place::target().join("plugins")
}

/// Where Cargo builds the guests.
fn scratch() -> PathBuf {
    place::target().join("plugins-build")
}

/// The workspace of the guests.
fn workspace() -> PathBuf {
    place::root().join("examples/plugins")
}

/// Builds what is not up to date, with whatever compiler is to be had.
pub(crate) fn build() -> Result<()> {
    build_with(&Compiler::find()?).map(|_| ())
}

fn build_with(compiler: &Compiler) -> Result<Vec<Component>> {
    say::step("Building the plugins of examples/plugins as components");
    let built = components(compiler, &scratch())?;
    for component in &built {
        write(component)?;
    }
    Ok(built)
}

/// Builds everything again from nothing, and compares.
pub(crate) fn same_again(compiler: &Compiler, built: &[Component]) -> Result<()> {
    say::step("Building the plugins a second time, from nothing: they must come out the same");
    let scratch = place::target().join("plugins-again");
    // A left-over of a run that was cut off; if there is none, there is nothing to do.
    let _ = fs::remove_dir_all(&scratch);
    let again = components(compiler, &scratch)?;
    // Some megabytes that nobody needs again; if they stay, they are only in the way.
    let _ = fs::remove_dir_all(&scratch);
    let differ = built.iter().filter(|component| !again.contains(component));
    let differ: Vec<&str> = differ.map(|component| component.name.as_str()).collect();
    if differ.is_empty() {
        return Ok(());
    }
    failed(format!("the same source gave other bytes the second time: {}", differ.join(", ")))
}

/// What the gate asks of the guests, besides that they build: format, clippy, their own tests.
pub(crate) fn check(compiler: &Compiler) -> Result<Finished> {
    let cargo = |words: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(words).current_dir(workspace()).env("CARGO_TARGET_DIR", scratch());
        command
    };
    let must = |mut command: Command, what: &str| -> Result<Finished> {
        process::show(&mut command, BUILD_BOUND)?.expect_ok(what)
    };
    must(cargo(&["fmt", "--all", "--check"]), "cargo fmt of the plugins")?;
    must(cargo(&["clippy", "--locked", "--all-targets", "--", "-D", "warnings"]), "clippy of the plugins")?;
    if compiler.is_ours() {
        let words = ["clippy", "--locked", "--release", "--lib", "--target", TARGET, "--", "-D", "warnings"];
        must(cargo(&words), "clippy of the plugins, for WebAssembly")?;
    }
    let built = build_with(compiler)?;
    same_again(compiler, &built)?;
    process::show(&mut cargo(&["test", "--locked", "--no-fail-fast"]), BUILD_BOUND)
}

/// Builds all guests and makes components of them.
fn components(compiler: &Compiler, scratch: &Path) -> Result<Vec<Component>> {
    let mut command = compiler.cargo(&["build", "--locked", "--release", "--lib"], scratch);
    command.current_dir(workspace());
    process::show(&mut command, BUILD_BOUND)?.expect_ok("cargo build of the plugins")?;
    let modules = scratch.join(TARGET).join("release");
    let component = |name: String| {
        let module = modules.join(format!("{}.wasm", name.replace('-', "_")));
        let bytes = read(&module)?;
        match wrap(&bytes) {
            Ok(bytes) => Ok(Component { name, bytes }),
            Err(error) => failed(format!("{} does not become a component: {error:#}", module.display())),
        }
    };
    guests()?.into_iter().map(component).collect()
}

/// Makes a component of a module that was built for the contract.
fn wrap(module: &[u8]) -> std::result::Result<Vec<u8>, impl std::fmt::Display> {
    ComponentEncoder::default().validate(true).module(module).and_then(ComponentEncoder::encode)
}

/// The names of all guests: the folders of examples that make a module, and those of the tests.
fn guests() -> Result<Vec<String>> {
    let mut names = OF_TESTS.map(str::to_owned).to_vec();
    let entries = fs::read_dir(workspace());
    let entries =
        entries.or_else(|error| failed(format!("cannot read {}: {error}", workspace().display())))?;
    for folder in entries.flatten().map(|entry| entry.path()) {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        if manifest.contains("cdylib") {
            names.push(folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).or_else(|error| failed(format!("cannot read {}: {error}", file.display())))
}

/// Puts a component into place, unless it is there already. Whoever reads sees a whole one.
fn write(component: &Component) -> Result<()> {
    let file = folder().join(format!("{}.wasm", component.name));
    if fs::read(&file).is_ok_and(|present| present == component.bytes) {
        return Ok(());
    }
    let new = file.with_extension("new");
    let written = fs::create_dir_all(folder())
        .and_then(|()| fs::write(&new, &component.bytes))
        .and_then(|()| fs::rename(&new, &file));
    written.or_else(|error| failed(format!("cannot write {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_and_the_guests_of_tests_are_built() {
        let guests = guests().unwrap();
        for expected in ["csv-file", "museum", "pool-picker", "slow-start", "target-list"] {
            assert!(guests.iter().any(|guest| guest == expected), "{expected} is not among {guests:?}");
        }
    }

    #[test]
    fn what_is_no_module_does_not_become_a_component() {
        assert!(wrap(b"no module").is_err());
    }
}
