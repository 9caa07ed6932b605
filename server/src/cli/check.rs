//! `lessor check`: whether a store is sound.

use std::path::PathBuf;

use lessor_store::Report;
use serde_json::{Value, json};

use super::failure::Failure;
use super::output::{Format, Kind, Output};

/// Verifies a store that no server uses
///
/// Reads everything: pages, tables, the journal, and a ledger rebuilt from them. Changes nothing. Exit code 1 says that
/// something is wrong with it, or that it cannot be read.
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
        let body = body(&report);
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

fn body(report: &Report) -> Value {
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
        "ended": report.ended,
        "problems_total": report.problems_total,
        "problems": report.problems,
    })
}
