//! `lessor pools`.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use lessor_control::limits::POOLS_FILE_BYTES_MAX;
use serde_json::Value;

use super::client::Client;
use super::failure::Failure;
use super::limits::UPLOAD_MAX;
use super::output::{Format, Kind, Output, cell, cell_time, column, optional};
use super::text::{self, clean};
use super::which::Which;

const KIND: Kind = Kind {
    name: "name",
    columns: &[
        column("NAME", |pool| cell(pool, "name")),
        column("FREE", |pool| cell(pool, "free")),
        column("HELD", |pool| cell(pool, "held")),
        column("TOTAL", |pool| cell(pool, "total")),
        column("WAITING", |pool| cell(pool, "waiting")),
        optional("SINCE", |pool| cell_time(pool, "oldest_wait_since")),
        optional("KIND", |pool| cell(pool, "kind")),
        optional("STATES", |pool| cell(pool, "by_state")),
    ],
};

/// Shows pools, or makes them as in a file
#[derive(Clone, Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  lessor pools list\n  lessor pools apply pools.yaml --diff")]
pub(crate) enum Pools {
    /// Lists pools with what is free and who waits
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  lessor pools list\n  lessor pools list -o json\n  lessor pools list -f is:waited-for"
    )]
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Shows one pool with its settings
    #[command(after_help = "Example:\n  lessor pools show gpu")]
    Show {
        /// Its name
        name: String,
    },
    /// Makes pools and their listed resources as in a pools file (YAML)
    #[command(after_help = "\
Examples:
  lessor pools apply pools.yaml --diff          # what would change
  lessor pools apply pools.yaml --diff --yes    # show it and do it
  cat pools.yaml | lessor pools apply -

What is held is changed or deleted once it is given back (\"deferred\"). A server that was started with
a pools file of its own applies that file again when it changes, on SIGHUP and at its next start.")]
    Apply {
        /// The file; `-` for standard input
        file: PathBuf,
        /// Show what would change, and do it only with --yes
        #[arg(long)]
        diff: bool,
        /// Do it even with --diff
        #[arg(short, long)]
        yes: bool,
    },
}

impl Pools {
    /// Does it.
    ///
    /// # Errors
    /// What the server says; [`Failure::Usage`] if the file is too long.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List { which } => which.show(client, output, (KIND, "pools"), &[]).await,
            Self::Show { name } => {
                let pool = client.get(&["v1", "pools", name])?.send().await?.body;
                output.details(KIND, &pool)
            }
            Self::Apply { file, diff, yes } => {
                let file = read(file)?;
                let dry_run = *diff && !yes;
                let call = client
                    .post(&["v1", "pools", "apply"])?
                    .query("dry_run", if dry_run { "true" } else { "false" });
                let report = call.bytes(file, "application/yaml").waiting(UPLOAD_MAX).send().await?.body;
                let differs = show(output, &report, *diff)?;
                if dry_run && differs {
                    output.note("nothing was changed yet: add --yes to do it");
                }
                Ok(())
            }
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let source: Box<dyn std::io::Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let opened = std::fs::File::open(file);
        Box::new(opened.map_err(Failure::io(format!("cannot open {}", file.display())))?)
    };
    let mut text = Vec::new();
    let read = source.take(POOLS_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text);
    read.map_err(Failure::io(format!("cannot read {}", file.display())))?;
    if text.len() > POOLS_FILE_BYTES_MAX {
        return Err(Failure::Usage(format!(
            "{} is longer than {POOLS_FILE_BYTES_MAX} bytes",
            file.display()
        )));
    }
    Ok(text)
}

/// Lists of the report, with the sign and the word before each name.
const LISTS: [(&str, char, &str); 7] = [
    ("pools_created", '+', "pool "),
    ("pools_changed", '~', "pool "),
    ("pools_deleted", '-', "pool "),
    ("created", '+', ""),
    ("changed", '~', ""),
    ("deleted", '-', ""),
    ("deferred", '?', ""),
];

/// What changes, one line each: `+` created, `-` deleted, `~` changed, `?` deferred. `-o name` has the names alone, and
/// JSON is the report as the server gives it. Answers whether anything does.
fn show(output: &Output, report: &Value, every: bool) -> Result<bool, Failure> {
    let names = |key: &str| report[key].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut lines = String::new();
    for (key, sign, what) in LISTS {
        for item in names(key) {
            match output.format() {
                Format::Table if every => writeln!(lines, "{sign} {what}{}", clean(item)),
                Format::Name => writeln!(lines, "{}", text::name(item)),
                Format::Table | Format::Json | Format::Jsonl => continue,
            }
            .expect("a string takes everything");
        }
    }
    match output.format() {
        Format::Json | Format::Jsonl => output.item(KIND, report)?,
        Format::Name | Format::Table => output.raw(&lines)?,
    }
    let totals = LISTS.map(|(key, ..)| (key, names(key).count()));
    let totals: Vec<String> = totals
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(key, count)| format!("{count} {}", key.replace('_', " ")))
        .collect();
    output.note(&if totals.is_empty() { "nothing differs".to_owned() } else { totals.join(", ") });
    if let Some(file) = report["server_file"].as_str() {
        output.warn(&format!(
            "warning: the server has a pools file of its own, {}, and applies that again when it changes, on SIGHUP and at its \
             next start",
            clean(file)
        ));
    }
    Ok(!totals.is_empty())
}
