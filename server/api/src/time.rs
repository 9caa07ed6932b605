//! Times and durations on the wire: RFC 3339 out, Go-style durations or milliseconds in.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use lessor_control::go_duration;
use lessor_ledger::{Span, Time};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

/// A point in time as RFC 3339 in UTC, with as many digits after the second as it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(pub(crate) Time);

/// A duration as clients send it: a string in Go's syntax (`1h30m`, `-5s`) or whole milliseconds.
///
/// May be negative; whoever takes one says what range is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Length(pub(crate) Span);

/// When something is to end, as clients send it: RFC 3339, or how long from now in Go's syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At this time.
    At(Time),
    /// So long from now.
    After(Span),
}

impl End {
    /// The time that it stands for at `now`.
    pub(crate) fn time(self, now: Time) -> Time {
        match self {
            Self::At(time) => time,
            Self::After(span) => now.plus(span),
        }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::from_nanosecond(i128::from(self.0.nanos()))
            .expect("64 bits of nanoseconds are within jiff's years -9999 to 9999");
        write!(f, "{time}")
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialSchema for Stamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339 in UTC"))
            .examples([serde_json::json!("2026-05-04T09:30:00.25Z")])
            .into()
    }
}

impl ToSchema for Stamp {
    fn name() -> Cow<'static, str> {
        "Time".into()
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Length;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration like \"1h30m\" or whole milliseconds")
            }

            fn visit_i64<E: serde::de::Error>(self, millis: i64) -> Result<Length, E> {
                let nanos = millis.checked_mul(1_000_000);
                nanos.map(|nanos| Length(Span::from_nanos(nanos))).ok_or_else(|| E::custom(OutOfRange))
            }

            fn visit_u64<E: serde::de::Error>(self, millis: u64) -> Result<Length, E> {
                self.visit_i64(i64::try_from(millis).map_err(|_| E::custom(OutOfRange))?)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Length, E> {
                go_duration::parse(text).map(Length).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

struct OutOfRange;

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration is at most about 292 years long")
    }
}

/// For query strings, where a number is text: bare digits are milliseconds.
impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let nanos = text.parse::<i64>().ok().and_then(|millis| millis.checked_mul(1_000_000));
            return nanos.map(|nanos| Self(Span::from_nanos(nanos))).ok_or_else(|| OutOfRange.to_string());
        }
        go_duration::parse(text).map(Self).map_err(|error| error.to_string())
    }
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(span) = go_duration::parse(text) {
            return Ok(Self::After(span));
        }
        let time: Timestamp = text
            .parse()
            .map_err(|_| "is neither a time like 2026-05-04T09:30:00Z nor a duration like 2h".to_owned())?;
        // The ledger's years end in 2262: what is to end later ends then.
        let nanos = time.as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into());
        Ok(Self::At(Time::from_nanos(i64::try_from(nanos).expect("it was clamped to 64 bits"))))
    }
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|error| D::Error::custom(format_args!("{text:?} {error}")))
    }
}

/// Deserializes an optional duration of a query string.
///
/// # Errors
/// The deserializer's own, if the text is not a duration.
pub(crate) fn in_query<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Length>, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// What Go's `time.ParseDuration` takes.
const GO_DURATION: &str = "^[+-]?(0|(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|\u{b5}s|\u{3bc}s|ms|s|m|h))+)$";

impl PartialSchema for Length {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("In Go's syntax"))
            .pattern(Some(GO_DURATION))
            .examples([serde_json::json!("1h30m")]);
        let millis = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .description(Some("Whole milliseconds"));
        OneOfBuilder::new().item(text).item(millis).into()
    }
}

impl PartialSchema for End {
    fn schema() -> RefOr<Schema> {
        let time = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339"))
            .examples([serde_json::json!("2026-05-04T09:30:00Z")]);
        let span = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("From now, in Go's syntax"))
            .pattern(Some(GO_DURATION))
            .examples([serde_json::json!("2h")]);
        OneOfBuilder::new().item(time).item(span).into()
    }
}

impl ToSchema for End {
    fn name() -> Cow<'static, str> {
        "End".into()
    }
}

impl ToSchema for Length {
    fn name() -> Cow<'static, str> {
        "Duration".into()
    }
}
