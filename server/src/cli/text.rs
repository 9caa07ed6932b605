//! Text from the server, made safe to show.
//!
//! Names, purposes and reasons are written by other people. Shown as they are, they could move the cursor, rewrite
//! the screen or reverse the direction of writing.

use std::borrow::Cow;

use lessor_web::is_invisible;

/// `text` with everything invisible replaced by U+FFFD, so that it is seen that something was there.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains(is_invisible) {
        Cow::Owned(text.replace(is_invisible, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The same of a text of several lines, which stay lines.
pub(crate) fn clean_lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

/// A name for a line of its own that a script reads: as it is, or as a JSON string if it holds something invisible, which
/// could end the line as well.
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    if text.contains(is_invisible) { Cow::Owned(json(&text.into(), false)) } else { Cow::Borrowed(text) }
}

/// Writes JSON whose strings hold no invisible character: those that JSON would let through are escaped, which means
/// the same to every reader.
pub(crate) struct SafeJson<F>(pub(crate) F);

impl<F: serde_json::ser::Formatter> serde_json::ser::Formatter for SafeJson<F> {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> std::io::Result<()>
    where
        W: ?Sized + std::io::Write,
    {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_invisible) {
            let (plain, tail) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let invisible = tail.chars().next().expect("found there");
            for unit in invisible.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &tail[invisible.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    // All other methods are forwarded, because the layout is the inner formatter's business.
    fn begin_array<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.begin_array(writer)
    }
    fn end_array<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.end_array(writer)
    }
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        self.0.begin_array_value(writer, first)
    }
    fn end_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.end_array_value(writer)
    }
    fn begin_object<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.begin_object(writer)
    }
    fn end_object<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.end_object(writer)
    }
    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        self.0.begin_object_key(writer, first)
    }
    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.begin_object_value(writer)
    }
    fn end_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// `value` as JSON in which nothing is hostile, over several lines if `pretty`.
pub(crate) fn json(value: &serde_json::Value, pretty: bool) -> String {
    use serde::Serialize as _;
    use serde_json::ser::{CompactFormatter, PrettyFormatter, Serializer};
    let mut bytes = Vec::new();
    let written = if pretty {
        value.serialize(&mut Serializer::with_formatter(&mut bytes, SafeJson(PrettyFormatter::new())))
    } else {
        value.serialize(&mut Serializer::with_formatter(&mut bytes, SafeJson(CompactFormatter)))
    };
    written.expect("a value has only string keys, and a vector takes every byte");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_colours_and_reversals_do_not_reach_the_terminal() {
        assert_eq!(
            clean("a\x1b[31mb\u{9b}0m\u{202e}c\r\n"),
            "a\u{fffd}[31mb\u{fffd}0m\u{fffd}c\u{fffd}\u{fffd}"
        );
        assert_eq!(clean("Prüfstand 7 ✓"), "Prüfstand 7 ✓");
    }

    #[test]
    fn a_name_is_exact_and_stays_on_its_line() {
        assert_eq!(name("Prüfstand 7"), "Prüfstand 7");
        assert_eq!(name("a\nb\u{1b}[2J"), r#""a\nb\u001b[2J""#);
    }

    #[test]
    fn json_escapes_what_json_itself_would_let_through_and_means_the_same() {
        let value = serde_json::json!({ "na\u{7f}me": "x\u{9b}y\u{202e}z\u{1b}\u{e0041}", "n": [1, "ü"] });
        let text = json(&value, false);
        assert!(!text.contains(is_invisible), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json(&value, true)).expect("JSON"), value);
    }
}
