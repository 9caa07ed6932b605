//! Quotes by RFC 4180: a field is quoted from its first to its last character, or not at all. The reader of the lines is not
//! as strict, and would take what `ConTest` refuses.

/// Where in a line the check is.
#[derive(Clone, Copy)]
enum Place {
    /// Before the first character of a field.
    Start,
    /// In a field without quotes.
    Plain,
    /// Between the quotes of a field, which began in this line.
    Quoted(usize),
    /// After a quote in quotes: it ends them, or is the first of two that stand for one. They began in this line.
    Closing(usize),
}

/// # Errors
///
/// Where a quote stands that may not, with the line.
pub(crate) fn check(content: &[u8]) -> Result<(), String> {
    let (mut line, mut place) = (1, Place::Start);
    for byte in content {
        place = match (place, byte) {
            (Place::Start, b'"') => Place::Quoted(line),
            (Place::Plain, b'"') => {
                return Err(format!("line {line}: a quote in a field that does not begin with one"));
            }
            (Place::Quoted(since), b'"') => Place::Closing(since),
            (Place::Closing(since), b'"') => Place::Quoted(since),
            (Place::Quoted(_), _) => place,
            (_, b',' | b'\r' | b'\n') => Place::Start,
            (Place::Closing(_), _) => {
                return Err(format!("line {line}: text after the closing quote of a field"));
            }
            (Place::Start | Place::Plain, _) => Place::Plain,
        };
        line += usize::from(*byte == b'\n');
    }
    match place {
        Place::Quoted(since) => Err(format!("line {since}: a quote that is never closed")),
        Place::Start | Place::Plain | Place::Closing(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_field_is_quoted_as_a_whole_or_not_at_all() {
        for good in ["", "a,b\n", "\"a\",\"b,\"\"c\"\"\"\r\n\"\"\n", "\"two\nlines\",x", ",\"\""] {
            assert_eq!(check(good.as_bytes()), Ok(()), "{good}");
        }
        let cases = [
            ("a,f\"x,,", "line 1: a quote in a field that does not begin with one"),
            ("a,,,\nb, \"f\",,", "line 2: a quote in a field that does not begin with one"),
            ("\"two\nlines\" ,x", "line 2: text after the closing quote of a field"),
            ("a\n\"b\n\nc", "line 2: a quote that is never closed"),
        ];
        for (bad, why) in cases {
            assert_eq!(check(bad.as_bytes()), Err(why.to_owned()), "{bad}");
        }
    }
}
