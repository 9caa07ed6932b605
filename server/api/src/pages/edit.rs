//! Editing the state and the labels of one resource. What was changed in the form is written, and nothing else, and
//! never unseen over what somebody else wrote: leases come and go meanwhile, and they are nobody's edit.

use axum::http::StatusCode;
use axum::response::Response;
use lessor_ledger::{Command, Refusal, Resource, ResourceEdit};
use lessor_web::{link, page};

use crate::extract::Path;
use crate::limits::EDIT_TRIES_MAX;
use crate::pages::form::{self, Form};
use crate::pages::visitor::{Visitor, done};
use crate::pages::{row, seen};
use crate::problem::{Kind, Problem};
use crate::v1::body;

/// What can be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    State,
    Labels,
}

impl Field {
    /// What was typed, and what stands for the text that was there before.
    fn of(self, form: &Form) -> (&str, &str) {
        let (typed, seen) = match self {
            Self::State => ("state", "seen_state"),
            Self::Labels => ("labels", "seen_labels"),
        };
        (form.typed(typed), form.typed(seen))
    }

    /// What is put into it; `None` if that would come back as something else.
    fn shown(self, resource: &Resource) -> Option<String> {
        match self {
            Self::State => Some(resource.state.to_string()),
            Self::Labels => labels(resource),
        }
    }

    /// Stands for a text, whatever a browser makes of it on its way through the field.
    fn digest(self, text: &str) -> String {
        let lines = match (self, form::labels(text, &['\n'])) {
            (Self::Labels, Ok(labels)) => {
                labels.iter().map(|(key, value)| format!("{key}={value}")).collect()
            }
            _ => vec![form::line(text)],
        };
        seen::digest(lines.iter().map(String::as_str))
    }

    /// Whether another text was typed than was there. One that is not in the form has nothing that stands for it.
    fn is_changed(self, form: &Form) -> bool {
        let (typed, seen) = self.of(form);
        !seen.is_empty() && self.digest(typed) != seen
    }

    /// Whether it was changed to one thing here, and meanwhile to another elsewhere.
    fn is_overtaken(self, form: &Form, resource: &Resource) -> bool {
        let (typed, seen) = self.of(form);
        let now = self.shown(resource).map(|text| self.digest(&text));
        self.is_changed(form) && now.is_some_and(|now| now != seen && now != self.digest(typed))
    }

    /// The field on the page: what was typed, unless that is nothing new. Whoever tries again writes over what is shown
    /// beside it.
    fn filled(self, shown: String, resource: &Resource, form: Option<&Form>) -> page::Edited {
        page::Edited {
            seen: self.digest(&shown),
            overtaken: form.is_some_and(|form| self.is_overtaken(form, resource)),
            text: match form.filter(|form| self.is_changed(form)) {
                Some(form) => self.of(form).0.into(),
                None => shown.into(),
            },
        }
    }
}

/// `GET /resources/{name}/edit`: the form.
pub(crate) async fn show(visitor: Visitor, Path(name): Path<String>) -> Response {
    let page = sheet(&visitor, name, None);
    visitor.answer(page)
}

/// The form; with what was typed, and why it was not accepted.
fn sheet(visitor: &Visitor, name: String, refused: Option<(&Form, &Problem)>) -> Result<Response, Problem> {
    let name = body::target("name", name)?;
    let (ledger, now) = (visitor.app.keeper.snapshot(), visitor.app.keeper.now());
    let resource = ledger.resource(name.as_str()).ok_or_else(|| Refusal::NoSuchResource(name.clone()))?;
    let form = refused.map(|(form, _)| form);
    let page = page::EditPage {
        frame: visitor.frame(format!("Edit {name}"), "/resources", ""),
        resource: row::resource(resource, &ledger, now, visitor),
        state: Field::State.filled(resource.state.to_string(), resource, form),
        labels: labels(resource).map(|shown| Field::Labels.filled(shown, resource, form)),
        error: refused.map(|(_, problem)| error(problem)),
    };
    let status = refused.map_or(StatusCode::OK, |(_, problem)| problem.kind().status());
    Ok(visitor.page_with(status, &page))
}

/// What is said about a problem.
fn error(problem: &Problem) -> page::FormError {
    if problem.kind() != Kind::StaleRevision {
        return form::error(problem);
    }
    let words = "Somebody changed it meanwhile. What it is by now is said below its fields; Save puts what you typed in its place.";
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
    match write(&visitor, &name, &form).await {
        Ok(()) => done(&link::resource(&name), "saved"),
        Err(problem) => {
            let page = sheet(&visitor, name, Some((&form, &problem)));
            visitor.answer(page)
        }
    }
}

async fn write(visitor: &Visitor, name: &str, form: &Form) -> Result<(), Problem> {
    let mut tried = 0;
    loop {
        let edit = edit(visitor, name, form)?;
        if edit.state.is_none() && edit.labels.is_none() {
            return Ok(());
        }
        tried += 1;
        match visitor.app.submit(Command::PatchResource(Box::new(edit))).await {
            Err(problem) if problem.kind() == Kind::StaleRevision && tried < EDIT_TRIES_MAX => {}
            other => return other.map(drop),
        }
    }
}

/// What was changed in the form, if it is still what was shown.
fn edit(visitor: &Visitor, name: &str, form: &Form) -> Result<ResourceEdit, Problem> {
    let target = body::target("name", name.to_owned())?;
    let ledger = visitor.app.keeper.snapshot();
    let resource = ledger.resource(name).ok_or_else(|| Refusal::NoSuchResource(target.clone()))?;
    let typed = |field: Field| field.is_changed(form).then(|| field.of(form).0);
    let labels =
        typed(Field::Labels).map(|text| body::labels("labels", form::labels(text, &['\n'])?)).transpose()?;
    let state = typed(Field::State).map(|text| body::state("state", text.trim().to_owned())).transpose()?;
    if [Field::State, Field::Labels].iter().any(|field| field.is_overtaken(form, resource)) {
        return Err(Problem::new(Kind::StaleRevision, "somebody changed it meanwhile: look again"));
    }
    // Nobody else writes between this look and the command.
    Ok(ResourceEdit { revision: Some(resource.revision), state, labels, ..ResourceEdit::of(target) })
}
