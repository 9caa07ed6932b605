//! Targets, and the JSON that `ConTest` writes them in.

use std::fmt;
use std::net::IpAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Something that one party at a time may use.
///
/// As JSON it is `ConTest`'s: `{"ID": …, "FQDN": …, "PrimaryIPv4": …, "PrimaryIPv6": …, "TMS": …}`; all but `ID` are left
/// out when they are absent, and keys that are not known are ignored. Labels are no part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Its identity, compared byte by byte.
    #[serde(rename = "ID", deserialize_with = "text_or_null")]
    pub id: String,
    /// Its name in the DNS, unchecked; empty if it has none.
    #[serde(rename = "FQDN", deserialize_with = "text_or_null", skip_serializing_if = "String::is_empty")]
    pub fqdn: String,
    /// Its IPv4 address.
    #[serde(rename = "PrimaryIPv4", deserialize_with = "address", skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<IpAddr>,
    /// Its IPv6 address.
    #[serde(rename = "PrimaryIPv6", deserialize_with = "address", skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<IpAddr>,
    /// JSON text that the plugin keeps with the target from `acquire` to `release`.
    #[serde(
        rename = "TMS",
        deserialize_with = "read_state",
        serialize_with = "write_state",
        skip_serializing_if = "Option::is_none"
    )]
    pub manager_state: Option<String>,
    /// By what people find it.
    #[serde(skip)]
    pub labels: Vec<(String, String)>,
}

impl Target {
    /// A target of which only the ID is known.
    pub fn named(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }
}

/// The targets of these IDs, in the order of the IDs: the first match for each, repeats allowed.
///
/// # Errors
///
/// The first ID that no target has.
pub fn pick(ids: &[String], targets: &[Target]) -> Result<Vec<Target>, String> {
    let find =
        |id: &String| targets.iter().find(|target| target.id == *id).cloned().ok_or_else(|| id.clone());
    ids.iter().map(find).collect()
}

/// `ConTest`'s own form for people: absent parts are left out, and nothing is escaped.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target{{ID: \"{}\"", self.id)?;
        if !self.fqdn.is_empty() {
            write!(f, ", FQDN: \"{}\"", self.fqdn)?;
        }
        if let Some(address) = self.ipv4 {
            write!(f, ", PrimaryIPv4: \"{address}\"")?;
        }
        if let Some(address) = self.ipv6 {
            write!(f, ", PrimaryIPv6: \"{address}\"")?;
        }
        if let Some(state) = &self.manager_state {
            write!(f, ", TMS: \"{state}\"")?;
        }
        f.write_str("}")
    }
}

fn text_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    match text_or_null(deserializer)?.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| D::Error::custom(format!("{text:?} is no IP address"))),
    }
}

fn read_state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Box<RawValue>>::deserialize(deserializer)?.map(|raw| compact(raw.get())))
}

#[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
fn write_state<S: Serializer>(state: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::Error as _;
    let raw = state.clone().map(RawValue::from_string).transpose();
    raw.map_err(|_| S::Error::custom("the state of the target is not JSON"))?.serialize(serializer)
}

/// JSON text without the white space between its parts.
fn compact(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let kept = json.chars().filter(|c| {
        if quoted {
            (escaped, quoted) = (*c == '\\' && !escaped, *c != '"' || escaped);
            return true;
        }
        quoted = *c == '"';
        !c.is_ascii_whitespace()
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Target {
        serde_json::from_str(json).unwrap()
    }

    fn written(target: &Target) -> String {
        serde_json::to_string(target).unwrap()
    }

    #[test]
    fn contest_43_a_target_with_nothing_but_an_id_has_one_key() {
        assert_eq!(written(&Target::named("123")), r#"{"ID":"123"}"#);
        assert_eq!(written(&Target { fqdn: "a.b".into(), ..Target::default() }), r#"{"ID":"","FQDN":"a.b"}"#);
    }

    #[test]
    fn contest_44_text_that_is_no_address_is_an_error_and_empty_text_is_none() {
        for key in ["PrimaryIPv4", "PrimaryIPv6"] {
            let json = |address: &str| format!(r#"{{"ID":"1","{key}":"{address}"}}"#);
            assert!(serde_json::from_str::<Target>(&json("1.2.3.256")).is_err());
            assert_eq!(read(&json("")), Target::named("1"));
        }
        let json = r#"{"ID":"123","FQDN":"example.com","PrimaryIPv6":"::1"}"#;
        assert_eq!(written(&read(json)), json);
    }

    #[test]
    fn contest_45_the_state_of_the_manager_stays_as_it_was_but_for_white_space() {
        let target = read(r#"{"ID":"1","TMS":{ "z": [1.0, "a \" b\\", 1e400],"a":null }, "Name":"old"}"#);
        assert_eq!(target.manager_state.as_deref(), Some(r#"{"z":[1.0,"a \" b\\",1e400],"a":null}"#));
        assert_eq!(written(&target), r#"{"ID":"1","TMS":{"z":[1.0,"a \" b\\",1e400],"a":null}}"#);
        assert_eq!(read(&written(&target)), target);
        let bad = Target { manager_state: Some("{".into()), ..Target::named("1") };
        assert!(serde_json::to_string(&bad).is_err());
    }

    #[test]
    fn contest_46_picking_keeps_the_order_of_the_ids_and_names_the_one_that_is_missing() {
        let targets =
            [Target::named("a"), Target::named("b"), Target { fqdn: "x".into(), ..Target::named("a") }];
        let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let picked = pick(&ids(&["b", "a", "b"]), &targets).unwrap();
        assert_eq!(picked, [Target::named("b"), Target::named("a"), Target::named("b")]);
        assert_eq!(pick(&ids(&["a", "d", "c"]), &targets), Err("d".to_owned()));
    }

    #[test]
    fn the_form_for_people_is_that_of_contest() {
        let json = r#"{"ID":"x","FQDN":"y","PrimaryIPv4":"1.2.3.4","PrimaryIPv6":"::1","TMS":{"a":"b"}}"#;
        let expected =
            r#"Target{ID: "x", FQDN: "y", PrimaryIPv4: "1.2.3.4", PrimaryIPv6: "::1", TMS: "{"a":"b"}"}"#;
        assert_eq!(read(json).to_string(), expected);
        assert_eq!(Target::default().to_string(), r#"Target{ID: ""}"#);
    }
}
