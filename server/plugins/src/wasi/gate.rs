//! Where a plugin may send requests over `wasi:http`: the hosts that its operator named, and nowhere else.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use hyper::header::{ACCEPT, HeaderMap, HeaderValue};
use hyper::{Method, Uri};
use url::Url;

use super::types::{ErrorCode, Scheme};
use crate::authorities::Authorities;
use crate::client::{Answer, Client, NoResponse, Request, client, exchange};
use crate::endpoint::address;
use crate::limits::{HTTP_PATH_BYTES_MAX, HTTP_RESPONSE_BYTES_MAX};

/// Hosts that were granted, and the client that talks to them.
pub(crate) struct Gate {
    hosts: BTreeSet<(String, u16)>,
    client: Client,
}

/// What a plugin asks for.
pub(super) struct Errand {
    pub(super) method: Method,
    pub(super) scheme: Option<Scheme>,
    pub(super) authority: Option<String>,
    pub(super) path: Option<String>,
    pub(super) headers: HeaderMap,
}

/// Why nothing is asked: for the plugin, and for its operator.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: ErrorCode,
    pub(super) why: String,
}

impl Gate {
    /// Opens what an operator granted, as `host:port`. A private or link-local address is granted only by being named
    /// itself: a name that resolves to one leads nowhere.
    ///
    /// # Errors
    ///
    /// The first that is none.
    pub(crate) fn open(
        authorities: &Authorities,
        hosts: &BTreeSet<String>,
    ) -> Result<Self, (String, String)> {
        let known = |text: &String| host(text).map_err(|why| (text.clone(), why));
        let hosts = hosts.iter().map(known).collect::<Result<_, _>>()?;
        // Without authorities nobody is believed over https; http needs none.
        let roots = authorities.of(None).unwrap_or_else(|_| Authorities::nobody());
        let client = client(false, roots).map_err(|why| (String::new(), why))?;
        Ok(Self { hosts, client })
    }

    /// The request, if it may be sent.
    pub(super) fn request(&self, errand: Errand) -> Result<Request, Refused> {
        let Errand { method, scheme, authority, path, headers } = errand;
        let refused = |code: ErrorCode, why: &str| Refused { code, why: why.to_owned() };
        let scheme = match scheme {
            Some(Scheme::Http) => "http",
            None | Some(Scheme::Https) => "https",
            Some(Scheme::Other(_)) => {
                return Err(refused(ErrorCode::HttpProtocolError, "neither http nor https"));
            }
        };
        let authority = authority.unwrap_or_default();
        let path = path.unwrap_or_default();
        let path = if path.is_empty() { "/" } else { &path };
        // Without a host, the path would be read as one.
        let odd = authority.is_empty()
            || authority.contains(['/', '@', '?', '#', '\\'])
            || !path.starts_with('/')
            || path.contains('#');
        let url = Url::parse(&format!("{scheme}://{authority}{path}")).ok().filter(|_| !odd);
        let url = url.ok_or_else(|| refused(ErrorCode::HttpRequestUriInvalid, "neither host nor path"))?;
        if url.as_str().len() > HTTP_PATH_BYTES_MAX {
            return Err(refused(ErrorCode::HttpRequestUriTooLong, "the path is too long"));
        }
        let place = place(&url).ok_or_else(|| refused(ErrorCode::HttpRequestUriInvalid, "no host"))?;
        if !self.hosts.contains(&place) {
            let (host, port) = place;
            let why = format!("it would need grants.wasi_http = [\"{host}:{port}\"]");
            return Err(Refused { code: ErrorCode::HttpRequestDenied, why });
        }
        let uri = Uri::try_from(url.as_str())
            .map_err(|_| refused(ErrorCode::HttpRequestUriInvalid, "no address that can be asked"))?;
        let mut request = Request::default();
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        Ok(request)
    }

    /// Sends a request when its body is finished, and waits for the whole answer.
    pub(super) fn send(
        &self,
        mut request: Request,
        body: impl Future<Output = Option<Vec<u8>>> + Send + 'static,
        timeout: Duration,
    ) -> impl Future<Output = Result<Answer, ErrorCode>> + Send + 'static {
        let client = self.client.clone();
        async move {
            let sent = tokio::time::timeout(timeout, async {
                let unfinished = || ErrorCode::InternalError(Some("its body was not finished".to_owned()));
                *request.body_mut() = body.await.ok_or_else(unfinished)?.into();
                exchange(&client, request, timeout).await.map_err(|error| code(&error))
            });
            sent.await.unwrap_or(Err(ErrorCode::HttpResponseTimeout))
        }
    }
}

/// A host and a port, in the spelling in which they are connected to.
fn host(text: &str) -> Result<(String, u16), String> {
    let port = text.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    if !port || text.contains(['/', '@', '?', '#', '\\']) {
        return Err("write host:port".to_owned());
    }
    place(&address(&format!("http://{text}"), true)?).ok_or_else(|| "write host:port".to_owned())
}

fn place(url: &Url) -> Option<(String, u16)> {
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

/// What an error is called in the standard.
fn code(error: &NoResponse) -> ErrorCode {
    match error {
        NoResponse::Invalid(_) => ErrorCode::HttpRequestUriInvalid,
        NoResponse::ForbiddenAddress(_) => ErrorCode::DestinationIpProhibited,
        NoResponse::Timeout { .. } => ErrorCode::HttpResponseTimeout,
        NoResponse::TooLarge => ErrorCode::HttpResponseBodySize(Some(HTTP_RESPONSE_BYTES_MAX as u64)),
        NoResponse::Failed { sent: false, .. } => ErrorCode::DestinationUnavailable,
        NoResponse::Failed { message, .. } => ErrorCode::InternalError(Some(message.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(hosts: &[&str]) -> Result<Gate, (String, String)> {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Gate::open(&Authorities::default(), &hosts)
    }

    fn asked(gate: &Gate, scheme: Option<Scheme>, authority: &str, path: &str) -> Result<String, ErrorCode> {
        let (authority, path) = (Some(authority.to_owned()), Some(path.to_owned()));
        let errand = Errand { method: Method::GET, scheme, authority, path, headers: HeaderMap::new() };
        gate.request(errand).map(|request| request.uri().to_string()).map_err(|refused| refused.code)
    }

    #[test]
    fn only_what_was_granted_is_asked_however_it_is_written() {
        let gate = gate(&["lab.example:80", "Rack.example:8443", "10.0.0.7:80"]).expect("hosts");
        let http = || Some(Scheme::Http);
        let ask = |scheme, authority: &str| asked(&gate, scheme, authority, "/a?b=c");
        assert_eq!(ask(http(), "lab.example").unwrap(), "http://lab.example/a?b=c");
        assert_eq!(ask(http(), "LAB.example:80").unwrap(), "http://lab.example/a?b=c");
        assert_eq!(ask(None, "rack.example:8443").unwrap(), "https://rack.example:8443/a?b=c");
        assert_eq!(ask(http(), "0xa.7").unwrap(), "http://10.0.0.7/a?b=c");
        for (scheme, authority) in [
            (None, "lab.example"),
            (http(), "rack.example"),
            (http(), "127.0.0.1"),
            (http(), "169.254.169.254"),
            (http(), "lab.example:81"),
            (http(), "xlab.example"),
        ] {
            let refused = ask(scheme, authority);
            assert!(matches!(refused, Err(ErrorCode::HttpRequestDenied)), "{authority}: {refused:?}");
        }
        for authority in ["", "ann@lab.example", "lab.example/x", "lab.example#", "lab.example:99999"] {
            let refused = ask(http(), authority);
            assert!(matches!(refused, Err(ErrorCode::HttpRequestUriInvalid)), "{authority}: {refused:?}");
        }
        assert!(asked(&gate, http(), "lab.example", "x").is_err());
    }

    #[test]
    fn a_host_is_named_plainly_or_not_at_all() {
        for good in ["lab.example:80", "10.0.0.7:80", "[fd00::1]:8080", "169.254.169.254:80"] {
            assert!(gate(&[good]).is_ok(), "{good}");
        }
        for bad in
            ["lab.example", "http://lab.example:80", "0.0.0.0:80", "2852039166:80", "a@lab:80", "lab:80/x"]
        {
            let why = gate(&[bad]).err().map(|(host, _)| host);
            assert_eq!(why.as_deref(), Some(bad));
        }
    }
}
