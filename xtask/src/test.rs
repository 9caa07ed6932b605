//! `cargo xtask test`: every test, and an honest sum.

use std::time::Duration;

use clap::Args;

use crate::conformance::Evidence;
use crate::counts::Counts;
use crate::place::{now, spell};
use crate::process::interrupted;
use crate::steps::{Outcome, Step, compilers};
use crate::{Failure, Result, failed, say};

/// Set up and run every test, and sum up what passed, failed and was skipped.
///
/// What a step needs is fetched when the step needs it. A step whose tool cannot be had is skipped by name, never
/// counted as passed. The last line is the sum: of tests where a step runs tests, else of the step as one check.
#[derive(Args)]
pub(crate) struct Test {
    /// Run only this step; may be given several times.
    #[arg(long, value_name = "STEP", value_enum)]
    only: Vec<Step>,
}

/// A step with how it went and how long it took.
struct Line {
    step: Step,
    outcome: Outcome,
    took: Duration,
}

impl Test {
    pub(crate) fn run(&self) -> Result<()> {
        compilers()?;
        let mut evidence = Evidence::default();
        let mut lines = Vec::new();
        for step in self.steps() {
            println!();
            say::step(&format!("{}: {}", step.name(), step.what()));
            let started = now();
            let outcome = if interrupted() {
                Outcome::skipped("interrupted".to_owned())
            } else {
                step.run(&mut evidence)
            };
            if let Err(failure) = &outcome.verdict {
                say::note(&format!("{}: {failure}", step.name()));
            }
            lines.push(Line { step, outcome, took: started.elapsed() });
        }
        sum_up(&lines)
    }

    /// What to run. The conformance table is made of what two other steps find out, so asking for it asks for them.
    fn steps(&self) -> Vec<Step> {
        use clap::ValueEnum;
        let asked = |step: &Step| {
            self.only.is_empty()
                || self.only.contains(step)
                || (self.only.contains(&Step::Conformance) && matches!(step, Step::Rust | Step::Boskos))
        };
        Step::value_variants().iter().copied().filter(asked).collect()
    }
}

/// Prints the table and the closing line.
fn sum_up(lines: &[Line]) -> Result<()> {
    println!();
    println!(
        "{:<12} {:<8} {:>7} {:>7} {:>8}   {:<12} why",
        "step", "result", "passed", "failed", "skipped", "took"
    );
    let mut all = Counts::default();
    let mut bad = Vec::new();
    for Line { step, outcome: Outcome { counts, verdict }, took } in lines {
        let (result, why) = match verdict {
            Ok(()) => ("passed", String::new()),
            Err(Failure::Failed(why)) => ("FAILED", first_line(why)),
            Err(Failure::Missing(why)) => ("skipped", first_line(why)),
        };
        if matches!(verdict, Err(Failure::Failed(_))) {
            bad.push(step.name());
        }
        let (name, took) = (step.name(), spell(*took));
        let Counts { passed, failed, skipped } = counts;
        println!("{name:<12} {result:<8} {passed:>7} {failed:>7} {skipped:>8}   {took:<12} {why}");
        all += *counts;
    }
    println!();
    // Alone on its line and in this form, because programs read it too.
    println!("{} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped);
    if bad.is_empty() { Ok(()) } else { failed(format!("these steps failed: {}", bad.join(", "))) }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
