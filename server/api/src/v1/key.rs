//! Idempotency keys: a call that is made again leads to what it led to before.

use axum::http::{HeaderMap, HeaderName};
use lessor_ledger::Text;
use serde::{Serialize, Serializer};

use crate::limits::KEY_BYTES_MAX;
use crate::problem::Problem;
use crate::time::Length;

/// Header of the key.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The key, from `request_id` of the body or from the header.
pub(crate) fn take(request_id: Option<String>, headers: &HeaderMap) -> Result<Option<Text>, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let header = match (given.next(), given.next()) {
        (None, _) => None,
        (Some(value), None) => Some(unquoted(value.to_str().unwrap_or_default())?),
        (Some(_), Some(_)) => return Err(Problem::invalid("Idempotency-Key", "is there twice")),
    };
    let key = match (request_id, header) {
        (Some(body), Some(header)) if body != header => {
            return Err(Problem::invalid("request_id", "differs from the Idempotency-Key"));
        }
        (body, header) => body.or(header),
    };
    match key.as_ref().map(String::len) {
        None | Some(1..=KEY_BYTES_MAX) => Ok(key.map(Text::from)),
        Some(_) => Err(Problem::invalid("request_id", format!("must have 1 to {KEY_BYTES_MAX} bytes"))),
    }
}

/// Takes a key as it is, or out of the quotes of a structured string (RFC 9651 §3.3.3).
fn unquoted(value: &str) -> Result<String, Problem> {
    let Some(inner) = value.strip_prefix('"') else { return Ok(value.to_owned()) };
    let mut key = String::new();
    let mut rest = inner.chars();
    loop {
        match rest.next() {
            Some('"') if rest.as_str().is_empty() => return Ok(key),
            Some('\\') => match rest.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => break,
            },
            Some('"') | None => break,
            Some(plain) => key.push(plain),
        }
    }
    Err(Problem::invalid("Idempotency-Key", "is not a structured string"))
}

/// 64 bits that tell bodies apart: FNV-1a over the body in one fixed form. Kept for a day with the key, so it must
/// not change with the compiler, as the standard library's hashes may.
pub(crate) fn fingerprint(body: &impl Serialize) -> u64 {
    let canonical = serde_json::to_vec(body).expect("a body has only string keys and plain values");
    canonical
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
pub(crate) fn nanos<S: Serializer>(length: &Option<Length>, serializer: S) -> Result<S::Ok, S::Error> {
    length.map(|length| length.0.nanos()).serialize(serializer)
}
