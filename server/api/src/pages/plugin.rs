//! Plugins: looking at them, and changing what one does.

use axum::http::StatusCode;
use axum::response::Response;
use lessor_jobs::{Manifest, PluginError, Sight};
use lessor_ledger::PluginOrigin;
use lessor_web::{Text, link, page};

use crate::extract::Path;
use crate::pages::form::{self, Form};
use crate::pages::row;
use crate::pages::visitor::{Visitor, done};
use crate::problem::Problem;

/// `GET /plugins`.
pub(crate) async fn list(visitor: Visitor) -> Response {
    let page = all(&visitor).await;
    visitor.answer(page)
}

async fn all(visitor: &Visitor) -> Result<Response, Problem> {
    let frame = visitor.frame("Plugins", "/plugins", "plugins jobs");
    let plugins = visitor.app.plugins.clone();
    let rows: Vec<_> = visitor
        .app
        .look(move |ledger, now| plugins.look(ledger).iter().map(|sight| row::plugin(sight, now)).collect())
        .await?;
    Ok(visitor.page(&page::Plugins { frame, rows }))
}

/// `GET /plugins/{name}`.
pub(crate) async fn show(visitor: Visitor, Path(name): Path<String>) -> Response {
    let page = detail(&visitor, &name, &Form::default(), None);
    visitor.answer(page)
}

fn detail(
    visitor: &Visitor,
    name: &str,
    typed: &Form,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let now = visitor.app.keeper.now();
    let sight = visitor.app.plugins.show(name)?;
    let (here, title) = (link::plugin(sight.record.name.as_str()), Text::from(sight.record.name.as_str()));
    let page = page::PluginDetail {
        frame: visitor.frame_at(here, format!("Plugin {title}"), "/plugins", "plugins jobs"),
        plugin: row::plugin(&sight, now),
        enabled: sight.record.enabled,
        previous: sight.record.previous.is_some(),
        installed: row::ago(sight.record.installed_at, now),
        facts: facts(&sight),
        name_typed: typed.typed("name").into(),
        error: problem.map(form::error),
    };
    Ok(visitor.page_with(problem.map_or(StatusCode::OK, |problem| problem.kind().status()), &page))
}

fn facts(sight: &Sight) -> Vec<(&'static str, Text)> {
    let Sight { record, manifest, status, ceiling, .. } = sight;
    let origin = match record.origin {
        PluginOrigin::Config => "the configuration",
        PluginOrigin::Api => "the API",
    };
    let mut facts = vec![
        ("Installed by", Text::from(origin)),
        ("Component", Text::from(&*record.version.digest)),
        ("Component before", record.previous.as_ref().map_or("none".into(), |it| Text::from(&*it.digest))),
    ];
    facts.extend(manifest.iter().flat_map(run));
    let ceiling = ceiling.as_ref().and_then(|ceiling| serde_json::to_string(ceiling).ok());
    facts.extend(ceiling.map(|ceiling| ("Grants that the API may give", Text::from(ceiling))));
    if let Some(status) = status {
        facts.extend([
            ("Contract", status.contract.as_str().into()),
            ("Exports", listed(&status.exports)),
            ("Imports", listed(&status.imports)),
            ("Grants that it lacks", listed(&status.missing_grants)),
            ("Most memory of one instance", format!("{} KiB", status.memory_high_water_bytes / 1024).into()),
            ("Abnormal ends in a row", status.strikes.to_string().into()),
        ]);
        facts.extend(status.last_error.as_deref().map(|error| ("Latest abnormal end", Text::from(error))));
    }
    facts
}

/// How it is run.
fn run(manifest: &Manifest) -> [(&'static str, Text); 4] {
    let json = |value: serde_json::Result<String>| Text::from(value.unwrap_or_default());
    [
        ("Settings", json(serde_json::to_string(&manifest.settings))),
        ("Grants", json(serde_json::to_string(&manifest.grants))),
        ("Limits of a call", json(serde_json::to_string(&manifest.limits))),
        ("Instances", if manifest.warm { "one for many calls" } else { "one for each call" }.into()),
    ]
}

fn listed(names: &[String]) -> Text {
    if names.is_empty() { "none".into() } else { names.join(", ").into() }
}

fn outcome(
    visitor: &Visitor,
    name: &str,
    changed: Result<Sight, PluginError>,
    what: &'static str,
) -> Response {
    match changed {
        Ok(sight) => {
            // What is read again, or leaves its quarantine, is no event.
            visitor.app.pulse.touch();
            done(&link::plugin(sight.record.name.as_str()), what)
        }
        Err(error) => {
            let page = detail(visitor, name, &Form::default(), Some(&Problem::from(error)));
            visitor.answer(page)
        }
    }
}

/// `POST /plugins/{name}/enable`.
pub(crate) async fn enable(visitor: Visitor, Path(name): Path<String>) -> Response {
    let changed = visitor.app.plugins.enable(&name, true).await;
    outcome(&visitor, &name, changed, "enabled")
}

/// `POST /plugins/{name}/disable`.
pub(crate) async fn disable(visitor: Visitor, Path(name): Path<String>) -> Response {
    let changed = visitor.app.plugins.enable(&name, false).await;
    outcome(&visitor, &name, changed, "disabled")
}

/// `POST /plugins/{name}/reload`: reads its component and its secrets again.
pub(crate) async fn reload(visitor: Visitor, Path(name): Path<String>) -> Response {
    let changed = visitor.app.plugins.reload(&name).await;
    outcome(&visitor, &name, changed, "read")
}

/// `POST /plugins/{name}/roll-back`.
pub(crate) async fn roll_back(visitor: Visitor, Path(name): Path<String>) -> Response {
    let changed = visitor.app.plugins.roll_back(&name).await;
    outcome(&visitor, &name, changed, "rolled-back")
}

/// `POST /plugins/{name}/remove`: its name must be typed, because settings and grants are gone with it.
pub(crate) async fn remove(visitor: Visitor, Path(name): Path<String>, form: Form) -> Response {
    let removed = if form.typed("name").trim().eq_ignore_ascii_case(name.trim()) {
        visitor.app.plugins.remove(&name).await.map_err(Problem::from)
    } else {
        Err(Problem::invalid("name", "must be typed as it is above"))
    };
    match removed {
        Ok(()) => done("/plugins", "removed"),
        Err(problem) => {
            let page = detail(&visitor, &name, &form, Some(&problem));
            visitor.answer(page)
        }
    }
}
