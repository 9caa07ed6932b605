//! A YAML document as a tree of plain values, read as Boskos reads it: YAML 1.1 scalars, merge keys, the first
//! document only, the later of two equal keys. Depth and size are bounded.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};

use super::scalar;
use crate::limits::{POOLS_FILE_DEPTH_MAX, POOLS_FILE_VALUES_MAX};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    /// Sorted by key: the order in which the keys of a JSON object are decoded.
    Map(BTreeMap<String, Value>),
}

/// Why a text is not a document that can be read.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// It is not YAML.
    #[error("not YAML: {0}")]
    Syntax(#[from] ScanError),
    /// It is nested too deeply.
    #[error("nested more than {POOLS_FILE_DEPTH_MAX} deep at line {line}")]
    Deep {
        /// Where, counted from 1.
        line: usize,
    },
    /// It has too many values.
    #[error("more than {POOLS_FILE_VALUES_MAX} values, aliases counted as what they stand for")]
    Large,
    /// A key cannot be a text.
    #[error("a key must be a single value, at line {line}")]
    Key {
        /// Where, counted from 1.
        line: usize,
    },
    /// A merge key merges something else than maps.
    #[error("a merge key needs a map or a list of maps, at line {line}")]
    Merge {
        /// Where, counted from 1.
        line: usize,
    },
    /// A tag does not fit its value.
    #[error("cannot read {text:?} as {tag}, at line {line}")]
    Tag {
        /// The value.
        text: String,
        /// Its tag.
        tag: String,
        /// Where, counted from 1.
        line: usize,
    },
    /// An alias stands within what it stands for.
    #[error("an alias contains itself, at line {line}")]
    Cycle {
        /// Where, counted from 1.
        line: usize,
    },
}

/// Reads the first document of `text`; [`Value::Null`] if there is none.
pub(super) fn read(text: &str) -> Result<Value, YamlError> {
    let parser = Parser::new_from_str(text);
    let mut reader = Reader { parser, anchors: BTreeMap::new(), values: 0, depth: 0 };
    loop {
        match reader.next()?.0 {
            Event::StreamEnd => return Ok(Value::Null),
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                let (event, line) = reader.next()?;
                return reader.value(event, line);
            }
            _ => unreachable!("a value comes only after the start of a document"),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// What an alias stands for, and how many values that is.
    anchors: BTreeMap<usize, (Value, usize)>,
    values: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, usize), YamlError> {
        match self.parser.next_event() {
            Some(event) => {
                let (event, span) = event?;
                Ok((event, span.start.line()))
            }
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn count(&mut self, values: usize) -> Result<(), YamlError> {
        self.values += values;
        if self.values > POOLS_FILE_VALUES_MAX { Err(YamlError::Large) } else { Ok(()) }
    }

    /// The value that `event` begins.
    fn value(&mut self, event: Event<'a>, line: usize) -> Result<Value, YamlError> {
        let before = self.values;
        self.count(1)?;
        let (value, anchor) = match event {
            Event::Alias(anchor) => {
                let (value, values) = self.anchors.get(&anchor).cloned().ok_or(YamlError::Cycle { line })?;
                self.count(values)?;
                (value, 0)
            }
            Event::Scalar(text, style, anchor, tag) => {
                (scalar_value(&text, style, tag.as_deref(), line)?, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.nested(line, Self::list)?, anchor),
            Event::MappingStart(anchor, _) => (self.nested(line, Self::map)?, anchor),
            _ => (Value::Null, 0),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), self.values - before));
            self.count(self.values - before)?;
        }
        Ok(value)
    }

    fn nested(
        &mut self,
        line: usize,
        read: impl FnOnce(&mut Self) -> Result<Value, YamlError>,
    ) -> Result<Value, YamlError> {
        if self.depth == POOLS_FILE_DEPTH_MAX {
            return Err(YamlError::Deep { line });
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, YamlError> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Ok(Value::List(list)),
                (event, line) => list.push(self.value(event, line)?),
            }
        }
    }

    fn map(&mut self) -> Result<Value, YamlError> {
        let mut map = BTreeMap::new();
        loop {
            let (event, line) = self.next()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                return Ok(Value::Map(map));
            }
            let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.value(event, line)?;
            let (event, _) = self.next()?;
            let value = self.value(event, line)?;
            if merge {
                merge_into(&mut map, value, line)?;
            } else {
                let key = scalar::text_of(&key).ok_or(YamlError::Key { line })?;
                map.insert(key, value);
            }
        }
    }
}

/// Puts the entries of one map, or of several of which the earlier count more, into `map`.
fn merge_into(map: &mut BTreeMap<String, Value>, value: Value, line: usize) -> Result<(), YamlError> {
    match value {
        Value::Map(other) => map.extend(other),
        Value::List(others) => {
            for other in others.into_iter().rev() {
                let Value::Map(other) = other else { return Err(YamlError::Merge { line }) };
                map.extend(other);
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => {
            return Err(YamlError::Merge { line });
        }
    }
    Ok(())
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Result<Value, YamlError> {
    let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    let plain = style == ScalarStyle::Plain;
    match core {
        None if plain && tag.is_none() => Ok(scalar::resolve(text)),
        None | Some("str") => Ok(Value::Text(text.to_owned())),
        Some(core) => {
            let value = scalar::resolve(text);
            let fits = match (core, &value) {
                ("int", Value::Int(_))
                | ("float", Value::Float(_))
                | ("bool", Value::Bool(_))
                | ("null", Value::Null) => true,
                #[expect(clippy::cast_precision_loss, reason = "a float is what was asked for")]
                ("float", Value::Int(int)) => return Ok(Value::Float(*int as f64)),
                _ => false,
            };
            let error = || YamlError::Tag { text: text.to_owned(), tag: format!("!!{core}"), line };
            if fits { Ok(value) } else { Err(error()) }
        }
    }
}
