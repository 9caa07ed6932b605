//! `/v1/plugins` and `/v1/components`: what is installed, and changing it while everything goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use axum::Json as Content;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_jobs::{Manifest, PluginError, Sight};
use lessor_plugins::limits::COMPONENT_BYTES_MAX;
use lessor_plugins::{Endpoint, Grants, Kind, Limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::extract::{self, Json, Path, Query};
use crate::limits::UPLOADS_MAX;
use crate::problem::{self, Problem};
use crate::sieve::plugin::{Candidate, KEYS};
use crate::v1::list;
use crate::v1::view::PluginView;

/// Allowances for components on their way in; for the process, because that is whose memory they are in.
static UPLOADS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(UPLOADS_MAX)));

/// A component that was uploaded.
#[derive(Serialize, ToSchema)]
#[schema(as = Component)]
pub(crate) struct ComponentView {
    /// SHA-256 of it, to install it by.
    digest: String,
    /// Its size.
    bytes: usize,
}

/// What a plugin is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstallPlugin)]
pub(crate) struct InstallBody {
    /// SHA-256 of its component, which was uploaded before, in hexadecimal digits.
    #[schema(min_length = 64, max_length = 64)]
    digest: String,
    /// What it is for; `target-manager` by default.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "target-manager")]
    kind: Option<Kind>,
    /// What it reads through `settings`: an object; null for none. All of this may have 256 KiB.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    settings: Value,
    /// What it may use beyond its own memory; nothing by default.
    #[serde(default)]
    grants: GrantsBody,
    /// What one call may take.
    #[serde(default)]
    limits: LimitsBody,
    /// Whether an instance is used for more than one call; false by default, which isolates calls from each other.
    #[serde(default)]
    warm: bool,
}

/// What a plugin may use beyond its own memory. `log`, `settings`, `clock` and `random` need no grant.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Grants)]
pub(crate) struct GrantsBody {
    /// Locks on targets, for the job of a call.
    locker: bool,
    /// Pools and resources of the server, to read.
    inventory: bool,
    /// Names of secrets.
    secrets: BTreeSet<String>,
    /// Folders below which files may be read.
    #[schema(value_type = Vec<String>)]
    files: BTreeSet<PathBuf>,
    /// HTTP endpoints, by the name that the plugin knows them by.
    http: BTreeMap<String, EndpointBody>,
    /// Hosts that may be talked to over `wasi:http`, each as `host:port`. A name leads to public addresses only; an address
    /// that is not public has to be named itself.
    wasi_http: BTreeSet<String>,
}

/// An HTTP endpoint that the server talks to for a plugin.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Endpoint)]
pub(crate) struct EndpointBody {
    /// Where it is: `http` or `https`, host, perhaps a port and the path that all requests begin with.
    url: String,
    /// The name of the secret that is sent as `Authorization: Bearer …`.
    #[serde(default)]
    bearer_secret: Option<String>,
    /// Whether it may be at a private or loopback address, by name or as written in `url`.
    #[serde(default)]
    private: bool,
    /// A PEM file of the server's machine with the certificate authorities that vouch for it, instead of those that the
    /// system trusts; at `https` only.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    ca_file: Option<PathBuf>,
}

/// What one call into a plugin may take.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Limits)]
pub(crate) struct LimitsBody {
    /// Processor time, in milliseconds: 1 to 60000, 2000 by default.
    cpu_ms: Option<u64>,
    /// Time by the wall clock, in milliseconds: 10 to 3600000, 300000 by default.
    wall_ms: Option<u64>,
    /// Memory, in bytes: 1 MiB to 256 MiB, 64 MiB by default.
    memory_bytes: Option<u64>,
    /// What it hands over at once, in bytes: 1 KiB to 64 MiB, 8 MiB by default.
    output_bytes: Option<u64>,
    /// What it logs, in bytes: at most 1 MiB, 64 KiB by default.
    log_bytes: Option<u64>,
    /// How many functions of the server it calls, those of the locker as one more for every 100 targets, those of the inventory for every 1000 resources looked through: 1 to 1000000, 10000 by default.
    host_calls: Option<u64>,
    /// How many checks of parameters wait for their turn before more are refused: at most 1024, 64 by default.
    mailbox: Option<u64>,
    /// How many calls run at once: 1 to 32, 8 by default.
    concurrency: Option<u64>,
}

/// All plugins, in the order of their names.
#[derive(Serialize, ToSchema)]
#[schema(as = Plugins)]
pub(crate) struct PluginsView {
    /// The plugins.
    items: Vec<PluginView>,
    /// Always null: all of them are in one page.
    next: Option<String>,
}

impl InstallBody {
    /// The digest of the component, and how it is to be run.
    pub(crate) fn manifest(self) -> (String, Manifest) {
        let Self { digest, kind, settings, grants, limits, warm } = self;
        let kind = kind.unwrap_or(Kind::TargetManager);
        (digest, Manifest { kind, settings, grants: grants.take(), limits: limits.take(), warm })
    }
}

impl GrantsBody {
    fn take(self) -> Grants {
        let Self { locker, inventory, secrets, files, http, wasi_http } = self;
        let http = http.into_iter().map(|(name, endpoint)| {
            let EndpointBody { url, bearer_secret, private, ca_file } = endpoint;
            (name, Endpoint { url, bearer_secret, private, ca_file })
        });
        Grants { locker, inventory, secrets, files, http: http.collect(), wasi_http }
    }
}

impl LimitsBody {
    fn take(self) -> Limits {
        let usual = Limits::default();
        Limits {
            cpu_ms: self.cpu_ms.unwrap_or(usual.cpu_ms),
            wall_ms: self.wall_ms.unwrap_or(usual.wall_ms),
            memory_bytes: self.memory_bytes.unwrap_or(usual.memory_bytes),
            output_bytes: self.output_bytes.unwrap_or(usual.output_bytes),
            log_bytes: self.log_bytes.unwrap_or(usual.log_bytes),
            host_calls: self.host_calls.unwrap_or(usual.host_calls),
            mailbox: self.mailbox.unwrap_or(usual.mailbox),
            concurrency: self.concurrency.unwrap_or(usual.concurrency),
        }
    }
}

/// Allows one more component on its way in, until it is dropped.
///
/// # Errors
/// A problem if there are too many.
pub(crate) fn upload_place() -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&UPLOADS).try_acquire_owned().map_err(|_| {
        let detail =
            format!("{UPLOADS_MAX} components are on their way in, which is the limit: try again soon");
        Problem::new(problem::Kind::Overloaded, detail)
    })
}

/// Uploads a component, to be installed by its digest. Of those that nobody installs only the latest few are kept.
#[utoipa::path(post, path = "/v1/components", operation_id = "upload_component", tag = "plugins",
    request_body(content = Vec<u8>, content_type = "application/wasm", description = "A WebAssembly component of at most 64 MiB"),
    responses(
        (status = 201, description = "It is kept", body = ComponentView),
        (status = 408, description = "It did not come, or too slowly"),
        (status = 413, description = "It is too large"),
        (status = 503, description = "Too many are on their way in"),
    )
)]
pub(crate) async fn upload(
    Extract(app): Extract<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !given.eq_ignore_ascii_case("application/wasm") {
        let detail = format!("the content-type is {given:?}, not application/wasm");
        return Err(Problem::new(problem::Kind::MediaType, detail));
    }
    let _place = upload_place()?;
    let component = extract::large(body, COMPONENT_BYTES_MAX).await?;
    let bytes = component.len();
    let digest = app.plugins.upload(component).await.map_err(PluginError::from)?;
    Ok((StatusCode::CREATED, Content(ComponentView { digest, bytes })).into_response())
}

/// Filter of `GET /v1/plugins`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only what this filter finds: `state:enabled -name:csv*`. All words must be true of an item; README, "Filters".
    #[param(max_length = 2048)]
    filter: Option<String>,
}

/// Lists plugins by name, those of the configuration that could not be prepared yet included.
#[utoipa::path(get, path = "/v1/plugins", operation_id = "list_plugins", tag = "plugins", params(ListQuery), responses(
    (status = 200, description = "Plugins", body = PluginsView)
))]
pub(crate) async fn list(
    Extract(app): Extract<App>,
    Query(query): Query<ListQuery>,
) -> Result<Content<PluginsView>, Problem> {
    let filter = list::filter(query.filter.as_deref(), &KEYS)?;
    let plugins = app.plugins.clone();
    let sights = app.look(move |ledger, _| plugins.look(ledger)).await?;
    let wanted = sights.into_iter().filter(|sight| filter.matches(&Candidate { sight }));
    let items = wanted.map(PluginView::of).collect();
    Ok(Content(PluginsView { items, next: None }))
}

/// Shows a plugin. Upper and lower case of its name make no difference.
#[utoipa::path(get, path = "/v1/plugins/{name}", operation_id = "show_plugin", tag = "plugins", params(("name" = String, Path)), responses(
    (status = 200, description = "The plugin", body = PluginView),
    (status = 404, description = "No such plugin"),
))]
pub(crate) async fn show(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
) -> Result<Content<PluginView>, Problem> {
    shown(app.plugins.show(&name))
}

/// Installs a plugin, or replaces what runs under its name: prepared first, then swapped in; calls in flight finish on
/// what was there. Grants are what this says, and no more; files, secrets and endpoints that `[plugin-grants]` of the
/// configuration does not name cannot be granted this way.
#[utoipa::path(put, path = "/v1/plugins/{name}", operation_id = "install_plugin", tag = "plugins", params(("name" = String, Path)),
    request_body = InstallBody,
    responses(
        (status = 200, description = "The plugin, ready", body = PluginView),
        (status = 403, description = "It wants what the server's configuration does not let the API grant"),
        (status = 404, description = "No such component"),
        (status = 422, description = "It does not fit: every reason"),
        (status = 429, description = "A limit of the server is reached"),
    )
)]
pub(crate) async fn install(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
    Json(body): Json<InstallBody>,
) -> Result<Content<PluginView>, Problem> {
    let (digest, manifest) = body.manifest();
    shown(app.plugins.install(&name, &digest, &manifest).await)
}

/// Lets a plugin take calls, also one that was put in quarantine.
#[utoipa::path(post, path = "/v1/plugins/{name}/enable", operation_id = "enable_plugin", tag = "plugins", params(("name" = String, Path)), responses(
    (status = 200, description = "The plugin", body = PluginView),
    (status = 404, description = "No such plugin, or its component is gone"),
    (status = 422, description = "It does not fit any more: every reason"),
))]
pub(crate) async fn enable(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
) -> Result<Content<PluginView>, Problem> {
    shown(app.plugins.enable(&name, true).await)
}

/// Lets a plugin take no more calls. Calls in flight finish; jobs that need it wait to be released.
#[utoipa::path(post, path = "/v1/plugins/{name}/disable", operation_id = "disable_plugin", tag = "plugins", params(("name" = String, Path)), responses(
    (status = 200, description = "The plugin", body = PluginView),
    (status = 404, description = "No such plugin"),
))]
pub(crate) async fn disable(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
) -> Result<Content<PluginView>, Problem> {
    shown(app.plugins.enable(&name, false).await)
}

/// Reads a plugin again: its component's file, if it is one of the configuration, and its secrets. Ends a quarantine.
#[utoipa::path(post, path = "/v1/plugins/{name}/reload", operation_id = "reload_plugin", tag = "plugins", params(("name" = String, Path)), responses(
    (status = 200, description = "The plugin", body = PluginView),
    (status = 404, description = "No such plugin, or its component is gone"),
    (status = 422, description = "It does not fit any more: every reason; what ran goes on"),
))]
pub(crate) async fn reload(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
) -> Result<Content<PluginView>, Problem> {
    shown(app.plugins.reload(&name).await)
}

/// Goes back to the version before. Again, and it is the one after.
#[utoipa::path(post, path = "/v1/plugins/{name}/roll-back", operation_id = "roll_back_plugin", tag = "plugins", params(("name" = String, Path)), responses(
    (status = 200, description = "The plugin", body = PluginView),
    (status = 404, description = "No such plugin, or its component is gone"),
    (status = 409, description = "There is no version before"),
    (status = 422, description = "It does not fit any more: every reason; what ran goes on"),
))]
pub(crate) async fn roll_back(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
) -> Result<Content<PluginView>, Problem> {
    shown(app.plugins.roll_back(&name).await)
}

/// Removes a plugin. Calls in flight finish.
#[utoipa::path(delete, path = "/v1/plugins/{name}", operation_id = "remove_plugin", tag = "plugins", params(("name" = String, Path)), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "No such plugin"),
    (status = 409, description = "Jobs need it"),
))]
pub(crate) async fn remove(
    Extract(app): Extract<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.plugins.remove(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(sight: Result<Sight, PluginError>) -> Result<Content<PluginView>, Problem> {
    Ok(Content(PluginView::of(sight?)))
}
