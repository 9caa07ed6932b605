//! The HTTP client: one request, one answer, one kind of failure.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Method, Url};
use serde_json::Value;

use super::clock::{Moment, jittered};
use super::context::{self, Context};
use super::failure::{Failure, Problem};
use super::limits::{ANSWER_BYTES_MAX, ANSWER_MAX, CONNECT_MAX, PAGE, RETRY_FIRST, RETRY_MAX};

/// Talks to one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    /// Who asks, unless the command line says.
    owner: Option<String>,
}

/// A request that is being put together.
#[must_use]
pub(crate) struct Call<'a> {
    client: &'a Client,
    method: Method,
    url: Url,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    timeout: Duration,
}

/// Which part of a list to read.
#[derive(Default)]
pub(crate) struct Pages<'a> {
    /// Filters.
    pub(crate) query: &'a [(&'a str, String)],
    /// At most so many items; all of them if `None`.
    pub(crate) most: Option<u64>,
    /// Only what is behind this cursor.
    pub(crate) after: Option<String>,
}

/// What the server answered if it did not say no.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status, 200 to 299.
    pub(crate) status: u16,
    /// The body; null if it has none.
    pub(crate) body: Value,
    /// The `ETag` header.
    pub(crate) etag: Option<String>,
}

impl Client {
    /// A client of the server at `server`: `http://host:port`, or `host:port`.
    ///
    /// # Errors
    /// [`Failure::Usage`] if that is not an address that can be spoken to.
    pub(crate) fn new(server: &str) -> Result<Self, Failure> {
        let full = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
        let mut base = Url::parse(&full).map_err(|cause| {
            Failure::Usage(format!("the server address {server:?} is not a URL: {cause}"))
        })?;
        if base.scheme() != "http" || !base.has_host() {
            return Err(Failure::Usage(format!("the server address {server:?} must begin with http://")));
        }
        base.set_query(None);
        base.set_fragment(None);
        let builder = reqwest::Client::builder()
            .user_agent(concat!("lessor/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_MAX);
        let local = match base.host_str() {
            Some("localhost" | "[::1]") => true,
            Some(host) => host.starts_with("127."),
            None => false,
        };
        // A proxy, as the environment may name it, leads away from this machine.
        let builder = if local { builder.no_proxy() } else { builder };
        let http = builder
            .build()
            .map_err(|cause| Failure::Usage(format!("cannot set up an HTTP client: {cause}")))?;
        Ok(Self { http, base, owner: None })
    }

    /// A client of the server of `context`, for its owner.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub(crate) fn of(context: Context) -> Result<Self, Failure> {
        let client = Self::new(context.server())?;
        Ok(Self { owner: context.owner, ..client })
    }

    /// Who asks: `given` on the command line, or by the context, or else `default`.
    pub(crate) fn owner(&self, given: Option<&str>, default: fn() -> String) -> String {
        context::given(given).or(self.owner.as_deref()).map_or_else(default, str::to_owned)
    }

    /// The server's address as shown to people and given to child processes.
    pub(crate) fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Starts a GET of the path made of `segments`.
    pub(crate) fn get(&self, segments: &[&str]) -> Result<Call<'_>, Failure> {
        self.call(Method::GET, segments)
    }

    /// Starts a POST.
    pub(crate) fn post(&self, segments: &[&str]) -> Result<Call<'_>, Failure> {
        self.call(Method::POST, segments)
    }

    /// Starts a PUT.
    pub(crate) fn put(&self, segments: &[&str]) -> Result<Call<'_>, Failure> {
        self.call(Method::PUT, segments)
    }

    /// Starts a PATCH.
    pub(crate) fn patch(&self, segments: &[&str]) -> Result<Call<'_>, Failure> {
        self.call(Method::PATCH, segments)
    }

    /// Starts a DELETE.
    pub(crate) fn delete(&self, segments: &[&str]) -> Result<Call<'_>, Failure> {
        self.call(Method::DELETE, segments)
    }

    fn call(&self, method: Method, segments: &[&str]) -> Result<Call<'_>, Failure> {
        // These two and the empty one would vanish from the path and so name another thing.
        if let Some(segment) = segments.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
            return Err(Failure::Usage(format!("{segment:?} cannot be named in a URL path")));
        }
        let mut url = self.base.clone();
        url.path_segments_mut().expect("http URLs have a path").pop_if_empty().extend(segments);
        Ok(Call { client: self, method, url, headers: Vec::new(), body: None, timeout: ANSWER_MAX })
    }

    /// Reads a list page by page and hands each page's items to `page`. Gives the cursor behind the last item, if
    /// there is more.
    ///
    /// # Errors
    /// What the server or `page` fails with.
    pub(crate) async fn pages(
        &self,
        segments: &[&str],
        pages: Pages<'_>,
        mut page: impl FnMut(Vec<Value>) -> Result<(), Failure>,
    ) -> Result<Option<String>, Failure> {
        let mut left = pages.most.unwrap_or(u64::MAX);
        let mut cursor = pages.after;
        while left > 0 {
            let mut call = self.get(segments)?.query("limit", &left.min(PAGE).to_string());
            for (key, value) in pages.query {
                call = call.query(key, value);
            }
            if let Some(cursor) = &cursor {
                call = call.query("after", cursor);
            }
            let mut body = call.send().await?.body;
            let Some(Value::Array(items)) = body.get_mut("items").map(Value::take) else {
                return Err(self.garbled("a list without items"));
            };
            left = left.saturating_sub(items.len() as u64);
            page(items)?;
            let next = body.get("next").and_then(Value::as_str).map(str::to_owned);
            match next {
                None => return Ok(None),
                next if next == cursor => return Err(self.garbled("a list that does not go on")),
                next => cursor = next,
            }
        }
        Ok(cursor)
    }

    /// Says that an answer is not understood.
    pub(crate) fn garbled(&self, what: impl Into<String>) -> Failure {
        Failure::Garbled { server: self.address().to_owned(), what: what.into() }
    }

    /// Says that no (whole) answer came.
    pub(crate) fn unreachable(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        Failure::Unreachable { server: self.address().to_owned(), never_sent: false, cause: cause.into() }
    }
}

impl Call<'_> {
    /// Adds a query parameter.
    pub(crate) fn query(mut self, key: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(key, value);
        self
    }

    /// Adds a query parameter if there is a value.
    pub(crate) fn query_opt(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(key, value),
            None => self,
        }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends a JSON body.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string().into_bytes());
        self.header("content-type", "application/json")
    }

    /// Sends a body of another type.
    pub(crate) fn bytes(mut self, body: Vec<u8>, content_type: &str) -> Self {
        self.body = Some(body);
        self.header("content-type", content_type)
    }

    /// Gives the server `wait` on top of the usual time for an answer.
    pub(crate) fn waiting(self, wait: Duration) -> Self {
        Self { timeout: ANSWER_MAX.saturating_add(wait), ..self }
    }

    /// Gives up after `most`, if that is earlier.
    pub(crate) fn within(self, most: Duration) -> Self {
        Self { timeout: self.timeout.min(most), ..self }
    }

    /// Sends the request once and reads the whole answer.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] if no answer came in time, [`Failure::Problem`] if the server said no,
    /// [`Failure::Garbled`] if the answer is no JSON or longer than [`ANSWER_BYTES_MAX`].
    ///
    /// # Cancel safety
    /// The server may carry the request out even if the future is dropped.
    pub(crate) async fn send(self) -> Result<Answer, Failure> {
        let (client, timeout) = (self.client, self.timeout);
        let work = async {
            let response = self.start().await?;
            read(client, response).await
        };
        tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
            Err(client.unreachable(format!("no answer within {} s", timeout.as_secs_f32())))
        })
    }

    /// Sends the request and gives the answer as it comes in, for streams. Only the time until the answer begins is
    /// bounded.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) async fn stream(self) -> Result<reqwest::Response, Failure> {
        let (client, timeout) = (self.client, self.timeout);
        let response = tokio::time::timeout(timeout, self.start()).await.unwrap_or_else(|_| {
            Err(client.unreachable(format!("no answer within {} s", timeout.as_secs_f32())))
        })?;
        if response.status().is_success() { Ok(response) } else { Err(problem(client, response).await?) }
    }

    async fn start(self) -> Result<reqwest::Response, Failure> {
        let mut request = self.client.http.request(self.method, self.url);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        request.send().await.map_err(|cause| Failure::Unreachable {
            server: self.client.address().to_owned(),
            never_sent: cause.is_connect(),
            cause: Box::new(cause.without_url()),
        })
    }
}

async fn read(client: &Client, response: reqwest::Response) -> Result<Answer, Failure> {
    if !response.status().is_success() {
        return Err(problem(client, response).await?);
    }
    let status = response.status().as_u16();
    let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned);
    let bytes = body(client, response).await?;
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).map_err(|cause| client.garbled(cause.to_string()))?
    };
    Ok(Answer { status, body, etag })
}

async fn problem(client: &Client, response: reqwest::Response) -> Result<Failure, Failure> {
    let status = response.status().as_u16();
    let bytes = body(client, response).await?;
    let body = match serde_json::from_slice(&bytes) {
        Ok(body @ Value::Object(_)) => body,
        _ => Value::Object(serde_json::Map::new()),
    };
    Ok(Failure::Problem(Box::new(Problem { status, body, taking: None })))
}

async fn body(client: &Client, response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|cause| client.unreachable(cause.without_url()))?;
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(client.garbled(format!("longer than {ANSWER_BYTES_MAX} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The pauses between tries: each twice as long as the one before, up to [`RETRY_MAX`].
pub(crate) struct Backoff(Duration);

impl Backoff {
    /// Begins with [`RETRY_FIRST`].
    pub(crate) fn new() -> Self {
        Self(RETRY_FIRST)
    }

    /// Sleeps until the next try. Gives `false`, without sleeping, if that would be after `until`.
    ///
    /// # Cancel safety
    /// May be dropped at any time.
    pub(crate) async fn pause(&mut self, until: Moment) -> bool {
        let pause = jittered(self.0);
        if pause >= until.left() {
            return false;
        }
        self.0 = (self.0 * 2).min(RETRY_MAX);
        tokio::time::sleep(pause).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_into_one_path_segment() {
        let client = Client::new("127.0.0.1:8080").expect("an address");
        let call = client.get(&["v1", "resources", "a/b c?d#e%"]).expect("a path");
        assert_eq!(call.url.as_str(), "http://127.0.0.1:8080/v1/resources/a%2Fb%20c%3Fd%23e%25");
        assert!(client.get(&["v1", "resources", ".."]).is_err());
        assert!(client.get(&["v1", "resources", ""]).is_err());
    }

    #[test]
    fn an_address_may_leave_out_the_scheme_but_not_the_host() {
        assert_eq!(Client::new("lab:1/").expect("an address").address(), "http://lab:1");
        assert_eq!(
            Client::new("http://lab/proxy/lessor").expect("an address").address(),
            "http://lab/proxy/lessor"
        );
        for bad in ["", "https://lab", "http://", "unix:///x", "http://a b"] {
            assert!(Client::new(bad).is_err(), "{bad:?}");
        }
    }
}
