//! JSON objects. What serde derives for a struct also takes a list of its fields, by their order in the source; a client
//! that sends a list by mistake must not have it taken for something else.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A value that is written as an object, and in no other way.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// For a field that is an object, null or left out.
pub(crate) fn optional<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let given = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(given.map(|Object(value)| value))
}

/// For a field that is a list of objects, null or left out.
pub(crate) fn optional_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let given = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(given.map(|list| list.into_iter().map(|Object(value)| value).collect()))
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: String,
        #[serde(default, deserialize_with = "optional")]
        inner: Option<Inner>,
        #[serde(default, deserialize_with = "optional_list")]
        list: Option<Vec<Inner>>,
    }

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    struct Inner {
        count: u32,
    }

    fn read(text: &str) -> Result<Body, String> {
        serde_json::from_str(text).map(|Object(body)| body).map_err(|error| error.to_string())
    }

    #[test]
    fn an_object_is_taken_and_a_list_is_not() {
        let body = read(r#"{"name": "x", "inner": {"count": 1}, "list": [{"count": 2}]}"#).expect("objects");
        let inner = |count| Inner { count };
        assert_eq!(body, Body { name: "x".into(), inner: Some(inner(1)), list: Some(vec![inner(2)]) });
        assert_eq!(read(r#"{"name": "x", "inner": null}"#).expect("nothing").inner, None);
        for list in [r#"["x"]"#, r#"{"name": "x", "inner": [1]}"#, r#"{"name": "x", "list": [[2]]}"#] {
            let refused = read(list).expect_err(list);
            assert!(refused.starts_with("invalid type: sequence, expected an object"), "{refused}");
        }
        assert!(read(r#"{"name": "x", "more": 1}"#).expect_err("it is unknown").starts_with("unknown field"));
    }
}
