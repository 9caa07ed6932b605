//! Where the file is.

/// The path that a URI of a file names.
///
/// # Errors
///
/// It has another scheme than `file`, a host that is not this one, or an escape that is none.
pub(crate) fn path(uri: &str) -> Result<String, String> {
    let (scheme, rest) = match uri.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => (String::new(), uri),
    };
    if !matches!(scheme.as_str(), "" | "file") {
        return Err(format!("the scheme is {scheme}: only file is known"));
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(after) => {
            let (host, path) = after.find('/').map_or((after, ""), |slash| after.split_at(slash));
            if !matches!(host, "" | "localhost") {
                return Err(format!("the host is {host}: only localhost is known"));
            }
            path
        }
    };
    unescape(path).ok_or_else(|| "it has a % that begins no escape".to_owned())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_file_url_name_the_same_file() {
        for uri in [
            "/srv/a b.csv",
            "file:///srv/a%20b.csv",
            "FILE://localhost/srv/a%20b.csv?x#y",
            "file:/srv/a b.csv",
        ] {
            assert_eq!(path(uri).as_deref(), Ok("/srv/a b.csv"), "{uri}");
        }
        assert_eq!(path("hosts.csv").as_deref(), Ok("hosts.csv"));
    }

    #[test]
    fn other_places_are_refused() {
        for uri in
            ["http://localhost/a", "ftp:a", "file://hosts.csv", "file://other/a", "/a%zz", "/a%2", "/%ff"]
        {
            assert!(path(uri).is_err(), "{uri}");
        }
    }
}
