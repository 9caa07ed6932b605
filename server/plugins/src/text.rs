//! Text that a guest made, cut and cleaned before anybody sees it.

/// Cuts text to so many bytes at the border of a character, puts a space for each line end and tab, and replaces other control
/// characters.
pub(crate) fn tame(text: &str, bytes_max: usize) -> String {
    let end = text.floor_char_boundary(bytes_max);
    let tamed = text[..end].chars().map(|c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    });
    tamed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced_and_long_text_is_cut_between_characters() {
        assert_eq!(tame("a\u{1b}[31m\nb", 100), "a\u{fffd}[31m b");
        assert_eq!(tame("äöü", 3), "ä");
        assert_eq!(tame("", 0), "");
    }
}
