//! The guard at the door: refuses requests that a browser was tricked into, and bodies that nobody here can read, and
//! counts answers and what they hold.
//!
//! A page on another site can make a browser send requests here: directly (a cross-site form), or under a name that
//! it has bound to our address (DNS rebinding). Neither can be done with a right `Host` and a right `Origin`. It is
//! one service without allocation, because every request passes it.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, Version, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
use pin_project_lite::pin_project;
use tower::Service;

use crate::answers::To;
use crate::app::App;
use crate::problem::{Kind, Problem};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Which names the server answers to.
#[derive(Clone, Debug)]
pub enum Hosts {
    /// `localhost`, any IP address, and these names: for a server that only this machine can reach.
    Local(Arc<[String]>),
    /// Any name.
    Any,
}

impl Hosts {
    /// Whether a request with this `Host` (a name or address, perhaps with a port) is for this server.
    ///
    /// Addresses always are: rebinding takes a name.
    fn serves(&self, authority: &str) -> bool {
        let Self::Local(names) = self else { return true };
        let host = without_port(authority);
        if host == "127.0.0.1" || host.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_local = |name: &str| {
            name.len() > 10 && name.is_char_boundary(name.len() - 10) && {
                name[name.len() - 10..].eq_ignore_ascii_case(".localhost")
            }
        };
        address.parse::<IpAddr>().is_ok()
            || is_local(host)
            || names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Looks at one request.
fn check(hosts: &Hosts, request: &Request) -> Result<(), Problem> {
    let authority = authority(request)?;
    if let Some(authority) = authority
        && !hosts.serves(authority)
    {
        return Err(Problem::new(
            Kind::ForeignHost,
            format!(
                "this server does not answer for host {authority:?}; if it should, start it with --host NAME"
            ),
        ));
    }
    is_plain(request.headers())?;
    if only_looks(request.method()) || is_own(request.headers(), authority.unwrap_or_default()) {
        return Ok(());
    }
    Err(Problem::new(Kind::ForeignOrigin, "a browser sent this for another site"))
}

fn only_looks(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether the body, if there is one, is as it is: read as JSON, a compressed one would only look broken.
fn is_plain(headers: &HeaderMap) -> Result<(), Problem> {
    let mut given = headers.get_all(header::CONTENT_ENCODING).iter();
    match given.find(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        None => Ok(()),
        Some(coding) => Err(Problem::new(
            Kind::ContentEncoding,
            format!("the body is {coding:?}: send it without content-encoding"),
        )),
    }
}

/// Whom the request is for; `None` only before HTTP/1.1.
fn authority(request: &Request) -> Result<Option<&str>, Problem> {
    if let Some(authority) = request.uri().authority() {
        return Ok(Some(authority.as_str()));
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => match host.to_str() {
            Ok(host) => Ok(Some(host)),
            Err(_) => Err(Problem::new(Kind::Malformed, "the host header is not text")),
        },
        // RFC 9112 §3.2: whoever is in between may have looked at the other one.
        (_, Some(_)) => Err(Problem::new(Kind::Malformed, "the request has more than one host header")),
        (None, None) if request.version() < Version::HTTP_11 => Ok(None),
        (None, None) => Err(Problem::new(Kind::Malformed, "the request has no host header")),
    }
}

/// Whether a request that may change something comes from our own pages, or from no browser at all.
fn is_own(headers: &HeaderMap, authority: &str) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE)
        && site != "same-origin"
        && site != "none"
    {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, host)| host.eq_ignore_ascii_case(authority))
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Guard<S> {
    app: App,
    inner: S,
}

impl<S> Guard<S> {
    /// In front of `inner`.
    pub(crate) fn new(app: App, inner: S) -> Self {
        Self { app, inner }
    }
}

impl<S> Service<Request> for Guard<S>
where
    S: Service<Request>,
    S::Response: IntoResponse,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Counted<Either<S::Future, Ready<Result<Response, S::Error>>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let to = if only_looks(request.method()) { To::Look } else { To::Change };
        let answer = match check(&self.app.hosts, &request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(problem) => Either::Right(ready(Ok(problem.into_response()))),
        };
        Counted { answer, to, app: self.app.clone() }
    }
}

pin_project! {
    /// Counts the answer: by the class of its status, and its bytes until they were sent.
    #[derive(Debug)]
    pub struct Counted<F> {
        #[pin]
        answer: F,
        to: To,
        app: App,
    }
}

impl<A, B, R, E> Future for Counted<Either<A, B>>
where
    A: Future<Output = Result<R, E>>,
    B: Future<Output = Result<Response, E>>,
    R: IntoResponse,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = match this.answer.as_pin_mut() {
            Either::Left(inner) => inner.poll(context).map_ok(IntoResponse::into_response),
            Either::Right(refused) => refused.poll(context),
        };
        answer.map_ok(|response| {
            let response =
                this.app.answers.hold(response, *this.to).unwrap_or_else(IntoResponse::into_response);
            this.app.metrics.count_answer(response.status());
            response
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_server_answers_to_addresses_and_local_names_only() {
        let hosts = Hosts::Local(Arc::from(["lessor.example".to_owned()]));
        for ours in [
            "127.0.0.1",
            "127.0.0.1:8080",
            "localhost:8080",
            "LOCALHOST",
            "[::1]:8080",
            "[::1]",
            "10.0.0.7:80",
            "a.localhost:1",
            "lessor.example:8080",
            "Lessor.Example",
        ] {
            assert!(hosts.serves(ours), "{ours}");
        }
        for foreign in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            ".localhost",
        ] {
            assert!(!hosts.serves(foreign), "{foreign}");
        }
        assert!(Hosts::Any.serves("evil.example"));
    }

    #[test]
    fn only_our_own_pages_and_programs_may_change_something() {
        let own = |pairs: &[(HeaderName, &'static str)]| {
            let pairs =
                pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header value")));
            is_own(&pairs.collect(), "localhost:8080")
        };
        assert!(own(&[]));
        assert!(own(&[(header::ORIGIN, "http://localhost:8080"), (SEC_FETCH_SITE, "same-origin")]));
        assert!(own(&[(SEC_FETCH_SITE, "none")]));
        for foreign in
            ["http://evil.example", "http://localhost:3000", "null", "http://localhost:8080.evil.example"]
        {
            assert!(!own(&[(header::ORIGIN, foreign)]), "{foreign}");
        }
        for foreign in ["cross-site", "same-site", "nonsense"] {
            assert!(!own(&[(SEC_FETCH_SITE, foreign)]), "{foreign}");
        }
    }
}
