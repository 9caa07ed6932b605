use lessor_plugin::harness::Lessor;
use lessor_plugin::{Failure, Job, Target};

use super::CsvFile;

const HOSTS: &str = "
1, rack7-a.example.com , 192.0.2.1,

2,rack7-b.example.com,::ffff:192.0.2.2,2001:db8::2
\"3\",Rack7-c.example.com,,192.0.2.3
4,,,
5,rack8.rack7-x.example.com,,
";

fn lessor(content: &str) -> Lessor {
    Lessor::new().file("/hosts.csv", content)
}

fn ids(targets: &[Target]) -> Vec<&str> {
    targets.iter().map(|target| target.id.as_str()).collect()
}

fn acquire(lessor: &Lessor, rest: &str) -> Result<Vec<Target>, Failure> {
    lessor.acquire::<CsvFile>(&Job::numbered(7), &format!(r#"{{"FileURI": "/hosts.csv"{rest}}}"#))
}

#[test]
fn contest_51_a_bad_place_and_a_blank_prefix_are_refused_at_submission() {
    let cases = [
        (r#"{"HostPrefixes": []}"#, "/FileURI"),
        (r#"{"FileURI": null}"#, "/FileURI"),
        ("null", "/FileURI"),
        (r#"{"fileuri": "ftp:/h"}"#, "/FileURI"),
        (r#"{"fileURI": "/h", "minnumberdevices": -1}"#, "/minnumberdevices"),
        (r#"{"FileURI": "http://localhost/h"}"#, "/FileURI"),
        (r#"{"FileURI": "file://hosts.csv"}"#, "/FileURI"),
        (r#"{"FileURI": "/h", "HostPrefixes": ["a", " "]}"#, "/HostPrefixes/1"),
        (r#"{"FileURI": "/h", "MinNumberDevices": -1}"#, "/MinNumberDevices"),
    ];
    for (json, path) in cases {
        let problems = lessor("").validate_acquire::<CsvFile>(json).unwrap_err();
        assert_eq!(
            problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(),
            [path],
            "{json}"
        );
    }
}

#[test]
fn contest_52_a_file_that_is_not_there_is_found_missing_at_acquire() {
    let lessor = Lessor::new();
    assert_eq!(lessor.validate_acquire::<CsvFile>(r#"{"FileURI": "/hosts.csv"}"#), Ok(()));
    assert_eq!(acquire(&lessor, "").unwrap_err().code, "bad-file");
}

#[test]
fn contest_53_a_bad_line_fails_the_whole_file() {
    for bad in ["1,a,", "1,a,,\n2,b,,,", "1,a,,\n ,b,,", "1,a,x,", "1,a,2001:db8::1,", "1,a,,x", "1, \"a\",,"]
    {
        let failure = acquire(&lessor(bad), "").unwrap_err();
        assert_eq!(failure.code, "bad-file", "{bad}: {failure}");
    }
}

#[test]
fn contest_54_blank_lines_are_skipped_and_fields_are_trimmed() {
    let lessor = lessor(HOSTS);
    let targets = acquire(&lessor, r#", "MaxNumberDevices": 9"#).unwrap();
    assert_eq!(ids(&targets), ["1", "2", "3", "4", "5"]);
    let read = |json: &str| serde_json::from_str::<Target>(json).unwrap();
    assert_eq!(targets[0], read(r#"{"ID":"1","FQDN":"rack7-a.example.com","PrimaryIPv4":"192.0.2.1"}"#));
    assert_eq!(targets[1].ipv4, Some([192, 0, 2, 2].into()));
    assert_eq!(targets[2].ipv6, Some([192, 0, 2, 3].into()));
}

#[test]
fn keys_may_have_any_case() {
    let targets = lessor(HOSTS).acquire::<CsvFile>(
        &Job::numbered(7),
        r#"{"fileuri": "/hosts.csv", "maxNumberDevices": 9, "HOSTPREFIXES": ["rack7-"]}"#,
    );
    assert_eq!(ids(&targets.unwrap()), ["1", "2"]);
}

#[test]
fn contest_55_prefixes_are_of_the_first_label_and_case_matters() {
    let prefixes = r#", "MaxNumberDevices": 9, "HostPrefixes": [" rack7- "]"#;
    assert_eq!(ids(&acquire(&lessor(HOSTS), prefixes).unwrap()), ["1", "2"]);
}

#[test]
fn a_machine_counts_once_for_every_prefix_that_fits() {
    let prefixes = r#""HostPrefixes": ["rack7-a", "rack7"]"#;
    let wish = |least: u32| format!(r#", "MaxNumberDevices": 9, "MinNumberDevices": {least}, {prefixes}"#);
    let failure = acquire(&lessor(HOSTS), &wish(4)).unwrap_err();
    assert!(!failure.retryable, "three lines match: {failure}");
    let failure = acquire(&lessor(HOSTS), &wish(3)).unwrap_err();
    assert!(failure.retryable, "two machines can be had: {failure}");
    assert_eq!(ids(&acquire(&lessor(HOSTS), &wish(2)).unwrap()), ["1", "2"]);
}

#[test]
fn contest_56_fewer_lines_than_needed_fail_without_a_lock() {
    let lessor = lessor(HOSTS);
    let failure = acquire(&lessor, r#", "MinNumberDevices": 6, "MaxNumberDevices": 6"#).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.retryable), ("too-few", false));
    assert_eq!(lessor.held_by(7), []);
}

#[test]
fn contest_57_as_many_as_can_be_had_up_to_the_most_else_none() {
    let held = || lessor(HOSTS).held("1", 3).held("4", 3);
    let wish =
        |least: u32, most: u32| format!(r#", "MinNumberDevices": {least}, "MaxNumberDevices": {most}"#);
    assert_eq!(ids(&acquire(&held(), &wish(2, 2)).unwrap()), ["2", "3"]);
    assert_eq!(ids(&acquire(&held(), &wish(1, 9)).unwrap()), ["2", "3", "5"]);
    let lessor = held();
    assert!(acquire(&lessor, &wish(4, 9)).unwrap_err().retryable);
    assert_eq!(lessor.held_by(7), []);
    assert_eq!(lessor.holder("1"), Some(3));
}

#[test]
fn contest_58_less_at_most_than_at_least_always_fails() {
    let lessor = lessor(HOSTS);
    assert_eq!(
        lessor.validate_acquire::<CsvFile>(
            r#"{"FileURI": "/h", "MinNumberDevices": 2, "MaxNumberDevices": 1}"#
        ),
        Ok(())
    );
    assert!(acquire(&lessor, r#", "MinNumberDevices": 2, "MaxNumberDevices": 1"#).is_err());
    assert_eq!(lessor.held_by(7), []);
}

#[test]
fn none_at_most_is_none_at_all_and_fine_if_none_are_needed() {
    assert_eq!(acquire(&lessor(HOSTS), "").unwrap(), []);
}

#[test]
fn a_shuffle_gives_the_same_machines_in_another_order() {
    use std::fmt::Write as _;
    let many = (0..50).fold(String::new(), |mut text, number| {
        writeln!(text, "{number},,,").unwrap();
        text
    });
    let targets = acquire(&lessor(&many), r#", "MaxNumberDevices": 50, "Shuffle": true"#).unwrap();
    let mut numbers: Vec<u32> = targets.iter().map(|target| target.id.parse().unwrap()).collect();
    assert!(!numbers.is_sorted());
    numbers.sort_unstable();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
}

#[test]
fn no_more_machines_match_than_can_be_locked_at_once() {
    let file = |count: usize| (0..count).map(|id| format!("{id},h{id},,")).collect::<Vec<_>>().join("\n");
    let prefixes =
        |count: usize| format!(r#", "MaxNumberDevices": 1, "HostPrefixes": {:?}"#, vec!["h"; count]);
    let all = r#", "MaxNumberDevices": 1"#.to_owned();
    for (hosts, rest, fits) in [
        (10_000, all.clone(), true),
        (10_001, all, false),
        (100, prefixes(100), true),
        (5_000, prefixes(400), false),
    ] {
        let got = acquire(&lessor(&file(hosts)), &rest);
        match got {
            Ok(got) => assert!(fits && ids(&got) == ["0"], "{hosts}"),
            Err(failure) => assert!(!fits && failure.message.contains("more than 10000"), "{failure:?}"),
        }
    }
}
