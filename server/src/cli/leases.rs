//! `lessor renew`, `release` and `leases`.

use std::io::BufRead as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Pages};
use super::context::given;
use super::failure::Failure;
use super::limits::ANSWER_MAX;
use super::output::{Kind, List, Output, cell, cell_millis, cell_time, column, optional};
use super::which::Which;
use super::{value, whoami};

/// How leases are shown.
pub(crate) const KIND: Kind = Kind {
    name: "id",
    columns: &[
        column("ID", |lease| cell(lease, "id")),
        column("OWNER", |lease| cell(lease, "owner")),
        column("TARGETS", |lease| cell(lease, "targets")),
        column("LEFT", |lease| if lease["ended_at"].is_null() { left(lease) } else { cell(lease, "cause") }),
        optional("EXPIRES", |lease| cell_time(lease, "expires_at")),
        optional("GRANTED", |lease| cell_time(lease, "granted_at")),
        optional("PURPOSE", |lease| cell(lease, "purpose")),
    ],
};

fn left(lease: &Value) -> String {
    match cell_millis(lease, "remaining_ms") {
        text if text.is_empty() => "for ever".to_owned(),
        // ConTest locks past their deadline stay listed until somebody else takes the targets.
        _ if lease["live"] == false => "lapsed".to_owned(),
        text => text,
    }
}

/// Moves the end of leases on
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor renew 17
  lessor renew 17 --ttl 1h
  lessor renew 17 --owner ci-job-17      # only if ci-job-17 holds it

Exit code 9 says that the lease is over, 3 that it never was.")]
pub(crate) struct Renew {
    /// IDs of the leases
    #[arg(required = true, value_name = "ID")]
    ids: Vec<u64>,
    /// A new TTL, counted from now; the one that it has if not given
    #[arg(long, value_name = "TIME", value_parser = value::positive_duration)]
    ttl: Option<Duration>,
    /// Must be its owner
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
}

impl Renew {
    /// Renews them in the order given.
    ///
    /// # Errors
    /// The first failure, when all were tried.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        if let [id] = *self.ids {
            let body = renewed(client, id, self.ttl, given(self.owner.as_deref()), ANSWER_MAX).await?;
            return output.item(KIND, &body);
        }
        let mut list = List::new(output, KIND);
        let mut all = All::default();
        for id in &self.ids {
            let renewal = renewed(client, *id, self.ttl, given(self.owner.as_deref()), ANSWER_MAX).await;
            if let Some(body) = all.take(output, *id, renewal) {
                list.page(&[body])?;
            }
        }
        list.end(None)?;
        all.end()
    }
}

/// What failed while the same was done to several leases: one that fails does not keep the others from it.
#[derive(Default)]
struct All(Option<Failure>);

impl All {
    /// What was done to lease `id`. A failure is told at once, unless it is the first, which is told at the end.
    fn take<T>(&mut self, output: &Output, id: u64, done: Result<T, Failure>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(failure) => {
                if self.0.is_some() {
                    output.warn(&format!("lease {id}: {}", failure.with_causes()));
                } else {
                    self.0 = Some(failure);
                }
                None
            }
        }
    }

    fn end(self) -> Result<(), Failure> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Renews one lease and gives it as it is now.
///
/// # Errors
/// What the server says, or that it did not answer within `within`.
pub(crate) async fn renewed(
    client: &Client,
    id: u64,
    ttl: Option<Duration>,
    owner: Option<&str>,
    within: Duration,
) -> Result<Value, Failure> {
    let mut body = json!({});
    if let Some(ttl) = ttl {
        body["ttl"] = json!(value::millis(ttl));
    }
    if let Some(owner) = owner {
        body["owner"] = json!(owner);
    }
    let call = client.post(&["v1", "leases", &id.to_string(), "renew"])?.json(&body);
    Ok(call.within(within).send().await?.body)
}

/// Gives leases back
///
/// Releasing a lease that is already over is no error, so a cleanup may always call it. Of several leases all are
/// tried; the exit code is that of the first failure.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor release 17
  lessor release 17 --target gpu-2 --to-state dirty    # keep the rest
  lessor release --mine
  lessor leases list -o name | lessor release -")]
pub(crate) struct Release {
    /// IDs of the leases; `-` reads them from standard input
    #[arg(required_unless_present = "mine", value_name = "ID")]
    ids: Vec<String>,
    /// All leases of the owner (--owner, or the context's, or user@host)
    #[arg(long, conflicts_with = "ids")]
    mine: bool,
    /// Only this target of it; may be repeated
    #[arg(short = 't', long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// State that the resources get
    #[arg(long, value_name = "STATE")]
    to_state: Option<String>,
    /// Must be its owner
    #[arg(long, env = "LESSOR_OWNER", value_name = "NAME")]
    owner: Option<String>,
}

impl Release {
    /// Releases them in the order given.
    ///
    /// # Errors
    /// The first failure, when all were tried.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let ids = self.which(client).await?;
        let mut list = List::new(output, KIND);
        let mut all = All::default();
        for &id in &ids {
            let released = self.release(client, output, id).await;
            let Some(lease) = all.take(output, id, released) else { continue };
            output.note(&format!("released {id}"));
            match lease {
                Some(lease) if ids.len() == 1 && !self.mine => output.item(KIND, &lease)?,
                Some(lease) => list.page(&[lease])?,
                None => {}
            }
        }
        if output.json() && (ids.len() != 1 || self.mine) {
            list.end(None)?;
        }
        all.end()
    }

    async fn which(&self, client: &Client) -> Result<Vec<u64>, Failure> {
        if self.mine {
            let owner = client.owner(self.owner.as_deref(), whoami::person);
            let mut ids = Vec::new();
            let query = [("owner", owner)];
            client
                .pages(&["v1", "leases"], Pages { query: &query, ..Pages::default() }, |page| {
                    ids.extend(page.iter().filter_map(|lease| lease["id"].as_u64()));
                    Ok(())
                })
                .await?;
            return Ok(ids);
        }
        let mut ids = Vec::new();
        for id in &self.ids {
            if id == "-" {
                for line in std::io::stdin().lock().lines() {
                    let line = line.map_err(Failure::io("cannot read standard input"))?;
                    ids.extend(line.split_whitespace().map(str::to_owned));
                }
            } else {
                ids.push(id.clone());
            }
        }
        ids.iter()
            .map(|id| id.parse().map_err(|_| Failure::Usage(format!("{id:?} is not a lease ID"))))
            .collect()
    }

    /// Releases one. Gives what became of the lease to whoever reads JSON; nobody else is shown more than the note.
    async fn release(&self, client: &Client, output: &Output, id: u64) -> Result<Option<Value>, Failure> {
        let id = id.to_string();
        if self.targets.is_empty() {
            let call = client.delete(&["v1", "leases", &id])?;
            let call = call.query_opt("owner", given(self.owner.as_deref()));
            call.query_opt("to_state", self.to_state.as_deref()).send().await?;
            if !output.json() {
                return Ok(None);
            }
            return Ok(Some(client.get(&["v1", "leases", &id])?.send().await?.body));
        }
        let mut body = json!({ "targets": self.targets });
        if let Some(owner) = given(self.owner.as_deref()) {
            body["owner"] = json!(owner);
        }
        if let Some(state) = &self.to_state {
            body["to_state"] = json!(state);
        }
        let left = client.post(&["v1", "leases", &id, "release"])?.json(&body).send().await?.body;
        Ok(output.json().then_some(left))
    }
}

/// Shows leases, or ends one in its owner's place
#[derive(Clone, Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  lessor leases list --pool gpu\n  lessor leases show 17")]
pub(crate) enum Leases {
    /// Lists leases
    #[command(
        visible_alias = "ls",
        after_help = "\
Examples:
  lessor leases list
  lessor leases list --owner ci-job-17 -o name
  lessor leases list --pool gpu -o jsonl
  lessor leases list -f 'owner:ci-* -pool:gpu nightly'
  lessor leases list -f is:ended"
    )]
    List {
        /// Only of this owner
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        /// Only with resources of this pool
        #[arg(short, long, value_name = "POOL")]
        pool: Option<String>,
        /// Only with this target
        #[arg(short, long, value_name = "NAME")]
        target: Option<String>,
        #[command(flatten)]
        which: Which,
    },
    /// Shows one lease, also when it is over
    #[command(after_help = "Example:\n  lessor leases show 17 -o json")]
    Show {
        /// Its ID
        id: u64,
    },
    /// Ends a lease in its owner's place
    #[command(
        visible_alias = "steal",
        after_help = "\
Examples:
  lessor leases force-release 17 --reason 'host is on fire'
  lessor leases force-release 17 --from ann --reason 'agreed with Ann' --to-state dirty

With --from it is refused (exit code 5) if somebody else holds it by now."
    )]
    ForceRelease {
        /// Its ID
        id: u64,
        /// Why, for its owner and the event log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Must be its owner
        #[arg(long, value_name = "NAME")]
        from: Option<String>,
        /// State that the resources get
        #[arg(long, value_name = "STATE")]
        to_state: Option<String>,
    },
}

impl Leases {
    /// Does it.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List { owner, pool, target, which } => {
                let which = pool.as_ref().map_or(which.clone(), |pool| which.with("pool", pool));
                let named = [("owner", owner.as_deref()), ("target", target.as_deref())];
                which.show(client, output, (KIND, "leases"), &named).await
            }
            Self::Show { id } => {
                let lease = client.get(&["v1", "leases", &id.to_string()])?.send().await?.body;
                output.details(KIND, &lease)
            }
            Self::ForceRelease { id, reason, from, to_state } => {
                let mut body = json!({ "reason": reason, "by": client.owner(None, whoami::person) });
                if let Some(from) = from {
                    body["expected_owner"] = json!(from);
                }
                if let Some(state) = to_state {
                    body["to_state"] = json!(state);
                }
                let call = client.post(&["v1", "leases", &id.to_string(), "force-release"])?.json(&body);
                output.details(KIND, &call.send().await?.body)
            }
        }
    }
}
