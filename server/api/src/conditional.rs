//! Conditions on entity tags (RFC 9110 §13.1): "only if it is still this", "only if it is something else".

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::problem::Problem;

/// What may lie between the elements of a list.
const LIST_GAP: [char; 3] = [' ', '\t', ','];

/// What `If-Match` or `If-None-Match` lists.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tags<'a> {
    /// `*`: whatever there is.
    Any,
    /// These, without their quotes, and whether each is weak.
    These(Vec<(&'a str, bool)>),
}

impl<'a> Tags<'a> {
    /// What the header lists, on one line or several; `None` if it is not there.
    ///
    /// # Errors
    /// A problem if it is neither `*` nor a list of entity tags.
    pub(crate) fn of(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<Self>, Problem> {
        let mut lines = headers.get_all(name).iter().peekable();
        if lines.peek().is_none() {
            return Ok(None);
        }
        let why = "must be * or entity tags in quotes, with commas between them";
        Self::read(lines).map(Some).ok_or_else(|| Problem::invalid(name.as_str(), why))
    }

    /// Reads the lines of a header; `None` if they make no sense.
    fn read(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Option<Self> {
        let lines = lines.into_iter().map(|line| line.to_str().ok().map(str::trim));
        let lines: Vec<&str> = lines.collect::<Option<_>>()?;
        if lines == ["*"] {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        for line in lines {
            // Elements may be empty (RFC 9110 §5.6.1.2).
            let mut rest = line.trim_start_matches(LIST_GAP);
            while !rest.is_empty() {
                let (tag, behind) = tag(rest)?;
                tags.push(tag);
                let behind = behind.trim_start();
                rest = match behind.strip_prefix(',') {
                    Some(next) => next.trim_start_matches(LIST_GAP),
                    None if behind.is_empty() => behind,
                    None => return None,
                };
            }
        }
        (!tags.is_empty()).then_some(Self::These(tags))
    }

    /// Whether it lists `tag`, weak or not: what a client has cached need only mean the same.
    fn knows(&self, tag: &str) -> bool {
        let opaque = tag.trim_start_matches("W/").trim_matches('"');
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|(known, _)| *known == opaque),
        }
    }
}

/// One entity tag at the front of `text`, and what comes behind it.
fn tag(text: &str) -> Option<((&str, bool), &str)> {
    let (text, weak) = match text.strip_prefix("W/") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (opaque, behind) = text.strip_prefix('"')?.split_once('"')?;
    Some(((opaque, weak), behind))
}

/// Whether the client has what `tag` stands for already, by the lines of its `If-None-Match`, so that a `GET` can say 304.
/// A header that makes no sense is as good as none here.
pub(crate) fn is_known<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>, tag: &str) -> bool {
    Tags::read(lines).is_some_and(|tags| tags.knows(tag))
}

#[cfg(test)]
mod tests {
    use axum::http::header::IF_NONE_MATCH;

    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (IF_NONE_MATCH, line.parse().expect("a header value"))).collect()
    }

    #[test]
    fn lists_are_read_as_the_standard_says() {
        let of = |lines: &[&'static str]| {
            let headers = headers(lines);
            Tags::of(&headers, &IF_NONE_MATCH).map(|tags| format!("{tags:?}")).ok()
        };
        assert_eq!(of(&[]), Some("None".into()));
        assert_eq!(of(&["*"]), Some("Some(Any)".into()));
        assert_eq!(of(&[r#""a""#]), Some(r#"Some(These([("a", false)]))"#.into()));
        let three = Some(r#"Some(These([("a", false), ("b,c", true), ("", false)]))"#.into());
        assert_eq!(of(&[r#""a", W/"b,c" ,"""#]), three);
        assert_eq!(of(&[r#""a""#, r#"W/"b,c","""#]), three);
        assert_eq!(of(&[r#", "a",, ,W/"b,c",,"",,"#]), three);
        for wrong in ["", "a", r#""a"#, r#""a" "b""#, r#"*, "a""#, r#"w/"a""#, ","] {
            assert_eq!(of(&[wrong]), None, "{wrong}");
        }
    }

    #[test]
    fn a_cached_answer_is_known_by_any_of_its_tags() {
        let known = |lines: &[&'static str], tag| is_known(headers(lines).get_all(IF_NONE_MATCH), tag);
        assert!(known(&[r#""a", W/"b""#], "\"b\""));
        assert!(known(&[r#""a""#, r#""b""#], "W/\"b\""));
        assert!(known(&["*"], "\"b\""));
        assert!(!known(&[r#""a""#], "\"b\""));
        assert!(!known(&["b"], "\"b\""));
        assert!(!known(&[], "\"b\""));
    }
}
