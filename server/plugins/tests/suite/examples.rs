//! The example plugins as components.

use lessor_plugins::{CallError, Problem, Target};
use serde_json::json;

use crate::rig::{Rig, component, museum, spec};

fn named(id: &str) -> Target {
    Target { id: id.to_owned(), ..Target::default() }
}

#[tokio::test]
async fn target_list_checks_locks_and_releases() {
    let rig = Rig::with(spec("TargetList"), component("target-list")).await;
    let manager = rig.manager("targetlist");
    let wish =
        json!({"Targets": [{"ID": "a", "FQDN": "a.example", "PrimaryIPv4": "192.0.2.7"}, {"ID": "b"}]});
    assert_eq!(manager.validate_acquire(&wish.to_string()).await, Ok(()));
    let blank = manager.validate_acquire(&json!({"Targets": [{"ID": " "}]}).to_string()).await;
    let message = "the ID of a target must not be blank".to_owned();
    assert_eq!(blank, Err(CallError::Problems(vec![Problem { path: "/Targets/0/ID".to_owned(), message }])));
    assert_eq!(manager.validate_release("null").await, Ok(()));
    assert!(matches!(manager.validate_release("").await, Err(CallError::Problems(_))));

    let targets = manager.acquire(rig.call(7), &wish.to_string()).await.unwrap();
    let first = Target { fqdn: Some("a.example".into()), ipv4: Some("192.0.2.7".into()), ..named("a") };
    assert_eq!(targets, [first, named("b")]);
    assert_eq!(rig.book.holders(), [("a".to_owned(), 7), ("b".to_owned(), 7)].into());
    assert_eq!(manager.release(rig.call(7), "{}", &|| targets.clone()).await, Ok(()));

    let message = "held by others: a, b".to_owned();
    let held = manager.acquire(rig.call(8), &wish.to_string()).await;
    assert_eq!(held, Err(CallError::Failed { message, retryable: true }));
    let status = rig.host.status("TargetList").unwrap();
    assert_eq!((status.calls, status.errors, status.in_flight), (7, 0, 0));
    assert_eq!(status.wanted_grants, ["locker"]);
    assert_eq!(status.contract, "0.1.0");
    assert!(status.memory_high_water_bytes >= 64 << 10, "{status:?}");
    assert!(status.p95_us.is_some());
}

#[tokio::test]
async fn csv_file_reads_what_was_granted_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts.csv");
    std::fs::write(&file, "1,rack7-a.example,192.0.2.1,\n2,rack8-b.example,,\n3,rack7-c.example,,\n")
        .unwrap();
    let mut spec = spec("csv");
    spec.grants.files = [folder.path().to_owned()].into();
    let rig = Rig::with(spec, component("csv-file")).await;
    let wish =
        json!({"FileURI": file, "MinNumberDevices": 1, "MaxNumberDevices": 5, "HostPrefixes": ["rack7-"]});
    let targets = rig.acquire("csv", &wish).await.unwrap();
    let ids: Vec<&str> = targets.iter().map(|target| target.id.as_str()).collect();
    assert_eq!(ids, ["1", "3"]);
    assert_eq!(targets[0].ipv4.as_deref(), Some("192.0.2.1"));

    let outside = rig.acquire("csv", &json!({"FileURI": "/etc/hostname", "MaxNumberDevices": 1})).await;
    let Err(CallError::Failed { message, retryable: false }) = outside else { panic!("{outside:?}") };
    assert!(message.contains("below no folder that was granted"), "{message}");
}

#[tokio::test]
async fn pool_picker_picks_by_label_from_the_pool_of_its_settings() {
    let mut spec = spec("picker");
    spec.grants.inventory = true;
    spec.settings = json!({"default_pool": "gpu"});
    let rig = Rig::with(spec, component("pool-picker")).await;
    rig.book.hold("gpu-1", 3);
    let wish = json!({"labels": {"site": "ber"}});
    let targets = rig.acquire("picker", &wish).await.unwrap();
    assert_eq!(targets.iter().map(|target| target.id.as_str()).collect::<Vec<_>>(), ["gpu-3"]);
    let two = rig.acquire("picker", &json!({"labels": {"site": "ber"}, "count": 2})).await;
    assert!(matches!(two, Err(CallError::Failed { retryable: true, .. })), "{two:?}");
    // What is looked through is charged, whatever is found.
    let vast = rig.acquire("picker", &json!({"pool": "large-20000000"})).await;
    let Err(CallError::Trapped(message)) = vast else { panic!("{vast:?}") };
    assert!(message.contains("more functions of the server than one call may"), "{message}");
}

#[tokio::test]
async fn an_instance_serves_one_call_unless_the_plugin_is_warm() {
    let count = json!({"do": "count"});
    let counts = async |rig: &Rig| {
        let mut counts = Vec::new();
        for _ in 0..3 {
            counts.push(rig.acquire("museum", &count).await.unwrap()[0].id.clone());
        }
        counts
    };
    let rig = Rig::with(museum(), component("museum")).await;
    assert_eq!(counts(&rig).await, ["1", "1", "1"]);

    let mut warm = museum();
    warm.warm = true;
    rig.install(warm, component("museum")).await;
    assert_eq!(counts(&rig).await, ["1", "2", "3"]);
    // What broke is thrown away.
    assert!(rig.acquire("museum", &json!({"do": "panic"})).await.is_err());
    assert_eq!(counts(&rig).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn a_plugin_sees_the_secrets_that_were_granted_and_no_others() {
    let mut spec = museum();
    spec.secrets.insert("other".to_owned(), "not for you".to_owned().into());
    let rig = Rig::with(spec, component("museum")).await;
    let show = async |name: &str| {
        let targets = rig.acquire("museum", &json!({"do": "secret", "names": [name]})).await;
        targets.unwrap()[0].id.clone()
    };
    assert_eq!(show("token").await, r#"Some("hunter2")"#);
    assert_eq!(show("other").await, "None");
}
