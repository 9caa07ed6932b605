//! The pages of jobs and plugins. The target manager is a double; real ones are called in the suite of the whole server.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};
use lessor_jobs::{Manager, Managers};
use lessor_ledger::{
    Command, Job, JobCommand, JobStart, Owner, Phase, PluginCommand, PluginName, PluginOrigin, PluginVersion,
    Span,
};
use lessor_plugins::{CallError, JobCall, NoManager, Target, Targets};
use serde_json::json;

use crate::lab::Lab;
use crate::pages::{HOSTILE, leads_to, shows, without_values};

/// The first job.
const JOB: Job = Job(lessor_ledger::limits::JOB_FIRST + 1);

/// Acquires one target, and cannot release it.
struct Clinger;

impl Managers for Clinger {
    fn manager(&self, _: &str) -> Result<Arc<dyn Manager>, NoManager> {
        Ok(Arc::new(Self))
    }
}

impl Manager for Clinger {
    fn validate_acquire<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        ready(Ok(())).boxed()
    }

    fn validate_release<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        ready(Ok(())).boxed()
    }

    fn acquire<'a>(&'a self, _: JobCall, _: &'a str) -> BoxFuture<'a, Result<Vec<Target>, CallError>> {
        let target = Target { id: HOSTILE.into(), fqdn: Some(HOSTILE.into()), ..Target::default() };
        ready(Ok(vec![target])).boxed()
    }

    fn release<'a>(&'a self, _: JobCall, _: &'a str, _: Targets<'a>) -> BoxFuture<'a, Result<(), CallError>> {
        ready(Err(CallError::Failed { message: HOSTILE.into(), retryable: true })).boxed()
    }
}

impl Lab {
    /// With the plugin `HOSTILE`, whose component is gone, and the leased job [`JOB`] that `owner` has of it.
    async fn with_job_of(owner: &str) -> Self {
        let lab = Self::with_managers(Arc::new(Clinger)).await;
        let manager = PluginName::new(HOSTILE).expect("a name");
        let version = PluginVersion { digest: "0".repeat(64).into(), spec: "{}".into() };
        let install = PluginCommand::Install { name: manager.clone(), version, origin: PluginOrigin::Api };
        lab.keeper.submit(Command::Plugin(install)).await.expect("a plugin");
        let start = JobStart {
            owner: Owner::new(owner).expect("a name"),
            manager,
            acquire_parameters: json!(HOSTILE).to_string().into(),
            release_parameters: "".into(),
            acquire_timeout: Span::from_secs(60),
            lock_duration: Span::from_secs(600),
            release_timeout: Span::from_secs(60),
            key: None,
        };
        lab.keeper.submit(Command::Job(JobCommand::Start(Box::new(start)))).await.expect("a job");
        lab.until("the job is leased", |ledger| {
            ledger.job(JOB).is_some_and(|job| job.leased_until().is_some())
        })
        .await;
        lab
    }

    async fn until_stuck(&self) {
        self.until("the job is stuck", |ledger| {
            ledger.job(JOB).is_some_and(|job| matches!(job.phase, Phase::Stuck { .. }))
        })
        .await;
    }
}

#[tokio::test]
async fn jobs_and_plugins_show_what_others_wrote_as_text() {
    let lab = Lab::with_job_of(HOSTILE).await;
    let plugin = lessor_web::link::plugin(HOSTILE);
    lab.delete("/v1/jobs/1099511627777").await.expect(200);
    lab.until_stuck().await;
    let cases = [
        ("/jobs", "stuck"),
        ("/jobs?sort=-id&q=phase:stuck", "is tried again"),
        ("/jobs/1099511627777", "Give up on its manager"),
        ("/plugins", "broken"),
        (plugin.as_str(), "Installed by"),
    ];
    let stuck = format!("job {} cannot release what it holds", JOB.0);
    let readiness = lab.get("/readyz?verbose").await.text;
    assert!(readiness.contains(&format!("[-] jobs: {stuck}\n")), "{readiness}");
    shows(&lab.get("/status").await, 200, &["Something needs a look", &stuck]);
    for (path, part) in cases {
        let answer = lab.get(path).await;
        shows(
            &answer,
            200,
            &["<!DOCTYPE html>", "&#60;script&#62;alert(1)", part, "href=\"/jobs\"", "</html>"],
        );
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        let text = without_values(&answer.text);
        for part in ["<script>alert", "\u{202e}", "\u{1b}", "onload='x'", "style=", " onclick", "<style"] {
            assert!(!text.contains(part), "{part} is in {path}:\n{text}");
        }
    }
    shows(&lab.get("/jobs?q=is:over").await, 200, &["No jobs match"]);
    shows(&lab.get("/jobs?q=nonsense:1").await, 200, &["The filter cannot be read"]);
    let rows = lab.get("/jobs?format=json&q=is:live").await.expect(200);
    assert_eq!((&rows[0]["owner"], &rows[0]["phase"]), (&json!(HOSTILE), &json!("stuck")));
    shows(&lab.get("/jobs/99").await, 404, &["<!DOCTYPE html>"]);
    shows(&lab.get("/plugins/no").await, 404, &["<!DOCTYPE html>"]);
}

#[tokio::test]
async fn a_server_without_jobs_says_what_they_are() {
    let lab = Lab::start().await;
    shows(&lab.get("/jobs").await, 200, &["No jobs.", "aria-current=\"page\""]);
    shows(&lab.get("/plugins").await, 200, &["No plugins.", "aria-current=\"page\""]);
}

#[tokio::test]
async fn a_job_is_renewed_ended_and_freed() {
    let lab = Lab::with_job_of("ann").await;
    shows(
        &lab.get("/jobs/1099511627777").await,
        200,
        &["action=\"/jobs/1099511627777/renew\"", "action=\"/jobs/1099511627777/end\""],
    );
    // Whoever has not said who they are is asked first.
    leads_to(&lab.form("/jobs/1099511627777/renew", &[]).await, "/me?back=%2Fjobs%2F1099511627777");
    leads_to(&lab.form("/jobs/1099511627777/end", &[]).await, "/me?back=%2Fjobs%2F1099511627777");
    let renewed = lab.form_of_ann("/jobs/1099511627777/renew", &[("lock_duration", "2h")]).await;
    leads_to(&renewed, "/jobs/1099511627777?done=renewed");
    assert_eq!(lab.get("/v1/jobs/1099511627777").await.expect(200)["lock_duration_ms"], 7_200_000);
    let wrong = lab.form_of_ann("/jobs/1099511627777/renew", &[("lock_duration", "so<on")]).await;
    shows(&wrong, 400, &["<strong>lock_duration</strong>", "aria-invalid=\"true\"", "so&#60;on"]);
    leads_to(&lab.form_of_ann("/jobs/1099511627777/end", &[]).await, "/jobs/1099511627777?done=ended");
    lab.until_stuck().await;
    let late = lab.form_of_ann("/jobs/1099511627777/renew", &[]).await;
    shows(&late, 409, &["role=\"alert\""]);
    leads_to(
        &lab.form("/jobs/1099511627777/force", &[("reason", "on fire")]).await,
        "/me?back=%2Fjobs%2F1099511627777",
    );
    shows(
        &lab.form_of_ann("/jobs/1099511627777/force", &[("reason", " ")]).await,
        400,
        &["<strong>reason</strong>"],
    );
    leads_to(
        &lab.form_of_ann("/jobs/1099511627777/force", &[("reason", "on fire")]).await,
        "/jobs/1099511627777?done=freed",
    );
    assert_eq!(lab.get("/v1/jobs/1099511627777").await.expect(200)["phase"], "failed");
    shows(&lab.get("/jobs/1099511627777?done=freed").await, 200, &["What it held is free.", "on fire"]);
}

#[tokio::test]
async fn the_job_of_another_can_only_be_freed() {
    let lab = Lab::with_job_of("bob").await;
    for path in ["/jobs/1099511627777/renew", "/jobs/1099511627777/end"] {
        shows(&lab.form_of_ann(path, &[]).await, 409, &["role=\"alert\"", "bob"]);
    }
    assert_eq!(lab.get("/v1/jobs/1099511627777").await.expect(200)["phase"], "leased");
    leads_to(
        &lab.form_of_ann("/jobs/1099511627777/force", &[("reason", "gone")]).await,
        "/jobs/1099511627777?done=freed",
    );
}

#[tokio::test]
async fn a_plugin_is_switched_and_what_cannot_be_is_said() {
    let lab = Lab::with_job_of("ann").await;
    let plugin = lessor_web::link::plugin(HOSTILE);
    let enabled = || lab.keeper.snapshot().plugin(HOSTILE).map(|plugin| plugin.enabled);
    leads_to(&lab.form(&format!("{plugin}/disable"), &[]).await, &format!("{plugin}?done=disabled"));
    assert_eq!(enabled(), Some(false));
    shows(&lab.get(&plugin).await, 200, &["/enable\"", "/reload\""]);
    // Its component is gone: it cannot be prepared.
    shows(&lab.form(&format!("{plugin}/enable"), &[]).await, 404, &["role=\"alert\""]);
    shows(&lab.form(&format!("{plugin}/reload"), &[]).await, 404, &["role=\"alert\""]);
    shows(&lab.form(&format!("{plugin}/roll-back"), &[]).await, 409, &["role=\"alert\""]);
    shows(&lab.form("/plugins/no/disable", &[]).await, 404, &["<!DOCTYPE html>"]);
}

#[tokio::test]
async fn plugins_are_filtered_ordered_and_leave_as_a_file() {
    let lab = Lab::with_job_of("ann").await;
    shows(&lab.get("/plugins?q=state:broken&sort=-calls").await, 200, &["1 of 1 plugins that match"]);
    shows(&lab.get("/plugins?q=state:enabled").await, 200, &["No plugins match"]);
    shows(&lab.get("/plugins?q=state:on").await, 200, &["The filter cannot be read"]);
    let rows = lab.get("/plugins?format=json").await.expect(200);
    assert_eq!((&rows[0]["plugin"], &rows[0]["state"]), (&json!(HOSTILE), &json!("broken")));
    let items = async |filter: &str| {
        let page = lab.get(&format!("/v1/plugins?filter={filter}")).await.expect(200);
        page["items"].as_array().map(Vec::len)
    };
    assert_eq!((items("state:broken").await, items("-state:broken").await), (Some(1), Some(0)));
    lab.get("/v1/plugins?filter=is:zzz").await.problem(400, "invalid");
}
