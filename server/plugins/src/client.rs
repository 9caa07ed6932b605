//! The client of an endpoint: HTTP/1.1, with TLS or without, to addresses that may be reached and to no others.
//!
//! It follows no redirect and asks no proxy. Addresses are judged between resolving and connecting, so a name cannot
//! lead to one place when it is looked at and to another when it is used.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::Uri;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::address::{LINK_LOCAL, NOBODY, PRIVATE, Reach, reach};
use crate::limits::{HTTP_CONNECT, HTTP_IDLE, HTTP_IDLE_MAX, HTTP_RESPONSE_BYTES_MAX};

/// The client of one endpoint. Its connections are kept for the next request.
pub(crate) type Client = legacy::Client<Bounded, Full<Bytes>>;

/// What hyper takes any error as.
type Failure = Box<dyn Error + Send + Sync>;

/// A connection that may be used.
type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Makes the client of an endpoint that may or may not be at private addresses. Whoever speaks TLS there has to have a
/// certificate from one of `roots`.
///
/// # Errors
///
/// TLS does not start.
pub(crate) fn client(private: bool, roots: Arc<RootCertStore>) -> Result<Client, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS does not start: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(Guarded { private });
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(HTTP_IDLE).pool_max_idle_per_host(HTTP_IDLE_MAX);
    Ok(builder.build(Bounded(connector)))
}

/// A request, ready to be sent.
pub(crate) type Request = hyper::Request<Full<Bytes>>;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoResponse {
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The name resolves to where nobody may go.
    #[error("the address of the endpoint is not allowed: {0}")]
    ForbiddenAddress(String),
    /// It took too long.
    #[error("{}", if *.sent { "there was no whole answer in time" } else { "there was no connection in time" })]
    Timeout {
        /// Whether some of the request may have been sent by then.
        sent: bool,
    },
    /// The answer is too large.
    #[error("the answer has more than {HTTP_RESPONSE_BYTES_MAX} bytes")]
    TooLarge,
    /// The endpoint cannot be reached, or does not speak HTTP.
    #[error("the endpoint does not answer: {message}")]
    Failed { message: String, sent: bool },
}

/// Sends one request and waits for the whole answer.
///
/// # Errors
///
/// There is no whole answer in time, or none at all.
///
/// # Cancel safety
///
/// If the future is dropped, the connection is closed; the request may have been sent.
pub(crate) async fn exchange(
    client: &Client,
    mut request: Request,
    timeout: Duration,
) -> Result<Answer, NoResponse> {
    let connection = capture_connection(&mut request);
    let done = tokio::time::timeout(timeout, async {
        let response = client.request(request).await;
        whole(response.map_err(|error| failed(&error, !error.is_connect()))?).await
    });
    // Nothing is sent before there is a connection, new or kept from another request.
    let sent = || connection.connection_metadata().is_some();
    done.await.unwrap_or_else(|_| Err(NoResponse::Timeout { sent: sent() }))
}

/// Reads an answer to its end, or to the bound.
async fn whole(response: hyper::Response<Incoming>) -> Result<Answer, NoResponse> {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        // What is no data are trailers, which nobody reads.
        let Ok(chunk) = frame.map_err(|error| failed(&error, true))?.into_data() else { continue };
        if body.len() + chunk.len() > HTTP_RESPONSE_BYTES_MAX {
            return Err(NoResponse::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: body.into() })
}

/// Says what an error of the client means.
fn failed(error: &(dyn Error + 'static), sent: bool) -> NoResponse {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
        if let Some(forbidden) = cause.downcast_ref::<ForbiddenAddress>() {
            return NoResponse::ForbiddenAddress(forbidden.to_string());
        }
    }
    NoResponse::Failed { message: cause.to_string(), sent }
}

/// A name resolves to nothing but addresses that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("it resolves to {address}, which is {what}")]
pub(crate) struct ForbiddenAddress {
    address: IpAddr,
    what: &'static str,
}

/// There was no connection in time: nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("there was no connection within {} s", HTTP_CONNECT.as_secs())]
pub(crate) struct NoConnection;

/// Connects within bounds of time, TLS included.
#[derive(Clone)]
pub(crate) struct Bounded(HttpsConnector<Guarded>);

impl Service<Uri> for Bounded {
    type Response = Connection;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Connection, Failure>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = tokio::time::timeout(HTTP_CONNECT, self.0.call(uri));
        Box::pin(async { connected.await.unwrap_or_else(|_| Err(NoConnection.into())) })
    }
}

/// Connects to where an endpoint may be.
#[derive(Clone)]
struct Guarded {
    private: bool,
}

impl Service<Uri> for Guarded {
    type Response = TokioIo<TcpStream>;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Self::Response, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(connect(uri, self.private))
    }
}

async fn connect(uri: Uri, private: bool) -> Result<TokioIo<TcpStream>, Failure> {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let addresses = match host.parse::<IpAddr>() {
        // Nothing resolves it: it was judged when the endpoint was opened.
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => resolve(host, port, private).await?,
    };
    let stream = TcpStream::connect(&addresses[..]).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(stream))
}

/// Resolves a name with the system, and keeps back addresses that may not be reached.
async fn resolve(name: &str, port: u16, private: bool) -> Result<Vec<SocketAddr>, Failure> {
    let all = tokio::net::lookup_host((name, port)).await?;
    let (allowed, refused): (Vec<_>, Vec<_>) = all.partition(|address| {
        let reach = reach(address.ip());
        reach == Reach::Public || (private && reach == Reach::Private)
    });
    match refused.first() {
        Some(first) if allowed.is_empty() => {
            let what = match reach(first.ip()) {
                Reach::Private => PRIVATE,
                Reach::LinkLocal => LINK_LOCAL,
                Reach::Public | Reach::Nobody => NOBODY,
            };
            Err(ForbiddenAddress { address: first.ip(), what }.into())
        }
        _ => Ok(allowed),
    }
}
