//! Forms: what a browser sends, and what goes back when it is not accepted.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use axum::http::header;
use lessor_ledger::Span;
use lessor_web::Text;
use lessor_web::page::FormError;

use crate::extract::bytes;
use crate::length;
use crate::pages::seen;
use crate::problem::{ConflictView, Kind, Problem};

/// The fields of a form that was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.is_empty() && !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Problem::new(Kind::MediaType, "a form is application/x-www-form-urlencoded"));
        }
        let bytes = bytes(request.into_body()).await?;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&bytes)
            .map_err(|error| Problem::new(Kind::Malformed, format!("body: {error}")))?;
        // No browser sends NUL, and no page can show it.
        Ok(Self(pairs.into_iter().map(|(field, text)| (field, text.replace('\0', "\u{fffd}"))).collect()))
    }
}

impl Form {
    /// A field as it was typed; empty if it was not sent.
    pub(crate) fn typed(&self, field: &str) -> &str {
        self.0.get(field).map_or("", String::as_str)
    }

    /// A field without spaces around it; `None` if nothing is left.
    pub(crate) fn filled(&self, field: &str) -> Option<String> {
        let text = self.typed(field).trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Stands for exactly what is in the form.
    pub(crate) fn digest(&self) -> String {
        let fields: Vec<String> = self.0.iter().map(|(field, text)| format!("{field}={text}")).collect();
        seen::digest(fields.iter().map(String::as_str))
    }

    /// A name that the form was made for, to the byte: from a field of its own if one could not carry it as it is.
    pub(crate) fn exact(&self, field: &str) -> Option<String> {
        let encoded = self.0.get(&format!("{field}_exact"))?;
        percent_encoding::percent_decode_str(encoded).decode_utf8().ok().map(Into::into)
    }
}

/// A text as it comes back from a field that it was put into: browsers turn every end of a line into CRLF, and what
/// reads HTML turns NUL into U+FFFD.
pub(crate) fn returned(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}")
}

/// A text as it comes back from a field for one line, which has no ends of lines, without spaces around it.
pub(crate) fn line(text: &str) -> String {
    returned(text).replace('\n', "").trim().to_owned()
}

/// Whether a name is still the same after it went through a field for one line, or for one name a line.
pub(crate) fn survives(name: &str) -> bool {
    returned(name) == name && name.trim() == name && name.lines().count() <= 1
}

/// A length that somebody typed. A bare number is refused, because it could be anything; in the API it would be
/// milliseconds.
pub(crate) fn length(field: &'static str, text: &str) -> Result<Span, Problem> {
    length::read(text).map_err(|error| Problem::invalid(field, error))
}

/// What is said on a form about a problem.
pub(crate) fn error(problem: &Problem) -> FormError {
    let detail = &in_words(problem);
    let known = [
        "owner",
        "pool",
        "count",
        "labels",
        "targets",
        "ttl",
        "wait",
        "purpose",
        "state",
        "reason",
        "to_state",
        "lock_duration",
        "until",
        "message",
        "name",
        "component",
        "settings",
        "grants",
        "secrets",
        "files",
        "http",
        "wasi_http",
    ];
    // `field: what is wrong with it`, or a sentence that begins with the field.
    let (first, words) = detail.split_once(": ").or_else(|| detail.split_once(' ')).unwrap_or_default();
    let first = first.split(['[', '.']).next().unwrap_or_default();
    let (field, words) =
        if known.contains(&first) { (Some(first.to_owned()), words) } else { (None, detail.as_str()) };
    let words = if words.is_empty() { problem.kind().title() } else { words };
    let more = problem.more();
    let mut lines: Vec<Text> = more.conflicts.iter().map(conflict).collect();
    // The only one is in the words already.
    lines.extend(more.misfits.iter().filter(|_| more.misfits.len() > 1).map(|misfit| misfit.as_str().into()));
    lines.extend(more.exceeding_grants.iter().map(|grant| Text::from(grant.words())));
    lines.truncate(crate::limits::FORM_LINES_MAX);
    FormError { field, words: Text::from(words), lines }
}

/// A problem as people read it: bounds of time are in milliseconds for programs.
pub(crate) fn in_words(problem: &Problem) -> String {
    if problem.more().limit.is_none() {
        return problem.detail().to_owned();
    }
    let mut words: Vec<Cow<'_, str>> = Vec::new();
    for word in problem.detail().split(' ') {
        let millis = || words.last()?.parse::<i64>().ok().filter(|millis| millis % 1000 == 0);
        match (word, millis()) {
            ("ms", Some(millis)) => {
                words.pop();
                words.push(lessor_web::length(millis / 1000).into());
            }
            _ => words.push(word.into()),
        }
    }
    words.join(" ")
}

fn conflict(conflict: &ConflictView) -> Text {
    let what = conflict.target.as_deref().or(conflict.pool.as_deref()).unwrap_or_default();
    let who = conflict.holder.as_ref().map(|holder| format!("held by {holder}"));
    let until = conflict.until.map(|until| format!("until {until}"));
    let words: Vec<String> = [who, until, conflict.why.clone()].into_iter().flatten().collect();
    format!("{what}: {}", words.join(", ")).into()
}

/// Labels as they are typed: `key=value`, with lines, commas or spaces between.
///
/// # Errors
/// A problem that names the first word without `=`, or a key that is there twice.
pub(crate) fn labels(text: &str, separators: &[char]) -> Result<BTreeMap<String, String>, Problem> {
    let words = text.split(|c| separators.contains(&c)).map(str::trim).filter(|word| !word.is_empty());
    let mut labels = BTreeMap::new();
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            return Err(Problem::invalid("labels", format!("{word:?} is not key=value")));
        };
        if labels.insert(key.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(Problem::invalid("labels", format!("{:?} is there twice", key.trim())));
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_people_type_them() {
        let read =
            |text| labels(text, &[',', ' ', '\n']).map(|labels| labels.into_iter().collect::<Vec<_>>());
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            read("a=b, c=d\r\ne=f=g").expect("labels"),
            [pair("a", "b"), pair("c", "d"), pair("e", "f=g")]
        );
        assert_eq!(read("").expect("labels"), []);
        assert!(read("a").is_err());
        assert!(read("a=1 a=2").is_err(), "one of them would be lost");
    }

    #[test]
    fn an_error_goes_to_its_field() {
        let problem = Problem::invalid("labels", "is wrong: really");
        let error = error(&problem);
        assert_eq!((error.field.as_deref(), error.words.raw()), (Some("labels"), "is wrong: really"));
        let other = super::error(&Problem::new(Kind::Busy, "not everything: is free"));
        assert_eq!((other.field, other.words.raw()), (None, "not everything: is free"));
        let indexed = super::error(&Problem::invalid("targets[1]", "is empty"));
        assert_eq!(indexed.field.as_deref(), Some("targets"));
    }
}
