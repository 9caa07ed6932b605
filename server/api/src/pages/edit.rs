//! Editing the state and the labels of one resource.

use axum::http::StatusCode;
use axum::response::Response;
use lessor_ledger::{Command, Refusal, Resource, ResourceEdit};
use lessor_web::{Text, link, page};

use crate::extract::Path;
use crate::pages::form::{self, Form};
use crate::pages::row;
use crate::pages::visitor::{Visitor, done};
use crate::problem::{Kind, Problem};
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
    let (state, labels) = (Text::from(resource.state.as_str()), labels(resource).map(Text::from));
    // Whoever tries again writes over what is shown beside the fields, whatever else was wrong.
    let overtaken = typed("revision").is_some_and(|revision| revision.raw() != resource.revision.to_string());
    let other_state =
        overtaken && typed("state").is_some_and(|typed| !form::is_untouched(typed.raw(), state.raw()));
    let read = |text: &Text| form::labels(text.raw(), &['\n']).ok();
    let is_other = |labels: &Text| typed("labels").is_some_and(|typed| read(&typed) != read(labels));
    let other_labels = overtaken && labels.as_ref().is_some_and(is_other);
    let page = page::EditPage {
        frame: visitor.frame(format!("Edit {name}"), "/resources", ""),
        resource: row::resource(resource, &ledger, now, visitor),
        revision: resource.revision,
        state: typed("state").unwrap_or(state),
        labels: labels.map(|labels| typed("labels").unwrap_or(labels)),
        other_state,
        other_labels,
        error: refused.as_ref().map(|refused| error(&refused.problem, other_state || other_labels)),
    };
    let status = refused.map_or(StatusCode::OK, |refused| refused.problem.kind().status());
    Ok(visitor.page_with(status, &page))
}

/// What is said about a problem; `shown` if what somebody else changed is shown beside the fields.
fn error(problem: &Problem, shown: bool) -> page::FormError {
    if problem.kind() != Kind::StaleRevision {
        return form::error(problem);
    }
    let words = if shown {
        "Somebody changed it meanwhile. What it is by now is said below its fields; Save puts what you typed in its place."
    } else {
        "Somebody changed it meanwhile, but nothing of what is here. Save writes it."
    };
    page::FormError { words: words.into(), ..page::FormError::default() }
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
