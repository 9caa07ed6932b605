//! One file per schema version, written by the lessor that had it. Every later one must open it and find the same.
//!
//! If the file of the current version is missing, the test writes it, and fails to say so. Never delete the file of a
//! version that was released.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use lessor_ledger::{
    Acquire, Addresses, Command, CordonEdit, Lease, LeaseId, Ledger, Part, PoolName, ResourceEdit, State,
    Text,
};
use lessor_store::{EventFilter, LeaseFilter, SCHEMA_VERSION, Store, StoreOptions, check};

use crate::lab::{Lab, commands, options, show};

/// The store's file and its write-ahead log, which version 1 did not have.
const EXTENSIONS: [&str; 4] = ["redb", "wal-0", "wal-1", "wal-2"];

fn golden(version: u32, extension: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}.{extension}"))
}

/// What a golden store holds, one thing a line: fields that every version has, in words of this file, so that a new
/// field does not change the listing of an old store.
fn list(store: &Store, ledger: &Ledger) -> String {
    let counters = ledger.counters();
    let (lease, request, event) = (counters.lease, counters.request, counters.event);
    let seed = ledger.settings().seed;
    let mut lines = vec![format!("counters {lease} {request} {event}, now {:?}, seed {seed}", ledger.now())];
    lines.extend(ledger.pools().map(|it| {
        format!(
            "pool {} {:?} {} {:?}",
            it.name,
            it.origin,
            it.initial_state,
            it.lifecycle.as_ref().map(|l| l.max_count)
        )
    }));
    lines.extend(ledger.resources_after(None).map(|it| {
        let times = (it.created_at, it.updated_at, it.expires_at);
        let addresses = &it.details().addresses;
        let addresses = (&addresses.fqdn, addresses.ipv4, addresses.ipv6);
        let cordon = it.cordon().map(|cordon| &cordon.message);
        let details = (&it.details().labels, &it.details().user_data, addresses, cordon);
        format!(
            "resource {} {} {} {:?} {times:?} {} {details:?}",
            it.name, it.pool, it.state, it.origin, it.revision
        )
    }));
    lines.extend(ledger.locks_after(None).map(|it| {
        format!(
            "lock {} {} {} {:?} {:?} {}",
            it.target, it.lease, it.owner, it.taken_at, it.deadline, it.lapsed
        )
    }));
    lines.extend(ledger.leases_after(None).map(|it| line(it)));
    lines.extend(ledger.requests_after(None).map(|it| {
        let times = (it.since, it.live_until);
        let parts: usize = it.parts.len();
        format!(
            "request {} {} {:?} {} {parts} {times:?} {:?}",
            it.id, it.owner, it.dialect, it.priority, it.outcome
        )
    }));
    let dan = commands::owner("dan");
    lines.extend(["key-1", "key-2", "key-6", "key-7"].map(|text| {
        let key = ledger.key(&dan, text);
        format!("key {text} {:?}", key.map(|it| (it.fingerprint, it.outcome, it.at)))
    }));
    lines.extend(ledger.jobs_after(None).map(|it| {
        let times = (it.started_at, it.renewed_at);
        format!("job {} {} {} {:?} {times:?} {:?}", it.id.0, it.owner, it.manager, it.phase, it.targets)
    }));
    lines.extend(ledger.plugins().map(|it| {
        let before = it.previous.as_ref().map(|version| &version.digest);
        format!("plugin {} {} {} {before:?}", it.name, it.version.digest, it.enabled)
    }));
    let reader = store.reader();
    let ended = reader.leases(&LeaseFilter::default()).unwrap();
    lines.extend(ended.iter().map(line));
    let about = EventFilter { lease: Some(ended[0].id), ..EventFilter::default() };
    for filter in [EventFilter::default(), about] {
        lines.extend(reader.events(&filter).unwrap().iter().map(|it| {
            let ids = (it.lease.map(|id| id.0), it.request.map(|id| id.0));
            let names = (&it.target, &it.pool, &it.owner, &it.from, &it.to, it.cause, &it.note);
            format!("event {} {:?} {:?} {ids:?} {names:?}", it.id.0, it.at, it.kind)
        }));
    }
    lines.join("\n") + "\n"
}

fn line(lease: &Lease) -> String {
    let targets = (&lease.targets, &lease.returned);
    let times = (lease.granted_at, lease.renewed_at, lease.ttl);
    let ended = lease.ended.as_ref().map(|ended| (ended.at, ended.cause, &ended.by, &ended.reason));
    let texts = (&lease.purpose, &lease.key);
    format!(
        "lease {} {} {:?} {targets:?} {times:?} {texts:?} {ended:?}",
        lease.id, lease.owner, lease.dialect
    )
}

#[test]
fn every_version_opens_and_lists_the_same() {
    if !golden(SCHEMA_VERSION, "redb").exists() {
        make();
        panic!(
            "schema version {SCHEMA_VERSION} had no golden file; it has one now, to be looked at and checked in"
        );
    }
    for version in 1..=SCHEMA_VERSION {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.redb");
        for extension in EXTENSIONS {
            let golden = golden(version, extension);
            if golden.exists() {
                std::fs::copy(golden, file.with_extension(extension)).unwrap();
            }
        }
        let report = check(&file).unwrap();
        assert!(report.is_sound(), "version {version}: {:#?}", report.problems);
        assert_eq!(report.schema, version);
        let never = StoreOptions { generation_changes: usize::MAX, ..options() };
        let (store, ledger) = Store::open(&file, never.clone()).unwrap();
        let due = std::fs::read_to_string(golden(version, "txt")).unwrap();
        assert_eq!(list(&store, &ledger), due, "version {version}");
        assert_leases_have_their_events(&store, &ledger);
        let mut lab = Lab::new((store, ledger), 1);
        lab.now = lab.ledger.now();
        lab.rush(20);
        assert!(
            lab.ledger.counters().lease > 0 && lab.ledger.leases_after(None).all(|it| it.id > LeaseId(0))
        );
        let due = show(&lab.ledger);
        drop(lab);
        let (_store, ledger) = Store::open(&file, never).unwrap();
        assert_eq!(show(&ledger), due, "version {version} after a crash before the first checkpoint");
    }
}

/// What the index says of each lease is what the events say.
fn assert_leases_have_their_events(store: &Store, ledger: &Ledger) {
    let reader = store.reader();
    let all = reader.events(&EventFilter::default()).unwrap();
    for lease in (0..=ledger.counters().lease + 1).map(LeaseId) {
        let found = reader.events(&EventFilter { lease: Some(lease), ..EventFilter::default() }).unwrap();
        let due: Vec<_> = all.iter().filter(|event| event.lease == Some(lease)).cloned().collect();
        assert_eq!(found, due, "lease {lease}");
    }
}

/// A resource with everything that a resource can have.
fn furnished(name: &str) -> Command {
    let texts = |key: &str, value: &str| Some(BTreeMap::from([(Text::from(key), Text::from(value))]));
    Command::PutResource(Box::new(ResourceEdit {
        name: commands::target(name),
        revision: None,
        pool: Some(PoolName::new("board").unwrap()),
        state: Some(State::new("in Reparatur").unwrap()),
        labels: texts("site", "Zürich"),
        user_data: texts("serial", "0042"),
        addresses: Some(Addresses {
            fqdn: Some("own.example.org".into()),
            ipv4: Some(Ipv4Addr::new(192, 0, 2, 7)),
            ipv6: Some(Ipv6Addr::LOCALHOST),
        }),
        cordon: Some(Some(CordonEdit { message: "fan broken".into(), until: None })),
    }))
}

/// An acquire with a key: of one resource it is a lease, of more than there are it waits.
fn acquire(count: u32) -> Command {
    Command::Acquire(Box::new(Acquire {
        owner: commands::owner("dan"),
        parts: vec![Part::Pool {
            pool: PoolName::new("gpu").unwrap(),
            state: State::free(),
            labels: BTreeMap::new(),
            count,
        }],
        to_state: State::new("leased").unwrap(),
        ttl: None,
        queue: true,
        wait_anyway: true,
        priority: -1,
        purpose: Some("nightly run".into()),
        key: Some((format!("key-{count}").into(), 99)),
    }))
}

/// Writes the files of the current version.
fn make() {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = Lab::new(Store::open(folder.path(), options()).unwrap(), 17);
    lab.commit([commands::pools()]).unwrap();
    lab.run(40);
    lab.store.checkpoint().unwrap();
    lab.commit([commands::plugin("v1"), commands::plugin("v2"), commands::job()]).unwrap();
    let job = lab.ledger.live_jobs().next().expect("there is a job").id;
    lab.commit([commands::acquired(job, "found-1")]).unwrap();
    lab.commit([furnished("own-8"), acquire(1), acquire(6)]).unwrap();
    lab.store.checkpoint().unwrap();
    // The last batches stay in the journal alone, so that their form there is kept too.
    lab.commit([furnished("own-9"), acquire(2), acquire(7)]).unwrap();
    for _ in 0..4 {
        let commands = lab.random();
        lab.commit(commands).unwrap();
    }
    assert!(lab.ledger.request_count() > 1, "somebody waits");
    assert!(lab.ledger.live_job_count() > 0, "a job holds something");
    assert!(lab.ledger.key(&commands::owner("dan"), "key-1").is_some(), "a key is remembered");
    std::fs::write(golden(SCHEMA_VERSION, "txt"), list(&lab.store, &lab.ledger)).unwrap();
    drop(lab);
    let file = folder.path().join(lessor_store::STORE_FILE);
    redb::Database::open(&file).unwrap().compact().unwrap();
    for extension in EXTENSIONS {
        std::fs::copy(file.with_extension(extension), golden(SCHEMA_VERSION, extension)).unwrap();
    }
}
