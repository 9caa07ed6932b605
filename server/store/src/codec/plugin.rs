//! The stored form of a plugin.

use lessor_ledger::{PluginName, PluginRecord as Stored, PluginVersion, Time};
use minicbor::{Decode, Encode};

use super::field::codes;
use super::{DecodeError, Names, Record};

codes!(PluginOrigin, "origin of a plugin", put_origin, get_origin, {
    Config = 0,
    Api = 1,
});

#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct PluginRecord<'a> {
    #[n(0)]
    name: &'a str,
    #[b(1)]
    version: VersionRecord<'a>,
    #[b(2)]
    previous: Option<VersionRecord<'a>>,
    #[n(3)]
    enabled: bool,
    #[n(4)]
    origin: u8,
    #[n(5)]
    installed_at: i64,
    #[n(6)]
    changed_at: i64,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct VersionRecord<'a> {
    #[n(0)]
    digest: &'a str,
    #[n(1)]
    spec: &'a str,
}

impl<'a> Record<'a> for PluginRecord<'a> {
    type Of = Stored;

    fn of(plugin: &'a Stored) -> Self {
        Self {
            name: plugin.name.as_str(),
            version: VersionRecord::of(&plugin.version),
            previous: plugin.previous.as_ref().map(VersionRecord::of),
            enabled: plugin.enabled,
            origin: put_origin(plugin.origin),
            installed_at: plugin.installed_at.nanos(),
            changed_at: plugin.changed_at.nanos(),
        }
    }

    fn build(self, _: &mut Names) -> Result<Stored, DecodeError> {
        Ok(Stored {
            name: PluginName::new(self.name)?,
            version: self.version.build(),
            previous: self.previous.map(VersionRecord::build),
            enabled: self.enabled,
            origin: get_origin(self.origin)?,
            installed_at: Time::from_nanos(self.installed_at),
            changed_at: Time::from_nanos(self.changed_at),
        })
    }
}

impl<'a> VersionRecord<'a> {
    fn of(version: &'a PluginVersion) -> Self {
        Self { digest: &version.digest, spec: &version.spec }
    }

    fn build(self) -> PluginVersion {
        PluginVersion { digest: self.digest.into(), spec: self.spec.into() }
    }
}
