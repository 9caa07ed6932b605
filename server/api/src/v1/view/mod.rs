//! The shapes that go out. Ledger types are never serialized themselves, so that neither side binds the other.

mod event;
mod job;
mod lease;
mod plugin;
mod pool;
mod request;
mod resource;

use std::collections::BTreeMap;

use lessor_ledger::{Cause, Dialect, Resource, Span, Text};

use crate::v1::body::{AddressesBody, Pairs};

pub(crate) use event::{EventView, kind};
pub(crate) use job::{JobView, cause as end_cause};
pub(crate) use lease::LeaseView;
pub(crate) use plugin::{PluginView, state as plugin_state};
pub(crate) use pool::PoolView;
pub(crate) use request::RequestView;
pub(crate) use resource::{LockView, ResourceView};

fn owned(text: Option<impl ToString>) -> Option<String> {
    text.map(|text| text.to_string())
}

fn pairs(map: &BTreeMap<Text, Text>) -> Pairs {
    map.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn millis(span: Option<Span>) -> Option<i64> {
    span.map(Span::millis)
}

/// Name of a cause.
pub(crate) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Released => "released",
        Cause::Expired => "expired",
        Cause::Reaped => "reaped",
        Cause::Reset => "reset",
        Cause::Forced => "forced",
        Cause::TakenOver => "taken-over",
        Cause::Collected => "collected",
        Cause::Deleted => "deleted",
        Cause::Cleaned => "cleaned",
        Cause::Uncollected => "uncollected",
    }
}

/// Name of a dialect.
pub(crate) fn dialect(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Boskos => "boskos",
        Dialect::Contest => "contest",
        Dialect::V1 => "v1",
    }
}

fn addresses(resource: &Resource) -> AddressesBody {
    let addresses = &resource.details().addresses;
    AddressesBody { fqdn: owned(addresses.fqdn.as_ref()), ipv4: addresses.ipv4, ipv6: addresses.ipv6 }
}
