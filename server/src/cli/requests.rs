//! `lessor requests`: who waits.

use std::collections::BTreeSet;

use serde_json::Value;

use super::client::Client;
use super::failure::Failure;
use super::output::{Kind, Output, cell, cell_time, column, optional};
use super::which::Which;
use super::whoami;

const KIND: Kind = Kind {
    name: "id",
    columns: &[
        column("ID", |request| cell(request, "id")),
        column("OWNER", |request| cell(request, "owner")),
        column("POSITION", |request| cell(request, "position")),
        optional("WAITS FOR", waits_for),
        optional("SINCE", |request| cell_time(request, "since")),
        optional("PRIORITY", |request| cell(request, "priority")),
        optional("PURPOSE", |request| cell(request, "purpose")),
    ],
};

/// What a request waits for, in words: `2 of pool gpu (1 there; held by ann)`.
pub(crate) fn waits_for(request: &Value) -> String {
    let blockers = request["waiting_for"].as_array().into_iter().flatten();
    let words = blockers.map(|blocker| {
        let what = match blocker["target"].as_str() {
            Some(target) => target.to_owned(),
            None => format!("{} of pool {}", cell(blocker, "count"), cell(blocker, "pool")),
        };
        let holders: BTreeSet<&str> = blocker["holders"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|holder| holder["holder"].as_str())
            .collect();
        let mut notes = Vec::new();
        if blocker["pool_missing"] == true {
            notes.push("there is no such pool".to_owned());
        } else if blocker["target"].is_null() {
            notes.push(format!("{} there", cell(blocker, "there")));
        }
        if !holders.is_empty() {
            let shown: Vec<_> = holders.into_iter().take(HOLDERS_SHOWN).collect();
            notes.push(format!("held by {}", shown.join(", ")));
        }
        if notes.is_empty() { what } else { format!("{what} ({})", notes.join("; ")) }
    });
    words.collect::<Vec<_>>().join(" and ")
}

/// Holders named in one line; `requests show` has all that the server gives.
const HOLDERS_SHOWN: usize = 3;

/// Shows who waits, and leaves the line
#[derive(Clone, Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  lessor requests list --pool gpu\n  lessor requests why 5")]
pub(crate) enum Requests {
    /// Lists who waits, first come first
    #[command(
        visible_alias = "ls",
        after_help = "\
Examples:
  lessor requests list --pool gpu
  lessor requests list --owner ci-job-17 -o name
  lessor requests list -f 'pool:gpu -owner:ci-*'"
    )]
    List {
        /// Only for this pool
        #[arg(short, long, value_name = "POOL")]
        pool: Option<String>,
        /// Only of this owner
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        #[command(flatten)]
        which: Which,
    },
    /// Shows one request: its place, what it waits for, what became of it
    #[command(visible_alias = "why", after_help = "Example:\n  lessor requests show 5")]
    Show {
        /// Its ID
        id: u64,
    },
    /// Leaves the line; no error if it is settled already
    #[command(after_help = "\
Examples:
  lessor requests cancel 5
  lessor requests cancel 5 --reason 'the bench is needed for the release'")]
    Cancel {
        /// Its ID
        id: u64,
        /// Why, for whoever waits and the event log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

impl Requests {
    /// Does it.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List { pool, owner, which } => {
                let named = [("pool", pool.as_deref()), ("owner", owner.as_deref())];
                which.show(client, output, (KIND, "requests"), &named).await
            }
            Self::Show { id } => {
                let request = client.get(&["v1", "requests", &id.to_string()])?.send().await?.body;
                output.details(KIND, &request)
            }
            Self::Cancel { id, reason } => {
                let by = client.owner(None, whoami::person);
                let call = client.delete(&["v1", "requests", &id.to_string()])?.query("by", &by);
                call.query_opt("reason", reason.as_deref()).send().await?;
                output.note(&format!("request {id} is out of line"));
                if !output.json() {
                    return Ok(());
                }
                let request = client.get(&["v1", "requests", &id.to_string()])?.send().await?.body;
                output.item(KIND, &request)
            }
        }
    }
}
