use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use lessor_ledger::{Lifecycle, PoolEntry, Span, State};

use super::parse;

#[track_caller]
fn error(text: &str) -> String {
    parse(text).expect_err("the file is not valid").to_string()
}

#[track_caller]
fn only(text: &str) -> PoolEntry {
    let entries = parse(text).expect("the file is valid");
    let [entry] = <[PoolEntry; 1]>::try_from(entries).expect("the file has one entry");
    entry
}

const UPPER: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

#[test]
fn the_file_of_the_readme_is_read() {
    let entries = parse(
        "resources:
- {type: gce-project, state: dirty, names: [p1, p2]}                    # static
- {type: cluster, state: dirty, min-count: 1, max-count: 2, lifespan: 24h,
   needs: {gce-project: 1}, config: {type: SomeMason, content: \"a: b\"}}  # dynamic
",
    )
    .expect("the file is valid");
    let [fixed, dynamic] = <[PoolEntry; 2]>::try_from(entries).expect("two entries");
    assert_eq!(fixed.pool.name.as_str(), "gce-project");
    assert_eq!(fixed.pool.initial_state, State::dirty());
    assert_eq!(fixed.pool.lifecycle, None);
    assert_eq!(fixed.names.iter().map(lessor_ledger::Target::as_str).collect::<Vec<_>>(), ["p1", "p2"]);
    assert!(dynamic.names.is_empty());
    assert_eq!(
        dynamic.pool.lifecycle,
        Some(Lifecycle {
            min_count: 1,
            max_count: 2,
            lifespan: Some(Span::from_secs(86_400)),
            config: Some(("SomeMason".into(), "a: b".into())),
            needs: BTreeMap::from([("gce-project".into(), 1)]),
        })
    );
}

#[test]
fn boskos_087_upper_case_names_are_invalid() {
    assert_eq!(
        error("resources: [{type: t, names: [openstack-OSUOSL-01, A]}]"),
        format!(
            "[.0.names.0(openstack-OSUOSL-01) is invalid: [{UPPER}], .0.names.1(A) is invalid: [{UPPER}]]"
        )
    );
    for name in ["-a", "a-", "a..b", ".a", "a.", "a_b", "ä", "a b"] {
        let text = format!("resources: [{{type: t, names: ['{name}']}}]");
        assert_eq!(error(&text), format!(".0.names.0({name}) is invalid: [{UPPER}]"));
    }
    let long = format!("{}A", "a".repeat(253));
    assert_eq!(
        error(&format!("resources: [{{type: t, names: [{long}]}}]")),
        format!(".0.names.0({long}) is invalid: [must be no more than 253 characters {UPPER}]")
    );
}

#[test]
fn boskos_088_a_name_is_used_once_in_the_whole_file() {
    assert_eq!(
        error("resources: [{type: t, names: [openstack-01, openstack-01]}]"),
        ".0.names.1(openstack-01) is a duplicate"
    );
    assert_eq!(
        error("resources: [{type: t, names: [a]}, {type: u, names: [b, a]}]"),
        ".1.names.1(a) is a duplicate"
    );
}

#[test]
fn boskos_089_a_type_must_be_set() {
    assert_eq!(error("resources: [{names: [a]}]"), ".0.type: must be set");
    assert_eq!(error("resources: [{type: '', names: [a]}]"), ".0.type: must be set");
    assert_eq!(error("resources: [{name: t, names: [a]}]"), ".0.type: must be set");
}

#[test]
fn boskos_090_a_dynamic_entry_has_a_max_count() {
    assert_eq!(error("resources: [{state: free}]"), "[.0.type: must be set, .0.max-count: must be >0]");
    assert_eq!(error("resources: [{type: t, names: []}]"), ".0.max-count: must be >0");
    assert_eq!(error("resources: [~]"), "[.0.type: must be set, .0.max-count: must be >0]");
    only("resources: [{type: t, min-count: -2, max-count: -1}]");
}

#[test]
fn boskos_091_min_count_is_at_most_max_count() {
    assert_eq!(
        error("resources: [{min-count: 2, max-count: 1}]"),
        "[.0.type: must be set, .0.min-count: must be <= .0.max-count]"
    );
}

#[test]
fn boskos_092_names_exclude_counts() {
    assert_eq!(
        error("resources: [{type: t, names: [a], min-count: 1, max-count: 2}]"),
        "[.0.min-count must be unset when the names property is set, .0.max-count must be unset when the names property is set]"
    );
}

#[test]
fn boskos_093_needs_are_met_by_the_file() {
    assert_eq!(
        error("resources: [{type: a, names: [x]}, {type: t, max-count: 2, needs: {a: 1}}]"),
        "not enough resource of type a for provisioning"
    );
    assert_eq!(
        error("resources: [{type: t, max-count: 2, needs: {a: 1, b: 0}}]"),
        "[need for resource a that does not exist, not enough resource of type a for provisioning, need for resource b that does not exist]"
    );
    parse("resources: [{type: a, max-count: 2}, {type: t, max-count: 2, needs: {a: 1}}]")
        .expect("just enough");
}

#[test]
fn a_file_without_entries_is_empty() {
    for text in ["", "# nothing", "---", "{}", "resources:", "resources: []", "other: 1"] {
        assert_eq!(error(text), "empty config", "{text:?}");
    }
}

#[test]
fn reading_is_as_lenient_as_that_of_boskos() {
    let entry = only(
        "Resources:\n- TYPE: 12\n  State: yes\n  Names: [1.10, 0x10, on, 1e3, null-1]\n  what-is-this: {a: [b]}\n",
    );
    assert_eq!(entry.pool.name.as_str(), "12");
    assert_eq!(entry.pool.initial_state.as_str(), "true");
    let names: Vec<_> = entry.names.iter().map(lessor_ledger::Target::as_str).collect();
    assert_eq!(names, ["1.1", "16", "true", "1000", "null-1"]);
    assert_eq!(
        only("resources: [{type: t, min-count: 1.0, max-count: 2}]")
            .pool
            .lifecycle
            .expect("dynamic")
            .min_count,
        1
    );
    // Of two keys that differ in case, the one later in byte order counts; of two equal ones, the later.
    assert_eq!(only("resources: [{type: a, Type: b, names: [x]}]").pool.name.as_str(), "a");
    assert_eq!(only("resources: [{type: a, type: b, names: [x]}]").pool.name.as_str(), "b");
    // Only the first document counts.
    assert_eq!(only("resources: [{type: a, names: [x]}]\n---\nresources: 7\n").pool.name.as_str(), "a");
}

#[test]
fn anchors_and_merge_keys_work() {
    let entries = parse(
        "base: &base {state: dirty, default-ttl: 5m}
resources:
- {<<: *base, type: a, names: [x]}
- <<: [{state: one}, *base]
  type: b
  names: [y]
",
    )
    .expect("the file is valid");
    assert_eq!(entries[0].pool.initial_state, State::dirty());
    assert_eq!(entries[1].pool.initial_state.as_str(), "one");
    assert_eq!(entries[1].pool.default_ttl, Some(Span::from_secs(300)));
}

#[test]
fn a_value_of_the_wrong_kind_fails_the_file_and_says_where() {
    for (text, expected) in [
        ("[]", ": must be a map, not a list"),
        ("resources: 7", ".resources: must be a list, not a number"),
        ("resources: [7]", ".0: must be a map, not a number"),
        ("resources: [{type: [a]}]", ".0.type: must be a text, not a list"),
        ("resources: [{type: t, names: a}]", ".0.names: must be a list, not a text"),
        ("resources: [{type: t, names: [{a: b}]}]", ".0.names.0: must be a text, not a map"),
        ("resources: [{type: t, max-count: '2'}]", ".0.max-count: must be a whole number, not a text"),
        ("resources: [{type: t, max-count: 1.5}]", ".0.max-count: must be a whole number, not a number"),
        (
            "resources: [{type: t, max-count: 1, lifespan: woooo}]",
            r#".0.lifespan: time: invalid duration "woooo""#,
        ),
        (
            "resources: [{type: t, max-count: 1, lifespan: 1.5}]",
            ".0.lifespan: must be a duration such as 1h30m, or whole nanoseconds, not a number",
        ),
        (
            "resources: [{type: t, max-count: 1, needs: {a: x}}]",
            ".0.needs.a: must be a whole number, not a text",
        ),
        ("resources: [{type: t, names: [a], max-ttl: 0s}]", ".0.max-ttl: must be >0"),
        (
            "resources: [{type: t, names: [a], targets: {a: {ipv4: '1.2.3'}}}]",
            r#".0.targets.a.ipv4: "1.2.3" is not an IPv4 address"#,
        ),
        ("resources: [{type: t, names: [a], targets: [{fqdn: x}]}]", ".0.targets.0.name: must be set"),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
    assert!(error("resources: [").starts_with("not YAML: "), "{}", error("resources: ["));
    let long = "x".repeat(513);
    assert_eq!(
        error(&format!("resources: [{{type: {long}, names: [a]}}]")),
        ".0.type: a pool name has 513 bytes, at most 512 are allowed"
    );
}

#[test]
fn lifespans_are_go_durations_or_nanoseconds() {
    for (text, span) in [
        ("24h", Some(Span::from_secs(86_400))),
        ("1h30m", Some(Span::from_secs(5_400))),
        ("1500", Some(Span::from_nanos(1_500))),
        ("-1h", Some(Span::from_secs(-3_600))),
        ("0", Some(Span::ZERO)),
        ("null", None),
    ] {
        let entry = only(&format!("resources: [{{type: t, max-count: 1, lifespan: {text}}}]"));
        assert_eq!(entry.pool.lifecycle.expect("dynamic").lifespan, span, "{text}");
    }
}

#[test]
fn our_own_keys_are_read() {
    let entry = only(
        "resources:
- type: gpu
  names: [gpu-1, gpu-2]
  labels: {site: ber, mem: 80}
  targets:
    gpu-1: {fqdn: gpu-1.lab.example, ipv4: 192.0.2.1, ipv6: '2001:db8::1'}
    gpu-2:
  default-ttl: 10m
  max-ttl: 4h
  on-expire: dirty
  reap-after: 30m
",
    );
    assert_eq!(entry.pool.default_ttl, Some(Span::from_secs(600)));
    assert_eq!(entry.pool.max_ttl, Some(Span::from_secs(14_400)));
    assert_eq!(entry.pool.on_expire, Some(State::dirty()));
    assert_eq!(entry.pool.reap_after, Some(Span::from_secs(1_800)));
    let labels: BTreeMap<Arc<str>, Arc<str>> =
        BTreeMap::from([("mem".into(), "80".into()), ("site".into(), "ber".into())]);
    assert_eq!(entry.labels, Some(labels.into()));
    let addresses = &entry.addresses["gpu-1"];
    assert_eq!(addresses.fqdn.as_deref(), Some("gpu-1.lab.example"));
    assert_eq!(addresses.ipv4, "192.0.2.1".parse().ok());
    assert_eq!(addresses.ipv6, "2001:db8::1".parse().ok());
    assert_eq!(entry.addresses.len(), 2);

    let listed = only("resources: [{type: gpu, names: [a], targets: [{name: a, fqdn: a.example}]}]");
    assert_eq!(listed.addresses["a"].fqdn.as_deref(), Some("a.example"));
}

#[test]
fn our_own_keys_have_rules_too() {
    assert_eq!(
        error("resources: [{type: t, names: [a], targets: {b: {fqdn: x}}}]"),
        ".0.targets.b: must be one of .0.names"
    );
    assert_eq!(
        error("resources: [{type: t, names: [a], default-ttl: 2h, max-ttl: 1h}]"),
        ".0.default-ttl: must be <= .0.max-ttl"
    );
    assert_eq!(
        error("resources: [{type: t, names: [a], reap-after: 2h, max-ttl: 1h}]"),
        ".0.reap-after: must be <= .0.max-ttl"
    );
    assert_eq!(
        error("resources: [{type: t, names: [a], max-ttl: 1h}, {type: t, names: [b], reap-after: 2h}]"),
        ".1.reap-after: must be <= .0.max-ttl"
    );
    let labels: Vec<_> = (0..65).map(|n| format!("l{n}: x")).collect();
    assert_eq!(
        error(&format!("resources: [{{type: t, names: [a], labels: {{{}}}}}]", labels.join(", "))),
        ".0.labels: 65 labels, at most 64 are allowed"
    );
    assert_eq!(
        error(&format!("resources: [{{type: t, names: [a], labels: {{l: {}}}}}]", "x".repeat(4096))),
        ".0.labels: 4097 bytes of labels, at most 4096 are allowed"
    );
}

#[test]
fn a_hostile_file_is_refused_not_suffered() {
    let deep = format!("resources: {}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(error(&deep), "nested more than 32 deep at line 1");

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        writeln!(bomb, "a{n}: &a{n} [{aliases}]").expect("writing to a string succeeds");
    }
    assert_eq!(error(&bomb), "more than 4000000 values, aliases counted as what they stand for");

    let many: Vec<_> = (0..200).map(|n| format!("A{n}")).collect();
    let text = error(&format!("resources: [{{type: t, names: [{}]}}]", many.join(", ")));
    assert!(text.ends_with(", and 100 more]"), "{text}");
}
