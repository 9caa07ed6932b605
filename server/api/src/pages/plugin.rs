//! Plugins: looking at them, and changing what one does.

use axum::http::StatusCode;
use axum::response::Response;
use lessor_jobs::{PluginError, Sight};
use lessor_ledger::{Ledger, PluginOrigin};
use lessor_web::{PluginRow, Sort, Text, link, page};

use crate::extract::{Path, Query};
use crate::pages::form::{self, Form};
use crate::pages::listing::{Kind, ListQuery, Listing};
use crate::pages::visitor::{Visitor, done};
use crate::pages::{manifest, row};
use crate::problem::Problem;
use crate::sieve::plugin::{Candidate, KEYS};

const LIST: Kind = Kind {
    path: "/plugins",
    what: "plugins",
    keys: &KEYS,
    sorts: &[
        Sort { key: "name", words: "name", column: "Plugin" },
        Sort { key: "state", words: "state", column: "State" },
        Sort { key: "-calls", words: "most calls", column: "Calls" },
        Sort { key: "-errors", words: "most errors", column: "Errors" },
    ],
    example: "state:enabled",
};

/// `GET /plugins`.
pub(crate) async fn list(visitor: Visitor, Query(query): Query<ListQuery>) -> Response {
    let page = make(&visitor, query, None).await;
    visitor.answer(page)
}

/// The list, perhaps with what was wrong with an upload.
pub(crate) async fn make(
    visitor: &Visitor,
    query: ListQuery,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let listing = Listing::new(&LIST, query);
    let frame = visitor.frame_at("/plugins".to_owned(), "Plugins", "/plugins", "plugins jobs");
    let error = problem.map(form::error);
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status());
    let plugins = visitor.app.plugins.clone();
    let rows = move |listing: &mut Listing, ledger: &Ledger, now| {
        let all = plugins.look(ledger);
        let total = all.len();
        let wanted = all.iter().filter(|sight| listing.filter.matches(&Candidate { sight }));
        let rows = wanted.map(|sight| row::plugin(sight, now));
        let name = |row: &PluginRow| row.name.raw().to_owned();
        let paged = match listing.list.sort {
            "state" => listing.sorted(rows, name, |row| row.state.name.raw().to_owned(), |_| true)?,
            "-calls" => listing.sorted(rows, name, |row| row.calls, |_| true)?,
            "-errors" => listing.sorted(rows, name, |row| row.errors, |_| true)?,
            _ => {
                let after = listing.cursor::<String>()?;
                let rows = rows.filter(|row| after.as_deref().is_none_or(|after| row.name.raw() > after));
                listing.plain(rows, name, |_| true)
            }
        };
        Ok(listing.finish(paged, Some(total)))
    };
    let page = |list, rows| page::Plugins { frame, list, rows, error };
    let mut page = listing.show_now(visitor, rows, page).await?;
    *page.status_mut() = status;
    Ok(page)
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
    let (here, title) = (link::plugin(sight.name.as_str()), Text::from(sight.name.as_str()));
    let record = sight.record.as_deref();
    let page = page::PluginDetail {
        frame: visitor.frame_at(here, format!("Plugin {title}"), "/plugins", "plugins jobs"),
        plugin: row::plugin(&sight, now),
        enabled: record.is_some_and(|record| record.enabled),
        previous: record.is_some_and(|record| record.previous.is_some()),
        installed: record.map(|record| row::ago(record.installed_at, now)),
        settings: sight.manifest.as_ref().map(manifest::settings).unwrap_or_default(),
        grants: sight.manifest.as_ref().map(manifest::grants).unwrap_or_default(),
        ceiling: sight.ceiling.as_ref().map(manifest::ceiling).unwrap_or_default(),
        limits: sight.manifest.as_ref().map(manifest::limits).unwrap_or_default(),
        facts: facts(&sight),
        name_typed: typed.typed("name").into(),
        error: problem.map(form::error),
    };
    Ok(visitor.page_with(problem.map_or(StatusCode::OK, |problem| problem.kind().status()), &page))
}

fn facts(sight: &Sight) -> Vec<(&'static str, Text)> {
    let Sight { record, manifest, status, .. } = sight;
    let origin = match sight.origin() {
        PluginOrigin::Config => "the configuration",
        PluginOrigin::Api => "the API",
    };
    let mut facts = vec![("Installed by", Text::from(origin))];
    if let Some(record) = record {
        let before = record.previous.as_ref().map_or("none".into(), |it| Text::from(&*it.digest));
        facts.push(("Component", Text::from(&*record.version.digest)));
        facts.push(("Component before", before));
    }
    facts.extend(manifest.as_ref().map(|manifest| {
        ("Instances", if manifest.warm { "one for many calls" } else { "one for each call" }.into())
    }));
    if let Some(status) = status {
        facts.extend([
            ("Contract", status.contract.as_str().into()),
            ("Exports", listed(&status.exports)),
            ("Imports", listed(&status.imports)),
            ("Grants that it lacks", listed(&status.missing_grants)),
            ("Most memory of one instance", format!("{} KiB", status.memory_high_water_bytes / 1024).into()),
            ("Abnormal ends of late", status.strikes.to_string().into()),
        ]);
        facts.extend(status.last_error.as_deref().map(|error| ("Latest abnormal end", Text::from(error))));
    }
    facts
}

/// Names in a row.
pub(crate) fn listed(names: &[String]) -> Text {
    if names.is_empty() { "none".into() } else { names.join(", ").into() }
}

fn outcome(
    visitor: &Visitor,
    name: &str,
    changed: Result<Sight, PluginError>,
    what: &'static str,
) -> Response {
    match changed {
        Ok(sight) => done(&link::plugin(sight.name.as_str()), what),
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
    let removed = match visitor.app.plugins.show(&name) {
        Ok(sight) if form.typed("name") == sight.name.as_str() => {
            visitor.app.plugins.remove(&name).await.map_err(Problem::from)
        }
        Ok(_) => Err(Problem::invalid("name", "must be typed as it is above")),
        Err(error) => Err(error.into()),
    };
    match removed {
        Ok(()) => done("/plugins", "removed"),
        Err(problem) => {
            let page = detail(&visitor, &name, &form, Some(&problem));
            visitor.answer(page)
        }
    }
}
