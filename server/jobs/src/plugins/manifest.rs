//! What is kept of a plugin beside its component: as JSON in its record.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lessor_ledger::Text;
use lessor_plugins::{Grants, Kind, Limits, PluginSpec, Secret};
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

    /// Those that are granted and there. The host refuses what is granted and not there.
    fn of(&self, grants: &Grants) -> BTreeMap<String, Secret> {
        let Some(folder) = &self.0 else { return BTreeMap::new() };
        let found = grants.secrets.iter().filter_map(|name| Some((name.clone(), read(folder, name)?)));
        found.collect()
    }
}

/// One secret, without the line break at its end.
fn read(folder: &Path, name: &str) -> Option<Secret> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.starts_with('.') || name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    let path = folder.join(name);
    let size = fs::metadata(&path).ok()?.len();
    if size > SECRET_BYTES_MAX {
        tracing::warn!(file = %path.display(), size, "a secret is too large");
        return None;
    }
    let value = fs::read_to_string(path).ok()?;
    let value = value.strip_suffix('\n').unwrap_or(&value);
    Some(Secret::new(value.strip_suffix('\r').unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn secrets_are_files_of_one_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("token"), "s3cret\n").expect("room");
        fs::create_dir(folder.path().join("inner")).expect("room");
        let names = ["token", "missing", "inner", "../token", "", ".hidden"];
        let secrets = names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let found = Secrets::new(Some(folder.path().to_owned())).of(&Grants { secrets, ..Grants::default() });
        assert_eq!(found, BTreeMap::from([("token".to_owned(), Secret::new("s3cret"))]));
    }

    #[test]
    fn a_manifest_survives_its_record_and_knows_its_fields() {
        let manifest = Manifest::parse(r#"{"warm":true,"grants":{"locker":true}}"#).expect("a manifest");
        assert_eq!(Manifest::parse(&manifest.text()), Some(manifest));
        assert_eq!(Manifest::parse(r#"{"sockets":true}"#), None);
    }
}
