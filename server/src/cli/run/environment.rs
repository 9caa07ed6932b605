//! What the command is told about its lease.

use serde_json::Value;
use tokio::process::Command;

use crate::cli::held::{Held, What};
use crate::cli::limits::{ENVIRONMENT_BYTES_MAX, VARIABLE_BYTES_MAX};

/// The variables that a command is given.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    pub(crate) set: Vec<(String, String)>,
    /// Names of those that had no room.
    pub(crate) left_out: Vec<String>,
    bytes: usize,
}

impl Variables {
    /// Values that hold a NUL byte cannot be in an environment.
    fn set(&mut self, name: String, value: &str) {
        if value.contains('\0') {
            return;
        }
        // As the system counts: with `=` and a NUL byte at the end.
        let bytes = name.len() + value.len() + 2;
        if bytes > VARIABLE_BYTES_MAX || self.bytes + bytes > ENVIRONMENT_BYTES_MAX {
            self.left_out.push(name);
        } else {
            self.bytes += bytes;
            self.set.push((name, value.to_owned()));
        }
    }
}

/// Gives a command these variables, and none of another lease that this process itself runs for.
pub(crate) fn give(command: &mut Command, vars: &[(String, String)]) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_ours) {
            command.env_remove(name);
        }
    }
    command.envs(vars.iter().map(|(name, value)| (name, value)));
}

/// Whether [`variables`] may set a variable of this name.
fn is_ours(name: &str) -> bool {
    let of_a_target = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    ["LEASE_ID", "LEASE_FENCE", "LEASE_OWNER", "LEASE_EXPIRES", "LEASE_RESOURCE", "LEASE_JSON"]
        .contains(&name)
        || name == "LEASE_RESOURCE_COUNT"
        || name.strip_prefix("LEASE_RESOURCE_").is_some_and(of_a_target)
}

/// The variables for the command's environment: `LEASE_…`, and `LESSOR_SERVER` so that a `lessor` in the command
/// speaks to the same server.
pub(crate) fn variables(held: &Held, server: &str) -> Variables {
    let mut vars = Variables::default();
    let mut set = |name: String, value: &str| vars.set(name, value);
    let text = |key: &str| held.body.get(key).and_then(Value::as_str).unwrap_or_default();
    let fence =
        held.body.get("fence").and_then(Value::as_u64).or_else(|| fences(held).max()).unwrap_or(held.id);
    let targets = held.targets();
    set("LESSOR_SERVER".to_owned(), server);
    set("LEASE_ID".to_owned(), &held.id.to_string());
    set("LEASE_FENCE".to_owned(), &fence.to_string());
    set("LEASE_OWNER".to_owned(), text("owner"));
    set("LEASE_EXPIRES".to_owned(), text("expires_at"));
    set("LEASE_RESOURCE_COUNT".to_owned(), &targets.len().to_string());
    set("LEASE_RESOURCE".to_owned(), &targets.join(","));
    set("LEASE_JSON".to_owned(), &held.body.to_string());
    for (at, target) in targets.iter().enumerate() {
        let stem = format!("LEASE_RESOURCE_{at}");
        set(stem.clone(), target);
        // Labels come last, because the last one set is what the command sees.
        for members in facts(held, target).into_iter().flatten() {
            for (key, value) in members.as_object().into_iter().flatten() {
                if let Some(value) = value.as_str() {
                    set(format!("{stem}_{}", variable(key)), value);
                }
            }
        }
    }
    vars
}

/// Addresses and labels of a target, as far as the lease or the job tells.
fn facts<'a>(held: &'a Held, target: &str) -> Option<[&'a Value; 2]> {
    let list = |key: &str| held.body.get(key).and_then(Value::as_array).into_iter().flatten();
    match held.what {
        What::Lease => {
            let record = list("resources").find(|resource| resource["name"] == target)?;
            Some([&record["addresses"], &record["labels"]])
        }
        What::Job => {
            let record = list("targets").find(|known| known["id"] == target)?;
            Some([record, &record["labels"]])
        }
    }
}

/// The fences of a job's targets: the latest holds for all.
fn fences(held: &Held) -> impl Iterator<Item = u64> {
    let targets = held.body.get("targets").and_then(Value::as_array).into_iter().flatten();
    targets.filter_map(|target| target["fence"].as_u64())
}

/// `key` as part of a variable's name: upper case, with `_` for everything but letters and digits.
fn variable(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_command_learns_lease_targets_addresses_and_labels() {
        let body = json!({
            "id": 7, "fence": 7, "owner": "ann", "expires_at": "2030-01-01T00:00:00Z", "targets": ["b", "/dev/x"],
            "resources": [{ "name": "b", "labels": { "soc.type": "imx8", "bad": "x\u{0}y" }, "addresses": { "fqdn": "b.lab", "ipv4": null } }],
        });
        let held = Held { what: What::Lease, id: 7, ttl: None, until: None, body };
        let vars = variables(&held, "http://lab:1").set;
        let get = |name: &str| vars.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(get("LEASE_ID"), Some("7"));
        assert_eq!(get("LEASE_FENCE"), Some("7"));
        assert_eq!(get("LEASE_EXPIRES"), Some("2030-01-01T00:00:00Z"));
        assert_eq!(get("LEASE_RESOURCE"), Some("b,/dev/x"));
        assert_eq!(get("LEASE_RESOURCE_COUNT"), Some("2"));
        assert_eq!(get("LEASE_RESOURCE_0"), Some("b"));
        assert_eq!(get("LEASE_RESOURCE_1"), Some("/dev/x"));
        assert_eq!(get("LEASE_RESOURCE_0_SOC_TYPE"), Some("imx8"));
        assert_eq!(get("LEASE_RESOURCE_0_FQDN"), Some("b.lab"));
        assert_eq!(get("LEASE_RESOURCE_0_BAD"), None);
        assert_eq!(get("LESSOR_SERVER"), Some("http://lab:1"));
        let others: Vec<&str> =
            vars.iter().map(|(name, _)| name.as_str()).filter(|name| !is_ours(name)).collect();
        assert_eq!(others, ["LESSOR_SERVER"], "all the rest is taken from a command of another lease");
        assert!(!is_ours("LEASE_RESOURCE_KIND") && !is_ours("LEASE_DEBUG"), "users have variables, too");
    }

    #[test]
    fn the_command_learns_what_a_target_manager_said() {
        let body = json!({
            "id": 7, "owner": "ann", "expires_at": "2030-01-01T00:00:00Z",
            "targets": [{ "id": "b", "fence": 9, "fqdn": "b.lab", "labels": { "rack": "7" } }, { "id": "a", "fence": 8 }],
        });
        let vars =
            variables(&Held { what: What::Job, id: 7, ttl: None, until: None, body }, "http://lab:1").set;
        let get = |name: &str| vars.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(get("LEASE_ID"), Some("7"));
        assert_eq!(get("LEASE_FENCE"), Some("9"));
        assert_eq!(get("LEASE_RESOURCE"), Some("b,a"));
        assert_eq!(get("LEASE_RESOURCE_0_FQDN"), Some("b.lab"));
        assert_eq!(get("LEASE_RESOURCE_0_RACK"), Some("7"));
        assert_eq!(get("LEASE_RESOURCE_1_FQDN"), None);
    }

    #[test]
    fn what_a_program_cannot_be_given_is_left_out_and_named() {
        let names: Vec<String> = (0..9_000).map(|n| format!("{n:0>60}")).collect();
        let body = json!({ "id": 7, "owner": "ann", "targets": names });
        let vars =
            variables(&Held { what: What::Lease, id: 7, ttl: None, until: None, body }, "http://lab:1");
        assert!(vars.set.contains(&("LEASE_RESOURCE_COUNT".to_owned(), "9000".to_owned())));
        assert_eq!(vars.left_out[..2], ["LEASE_RESOURCE", "LEASE_JSON"]);
        assert_eq!(vars.set.len() + vars.left_out.len(), 8 + 9_000);
        let bytes: usize = vars.set.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        assert!(bytes <= ENVIRONMENT_BYTES_MAX && bytes + 100 > ENVIRONMENT_BYTES_MAX, "{bytes}");
    }
}
