//! What went wrong, as a page for whoever came with a browser: a wrong address, a method that it does not know.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::pages::visitor::Visitor;
use crate::problem::Told;

/// Where programs ask, and see problems also if they were made in a browser.
const API: &str = "/v1/";

/// Turns a problem into a page, if that is what was asked for. What is one already, and what is for programs, stays.
pub(crate) async fn for_browsers(State(app): State<App>, request: Request, next: Next) -> Response {
    let for_people = asks_for_page(request.headers()) && !request.uri().path().starts_with(API);
    if !for_people {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let visitor = match Visitor::from_request_parts(&mut parts, &app).await {
        Ok(visitor) => visitor,
        Err(problem) => return problem.into_response(),
    };
    let response = next.run(Request::from_parts(parts, body)).await;
    let Some(Told { kind, detail }) = response.extensions().get() else { return response };
    let mut page = visitor.oops(*kind, detail);
    let kept = [header::ALLOW, header::RETRY_AFTER, header::CONNECTION];
    for (name, value) in kept.iter().filter_map(|name| Some((name, response.headers().get(name)?))) {
        page.headers_mut().insert(name, value.clone());
    }
    page
}

/// Browsers name HTML when they open something; programs do not, unless they want it.
fn asks_for_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("text/html")
    })
}
