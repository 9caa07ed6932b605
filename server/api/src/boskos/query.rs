//! Query strings, read as Go's `url.ParseQuery` reads them.
//!
//! Pairs are split at `&`; a pair with a semicolon or a bad escape is dropped; `+` is a space; of a repeated key the
//! first value counts, even if it is empty. Nothing is copied unless it was escaped.

use std::borrow::Cow;

use lessor_ledger::{NameError, Owner, PoolName, State, Target};

/// The parameters that the dialect knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Param {
    Type,
    State,
    Dest,
    Owner,
    RequestId,
    Name,
    Names,
    Expire,
}

const KNOWN: [(&[u8], Param); 8] = [
    (b"type", Param::Type),
    (b"state", Param::State),
    (b"dest", Param::Dest),
    (b"owner", Param::Owner),
    (b"request_id", Param::RequestId),
    (b"name", Param::Name),
    (b"names", Param::Names),
    (b"expire", Param::Expire),
];

/// Why a parameter that is there cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// Names are text in Lessor; Go would have taken any bytes.
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    /// It is longer than a name may be.
    #[error("{param}: {cause}")]
    Name {
        /// Which parameter.
        param: &'static str,
        /// What is wrong with it.
        cause: NameError,
    },
    /// It is longer than this parameter may be.
    #[error("{param} has {bytes} bytes, at most {max} are allowed")]
    TooLong {
        /// Which parameter.
        param: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
}

/// The known parameters of one query string.
#[derive(Debug, Default)]
pub(super) struct Query<'a> {
    values: [Option<Cow<'a, [u8]>>; KNOWN.len()],
}

impl Param {
    fn key(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::State => "state",
            Self::Dest => "dest",
            Self::Owner => "owner",
            Self::RequestId => "request_id",
            Self::Name => "name",
            Self::Names => "names",
            Self::Expire => "expire",
        }
    }
}

impl<'a> Query<'a> {
    /// Reads the part of a URL after the question mark.
    pub(super) fn parse(raw: &'a str) -> Self {
        let mut query = Self::default();
        for pair in raw.as_bytes().split(|&byte| byte == b'&') {
            if pair.is_empty() || pair.contains(&b';') {
                continue;
            }
            let cut = pair.iter().position(|&byte| byte == b'=');
            let (key, value) = cut.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
            let (Some(key), Some(value)) = (unescape(key), unescape(value)) else { continue };
            let known = KNOWN.iter().find(|(name, _)| *name == &*key);
            if let Some(&(_, param)) = known {
                query.values[param as usize].get_or_insert(value);
            }
        }
        query
    }

    /// The value, empty if it is not there; bytes that are not text are replaced. For checks and messages.
    pub(super) fn shown(&self, param: Param) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(param))
    }

    /// Whether any of these is missing; an empty value counts as missing.
    pub(super) fn lacks(&self, params: &[Param]) -> bool {
        params.iter().any(|&param| self.bytes(param).is_empty())
    }

    /// The value as text.
    ///
    /// # Errors
    /// [`Error::NotText`].
    pub(super) fn text(&self, param: Param) -> Result<&str, Error> {
        std::str::from_utf8(self.bytes(param)).map_err(|_| Error::NotText(param.key()))
    }

    /// The value as a pool's name.
    ///
    /// # Errors
    /// [`Error`] if it is not one.
    pub(super) fn pool(&self, param: Param) -> Result<PoolName, Error> {
        named(param, PoolName::new(self.text(param)?))
    }

    /// The value as a state.
    ///
    /// # Errors
    /// [`Error`] if it is not one.
    pub(super) fn state(&self, param: Param) -> Result<State, Error> {
        named(param, State::new(self.text(param)?))
    }

    /// The value as an owner.
    ///
    /// # Errors
    /// [`Error`] if it is not one.
    pub(super) fn owner(&self, param: Param) -> Result<Owner, Error> {
        named(param, Owner::new(self.text(param)?))
    }

    /// The value as a target's name.
    ///
    /// # Errors
    /// [`Error`] if it is not one.
    pub(super) fn target(&self, param: Param) -> Result<Target, Error> {
        named(param, Target::new(self.text(param)?))
    }

    /// The value as a comma list of target names; an empty element is `None`, because it can match nothing.
    ///
    /// # Errors
    /// [`Error`] if one of them is not a name.
    pub(super) fn targets(&self, param: Param) -> Result<Vec<Option<Target>>, Error> {
        let names = self.text(param)?.split(',');
        names.map(|name| (!name.is_empty()).then(|| named(param, Target::new(name))).transpose()).collect()
    }

    fn bytes(&self, param: Param) -> &[u8] {
        self.values[param as usize].as_deref().unwrap_or_default()
    }
}

fn named<T>(param: Param, name: Result<T, NameError>) -> Result<T, Error> {
    name.map_err(|cause| Error::Name { param: param.key(), cause })
}

/// Undoes percent-encoding; `None` if a `%` is not followed by two hex digits.
fn unescape(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !raw.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(raw));
    }
    let mut plain = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(&byte) = rest.next() {
        plain.push(match byte {
            b'%' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            b'+' => b' ',
            other => other,
        });
    }
    Some(Cow::Owned(plain))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(raw: &str, param: Param) -> String {
        Query::parse(raw).shown(param).into_owned()
    }

    #[test]
    fn pairs_are_read_as_go_reads_them() {
        for (raw, expected) in [
            ("type=a", "a"),
            ("type=a&type=b", "a"),
            ("type=&type=b", ""),
            ("type", ""),
            ("&&type=a&", "a"),
            ("type=a=b", "a=b"),
            ("type=a+b%20c", "a b c"),
            ("ty%70e=a", "a"),
            ("type=%zz&type=b", "b"),
            ("type=%4", ""),
            ("type=%", ""),
            ("type=a;b", ""),
            ("x;y&type=a", "a"),
            ("TYPE=a", ""),
            ("type=%C3%A4", "ä"),
            ("type=%ff", "\u{fffd}"),
            ("type=%00", "\0"),
            ("", ""),
        ] {
            assert_eq!(value(raw, Param::Type), expected, "{raw}");
        }
    }

    #[test]
    fn every_parameter_has_its_own_place() {
        let raw = KNOWN.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned());
        let raw = raw.map(|key| format!("{key}=v-{key}")).collect::<Vec<_>>().join("&");
        for (_, param) in KNOWN {
            assert_eq!(value(&raw, param), format!("v-{}", param.key()));
        }
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        let long = format!("type={}", "x".repeat(513));
        let error = Query::parse(&long).pool(Param::Type).expect_err("too long");
        assert_eq!(error.to_string(), "type: a pool name has 513 bytes, at most 512 are allowed");
        let error = Query::parse("owner=%ff").owner(Param::Owner).expect_err("not text");
        assert_eq!(error.to_string(), "owner is not UTF-8");
    }

    #[test]
    fn an_empty_element_of_a_list_is_kept_as_nothing() {
        let query = Query::parse("names=a%2C%2Cb,");
        let names = query.targets(Param::Names).expect("names");
        let names: Vec<_> = names.iter().map(|name| name.as_ref().map(Target::as_str)).collect();
        assert_eq!(names, [Some("a"), None, Some("b"), None]);
    }
}
