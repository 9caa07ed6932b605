//! `/v1/resources`: the records of targets.

use std::collections::BTreeMap;

use axum::Json as Body;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_filter::Filter as Words;
use lessor_ledger::{
    Command, CordonEdit, Ledger, Owner, PoolName, Refusal, Reply, Resource, ResourceEdit, State, Target, Time,
};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::conditional::{self, Tags};
use crate::extract::{Json, Path, Query};
use crate::object;
use crate::problem::{Kind, More, Problem};
use crate::sieve::resource::{Candidate, KEYS, candidates};
use crate::time::End;
use crate::v1::body::{self, AddressesBody};
use crate::v1::list::{self, Page};
use crate::v1::view::ResourceView;

/// Filter of `GET /v1/resources`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Resources of this pool.
    #[param(min_length = 1, max_length = 512)]
    pool: Option<String>,
    /// Resources in this state.
    #[param(min_length = 1, max_length = 512)]
    state: Option<String>,
    /// Resources that this owner holds.
    #[param(min_length = 1, max_length = 512)]
    owner: Option<String>,
    /// Only what this filter finds: `state:free pool:gpu -label:site=ber text`. All words must be true of an item; README, "Filters".
    #[param(max_length = 2048)]
    filter: Option<String>,
    /// Most items in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// Cursor from the page before.
    #[param(min_length = 1, max_length = 512)]
    after: Option<String>,
}

/// Lists resources by name.
#[utoipa::path(get, path = "/v1/resources", operation_id = "list_resources", tag = "resources", params(ListQuery), responses(
    (status = 200, description = "Resources", body = Page<ResourceView>)
))]
pub(crate) async fn list(
    Extract(app): Extract<App>,
    Query(query): Query<ListQuery>,
) -> Result<Body<Page<ResourceView>>, Problem> {
    let filter = Filter::new(query)?;
    app.look(move |ledger, now| filter.page(ledger, now)).await.map(Body)
}

/// Which resources are wanted.
struct Filter {
    limit: usize,
    after: Option<Target>,
    pool: Option<PoolName>,
    state: Option<State>,
    owner: Option<Owner>,
    words: Words,
}

impl Filter {
    fn new(query: ListQuery) -> Result<Self, Problem> {
        Ok(Self {
            limit: list::limit(query.limit)?,
            after: list::after_name(query.after)?,
            pool: body::optional("pool", query.pool, body::pool)?,
            state: body::optional("state", query.state, body::state)?,
            owner: body::optional("owner", query.owner, body::owner)?,
            words: list::filter(query.filter.as_deref(), &KEYS)?,
        })
    }

    fn page(&self, ledger: &Ledger, now: Time) -> Page<ResourceView> {
        let pool = self.pool.as_ref().map(PoolName::as_str);
        let rows = candidates((ledger, now), None, (pool, &self.words), self.after.as_ref());
        let key = |row: &Candidate<'_>| row.resource.name.to_string();
        let view = |row: &Candidate<'_>| ResourceView::of(row.resource, ledger, now);
        list::page(rows, self.limit, key, |row| self.wants(row), view)
    }

    fn wants(&self, row: &Candidate<'_>) -> bool {
        let holder = row.lock.map(|lock| &lock.owner);
        self.pool.as_ref().is_none_or(|pool| row.resource.pool == *pool)
            && self.state.as_ref().is_none_or(|state| row.resource.state == *state)
            && self.owner.as_ref().is_none_or(|owner| holder == Some(owner))
            && self.words.matches(row)
    }
}

/// Shows a resource.
#[utoipa::path(get, path = "/v1/resources/{name}", operation_id = "show_resource", tag = "resources", params(("name" = String, Path, min_length = 1, max_length = 512),
        ("If-None-Match" = Option<String>, Header, description = "`ETag`s of what the client has: 304 if one of them is current")), responses(
    (status = 200, description = "The resource", body = ResourceView,
        headers(("ETag" = String, description = "In quotes: its revision, and while it is held a dot, the lease, a dot, the deadline"))),
    (status = 304, description = "The client has it as it is"),
    (status = 404, description = "No such resource"),
))]
pub(crate) async fn show(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let name = body::target("name", name)?;
    let (ledger, now) = (app.keeper.snapshot(), app.keeper.now());
    let resource = ledger.resource(name.as_str()).ok_or(Refusal::NoSuchResource(name))?;
    let tag = tag(resource, &ledger, now);
    if conditional::is_known(headers.get_all(header::IF_NONE_MATCH), &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(([(header::ETAG, tag)], Body(ResourceView::of(resource, &ledger, now))).into_response())
}

fn record(app: &App, status: StatusCode, resource: &Resource) -> Response {
    let (ledger, now) = (app.keeper.snapshot(), app.keeper.now());
    let tag = tag(resource, &ledger, now);
    (status, [(header::ETAG, tag)], Body(ResourceView::of(resource, &ledger, now))).into_response()
}

/// What a [`ResourceView`] depends on: the record, and who holds it until when. Renewing and `ConTest` locks change the
/// latter alone.
fn tag(resource: &Resource, ledger: &Ledger, now: Time) -> String {
    match ledger.holder(resource.name.as_str(), now) {
        None => format!("\"{}\"", resource.revision),
        Some(lock) => {
            let until = lock.deadline.map_or(0, Time::nanos);
            format!("\"{}.{}.{until}\"", resource.revision, lock.lease)
        }
    }
}

/// What a resource is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceEdit)]
pub(crate) struct EditBody {
    /// The pool; needed for a new resource.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    pool: Option<String>,
    /// The state; left out, a new resource gets its pool's initial state and any other keeps its own.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    state: Option<String>,
    /// All of its labels.
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    /// All of its user data.
    #[serde(default)]
    user_data: Option<BTreeMap<String, String>>,
    /// All of its addresses.
    #[serde(default, deserialize_with = "object::optional")]
    addresses: Option<AddressesBody>,
    /// An object keeps new leases off, in place of any cordon before; null lets them on again.
    #[serde(default)]
    #[schema(value_type = Option<CordonBody>)]
    cordon: Cordoning,
}

/// Keeps new leases off a resource.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CordonEdit)]
pub(crate) struct CordonBody {
    /// For whoever wonders.
    #[schema(max_length = 4096)]
    message: String,
    /// When new leases are let on again by themselves, later than now; left out or null, when somebody lifts it.
    #[serde(default)]
    until: Option<End>,
}

/// What becomes of the cordon: null is not the same as nothing at all.
#[derive(Default)]
enum Cordoning {
    /// Not mentioned.
    #[default]
    Leave,
    /// Null.
    Lift,
    /// An object.
    Set(CordonBody),
}

impl<'de> Deserialize<'de> for Cordoning {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(object::optional(deserializer)?.map_or(Self::Lift, Self::Set))
    }
}

impl EditBody {
    fn take(self, name: Target, revision: Option<u64>, now: Time) -> Result<Box<ResourceEdit>, Problem> {
        let cordon = match self.cordon {
            Cordoning::Leave => None,
            Cordoning::Lift => Some(None),
            Cordoning::Set(cordon) => Some(Some(CordonEdit {
                message: body::text("cordon.message", cordon.message)?,
                until: cordon.until.map(|end| end.time(now)),
            })),
        };
        Ok(Box::new(ResourceEdit {
            name,
            revision,
            pool: body::optional("pool", self.pool, body::pool)?,
            state: body::optional("state", self.state, body::state)?,
            labels: self.labels.map(|labels| body::labels("labels", labels)).transpose()?,
            user_data: self.user_data.map(|data| body::user_data("user_data", data)).transpose()?,
            addresses: self.addresses.map(AddressesBody::take).transpose()?,
            cordon,
        }))
    }
}

/// Creates a resource, or replaces all that a client can set; what is left out becomes empty.
#[utoipa::path(put, path = "/v1/resources/{name}", operation_id = "put_resource", tag = "resources", request_body = EditBody,
    params(("name" = String, Path, min_length = 1, max_length = 512), ("If-Match" = Option<String>, Header, pattern = r#"^(\*|"[0-9.]+"(, "[0-9.]+")*)$"#, description = "`ETag`s, or `*`; their revisions are compared, because being leased and renewed is no edit"),
        ("If-None-Match" = Option<String>, Header, pattern = r"^\*$", description = "`*`: only create")),
    responses(
        (status = 200, description = "Replaced", body = ResourceView),
        (status = 201, description = "Created", body = ResourceView),
        (status = 409, description = "It is held, so its pool and state stay"),
        (status = 412, description = "It was changed in the meantime, or is there already"),
    )
)]
pub(crate) async fn put(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<EditBody>,
) -> Result<Response, Problem> {
    let name = body::target("name", name)?;
    let revision = precondition(&app, &name, &headers)?;
    let reply = app.submit(Command::PutResource(body.take(name, revision, app.keeper.now())?)).await?;
    Ok(edited(&app, &reply))
}

/// Changes what the body has; labels, user data and addresses each as a whole.
#[utoipa::path(patch, path = "/v1/resources/{name}", operation_id = "patch_resource", tag = "resources", request_body = EditBody,
    params(("name" = String, Path, min_length = 1, max_length = 512), ("If-Match" = Option<String>, Header, pattern = r#"^(\*|"[0-9.]+"(, "[0-9.]+")*)$"#, description = "`ETag`s, or `*`; their revisions are compared, because being leased and renewed is no edit")),
    responses(
        (status = 200, description = "Changed", body = ResourceView),
        (status = 404, description = "No such resource"),
        (status = 409, description = "It is held, so its pool and state stay"),
        (status = 412, description = "It was changed in the meantime"),
    )
)]
pub(crate) async fn patch(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<EditBody>,
) -> Result<Response, Problem> {
    let name = body::target("name", name)?;
    let revision = precondition(&app, &name, &headers)?;
    let reply = app.submit(Command::PatchResource(body.take(name, revision, app.keeper.now())?)).await?;
    Ok(edited(&app, &reply))
}

fn edited(app: &App, reply: &Reply) -> Response {
    match reply {
        Reply::Edited(resource, true) => record(app, StatusCode::CREATED, resource),
        Reply::Edited(resource, false) => record(app, StatusCode::OK, resource),
        _ => unreachable!("the ledger answers an edit with nothing else"),
    }
}

/// Deletes a resource that nobody holds.
#[utoipa::path(delete, path = "/v1/resources/{name}", operation_id = "delete_resource", tag = "resources",
    params(("name" = String, Path, min_length = 1, max_length = 512), ("If-Match" = Option<String>, Header, pattern = r#"^(\*|"[0-9.]+"(, "[0-9.]+")*)$"#, description = "`ETag`s, or `*`; their revisions are compared, because being leased and renewed is no edit")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such resource"),
        (status = 409, description = "It is held: by whom"),
        (status = 412, description = "It was changed in the meantime"),
    )
)]
pub(crate) async fn delete(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let name = body::target("name", name)?;
    let revision = precondition(&app, &name, &headers)?;
    app.submit(Command::DeleteResource { name, revision }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The revision that the client expects: one of `If-Match`, or 0 for `If-None-Match: *`.
fn precondition(app: &App, name: &Target, headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let current = || app.keeper.snapshot().resource(name.as_str()).map_or(0, |resource| resource.revision);
    match (Tags::of(headers, &header::IF_MATCH)?, Tags::of(headers, &header::IF_NONE_MATCH)?) {
        (None, None) => Ok(None),
        (None, Some(Tags::Any)) => Ok(Some(0)),
        (None, Some(Tags::These(_))) => Err(Problem::invalid("If-None-Match", "must be * for an edit")),
        (Some(_), Some(_)) => Err(Problem::invalid("If-Match", "cannot be combined with If-None-Match")),
        (Some(tags), None) => match (tags, current()) {
            (_, 0) => Err(stale(format!("there is no resource {name:?} to match"), 0)),
            (Tags::Any, current) => Ok(Some(current)),
            (Tags::These(tags), current) if tags.iter().any(|&tag| revision(tag) == Some(current)) => {
                Ok(Some(current))
            }
            (Tags::These(_), current) => {
                Err(stale(format!("resource {name:?} has none of these entity tags any more"), current))
            }
        },
    }
}

/// The revision in an entity tag of ours. A weak one never was.
fn revision((tag, weak): (&str, bool)) -> Option<u64> {
    tag.split('.').next().filter(|_| !weak)?.parse().ok()
}

fn stale(detail: String, revision: u64) -> Problem {
    Problem::new(Kind::StaleRevision, detail).with(More { revision: Some(revision), ..More::default() })
}
