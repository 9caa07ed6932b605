//! `lessor events`: what happened, and what happens.

use futures_util::StreamExt as _;
use serde_json::Value;

use super::client::{Backoff, Client, Pages};
use super::clock::Moment;
use super::failure::Failure;
use super::limits::{EVENTS_MAX, EVENTS_SHOWN, PAGE, RETRY_MAX, STREAM_SILENCE_MAX};
use super::output::{Format, Kind, List, Output, cell, cell_time, column, optional};
use super::sse::Parser;

const KIND: Kind = Kind {
    name: "id",
    columns: &[
        column("ID", |event| cell(event, "id")),
        column("TIME", |event| cell_time(event, "at")),
        column("KIND", |event| cell(event, "kind")),
        column("TARGET", |event| cell(event, "target")),
        column("OWNER", |event| cell(event, "owner")),
        optional("PLUGIN", |event| cell(event, "plugin")),
        optional("LEASE", |event| cell(event, "lease")),
        optional("WHY", |event| cell(event, "cause")),
        optional("NOTE", |event| cell(event, "note")),
    ],
};

/// Shows what happened, and with -f what happens
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor events --target gpu-1
  lessor events -f                       # from now on, until Ctrl-C
  lessor events -f --after 1000 -o jsonl # everything after event 1000; resumes by itself when the connection breaks
  lessor events --lease 17 --kind lease-ended
  lessor events --filter 'pool:gpu kind:lease-ended since:2h'")]
pub(crate) struct Events {
    /// Go on with what happens from now on
    #[arg(short, long)]
    follow: bool,
    /// Only after this event
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
    /// Only about this target
    #[arg(short, long, value_name = "NAME")]
    target: Option<String>,
    /// Only about this lease
    #[arg(long, value_name = "ID")]
    lease: Option<u64>,
    /// Only of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only what this filter finds, as on the dashboard: words like `pool:gpu`, `owner:ci-*`, `since:2h`, or any text
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    filter: Option<String>,
    /// At most so many: the newest 100, or everything after --after, if not given
    #[arg(long, value_name = "N", conflicts_with = "follow", value_parser = clap::value_parser!(u64).range(1..=EVENTS_MAX))]
    limit: Option<u64>,
}

impl Events {
    /// Does it. With `--follow` it ends only by a failure or a signal.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        if self.follow {
            return self.follow(client, output).await;
        }
        let mut list = List::new(output, KIND);
        let next = if let Some(after) = self.after {
            let pages = Pages { query: &self.filters(), most: self.limit, after: Some(after.to_string()) };
            client.pages(&["v1", "events"], pages, |page| list.page(&page)).await?
        } else {
            list.page(&self.newest(client).await?)?;
            None
        };
        list.end(next.as_deref())
    }

    /// The newest events that match, oldest first, as a log is read.
    async fn newest(&self, client: &Client) -> Result<Vec<Value>, Failure> {
        let most = self.limit.unwrap_or(EVENTS_SHOWN);
        let mut newest: Vec<Value> = Vec::new();
        let mut before: Option<String> = None;
        while (newest.len() as u64) < most {
            let left = most - newest.len() as u64;
            let mut call = client
                .get(&["v1", "events"])?
                .query("order", "desc")
                .query("limit", &left.min(PAGE).to_string());
            for (key, value) in self.filters() {
                call = call.query(key, &value);
            }
            if let Some(before) = &before {
                call = call.query("before", before);
            }
            let mut body = call.send().await?.body;
            let Some(Value::Array(items)) = body.get_mut("items").map(Value::take) else {
                return Err(client.garbled("a list without items"));
            };
            newest.extend(items);
            before = body["next"].as_str().map(str::to_owned);
            if before.is_none() {
                break;
            }
        }
        newest.reverse();
        Ok(newest)
    }

    fn filters(&self) -> Vec<(&'static str, String)> {
        let lease = self.lease.map(|lease| lease.to_string());
        let named =
            [("target", &self.target), ("lease", &lease), ("kind", &self.kind), ("filter", &self.filter)];
        named.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }

    async fn follow(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        let mut parser = Parser::with_last_id(self.after.map(|after| after.to_string()));
        let mut backoff = Backoff::new();
        let mut first = true;
        loop {
            match self.listen(client, output, &mut parser, &mut first).await {
                // The server was stopped, or we were too slow for it: go on where we were.
                Ok(()) => output.note("the stream ended, connecting again"),
                Err(failure) if failure.is_transient() && !first => {
                    output.note(&format!("{}, connecting again", failure.with_causes()));
                }
                Err(failure) => return Err(failure),
            }
            parser.reconnect();
            backoff.pause(Moment::now().plus(RETRY_MAX * 2)).await;
        }
    }

    async fn listen(
        &self,
        client: &Client,
        output: &Output,
        parser: &mut Parser,
        first: &mut bool,
    ) -> Result<(), Failure> {
        let mut call = client.get(&["v1", "events", "stream"])?.header("accept", "text/event-stream");
        for (key, value) in self.filters() {
            call = call.query(key, &value);
        }
        if let Some(id) = parser.last_id() {
            call = call.header("last-event-id", id);
        }
        let mut chunks = call.stream().await?.bytes_stream();
        *first = false;
        loop {
            let chunk = tokio::time::timeout(STREAM_SILENCE_MAX, chunks.next()).await;
            let chunk = chunk.map_err(|_| client.unreachable("the stream fell silent"))?;
            let Some(chunk) = chunk else { return Ok(()) };
            let chunk = chunk.map_err(|cause| client.unreachable(cause.without_url()))?;
            let messages = parser.push(&chunk).map_err(|cause| client.garbled(cause.to_string()))?;
            for message in messages {
                if message.event == "reset" {
                    output.warn("warning: events were missed here, this client was too slow");
                    continue;
                }
                let event: Value =
                    serde_json::from_str(&message.data).map_err(|cause| client.garbled(cause.to_string()))?;
                show(output, &event)?;
            }
        }
    }
}

/// One event on one line, whatever comes next: columns cannot be aligned with lines not yet seen.
fn show(output: &Output, event: &Value) -> Result<(), Failure> {
    if output.format() != Format::Table {
        return output.raw(&match output.format() {
            Format::Name => format!("{}\n", super::text::clean(&cell(event, "id"))),
            Format::Json | Format::Jsonl | Format::Table => format!("{}\n", super::text::json(event, false)),
        });
    }
    let mut line = vec![cell_time(event, "at"), cell(event, "kind")];
    line.extend(
        ["target", "pool", "owner", "plugin", "lease", "request", "from", "to", "cause", "note"]
            .into_iter()
            .map(|key| (key, cell(event, key)))
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key}={value}")),
    );
    output.raw(&format!("{}\n", super::text::clean(&line.join("  "))))
}
