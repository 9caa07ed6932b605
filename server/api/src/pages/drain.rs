//! Draining a resource, and letting leases on it again: never unseen over what somebody else wrote meanwhile.

use axum::response::Response;
use lessor_ledger::{Command, Cordon, CordonEdit, Refusal, ResourceEdit, Target, Time};
use lessor_web::chart::Window;
use lessor_web::link;

use crate::extract::Path;
use crate::limits::EDIT_TRIES_MAX;
use crate::moment;
use crate::pages::form::{self, Form};
use crate::pages::resource::{Typed, detail};
use crate::pages::seen;
use crate::pages::visitor::{Visitor, done};
use crate::problem::{Kind, Problem};
use crate::time::End;
use crate::v1::body;

/// `POST /resources/{name}/drain`.
pub(crate) async fn drain(visitor: Visitor, Path(name): Path<String>, form: Form) -> Response {
    let cordon = cordon(&form, visitor.app.keeper.now()).map(Some);
    cordoned(&visitor, name, cordon, (&form, "drained")).await
}

/// The cordon that a form asks for.
pub(crate) fn cordon(form: &Form, now: Time) -> Result<CordonEdit, Problem> {
    let message = body::text("message", form.typed("message").to_owned())?;
    let until = match (form.filled("until"), form.filled("until_at")) {
        (None, None) => None,
        (Some(text), None) => Some(end(&text, now)?),
        (None, Some(text)) => {
            Some(moment::read(&text).ok_or_else(|| Problem::invalid("until", "is no date and time"))?)
        }
        (Some(_), Some(_)) => {
            return Err(Problem::invalid("until", "is said twice: clear one of the two fields"));
        }
    };
    Ok(CordonEdit { message, until })
}

/// When something ends: so long from `now`, or at a time with its zone.
fn end(text: &str, now: Time) -> Result<Time, Problem> {
    if let Ok(End::At(time)) = text.parse() {
        return Ok(time);
    }
    match moment::read(text) {
        Some(_) => {
            let why = format!(
                "{text:?} could be in any zone: choose date and time in the field beside, or end it in Z for UTC"
            );
            Err(Problem::invalid("until", why))
        }
        None => Ok(now.plus(form::length("until", text)?)),
    }
}

/// `POST /resources/{name}/undrain`.
pub(crate) async fn undrain(visitor: Visitor, Path(name): Path<String>, form: Form) -> Response {
    cordoned(&visitor, name, Ok(None), (&form, "undrained")).await
}

async fn cordoned(
    visitor: &Visitor,
    name: String,
    cordon: Result<Option<CordonEdit>, Problem>,
    (form, what): (&Form, &'static str),
) -> Response {
    let written = match (body::target("name", name.clone()), cordon) {
        (Ok(target), Ok(cordon)) => write(visitor, &target, form.typed("seen"), cordon.as_ref()).await,
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    match written {
        Ok(()) => done(&link::resource(&name), what),
        Err(problem) => {
            let typed = Typed {
                message: form.typed("message").to_owned(),
                until: form.typed("until").to_owned(),
                until_at: moment::field(form.typed("until_at")),
                problem: Some(problem),
            };
            let page = detail(visitor, name, Window::default(), typed).await;
            visitor.answer(page)
        }
    }
}

/// Stands for how a resource is drained: empty if it is not.
pub(crate) fn seen_of(cordon: Option<&Cordon>) -> String {
    let said = |cordon: &Cordon| format!("{:?} {}", cordon.until, cordon.message);
    cordon.map(|cordon| seen::digest(std::iter::once(&*said(cordon)))).unwrap_or_default()
}

/// Stands for why a resource is drained.
pub(crate) fn reason(message: &str) -> String {
    seen::digest(std::iter::once(message))
}

/// Drains a resource or lets leases on it again, if how it is drained is still what `seen` stands for.
///
/// # Errors
/// A problem if it is not, or the command is refused.
pub(crate) async fn write(
    visitor: &Visitor,
    name: &Target,
    seen: &str,
    cordon: Option<&CordonEdit>,
) -> Result<(), Problem> {
    for _ in 0..EDIT_TRIES_MAX {
        let ledger = visitor.app.keeper.snapshot();
        let resource = ledger.resource(name.as_str()).ok_or_else(|| Refusal::NoSuchResource(name.clone()))?;
        if seen_of(resource.cordon()) != seen {
            break;
        }
        let edit = ResourceEdit {
            // Nobody else writes between this look and the command.
            revision: Some(resource.revision),
            cordon: Some(cordon.cloned()),
            ..ResourceEdit::of(name.clone())
        };
        match visitor.app.submit(Command::PatchResource(Box::new(edit))).await {
            Err(problem) if problem.kind() == Kind::StaleRevision => {}
            other => return other.map(drop),
        }
    }
    let why = "somebody else drained it, or ended its drain, meanwhile: look again";
    Err(Problem::new(Kind::StaleRevision, why))
}
