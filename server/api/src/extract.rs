//! Extractors whose every rejection is a problem, with the position or field that is wrong.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use futures_util::{Stream, StreamExt as _};
use serde::de::DeserializeOwned;

use crate::limits::{
    AROUND_FILE_BYTES_MAX, BODY_BYTES_MAX, BODY_READ_MAX, LARGE_PIECE_BYTES, LARGE_PIECE_MAX, LARGE_READ_MAX,
};
use crate::object::Object;
use crate::problem::{Kind, Problem};

/// A JSON body, which is an object. It must be `application/json`, at most [`BODY_BYTES_MAX`] long and arrive within [`BODY_READ_MAX`].
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON object that may be left out or null.
pub(crate) struct OptionalJson<T>(pub(crate) T);

/// The parameters in the path.
pub(crate) struct Path<T>(pub(crate) T);

/// The parameters in the query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        is_json(request.headers())?;
        let bytes = bytes(request.into_body()).await?;
        parse(&bytes).map(|Object(value)| Self(value))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = bytes(request.into_body()).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        is_json?;
        parse::<Option<Object<T>>>(&bytes)
            .map(|value| Self(value.map_or_else(T::default, |Object(value)| value)))
    }
}

/// `application/json` or `application/…+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("not text"));
    let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let subtype = essence.split_once('/').filter(|(kind, _)| kind.eq_ignore_ascii_case("application"));
    if subtype.is_some_and(|(_, subtype)| {
        let subtype = subtype.to_ascii_lowercase();
        subtype == "json" || subtype.ends_with("+json")
    }) {
        return Ok(());
    }
    let detail = given.map_or_else(
        || "the request has no content-type".to_owned(),
        |given| format!("the content-type is {given:?}, not application/json"),
    );
    Err(Problem::new(Kind::MediaType, detail))
}

/// Whether the headers say already that a body is too long: no byte of it needs to arrive then.
pub(crate) fn is_announced_too_long(body: &Body) -> bool {
    body.size_hint().lower() > BODY_BYTES_MAX as u64
}

/// Reads a whole body within its bounds.
pub(crate) async fn bytes(body: Body) -> Result<Bytes, Problem> {
    if is_announced_too_long(&body) {
        return Err(too_large(BODY_BYTES_MAX));
    }
    let reading = axum::body::to_bytes(body, BODY_BYTES_MAX);
    match tokio::time::timeout(BODY_READ_MAX, reading).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if too_long(&error) => Err(too_large(BODY_BYTES_MAX)),
        Ok(Err(_)) => Err(broke_off()),
        Err(_) => Err(too_late(BODY_READ_MAX)),
    }
}

/// Reads a whole body of at most so many bytes that may be large: a component or a pools file. It must arrive within [`LARGE_READ_MAX`], and steadily.
pub(crate) async fn large(body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    let announced = body.size_hint().lower();
    if announced > most as u64 {
        return Err(too_large(most));
    }
    steady(body.into_data_stream(), usize::try_from(announced).unwrap_or_default(), most).await
}

/// Reads the one file of a form (`multipart/form-data`), in the part called `field`: its name and its bytes. Bounds are those
/// of [`large`].
pub(crate) async fn file(
    request: Request,
    field: &'static str,
    most: usize,
) -> Result<(String, Vec<u8>), Problem> {
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(given.unwrap_or_default())
        .map_err(|_| Problem::new(Kind::MediaType, "a form with a file is multipart/form-data"))?;
    let body = request.into_body();
    let whole = most + AROUND_FILE_BYTES_MAX;
    if body.size_hint().lower() > whole as u64 {
        return Err(too_large(most));
    }
    let bounds = multer::SizeLimit::new().whole_stream(whole as u64);
    let bounds = multer::Constraints::new().allowed_fields(vec![field]).size_limit(bounds);
    let mut parts = multer::Multipart::with_constraints(body.into_data_stream(), boundary, bounds);
    let first = tokio::time::timeout(LARGE_PIECE_MAX, parts.next_field());
    let slow = |_| too_slow(LARGE_PIECE_BYTES, LARGE_PIECE_MAX);
    let wrong = |error| Problem::new(Kind::Malformed, format!("the form cannot be read: {error}"));
    let part = first.await.map_err(slow)?.map_err(wrong)?;
    let part = part.ok_or_else(|| Problem::new(Kind::Malformed, "the form has no file"))?;
    let name = part.file_name().unwrap_or_default().to_owned();
    Ok((name, steady(part, 0, most).await?))
}

/// Reads a stream that may be large, and must arrive within [`LARGE_READ_MAX`] and steadily.
async fn steady<E>(
    stream: impl Stream<Item = Result<Bytes, E>>,
    announced: usize,
    most: usize,
) -> Result<Vec<u8>, Problem> {
    let mut stream = std::pin::pin!(stream);
    let mut bytes = Vec::with_capacity(announced);
    let reading = async {
        loop {
            let enough = bytes.len() + LARGE_PIECE_BYTES;
            let piece = async {
                while bytes.len() < enough {
                    let Some(chunk) = stream.next().await else { return Ok(true) };
                    let chunk = chunk.map_err(|_| broke_off())?;
                    if bytes.len() + chunk.len() > most {
                        return Err(too_large(most));
                    }
                    bytes.extend_from_slice(&chunk);
                }
                Ok(false)
            };
            let slow = |_| too_slow(LARGE_PIECE_BYTES, LARGE_PIECE_MAX);
            if tokio::time::timeout(LARGE_PIECE_MAX, piece).await.map_err(slow)?? {
                return Ok(bytes);
            }
        }
    };
    tokio::time::timeout(LARGE_READ_MAX, reading).await.map_err(|_| too_late(LARGE_READ_MAX))?
}

fn too_large(most: usize) -> Problem {
    Problem::new(Kind::TooLarge, format!("a body has at most {most} bytes"))
}

fn broke_off() -> Problem {
    Problem::new(Kind::Malformed, "the body broke off")
}

fn too_late(within: Duration) -> Problem {
    Problem::new(Kind::Timeout, format!("a body must arrive within {} s", within.as_secs()))
}

fn too_slow(bytes: usize, within: Duration) -> Problem {
    let detail = format!("a large body must arrive at {bytes} bytes in {} s at least", within.as_secs());
    Problem::new(Kind::Timeout, detail)
}

/// Whether reading stopped at the bound: axum wraps the cause without making it public.
fn too_long(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.to_string() == "length limit exceeded" {
            return true;
        }
        source = cause.source();
    }
    false
}

/// Reads JSON quickly; only if it is wrong reads it again to learn which field.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." || path == "?" { "body".to_owned() } else { path };
        Problem::new(Kind::Malformed, format!("{path}: {}", error.inner()))
    })?;
    reader.end().map_err(|error| Problem::new(Kind::Malformed, format!("body: {error}")))?;
    Ok(value)
}

#[expect(clippy::disallowed_types, reason = "this is the wrapper that turns its rejection into a problem")]
impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(Kind::Malformed, path_trouble(&rejection))),
        }
    }
}

/// What is wrong with a path, without the names of our types.
fn path_trouble(rejection: &PathRejection) -> String {
    if let PathRejection::FailedToDeserializePathParams(failed) = rejection
        && let ErrorKind::ParseError { value, .. }
        | ErrorKind::ParseErrorAtKey { value, .. }
        | ErrorKind::ParseErrorAtIndex { value, .. } = failed.kind()
    {
        return format!("{value:?} in the path is not a number from 0 to {}", u64::MAX);
    }
    rejection.body_text()
}

#[expect(clippy::disallowed_types, reason = "this is the wrapper that turns its rejection into a problem")]
impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        is_text(parts.uri.query().unwrap_or_default())?;
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(Kind::Malformed, rejection.body_text())),
        }
    }
}

/// Refuses a query whose percent-encoding does not decode to UTF-8, instead of replacing the bad bytes.
fn is_text(query: &str) -> Result<(), Problem> {
    let bytes = query.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte != b'%' {
            decoded.push(byte);
            at += 1;
            continue;
        }
        let digits =
            query.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            return Err(Problem::new(Kind::Malformed, "the query has a % without two hex digits"));
        };
        decoded.push(code);
        at += 3;
    }
    match std::str::from_utf8(&decoded) {
        Ok(_) => Ok(()),
        Err(_) => Err(Problem::new(Kind::Malformed, "the query is not UTF-8")),
    }
}
