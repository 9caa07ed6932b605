//! The six endpoints: check, submit, render.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request as Call, State as Extract};
use axum::http::Method;
use axum::response::Response;
use futures_util::StreamExt as _;
use lessor_control::go_duration;
use lessor_ledger::{
    BoskosAcquire, BoskosUpdate, Command, Owner, Reply, Resource, State, Target, Text, Time,
};

use super::answer::{self, Failure};
use super::json;
use super::limits::REQUEST_ID_BYTES_MAX;
use super::patch;
use super::query::{Error, Param, Query};
use crate::app::App;
use crate::extract::is_announced_too_long;
use crate::limits::{BODY_BYTES_MAX, BODY_READ_MAX};

/// Enough for a resource without user data whose five names are of the usual length.
const RESOURCE_BYTES: usize = 256;

type Outcome = Result<Response, Failure>;

/// `POST /acquire?type=&state=&dest=&owner=[&request_id=]`: takes the resource that the caller's rank in line
/// entitles it to, or answers 404 at once.
pub(super) async fn acquire(Extract(app): Extract<App>, call: Call) -> Outcome {
    let command = read(call, "acquire", parse_acquire)?;
    let start = Start::note(&app, &command);
    let reply = app.keeper.submit(Command::BoskosAcquire(command.clone())).await;
    match reply.map_err(|error| Failure::operation(format_args!("Acquire failed"), &error))? {
        Reply::Held(resources, owner) if resources.len() == 1 => {
            start.observe(&app, &command, &resources[0]);
            let mut body = Vec::with_capacity(RESOURCE_BYTES);
            json::resource(&mut body, &resources[0], owner.as_str());
            Ok(answer::plain(body))
        }
        _ => Err(Failure::foreign_reply()),
    }
}

/// `POST /acquirebystate?state=&dest=&owner=&names=`: takes all of the named resources, or none.
pub(super) async fn acquire_by_state(Extract(app): Extract<App>, call: Call) -> Outcome {
    // Upstream names the wrong endpoint here too.
    let command = read(call, "acquire", parse_acquire_by_state)?;
    let reply = app.keeper.submit(command).await;
    match reply.map_err(|error| Failure::operation(format_args!("AcquireByState"), &error))? {
        Reply::Held(resources, owner) => {
            let mut body = Vec::with_capacity(RESOURCE_BYTES * resources.len());
            json::resources(&mut body, resources.iter().map(AsRef::as_ref), owner.as_str());
            Ok(answer::plain(body))
        }
        _ => Err(Failure::foreign_reply()),
    }
}

/// `POST /release?name=&dest=&owner=`: gives a resource back.
pub(super) async fn release(Extract(app): Extract<App>, call: Call) -> Outcome {
    let (name, dest, owner) = read(call, "release", parse_release)?;
    let command = Command::BoskosRelease { name: name.clone(), dest: dest.clone(), owner: owner.clone() };
    match app.keeper.submit(command).await {
        Ok(_) => Ok(answer::empty()),
        Err(error) => {
            Err(Failure::operation(format_args!("Done failed: {name} - {dest} (from {owner})"), &error))
        }
    }
}

/// `POST /reset?type=&state=&expire=&dest=`: takes back what was not written for a while.
pub(super) async fn reset(Extract(app): Extract<App>, call: Call) -> Outcome {
    let command = read(call, "reset", parse_reset)?;
    let reply = app.keeper.submit(command).await;
    match reply.map_err(|error| Failure::operation(format_args!("could not reset states"), &error))? {
        Reply::Reset(taken) => {
            let mut body = Vec::new();
            json::taken(&mut body, &taken);
            Ok(answer::plain(body))
        }
        _ => Err(Failure::foreign_reply()),
    }
}

/// `POST /update?name=&owner=&state=` with a patch of the user data, or without: a sign of life.
pub(super) async fn update(Extract(app): Extract<App>, mut call: Call) -> Outcome {
    let body = std::mem::take(call.body_mut());
    let mut update = read(call, "update", parse_update)?;
    if !body.is_end_stream() {
        update.patch = patch::read(&whole(body).await?).map_err(Failure::bad)?;
    }
    let (name, state, owner) = (update.name.clone(), update.state.clone(), update.owner.clone());
    match app.keeper.submit(Command::BoskosUpdate(update)).await {
        Ok(_) => Ok(answer::empty()),
        Err(error) => {
            Err(Failure::operation(format_args!("Update failed: {name} - {state} ({owner})"), &error))
        }
    }
}

/// `GET /metric?type=`: how many are in which state, and whose.
pub(super) async fn metric(Extract(app): Extract<App>, call: Call) -> Outcome {
    if call.method() != Method::GET {
        return Err(Failure::method("/metric only accepts GET".to_owned()));
    }
    let query = Query::parse(call.uri().query().unwrap_or_default());
    if query.lacks(&[Param::Type]) {
        return Err(Failure::bad("Type must be set in the request."));
    }
    let pool = query.pool(Param::Type).map_err(Failure::bad)?;
    let usage = app.keeper.snapshot().usage(&pool);
    if usage.total == 0 {
        return Err(Failure::none_of(pool.as_str()));
    }
    let mut body = Vec::with_capacity(RESOURCE_BYTES);
    json::metric(&mut body, pool.as_str(), &usage.by_state, &usage.by_owner, usage.total - usage.held);
    Ok(answer::json(body))
}

/// Reads what is asked for, and lets go of the request, whose parts lie in the buffer of its connection: who held it while the
/// command waits for the disk would keep the buffer from being used again, which cost 3 % of the server's processor time.
#[expect(clippy::needless_pass_by_value, reason = "the request ends here, before anything is waited for")]
fn read<T>(
    call: Call,
    endpoint: &str,
    parse: impl FnOnce(&Query<'_>) -> Result<T, Bad>,
) -> Result<T, Failure> {
    only(&Method::POST, &call, endpoint)?;
    parse(&Query::parse(call.uri().query().unwrap_or_default())).map_err(Failure::bad)
}

fn only(method: &Method, call: &Call, endpoint: &str) -> Result<(), Failure> {
    if call.method() == method {
        return Ok(());
    }
    Err(Failure::method(format!("Method {}, /{endpoint} only accepts {method}.", call.method())))
}

/// Why the parameters are no command: the text of a 400.
#[derive(Debug, thiserror::Error)]
enum Bad {
    #[error("{0}")]
    Missing(String),
    #[error("Bad request: {0}")]
    Value(#[from] Error),
    #[error(transparent)]
    Duration(#[from] go_duration::DurationError),
}

fn missing(query: &Query<'_>, lead: &str, params: &[(&str, Param)], tail: &str) -> Result<(), Bad> {
    if params.iter().all(|&(_, param)| !query.lacks(&[param])) {
        return Ok(());
    }
    let given: Vec<_> =
        params.iter().map(|&(label, param)| format!("{label}: {}", query.shown(param))).collect();
    Err(Bad::Missing(format!("{lead}{}{tail} all of them must be set in the request.", given.join(", "))))
}

fn parse_acquire(query: &Query<'_>) -> Result<BoskosAcquire, Bad> {
    let needed =
        [("Type", Param::Type), ("state", Param::State), ("dest", Param::Dest), ("owner", Param::Owner)];
    missing(query, "Bad request: ", &needed, ",")?;
    Ok(BoskosAcquire {
        pool: query.pool(Param::Type)?,
        state: query.state(Param::State)?,
        dest: query.state(Param::Dest)?,
        owner: query.owner(Param::Owner)?,
        request_id: request_id(query)?,
    })
}

fn request_id(query: &Query<'_>) -> Result<Option<Text>, Error> {
    match query.text(Param::RequestId)? {
        "" => Ok(None),
        id if id.len() > REQUEST_ID_BYTES_MAX => {
            Err(Error::TooLong { param: "request_id", bytes: id.len(), max: REQUEST_ID_BYTES_MAX })
        }
        id => Ok(Some(id.into())),
    }
}

fn parse_acquire_by_state(query: &Query<'_>) -> Result<Command, Bad> {
    let needed =
        [("state", Param::State), ("dest", Param::Dest), ("owner", Param::Owner), ("names", Param::Names)];
    missing(query, "", &needed, " -")?;
    Ok(Command::BoskosAcquireByState {
        state: query.state(Param::State)?,
        dest: query.state(Param::Dest)?,
        owner: query.owner(Param::Owner)?,
        names: query.targets(Param::Names)?,
    })
}

fn parse_release(query: &Query<'_>) -> Result<(Target, State, Owner), Bad> {
    missing(query, "", &[("Name", Param::Name), ("dest", Param::Dest), ("owner", Param::Owner)], ",")?;
    Ok((query.target(Param::Name)?, query.state(Param::Dest)?, query.owner(Param::Owner)?))
}

fn parse_reset(query: &Query<'_>) -> Result<Command, Bad> {
    let needed =
        [("Type", Param::Type), ("state", Param::State), ("expire", Param::Expire), ("dest", Param::Dest)];
    missing(query, "", &needed, ",")?;
    Ok(Command::BoskosReset {
        expire: go_duration::parse(query.text(Param::Expire)?)?,
        pool: query.pool(Param::Type)?,
        state: query.state(Param::State)?,
        dest: query.state(Param::Dest)?,
    })
}

fn parse_update(query: &Query<'_>) -> Result<BoskosUpdate, Bad> {
    missing(query, "", &[("Name", Param::Name), ("owner", Param::Owner), ("state ", Param::State)], ",")?;
    Ok(BoskosUpdate {
        name: query.target(Param::Name)?,
        owner: query.owner(Param::Owner)?,
        state: query.state(Param::State)?,
        patch: std::collections::BTreeMap::new(),
    })
}

/// Reads a whole body within the API's bounds.
async fn whole(body: Body) -> Result<Vec<u8>, Failure> {
    if is_announced_too_long(&body) {
        return Err(Failure::too_large(BODY_BYTES_MAX));
    }
    let reading = async {
        let mut whole = Vec::new();
        let mut parts = body.into_data_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|_| Failure::bad("unexpected EOF"))?;
            if whole.len() + part.len() > BODY_BYTES_MAX {
                return Err(Failure::too_large(BODY_BYTES_MAX));
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    };
    let read = tokio::time::timeout(BODY_READ_MAX, reading).await;
    read.unwrap_or_else(|_| Err(Failure::too_slow(BODY_READ_MAX.as_secs())))
}

/// Since when the caller of an acquire has waited.
struct Start(Time);

impl Start {
    /// From the first time that its request was queued, or from here.
    fn note(app: &App, acquire: &BoskosAcquire) -> Self {
        let key = acquire.request_id.as_ref();
        let since = key.and_then(|key| {
            let ledger = app.keeper.snapshot();
            ledger.poller(&acquire.pool, &acquire.state, key).map(|request| request.since)
        });
        Self(since.unwrap_or_else(|| app.keeper.now()))
    }

    /// Counts a success.
    fn observe(&self, app: &App, acquire: &BoskosAcquire, resource: &Resource) {
        let took = resource.updated_at.since(self.0).nanos();
        let took = Duration::from_nanos(u64::try_from(took).unwrap_or(0));
        let has_request_id = acquire.request_id.is_some();
        app.metrics.boskos_acquire(&acquire.pool, &acquire.state, &acquire.dest, has_request_id, took);
    }
}
