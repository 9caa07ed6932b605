//! What a component is: what it imports and exports, for which contract it was built, and what keeps it from being used.

use serde::Serialize;

use crate::error::Misfit;
use crate::{Grants, Kind};

/// The package of the contract.
const PACKAGE: &str = "lessor:plugin/";

/// The version of the contract that this host speaks.
pub const CONTRACT: &str = "0.1.0";

/// What an interface that a plugin may import needs.
#[derive(Clone, Copy)]
enum Need {
    Nothing,
    Grant(&'static str, fn(&Grants) -> bool),
}

/// Every interface that is offered. One that is not here is not linked.
const OFFERED: [(&str, Need); 10] = [
    ("types", Need::Nothing),
    ("log", Need::Nothing),
    ("settings", Need::Nothing),
    ("clock", Need::Nothing),
    ("random", Need::Nothing),
    ("locker", Need::Grant("locker", |grants| grants.locker)),
    ("inventory", Need::Grant("inventory", |grants| grants.inventory)),
    ("secrets", Need::Grant("secrets", |grants| !grants.secrets.is_empty())),
    ("files", Need::Grant("files", |grants| !grants.files.is_empty())),
    ("http-endpoint", Need::Grant("http", |grants| !grants.http.is_empty())),
];

/// What `wasi:http` is made of, with the version that this host speaks.
const WASI_HTTP: [&str; 6] = [
    "wasi:clocks/monotonic-clock",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
];

/// What a component says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Anatomy {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    /// The version of the contract of its exports.
    pub(crate) contract: String,
    pub(crate) wanted: Vec<&'static str>,
}

/// What can be known of a component without running it, whoever may use it for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// What it can be used as; none if it exports nothing that a kind of plugin must.
    pub kind: Option<Kind>,
    /// The version of the contract that it was built for, or `none`.
    pub contract: String,
    /// The interfaces that it exports.
    pub exports: Vec<String>,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// The grants that its imports need, by the names of the fields of [`Grants`].
    pub wanted_grants: Vec<String>,
    /// Why it cannot be used, whatever it is granted.
    #[serde(skip)]
    pub misfits: Vec<Misfit>,
}

impl Anatomy {
    pub(crate) fn new(imports: Vec<String>, exports: Vec<String>) -> Self {
        let contract =
            exports.iter().find_map(|name| ours(name)).map_or("none", |(_, version)| version).to_owned();
        let mut wanted: Vec<&'static str> = imports.iter().filter_map(|name| wanted(name)).collect();
        wanted.extend(imports.iter().any(|name| is_wasi_http(name)).then_some("wasi_http"));
        wanted.sort_unstable();
        wanted.dedup();
        Self { imports, exports, contract, wanted }
    }

    /// What the exports make it.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let kinds = [("targets", Kind::TargetManager), ("machines", Kind::Provider)];
        let exported = |interface: &str| {
            self.exports.iter().any(|name| ours(name).is_some_and(|(ours, _)| ours == interface))
        };
        kinds.into_iter().find(|(interface, _)| exported(interface)).map(|(_, kind)| kind)
    }

    /// Everything that keeps the component from being used as this kind with these grants.
    pub(crate) fn misfits(&self, kind: Kind, grants: &Grants) -> Vec<Misfit> {
        let mut misfits: Vec<Misfit> =
            self.imports.iter().filter_map(|name| self.refusal_of_import(name, grants)).collect();
        let Kind::TargetManager = kind else {
            misfits.push(Misfit::KindNotRun(kind));
            return misfits;
        };
        match self.exports.iter().find_map(|name| ours(name).filter(|(interface, _)| *interface == "targets"))
        {
            Some((_, version)) if compatible(version) => {}
            Some((interface, version)) => {
                misfits.push(other_version(&format!("{PACKAGE}{interface}@{version}")));
            }
            None => {
                misfits.push(Misfit::NotOfKind { kind, export: format!("{PACKAGE}targets@{CONTRACT}") });
            }
        }
        misfits
    }

    /// Whether it imports `wasi:http`.
    pub(crate) fn wants_wasi_http(&self) -> bool {
        self.wanted.contains(&"wasi_http")
    }

    fn refusal_of_import(&self, name: &str, grants: &Grants) -> Option<Misfit> {
        let Some((interface, version)) = ours(name) else {
            if !self.wants_wasi_http() || !is_of_wasi_http(name) {
                return Some(Misfit::UnknownImport(name.to_owned()));
            }
            let refused = is_wasi_http(name) && grants.wasi_http.is_empty();
            return refused.then(|| Misfit::NotGranted { import: name.to_owned(), grant: "wasi_http" });
        };
        if !compatible(version) {
            return Some(other_version(name));
        }
        match OFFERED.iter().find(|(offered, _)| *offered == interface) {
            None => Some(Misfit::UnknownImport(name.to_owned())),
            Some((_, Need::Grant(grant, has))) if !has(grants) => {
                Some(Misfit::NotGranted { import: name.to_owned(), grant })
            }
            Some(_) => None,
        }
    }

    /// Whether it imports an interface of the contract.
    pub(crate) fn has_import(&self, interface: &str) -> bool {
        self.imports.iter().any(|name| ours(name).is_some_and(|(ours, _)| ours == interface))
    }
}

/// Whether an import is an interface of `wasi:http`, or one that these are made of, in version 0.2.
fn is_of_wasi_http(name: &str) -> bool {
    name.split_once('@')
        .is_some_and(|(interface, version)| WASI_HTTP.contains(&interface) && version.starts_with("0.2."))
}

fn is_wasi_http(name: &str) -> bool {
    name.starts_with("wasi:http/") && is_of_wasi_http(name)
}

/// The grant that an import needs.
fn wanted(name: &str) -> Option<&'static str> {
    let (interface, _) = ours(name)?;
    OFFERED.iter().find(|(offered, _)| *offered == interface).and_then(|(_, need)| match need {
        Need::Grant(grant, _) => Some(*grant),
        Need::Nothing => None,
    })
}

fn other_version(interface: &str) -> Misfit {
    Misfit::Contract { interface: interface.to_owned(), spoken: CONTRACT }
}

/// The interface and the version of a name of our package.
fn ours(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(PACKAGE)?;
    Some(rest.split_once('@').unwrap_or((rest, "none")))
}

/// Whether a component that was built for a version can run: the first two numbers are the same.
fn compatible(version: &str) -> bool {
    let first_two = |version: &str| version.rsplit_once('.').map(|(rest, _)| rest.to_owned());
    first_two(version).is_some_and(|numbers| first_two(CONTRACT) == Some(numbers))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn anatomy(imports: &[&str], exports: &[&str]) -> Anatomy {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Anatomy::new(owned(imports), owned(exports))
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let imports = [
            "lessor:plugin/log@0.1.0",
            "lessor:plugin/locker@0.1.0",
            "lessor:plugin/secrets@0.1.7",
            "lessor:plugin/dice@0.1.0",
            "lessor:plugin/clock@0.2.0",
            "wasi:cli/environment@0.2.3",
        ];
        let misfits = anatomy(&imports, &["run"]).misfits(Kind::TargetManager, &Grants::default());
        let text: Vec<String> = misfits.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "it imports lessor:plugin/locker@0.1.0: grant it `locker`",
                "it imports lessor:plugin/secrets@0.1.7: grant it `secrets`",
                "it imports lessor:plugin/dice@0.1.0, which is not offered to plugins",
                "lessor:plugin/clock@0.2.0 is of another version of the contract: this server speaks 0.1.0",
                "it imports wasi:cli/environment@0.2.3, which is not offered to plugins",
                "it does not export lessor:plugin/targets@0.1.0, as a target-manager must",
            ]
        );
    }

    #[test]
    fn wasi_is_offered_as_far_as_http_needs_it() {
        let told = |imports: &[&str], grants: &Grants| {
            let anatomy = anatomy(imports, &["lessor:plugin/targets@0.1.0"]);
            let misfits = anatomy.misfits(Kind::TargetManager, grants);
            misfits.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let nothing = Grants::default();
        let granted = Grants { wasi_http: BTreeSet::from(["lab:80".to_owned()]), ..Grants::default() };
        let http = ["wasi:http/types@0.2.3", "wasi:io/poll@0.2.3", "wasi:clocks/monotonic-clock@0.2.0"];
        assert_eq!(told(&http, &nothing), ["it imports wasi:http/types@0.2.3: grant it `wasi_http`"]);
        assert_eq!(told(&http, &granted), [""; 0]);
        let rest = ["wasi:http/incoming-handler@0.2.3", "wasi:http/types@0.3.0", "wasi:io/poll@0.2.3"];
        assert_eq!(
            told(&rest, &granted),
            [
                "it imports wasi:http/incoming-handler@0.2.3, which is not offered to plugins",
                "it imports wasi:http/types@0.3.0, which is not offered to plugins",
                "it imports wasi:io/poll@0.2.3, which is not offered to plugins",
            ]
        );
    }

    #[test]
    fn exports_say_the_kind() {
        let kind = |export: &str| anatomy(&[], &[export]).kind();
        assert_eq!(kind("lessor:plugin/targets@0.9.0"), Some(Kind::TargetManager));
        assert_eq!(kind("lessor:plugin/machines@0.1.0"), Some(Kind::Provider));
        assert_eq!(kind("wasi:cli/run@0.2.0"), None);
    }

    #[test]
    fn what_is_granted_fits() {
        let grants =
            Grants { locker: true, secrets: BTreeSet::from(["token".to_owned()]), ..Grants::default() };
        let imports = ["lessor:plugin/locker@0.1.0", "lessor:plugin/secrets@0.1.0"];
        let fits = anatomy(&imports, &["lessor:plugin/targets@0.1.3"]);
        assert_eq!(fits.misfits(Kind::TargetManager, &grants), []);
        let provider = fits.misfits(Kind::Provider, &grants);
        assert_eq!(provider, [Misfit::KindNotRun(Kind::Provider)]);
    }
}
