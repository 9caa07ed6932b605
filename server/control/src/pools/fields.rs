//! Reading fields of a map, each with its place for the error text.

use std::collections::BTreeMap;
use std::sync::Arc;

use lessor_ledger::{Span, Text};

use super::scalar;
use super::yaml::Value;
use crate::go_duration::{self, DurationError};

/// Why a value cannot be what it stands for. The place is a path such as `.0.names.1`, as in Boskos' texts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It is something else.
    #[error("{place}: must be {wanted}, not {found}")]
    Kind {
        /// Where.
        place: String,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// It is not a duration.
    #[error("{place}: {cause}")]
    Duration {
        /// Where.
        place: String,
        /// Why not; part of the text, because the text is shown alone.
        cause: DurationError,
    },
    /// It is out of range, or not of the right form.
    #[error("{place}: {why}")]
    Value {
        /// Where.
        place: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A map and its place in the file.
pub(super) struct Fields<'a> {
    map: &'a BTreeMap<String, Value>,
    place: String,
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a bool",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

fn mismatch(place: &str, wanted: &'static str, found: &Value) -> FieldError {
    FieldError::Kind { place: place.to_owned(), wanted, found: kind(found) }
}

pub(super) fn wrong(place: &str, why: impl std::fmt::Display) -> FieldError {
    FieldError::Value { place: place.to_owned(), why: why.to_string() }
}

pub(super) fn text(value: &Value, place: &str) -> Result<String, FieldError> {
    match value {
        // A JSON null leaves a Go string empty.
        Value::Null => Ok(String::new()),
        value => scalar::text_of(value).ok_or_else(|| mismatch(place, "a text", value)),
    }
}

fn int(value: &Value, place: &str) -> Result<i64, FieldError> {
    let int = match value {
        Value::Int(int) => i64::try_from(*int).ok(),
        // A JSON number without a fraction is an int, however it was written.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
        Value::Float(float) if float.fract() == 0.0 && float.abs() < 9e18 => Some(*float as i64),
        _ => None,
    };
    int.ok_or_else(|| mismatch(place, "a whole number", value))
}

fn span(value: &Value, place: &str) -> Result<Span, FieldError> {
    match value {
        Value::Text(text) => {
            go_duration::parse(text).map_err(|cause| FieldError::Duration { place: place.to_owned(), cause })
        }
        value => int(value, place)
            .map(Span::from_nanos)
            .map_err(|_| mismatch(place, "a duration such as 1h30m, or whole nanoseconds", value)),
    }
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, place: String) -> Result<Self, FieldError> {
        match value {
            Value::Map(map) => Ok(Self { map, place }),
            value => Err(mismatch(&place, "a map", value)),
        }
    }

    /// The value of a key, whatever its case; of several, the one that Go's JSON reader meets last. A key without
    /// a value is as good as none.
    fn get(&self, key: &str) -> Option<(&'a Value, String)> {
        let mut matching = self
            .map
            .iter()
            .rev()
            .filter(|(name, value)| name.eq_ignore_ascii_case(key) && **value != Value::Null);
        matching.next().map(|(_, value)| (value, self.at(key)))
    }

    pub(super) fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.place)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, FieldError> {
        self.get(key).map(|(value, place)| text(value, &place)).transpose()
    }

    pub(super) fn int(&self, key: &str) -> Result<Option<i64>, FieldError> {
        self.get(key).map(|(value, place)| int(value, &place)).transpose()
    }

    pub(super) fn span(&self, key: &str) -> Result<Option<Span>, FieldError> {
        self.get(key).map(|(value, place)| span(value, &place)).transpose()
    }

    /// A span that must be longer than nothing.
    pub(super) fn positive_span(&self, key: &str) -> Result<Option<Span>, FieldError> {
        match self.span(key)? {
            Some(span) if !span.is_positive() => Err(wrong(&self.at(key), "must be >0")),
            span => Ok(span),
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<&'a [Value], FieldError> {
        match self.get(key) {
            None => Ok(&[]),
            Some((Value::List(list), _)) => Ok(list),
            Some((value, place)) => Err(mismatch(&place, "a list", value)),
        }
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, FieldError> {
        let list = self.list(key)?.iter().enumerate();
        list.map(|(index, value)| text(value, &format!("{}.{index}", self.at(key)))).collect()
    }

    pub(super) fn map(&self, key: &str) -> Result<Option<Self>, FieldError> {
        self.get(key).map(|(value, place)| Self::of(value, place)).transpose()
    }

    /// The value of a key as it is, for a key with several forms.
    pub(super) fn any(&self, key: &str) -> Option<&'a Value> {
        self.get(key).map(|(value, _)| value)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Value, String)> {
        self.map.iter().map(|(key, value)| (key, value, self.at(key)))
    }

    pub(super) fn text_map(&self) -> Result<BTreeMap<Text, Text>, FieldError> {
        self.entries()
            .map(|(key, value, place)| Ok((Arc::from(key.as_str()), text(value, &place)?.into())))
            .collect()
    }

    pub(super) fn int_map(&self) -> Result<BTreeMap<Text, i64>, FieldError> {
        let entries = self.entries().filter(|(_, value, _)| **value != Value::Null);
        entries.map(|(key, value, place)| Ok((Arc::from(key.as_str()), int(value, &place)?))).collect()
    }
}
