//! From text to words.

use crate::limits::{FILTER_BYTES_MAX, FILTER_WORDS_MAX};
use crate::{FilterError, Test, Value, Word};

/// Reads all words of a filter.
pub(crate) fn words(text: &str, keys: &[&str]) -> Result<Vec<Word>, FilterError> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(FilterError::TooLong(text.len()));
    }
    let mut cursor = Cursor { text, at: 0 };
    let mut words = Vec::new();
    while cursor.skip_spaces() {
        if words.len() == FILTER_WORDS_MAX {
            return Err(FilterError::TooMany);
        }
        words.push(word(&mut cursor, keys)?);
    }
    Ok(words)
}

fn word(cursor: &mut Cursor<'_>, keys: &[&str]) -> Result<Word, FilterError> {
    let start = cursor.at;
    let whole = |end: usize| cursor.text[start..end].to_owned();
    let rest = cursor.rest();
    let negated = rest.starts_with('-') && rest.len() > 1 && !rest[1..].starts_with(char::is_whitespace);
    let mut reader = Cursor { text: cursor.text, at: start + usize::from(negated) };
    let test = if let Some(text) = reader.quoted()? {
        Test::Contains(text.to_lowercase())
    } else {
        let plain = reader.plain();
        match plain.split_once(':') {
            None => Test::Contains(plain.to_lowercase()),
            Some((key, _)) if !keys.contains(&key) => {
                let keys = keys.iter().map(|&key| key.to_owned()).collect();
                return Err(FilterError::UnknownKey { key: key.to_owned(), keys });
            }
            Some((key, _)) => {
                reader.at = start + usize::from(negated) + key.len() + 1;
                let value = match reader.quoted()? {
                    Some(text) => Value::Exactly(text),
                    None => match reader.plain() {
                        "" => return Err(FilterError::Nothing(whole(reader.at))),
                        value => match value.strip_suffix('*') {
                            Some(prefix) => Value::Prefix(prefix.to_owned()),
                            None => Value::Exactly(value.to_owned()),
                        },
                    },
                };
                Test::Has(key.to_owned(), value)
            }
        }
    };
    let nothing = match &test {
        Test::Contains(needle) => needle.is_empty(),
        Test::Has(_, value) => *value == Value::Exactly(String::new()),
    };
    if nothing {
        return Err(FilterError::Nothing(whole(reader.at)));
    }
    cursor.at = reader.at;
    Ok(Word { negated, test })
}

/// A place in the text.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Goes to the next word; `false` at the end.
    fn skip_spaces(&mut self) -> bool {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.at < self.text.len()
    }

    /// Takes what comes before the next space, perhaps nothing.
    fn plain(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Takes a text in quotes; `None` if there is no quote here.
    fn quoted(&mut self) -> Result<Option<String>, FilterError> {
        let Some(inner) = self.rest().strip_prefix('"') else { return Ok(None) };
        let mut text = String::new();
        let mut chars = inner.char_indices();
        while let Some((index, c)) = chars.next() {
            match c {
                '"' => {
                    let end = self.at + index + 2;
                    let after = self.text[end..].chars().next();
                    if after.is_some_and(|c| !c.is_whitespace()) {
                        return Err(FilterError::Glued(end));
                    }
                    self.at = end;
                    return Ok(Some(text));
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err(FilterError::OpenQuote(self.at))
    }
}

#[cfg(test)]
mod tests {
    use crate::limits::{FILTER_BYTES_MAX, FILTER_WORDS_MAX};
    use crate::{Filter, FilterError};

    fn error(text: &str) -> FilterError {
        Filter::parse(text, &["pool", "label"]).expect_err(text)
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        assert!(matches!(error("x:y"), FilterError::UnknownKey { key, .. } if key == "x"));
        assert!(matches!(error("POOL:y"), FilterError::UnknownKey { .. }));
        assert!(matches!(error(":y"), FilterError::UnknownKey { .. }));
        assert_eq!(error("pool:"), FilterError::Nothing("pool:".into()));
        assert_eq!(error("a -pool: b"), FilterError::Nothing("-pool:".into()));
        assert_eq!(error("pool:\"\""), FilterError::Nothing("pool:\"\"".into()));
        assert_eq!(error("\"\""), FilterError::Nothing("\"\"".into()));
        assert_eq!(error("a \"b"), FilterError::OpenQuote(2));
        assert_eq!(error("pool:\"b\\"), FilterError::OpenQuote(5));
        assert_eq!(error("\"a\"b"), FilterError::Glued(3));
    }

    #[test]
    fn bounds_are_exact() {
        let words = |n| vec!["x"; n].join(" ");
        assert!(Filter::parse(&words(FILTER_WORDS_MAX), &[]).is_ok());
        assert_eq!(error(&words(FILTER_WORDS_MAX + 1)), FilterError::TooMany);
        assert!(Filter::parse(&"x".repeat(FILTER_BYTES_MAX), &[]).is_ok());
        assert_eq!(error(&"x".repeat(FILTER_BYTES_MAX + 1)), FilterError::TooLong(FILTER_BYTES_MAX + 1));
    }

    #[test]
    fn quotes_may_hold_anything() {
        let filter = Filter::parse(r#"pool:"a \"b\" \\ \n c:d*""#, &["pool"]).expect("a filter");
        assert_eq!(filter.only("pool"), Some(r#"a "b" \ \n c:d*"#));
    }

    #[test]
    fn a_lone_minus_is_text() {
        assert!(Filter::parse("-", &[]).is_ok());
        assert!(Filter::parse("a - b", &[]).is_ok());
        assert!(Filter::parse("--a", &[]).is_ok());
    }

    #[test]
    fn no_text_makes_it_panic() {
        let pieces = ["\"", "\\", ":", "-", "*", " ", "ü", "pool", "=", "\u{3000}"];
        for a in pieces {
            for b in pieces {
                for c in pieces {
                    for d in pieces {
                        // Whether it is a filter does not matter here.
                        let _ = Filter::parse(&[a, b, c, d].concat(), &["pool"]);
                    }
                }
            }
        }
    }
}
