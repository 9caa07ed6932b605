//! HTTP endpoints: the server's own address, credentials and client, and how a plugin's request gets there.

use std::net::IpAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use url::Url;

use crate::address::{LINK_LOCAL, NOBODY, PRIVATE, Reach, reach};
use crate::authorities::Authorities;
use crate::client::{Answer, Client, NoResponse, Request, client, exchange};
use crate::limits::{HTTP_BODY_BYTES_MAX, HTTP_HEADERS_MAX, HTTP_PATH_BYTES_MAX};
use crate::{Endpoint, PluginSpec};

/// The methods that a plugin may use.
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Headers that belong to the connection and to whoever holds it: no guest sets them.
pub(crate) const HEADERS_OF_THE_CONNECTION: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that say who asks, which is the server at an endpoint of its own.
const HEADERS_OF_THE_SERVER: [&str; 2] = ["authorization", "cookie"];

/// An endpoint that is ready to be talked to.
pub(crate) struct Door {
    base: Url,
    bearer: Option<HeaderValue>,
    client: Client,
}

/// What a plugin asks for.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Duration,
}

impl Door {
    /// Opens an endpoint as the operator described it.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the description.
    pub(crate) fn open(
        authorities: &Authorities,
        endpoint: &Endpoint,
        spec: &PluginSpec,
    ) -> Result<Self, String> {
        let base = address(&endpoint.url, endpoint.private)?;
        let bearer = match &endpoint.bearer_secret {
            None => None,
            Some(name) => {
                let secret = spec.secrets.get(name).ok_or_else(|| format!("the secret {name} is not set"))?;
                let value = HeaderValue::try_from(format!("Bearer {}", secret.reveal()));
                let mut value = value.map_err(|_| format!("the secret {name} does not fit into a header"))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let roots = match (base.scheme(), &endpoint.ca_file) {
            ("https", file) => authorities.of(file.as_deref())?,
            (_, None) => Authorities::nobody(),
            (_, Some(_)) => return Err("a ca_file is for https, and this is http".to_owned()),
        };
        Ok(Self { base, bearer, client: client(endpoint.private, roots)? })
    }

    /// Sends one request and waits for the whole answer.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the connection is closed; the request may have been sent.
    pub(crate) async fn send(&self, request: Call) -> Result<Answer, NoResponse> {
        let timeout = request.timeout;
        exchange(&self.client, self.request(request)?, timeout).await
    }

    fn request(&self, request: Call) -> Result<Request, NoResponse> {
        let invalid = |message: String| NoResponse::Invalid(message);
        let method = METHODS.into_iter().find(|method| method.as_str() == request.method);
        let method = method.ok_or_else(|| {
            invalid(format!("the method {} is none of GET, HEAD, POST, PUT, PATCH, DELETE", request.method))
        })?;
        if request.body.len() > HTTP_BODY_BYTES_MAX {
            let bytes = request.body.len();
            return Err(invalid(format!(
                "the body has {bytes} bytes: at most {HTTP_BODY_BYTES_MAX} are taken"
            )));
        }
        let url = below(&self.base, &request.path).map_err(invalid)?;
        let uri =
            Uri::try_from(url.as_str()).map_err(|error| invalid(format!("the path is none: {error}")))?;
        let mut built = Request::new(Full::from(request.body));
        *built.method_mut() = method;
        *built.uri_mut() = uri;
        let headers = built.headers_mut();
        *headers = self::headers(request.headers).map_err(invalid)?;
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let Some(bearer) = &self.bearer {
            headers.insert(AUTHORIZATION, bearer.clone());
        }
        Ok(built)
    }
}

/// The address of an endpoint, checked, without a slash at the end.
///
/// Nothing resolves an address that is written itself, so it is judged here; the URL has read `0x7f.1` and its like as the
/// address that will be connected to.
pub(crate) fn address(text: &str, private: bool) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("{text} is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the scheme {} is neither http nor https", url.scheme()));
    }
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !url.has_host() || !bare {
        return Err("a URL has a host, and neither user, password, query nor fragment".to_owned());
    }
    let what = match written_address(&url).map(|address| (address, reach(address))) {
        None | Some((_, Reach::Public)) => None,
        Some((_, Reach::Private)) => (!private).then_some(PRIVATE),
        Some((address, Reach::LinkLocal)) => (!private || !spells(text, address)).then_some(LINK_LOCAL),
        Some((_, Reach::Nobody)) => Some(NOBODY),
    };
    if let Some(what) = what {
        return Err(format!("{} is {what}", url.host_str().unwrap_or_default()));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The address that a URL has in place of a name.
fn written_address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether a URL writes an address as everybody does, so that who reads it sees where it leads.
fn spells(text: &str, address: IpAddr) -> bool {
    let host = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    let authority = &authority[..end];
    authority.strip_prefix(&host).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// The URL of a path below that of the endpoint. What could lead out of it is refused, not resolved.
fn below(base: &Url, path: &str) -> Result<Url, String> {
    if path.is_empty() {
        return Ok(base.clone());
    }
    if !path.starts_with('/') || path.len() > HTTP_PATH_BYTES_MAX {
        return Err(format!("a path is empty, or begins with / and has at most {HTTP_PATH_BYTES_MAX} bytes"));
    }
    let (segments, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let lower = segments.to_ascii_lowercase();
    let odd = ["\\", "%2e", "%2f", "%5c", "#", "//"].iter().any(|odd| lower.contains(odd))
        || segments.split('/').any(|segment| segment == "." || segment == "..")
        || path.chars().any(|c| c.is_control() || c.is_whitespace() || c == '#');
    if odd {
        return Err(
            "a path has no dot segments, no empty ones, no backslash and no #, encoded or not".to_owned()
        );
    }
    let mut url = base.clone();
    url.set_path(&format!("{}{segments}", base.path().trim_end_matches('/')));
    url.set_query(query);
    Ok(url)
}

fn headers(given: Vec<(String, String)>) -> Result<HeaderMap, String> {
    if given.len() > HTTP_HEADERS_MAX {
        return Err(format!("{} headers: at most {HTTP_HEADERS_MAX} are taken", given.len()));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let Ok(name) = HeaderName::try_from(name.as_str()) else {
            return Err(format!("{name:?} is no name of a header"));
        };
        if HEADERS_OF_THE_CONNECTION.iter().chain(&HEADERS_OF_THE_SERVER).any(|known| *known == name) {
            return Err(format!("the header {name} is the server's to set"));
        }
        let Ok(value) = HeaderValue::try_from(value) else {
            return Err(format!("the header {name} has no valid value"));
        };
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_address_of_the_endpoint() {
        let base = address("http://lab.example:8080/api/", false).unwrap();
        let url = |path: &str| below(&base, path).map(|url| url.to_string());
        assert_eq!(url("").unwrap(), "http://lab.example:8080/api");
        assert_eq!(
            url("/hosts?free=1&at=%2F..").unwrap(),
            "http://lab.example:8080/api/hosts?free=1&at=%2F.."
        );
        assert_eq!(url("/@evil.example").unwrap(), "http://lab.example:8080/api/@evil.example");
        for bad in [
            "hosts",
            "@evil.example",
            "//evil.example",
            "/../admin",
            "/a/../../admin",
            "/%2e%2e/admin",
            "/.%2E/admin",
            "/a%2f..%2fadmin",
            "/a\\..\\admin",
            "/a b",
            "/a#b",
            "/a\r\nHost: x",
            ".evil.example",
            ":80@evil.example",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_says_where_and_nothing_else() {
        for bad in [
            "",
            "lab",
            "ftp://lab",
            "http://ann@lab",
            "http://:pw@lab",
            "http://lab/?a=1",
            "http://lab/#a",
            "file:///etc/passwd",
            "http://",
        ] {
            assert!(address(bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_judged_by_where_it_leads_however_it_is_written() {
        let said = |url: &str, private: bool| {
            address(url, private)
                .err()
                .and_then(|why| Some(why.split_once(" is ")?.1.split(':').next()?.to_owned()))
        };
        for private in
            ["127.0.0.1", "0x7f.1", "0177.0.0.1", "2130706433", "127.1", "10.0.0.7:8080", "192.168.1.1"]
        {
            let url = format!("http://{private}/api");
            assert_eq!(said(&url, false).as_deref(), Some("private"), "{url}");
            assert_eq!(said(&url, true), None, "{url}");
        }
        for private in ["[::1]", "[fd00::1]:80", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::a00:1]"]
        {
            let url = format!("http://{private}");
            assert_eq!(said(&url, false).as_deref(), Some("private"), "{url}");
            assert_eq!(said(&url, true), None, "{url}");
        }
        for plain in
            ["169.254.169.254", "[::ffff:169.254.169.254]", "169.254.1.1:80", "[fe80::1]", "[fe80::1]:80"]
        {
            let url = format!("http://{plain}/latest");
            assert_eq!(said(&url, false).as_deref(), Some("link-local"), "{url}");
            assert_eq!(said(&url, true), None, "{url}");
        }
        for odd in ["2852039166", "0xa9fea9fe", "0251.254.169.254", "[::ffff:a9fe:a9fe]", "[FE80::1]"] {
            let url = format!("http://{odd}/latest");
            assert_eq!(said(&url, true).as_deref(), Some("link-local"), "{url}");
        }
        for nobody in ["0.0.0.0", "0", "[::]", "255.255.255.255", "224.0.0.1", "[ff02::1]"] {
            let url = format!("http://{nobody}/");
            assert_eq!(said(&url, true).as_deref(), Some("of no host"), "{url}");
        }
        for https in ["https://127.0.0.1", "https://169.254.169.254:443"] {
            assert!(address(https, false).is_err(), "{https}");
            assert!(address(https, true).is_ok(), "{https}");
        }
        for public in ["192.0.2.7", "[2606:4700::1]", "lab.example"] {
            assert_eq!(said(&format!("http://{public}/"), false), None, "{public}");
        }
    }

    #[test]
    fn headers_of_the_server_cannot_be_set() {
        let set = |name: &str, value: &str| headers(vec![(name.to_owned(), value.to_owned())]);
        assert!(set("Accept", "application/json").is_ok());
        for (name, value) in
            [("Host", "x"), ("AUTHORIZATION", "x"), ("Cookie", "a"), ("a b", "x"), ("x", "a\r\nHost: y")]
        {
            assert!(set(name, value).is_err(), "{name}");
        }
    }
}
