//! Ending somebody else's lease, with a reason that stays in the history.

use axum::Json as Body;
use axum::extract::State as Extract;
use lessor_ledger::{Command, Force, LeaseId, Subject};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::v1::body;
use crate::v1::lease::shown;
use crate::v1::view::LeaseView;

/// Why a lease is ended in its owner's place.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Force)]
pub(crate) struct ForceBody {
    /// Why, for the event log and the former holder.
    #[schema(min_length = 1, max_length = 4096)]
    reason: String,
    /// If given, must be the holder: somebody else may have taken it in the meantime.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    expected_owner: Option<String>,
    /// Who says so.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    by: Option<String>,
    /// State that the resources get; what the pool says by default.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    to_state: Option<String>,
}

/// The same for one target, whoever holds it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ForceTarget)]
pub(crate) struct ForceTargetBody {
    /// Which.
    #[schema(min_length = 1, max_length = 512)]
    target: String,
    /// Why, for the event log and the former holder.
    #[schema(min_length = 1, max_length = 4096)]
    reason: String,
    /// If given, must be the holder: somebody else may have taken it in the meantime.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    expected_owner: Option<String>,
    /// Who says so.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    by: Option<String>,
    /// State that the resource gets; what the pool says by default.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    to_state: Option<String>,
}

impl ForceBody {
    fn command(self, subject: Subject) -> Result<Command, Problem> {
        if self.reason.trim().is_empty() {
            return Err(Problem::invalid("reason", "must not be empty"));
        }
        Ok(Command::Force(Force {
            subject,
            expected: body::optional("expected_owner", self.expected_owner, body::owner)?,
            reason: body::text("reason", self.reason)?,
            by: body::optional("by", self.by, body::owner)?,
            to_state: body::optional("to_state", self.to_state, body::state)?,
        }))
    }
}

/// Ends a lease in its owner's place.
#[utoipa::path(post, path = "/v1/leases/{id}/force-release", operation_id = "force_release_lease", tag = "leases", params(("id" = u64, Path)),
    request_body = ForceBody,
    responses(
        (status = 200, description = "How the lease ended", body = LeaseView),
        (status = 404, description = "No lease ever had this ID"),
        (status = 409, description = "Somebody else holds it: who"),
        (status = 410, description = "The lease is over"),
    )
)]
pub(crate) async fn lease(
    Extract(app): Extract<App>,
    Path(id): Path<u64>,
    Json(body): Json<ForceBody>,
) -> Result<Body<LeaseView>, Problem> {
    let reply = app.submit(body.command(Subject::Lease(LeaseId(id)))?).await?;
    Ok(shown(&app, &reply))
}

/// Takes one target away from whoever holds it.
#[utoipa::path(post, path = "/v1/locks/force-release", operation_id = "force_release_target", tag = "locks", request_body = ForceTargetBody, responses(
    (status = 200, description = "What is left of the lease, or how it ended", body = LeaseView),
    (status = 409, description = "Nobody holds it, or somebody else: who"),
))]
pub(crate) async fn target(
    Extract(app): Extract<App>,
    Json(body): Json<ForceTargetBody>,
) -> Result<Body<LeaseView>, Problem> {
    let ForceTargetBody { target, reason, expected_owner, by, to_state } = body;
    let subject = Subject::Target(body::target("target", target)?);
    let reply = app.submit(ForceBody { reason, expected_owner, by, to_state }.command(subject)?).await?;
    Ok(shown(&app, &reply))
}
