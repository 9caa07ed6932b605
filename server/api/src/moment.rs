//! Points in time as people write them: with their zone, or a date, or a date and a time, which are in UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lessor_ledger::Time;

/// Reads `2026-05-04T09:30:00Z`, `2026-05-04T09:30`, `2026-05-04 09:30` or `2026-05-04`; `None` if it is none of them, or
/// beyond the years of the ledger.
pub(crate) fn read(text: &str) -> Option<Time> {
    let stamp = text.parse::<Timestamp>().or_else(|_| {
        let civil: DateTime = text.parse()?;
        TimeZone::UTC.to_timestamp(civil)
    });
    i64::try_from(stamp.ok()?.as_nanosecond()).ok().map(Time::from_nanos)
}

/// A moment as a field of a form for date and time takes it, in UTC; empty if it is none.
pub(crate) fn field(text: &str) -> String {
    let stamp = read(text).and_then(|time| Timestamp::from_nanosecond(time.nanos().into()).ok());
    stamp.map(|stamp| stamp.strftime("%Y-%m-%dT%H:%M").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_without_a_zone_are_in_utc() {
        let time = |millis| Some(Time::from_millis(millis));
        assert_eq!(read("1970-01-02T09:30:05Z"), time(120_605_000));
        assert_eq!(read("1970-01-02T09:30:05+02:00"), time(113_405_000));
        assert_eq!(read("1970-01-02T09:30"), time(120_600_000));
        assert_eq!(read("1970-01-02 09:30"), time(120_600_000));
        assert_eq!(read("1970-01-02"), time(86_400_000));
        for text in ["", "09:30", "Friday", "2026-13-01", "2h", "2500-01-01"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_field_gets_back_what_it_sent() {
        assert_eq!(field("2026-05-04T09:30"), "2026-05-04T09:30");
        assert_eq!(field("2026-05-04T07:30:00.000Z"), "2026-05-04T07:30");
        assert_eq!(field("soon"), "");
    }
}
