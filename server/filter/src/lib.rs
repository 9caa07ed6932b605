//! The filter that every list takes: `state:free pool:gpu -label:site=ber "two words"`.
//!
//! A filter is words with spaces between; all of them must be true of a row.
//!
//! | word | true of a row that |
//! |---|---|
//! | `text` | contains the text somewhere, in any case |
//! | `key:value` | has exactly this value; which keys there are, the list says |
//! | `key:value*` | has a value that begins so |
//! | `-word` | is not so |
//! | `"two words"`, `key:"two words"` | as without quotes; `\"` and `\\` stand for the characters, `*` for itself |
//!
//! Knows nothing of what lists are made of: a [`Row`] answers for itself.

pub mod limits;

mod key;
mod parse;

pub use key::{Key, Values};

use std::borrow::Cow;
use std::fmt;

use limits::{FILTER_BYTES_MAX, FILTER_WORDS_MAX};

/// What a list is to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    words: Vec<Word>,
}

/// One word of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    negated: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// Lower case.
    Contains(String),
    Has(String, Value),
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// This.
    Exactly(String),
    /// Something that begins so.
    Prefix(String),
}

/// Something that a filter can be tried on.
pub trait Row {
    /// Whether it has a value like this under `key`, which is one of those that the filter was parsed with.
    fn has(&self, key: &str, value: &Value) -> bool;

    /// Whether one of the texts that people see of it contains `needle`, which is in lower case, in any case.
    fn contains(&self, needle: &str) -> bool;
}

/// Why a text is not a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// There is no such key.
    #[error("byte {at}: there is no {key:?} here, only {}; put a word with a colon in quotes to look for it as text", .keys.join(", "))]
    UnknownKey {
        /// Where it begins, in bytes.
        at: usize,
        /// What was written before the colon.
        key: String,
        /// What may be.
        keys: Vec<String>,
    },
    /// No row can have this value under this key.
    #[error("byte {at}: {value:?} is no value of {key:?}, which takes {values}")]
    UnknownValue {
        /// Where the word begins, in bytes.
        at: usize,
        /// The key.
        key: String,
        /// What was written after the colon.
        value: String,
        /// What may be, in words.
        values: String,
    },
    /// Nothing stands after the colon, or between the quotes.
    #[error("byte {at}: {word:?} says nothing to look for")]
    Nothing {
        /// Where it begins, in bytes.
        at: usize,
        /// The word.
        word: String,
    },
    /// A quote has no end.
    #[error("byte {0}: the quote that begins here has no end")]
    OpenQuote(usize),
    /// Something stands right after a quote.
    #[error("byte {0}: a space must stand here, after the quote")]
    Glued(usize),
    /// Longer than [`FILTER_BYTES_MAX`].
    #[error("a filter has at most {FILTER_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// More words than [`FILTER_WORDS_MAX`].
    #[error("a filter has at most {FILTER_WORDS_MAX} words")]
    TooMany,
}

impl Filter {
    /// Reads a filter of a list that knows `keys`. An empty one is true of everything.
    ///
    /// # Errors
    /// [`FilterError`] if it cannot be understood; nothing is guessed.
    pub fn parse(text: &str, keys: &[Key]) -> Result<Self, FilterError> {
        parse::words(text, keys).map(|words| Self { words })
    }

    /// Whether it is true of everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether every word is true of the row.
    pub fn matches(&self, row: &impl Row) -> bool {
        self.words.iter().all(|word| {
            let is_so = match &word.test {
                Test::Contains(needle) => row.contains(needle),
                Test::Has(key, value) => row.has(key, value),
            };
            is_so != word.negated
        })
    }

    /// Whether the words about `key` alone are true of a row that `has` such values.
    #[must_use]
    pub fn allows(&self, key: &str, has: impl Fn(&Value) -> bool) -> bool {
        self.words.iter().all(|word| match &word.test {
            Test::Has(about, value) if about == key => has(value) != word.negated,
            Test::Has(..) | Test::Contains(_) => true,
        })
    }

    /// The one value that everything that matches has under `key`, if there is one: good for an index.
    #[must_use]
    pub fn only(&self, key: &str) -> Option<&str> {
        self.words.iter().find_map(|word| match &word.test {
            Test::Has(has, Value::Exactly(value)) if !word.negated && has == key => Some(value.as_str()),
            _ => None,
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(text) => f.write_str(text),
            Self::Prefix(text) => write!(f, "{text}*"),
        }
    }
}

impl Value {
    /// Whether a text is like this.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        match self {
            Self::Exactly(value) => text == value,
            Self::Prefix(value) => text.starts_with(value.as_str()),
        }
    }

    /// Whether a pair is like this, written as `key=value`; without `=` any value will do.
    #[must_use]
    pub fn is_pair(&self, key: &str, value: &str) -> bool {
        match self {
            Self::Exactly(wanted) => match wanted.split_once('=') {
                Some((wanted_key, wanted)) => wanted_key == key && wanted == value,
                None => wanted == key,
            },
            Self::Prefix(wanted) => match wanted.split_once('=') {
                Some((wanted_key, wanted)) => wanted_key == key && value.starts_with(wanted),
                None => key.starts_with(wanted.as_str()),
            },
        }
    }
}

/// Whether `text` contains `needle`, which is in lower case, in any case.
#[must_use]
pub fn contains(text: &str, needle: &str) -> bool {
    if text.is_ascii() && needle.is_ascii() {
        // The usual case, without an allocation.
        let (text, needle) = (text.as_bytes(), needle.as_bytes());
        return needle.is_empty()
            || text.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle));
    }
    text.to_lowercase().contains(needle)
}

/// A word of a filter that stands for exactly this text: in quotes if it must be.
#[must_use]
pub fn term(key: &str, value: &str) -> String {
    // At the end of a plain word it stands for anything.
    let value = if value.ends_with('*') { in_quotes(value).into() } else { word(value) };
    format!("{key}:{value}")
}

/// A text as one word among others: in quotes if it is empty, or has spaces, quotes or backslashes in it.
#[must_use]
pub fn word(text: &str) -> Cow<'_, str> {
    let plain = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '"' || c == '\\');
    if plain { text.into() } else { in_quotes(text).into() }
}

fn in_quotes(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing;

    impl Row for Thing {
        fn has(&self, key: &str, value: &Value) -> bool {
            match key {
                "pool" => value.is("gpu"),
                "owner" => value.is("job:17"),
                "label" => value.is_pair("site", "ber") || value.is_pair("a b", "c=d"),
                _ => false,
            }
        }

        fn contains(&self, needle: &str) -> bool {
            contains("Gpu-1 in Köln", needle)
        }
    }

    #[track_caller]
    fn check(filter: &str, expected: bool) {
        const KEYS: &[Key] =
            &[Key::any("pool"), Key::any("owner"), Key::any("label"), Key::one_of("is", &["free", "held"])];
        let filter = Filter::parse(filter, KEYS).expect("a filter");
        assert_eq!(filter.matches(&Thing), expected, "{filter:?}");
    }

    #[test]
    fn all_words_must_be_true() {
        check("", true);
        check("  ", true);
        check("pool:gpu", true);
        check("pool:gpu pool:cpu", false);
        check("pool:gpu gpu-1", true);
        check("pool:gpu gpu-2", false);
        check("is:free", false);
    }

    #[test]
    fn text_is_found_in_any_case() {
        check("GPU", true);
        check("gpu köln", true);
        check("KÖLN", true);
        check("\"gpu-1 in\"", true);
        check("\"1  in\"", false);
    }

    #[test]
    fn a_minus_turns_a_word_around() {
        check("-pool:gpu", false);
        check("-pool:cpu", true);
        check("-gpu-2", true);
        check("-\"in k\"", false);
    }

    #[test]
    fn a_star_at_the_end_is_anything() {
        check("pool:g*", true);
        check("pool:*", true);
        check("pool:x*", false);
        check("pool:\"g*\"", false);
        check("label:site=b*", true);
        check("label:si*", true);
    }

    #[test]
    fn labels_are_pairs_or_keys() {
        check("label:site=ber", true);
        check("label:site", true);
        check("label:site=", false);
        check("label:ber", false);
        check("label:\"a b=c=d\"", true);
    }

    #[test]
    fn the_first_colon_ends_the_key() {
        check("owner:job:17", true);
        check("owner:job", false);
    }

    #[test]
    fn a_term_is_read_as_the_text_that_it_was_made_of() {
        for text in ["gpu", "a b", "a\"\\", "a*", "\\", "job:17", "-x", "\u{3000}"] {
            let term = term("pool", text);
            let filter = Filter::parse(&term, &[Key::any("pool")]).expect("a filter");
            assert_eq!(filter.only("pool"), Some(text), "{term}");
        }
        assert_eq!(term("pool", "gpu"), "pool:gpu");
        assert_eq!(term("pool", "a*"), "pool:\"a*\"");
    }

    #[test]
    fn an_index_is_told_what_must_be() {
        let filter = |text: &str| Filter::parse(text, &[Key::any("pool")]).expect("a filter");
        assert_eq!(filter("x pool:gpu").only("pool"), Some("gpu"));
        assert_eq!(filter("-pool:gpu").only("pool"), None);
        assert_eq!(filter("pool:gpu*").only("pool"), None);
        assert_eq!(filter("x").only("pool"), None);
        assert!(filter(" ").is_empty() && !filter("x").is_empty());
        let allows = |text: &str, pools: &[&str]| {
            filter(text).allows("pool", |value| pools.iter().any(|pool| value.is(pool)))
        };
        assert!(allows("x pool:g*", &["gpu"]) && allows("-pool:cpu", &["gpu"]) && allows("x", &[]));
        assert!(!allows("-pool:gpu", &["gpu"]) && !allows("pool:gpu -pool:g*", &["gpu"]));
    }
}
