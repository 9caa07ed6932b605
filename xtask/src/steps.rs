//! The steps of `cargo xtask test`: each one runs something and says how it went.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;

use crate::conformance::{self, Evidence};
use crate::counts::{self, Counts};
use crate::go::Go;
use crate::place::{self, Build};
use crate::plugins_compiler::Compiler;
use crate::process::Finished;
use crate::server::Server;
use crate::tools::{self, BUILD_BOUND, cargo};
use crate::{
    Failure, Result, browser, debian, failed, missing, plugins, plugins_python, process, python, say,
};

/// How long a whole test suite may take, with its builds.
pub(crate) const TESTS_BOUND: Duration = Duration::from_mins(40);

/// Schemathesis: the version, and how many cases it makes for each operation.
pub(crate) const SCHEMATHESIS: (&str, &str) = ("schemathesis", "4.32.5");
const SCHEMATHESIS_CASES: &str = "60";

/// What every answer is held against: no 5xx, and nothing that the document does not say.
const SCHEMATHESIS_CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
     response_schema_conformance,response_headers_conformance,unsupported_method";

/// Go modules of the checkout, each a folder.
const GO_MODULES: [&str; 2] = ["tests/boskos", "tests/bench/compare"];

/// The steps, in the order in which they run: what is quick to fail comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Step {
    /// Is all Rust formatted?
    Format,
    /// Does clippy, pedantic, find anything?
    Clippy,
    /// May every dependency be used: licence, source, bans?
    Deny,
    /// Does any dependency have a known weakness?
    Advisories,
    /// Do the docs build without a warning?
    Docs,
    /// The SDK and the example plugins: format, clippy, their tests, and the same components twice.
    Plugins,
    /// All Rust tests.
    Rust,
    /// The target list in Python: does it build, and do in the host what the one in Rust does?
    PluginsPython,
    /// Is all Go formatted, and does `go vet` find anything?
    GoVet,
    /// The real Boskos client and programs against the real server.
    Boskos,
    /// Does every numbered statement of the specifications have a test that passes?
    Conformance,
    /// The dashboard in a real browser: what can be done, what it shows by itself, axe, valid HTML.
    Browser,
    /// Schemathesis: does the server keep to its own `OpenAPI` document, whatever it is sent?
    Openapi,
}

impl Step {
    /// As it is written on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Why the step is there, for its heading.
    pub(crate) fn what(self) -> String {
        let help = self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }

    /// Runs it. Tests that speak for the conformance table add to `evidence`.
    pub(crate) fn run(self, evidence: &mut Evidence) -> Outcome {
        match self {
            Self::Format => check(process::show(&mut cargo(&["fmt", "--all", "--check"]), BUILD_BOUND)),
            Self::Clippy => {
                let mut command = cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
                check(process::show(&mut command, BUILD_BOUND))
            }
            Self::Deny => check(deny_all()),
            Self::Advisories => check(advisories()),
            Self::Docs => {
                let mut command = cargo(&["doc", "--workspace", "--no-deps"]);
                check(process::show(command.env("RUSTDOCFLAGS", "-D warnings"), BUILD_BOUND))
            }
            Self::Plugins => guests(),
            Self::Rust => rust(evidence),
            Self::PluginsPython => check(plugins_python::check()),
            Self::GoVet => check(go_vet()),
            Self::Boskos => boskos(evidence),
            Self::Conformance => match conformance::report(evidence) {
                Ok(_) => Outcome::passed(Counts::ONE_PASSED),
                Err(failure) => Outcome::failed(Counts::ONE_FAILED, failure.to_string()),
            },
            Self::Browser => match browser::suite() {
                Ok((finished, counts)) => suite(&finished, counts),
                Err(failure) => Outcome::broken(failure),
            },
            Self::Openapi => openapi(),
        }
    }
}

/// How a step went.
pub(crate) struct Outcome {
    /// How many tests it ran; a step that is one check counts as one.
    pub(crate) counts: Counts,
    /// Whether it passed, and if not, why.
    pub(crate) verdict: std::result::Result<(), Failure>,
}

impl Outcome {
    fn passed(counts: Counts) -> Self {
        Self { counts, verdict: Ok(()) }
    }

    fn failed(mut counts: Counts, why: String) -> Self {
        // A runner that broke off before its first test has failed all the same.
        counts.failed = counts.failed.max(1);
        Self { counts, verdict: Err(Failure::Failed(why)) }
    }

    /// A step that could not be made.
    pub(crate) fn skipped(why: String) -> Self {
        Self { counts: Counts::ONE_SKIPPED, verdict: Err(Failure::Missing(why)) }
    }

    fn broken(failure: Failure) -> Self {
        match failure {
            Failure::Failed(why) => Self::failed(Counts::ONE_FAILED, why),
            Failure::Missing(why) => Self::skipped(why),
        }
    }
}

/// The outcome of a step that is one check.
fn check(finished: Result<Finished>) -> Outcome {
    match finished {
        Ok(finished) if finished.ok => Outcome::passed(Counts::ONE_PASSED),
        Ok(finished) => Outcome::failed(Counts::ONE_FAILED, finished.how),
        Err(failure) => Outcome::broken(failure),
    }
}

/// The outcome of a step that is a runner of tests.
fn suite(finished: &Finished, counts: Counts) -> Outcome {
    if !finished.ok {
        return Outcome::failed(counts, finished.how.clone());
    }
    if counts.passed == 0 {
        return Outcome::failed(counts, "it ran no test".to_owned());
    }
    Outcome::passed(counts)
}

/// The rules without the network, for the server and for the plugins.
fn deny_all() -> Result<Finished> {
    let what = ["bans", "licenses", "sources"];
    deny("Cargo.toml", &what)?.expect_ok("cargo deny of the server")?;
    deny("examples/plugins/Cargo.toml", &what)
}

fn deny(manifest: &str, what: &[&str]) -> Result<Finished> {
    let bin = tools::cargo_deny()?;
    let mut command = cargo(&["deny", "--manifest-path", manifest, "check", "--hide-inclusion-graph"]);
    command.args(what);
    if let Some(bin) = bin {
        command.env("PATH", place::path_with(&bin));
    }
    process::show(&mut command, BUILD_BOUND)
}

/// The database of weaknesses comes over the network, which not every machine has.
fn advisories() -> Result<Finished> {
    let finished = deny("Cargo.toml", &["advisories"])?;
    if !finished.ok && finished.text.contains("failed to fetch advisory database") {
        return missing("the RustSec advisory database cannot be fetched from here");
    }
    Ok(finished)
}

/// The plugins' own tests. Those of them that speak for a statement do so without WebAssembly, so the table does not take
/// their word: the end-to-end tests have to.
fn guests() -> Outcome {
    match Compiler::find().and_then(|compiler| plugins::check(&compiler)) {
        Ok(finished) => suite(&finished, counts::of_cargo(&finished.text)),
        Err(failure) => Outcome::broken(failure),
    }
}

fn rust(evidence: &mut Evidence) -> Outcome {
    // The tests of the host run real components. Without them they would fail, each for itself and with less to say.
    if let Err(failure) = plugins::build() {
        return Outcome::failed(Counts::default(), failure.to_string());
    }
    // The end-to-end tests start the binary, which `cargo test` does not build by itself.
    if let Err(failure) = tools::build_lessor(Build::Dev) {
        return Outcome::broken(failure);
    }
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    // A snapshot that changed is a failure here, not a new snapshot.
    match process::show(command.env("INSTA_UPDATE", "no"), TESTS_BOUND) {
        Ok(finished) => {
            evidence.verdicts.absorb(counts::cargo_verdicts(&finished.text));
            suite(&finished, counts::of_cargo(&finished.text))
        }
        Err(failure) => Outcome::broken(failure),
    }
}

fn go_modules() -> Vec<PathBuf> {
    GO_MODULES.iter().map(|folder| place::root().join(folder)).collect()
}

/// Fetches what a module needs. That this cannot be had is no fault of the tests.
fn fetch_go_module(go: &Go, folder: &Path) -> Result<()> {
    let fetched = process::quietly(&mut go.command("go", folder, &["mod", "download"]), BUILD_BOUND)?;
    if fetched.ok {
        return Ok(());
    }
    missing(format!(
        "the Go modules that {} needs cannot be fetched: {}",
        folder.display(),
        fetched.text.trim()
    ))
}

fn go_vet() -> Result<Finished> {
    let mut last = None;
    for folder in go_modules() {
        let go = Go::find_for(&folder)?;
        fetch_go_module(&go, &folder)?;
        let unformatted = process::show(&mut go.command("gofmt", &folder, &["-l", "."]), BUILD_BOUND)?;
        if !unformatted.ok || !unformatted.text.is_empty() {
            return failed("gofmt would change the files named above");
        }
        let vetted = process::show(&mut go.command("go", &folder, &["vet", "./..."]), BUILD_BOUND)?;
        last = Some(vetted.expect_ok("go vet")?);
    }
    last.map_or_else(|| failed("there is no Go module"), Ok)
}

fn boskos(evidence: &mut Evidence) -> Outcome {
    match go_suite(None) {
        Ok(finished) => {
            evidence.verdicts.absorb(counts::go_verdicts(&finished.text));
            suite(&finished, counts::of_go(&finished.text))
        }
        Err(failure) => {
            if let Failure::Missing(why) = &failure {
                evidence.no_go = Some(why.clone());
            }
            Outcome::broken(failure)
        }
    }
}

/// Runs those of the Go tests whose names match `pattern`, or all.
pub(crate) fn go_suite(pattern: Option<&str>) -> Result<Finished> {
    let folder = place::root().join("tests/boskos");
    let go = Go::find_for(&folder)?;
    fetch_go_module(&go, &folder)?;
    let bin = tools::build_lessor(Build::Dev)?;
    say::step("Running the Go tests: the reaper looks once a minute, so they take a good minute");
    let mut command = go.command("go", &folder, &["test", "-count=1", "-v", "-timeout=10m"]);
    if let Some(pattern) = pattern {
        command.args(["-run", pattern]);
    }
    process::show(command.arg("./...").env("LESSOR_BIN", bin), TESTS_BOUND)
}

fn openapi() -> Outcome {
    let run = || -> Result<Finished> {
        let (name, version) = SCHEMATHESIS;
        let programs = python::package(name, version, "it makes requests from the OpenAPI document")?;
        let bin = tools::build_lessor(Build::Dev)?;
        let folder = place::target().join("openapi-test");
        let pools = place::root().join("examples/pools/sample.yaml");
        let mut server = Server::start_aside(&bin, &folder, &pools)?;
        let mut command = Command::new(programs.join(name));
        command.args(["run", &format!("http://{}/openapi.json", server.address)]);
        command.args(["--checks", SCHEMATHESIS_CHECKS, "--max-examples", SCHEMATHESIS_CASES]);
        // The same cases each time. A stream has no end, so reading one to it is no test.
        command.args(["--generation-deterministic", "--exclude-path-regex", "/stream$"]);
        command.args(["--request-timeout", "10", "--suppress-health-check", "all", "--no-color"]);
        command.env("SCHEMATHESIS_HOOKS", place::root().join("tests/openapi/hooks.py"));
        command.current_dir(&folder);
        let finished = process::show(&mut command, TESTS_BOUND)?;
        if let Some(how) = server.ended() {
            return failed(format!("the server did not survive ({how})"));
        }
        Ok(finished)
    };
    match run() {
        Ok(finished) => {
            let counts = schemathesis_counts(&finished.text);
            suite(&finished, counts)
        }
        Err(failure) => Outcome::broken(failure),
    }
}

/// Reads the summary of Schemathesis. Operations count as tests, not the thousands of cases made for them:
///
/// ```text
///   Tested: 28
///   3523 generated, 3519 found 4 unique failures, 0 skipped
/// ```
fn schemathesis_counts(text: &str) -> Counts {
    let number = |before: &str| -> Option<u64> {
        text.lines().find_map(|line| line.trim().strip_prefix(before)?.trim().parse().ok())
    };
    let unique = text.lines().filter(|line| line.contains(" generated, ")).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "unique")?;
        words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
    });
    let failed = unique.unwrap_or_default();
    Counts { passed: number("Tested:").unwrap_or_default().saturating_sub(failed), failed, skipped: 0 }
}

/// What the steps need from the system before any of them can run.
pub(crate) fn compilers() -> Result<()> {
    if place::which("cc").is_some() {
        return Ok(());
    }
    debian::install(&["build-essential", "pkg-config"], "Rust needs a linker, and some crates a C compiler")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemathesis_is_read() {
        let fine = "API Operations:\n  Selected: 28/29\n  Tested: 28\n\nTest cases:\n  3523 generated, 3523 passed\n";
        assert_eq!(schemathesis_counts(fine), Counts { passed: 28, failed: 0, skipped: 0 });
        let bad = "  Tested: 28\nTest cases:\n  50 generated, 4 found 2 unique failures, 46 passed\n";
        assert_eq!(schemathesis_counts(bad), Counts { passed: 26, failed: 2, skipped: 0 });
        assert_eq!(schemathesis_counts("no such line"), Counts::default());
    }
}
