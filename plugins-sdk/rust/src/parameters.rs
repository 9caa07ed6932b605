//! Parameters: JSON text in, a type of the plugin's own out, with messages that say where it is wrong.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_path_to_error::{Path, Segment};

use crate::problem::Problem;

/// Reads parameters.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Problem>> {
    if text.is_empty() {
        let message = "the parameters are missing: write {} or null where there are none".to_owned();
        return Err(vec![Problem { path: String::new(), message }]);
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| vec![Problem { path: pointer(error.path()), message: error.inner().to_string() }])?;
    let end = reader.end();
    end.map_err(|error| vec![Problem { path: String::new(), message: error.to_string() }])?;
    Ok(value)
}

/// A JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let steps = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    steps.collect()
}

/// For a call that takes no parameters: any JSON object, or null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoParameters;

impl<'de> Deserialize<'de> for NoParameters {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Null | serde_json::Value::Object(_) => Ok(Self),
            _ => Err(D::Error::custom("a JSON object or null is expected")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn problem<T: DeserializeOwned>(text: &str) -> String {
        parse::<T>(text).map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_problem_says_where() {
        type Nested = BTreeMap<String, Vec<u8>>;
        assert!(problem::<Nested>(r#"{"a/b": [1, -2]}"#).starts_with("/a~1b/1: invalid value: integer `-2`"));
        assert!(problem::<Nested>("{} {}").starts_with("trailing characters"));
        assert!(problem::<Nested>("{").starts_with("EOF while parsing"));
        assert!(problem::<Nested>("").contains("are missing"));
    }

    #[test]
    fn no_parameters_are_an_object_or_null() {
        for fine in ["null", "{}", r#"{"a": 1}"#] {
            assert_eq!(parse::<NoParameters>(fine), Ok(NoParameters), "{fine}");
        }
        for bad in ["", "[]", "7", "nul"] {
            assert!(parse::<NoParameters>(bad).is_err(), "{bad}");
        }
    }
}
