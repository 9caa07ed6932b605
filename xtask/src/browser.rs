//! The dashboard in Debian's Chromium: its tests, and `cargo xtask screenshots`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::counts::{self, Counts};
use crate::place::{self, Build};
use crate::process::Finished;
use crate::steps::TESTS_BOUND;
use crate::{Result, debian, failed, missing, plugins, process, say, tools};

/// How long fetching the packages may take.
const FETCH_BOUND: Duration = Duration::from_mins(10);

/// Make pictures of every page into target/screenshots: light, dark, phone, empty, crowded, hostile, works.
#[derive(Args)]
pub(crate) struct Screenshots {
    /// Only these series, e.g. `light phone`.
    series: Vec<String>,
}

impl Screenshots {
    pub(crate) fn run(&self) -> Result<()> {
        let folder = place::target().join("screenshots");
        let mut command = Setting::find()?.node(&["screenshots.mjs"])?;
        command.args(&self.series).env("LESSOR_SCREENSHOTS", &folder);
        process::show(&mut command, TESTS_BOUND)?.expect_ok("the screenshots")?;
        say::step(&format!("The pictures are in {}", folder.display()));
        Ok(())
    }
}

/// Runs the tests.
pub(crate) fn suite() -> Result<(Finished, Counts)> {
    let mut command = Setting::find()?.node(&["--test", "--test-reporter=tap"])?;
    let finished = process::show(&mut command, TESTS_BOUND)?;
    let counts = counts::of_node(&finished.text);
    Ok((finished, counts))
}

/// Fetches what the tests need.
pub(crate) fn set_up() -> Result<()> {
    Setting::find().map(|_| ())
}

/// What the tests need besides the server.
struct Setting {
    chromium: PathBuf,
    packages: PathBuf,
}

impl Setting {
    fn find() -> Result<Self> {
        let why = "the dashboard is tested in a real browser";
        let chromium = program("chromium", &["chromium"], why)?;
        program("node", &["nodejs"], why)?;
        if let Err(failure) = debian::install(&["libfaketime"], "servers of the browser tests have a past") {
            say::note(&format!("tests of a day that was are skipped: {failure}"));
        }
        Ok(Self { chromium, packages: packages()? })
    }

    /// Node in the folder of the tests, with what they ask the environment for.
    fn node(&self, words: &[&str]) -> Result<Command> {
        let bin = tools::build_lessor(Build::Dev)?;
        plugins::build()?;
        let mut command = Command::new("node");
        command.args(words).current_dir(tests()).env("LESSOR_BIN", bin);
        command.env("LESSOR_COMPONENTS", plugins::folder());
        command.env("LESSOR_CHROMIUM", &self.chromium).env("LESSOR_NODE_TOOLS", &self.packages);
        Ok(command)
    }
}

fn tests() -> PathBuf {
    place::root().join("tests/browser")
}

/// A program of the system, installed if it is missing.
fn program(name: &str, packages: &[&str], why: &str) -> Result<PathBuf> {
    if let Some(found) = place::which(name) {
        return Ok(found);
    }
    debian::install(packages, why)?;
    place::which(name).map_or_else(|| missing(format!("{name} is not installed")), Ok)
}

/// The folder with the packages that `tests/browser/package-lock.json` names, fetched if they are not there.
fn packages() -> Result<PathBuf> {
    let folder = place::tools().join("browser");
    let lock = std::fs::read(tests().join("package-lock.json"))
        .or_else(|error| failed(format!("tests/browser/package-lock.json cannot be read: {error}")))?;
    // Written last, so that a fetch that was cut off, or one of another lock, is not taken for this one.
    let stamp = folder.join("complete");
    if std::fs::read(&stamp).is_ok_and(|complete| complete == lock) {
        return Ok(folder);
    }
    program("npm", &["npm"], "it fetches Playwright, axe and html-validate")?;
    say::step("Fetching Playwright, axe and html-validate with npm: they drive and check the dashboard");
    place_manifest(&folder)?;
    let mut npm = Command::new("npm");
    // Nothing of a package runs while it is installed; the browser is Debian's.
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
    let fetched = process::show(&mut npm, FETCH_BOUND)?;
    if !fetched.ok {
        return missing(format!(
            "what tests/browser/package.json names cannot be had from npm ({})",
            fetched.how
        ));
    }
    std::fs::write(&stamp, lock)
        .or_else(|error| failed(format!("cannot write {}: {error}", stamp.display())))?;
    Ok(folder)
}

fn place_manifest(folder: &Path) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(tests().join(name), folder.join(name))?;
        }
        Ok(())
    };
    copy().or_else(|error| failed(format!("cannot use {}: {error}", folder.display())))
}
