//! JSON as Go's `encoding/json` writes it, into one buffer.

use std::collections::BTreeMap;

use lessor_ledger::{Owner, Resource, State, Target, Text, Time};

const NANOS_PER_SEC: i64 = 1_000_000_000;
const SECS_PER_DAY: i64 = 86_400;

/// One resource, its keys in the order of the upstream type.
pub(super) fn resource(out: &mut Vec<u8>, resource: &Resource, owner: &str) {
    out.extend_from_slice(b"{\"type\":");
    string(out, resource.pool.as_str());
    out.extend_from_slice(b",\"name\":");
    string(out, resource.name.as_str());
    out.extend_from_slice(b",\"state\":");
    string(out, resource.state.as_str());
    out.extend_from_slice(b",\"owner\":");
    string(out, owner);
    out.extend_from_slice(b",\"lastupdate\":");
    time(out, resource.updated_at);
    out.extend_from_slice(b",\"userdata\":");
    user_data(out, &resource.details().user_data);
    if let Some(expires_at) = resource.expires_at {
        out.extend_from_slice(b",\"expiration-date\":");
        time(out, expires_at);
    }
    out.push(b'}');
}

/// Several resources, with the line end of Go's encoder.
pub(super) fn resources<'a>(out: &mut Vec<u8>, all: impl Iterator<Item = &'a Resource>, owner: &str) {
    list(out, (b'[', b']'), all, |out, item| resource(out, item, owner));
    out.push(b'\n');
}

/// What a reset took from whom.
pub(super) fn taken(out: &mut Vec<u8>, taken: &BTreeMap<Target, Owner>) {
    list(out, (b'{', b'}'), taken.iter(), |out, (name, owner)| {
        string(out, name.as_str());
        out.push(b':');
        string(out, owner.as_str());
    });
}

/// The counts of one type; `unowned` are those whose owner is the empty string.
pub(super) fn metric(
    out: &mut Vec<u8>,
    kind: &str,
    states: &BTreeMap<State, u64>,
    owners: &BTreeMap<Owner, u64>,
    unowned: u64,
) {
    out.extend_from_slice(b"{\"type\":");
    string(out, kind);
    out.extend_from_slice(b",\"current\":");
    list(out, (b'{', b'}'), states.iter(), |out, (state, &count)| counted(out, state.as_str(), count));
    out.extend_from_slice(b",\"owner\":");
    let unowned = (unowned > 0).then_some(("", unowned));
    let owned = owners.iter().map(|(owner, &count)| (owner.as_str(), count));
    list(out, (b'{', b'}'), unowned.into_iter().chain(owned), |out, (owner, count)| {
        counted(out, owner, count);
    });
    out.push(b'}');
}

fn user_data(out: &mut Vec<u8>, data: &BTreeMap<Text, Text>) {
    list(out, (b'{', b'}'), data.iter(), |out, (key, value)| {
        string(out, key);
        out.push(b':');
        string(out, value);
    });
}

fn counted(out: &mut Vec<u8>, key: &str, count: u64) {
    string(out, key);
    out.push(b':');
    out.extend_from_slice(count.to_string().as_bytes());
}

fn list<T>(
    out: &mut Vec<u8>,
    (open, close): (u8, u8),
    items: impl Iterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(open);
    for (position, next) in items.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        item(out, next);
    }
    out.push(close);
}

/// A string with Go's default escapes, which also keep it safe inside HTML and JavaScript.
fn string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\x08' => out.extend_from_slice(b"\\b"),
            '\x0c' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..' ' | '<' | '>' | '&' => {
                let code = c as usize;
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[code >> 4], HEX[code & 15]]);
            }
            '\u{2028}' => out.extend_from_slice(b"\\u2028"),
            '\u{2029}' => out.extend_from_slice(b"\\u2029"),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// A time as RFC 3339 in UTC, the fraction without trailing zeros (Go's `RFC3339Nano`), in quotes.
fn time(out: &mut Vec<u8>, time: Time) {
    let secs = time.nanos().div_euclid(NANOS_PER_SEC);
    let nanos = time.nanos().rem_euclid(NANOS_PER_SEC);
    let (year, month, day) = civil(secs.div_euclid(SECS_PER_DAY));
    let second = secs.rem_euclid(SECS_PER_DAY);
    out.push(b'"');
    for (value, width, end) in [
        (year, 4, Some(b'-')),
        (month, 2, Some(b'-')),
        (day, 2, Some(b'T')),
        (second / 3600, 2, Some(b':')),
        (second / 60 % 60, 2, Some(b':')),
        (second % 60, 2, None),
    ] {
        digits(out, value, width);
        out.extend(end);
    }
    if nanos > 0 {
        out.push(b'.');
        digits(out, nanos, 9);
        let kept =
            out.iter().rposition(|&byte| byte != b'0').expect("a fraction above zero has another digit");
        out.truncate(kept + 1);
    }
    out.extend_from_slice(b"Z\"");
}

/// Writes the last `width` decimal digits of a number that is not negative.
fn digits(out: &mut Vec<u8>, value: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = value / 10_i64.pow(place) % 10;
        out.push(b'0' + u8::try_from(digit).expect("a decimal digit"));
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Counts in eras of 400 years of 146,097 days that start on the first of March, so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    const FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    let days = days + FROM_MARCH_OF_YEAR_0;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        for (text, escaped) in [
            ("plain ä🦀", "\"plain ä🦀\""),
            ("a\"b\\c/d", r#""a\"b\\c/d""#),
            ("<a href='x'>&", r#""\u003ca href='x'\u003e\u0026""#),
            ("\0\x01\x1f\x7f", "\"\\u0000\\u0001\\u001f\x7f\""),
            ("\x08\x0c\n\r\t\x0b", r#""\b\f\n\r\t\u000b""#),
            ("\u{2028}\u{2029}", r#""\u2028\u2029""#),
        ] {
            assert_eq!(written(|out| string(out, text)), escaped);
        }
    }

    #[test]
    fn times_are_written_as_go_writes_them() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (1_136_214_245_000_000_000, "2006-01-02T15:04:05Z"),
            (1_136_214_245_120_000_000, "2006-01-02T15:04:05.12Z"),
            (951_827_696_100_000_000, "2000-02-29T12:34:56.1Z"),
            (1_709_251_199_000_000_000, "2024-02-29T23:59:59Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        ] {
            assert_eq!(written(|out| time(out, Time::from_nanos(nanos))), format!("\"{text}\""));
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut last = civil(-1);
        assert_eq!(last, (1969, 12, 31));
        for day in 0..146_097 {
            let next = civil(day);
            let expected = match last {
                (year, 12, 31) => (year + 1, 1, 1),
                (year, month, day) if day == month_days(year, month) => (year, month + 1, 1),
                (year, month, day) => (year, month, day + 1),
            };
            assert_eq!(next, expected);
            last = next;
        }
    }

    fn month_days(year: i64, month: i64) -> i64 {
        match month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}
