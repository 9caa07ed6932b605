//! Durations as Go writes them: `1h30m`, `1.5s`, `-300ms`.
//!
//! The Boskos and `ConTest` wires and the pools file use Go's grammar, so what Go takes is taken and what Go refuses
//! is refused, in Go's words: `[+-]?(number unit)+` with the units `ns`, `us`, `µs`, `ms`, `s`, `m` and `h`, or a
//! bare `0`. The range is that of [`Span`]: about ±292 years.

use std::fmt::Write;

use lessor_ledger::Span;

/// Why a text is not a duration. The texts are Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It does not follow the grammar, or does not fit.
    #[error("time: invalid duration {}", quote(.0))]
    Invalid(String),
    /// A number has no unit.
    #[error("time: missing unit in duration {}", quote(.0))]
    MissingUnit(String),
    /// A unit is none.
    #[error("time: unknown unit {} in duration {}", quote(.unit), quote(.text))]
    UnknownUnit {
        /// What stands where a unit is expected.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// The largest magnitude: that of the smallest [`Span`].
const MAGNITUDE_MAX: u64 = 1 << 63;

/// Reads a duration.
///
/// # Errors
/// [`DurationError`] if Go's `time.ParseDuration` would refuse it.
pub fn parse(text: &str) -> Result<Span, DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if unsigned == "0" {
        return Ok(Span::ZERO);
    }
    if unsigned.is_empty() {
        return Err(invalid());
    }
    let mut rest = unsigned;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = Number::read(rest).ok_or_else(invalid)?;
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(DurationError::MissingUnit(text.to_owned()));
        }
        let nanos = nanos_in(unit)
            .ok_or_else(|| DurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() })?;
        let part = number.times(nanos).ok_or_else(invalid)?;
        total = total.checked_add(part).filter(|&total| total <= MAGNITUDE_MAX).ok_or_else(invalid)?;
        rest = after;
    }
    let nanos = if negative { 0i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() };
    nanos.map(Span::from_nanos).ok_or_else(invalid)
}

/// Writes a duration so that [`parse`] gives it back: `1h30m0s`, `1.5s`, `100ms`, `0s`.
#[must_use]
pub fn format(span: Span) -> String {
    let nanos = span.nanos().unsigned_abs();
    let mut text = String::from(if span.nanos() < 0 { "-" } else { "" });
    let small = match nanos {
        0 => Some((1, "s")),
        1..1_000 => Some((1, "ns")),
        1_000..1_000_000 => Some((1_000, "µs")),
        1_000_000..1_000_000_000 => Some((1_000_000, "ms")),
        _ => None,
    };
    if let Some((unit, name)) = small {
        push_decimal(&mut text, nanos, unit);
        text.push_str(name);
        return text;
    }
    let (minutes, nanos) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
    if minutes >= 60 {
        write!(text, "{}h", minutes / 60).expect("writing to a string succeeds");
    }
    if minutes > 0 {
        write!(text, "{}m", minutes % 60).expect("writing to a string succeeds");
    }
    push_decimal(&mut text, nanos, 1_000_000_000);
    text.push('s');
    text
}

/// Writes `value / unit` without trailing zeros; `unit` is a power of ten.
fn push_decimal(text: &mut String, value: u64, unit: u64) {
    write!(text, "{}", value / unit).expect("writing to a string succeeds");
    let fraction = value % unit;
    if fraction > 0 {
        let digits = unit.ilog10() as usize;
        let padded = format!("{fraction:0digits$}");
        text.push('.');
        text.push_str(padded.trim_end_matches('0'));
    }
}

fn nanos_in(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    })
}

/// A decimal number, as whole part and fraction.
struct Number {
    whole: u64,
    /// Digits after the point that fit; the rest is below a nanosecond in any unit.
    fraction: u64,
    /// What `fraction` is a part of.
    scale: f64,
}

impl Number {
    /// Reads `12`, `1.5`, `.5` or `1.`, and gives the rest. `None` if there is no digit or the whole part does not
    /// fit.
    fn read(text: &str) -> Option<(Self, &str)> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (before, rest) = text.split_at(digits(text));
        let (after, rest) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(digits(rest)),
            None => ("", rest),
        };
        if before.is_empty() && after.is_empty() {
            return None;
        }
        let whole = if before.is_empty() { 0 } else { before.parse().ok()? };
        if whole > MAGNITUDE_MAX {
            return None;
        }
        let (mut fraction, mut scale) = (0u64, 1.0);
        for digit in after.bytes().map(|byte| u64::from(byte - b'0')) {
            match fraction.checked_mul(10).map(|ten| ten + digit).filter(|&sum| sum < MAGNITUDE_MAX) {
                Some(sum) => (fraction, scale) = (sum, scale * 10.0),
                None => break,
            }
        }
        Some((Self { whole, fraction, scale }, rest))
    }

    /// This many units of `nanos` nanoseconds, the fraction rounded down; `None` if it does not fit.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the fraction is below one unit of at most an hour, and Go computes it in floating point too"
    )]
    fn times(&self, nanos: u64) -> Option<u64> {
        let whole = self.whole.checked_mul(nanos)?;
        let part = (self.fraction as f64 * (nanos as f64 / self.scale)) as u64;
        whole.checked_add(part).filter(|&sum| sum <= MAGNITUDE_MAX)
    }
}

/// Quotes a text as Go's `time` package does: control and non-ASCII characters byte by byte.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if c < ' ' || !c.is_ascii() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                write!(quoted, "\\x{byte:02x}").expect("writing to a string succeeds");
            }
        } else {
            if c == '"' || c == '\\' {
                quoted.push('\\');
            }
            quoted.push(c);
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, nanos: i64) {
        assert_eq!(parse(text), Ok(Span::from_nanos(nanos)), "{text}");
    }

    #[test]
    fn go_durations_are_read() {
        check("0", 0);
        check("+0", 0);
        check("-0", 0);
        check("5s", 5_000_000_000);
        check("-5s", -5_000_000_000);
        check("+5s", 5_000_000_000);
        check("5.0s", 5_000_000_000);
        check("5.6s", 5_600_000_000);
        check("5.s", 5_000_000_000);
        check(".5s", 500_000_000);
        check("10ns", 10);
        check("11us", 11_000);
        check("12\u{b5}s", 12_000);
        check("12\u{3bc}s", 12_000);
        check("13ms", 13_000_000);
        check("3h30m", 12_600_000_000_000);
        check("10.5s4m", 250_500_000_000);
        check("-2m3.4s", -123_400_000_000);
        check("1h2m3s4ms5us6ns", 3_723_004_005_006);
        check("0.3333333333333333333h", 1_200_000_000_000);
        check("0.100000000000000000000h", 360_000_000_000);
        check("9223372036854775807ns", i64::MAX);
        check("-9223372036854775808ns", i64::MIN);
        check("9223372036s854ms775us807ns", i64::MAX);
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        for (text, error) in [
            ("", r#"time: invalid duration """#),
            ("woooo", r#"time: invalid duration "woooo""#),
            ("3", r#"time: missing unit in duration "3""#),
            ("-", r#"time: invalid duration "-""#),
            ("s", r#"time: invalid duration "s""#),
            (".", r#"time: invalid duration ".""#),
            ("-.", r#"time: invalid duration "-.""#),
            (".s", r#"time: invalid duration ".s""#),
            ("+.s", r#"time: invalid duration "+.s""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("1h 5m", r#"time: unknown unit "h " in duration "1h 5m""#),
            ("1.2.3s", r#"time: missing unit in duration "1.2.3s""#),
            ("3000000h", r#"time: invalid duration "3000000h""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
            ("-9223372036854775809ns", r#"time: invalid duration "-9223372036854775809ns""#),
            ("99999999999999999999s", r#"time: invalid duration "99999999999999999999s""#),
            ("\u{85}\u{85}", r#"time: invalid duration "\xc2\x85\xc2\x85""#),
            ("hello \"\\", r#"time: invalid duration "hello \"\\""#),
        ] {
            assert_eq!(parse(text).expect_err(text).to_string(), error);
        }
    }

    #[test]
    fn durations_are_written_as_go_does() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (-3_000_000_000, "-3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (3_600_000_000_000, "1h0m0s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(format(Span::from_nanos(nanos)), text);
            check(text, nanos);
        }
    }
}
