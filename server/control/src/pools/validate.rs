//! The rules of a pools file. Their texts are Boskos' (`common.ValidateConfig`), so that a script that reads them
//! goes on working.

use std::collections::{BTreeMap, BTreeSet};

use lessor_ledger::Span;

use super::entry::Raw;

/// Longest resource name, in bytes: that of a Kubernetes object, which Boskos keeps resources as.
const NAME_BYTES_MAX: usize = 253;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
     '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Everything that is wrong with the entries, in the order of the file, then what is needed but not there by name.
pub(super) fn validate(entries: &[Raw]) -> Vec<String> {
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    // Entries of one type are one pool, and what the last one says holds for all of it.
    let longest = entries.iter().enumerate().filter_map(|(at, entry)| Some((entry, (at, entry.max_ttl?))));
    let longest: BTreeMap<&str, (usize, Span)> =
        longest.map(|(entry, at_most)| (entry.kind.as_str(), at_most)).collect();
    for (index, entry) in entries.iter().enumerate() {
        if entry.kind.is_empty() {
            errors.push(format!(".{index}.type: must be set"));
        }
        counts(index, entry, &mut errors);
        names(index, entry, &mut seen, &mut errors);
        own_keys(index, entry, longest.get(entry.kind.as_str()).copied(), &mut errors);
    }
    supply(entries, &mut errors);
    errors
}

fn counts(index: usize, entry: &Raw, errors: &mut Vec<String>) {
    if entry.is_dynamic() {
        if entry.max_count == 0 {
            errors.push(format!(".{index}.max-count: must be >0"));
        }
        if entry.min_count > entry.max_count {
            errors.push(format!(".{index}.min-count: must be <= .{index}.max-count"));
        }
    } else {
        for (key, count) in [("min-count", entry.min_count), ("max-count", entry.max_count)] {
            if count != 0 {
                errors.push(format!(".{index}.{key} must be unset when the names property is set"));
            }
        }
    }
}

fn names<'a>(index: usize, entry: &'a Raw, seen: &mut BTreeSet<&'a str>, errors: &mut Vec<String>) {
    for (at, name) in entry.names.iter().enumerate() {
        let faults = faults(name);
        if !faults.is_empty() {
            errors.push(format!(".{index}.names.{at}({name}) is invalid: [{}]", faults.join(" ")));
        }
        if !seen.insert(name) {
            errors.push(format!(".{index}.names.{at}({name}) is a duplicate"));
        }
    }
}

/// What is wrong with a name, in the words of Kubernetes.
fn faults(name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if name.len() > NAME_BYTES_MAX {
        faults.push(format!("must be no more than {NAME_BYTES_MAX} characters"));
    }
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |label: &str| {
        label.starts_with(alphanumeric)
            && label.ends_with(alphanumeric)
            && label.chars().all(|c| alphanumeric(c) || c == '-')
    };
    if !name.split('.').all(label) {
        faults.push(SUBDOMAIN.to_owned());
    }
    faults
}

/// Rules about keys that Boskos does not know.
fn own_keys(index: usize, entry: &Raw, max_ttl: Option<(usize, Span)>, errors: &mut Vec<String>) {
    let listed: BTreeSet<&str> = entry.names.iter().map(String::as_str).collect();
    for name in entry.addresses.keys().filter(|name| !listed.contains(name.as_str())) {
        errors.push(format!(".{index}.targets.{name}: must be one of .{index}.names"));
    }
    for (key, ttl) in [("default-ttl", entry.default_ttl), ("reap-after", entry.reap_after)] {
        if let Some((at, most)) = max_ttl
            && ttl > Some(most)
        {
            errors.push(format!(".{index}.{key}: must be <= .{at}.max-ttl"));
        }
    }
}

/// Whether dynamic resources can be made of what there is.
fn supply(entries: &[Raw], errors: &mut Vec<String>) {
    let mut needed: BTreeMap<&str, i64> = BTreeMap::new();
    let mut there: BTreeMap<&str, i64> = BTreeMap::new();
    for entry in entries {
        let count = if entry.is_dynamic() {
            for (kind, need) in &entry.needs {
                let needed = needed.entry(kind).or_default();
                *needed = needed.saturating_add(need.saturating_mul(entry.max_count));
            }
            entry.max_count.max(0)
        } else {
            i64::try_from(entry.names.len()).unwrap_or(i64::MAX)
        };
        let there = there.entry(&entry.kind).or_default();
        *there = there.saturating_add(count);
    }
    for (kind, needed) in needed {
        let actual = there.get(kind).copied();
        if actual.is_none() {
            errors.push(format!("need for resource {kind} that does not exist"));
        }
        if needed > actual.unwrap_or(0) {
            errors.push(format!("not enough resource of type {kind} for provisioning"));
        }
    }
}
