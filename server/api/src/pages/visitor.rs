//! Who looks, and what is around every page that they get.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_keeper::Health;
use lessor_ledger::{Owner, Time};
use lessor_web::{CONTENT_SECURITY_POLICY, Frame, Template, Text, Theme, asset, page};

use crate::app::App;
use crate::conditional;
use crate::health::pools_trouble;
use crate::pages::row;
use crate::problem::{Kind, Problem};

/// Cookie with the name of whoever looks, percent-encoded.
const OWNER: &str = "lessor_owner";
/// Cookie with the colours that they want.
const THEME: &str = "lessor_theme";
/// Sent by the script when it asks whether the page that is open has changed.
const REFRESH: HeaderName = HeaderName::from_static("lessor-refresh");
/// How long cookies are kept: a year, in seconds.
const COOKIE_SECONDS: u32 = 31_536_000;

/// What may have been done just before, as it is written in the query, and how a page says so.
const NOTICES: [(&str, &str); 25] = [
    ("leased", "It is yours."),
    ("waiting", "You are in line."),
    ("sent-before", "That form was sent before, and this came of it. For another, open the form anew."),
    ("extended", "It ends anew, counted from now."),
    ("released", "Released."),
    ("forced", "Taken back."),
    ("drained", "It takes no new leases."),
    ("undrained", "It takes leases again."),
    ("saved", "Saved."),
    ("cancelled", "You are no longer in line."),
    ("taken-out", "It is no longer in line."),
    ("reloaded", "The pools file was read again."),
    ("not-reloaded", "The pools file was read again, and is wrong: what was in force before still is."),
    ("bulk", "Done for all of them."),
    ("bulk-part", "Done. Here are the next."),
    ("renewed", "It ends anew, counted from now."),
    ("ended", "It is being released."),
    ("freed", "What it held is free."),
    ("enabled", "It takes calls."),
    ("disabled", "It takes no calls."),
    ("read", "It was read again."),
    ("installed", "It is installed."),
    ("removed", "It is gone."),
    ("rolled-back", "It runs what it ran before."),
    ("named", "Nice to meet you."),
];

/// Whoever sent a request.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) app: App,
    pub(crate) owner: Option<Owner>,
    theme: Theme,
    /// Path and query, without what was just done.
    here: String,
    /// Whether a form was sent, perhaps to where no page is.
    sent: bool,
    notice: Option<&'static str>,
    known: Option<HeaderValue>,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::of(app, parts))
    }
}

/// The value of a cookie, decoded; `None` if it is not there or not text.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    percent_encoding::percent_decode_str(value).decode_utf8().ok().map(Into::into)
}

impl Visitor {
    /// Whoever sent this request.
    pub(crate) fn of(app: &App, parts: &Parts) -> Self {
        let theme = cookie(&parts.headers, THEME).and_then(|name| Theme::named(&name)).unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default();
        // Whoever opens a page may have no script that keeps its times true.
        let refreshes = parts.headers.contains_key(REFRESH);
        let done = query.split('&').find_map(|pair| pair.strip_prefix("done="));
        let kept: Vec<&str> =
            query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("done=")).collect();
        let mut here = parts.uri.path().to_owned();
        if !kept.is_empty() {
            here = format!("{here}?{}", kept.join("&"));
        }
        Self {
            app: app.clone(),
            owner: cookie(&parts.headers, OWNER).and_then(|name| Owner::new(name).ok()),
            theme,
            here,
            sent: parts.method == Method::POST,
            notice: NOTICES.iter().find(|(key, _)| done == Some(*key)).map(|(_, words)| *words),
            known: parts.headers.get(header::IF_NONE_MATCH).filter(|_| refreshes).cloned(),
        }
    }

    /// Whether this owner is whoever looks.
    pub(crate) fn is(&self, owner: &Owner) -> bool {
        self.owner.as_ref() == Some(owner)
    }

    /// What is around the page of one thing, which is at `page`, also when it is the answer to a form.
    pub(crate) fn frame_at(
        &self,
        page: String,
        title: impl Into<String>,
        section: &'static str,
        topics: &'static str,
    ) -> Frame {
        let here = if self.sent { page } else { self.here.clone() };
        Frame { here, ..self.frame(title, section, topics) }
    }

    /// What is around a page, which is where it was asked for; a form that is on it is sent to there, too.
    pub(crate) fn frame(
        &self,
        title: impl Into<String>,
        section: &'static str,
        topics: &'static str,
    ) -> Frame {
        let (ledger, now) = (self.app.keeper.snapshot(), self.app.keeper.now());
        let mut alerts = Vec::new();
        match self.app.keeper.health() {
            Health::Writable => {}
            Health::ReadOnly(reason) => alerts.push(("No writes", Text::from(&*reason))),
            Health::Stopped => alerts.push(("No writes", "the server is going down".into())),
        }
        alerts.extend(pools_trouble(&self.app).map(|trouble| ("Pools file", Text::from(trouble))));
        let told = self.app.pulse.told();
        Frame {
            title: title.into(),
            section,
            here: self.here.clone(),
            owner: self.owner.as_ref().map(|owner| owner.as_str().into()),
            theme: self.theme,
            seq: ledger.counters().event,
            touched: told.touched,
            renewed: told.renewed,
            topics,
            now: row::utc(now),
            alerts,
            notice: self.notice,
        }
    }

    /// A page, or 304 to a script that has it already.
    pub(crate) fn page(&self, page: &impl Template) -> Response {
        self.page_with(StatusCode::OK, page)
    }

    /// A page with a status of its own.
    pub(crate) fn page_with(&self, status: StatusCode, page: &impl Template) -> Response {
        let html = match page.render() {
            Ok(html) => html,
            Err(error) => return Problem::internal(&error).into_response(),
        };
        let tag = format!("W/\"{:016x}\"", asset::hash(timeless(&html).as_bytes()));
        let known = conditional::is_known(&self.known, &tag);
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            // Not less: without a referrer a browser sends forms with the origin "null".
            (header::REFERRER_POLICY, "same-origin"),
            (header::CACHE_CONTROL, "private, no-cache"),
            (header::VARY, "cookie"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ];
        let mut response = if status == StatusCode::OK && known {
            (StatusCode::NOT_MODIFIED, headers).into_response()
        } else {
            (status, headers, html).into_response()
        };
        if let Ok(tag) = HeaderValue::from_str(&tag)
            && status == StatusCode::OK
        {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }

    /// A page, or a page about what went wrong.
    pub(crate) fn answer(&self, page: Result<Response, Problem>) -> Response {
        page.unwrap_or_else(|problem| self.oops(problem.kind(), problem.detail()))
    }

    /// A page about what went wrong.
    pub(crate) fn oops(&self, kind: Kind, detail: &str) -> Response {
        let frame = self.frame_at("/".to_owned(), kind.title(), "", "");
        let words = if detail.is_empty() { "The log of the server knows more." } else { detail };
        let page = page::Oops { frame, heading: kind.title().into(), words: words.into() };
        self.page_with(kind.status(), &page)
    }
}

/// A page without what changes by itself: the server's time, and the words of times relative to it.
fn timeless(html: &str) -> String {
    let mut kept = String::with_capacity(html.len());
    let mut rest = html;
    for (begin, end) in [("data-now=\"", "\"")].into_iter().chain(std::iter::repeat(("<time ", "</time>"))) {
        let Some(at) = rest.find(begin) else { break };
        let inner = at + begin.len();
        // The tag of a time, which says when it is, is kept.
        let inner = if begin == "<time " { inner + rest[inner..].find('>').unwrap_or(0) } else { inner };
        kept.push_str(&rest[..inner]);
        rest = &rest[inner + rest[inner..].find(end).unwrap_or(0)..];
    }
    kept.push_str(rest);
    kept
}

/// The answer to a form: go there.
pub(crate) fn see(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path.to_owned())]).into_response()
}

/// The answer to a form: go there, and say what was done.
pub(crate) fn done(path: &str, what: &'static str) -> Response {
    debug_assert!(NOTICES.iter().any(|(key, _)| *key == what), "{what} has no words");
    let mark = if path.contains('?') { '&' } else { '?' };
    see(&format!("{path}{mark}done={what}"))
}

/// A path on this server from what a form says, or the first page.
pub(crate) fn back(path: &str) -> &str {
    // Browsers leave control characters out of an address: `/<TAB>/evil.example` would be another server's.
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic()) && !path.contains(['\\', '#']);
    if plain && path.starts_with('/') && !path.starts_with("//") { path } else { "/" }
}

/// A cookie for a year.
fn keep(name: &str, value: &str) -> String {
    let value = lessor_web::link::encoded(value);
    format!("{name}={value}; Path=/; Max-Age={COOKIE_SECONDS}; SameSite=Lax; HttpOnly")
}

/// An answer that also sets who looks.
pub(crate) fn with_owner(mut response: Response, owner: &str) -> Response {
    set(&mut response, &keep(OWNER, owner));
    response
}

/// An answer that also sets the colours.
pub(crate) fn with_theme(mut response: Response, theme: Theme) -> Response {
    set(&mut response, &keep(THEME, theme.name()));
    response
}

fn set(response: &mut Response, cookie: &str) {
    let value = HeaderValue::from_str(cookie).expect("a cookie of encoded text is ASCII");
    response.headers_mut().append(header::SET_COOKIE, value);
}

/// The time that the words of a page are relative to.
pub(crate) fn seconds_between(from: Time, to: Time) -> i64 {
    to.since(from).millis().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_this_server_only() {
        assert_eq!(back("/leases?q=a%20b"), "/leases?q=a%20b");
        for foreign in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "/a\r\nb",
            "/\t/evil.example",
            "/ü",
        ] {
            assert_eq!(back(foreign), "/", "{foreign}");
        }
    }

    #[test]
    fn only_the_words_of_times_are_left_out_of_a_page() {
        let page = |now: &str, words: &str, at: &str| {
            format!(
                "<body data-now=\"{now}\"><p>a</p><time datetime=\"{at}\">{words}</time> b <time datetime=\"z\">{words}</time> c"
            )
        };
        assert_eq!(timeless(&page("1", "5 s ago", "x")), timeless(&page("2", "6 s ago", "x")));
        assert_ne!(timeless(&page("1", "5 s ago", "x")), timeless(&page("1", "5 s ago", "y")));
        assert_eq!(
            timeless(&page("1", "5 s ago", "x")),
            "<body data-now=\"\"><p>a</p><time datetime=\"x\"</time> b <time datetime=\"z\"</time> c"
        );
        assert_eq!(timeless("no times"), "no times");
    }

    #[test]
    fn cookies_are_found_among_others_and_decoded() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; lessor_owner=ann%20b; c"));
        assert_eq!(cookie(&headers, OWNER).as_deref(), Some("ann b"));
        assert_eq!(cookie(&headers, "c"), None);
        headers.insert(header::COOKIE, HeaderValue::from_static("lessor_owner=%ff"));
        assert_eq!(cookie(&headers, OWNER), None);
        assert!(keep(OWNER, "a;b\r\n").starts_with("lessor_owner=a%3Bb%0D%0A; Path=/; "));
    }
}
