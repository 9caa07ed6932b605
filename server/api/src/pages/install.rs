//! Installing a plugin: its component is uploaded, the page says what it wants, and whoever installs it says what it
//! gets.

use std::fmt::Display;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use lessor_jobs::{Manifest, PluginError, plugin_name};
use lessor_plugins::limits::{COMPONENT_BYTES_MAX, NAME_BYTES_MAX};
use lessor_plugins::{Endpoint, Inspection};
use lessor_web::{Text, link, page};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::extract::{Path, Query, file};
use crate::pages::form::{self, Form};
use crate::pages::listing::ListQuery;
use crate::pages::visitor::{Visitor, done, see};
use crate::pages::{manifest, plugin};
use crate::problem::Problem;
use crate::v1::plugin::{InstallBody, upload_place};

/// `POST /components`: keeps what was uploaded, and leads to what it is.
pub(crate) async fn upload(visitor: Visitor, request: Request) -> Response {
    match keep(&visitor, request).await {
        Ok(path) => see(&path),
        Err(problem) => {
            let page = plugin::make(&visitor, ListQuery::default(), Some(&problem)).await;
            visitor.answer(page)
        }
    }
}

async fn keep(visitor: &Visitor, request: Request) -> Result<String, Problem> {
    let _place = upload_place()?;
    let (name, component) = file(request, "component", COMPONENT_BYTES_MAX).await?;
    if component.is_empty() {
        return Err(Problem::invalid("component", "choose a file"));
    }
    let digest = visitor.app.plugins.upload(component).await.map_err(PluginError::from)?;
    // What is none need not be looked at on a page of its own.
    visitor.app.plugins.inspect(&digest).await?;
    Ok(link::with(&link::component(&digest), &[("name", &called(&name))]))
}

/// What a plugin is likely to be called whose component was in this file.
fn called(file: &str) -> String {
    let last = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = last.strip_suffix(".wasm").unwrap_or(last);
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    stem.chars().filter(fits).take(NAME_BYTES_MAX).collect()
}

/// How a plugin is to be called.
#[derive(Deserialize)]
pub(crate) struct ShowQuery {
    #[serde(default)]
    name: String,
}

/// `GET /components/{digest}`: what it is, and the form that installs it.
pub(crate) async fn show(
    visitor: Visitor,
    Path(digest): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Response {
    let page = sheet(&visitor, &digest, Typed::First(query.name)).await;
    visitor.answer(page)
}

/// What is on the form.
enum Typed<'f> {
    /// What is suggested: a name, and the grants that the component wants.
    First(String),
    /// What was sent, and why it was not accepted.
    Refused(&'f Form, &'f Problem),
}

async fn sheet(visitor: &Visitor, digest: &str, typed: Typed<'_>) -> Result<Response, Problem> {
    let inspection = visitor.app.plugins.inspect(digest).await?;
    let wants = |grant: &str| inspection.wanted_grants.iter().any(|wanted| wanted == grant);
    let (fields, error) = match typed {
        Typed::First(name) => {
            let mut fields = suggested(visitor, &name);
            fields.locker |= wants("locker");
            fields.inventory |= wants("inventory");
            (fields, None)
        }
        // What it would take the place of was not on the form: it is shown before anything of it is lost.
        Typed::Refused(form, problem) if is_unseen(form) => {
            (filled_up(fields(form), suggested(visitor, form.typed("name").trim())), Some(problem))
        }
        Typed::Refused(form, problem) => (fields(form), Some(problem)),
    };
    let Inspection { digest, kind, contract, exports, imports, wanted_grants, misfits } = inspection;
    let page = page::InstallPage {
        frame: visitor.frame_at(link::component(&digest), "Install a plugin", "/plugins", ""),
        facts: vec![
            ("Component", digest.as_str().into()),
            ("It can be used as", kind.map_or("nothing".into(), |kind| Text::from(kind.to_string()))),
            ("Contract", contract.into()),
            ("Exports", plugin::listed(&exports)),
            ("Imports", plugin::listed(&imports)),
        ],
        digest,
        wanted: wanted_grants.into_iter().map(Text::from).collect(),
        misfits: misfits.iter().map(|misfit| Text::from(misfit.to_string())).collect(),
        ceiling: manifest::ceiling(&visitor.app.plugins.ceiling()),
        fields,
        error: error.map(form::error),
    };
    Ok(visitor.page_with(error.map_or(StatusCode::OK, |problem| problem.kind().status()), &page))
}

/// The form for a plugin of this name: empty, or as the one is run that is called so now.
fn suggested(visitor: &Visitor, name: &str) -> page::InstallForm {
    let fields = page::InstallForm { name: name.into(), ..page::InstallForm::default() };
    let Some(Manifest { settings, grants, warm, .. }) = manifest_of(visitor, name) else { return fields };
    page::InstallForm {
        like: name.into(),
        locker: grants.locker,
        inventory: grants.inventory,
        secrets: joined(&grants.secrets, " "),
        files: joined(grants.files.iter().map(|folder| folder.display()), "\n"),
        http: joined(grants.http.iter().map(|(name, endpoint)| line(name, endpoint)), "\n"),
        wasi_http: joined(&grants.wasi_http, " "),
        settings: if settings.is_null() { Text::default() } else { format!("{settings:#}").into() },
        warm,
        ..fields
    }
}

/// What was typed, and for what was left empty what is suggested.
fn filled_up(typed: page::InstallForm, other: page::InstallForm) -> page::InstallForm {
    let either = |typed: Text, other: Text| if typed.raw().trim().is_empty() { other } else { typed };
    page::InstallForm {
        like: other.like,
        locker: typed.locker || other.locker,
        inventory: typed.inventory || other.inventory,
        secrets: either(typed.secrets, other.secrets),
        files: either(typed.files, other.files),
        http: either(typed.http, other.http),
        wasi_http: either(typed.wasi_http, other.wasi_http),
        settings: either(typed.settings, other.settings),
        warm: typed.warm || other.warm,
        ..typed
    }
}

fn joined<T: Display>(items: impl IntoIterator<Item = T>, between: &str) -> Text {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(between).into()
}

fn manifest_of(visitor: &Visitor, name: &str) -> Option<Manifest> {
    visitor.app.plugins.show(name).ok()?.manifest
}

/// Whether a plugin is to be replaced whose settings and grants the form did not begin with.
fn is_unseen(form: &Form) -> bool {
    let is_like = form.typed("like").eq_ignore_ascii_case(form.typed("name").trim());
    !form.typed("replace").is_empty() && !is_like
}

fn fields(form: &Form) -> page::InstallForm {
    let field = |name: &str| Text::from(form.typed(name));
    let ticked = |name: &str| !form.typed(name).is_empty();
    page::InstallForm {
        name: field("name"),
        like: field("like"),
        replace: ticked("replace"),
        locker: ticked("locker"),
        inventory: ticked("inventory"),
        secrets: field("secrets"),
        files: field("files"),
        http: field("http"),
        wasi_http: field("wasi_http"),
        settings: field("settings"),
        warm: ticked("warm"),
    }
}

/// `POST /components/{digest}`: installs it.
pub(crate) async fn install(visitor: Visitor, Path(digest): Path<String>, form: Form) -> Response {
    match put(&visitor, &digest, &form).await {
        Ok(name) => done(&link::plugin(&name), "installed"),
        Err(problem) => {
            let page = sheet(&visitor, &digest, Typed::Refused(&form, &problem)).await;
            visitor.answer(page)
        }
    }
}

async fn put(visitor: &Visitor, digest: &str, form: &Form) -> Result<String, Problem> {
    let name = form.typed("name").trim();
    let known = plugin_name(name).map_err(|error| Problem::invalid("name", error))?;
    let there = visitor.app.keeper.snapshot().plugin(known.as_str()).is_some();
    if there && form.typed("replace").is_empty() {
        let why = "a plugin is called so already: say that this one takes its place, or choose another name";
        return Err(Problem::invalid("name", why));
    }
    if there && is_unseen(form) {
        let why =
            "what you left empty is now as it is for the plugin of this name: look at it, and install again";
        return Err(Problem::invalid("name", why));
    }
    let (digest, mut manifest) = body(digest, form)?.manifest();
    // The form has no fields for limits.
    manifest.limits = manifest_of(visitor, name).map(|manifest| manifest.limits).unwrap_or_default();
    let sight = visitor.app.plugins.install(name, &digest, &manifest).await?;
    Ok(sight.name.to_string())
}

/// The form as the body of `PUT /v1/plugins/{name}`, so that both mean the same.
fn body(digest: &str, form: &Form) -> Result<InstallBody, Problem> {
    let settings: Value = match form.typed("settings").trim() {
        "" => Value::Null,
        text => serde_json::from_str(text)
            .map_err(|error| Problem::invalid("settings", format!("is not JSON: {error}")))?,
    };
    let words = |field: &str| -> Vec<String> {
        let words = form.typed(field).split(|c: char| c == ',' || c.is_whitespace());
        words.filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect()
    };
    let lines = form.typed("files").lines().map(str::trim).filter(|line| !line.is_empty());
    let body = json!({
        "digest": digest,
        "settings": settings,
        "grants": {
            "locker": !form.typed("locker").is_empty(),
            "inventory": !form.typed("inventory").is_empty(),
            "secrets": words("secrets"),
            "files": lines.collect::<Vec<_>>(),
            "http": endpoints(form.typed("http"))?,
            "wasi_http": words("wasi_http"),
        },
        "warm": !form.typed("warm").is_empty(),
    });
    serde_json::from_value(body).map_err(|error| Problem::invalid("grants", error))
}

/// An endpoint as [`endpoints`] reads it.
fn line(name: &str, endpoint: &Endpoint) -> String {
    let Endpoint { url, bearer_secret, private, ca_file } = endpoint;
    let secret = bearer_secret.as_ref().map(|secret| format!(" secret={secret}")).unwrap_or_default();
    let ca = ca_file.as_ref().map(|file| format!(" ca={}", file.display())).unwrap_or_default();
    format!("{name} {url}{secret}{ca}{}", if *private { " private" } else { "" })
}

/// Endpoints as they are typed, one a line: `NAME URL`, then perhaps `secret=NAME`, `ca=FILE` and `private`.
fn endpoints(text: &str) -> Result<Map<String, Value>, Problem> {
    let mut endpoints = Map::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let wrong = || {
            Problem::invalid("http", format!("{line:?} is not NAME URL [secret=NAME] [ca=FILE] [private]"))
        };
        let mut words = line.split_whitespace();
        let (name, url) = words.next().zip(words.next()).ok_or_else(wrong)?;
        let mut endpoint = json!({ "url": url });
        for word in words {
            match word.split_once('=') {
                Some(("secret", secret)) => endpoint["bearer_secret"] = json!(secret),
                Some(("ca", file)) => endpoint["ca_file"] = json!(file),
                None if word == "private" => endpoint["private"] = json!(true),
                _ => return Err(wrong()),
            }
        }
        if endpoints.insert(name.to_owned(), endpoint).is_some() {
            return Err(Problem::invalid("http", format!("{name:?} is there twice")));
        }
    }
    Ok(endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_guessed_from_a_file() {
        for (file, name) in
            [("csv-file.wasm", "csv-file"), ("C:\\x\\a b.wasm", "ab"), ("../é.wasm", ""), ("", "")]
        {
            assert_eq!(called(file), name);
        }
    }

    #[test]
    fn endpoints_are_lines() {
        let read = |text| endpoints(text).map(Value::Object).map_err(|problem| problem.detail().to_owned());
        assert_eq!(
            read("\r\nlab http://lab:80/api secret=token ca=/etc/lab.pem private\nother http://o\n"),
            Ok(json!({
                "lab": {"url": "http://lab:80/api", "bearer_secret": "token", "ca_file": "/etc/lab.pem", "private": true},
                "other": {"url": "http://o"},
            }))
        );
        for wrong in ["lab", "lab http://a public", "a http://b\na http://c"] {
            assert!(read(wrong).is_err_and(|why| why.starts_with("http: ")), "{wrong}");
        }
    }
}
