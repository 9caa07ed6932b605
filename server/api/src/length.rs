//! Lengths of time as people write them, which is also how pages print them: `90s`, `1h30m`, `2 d 3 h`, `10 min`.
//!
//! On the wire they are Go's (`time.rs`), which knows no days.

use lessor_control::go_duration;
use lessor_ledger::Span;

/// Why a text is no length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LengthError {
    /// A number, which could be of anything.
    #[error("{0} of what? Write 30m, 2h or 90s")]
    Bare(String),
    /// It says less than nothing.
    #[error("{0} is less than nothing")]
    Negative(String),
    /// Neither number nor unit, or not one after the other.
    #[error("{0:?} is no length: write it like 90s, 30m, 1h30m or 2d")]
    Unreadable(String),
    /// It does not fit.
    #[error("{0} is longer than 292 years")]
    TooLong(String),
}

/// Reads a length: numbers, each with a unit after it. A day has 24 hours.
///
/// # Errors
/// [`LengthError`], in the words of the reader.
pub(crate) fn read(text: &str) -> Result<Span, LengthError> {
    let text = text.trim();
    if text == "0" {
        return Ok(Span::ZERO);
    }
    if text.starts_with('-') {
        return Err(LengthError::Negative(text.to_owned()));
    }
    let unreadable = || LengthError::Unreadable(text.to_owned());
    let too_long = || LengthError::TooLong(text.to_owned());
    let (mut rest, mut nanos) = (text, 0_i64);
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after.trim_start(), char::is_alphabetic);
        if unit.is_empty() && number == text {
            return Err(LengthError::Bare(text.to_owned()));
        }
        let (unit, times) = unit_of(unit).filter(|_| number.contains(is_digit)).ok_or_else(unreadable)?;
        if number.matches('.').count() > 1 {
            return Err(unreadable());
        }
        let part = go_duration::parse(&format!("{number}{unit}")).map_err(|_| too_long())?;
        nanos =
            part.nanos().checked_mul(times).and_then(|part| nanos.checked_add(part)).ok_or_else(too_long)?;
        rest = after.trim_start();
    }
    if text.is_empty() { Err(unreadable()) } else { Ok(Span::from_nanos(nanos)) }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// What a text begins with, and the rest.
fn split(text: &str, begins: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !begins(c)).unwrap_or(text.len()))
}

/// Go's unit, and how many of it.
fn unit_of(unit: &str) -> Option<(&'static str, i64)> {
    Some(match &*unit.to_lowercase() {
        "d" | "day" | "days" => ("h", 24),
        "h" | "hour" | "hours" => ("h", 1),
        "m" | "min" | "minute" | "minutes" => ("m", 1),
        "s" | "sec" | "second" | "seconds" => ("s", 1),
        "ms" => ("ms", 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pages_print_is_read_back() {
        for seconds in [0, 59, 60, 245, 3_600, 3_660, 86_400, 97_200, 2_592_000] {
            assert_eq!(read(&lessor_web::length(seconds)), Ok(Span::from_secs(seconds)), "{seconds}");
        }
    }

    #[test]
    fn lengths_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("2d", 172_800),
            ("1 day", 86_400),
            ("1h30m", 5_400),
            (" 1.5 H ", 5_400),
            ("10 min", 600),
            ("2 hours 5 minutes", 7_500),
            ("90s", 90),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(read(text), Ok(Span::from_secs(seconds)), "{text}");
        }
        assert_eq!(read("500ms"), Ok(Span::from_millis(500)));
    }

    #[test]
    fn what_is_no_length_is_said_in_the_words_of_the_reader() {
        let said = |text| read(text).expect_err("no length").to_string();
        assert_eq!(said("30"), "30 of what? Write 30m, 2h or 90s");
        assert_eq!(said("-1h"), "-1h is less than nothing");
        assert_eq!(said("soon"), "\"soon\" is no length: write it like 90s, 30m, 1h30m or 2d");
        for text in ["", "h", ".h", "1h30", "1..5h", "1 fortnight", "2h!"] {
            assert_eq!(read(text), Err(LengthError::Unreadable(text.to_owned())), "{text}");
        }
        for text in ["200000d", "99999999999999999999h"] {
            assert_eq!(read(text), Err(LengthError::TooLong(text.to_owned())), "{text}");
        }
    }
}
