//! One entry of the pools file: from the document to what the ledger takes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use lessor_ledger::limits::{LABELS_BYTES_MAX, LABELS_MAX};
use lessor_ledger::{
    Addresses, Labels, Lifecycle, NameError, Pool, PoolEntry, PoolName, PoolOrigin, Span, State, Target, Text,
};

use super::fields::{FieldError, Fields, wrong};
use super::yaml::Value;

/// An entry as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) kind: String,
    state: String,
    pub(super) names: Vec<String>,
    pub(super) min_count: i64,
    pub(super) max_count: i64,
    lifespan: Option<Span>,
    config: Option<(Text, Text)>,
    pub(super) needs: BTreeMap<Text, i64>,
    labels: Option<BTreeMap<Text, Text>>,
    pub(super) addresses: BTreeMap<String, Addresses>,
    pub(super) default_ttl: Option<Span>,
    pub(super) max_ttl: Option<Span>,
    on_expire: Option<String>,
    pub(super) reap_after: Option<Span>,
}

/// Reads all entries of a document. A document without any has none.
pub(super) fn read(document: &Value) -> Result<Vec<Raw>, FieldError> {
    if *document == Value::Null {
        return Ok(Vec::new());
    }
    let document = Fields::of(document, String::new())?;
    let entries = document.list("resources")?.iter().enumerate();
    entries.map(|(index, value)| Raw::read(value, format!(".{index}"))).collect()
}

impl Raw {
    /// Boskos: `IsDRLC`.
    pub(super) fn is_dynamic(&self) -> bool {
        self.names.is_empty()
    }

    fn read(value: &Value, place: String) -> Result<Self, FieldError> {
        // A list item without a value is an entry without fields.
        if *value == Value::Null {
            return Ok(Self::default());
        }
        let fields = Fields::of(value, place)?;
        let config = match fields.map("config")? {
            Some(config) => {
                let kind = config.text("type")?.unwrap_or_default();
                Some((kind.into(), config.text("content")?.unwrap_or_default().into()))
            }
            None => None,
        };
        Ok(Self {
            kind: fields.text("type")?.unwrap_or_default(),
            state: fields.text("state")?.unwrap_or_default(),
            names: fields.texts("names")?,
            min_count: fields.int("min-count")?.unwrap_or_default(),
            max_count: fields.int("max-count")?.unwrap_or_default(),
            lifespan: fields.span("lifespan")?,
            config,
            needs: fields.map("needs")?.map(|needs| needs.int_map()).transpose()?.unwrap_or_default(),
            labels: fields.map("labels")?.map(|labels| labels.text_map()).transpose()?,
            addresses: addresses(&fields)?,
            default_ttl: fields.positive_span("default-ttl")?,
            max_ttl: fields.positive_span("max-ttl")?,
            on_expire: fields.text("on-expire")?,
            reap_after: fields.positive_span("reap-after")?,
        })
    }

    /// What the ledger takes, of an entry that was found valid.
    pub(super) fn into_entry(self, index: usize) -> Result<PoolEntry, FieldError> {
        let at = |key: &str| format!(".{index}.{key}");
        let named = |key: &'static str| move |error: NameError| wrong(&format!(".{index}.{key}"), error);
        let state = |text: String, key| match text.as_str() {
            "" => Ok(State::free()),
            _ => State::new(text).map_err(named(key)),
        };
        if let Some(labels) = &self.labels {
            check_labels(labels).map_err(|why| wrong(&at("labels"), why))?;
        }
        let lifecycle = self.is_dynamic().then_some(Lifecycle {
            min_count: self.min_count,
            max_count: self.max_count,
            lifespan: self.lifespan,
            config: self.config,
            needs: self.needs,
        });
        let pool = Pool {
            name: PoolName::new(self.kind).map_err(named("type"))?,
            origin: PoolOrigin::Config,
            initial_state: state(self.state, "state")?,
            lifecycle,
            default_ttl: self.default_ttl,
            max_ttl: self.max_ttl,
            on_expire: self.on_expire.map(|text| state(text, "on-expire")).transpose()?,
            reap_after: self.reap_after,
        };
        let target = |name: String| Target::new(name).map_err(named("names"));
        let targets: Result<Vec<_>, _> = self.names.into_iter().map(target).collect();
        let addresses: Result<BTreeMap<_, _>, _> =
            self.addresses.into_iter().map(|(name, addresses)| Ok((target(name)?, addresses))).collect();
        Ok(PoolEntry { pool, names: targets?, labels: self.labels.map(Labels::from), addresses: addresses? })
    }
}

/// Why these are too many, or too large.
fn check_labels(labels: &BTreeMap<Text, Text>) -> Result<(), String> {
    let bytes: usize = labels.iter().map(|(key, value)| key.len() + value.len()).sum();
    if labels.len() > LABELS_MAX {
        return Err(format!("{} labels, at most {LABELS_MAX} are allowed", labels.len()));
    }
    if labels.keys().any(|key| key.is_empty()) {
        return Err("a key must not be empty".to_owned());
    }
    if bytes > LABELS_BYTES_MAX {
        return Err(format!("{bytes} bytes of labels, at most {LABELS_BYTES_MAX} are allowed"));
    }
    Ok(())
}

/// `targets`: a map from name to addresses, or a list of addresses with a `name` each.
fn addresses(fields: &Fields<'_>) -> Result<BTreeMap<String, Addresses>, FieldError> {
    let mut all = BTreeMap::new();
    match fields.any("targets") {
        Some(Value::List(list)) => {
            for (index, value) in list.iter().enumerate() {
                let fields = Fields::of(value, format!("{}.{index}", fields.at("targets")))?;
                let name = fields.text("name")?.ok_or_else(|| wrong(&fields.at("name"), "must be set"))?;
                let addresses = one_addresses(&fields)?;
                if all.insert(name.clone(), addresses).is_some() {
                    return Err(wrong(&fields.at("name"), format_args!("{name} is a duplicate")));
                }
            }
        }
        Some(_) => {
            for (name, value, place) in fields.map("targets")?.into_iter().flat_map(|targets| {
                let entries: Vec<_> = targets.entries().collect();
                entries
            }) {
                let addresses = match value {
                    Value::Null => Addresses::default(),
                    value => one_addresses(&Fields::of(value, place)?)?,
                };
                all.insert(name.clone(), addresses);
            }
        }
        None => {}
    }
    Ok(all)
}

fn one_addresses(fields: &Fields<'_>) -> Result<Addresses, FieldError> {
    let ip = |key: &str| fields.text(key).map(|text| text.filter(|text| !text.is_empty()));
    let ipv4 = ip("ipv4")?.map(|text| {
        text.parse::<Ipv4Addr>()
            .map_err(|_| wrong(&fields.at("ipv4"), format_args!("{text:?} is not an IPv4 address")))
    });
    let ipv6 = ip("ipv6")?.map(|text| {
        text.parse::<Ipv6Addr>()
            .map_err(|_| wrong(&fields.at("ipv6"), format_args!("{text:?} is not an IPv6 address")))
    });
    Ok(Addresses { fqdn: ip("fqdn")?.map(Into::into), ipv4: ipv4.transpose()?, ipv6: ipv6.transpose()? })
}
