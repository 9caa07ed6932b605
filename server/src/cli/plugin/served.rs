//! Plugins of a running server: installed, looked at, switched, removed.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::endpoints::Endpoints;
use crate::cli::client::Client;
use crate::cli::failure::Failure;
use crate::cli::limits::{COMPONENT_BYTES_MAX, UPLOAD_MAX};
use crate::cli::output::{Kind, List, Output, cell, column, optional};
use crate::cli::value;

/// How plugins are shown.
const KIND: Kind = Kind {
    name: "name",
    columns: &[
        column("NAME", |plugin| cell(plugin, "name")),
        column("KIND", |plugin| cell(plugin, "kind")),
        column("STATE", |plugin| cell(plugin, "state")),
        column("CALLS", |plugin| cell(plugin, "calls")),
        column("ERRORS", |plugin| cell(plugin, "errors")),
        optional("P95", |plugin| plugin["p95_us"].as_u64().map(|us| format!("{us} µs")).unwrap_or_default()),
        optional("GRANTS", |plugin| cell(plugin, "wanted_grants")),
        optional("DIGEST", |plugin| cell(plugin, "digest").chars().take(12).collect()),
        column("WHY", |plugin| cell(plugin, "reason")),
    ],
};

/// What can be done with plugins of a server.
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Served {
    Install(Box<Install>),
    /// Lists plugins
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  lessor plugin list\n  lessor plugin list --filter '-state:enabled' -o name"
    )]
    List {
        /// Only what this finds, e.g. `state:broken`; the words are those of the dashboard
        #[arg(long, value_name = "FILTER", allow_hyphen_values = true)]
        filter: Option<String>,
    },
    /// Shows one plugin: exports, imports, grants, versions, calls, errors
    #[command(after_help = "Example:\n  lessor plugin show csv -o json")]
    Show {
        /// Its name
        name: String,
    },
    /// Lets a plugin take calls, also one in quarantine
    #[command(after_help = "Example:\n  lessor plugin enable csv")]
    Enable {
        /// Its name
        name: String,
    },
    /// Lets a plugin take no more calls; those in flight finish
    #[command(after_help = "Example:\n  lessor plugin disable csv")]
    Disable {
        /// Its name
        name: String,
    },
    /// Reads a plugin's component (if it is one of the configuration) and secrets again
    #[command(after_help = "Example:\n  lessor plugin reload csv")]
    Reload {
        /// Its name
        name: String,
    },
    /// Goes back to what ran before
    #[command(after_help = "Example:\n  lessor plugin roll-back csv")]
    RollBack {
        /// Its name
        name: String,
    },
    /// Removes plugins; refused (exit code 5) while jobs need them
    #[command(visible_alias = "rm", after_help = "Example:\n  lessor plugin remove csv")]
    Remove {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// Installs a component under a name, or replaces what runs under it
///
/// Calls in flight finish on what was there. A component that does not fit changes nothing; every reason is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor plugin install target-list target_list.wasm --grant locker
  lessor plugin install csv csv_file.wasm --grant locker --files /etc/lessor/hosts --limit cpu_ms=500
  lessor plugin install lab lab.wasm --http rack=https://rack.lab:8443/api --private rack --bearer rack=rack-token
  lessor plugin install csv --digest 6c1f… --grant locker --settings @settings.json")]
pub(crate) struct Install {
    /// How it is to be called; upper and lower case make no difference
    name: String,
    /// The component
    #[arg(required_unless_present = "digest", value_name = "FILE")]
    file: Option<PathBuf>,
    /// SHA-256 of a component that was uploaded before
    #[arg(long, value_name = "HEX", conflicts_with = "file")]
    digest: Option<String>,
    /// What it is for
    #[arg(long, value_name = "KIND", default_value = "target-manager")]
    kind: String,
    /// Its settings, as a JSON object; `@FILE` reads it from a file
    #[arg(long, value_name = "JSON", value_parser = value::json)]
    settings: Option<Value>,
    /// What it may use; may be repeated
    #[arg(long = "grant", value_name = "GRANT", value_delimiter = ',', value_parser = ["locker", "inventory"])]
    grants: Vec<String>,
    /// Folder below which it may read files; may be repeated
    #[arg(long, value_name = "FOLDER")]
    files: Vec<PathBuf>,
    /// Name of a secret that it may read; may be repeated
    #[arg(long = "secret", value_name = "NAME")]
    secrets: Vec<String>,
    #[command(flatten)]
    endpoints: Endpoints,
    /// Name of an endpoint that may be at a private address of the server's network; may be repeated
    #[arg(long, value_name = "NAME")]
    private: Vec<String>,
    /// What one call may take, e.g. `cpu_ms=500`; may be repeated
    #[arg(long = "limit", value_name = "NAME=NUMBER", value_parser = limit)]
    limits: Vec<(String, u64)>,
    /// Use an instance for more than one call
    #[arg(long)]
    warm: bool,
}

fn limit(text: &str) -> Result<(String, u64), String> {
    let (name, number) = value::pair(text)?;
    number.parse().map(|number| (name, number)).map_err(|_| format!("{number:?} is not a whole number"))
}

impl Served {
    /// Does it.
    ///
    /// # Errors
    /// What the server says, or the component cannot be read.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Install(install) => install.run(client, output).await,
            Self::List { filter } => {
                // All of them are in one page.
                let call = client.get(&["v1", "plugins"])?.query_opt("filter", filter.as_deref());
                let mut body = call.send().await?.body;
                let Some(Value::Array(items)) = body.get_mut("items").map(Value::take) else {
                    return Err(client.garbled("a list without items"));
                };
                let mut list = List::new(output, KIND);
                list.page(&items)?;
                list.end(None)
            }
            Self::Show { name } => {
                let plugin = client.get(&["v1", "plugins", name])?.send().await?.body;
                output.details(KIND, &plugin)
            }
            Self::Enable { name } => change(client, output, name, "enable").await,
            Self::Disable { name } => change(client, output, name, "disable").await,
            Self::Reload { name } => change(client, output, name, "reload").await,
            Self::RollBack { name } => change(client, output, name, "roll-back").await,
            Self::Remove { names } => {
                for name in names {
                    client.delete(&["v1", "plugins", name])?.send().await?;
                    output.note(&format!("removed {name}"));
                }
                Ok(())
            }
        }
    }
}

async fn change(client: &Client, output: &Output, name: &str, verb: &str) -> Result<(), Failure> {
    // Preparing a component may take as long as sending one.
    let call = client.post(&["v1", "plugins", name, verb])?.waiting(UPLOAD_MAX);
    output.item(KIND, &call.send().await?.body)
}

impl Install {
    async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let mut body = self.body()?;
        body["digest"] = match (&self.file, &self.digest) {
            (Some(file), _) => upload(client, file).await?,
            (None, Some(digest)) => json!(digest),
            (None, None) => unreachable!("one of them is required"),
        };
        let call = client.put(&["v1", "plugins", &self.name])?.json(&body);
        let plugin = call.waiting(UPLOAD_MAX).send().await?.body;
        output.item(KIND, &plugin)
    }

    /// What the server is asked for, but for the digest.
    fn body(&self) -> Result<Value, Failure> {
        let granted = |grant: &str| self.grants.iter().any(|granted| granted == grant);
        let http = self.endpoints.named(&self.private)?;
        let limits = self.limits.iter().map(|(name, number)| (name.clone(), json!(number)));
        Ok(json!({
            "kind": self.kind,
            "settings": self.settings,
            "grants": {
                "locker": granted("locker"),
                "inventory": granted("inventory"),
                "secrets": self.secrets,
                "files": self.files,
                "http": http,
                "wasi_http": self.endpoints.wasi_http,
            },
            "limits": Value::Object(limits.collect()),
            "warm": self.warm,
        }))
    }
}

/// Sends a component, and gives its digest.
async fn upload(client: &Client, file: &Path) -> Result<Value, Failure> {
    let failed = || Failure::io(format!("cannot read {}", file.display()));
    if std::fs::metadata(file).map_err(failed())?.len() > COMPONENT_BYTES_MAX {
        let most = COMPONENT_BYTES_MAX;
        return Err(Failure::Usage(format!("{} has more than {most} bytes", file.display())));
    }
    let component = std::fs::read(file).map_err(failed())?;
    let call = client.post(&["v1", "components"])?.bytes(component, "application/wasm");
    let kept = call.waiting(UPLOAD_MAX).send().await?.body;
    match kept.get("digest") {
        Some(digest) => Ok(digest.clone()),
        None => Err(client.garbled("a component without digest")),
    }
}
