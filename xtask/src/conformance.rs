//! `cargo xtask conformance`: the numbered statements of the two specifications, and how each one fares.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;

use crate::counts::{Counts, Verdict, Verdicts, cargo_verdicts, go_verdicts};
use crate::{Failure, Result, failed, place, process, say, steps, tools};

/// Run the conformance tests and print how each numbered statement of the specifications fares.
///
/// A test holds statement NNN of a specification if its name begins with `boskos_NNN` or `contest_NNN`; those that only
/// the real Boskos programs can show are Go tests named `TestBoskosNNN`. Statements are set aside, with the reason, in
/// tests/conformance/set-aside.txt.
#[derive(Args)]
pub(crate) struct Conformance {
    /// Leave out the Go tests; the statements that only they hold then count as skipped.
    #[arg(long)]
    without_go: bool,
}

/// A specification whose statements are numbered from 1.
struct Specification {
    /// As in the names of Rust tests, and of Go tests with a capital.
    name: &'static str,
    /// The last number.
    last: u16,
}

const SPECIFICATIONS: [Specification; 2] =
    [Specification { name: "boskos", last: 112 }, Specification { name: "contest", last: 68 }];

/// How a statement fares.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Passed,
    Failed,
    SetAside(String),
    Skipped(String),
    Missing,
}

/// What is known for a table: what the tests said, and why some of them said nothing.
#[derive(Default)]
pub(crate) struct Evidence {
    /// What each test said.
    pub(crate) verdicts: Verdicts,
    /// Why the Go tests did not run, if they did not.
    pub(crate) no_go: Option<String>,
}

impl Conformance {
    pub(crate) fn run(&self) -> Result<()> {
        say::step("Running the conformance tests: they start the real binary, so it is built first");
        tools::build_lessor(place::Build::Dev)?;
        let mut command = tools::cargo(&["test", "--package", "lessor-tests", "--no-fail-fast"]);
        command.args(["--", "boskos_", "contest_"]);
        let finished = process::show(&mut command, steps::TESTS_BOUND)?;
        let mut evidence = Evidence { verdicts: cargo_verdicts(&finished.text), no_go: None };
        if !finished.ok && !evidence.verdicts.0.values().any(|verdict| *verdict == Verdict::Failed) {
            return failed(format!("the conformance tests did not run to their end: {}", finished.how));
        }
        if self.without_go {
            evidence.no_go = Some("left out as asked".to_owned());
        } else {
            match steps::go_suite(Some("^TestBoskos[0-9]")) {
                Ok(finished) => evidence.verdicts.absorb(go_verdicts(&finished.text)),
                Err(Failure::Missing(reason)) => evidence.no_go = Some(reason),
                Err(failure) => return Err(failure),
            }
        }
        report(&evidence).map(|_| ())
    }
}

/// Prints the table.
///
/// # Errors
///
/// When a statement failed or has no test.
pub(crate) fn report(evidence: &Evidence) -> Result<Counts> {
    let aside = set_aside()?;
    let mut counts = Counts::default();
    let mut bad = BTreeSet::new();
    for specification in &SPECIFICATIONS {
        let states = states(specification, evidence, &aside);
        print(specification, &states);
        for (number, state) in &states {
            counts += match state {
                State::Passed => Counts::ONE_PASSED,
                State::Failed | State::Missing => Counts::ONE_FAILED,
                State::SetAside(_) | State::Skipped(_) => Counts::ONE_SKIPPED,
            };
            if matches!(state, State::Failed | State::Missing) {
                bad.insert(format!("{} {number}", specification.name));
            }
        }
    }
    if bad.is_empty() {
        return Ok(counts);
    }
    let list: Vec<String> = bad.into_iter().collect();
    failed(format!("statements that failed or have no test: {}", list.join(", ")))
}

/// Every number of a specification with its state.
fn states(specification: &Specification, evidence: &Evidence, aside: &Aside) -> BTreeMap<u16, State> {
    let mut states = BTreeMap::new();
    for number in 1..=specification.last {
        let rust = format!("{}_{number:03}", specification.name);
        let go =
            format!("Test{}{}{number:03}", specification.name[..1].to_uppercase(), &specification.name[1..]);
        let verdict = evidence
            .verdicts
            .0
            .iter()
            .filter(|(name, _)| holds(name, &rust) || holds(name, &go))
            .map(|(_, verdict)| *verdict)
            .max();
        let reason = aside.get(&(specification.name.to_owned(), number));
        let state = match (verdict, reason) {
            // Set aside or not: a test that fails is a test that fails.
            (Some(Verdict::Failed), _) => State::Failed,
            (_, Some(reason)) => State::SetAside(reason.clone()),
            (Some(Verdict::Passed), None) => State::Passed,
            (Some(Verdict::Skipped), None) => State::Skipped("its test is ignored".to_owned()),
            (None, None) => match &evidence.no_go {
                Some(reason) if ONLY_IN_GO.contains(&number) && specification.name == "boskos" => {
                    State::Skipped(format!("its test is written in Go: {reason}"))
                }
                _ => State::Missing,
            },
        };
        states.insert(number, state);
    }
    states
}

/// Statements about the real Boskos client and programs, which only a Go test can make.
const ONLY_IN_GO: std::ops::RangeInclusive<u16> = 109..=112;

/// Whether the test called `name` is one of those whose names begin with `prefix`, the number being complete.
fn holds(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}

/// Reasons by specification and number.
type Aside = BTreeMap<(String, u16), String>;

fn set_aside_file() -> PathBuf {
    place::root().join("tests/conformance/set-aside.txt")
}

/// Reads the list. No file is an empty list.
fn set_aside() -> Result<Aside> {
    let file = set_aside_file();
    match std::fs::read_to_string(&file) {
        Ok(text) => parse_aside(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Aside::new()),
        Err(error) => failed(format!("cannot read {}: {error}", file.display())),
    }
}

/// Each line is `boskos 12`, a tab, and the reason; `#` begins a comment. A number alone is one of Boskos.
fn parse_aside(text: &str) -> Result<Aside> {
    let mut aside = Aside::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: &str| failed(format!("{}:{}: {what}", set_aside_file().display(), index + 1));
        let Some((key, reason)) = line.split_once('\t') else { return wrong("no tab after the number") };
        let (name, number) = key.trim().rsplit_once([' ', '_']).unwrap_or(("boskos", key.trim()));
        let Ok(number) = number.parse::<u16>() else { return wrong("this is no number") };
        let known = |specification: &Specification| {
            specification.name == name && (1..=specification.last).contains(&number)
        };
        if !SPECIFICATIONS.iter().any(known) {
            return wrong("there is no such statement");
        }
        if reason.trim().is_empty() {
            return wrong("a statement is set aside for a reason");
        }
        aside.insert((name.to_owned(), number), reason.trim().to_owned());
    }
    Ok(aside)
}

fn print(specification: &Specification, states: &BTreeMap<u16, State>) {
    println!();
    println!("{} 1–{}", specification.name, specification.last);
    let listed = |wanted: &State| -> Vec<u16> {
        states.iter().filter(|(_, state)| *state == wanted).map(|(number, _)| *number).collect()
    };
    for (title, wanted) in
        [("passed", State::Passed), ("failed", State::Failed), ("without a test", State::Missing)]
    {
        let numbers = listed(&wanted);
        println!("  {title:<16} {:>4}   {}", numbers.len(), ranges(&numbers));
    }
    for (number, state) in states {
        match state {
            State::SetAside(reason) => println!("  set aside        {number:>4}   {reason}"),
            State::Skipped(reason) => println!("  skipped          {number:>4}   {reason}"),
            State::Passed | State::Failed | State::Missing => {}
        }
    }
}

/// `1–3, 5, 7–9`.
fn ranges(numbers: &[u16]) -> String {
    let mut parts: Vec<(u16, u16)> = Vec::new();
    for &number in numbers {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => parts.push((number, number)),
        }
    }
    let spelled: Vec<String> = parts
        .into_iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}–{last}") })
        .collect();
    spelled.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(verdicts: &[(&str, Verdict)]) -> Evidence {
        let mut evidence = Evidence::default();
        for (name, verdict) in verdicts {
            evidence.verdicts.add(name, *verdict);
        }
        evidence
    }

    #[test]
    fn each_number_finds_its_tests() {
        let evidence = evidence(&[
            ("boskos_001_get_is_405", Verdict::Passed),
            ("boskos_002_first", Verdict::Passed),
            ("boskos_002_second", Verdict::Failed),
            ("boskos_0031_is_no_number", Verdict::Passed),
            ("TestBoskos109_Tries", Verdict::Passed),
            ("boskos_004", Verdict::Skipped),
        ]);
        let aside = parse_aside("# why\nboskos 5\t/ is the dashboard\n").expect("the list is well formed");
        let states = states(&SPECIFICATIONS[0], &evidence, &aside);
        assert_eq!(states[&1], State::Passed);
        assert_eq!(states[&2], State::Failed);
        assert_eq!(states[&3], State::Missing);
        assert_eq!(states[&4], State::Skipped("its test is ignored".to_owned()));
        assert_eq!(states[&5], State::SetAside("/ is the dashboard".to_owned()));
        assert_eq!(states[&109], State::Passed);
        assert_eq!(states[&110], State::Missing);
        assert_eq!(states.len(), 112);
    }

    #[test]
    fn without_go_its_statements_are_skipped_not_missing() {
        let mut evidence = evidence(&[]);
        evidence.no_go = Some("no Go".to_owned());
        let states = states(&SPECIFICATIONS[0], &evidence, &Aside::new());
        assert_eq!(states[&108], State::Missing);
        assert!(matches!(states[&109], State::Skipped(_)));
    }

    #[test]
    fn a_list_with_a_mistake_is_refused() {
        for (line, mistake) in [
            ("boskos 5 no tab", "no tab"),
            ("boskos x\twhy", "no number"),
            ("contest 69\twhy", "no such statement"),
            ("boskos 5\t ", "for a reason"),
        ] {
            let refused = parse_aside(line).expect_err(line).to_string();
            assert!(refused.contains(mistake) && refused.contains(":1: "), "{line}: {refused}");
        }
    }

    #[test]
    fn a_number_alone_is_one_of_boskos() {
        let aside = parse_aside("4\twhy\ncontest_7\tbecause\n").expect("the list is well formed");
        assert_eq!(aside[&("boskos".to_owned(), 4)], "why");
        assert_eq!(aside[&("contest".to_owned(), 7)], "because");
    }

    #[test]
    fn numbers_are_printed_as_ranges() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[1, 2, 3, 5, 7, 8]), "1–3, 5, 7–8");
    }
}
