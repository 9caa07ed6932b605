//! `lessor resources`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::Client;
use super::failure::Failure;
use super::output::{Kind, Output, cell, cell_time, column, optional};
use super::value;
use super::which::Which;

const KIND: Kind = Kind {
    name: "name",
    columns: &[
        column("NAME", |resource| cell(resource, "name")),
        column("POOL", |resource| cell(resource, "pool")),
        column("STATE", |resource| cell(resource, "state")),
        column("OWNER", |resource| cell(resource, "owner")),
        optional("LEASE", |resource| cell(resource, "lease")),
        optional("UPDATED", |resource| cell_time(resource, "updated_at")),
        optional("LABELS", |resource| cell(resource, "labels")),
        optional("CORDON", |resource| {
            resource.get("cordon").filter(|cordon| !cordon.is_null()).map(cordoned).unwrap_or_default()
        }),
    ],
};

fn cordoned(cordon: &Value) -> String {
    let message = Some(cell(cordon, "message")).filter(|message| !message.is_empty());
    let message = message.unwrap_or_else(|| "yes".to_owned());
    match cordon["until"].as_str() {
        Some(_) => format!("{message} (until {})", cell_time(cordon, "until")),
        None => message,
    }
}

/// Shows, makes, changes and deletes resources
#[derive(Clone, Debug, clap::Subcommand)]
#[command(
    after_help = "Examples:\n  lessor resources list --state free\n  lessor resources cordon gpu-9 --message 'fan broken'"
)]
pub(crate) enum Resources {
    /// Lists resources
    #[command(
        visible_alias = "ls",
        after_help = "\
Examples:
  lessor resources list --pool gpu --state free
  lessor resources list -o name"
    )]
    List {
        /// Only of this pool
        #[arg(short, long, value_name = "POOL")]
        pool: Option<String>,
        /// Only in this state
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Only held by this owner
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        #[command(flatten)]
        which: Which,
    },
    /// Shows one resource
    #[command(after_help = "Example:\n  lessor resources show gpu-1")]
    Show {
        /// Its name
        name: String,
    },
    /// Creates a resource, or replaces all of its settings
    #[command(after_help = "\
Examples:
  lessor resources put gpu-9 --pool gpu -l site=ber --fqdn gpu-9.lab
  lessor resources put gpu-9 --pool gpu --new        # refused if it exists")]
    Put {
        /// Its name
        name: String,
        #[command(flatten)]
        edit: Edit,
        /// Refuse if it exists
        #[arg(long, conflicts_with = "if_match")]
        new: bool,
        /// Refuse unless it has this `ETag`
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
    /// Changes some settings and keeps the rest
    #[command(after_help = "Example:\n  lessor resources patch gpu-9 --state dirty --user-data serial=42")]
    Patch {
        /// Its name
        name: String,
        #[command(flatten)]
        edit: Edit,
        /// Refuse unless it has this `ETag`
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
    /// Sets labels, and removes those written as `KEY-`
    #[command(after_help = "Example:\n  lessor resources label gpu-9 site=ber old-")]
    Label {
        /// Its name
        name: String,
        /// KEY=VALUE sets, KEY- removes
        #[arg(required = true, value_name = "LABEL")]
        labels: Vec<String>,
    },
    /// Lets no new lease take it; whoever holds it keeps it
    #[command(
        visible_alias = "drain",
        after_help = "\
Examples:
  lessor resources cordon gpu-9 --message 'fan broken, Ann is on it'
  lessor resources cordon gpu-9 --message 'new firmware' --for 2h
  lessor resources cordon gpu-9 --until 2026-05-04T18:00:00+02:00"
    )]
    Cordon {
        /// Its name
        name: String,
        /// Why, for whoever wonders
        #[arg(short, long, value_name = "TEXT", default_value = "")]
        message: String,
        /// Lets new leases take it again by itself after this long
        #[arg(long = "for", value_name = "DURATION", value_parser = value::positive_duration, conflicts_with = "until")]
        length: Option<Duration>,
        /// Lets new leases take it again by itself at this time (RFC 3339)
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
    },
    /// Lets new leases take it again
    #[command(visible_alias = "undrain", after_help = "Example:\n  lessor resources uncordon gpu-9")]
    Uncordon {
        /// Its name
        name: String,
    },
    /// Deletes a resource that nobody holds
    #[command(visible_alias = "rm", after_help = "Example:\n  lessor resources delete gpu-9")]
    Delete {
        /// Its name
        name: String,
        /// Refuse unless it has this `ETag`
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
}

/// Settings of a resource.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Edit {
    /// Pool that it belongs to
    #[arg(short, long, value_name = "POOL")]
    pool: Option<String>,
    /// Its state
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// A label; may be repeated
    #[arg(short = 'l', long = "label", value_name = "KEY=VALUE", value_parser = value::pair)]
    labels: Vec<(String, String)>,
    /// An item of user data; may be repeated
    #[arg(short = 'u', long = "user-data", value_name = "KEY=VALUE", value_parser = value::pair)]
    user_data: Vec<(String, String)>,
    /// Its fully qualified domain name
    #[arg(long, value_name = "NAME")]
    fqdn: Option<String>,
    /// Its IPv4 address
    #[arg(long, value_name = "ADDRESS")]
    ipv4: Option<std::net::Ipv4Addr>,
    /// Its IPv6 address
    #[arg(long, value_name = "ADDRESS")]
    ipv6: Option<std::net::Ipv6Addr>,
}

impl Edit {
    fn body(&self) -> Value {
        let mut body = json!({});
        if let Some(pool) = &self.pool {
            body["pool"] = json!(pool);
        }
        if let Some(state) = &self.state {
            body["state"] = json!(state);
        }
        if !self.labels.is_empty() {
            body["labels"] = value::object(&self.labels);
        }
        if !self.user_data.is_empty() {
            body["user_data"] = value::object(&self.user_data);
        }
        let mut addresses = json!({});
        if let Some(fqdn) = &self.fqdn {
            addresses["fqdn"] = json!(fqdn);
        }
        if let Some(ipv4) = &self.ipv4 {
            addresses["ipv4"] = json!(ipv4);
        }
        if let Some(ipv6) = &self.ipv6 {
            addresses["ipv6"] = json!(ipv6);
        }
        if addresses != json!({}) {
            body["addresses"] = addresses;
        }
        body
    }
}

impl Resources {
    /// Does it.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List { pool, state, owner, which } => {
                let named =
                    [("pool", pool.as_deref()), ("state", state.as_deref()), ("owner", owner.as_deref())];
                which.show(client, output, (KIND, "resources"), &named).await
            }
            Self::Show { name } => {
                let resource = client.get(&["v1", "resources", name])?.send().await?.body;
                output.details(KIND, &resource)
            }
            Self::Put { name, edit, new, if_match } => {
                let mut call = client.put(&["v1", "resources", name])?.json(&edit.body());
                if *new {
                    call = call.header("if-none-match", "*");
                }
                if let Some(etag) = if_match {
                    call = call.header("if-match", etag);
                }
                output.item(KIND, &call.send().await?.body)
            }
            Self::Patch { name, edit, if_match } => {
                patch(client, output, name, &edit.body(), if_match.as_deref()).await
            }
            Self::Label { name, labels } => label(client, output, name, labels).await,
            Self::Cordon { name, message, length, until } => {
                let end = length.map(value::query).or_else(|| until.map(|until| until.to_string()));
                let cordon = json!({ "message": message, "until": end });
                patch(client, output, name, &json!({ "cordon": cordon }), None).await
            }
            Self::Uncordon { name } => patch(client, output, name, &json!({ "cordon": null }), None).await,
            Self::Delete { name, if_match } => {
                let mut call = client.delete(&["v1", "resources", name])?;
                if let Some(etag) = if_match {
                    call = call.header("if-match", etag);
                }
                call.send().await?;
                output.note(&format!("deleted {name}"));
                if output.json() {
                    output.item(KIND, &json!({ "name": name, "deleted": true }))
                } else {
                    Ok(())
                }
            }
        }
    }
}

async fn patch(
    client: &Client,
    output: &Output,
    name: &str,
    body: &Value,
    etag: Option<&str>,
) -> Result<(), Failure> {
    let mut call = client.patch(&["v1", "resources", name])?.json(body);
    if let Some(etag) = etag {
        call = call.header("if-match", etag);
    }
    output.item(KIND, &call.send().await?.body)
}

/// Reads the labels, changes some, and writes them back unless somebody else did so in between.
async fn label(client: &Client, output: &Output, name: &str, edits: &[String]) -> Result<(), Failure> {
    let answer = client.get(&["v1", "resources", name])?.send().await?;
    let mut labels = answer.body["labels"].as_object().cloned().unwrap_or_default();
    for edit in edits {
        match (edit.split_once('='), edit.strip_suffix('-')) {
            (Some((key, value)), _) if !key.is_empty() => {
                labels.insert(key.to_owned(), json!(value));
            }
            (None, Some(key)) if !key.is_empty() => {
                labels.remove(key);
            }
            _ => return Err(Failure::Usage(format!("{edit:?} is neither KEY=VALUE nor KEY-"))),
        }
    }
    patch(client, output, name, &json!({ "labels": labels }), answer.etag.as_deref()).await
}
