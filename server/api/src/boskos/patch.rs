//! The body of `/update`: user data to merge, read as Go's `json.Decoder` reads it.
//!
//! Only the first JSON value counts, whatever follows it. No body, white space, `null` and `{}` are no patch. A
//! `null` value is an empty string, which deletes the key. Bytes that are not UTF-8 become U+FFFD, one each.

use std::collections::BTreeMap;
use std::fmt;

use lessor_ledger::Text;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Why a body is not a patch; the texts are Go's where Go's are short.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The value is not complete.
    #[error("unexpected EOF")]
    Truncated,
    /// It is JSON, but not an object of strings.
    #[error("json: cannot unmarshal into an object of strings: {0}")]
    Shape(#[source] serde_json::Error),
    /// It is not JSON.
    #[error("invalid JSON: {0}")]
    Syntax(#[source] serde_json::Error),
    /// A control character stands in a string as it is.
    #[error("invalid character {0:?} in string literal")]
    Control(char),
}

/// Reads a body.
///
/// # Errors
/// [`Error`] if its first value is not `null` and not an object of strings.
pub(super) fn read(body: &[u8]) -> Result<BTreeMap<Text, Text>, Error> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Patch>();
    match values.next() {
        None => Ok(BTreeMap::new()),
        Some(Ok(patch)) => match raw_control(&body[..values.byte_offset()]) {
            None => Ok(patch.0),
            Some(control) => Err(Error::Control(control)),
        },
        Some(Err(error)) if error.is_eof() => Err(Error::Truncated),
        Some(Err(error)) if error.is_data() => Err(Error::Shape(error)),
        Some(Err(error)) => Err(Error::Syntax(error)),
    }
}

/// The first control character inside a string, which the reader of raw bytes lets pass.
fn raw_control(json: &[u8]) -> Option<char> {
    let (mut inside, mut escaped) = (false, false);
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = inside,
            b'"' => inside = !inside,
            ..b' ' if inside => return Some(char::from(byte)),
            _ => {}
        }
    }
    None
}

struct Patch(BTreeMap<Text, Text>);

impl<'de> Deserialize<'de> for Patch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Patch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Patch, E> {
        Ok(Patch(BTreeMap::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Patch, A::Error> {
        let mut patch = BTreeMap::new();
        while let Some(key) = map.next_key_seed(Lossy)? {
            patch.insert(key, map.next_value_seed(Nullable)?);
        }
        Ok(Patch(patch))
    }
}

/// A string or `null`.
struct Nullable;

impl<'de> DeserializeSeed<'de> for Nullable {
    type Value = Text;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Nullable {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_none<E>(self) -> Result<Text, E> {
        Ok("".into())
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok("".into())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        Lossy.deserialize(deserializer)
    }
}

/// A string, in which what is not text is replaced.
struct Lossy;

impl<'de> DeserializeSeed<'de> for Lossy {
    type Value = Text;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for Lossy {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(text.into())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text, E> {
        Ok(lossy(bytes).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Text, A::Error> {
        Err(A::Error::custom("an array is not a string"))
    }
}

/// Text with U+FFFD for each half of a surrogate pair on its own and each byte that is not UTF-8.
fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (valid, bad) = match std::str::from_utf8(rest) {
            Ok(valid) => (valid.len(), 0),
            Err(error) => {
                let valid = error.valid_up_to();
                (valid, if is_surrogate(&rest[valid..]) { 3 } else { 1 })
            }
        };
        text.push_str(std::str::from_utf8(&rest[..valid]).expect("checked up to here"));
        if bad > 0 {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        rest = &rest[valid + bad..];
    }
    text
}

/// Whether half a surrogate pair comes first; the JSON reader passes `\ud800` on in three bytes.
fn is_surrogate(bytes: &[u8]) -> bool {
    matches!(bytes, [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &[u8]) -> String {
        match read(body) {
            Ok(patch) => patch.iter().flat_map(|(key, value)| [&**key, "=", &**value, ";"]).collect(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn bodies_are_read_as_go_reads_them() {
        for (body, expected) in [
            (&b""[..], ""),
            (b" \t\r\n", ""),
            (b"null", ""),
            (b"{}", ""),
            (b"{\"a\":\"b\"}\n", "a=b;"),
            (b" {\"a\":\"b\"} trailing", "a=b;"),
            (b"{\"a\":\"b\"}{\"c\":1}", "a=b;"),
            (b"{\"a\":\"1\",\"a\":\"2\"}", "a=2;"),
            (b"{\"a\":null,\"\":\"e\"}", "=e;a=;"),
            (b"{\"\\u00e4\":\"\\ud83e\\udd80\"}", "ä=🦀;"),
            (b"{\"a\":\"\\ud800x\"}", "a=\u{fffd}x;"),
            (b"{\"a\":\"x\xffy\xc3\"}", "a=x\u{fffd}y\u{fffd};"),
            (b"{\"\xff\":\"v\"}", "\u{fffd}=v;"),
        ] {
            assert_eq!(shown(body), expected, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn what_is_not_an_object_of_strings_is_refused() {
        for body in [
            &b"[1]"[..],
            b"{\"a\":1}",
            b"{\"a\":[]}",
            b"{\"a\":{}}",
            b"{\"a\":true}",
            b"\"a\"",
            b"1",
            b"true",
        ] {
            let text = String::from_utf8_lossy(body);
            assert!(matches!(read(body), Err(Error::Shape(_))), "{text}: {:?}", read(body));
        }
        for body in [&b"{"[..], b"{\"a\"", b"{\"a\":", b"{\"a\":\"b", b"{\"a\":\"b\"", b"nul"] {
            assert!(matches!(read(body), Err(Error::Truncated)), "{}", String::from_utf8_lossy(body));
        }
        for body in [&b"x"[..], b"{a:1}", b"{\"a\":\"b\",}", b"\xff", b"nullx", b"{\"a\":\"\\x\"}"] {
            assert!(matches!(read(body), Err(Error::Syntax(_))), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_control_character_in_a_string_is_refused() {
        for body in [&b"{\"a\":\"\n\"}"[..], b"{\"\0\":\"\"}", b"{\"a\\\\\":\"\\\"\t\"}"] {
            assert!(matches!(read(body), Err(Error::Control(_))), "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(shown(b"{\n\"a\\n\"\t:\"\\\\\"}\n\0"), "a\n=\\;");
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = [b"{\"a\":".repeat(100_000), b"\"x\"".to_vec()].concat();
        assert!(matches!(read(&deep), Err(Error::Shape(_))));
    }
}
