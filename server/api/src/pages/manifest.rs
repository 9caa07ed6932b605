//! How a plugin is run, in words.

use lessor_jobs::{Ceiling, Manifest};
use lessor_web::{Text, length};
use serde::Serialize;
use serde_json::Value;

use crate::limits::PLUGIN_SETTINGS_SHOWN;

/// Its settings, each as JSON; a text without its quotes.
pub(crate) fn settings(manifest: &Manifest) -> Vec<(Text, Text)> {
    let value = |value: &Value| match value {
        Value::String(text) => Text::from(text.as_str()),
        other => Text::from(other.to_string()),
    };
    let all = manifest.settings.as_object().into_iter().flatten();
    all.take(PLUGIN_SETTINGS_SHOWN)
        .map(|(name, setting)| (Text::from(name.as_str()), value(setting)))
        .collect()
}

/// What it may use beyond its own memory.
pub(crate) fn grants(manifest: &Manifest) -> Vec<(Text, Text)> {
    let grants = &manifest.grants;
    let given = |given: bool| Text::from(if given { "yes" } else { "no" });
    let mut words = vec![
        ("Locks on targets".into(), given(grants.locker)),
        ("Pools and resources, to read".into(), given(grants.inventory)),
        ("Secrets".into(), listed(&grants.secrets)),
        ("Folders".into(), listed(&grants.files)),
        ("Hosts over wasi:http".into(), listed(&grants.wasi_http)),
    ];
    words.extend(grants.http.iter().map(|(name, endpoint)| {
        let secret = endpoint.bearer_secret.as_ref().map(|secret| format!(", with the secret {secret}"));
        let private = if endpoint.private { ", also at a private address" } else { "" };
        let value = format!("{}{}{private}", endpoint.url, secret.unwrap_or_default());
        (Text::from(format!("Endpoint {name}")), Text::from(value))
    }));
    words
}

/// What the operator lets the API grant at most.
pub(crate) fn ceiling(ceiling: &Ceiling) -> Vec<(&'static str, Text)> {
    vec![
        ("Secrets", listed(&ceiling.secrets)),
        ("Folders", listed(&ceiling.files)),
        ("Hosts", listed(&ceiling.http)),
        ("Hosts, also at private addresses", listed(&ceiling.private)),
    ]
}

/// What one call may take.
pub(crate) fn limits(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let limits = &manifest.limits;
    vec![
        ("Processor time", millis(limits.cpu_ms)),
        ("Time", millis(limits.wall_ms)),
        ("Memory", bytes(limits.memory_bytes)),
        ("Output", bytes(limits.output_bytes)),
        ("Log", bytes(limits.log_bytes)),
        ("Calls of the server", limits.host_calls.to_string()),
        ("Calls at once", limits.concurrency.to_string()),
        ("Checks that wait", limits.mailbox.to_string()),
    ]
}

fn millis(millis: u64) -> String {
    match i64::try_from(millis / 1000) {
        Ok(seconds) if seconds > 0 && millis.is_multiple_of(1000) => length(seconds),
        _ => format!("{millis} ms"),
    }
}

fn bytes(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match bytes {
        0 => "nothing".to_owned(),
        bytes if bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        bytes if bytes.is_multiple_of(KIB) => format!("{} KiB", bytes / KIB),
        bytes => format!("{bytes} bytes"),
    }
}

/// Texts as the configuration has them, with commas between.
fn listed<T: Serialize>(all: &std::collections::BTreeSet<T>) -> Text {
    let text = |one: &T| match serde_json::to_value(one) {
        Ok(Value::String(text)) => text,
        other => other.unwrap_or_default().to_string(),
    };
    let texts: Vec<String> = all.iter().map(text).collect();
    if texts.is_empty() { "none".into() } else { texts.join(", ").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_units() {
        assert_eq!(
            (millis(2000), millis(10), millis(90_000)),
            ("2 s".into(), "10 ms".into(), "1 min 30 s".into())
        );
        assert_eq!(
            (bytes(67_108_864), bytes(65_536), bytes(100)),
            ("64 MiB".into(), "64 KiB".into(), "100 bytes".into())
        );
    }
}
