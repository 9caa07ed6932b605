//! What went wrong, as a page for whoever came with a browser: a wrong address, a method that it does not know.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use futures_util::future::Either;
use tower::{BoxError, Service};

use crate::app::App;
use crate::pages::visitor::Visitor;
use crate::problem::{Kind, Told};

/// Where programs ask, and see problems also if they were made in a browser.
const API: &str = "/v1/";

/// Turns problems into pages for those who asked for one. Requests of programs pass without an allocation.
#[derive(Clone, Debug)]
pub struct ForBrowsers<S> {
    app: App,
    inner: S,
}

impl<S> ForBrowsers<S> {
    /// In front of `inner`.
    pub(crate) fn new(app: App, inner: S) -> Self {
        Self { app, inner }
    }
}

impl<S, B> Service<axum::http::Request<B>> for ForBrowsers<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future =
        Either<S::Future, Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send + 'static>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: axum::http::Request<B>) -> Self::Future {
        let request = request.map(Body::new);
        if !is_for_page(&request) {
            return Either::Left(self.inner.call(request));
        }
        let (parts, body) = request.into_parts();
        let visitor = Visitor::of(&self.app, &parts);
        let answer = self.inner.call(Request::from_parts(parts, body));
        Either::Right(Box::pin(async move { answer.await.map(|response| as_page(&visitor, response)) }))
    }
}

/// The page about a problem. What is one already stays.
fn as_page(visitor: &Visitor, response: Response) -> Response {
    let Some(Told { kind, detail }) = response.extensions().get() else { return response };
    // Who comes under a name that is not ours is shown nothing of what a page has around it.
    if *kind == Kind::ForeignHost {
        return response;
    }
    let mut page = visitor.oops(*kind, detail);
    let kept = [header::ALLOW, header::RETRY_AFTER, header::CONNECTION];
    for (name, value) in kept.iter().filter_map(|name| Some((name, response.headers().get(name)?))) {
        page.headers_mut().insert(name, value.clone());
    }
    page
}

/// Browsers name HTML when they open something; programs do not, unless they want it.
fn is_for_page(request: &Request) -> bool {
    let accepted = request.headers().get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|value| value.split(','));
    let html =
        |kind: &str| kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/html");
    !request.uri().path().starts_with(API) && kinds.any(html)
}
