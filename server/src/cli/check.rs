//! `lessor check`: whether a store is sound.

use std::path::{Path, PathBuf};

use lessor_store::Report;
use serde_json::{Value, json};

use super::failure::Failure;
use super::output::{Format, Kind, Output};
use crate::serve::COMPONENTS;

/// Verifies a store that no server uses
///
/// Reads everything: pages, tables, the journal, and a ledger rebuilt from them. Changes nothing. Exit code 1 says that
/// something is wrong with it, or that it cannot be read. The components of plugins are not in a store: those that are
/// not in `plugins` beside it are named.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor check ./lessor-data
  lessor check /backups/lessor-2030-01-01.redb -o json")]
pub(crate) struct Check {
    /// Data folder, or a backup
    path: PathBuf,
}

const KIND: Kind = Kind { name: "sound", columns: &[] };

impl Check {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure::Store`] if there is no store that can be read, or a server uses it; [`Failure::Negative`] if it is
    /// not sound.
    pub(crate) fn run(&self, output: &Output) -> Result<(), Failure> {
        let report =
            lessor_store::check(&self.path).map_err(|cause| Failure::Store { cause: Box::new(cause) })?;
        let missing = self.missing(&report);
        if !missing.is_empty() {
            output.note(&format!(
                "{} component(s) of plugins are not in {}: copy them there from the server's folder, or install the \
                 plugins again",
                missing.len(),
                self.components().display()
            ));
        }
        let body = body(&report, &missing);
        if output.format() == Format::Table {
            for problem in &report.problems {
                output.raw(&format!("{}\n", super::text::clean(problem)))?;
            }
        }
        output.details(KIND, &body)?;
        if report.is_sound() {
            return Ok(());
        }
        Err(Failure::Negative(format!("{}: {} things are wrong", self.path.display(), report.problems_total)))
    }
}

impl Check {
    /// Where a server that runs on this store looks for components.
    fn components(&self) -> PathBuf {
        let folder = if self.path.is_dir() { Some(&*self.path) } else { self.path.parent() };
        folder.unwrap_or(Path::new("")).join(COMPONENTS)
    }

    /// The components that plugins need and that are not there.
    fn missing<'a>(&self, report: &'a Report) -> Vec<&'a String> {
        let folder = self.components();
        let there = |digest: &String| folder.join(format!("{digest}.wasm")).is_file();
        report.components.iter().filter(|digest| !there(digest)).collect()
    }
}

fn body(report: &Report, missing: &[&String]) -> Value {
    json!({
        "sound": report.is_sound(),
        "schema": report.schema,
        "unclean": report.unclean,
        "last_batch": report.last_batch,
        "checkpoint": report.checkpoint,
        "journal_parts": report.journal_parts,
        "events": report.events,
        "pools": report.pools,
        "resources": report.resources,
        "locks": report.locks,
        "leases": report.leases,
        "requests": report.requests,
        "keys": report.keys,
        "jobs": report.jobs,
        "plugins": report.plugins,
        "components_missing": missing,
        "ended": report.ended,
        "problems_total": report.problems_total,
        "problems": report.problems,
    })
}
