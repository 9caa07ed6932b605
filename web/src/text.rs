//! Text that somebody else wrote: shown as text, whatever is in it.

use std::fmt::{self, Write as _};

/// Most characters of one text that a page shows; the rest becomes an ellipsis. The API gives all of it.
///
/// A purpose may have 4 KiB and a page has a hundred rows; nobody reads more than two lines of a cell.
pub const SHOWN_CHARS_MAX: usize = 240;

/// A name, purpose, message, … of a user.
///
/// Displayed with control characters made visible, so that neither a terminal nor a bidirectional override in it can
/// make the page say something else, and cut at [`SHOWN_CHARS_MAX`]. Escaping is the template's business.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(String);

impl Text {
    /// The text as it is: for links and for the values of form fields.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, c) in self.0.chars().enumerate() {
            if index == SHOWN_CHARS_MAX {
                return f.write_char('…');
            }
            f.write_char(visible(c))?;
        }
        Ok(())
    }
}

/// A character as it is shown: control characters have pictures of their own in Unicode, what turns the direction of
/// text around has none.
fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => ' ',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if is_invisible(c) => '\u{fffd}',
        c => c,
    }
}

/// Whether a character has no shape of its own, so that two texts could look the same, or changes how what is around
/// it is shown: controls, what directs the flow of text or breaks lines, spaces without width, fillers, tags.
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_invisible_becomes_visible() {
        let shown = |text: &str| Text::from(text).to_string();
        assert_eq!(shown("gpu-1"), "gpu-1");
        assert_eq!(shown("a\0b\x1b[31m"), "a␀b␛[31m");
        assert_eq!(shown("a\u{202e}b\u{200f}"), "a\u{fffd}b\u{fffd}");
        for c in ['\u{ad}', '\u{61c}', '\u{200b}', '\u{200d}', '\u{2060}', '\u{3164}', '\u{e0041}'] {
            assert_eq!(shown(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
        assert_eq!(shown("two\nlines"), "two lines");
        assert_eq!(shown("שלום"), "שלום");
    }

    #[test]
    fn what_is_long_is_cut_and_kept() {
        let long = Text::from("ü".repeat(10_000));
        assert_eq!(long.to_string().chars().count(), SHOWN_CHARS_MAX + 1);
        assert!(long.to_string().ends_with('…'));
        assert_eq!(long.raw().len(), 20_000);
        let fits = "x".repeat(SHOWN_CHARS_MAX);
        assert_eq!(Text::from(fits.as_str()).to_string(), fits);
    }
}
