//! HTTP requests to endpoints that the operator named. Needs the grant `http`.

use std::time::Duration;

use crate::problem::Failure;

/// A request to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// What is appended to the address of the endpoint: empty, or path and query that begin with `/`.
    pub path: String,
    /// Headers besides those that the server sets.
    pub headers: Vec<(String, String)>,
    /// The body, of at most 1 MiB.
    pub body: Vec<u8>,
    /// How long to wait for the whole answer: at most 30 s.
    pub timeout: Duration,
}

impl Request {
    /// Reads something.
    #[must_use]
    pub fn get(path: &str) -> Self {
        let (method, path) = ("GET".to_owned(), path.to_owned());
        Self { method, path, headers: Vec::new(), body: Vec::new(), timeout: Duration::from_secs(10) }
    }

    /// Sends JSON.
    #[must_use]
    pub fn post_json(path: &str, json: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { method: "POST".to_owned(), headers, body: json.as_bytes().to_vec(), ..Self::get(path) }
    }
}

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers whose values are text.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    /// `not-granted`, `forbidden-address`, `invalid`, `timeout`, `too-large` or `failed`.
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether the request may have reached the endpoint.
    pub sent: bool,
}

impl std::fmt::Display for HttpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HttpError {}

impl From<HttpError> for Failure {
    fn from(HttpError { code, message, .. }: HttpError) -> Self {
        let retryable = code == "timeout" || code == "failed";
        Self { code, message, retryable }
    }
}

/// Sends one request and waits for the whole answer, whatever its status. Redirects are not followed.
///
/// # Errors
///
/// The endpoint was not granted, the request is not valid, or there was no answer.
pub fn send(endpoint: &str, request: Request) -> Result<Response, HttpError> {
    crate::side::send(endpoint, request)
}
