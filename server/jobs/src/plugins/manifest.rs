//! What is kept of a plugin beside its component: as JSON in its record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lessor_keeper::chain;
use lessor_ledger::Text;
use lessor_plugins::{Grants, Kind, Limits, PluginSpec, Secret, regular};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Ceiling;
use crate::limits::SECRET_BYTES_MAX;

/// How a component is to be run. Holds no secrets, only their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// What it is for.
    #[serde(default = "target_manager")]
    pub kind: Kind,
    /// What it reads through `settings`: an object, or null for none.
    #[serde(default)]
    pub settings: Value,
    /// What it may use.
    #[serde(default)]
    pub grants: Grants,
    /// What one call may take.
    #[serde(default)]
    pub limits: Limits,
    /// Whether an instance is used for more than one call.
    #[serde(default)]
    pub warm: bool,
}

fn target_manager() -> Kind {
    Kind::TargetManager
}

impl Manifest {
    /// As it stands in a record.
    pub(crate) fn text(&self) -> Text {
        serde_json::to_string(self).expect("a manifest has only string keys").into()
    }

    /// From a record. What an earlier version of the server wrote can be read; anything else is no manifest.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// For the host, with the secrets that it names, and below the ceiling if there is one.
    pub(crate) fn spec(&self, name: &str, secrets: &Secrets, ceiling: Option<&Ceiling>) -> PluginSpec {
        let Self { kind, settings, grants, limits, warm } = self.clone();
        let name = name.to_owned();
        let beneath = ceiling.map(|ceiling| ceiling.above(&grants.files)).unwrap_or_default();
        PluginSpec { name, kind, settings, secrets: secrets.of(&grants), grants, beneath, limits, warm }
    }
}

/// Where the values of secrets are: a folder with a file for each, named after it, as service managers and
/// orchestrators make them.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Option<PathBuf>);

impl Secrets {
    /// The files in this folder; no secrets without one.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    /// Where they are; nowhere without a folder.
    pub(super) fn folder(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Those that are granted, and those that the server sends to endpoints, as far as they are there. The host refuses
    /// what is not, and shows the plugin only what is granted.
    fn of(&self, grants: &Grants) -> BTreeMap<String, Secret> {
        let Some(folder) = &self.0 else { return BTreeMap::new() };
        let sent = grants.http.values().filter_map(|endpoint| endpoint.bearer_secret.as_ref());
        let named = grants.secrets.iter().chain(sent);
        named.filter_map(|name| Some((name.clone(), read(folder, name)?))).collect()
    }
}

/// One secret, without the line break at its end.
fn read(folder: &Path, name: &str) -> Option<Secret> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.starts_with('.') || name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    let path = folder.join(name);
    let read = regular::read(&path, SECRET_BYTES_MAX);
    let told =
        |error| tracing::warn!(file = %path.display(), error = chain(&error), "a secret cannot be read");
    let value = String::from_utf8(read.map_err(told).ok()?).ok()?;
    let value = value.strip_suffix('\n').unwrap_or(&value);
    Some(Secret::new(value.strip_suffix('\r').unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use lessor_plugins::Endpoint;

    use super::*;

    #[test]
    fn secrets_are_files_of_one_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("token"), "s3cret\n").expect("room");
        fs::create_dir(folder.path().join("inner")).expect("room");
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("endless")).expect("room");
        let names = ["token", "missing", "inner", "endless", "../token", "", ".hidden"];
        let secrets = names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let found = Secrets::new(Some(folder.path().to_owned())).of(&Grants { secrets, ..Grants::default() });
        assert_eq!(found, BTreeMap::from([("token".to_owned(), Secret::new("s3cret"))]));
    }

    #[test]
    fn what_endpoints_are_sent_is_read_without_being_granted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("pass"), "s3cret").expect("room");
        let rack = Endpoint {
            url: "http://rack".to_owned(),
            bearer_secret: Some("pass".to_owned()),
            private: false,
            ca_file: None,
        };
        let grants = Grants { http: BTreeMap::from([("rack".to_owned(), rack)]), ..Grants::default() };
        let found = Secrets::new(Some(folder.path().to_owned())).of(&grants);
        assert_eq!(found, BTreeMap::from([("pass".to_owned(), Secret::new("s3cret"))]));
    }

    #[test]
    fn a_manifest_survives_its_record_and_knows_its_fields() {
        let manifest = Manifest::parse(r#"{"warm":true,"grants":{"locker":true}}"#).expect("a manifest");
        assert_eq!(Manifest::parse(&manifest.text()), Some(manifest));
        assert_eq!(Manifest::parse(r#"{"sockets":true}"#), None);
    }
}
