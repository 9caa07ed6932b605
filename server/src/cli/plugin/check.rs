//! `lessor plugin check`: what a component is, and whether a server takes it.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::component;
use crate::cli::failure::Failure;
use crate::cli::output::{Kind, Output};

/// Tells what a component is and wants, and why a server would refuse it
///
/// Nothing of it is run, and no server is asked. Exit code 1 says that no server of this version takes it, with every
/// reason.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor plugin check bench.wasm
  lessor plugin check bench.wasm -o json | jq -r '.wanted_grants[]'")]
pub(crate) struct Check {
    /// The component
    file: PathBuf,
}

const KIND: Kind = Kind { name: "digest", columns: &[] };

impl Check {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure::Refused`] if no server takes it; others if it cannot be read.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let bytes = component::read(&self.file)?;
        let size = bytes.len();
        let (host, _folder) = component::host()?;
        let name = self.file.display();
        let inspection = match host.inspect(bytes).await {
            Ok(inspection) => inspection,
            Err(misfit) => return Err(Failure::Negative(format!("{name}: {misfit}"))),
        };
        let refusals: Vec<String> = inspection.misfits.iter().map(ToString::to_string).collect();
        let mut body = json!({ "file": self.file, "bytes": size });
        let known = serde_json::to_value(&inspection).expect("an inspection is JSON");
        if let (Value::Object(body), Value::Object(known)) = (&mut body, known) {
            body.extend(known);
            body.insert("refusals".to_owned(), json!(refusals));
        }
        output.details(KIND, &body)?;
        if refusals.is_empty() {
            return Ok(());
        }
        Err(Failure::Refused {
            what: format!("{name}: no server of this version takes it"),
            reasons: refusals,
        })
    }
}
