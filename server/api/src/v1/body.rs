//! From what clients send to the ledger's types: every text gets its bound here, and an error names its field.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use lessor_ledger::limits::{
    LABELS_BYTES_MAX, LABELS_MAX, TARGETS_PER_CALL_MAX, TEXT_BYTES_MAX, USER_DATA_BYTES_MAX,
};
use lessor_ledger::{Addresses, NameError, Owner, PoolName, State, Target, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;

/// Labels or user data.
pub(crate) type Pairs = BTreeMap<String, String>;

fn name<T>(field: &str, made: Result<T, NameError>) -> Result<T, Problem> {
    made.map_err(|error| Problem::invalid(field, error))
}

/// Takes a text as an owner.
pub(crate) fn owner(field: &str, text: String) -> Result<Owner, Problem> {
    name(field, Owner::new(text))
}

/// Takes a text as a pool's name.
pub(crate) fn pool(field: &str, text: String) -> Result<PoolName, Problem> {
    name(field, PoolName::new(text))
}

/// Takes a text as a state.
pub(crate) fn state(field: &str, text: String) -> Result<State, Problem> {
    name(field, State::new(text))
}

/// Takes a text as a target's name.
pub(crate) fn target(field: &str, text: String) -> Result<Target, Problem> {
    name(field, Target::new(text))
}

/// As the functions above, for what may be left out.
pub(crate) fn optional<T>(
    field: &str,
    text: Option<String>,
    take: impl Fn(&str, String) -> Result<T, Problem>,
) -> Result<Option<T>, Problem> {
    text.map(|text| take(field, text)).transpose()
}

/// Takes texts as names of targets: at least one, at most as many as a call may name.
pub(crate) fn targets(field: &str, texts: Vec<String>) -> Result<Vec<Target>, Problem> {
    if texts.is_empty() || texts.len() > TARGETS_PER_CALL_MAX {
        return Err(Problem::invalid(field, format!("must name from 1 to {TARGETS_PER_CALL_MAX} targets")));
    }
    let mut named = Vec::with_capacity(texts.len());
    let mut seen = std::collections::BTreeSet::new();
    for (index, text) in texts.into_iter().enumerate() {
        let target = target(&format!("{field}[{index}]"), text)?;
        if !seen.insert(target.clone()) {
            return Err(Problem::invalid(field, format!("names {target:?} twice")));
        }
        named.push(target);
    }
    Ok(named)
}

/// Takes free text.
pub(crate) fn text(field: &str, text: String) -> Result<Text, Problem> {
    if text.len() > TEXT_BYTES_MAX {
        let why = format!("has {} bytes, at most {TEXT_BYTES_MAX} are allowed", text.len());
        return Err(Problem::invalid(field, why));
    }
    Ok(text.into())
}

/// Takes labels.
pub(crate) fn labels(field: &str, pairs: Pairs) -> Result<BTreeMap<Text, Text>, Problem> {
    if pairs.len() > LABELS_MAX {
        return Err(Problem::invalid(
            field,
            format!("has {} keys, at most {LABELS_MAX} are allowed", pairs.len()),
        ));
    }
    let bytes: usize = pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > LABELS_BYTES_MAX {
        let why = format!("has {bytes} bytes, at most {LABELS_BYTES_MAX} are allowed");
        return Err(Problem::invalid(field, why));
    }
    let mut taken = BTreeMap::new();
    for (key, value) in pairs {
        if key.is_empty() {
            return Err(Problem::invalid(field, "a key must not be empty"));
        }
        taken.insert(text(field, key)?, text(field, value)?);
    }
    Ok(taken)
}

/// Takes user data.
pub(crate) fn user_data(field: &str, pairs: Pairs) -> Result<BTreeMap<Text, Text>, Problem> {
    let bytes: usize = pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > USER_DATA_BYTES_MAX {
        let why = format!("has {bytes} bytes, at most {USER_DATA_BYTES_MAX} are allowed");
        return Err(Problem::invalid(field, why));
    }
    if pairs.len() > LABELS_MAX {
        return Err(Problem::invalid(
            field,
            format!("has {} keys, at most {LABELS_MAX} are allowed", pairs.len()),
        ));
    }
    if pairs.contains_key("") {
        return Err(Problem::invalid(field, "a key must not be empty"));
    }
    Ok(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
}

/// How to reach a target.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Addresses)]
pub(crate) struct AddressesBody {
    /// Fully qualified domain name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fqdn: Option<String>,
    /// Primary IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Ipv4)]
    pub(crate) ipv4: Option<Ipv4Addr>,
    /// Primary IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Ipv6)]
    pub(crate) ipv6: Option<Ipv6Addr>,
}

impl AddressesBody {
    /// Takes it as addresses.
    pub(crate) fn take(self) -> Result<Addresses, Problem> {
        let fqdn = self.fqdn.map(|fqdn| text("addresses.fqdn", fqdn)).transpose()?;
        Ok(Addresses { fqdn, ipv4: self.ipv4, ipv6: self.ipv6 })
    }
}
