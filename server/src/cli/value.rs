//! Values on the command line: lengths of time, labels, parts of a request.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

/// Reads a length of time: `90s`, `1h30m`, `250ms`, or ISO 8601 (`PT90S`). Never negative.
///
/// # Errors
/// Says what is wrong, for the user.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    if text.parse::<f64>().is_ok() {
        return Err(format!("a unit is missing: {text}s, {text}m?"));
    }
    let span: SignedDuration = text.parse().map_err(|cause| format!("{cause}; write 90s, 10m or 1h30m"))?;
    Duration::try_from(span).map_err(|_| "must not be negative".to_owned())
}

/// Reads a length of time that is more than nothing.
///
/// # Errors
/// Says what is wrong, for the user.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be more than 0".to_owned()),
        span => Ok(span),
    }
}

/// `span` as a whole number of milliseconds, for a JSON body; at least 1 unless it is zero.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// `span` as the server reads it in a query, e.g. `30000ms`.
pub(crate) fn query(span: Duration) -> String {
    format!("{}ms", millis(span))
}

/// Reads `key=value`.
///
/// # Errors
/// Says what is wrong, for the user.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Reads JSON, from the file after `@` if there is one.
///
/// # Errors
/// Says what is wrong, for the user.
pub(crate) fn json(text: &str) -> Result<Value, String> {
    let read = match text.strip_prefix('@') {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|cause| format!("cannot read {path}: {cause}"))?
        }
        None => text.to_owned(),
    };
    serde_json::from_str(&read).map_err(|cause| format!("not JSON: {cause}"))
}

/// Pairs as a JSON object; of two with one key the later wins.
pub(crate) fn object(pairs: &[(String, String)]) -> Value {
    Value::Object(pairs.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<Map<_, _>>())
}

/// One pool of a request for several: `POOL`, `POOL:COUNT`, each with `,KEY=VALUE` for labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The pool.
    pub(crate) pool: String,
    /// How many of it.
    pub(crate) count: u32,
    /// Labels that they must carry.
    pub(crate) labels: Vec<(String, String)>,
}

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = text.split(',');
        let head = pieces.next().unwrap_or_default();
        let (pool, count) = match head.rsplit_once(':') {
            Some((pool, count)) => match count.parse() {
                Ok(0) | Err(_) => return Err(format!("{count:?} is not a number of resources")),
                Ok(count) => (pool, count),
            },
            None => (head, 1),
        };
        if pool.is_empty() {
            return Err("write POOL, POOL:COUNT or POOL:COUNT,KEY=VALUE".to_owned());
        }
        let labels = pieces.map(pair).collect::<Result<_, _>>()?;
        Ok(Self { pool: pool.to_owned(), count, labels })
    }
}

impl Part {
    /// The part as the API wants it, of resources in `state`, free ones by default.
    pub(crate) fn body(&self, state: Option<&str>) -> Value {
        let mut body = json!({ "pool": self.pool, "count": self.count });
        if let Some(state) = state {
            body["state"] = json!(state);
        }
        if !self.labels.is_empty() {
            body["labels"] = object(&self.labels);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_need_a_unit_and_are_not_negative() {
        for (text, ms) in [
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("PT90S", 90_000),
            ("0", 0),
            ("0s", 0),
            ("1m 5s", 65_000),
        ] {
            assert_eq!(duration(text).map(millis), Ok(ms), "{text}");
        }
        for text in ["", "90", "1.5", "-5s", "s", "5 parsecs", "1h30"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
        assert!(positive_duration("0s").is_err());
    }

    #[test]
    fn parts_name_a_pool_a_count_and_labels() {
        let part: Part = "gpu:2,site=ber,mem=80".parse().expect("a part");
        assert_eq!(
            part.body(None),
            json!({ "pool": "gpu", "count": 2, "labels": { "site": "ber", "mem": "80" } })
        );
        assert_eq!("gpu".parse::<Part>().expect("a part").count, 1);
        for bad in ["", ":2", "gpu:0", "gpu:x", "gpu,site"] {
            assert!(bad.parse::<Part>().is_err(), "{bad:?}");
        }
    }
}
