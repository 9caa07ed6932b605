//! Editing the state and the labels of one resource.

use axum::http::StatusCode;
use axum::response::Response;
use lessor_ledger::{Command, Refusal, Resource, ResourceEdit};
use lessor_web::{Text, link, page};

use crate::extract::Path;
use crate::pages::form::{self, Form};
use crate::pages::row;
use crate::pages::visitor::{Visitor, done};
use crate::problem::Problem;
use crate::v1::body;

/// `GET /resources/{name}/edit`: the form.
pub(crate) async fn show(visitor: Visitor, Path(name): Path<String>) -> Response {
    let page = sheet(&visitor, name, None);
    visitor.answer(page)
}

/// What was typed, and why it was not accepted.
struct Refused<'f> {
    form: &'f Form,
    problem: Problem,
}

fn sheet(visitor: &Visitor, name: String, refused: Option<Refused<'_>>) -> Result<Response, Problem> {
    let name = body::target("name", name)?;
    let (ledger, now) = (visitor.app.keeper.snapshot(), visitor.app.keeper.now());
    let resource = ledger.resource(name.as_str()).ok_or_else(|| Refusal::NoSuchResource(name.clone()))?;
    let typed = |field: &str| refused.as_ref().map(|refused| Text::from(refused.form.typed(field)));
    let page = page::EditPage {
        frame: visitor.frame(format!("Edit {name}"), "/resources", ""),
        resource: row::resource(resource, &ledger, now, visitor),
        // Whoever tries again has seen what it is now.
        revision: resource.revision,
        state: typed("state").unwrap_or_else(|| resource.state.as_str().into()),
        labels: labels(resource).map(|labels| typed("labels").unwrap_or(labels.into())),
        error: refused.as_ref().map(|refused| form::error(&refused.problem)),
    };
    let status = refused.map_or(StatusCode::OK, |refused| refused.problem.kind().status());
    Ok(visitor.page_with(status, &page))
}

/// The labels of a resource, one a line; `None` if they would come back as others from a field.
fn labels(resource: &Resource) -> Option<String> {
    let labels = &resource.details().labels;
    let lines: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let text = lines.join("\n");
    let read = form::labels(&form::returned(&text), &['\n']).ok()?;
    let same = read.iter().map(|(key, value)| (&**key, &**value));
    same.eq(labels.iter().map(|(key, value)| (&**key, &**value))).then_some(text)
}

/// `POST /resources/{name}/edit`.
pub(crate) async fn save(visitor: Visitor, Path(name): Path<String>, form: Form) -> Response {
    let submitted = match edit(&visitor, &name, &form) {
        Ok(edit) => visitor.app.submit(Command::PatchResource(Box::new(edit))).await,
        Err(problem) => Err(problem),
    };
    match submitted {
        Ok(_) => done(&link::resource(&name), "saved"),
        Err(problem) => {
            let page = sheet(&visitor, name, Some(Refused { form: &form, problem }));
            visitor.answer(page)
        }
    }
}

fn edit(visitor: &Visitor, name: &str, form: &Form) -> Result<ResourceEdit, Problem> {
    let target = body::target("name", name.to_owned())?;
    let ledger = visitor.app.keeper.snapshot();
    let resource = ledger.resource(name).ok_or_else(|| Refusal::NoSuchResource(target.clone()))?;
    let labels = match labels(resource) {
        Some(_) => Some(body::labels("labels", form::labels(form.typed("labels"), &['\n'])?)?),
        // There was no field for them.
        None => None,
    };
    // A state that stays need not be allowed to change, nor be one that can be typed.
    let state = if form::is_untouched(form.typed("state"), resource.state.as_str()) {
        None
    } else {
        Some(body::state("state", form.typed("state").trim().to_owned())?)
    };
    let revision =
        form.typed("revision").parse().map_err(|_| Problem::invalid("revision", "is not a number"))?;
    Ok(ResourceEdit { revision: Some(revision), state, labels, ..ResourceEdit::of(target) })
}
