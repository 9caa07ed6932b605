//! Plain YAML scalars, as Boskos' YAML reader takes them (YAML 1.1 without base 60), and back into text.

use std::fmt::Write;

use super::yaml::Value;

/// What a plain, untagged scalar means.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let starts_like_a_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if starts_like_a_number && let Some(number) = number(text) {
        return number;
    }
    Value::Text(text.to_owned())
}

fn number(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain.as_str()),
    };
    if let Some(int) = integer(digits) {
        let int = if negative { -i128::from(int) } else { i128::from(int) };
        if int >= i128::from(i64::MIN) {
            return Some(Value::Int(int));
        }
    }
    is_float(digits).then(|| plain.parse().ok().map(Value::Float)).flatten()
}

/// An unsigned integer with Go's prefixes: `0x`, `0o`, `0b`, and a leading `0` for octal.
fn integer(digits: &str) -> Option<u64> {
    let prefixed = |prefix: [&str; 2]| prefix.iter().find_map(|prefix| digits.strip_prefix(prefix));
    let (digits, radix) = if let Some(rest) = prefixed(["0x", "0X"]) {
        (rest, 16)
    } else if let Some(rest) = prefixed(["0b", "0B"]) {
        (rest, 2)
    } else if let Some(rest) = prefixed(["0o", "0O"]) {
        (rest, 8)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (&digits[1..], 8)
    } else {
        (digits, 10)
    };
    // `from_str_radix` would take another sign.
    digits
        .starts_with(|c: char| c.is_ascii_hexdigit())
        .then(|| u64::from_str_radix(digits, radix).ok())
        .flatten()
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let mantissa = match mantissa.split_once('.') {
        Some(("", after)) => digits(after),
        Some((before, after)) => digits(before) && (after.is_empty() || digits(after)),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
}

/// A single value as text, where a text is wanted; `None` for a list, a map and nothing.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Int(int) => Some(int.to_string()),
        Value::Float(float) => Some(float_text(*float)),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// As Go's `FormatFloat(float, 'g', -1, 32)`: the shortest digits of the single-precision number, with an exponent
/// below 1e-4 and from 1e6 on.
#[expect(clippy::cast_possible_truncation, reason = "Boskos writes single precision")]
fn float_text(float: f64) -> String {
    let float = float as f32;
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a whole exponent");
    if (-4..6).contains(&exponent) {
        return format!("{float}");
    }
    let mut text = mantissa.to_owned();
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(text, "e{sign}{:02}", exponent.unsigned_abs()).expect("writing to a string succeeds");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_boskos() {
        for (text, value) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("yes", Value::Bool(true)),
            ("Off", Value::Bool(false)),
            ("12", Value::Int(12)),
            ("-12", Value::Int(-12)),
            ("1_000", Value::Int(1_000)),
            ("0x10", Value::Int(16)),
            ("0o17", Value::Int(15)),
            ("017", Value::Int(15)),
            ("0b11", Value::Int(3)),
            ("18446744073709551615", Value::Int(i128::from(u64::MAX))),
            ("1.5", Value::Float(1.5)),
            (".5", Value::Float(0.5)),
            ("1.", Value::Float(1.0)),
            ("1e3", Value::Float(1_000.0)),
            ("-1.5e-3", Value::Float(-0.001_5)),
        ] {
            assert_eq!(resolve(text), value, "{text}");
        }
        for text in
            ["a", "yEs", "1.2.3", "--1", "+-1", "0x", "1e", "e1", "2024-01-01", "10m", "-", ".", "1h30m"]
        {
            assert_eq!(resolve(text), Value::Text(text.to_owned()));
        }
    }

    #[test]
    fn numbers_and_bools_become_texts_as_in_boskos() {
        for (text, out) in [
            ("12", "12"),
            ("0x10", "16"),
            ("yes", "true"),
            ("off", "false"),
            ("1.10", "1.1"),
            ("1e3", "1000"),
        ] {
            assert_eq!(text_of(&resolve(text)).as_deref(), Some(out));
        }
        for (float, out) in [
            (1_234_567.0, "1.234567e+06"),
            (123_456.0, "123456"),
            (100_000.5, "100000.5"),
            (1e20, "1e+20"),
            (0.000_1, "0.0001"),
            (0.000_01, "1e-05"),
            (1_234_567_890.5, "1.234568e+09"),
            (-2.5, "-2.5"),
        ] {
            assert_eq!(text_of(&Value::Float(float)).as_deref(), Some(out));
        }
    }
}
