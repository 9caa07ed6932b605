//! What plugins may be granted at most if the API asks for it.
//!
//! Whoever reaches the API may install a plugin. What a plugin could show them of this machine, its files, secrets and
//! network, is for the operator to open, in the server's configuration. A plugin of the configuration itself is the
//! operator's word already and is not held against this.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use lessor_plugins::{Endpoint, Grants};
use serde::{Deserialize, Serialize};
use url::Url;

/// The most that may be granted over the API: nothing by default. `locker` and `inventory` are not bounded by it: they
/// open nothing that the API does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ceiling {
    /// Folders; what lies below them may be granted too, and be the `ca_file` of an endpoint.
    pub files: BTreeSet<Folder>,
    /// Names of secrets, to be read or sent along.
    pub secrets: BTreeSet<String>,
    /// Hosts that may be talked to.
    pub http: BTreeSet<Authority>,
    /// Hosts that may be talked to also if their names resolve to private addresses.
    pub private: BTreeSet<Authority>,
}

/// An absolute path without `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "PathBuf")]
pub struct Folder(PathBuf);

impl TryFrom<PathBuf> for Folder {
    type Error = String;

    fn try_from(path: PathBuf) -> Result<Self, String> {
        let straight = |path: &Path| path.components().all(|part| part != Component::ParentDir);
        if path.is_absolute() && straight(&path) {
            Ok(Self(path))
        } else {
            Err(format!("{} is not an absolute path without `..`", path.display()))
        }
    }
}

/// A host and a port, as in `inventory.example:8080` or `[::1]:80`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Authority(String);

impl TryFrom<String> for Authority {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let port = text.rsplit_once(':').map(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let known = Self::of(&format!("http://{text}/")).filter(|_| port == Some(true));
        let bare = !text.contains(['/', '@', '?', '#', '\\']);
        known.filter(|_| bare).ok_or_else(|| format!("{text:?} is not host:port"))
    }
}

impl Authority {
    /// Of a URL, in the spelling in which it is connected to.
    fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        Some(Self(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)))
    }
}

/// One thing that was asked for and may not be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// The field of the grants.
    pub grant: &'static str,
    /// What was asked for.
    pub value: String,
    /// The key of `[plugin-grants]` that would have to name it.
    key: &'static str,
    /// As it would have to be named there.
    entry: String,
}

impl Excess {
    fn new(grant: &'static str, key: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        Self { grant, key, entry: value.clone(), value }
    }

    /// The lines of the configuration that would allow it.
    #[must_use]
    pub fn allow(&self) -> String {
        let entry = serde_json::Value::from(self.entry.as_str());
        format!("[plugin-grants] {} = [{entry}]", self.key)
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {} needs {} in the server's configuration", self.grant, self.value, self.allow())
    }
}

impl Ceiling {
    /// Everything of these grants that is above. Looks at the disk, lest a link leads out of a folder.
    pub(crate) fn exceeded_by(&self, grants: &Grants) -> Vec<Excess> {
        // What is no folder, nothing here could allow: the host refuses it.
        let folders = grants.files.iter().filter(|folder| Folder::try_from((*folder).clone()).is_ok());
        let files = folders.filter(|folder| self.covering(folder).is_none());
        let files = files.map(|folder| Excess::new("files", "files", folder.display().to_string()));
        let vouching = grants.http.values().filter_map(|endpoint| endpoint.ca_file.as_deref());
        let vouching = vouching.filter(|file| self.covering(file).is_none());
        let vouching = vouching.map(|file| Excess::new("http", "files", file.display().to_string()));
        let secrets = grants.secrets.iter().map(|name| ("secrets", name));
        let sent = grants.http.values().filter_map(|endpoint| endpoint.bearer_secret.as_ref());
        let secrets = secrets.chain(sent.map(|name| ("http", name)));
        let secrets = secrets.filter(|(_, name)| !self.secrets.contains(*name));
        let secrets = secrets.map(|(grant, name)| Excess::new(grant, "secrets", name));
        let http = grants.http.values().filter_map(|endpoint| self.beyond(endpoint));
        let wasi_http = grants.wasi_http.iter().filter_map(|host| self.beyond_host(host));
        files.chain(vouching).chain(secrets).chain(http).chain(wasi_http).collect()
    }

    /// For each of these folders, the one of ours that it is or lies below.
    pub(crate) fn above(&self, files: &BTreeSet<PathBuf>) -> BTreeMap<PathBuf, PathBuf> {
        let found =
            files.iter().filter_map(|folder| Some((folder.clone(), self.covering(folder)?.to_owned())));
        found.collect()
    }

    /// Which of ours a folder is or lies below, by its name and by where its links lead now. One that is not there shows
    /// nothing; the host holds it to what is said here with every read.
    fn covering(&self, folder: &Path) -> Option<&Path> {
        let Folder(folder) = Folder::try_from(folder.to_owned()).ok()?;
        let above = self.files.iter().map(|Folder(above)| above.as_path());
        let leads_below = |above: &&Path| match (fs::canonicalize(&folder), fs::canonicalize(above)) {
            (Ok(real), Ok(above)) => real.starts_with(above),
            (Err(_), _) => true,
            (Ok(_), Err(_)) => false,
        };
        above.filter(|above| folder.starts_with(above)).find(leads_below)
    }

    fn beyond(&self, endpoint: &Endpoint) -> Option<Excess> {
        let key = if endpoint.private { "private" } else { "http" };
        let excess = |entry: String| Excess { grant: "http", value: endpoint.url.clone(), key, entry };
        // The host refuses what is no URL, and says why.
        let authority = Authority::of(&endpoint.url)?;
        let open = self.private.contains(&authority) || (!endpoint.private && self.http.contains(&authority));
        (!open).then(|| excess(authority.0))
    }

    /// The same of a host of `wasi:http`. One that is an address was named itself, so it may be private.
    fn beyond_host(&self, host: &str) -> Option<Excess> {
        // The host refuses what is no host, and says why.
        let authority = Authority::try_from(host.to_owned()).ok()?;
        let written = authority.0.rsplit_once(':').map_or("", |(host, _)| host);
        let address = written.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let open = self.private.contains(&authority) || (!address && self.http.contains(&authority));
        let key = if address { "private" } else { "http" };
        (!open).then(|| Excess { grant: "wasi_http", value: host.to_owned(), key, entry: authority.0 })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn grants(json: &str) -> Grants {
        serde_json::from_str(json).expect("grants")
    }

    #[test]
    fn nothing_of_the_machine_is_open_by_default_and_each_excess_says_what_would_open_it() {
        let wanted = r#"{"locker": true, "inventory": true, "files": ["/etc"], "secrets": ["token"], "http": {
            "a": {"url": "https://Rack.example/x", "bearer_secret": "pass", "ca_file": "/srv/ca.pem"},
            "b": {"url": "http://[::1]:81", "private": true}, "c": {"url": "no url"}},
            "wasi_http": ["Shelf.example:80", "10.0.0.7:80", "no host"]}"#;
        let excess = Ceiling::default().exceeded_by(&grants(wanted));
        let told: Vec<_> =
            excess.iter().map(|one| format!("{}: {} | {}", one.grant, one.value, one.allow())).collect();
        let expected = [
            r#"files: /etc | [plugin-grants] files = ["/etc"]"#,
            r#"http: /srv/ca.pem | [plugin-grants] files = ["/srv/ca.pem"]"#,
            r#"secrets: token | [plugin-grants] secrets = ["token"]"#,
            r#"http: pass | [plugin-grants] secrets = ["pass"]"#,
            r#"http: https://Rack.example/x | [plugin-grants] http = ["rack.example:443"]"#,
            r#"http: http://[::1]:81 | [plugin-grants] private = ["[::1]:81"]"#,
            r#"wasi_http: 10.0.0.7:80 | [plugin-grants] private = ["10.0.0.7:80"]"#,
            r#"wasi_http: Shelf.example:80 | [plugin-grants] http = ["shelf.example:80"]"#,
        ];
        assert_eq!(told, expected);
        // What it says is what helps.
        let open = r#"{"files": ["/etc", "/srv"], "secrets": ["token", "pass"], "http": ["rack.example:443", "shelf.example:80"],
            "private": ["[::1]:81", "10.0.0.7:80"]}"#;
        let open: Ceiling = serde_json::from_str(open).expect("a ceiling");
        assert_eq!(open.exceeded_by(&grants(wanted)), []);
        let private = r#"{"http": {"a": {"url": "https://rack.example", "private": true}}}"#;
        assert_eq!(open.exceeded_by(&grants(private)).len(), 1, "a public host may not resolve to anywhere");
    }

    #[test]
    fn neither_dots_nor_links_lead_out_of_a_folder() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let (open, shut) = (place.path().join("open"), place.path().join("shut"));
        for folder in [&open, &shut, &open.join("sub")] {
            fs::create_dir(folder).expect("room");
        }
        symlink(&shut, open.join("out")).expect("room");
        symlink("sub", open.join("in")).expect("room");
        let ceiling = Ceiling { files: [Folder(open.clone())].into(), ..Ceiling::default() };
        let cases = [
            (open.clone(), true),
            (open.join("sub"), true),
            (open.join("in"), true),
            (open.join("not-there"), true),
            (open.join("out"), false),
            (open.join("../shut"), false),
            (shut, false),
            (place.path().to_owned(), false),
            (place.path().join("opener"), false),
            (PathBuf::from("open"), false),
        ];
        for (folder, covered) in cases {
            assert_eq!(ceiling.covering(&folder).is_some(), covered, "{}", folder.display());
        }
    }

    #[test]
    fn what_is_no_folder_is_not_for_the_ceiling_to_refuse() {
        let wanted = grants(r#"{"files": ["", "srv", "/a/../b", "/srv"]}"#);
        let excess = Ceiling::default().exceeded_by(&wanted);
        assert_eq!(excess, [Excess::new("files", "files", "/srv")]);
    }

    #[test]
    fn entries_that_can_never_match_are_refused() {
        let wrong = [
            r#"{"files": ["srv"]}"#,
            r#"{"files": ["/srv/../etc"]}"#,
            r#"{"http": ["rack.example"]}"#,
            r#"{"http": ["http://rack.example:80"]}"#,
            r#"{"http": ["user@rack.example:80"]}"#,
            r#"{"private": ["[::1]"]}"#,
            r#"{"locker": true}"#,
        ];
        for text in wrong {
            assert!(serde_json::from_str::<Ceiling>(text).is_err(), "{text}");
        }
    }
}
