//! From text to words.

use crate::limits::{FILTER_BYTES_MAX, FILTER_WORDS_MAX};
use crate::{FilterError, Key, Test, Value, Word};

/// Reads all words of a filter.
pub(crate) fn words(text: &str, keys: &[Key]) -> Result<Vec<Word>, FilterError> {
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

fn word(cursor: &mut Cursor<'_>, keys: &[Key]) -> Result<Word, FilterError> {
    let at = cursor.at;
    let rest = cursor.rest();
    let negated = rest.starts_with('-') && rest.len() > 1 && !rest[1..].starts_with(char::is_whitespace);
    cursor.at += usize::from(negated);
    let test = match cursor.key() {
        Some(name) => {
            let key = keys.iter().find(|key| key.name == name).ok_or_else(|| {
                let keys = keys.iter().map(|key| key.name.to_owned()).collect();
                FilterError::UnknownKey { at, key: name.to_owned(), keys }
            })?;
            let value = cursor.value()?;
            Test::Has(name.to_owned(), allowed(key, value, at)?)
        }
        None => Test::Contains(match cursor.quoted()? {
            Some(text) => text.to_lowercase(),
            None => cursor.plain().to_lowercase(),
        }),
    };
    let nothing = match &test {
        Test::Contains(needle) => needle.is_empty(),
        Test::Has(_, value) => *value == Value::Exactly(String::new()),
    };
    if nothing {
        return Err(FilterError::Nothing { at, word: cursor.text[at..cursor.at].to_owned() });
    }
    Ok(Word { negated, test })
}

/// The value, if a row may have it under the key. Nothing at all is another error.
fn allowed(key: &Key, value: Value, at: usize) -> Result<Value, FilterError> {
    if value == Value::Exactly(String::new()) || key.values.take(&value) {
        return Ok(value);
    }
    let (value, values) = (value.to_string(), key.values.words());
    Err(FilterError::UnknownValue { at, key: key.name.to_owned(), value, values })
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

    /// Takes what stands before the first colon of a word that does not begin with a quote, and the colon.
    fn key(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let end = rest.find(|c: char| c == ':' || c.is_whitespace())?;
        if rest.starts_with('"') || !rest[end..].starts_with(':') {
            return None;
        }
        self.at += end + 1;
        Some(&rest[..end])
    }

    /// Takes what stands after a colon, perhaps nothing.
    fn value(&mut self) -> Result<Value, FilterError> {
        if let Some(text) = self.quoted()? {
            return Ok(Value::Exactly(text));
        }
        let plain = self.plain();
        Ok(match plain.strip_suffix('*') {
            Some(prefix) => Value::Prefix(prefix.to_owned()),
            None => Value::Exactly(plain.to_owned()),
        })
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
    use crate::{Filter, FilterError, Key, Value};

    fn number(value: &Value) -> bool {
        matches!(value, Value::Exactly(text) if text.parse::<u64>().is_ok())
    }

    const KEYS: &[Key] = &[
        Key::any("pool"),
        Key::any("label"),
        Key::one_of("is", &["free", "held"]),
        Key::like("lease", number, "a number"),
    ];

    fn error(text: &str) -> FilterError {
        Filter::parse(text, KEYS).expect_err(text)
    }

    fn nothing(at: usize, word: &str) -> FilterError {
        FilterError::Nothing { at, word: word.to_owned() }
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        assert!(matches!(error("a x:y"), FilterError::UnknownKey { at: 2, key, .. } if key == "x"));
        assert!(matches!(error("POOL:y"), FilterError::UnknownKey { .. }));
        assert!(matches!(error(":y"), FilterError::UnknownKey { .. }));
        assert_eq!(error("pool:"), nothing(0, "pool:"));
        assert_eq!(error("a -pool: b"), nothing(2, "-pool:"));
        assert_eq!(error("is:"), nothing(0, "is:"));
        assert_eq!(error("pool:\"\""), nothing(0, "pool:\"\""));
        assert_eq!(error("\"\""), nothing(0, "\"\""));
        assert_eq!(error("a \"b"), FilterError::OpenQuote(2));
        assert_eq!(error("pool:\"b\\"), FilterError::OpenQuote(5));
        assert_eq!(error("\"a\"b"), FilterError::Glued(3));
    }

    #[test]
    fn a_value_that_no_row_has_is_said_with_those_that_are() {
        for good in ["is:free", "-is:held", "is:f*", "is:*", "is:\"free\"", "lease:17"] {
            assert!(Filter::parse(good, KEYS).is_ok(), "{good}");
        }
        let words = |text: &str| error(text).to_string();
        assert_eq!(words("a is:fre"), "byte 2: \"fre\" is no value of \"is\", which takes free, held");
        assert_eq!(words("-is:x*"), "byte 0: \"x*\" is no value of \"is\", which takes free, held");
        assert_eq!(words("lease:17a"), "byte 0: \"17a\" is no value of \"lease\", which takes a number");
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
        let filter = Filter::parse(r#"pool:"a \"b\" \\ \n c:d*""#, KEYS).expect("a filter");
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
                        let _ = Filter::parse(&[a, b, c, d].concat(), KEYS);
                    }
                }
            }
        }
    }
}
