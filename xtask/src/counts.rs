//! Reading what test runners print.

use std::collections::BTreeMap;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Ran and held.
    pub(crate) passed: u64,
    /// Ran and did not hold.
    pub(crate) failed: u64,
    /// Did not run.
    pub(crate) skipped: u64,
}

impl Counts {
    /// One check that held.
    pub(crate) const ONE_PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// One check that did not.
    pub(crate) const ONE_FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    /// One check that could not be made.
    pub(crate) const ONE_SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// It did not run.
    Skipped,
    /// It held.
    Passed,
    /// It did not.
    Failed,
}

/// What a runner said about each test: a name that occurs twice has its worst verdict.
#[derive(Debug, Default)]
pub(crate) struct Verdicts(pub(crate) BTreeMap<String, Verdict>);

impl Verdicts {
    /// Adds one, or makes the one that is there worse.
    pub(crate) fn add(&mut self, name: &str, verdict: Verdict) {
        let known = self.0.entry(name.to_owned()).or_insert(verdict);
        *known = verdict.max(*known);
    }

    /// Adds all of `other`.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (name, verdict) in other.0 {
            self.add(&name, verdict);
        }
    }
}

/// Sums up the `test result:` lines of `cargo test`, one for each binary.
pub(crate) fn of_cargo(text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text.lines().filter_map(|line| line.trim_start().strip_prefix("test result: ")) {
        let number = |word: &str| -> u64 {
            line.split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
                .unwrap_or_default()
        };
        counts += Counts { passed: number("passed"), failed: number("failed"), skipped: number("ignored") };
    }
    counts
}

/// Reads the sum at the end of what Node's test runner prints as TAP: `# pass 28`.
pub(crate) fn of_node(text: &str) -> Counts {
    let number = |word: &str| -> u64 {
        let line = text.lines().rev().find_map(|line| line.strip_prefix("# ")?.strip_prefix(word));
        line.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
    };
    let failed = number("fail ") + number("cancelled ");
    Counts { passed: number("pass "), failed, skipped: number("skipped ") + number("todo ") }
}

/// Reads the `test NAME ... ok` lines of `cargo test`. The name is what follows the last `::`.
pub(crate) fn cargo_verdicts(text: &str) -> Verdicts {
    let mut verdicts = Verdicts::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("test ")) {
        let Some((name, end)) = line.split_once(" ... ") else { continue };
        let name = name.split_once(" - ").map_or(name, |(name, _)| name).trim();
        let verdict = match end.split_whitespace().next() {
            Some("ok") => Verdict::Passed,
            Some("FAILED") => Verdict::Failed,
            Some("ignored" | "ignored,") => Verdict::Skipped,
            _ => continue,
        };
        verdicts.add(name.rsplit("::").next().unwrap_or(name), verdict);
    }
    verdicts
}

/// Reads the `--- PASS: NAME` lines of `go test -v`, subtests among them.
pub(crate) fn go_verdicts(text: &str) -> Verdicts {
    let mut verdicts = Verdicts::default();
    for line in text.lines().filter_map(|line| line.trim_start().strip_prefix("--- ")) {
        let mut words = line.split_whitespace();
        let verdict = match words.next() {
            Some("PASS:") => Verdict::Passed,
            Some("FAIL:") => Verdict::Failed,
            Some("SKIP:") => Verdict::Skipped,
            _ => continue,
        };
        if let Some(name) = words.next() {
            verdicts.add(name, verdict);
        }
    }
    verdicts
}

/// Counts what `go test -v` said.
pub(crate) fn of_go(text: &str) -> Counts {
    let mut counts = Counts::default();
    for verdict in go_verdicts(text).0.into_values() {
        counts += match verdict {
            Verdict::Passed => Counts::ONE_PASSED,
            Verdict::Failed => Counts::ONE_FAILED,
            Verdict::Skipped => Counts::ONE_SKIPPED,
        };
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARGO: &str = "
running 3 tests
test boskos::acquire::boskos_024_no_resource_is_404 ... ok
test boskos_112_order ... FAILED
test contest_001_zero - should panic ... ok
test slow ... ignored, needs a day

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.21s
";

    #[test]
    fn cargo_is_read() {
        assert_eq!(of_cargo(CARGO), Counts { passed: 42, failed: 1, skipped: 1 });
        let verdicts = cargo_verdicts(CARGO).0;
        assert_eq!(verdicts["boskos_024_no_resource_is_404"], Verdict::Passed);
        assert_eq!(verdicts["boskos_112_order"], Verdict::Failed);
        assert_eq!(verdicts["contest_001_zero"], Verdict::Passed);
        assert_eq!(verdicts["slow"], Verdict::Skipped);
    }

    #[test]
    fn go_is_read() {
        let text = "=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\n--- SKIP: TestC (0.1s)\nok\n";
        assert_eq!(of_go(text), Counts { passed: 1, failed: 1, skipped: 1 });
        assert_eq!(go_verdicts(text).0["TestA/b"], Verdict::Failed);
    }

    #[test]
    fn a_name_keeps_its_worst_verdict() {
        let mut verdicts = Verdicts::default();
        verdicts.add("a", Verdict::Failed);
        verdicts.add("a", Verdict::Passed);
        assert_eq!(verdicts.0["a"], Verdict::Failed);
    }

    #[test]
    fn the_sum_of_node_is_read() {
        let text = "ok 1 - a\n# tests 9\n# pass 5\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 1\n";
        assert_eq!(of_node(text), Counts { passed: 5, failed: 2, skipped: 2 });
        assert_eq!(of_node("node: bad option"), Counts::default());
    }
}
