//! Parameters whose keys may be written in upper or lower case, as programs in Go take them.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

/// Parameters that are read as Go's `encoding/json` reads them: the keys of an object are found whatever their case is, and
/// `null` in place of the whole is an object without keys. An object is never written as a list.
///
/// `type Acquire = AnyCase<Wish>` makes a plugin take what `ConTest` takes. It holds for structs, also in lists and options;
/// of two keys that differ in case only, the second is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnyCase<T>(pub T);

impl<T> Deref for AnyCase<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AnyCase<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Folding { inner: deserializer, outermost: true }).map(Self)
    }
}

/// Hands structs their own keys, whatever the case was that these were written in.
struct Folding<D> {
    inner: D,
    outermost: bool,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Folding<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Within { visitor })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_seq(Within { visitor })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let object = Object { visitor, fields };
        if self.outermost {
            self.inner.deserialize_option(OrNull(object))
        } else {
            self.inner.deserialize_map(object)
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct map identifier ignored_any
    }
}

/// Reads what is in a list or an option.
struct Within<V> {
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Within<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Folding { inner, outermost: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Items(items))
    }
}

/// The items of a list.
struct Items<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Folded(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

/// A value, read with its keys folded.
struct Folded<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Folded<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Folding { inner, outermost: false })
    }
}

/// Reads an object, or null as one without keys.
struct OrNull<V>(Object<V>);

impl<'de, V: Visitor<'de>> Visitor<'de> for OrNull<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.visitor.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visitor.visit_map(Nothing(PhantomData))
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        inner.deserialize_map(self.0)
    }
}

/// An object without keys.
struct Nothing<E>(PhantomData<E>);

impl<'de, E: Error> MapAccess<'de> for Nothing<E> {
    type Error = E;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, E> {
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<S::Value, E> {
        Err(E::custom("there is no value without a key"))
    }
}

/// Reads an object as a struct with these fields.
struct Object<V> {
    visitor: V,
    fields: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Members { members, fields: self.fields })
    }
}

/// The members of an object, with the keys of a struct.
struct Members<A> {
    members: A,
    fields: &'static [&'static str],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(key) = self.members.next_key::<String>()? else { return Ok(None) };
        let same = |field: &&&str| field.to_lowercase() == key.to_lowercase();
        let known = self.fields.iter().find(|field| **field == key).or_else(|| self.fields.iter().find(same));
        seed.deserialize(StrDeserializer::new(known.copied().unwrap_or(&key))).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.members.next_value_seed(Folded(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.members.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::parse;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, rename_all = "PascalCase")]
    struct Wish {
        racks: Option<Vec<Rack>>,
        file_name: String,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, rename_all = "PascalCase")]
    struct Rack {
        #[serde(rename = "ID")]
        id: u8,
    }

    fn read(text: &str) -> Result<AnyCase<Wish>, Vec<String>> {
        parse(text).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keys_are_found_whatever_their_case_is() {
        let wish =
            AnyCase(Wish { racks: Some(vec![Rack { id: 1 }, Rack { id: 2 }]), file_name: "a".to_owned() });
        for text in [
            r#"{"Racks": [{"ID": 1}, {"ID": 2}], "FileName": "a"}"#,
            r#"{"racks": [{"id": 1}, {"Id": 2}], "filename": "a", "other": 1}"#,
            r#"{"RACKS": [{"iD": 1}, {"id": 2, "name": "x"}], "fileName": "a"}"#,
        ] {
            assert_eq!(read(text).as_ref(), Ok(&wish), "{text}");
        }
        assert_eq!(read("null"), Ok(AnyCase::default()));
        assert_eq!(read(r#"{"racks": null}"#), Ok(AnyCase::default()));
    }

    #[test]
    fn a_problem_is_told_where_it_is_written() {
        let mut told = read(r#"{"racks": [{"id": "x"}, null, {"Id": -1}], "FILENAME": 7}"#).unwrap_err();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                "/FILENAME: invalid type: integer `7`, expected a string",
                "/racks/0/id: invalid type: string \"x\", expected u8",
                "/racks/1: invalid type: null, expected struct Rack",
                "/racks/2/Id: invalid value: integer `-1`, expected u8",
            ]
        );
    }

    #[test]
    fn a_list_is_no_object() {
        assert_eq!(read("[]").unwrap_err(), ["invalid type: sequence, expected struct Wish"]);
        assert!(read(r#"{"racks": [[7]]}"#).is_err());
        assert!(read(r#"{"Racks": null, "racks": null}"#).unwrap_err()[0].contains("duplicate field"));
    }
}
