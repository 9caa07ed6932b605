//! What may stand before a colon, and after it.

use crate::Value;

/// A key that a list knows.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// What stands before the colon.
    pub name: &'static str,
    /// What may stand after it.
    pub values: Values,
}

/// What may stand after a colon. A value that no row can have is an error, so that nobody takes a typo for an empty list.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// Anything.
    Any,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// What `fits`; `words` say what that is.
    Like {
        /// Whether a value is one.
        fits: fn(&Value) -> bool,
        /// What it takes, as in "which takes a number".
        words: &'static str,
    },
}

impl Key {
    /// A key with any value.
    #[must_use]
    pub const fn any(name: &'static str) -> Self {
        Self { name, values: Values::Any }
    }

    /// A key with one of these values.
    #[must_use]
    pub const fn one_of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self { name, values: Values::OneOf(values) }
    }

    /// A key with a value that `fits`.
    #[must_use]
    pub const fn like(name: &'static str, fits: fn(&Value) -> bool, words: &'static str) -> Self {
        Self { name, values: Values::Like { fits, words } }
    }
}

impl Values {
    /// Whether a row may have a value like this.
    pub(crate) fn take(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(values) => values.iter().any(|known| value.is(known)),
            Self::Like { fits, .. } => fits(value),
        }
    }

    /// What may stand there, in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::OneOf(values) => values.join(", "),
            Self::Like { words, .. } => (*words).to_owned(),
        }
    }
}
