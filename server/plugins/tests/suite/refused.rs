//! Components that do not fit are refused with everything that is wrong, and what is installed stays as it is.

use lessor_plugins::{Grants, Kind, Misfit};
use serde_json::json;

use crate::rig::{Rig, component, museum, patched, spec};

async fn reasons(spec: lessor_plugins::PluginSpec, component: Vec<u8>) -> Vec<String> {
    let unfit = Rig::new().prepare(spec, component).await.expect_err("it should not fit");
    unfit.misfits.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn what_was_not_granted_is_told_at_once() {
    let mut bare = museum();
    bare.grants = Grants::default();
    let unfit = Rig::new().prepare(bare, component("museum")).await.unwrap_err();
    let mut missing = unfit.missing_grants();
    missing.sort_unstable();
    assert_eq!(missing, ["files", "locker", "secrets"]);
}

#[tokio::test]
async fn another_version_of_the_contract_is_refused() {
    let newer = patched(component("target-list"), "@0.1.0", "@0.2.0");
    let reasons = reasons(spec("list"), newer).await;
    let said = "lessor:plugin/targets@0.2.0 is of another version of the contract: this server speaks 0.1.0";
    assert!(reasons.iter().any(|reason| reason == said), "{reasons:?}");
    let newer = patched(component("target-list"), "@0.1.0", "@0.1.9");
    Rig::new().prepare(spec("list"), newer).await.expect("a later patch of the contract fits");
}

#[tokio::test]
async fn an_import_that_nobody_offers_is_refused() {
    let odd = patched(component("target-list"), "lessor:plugin/log@", "wasi:cli/environs@");
    assert_eq!(
        reasons(spec("list"), odd).await,
        ["it imports wasi:cli/environs@0.1.0, which is not offered to plugins"]
    );
}

#[tokio::test]
async fn what_is_no_component_is_refused_whatever_it_is() {
    let whole = component("target-list");
    let cut = whole[..whole.len() / 2].to_vec();
    let module = b"\0asm\x01\0\0\0".to_vec();
    for bad in [Vec::new(), b"hello".to_vec(), cut, module, vec![0; 1 << 20]] {
        let unfit = Rig::new().prepare(spec("list"), bad).await.unwrap_err();
        assert!(matches!(unfit.misfits[..], [Misfit::NotAComponent(_)]), "{unfit}");
    }
    let large = vec![0; lessor_plugins::limits::COMPONENT_BYTES_MAX + 1];
    let unfit = Rig::new().prepare(spec("list"), large).await.unwrap_err();
    assert!(matches!(unfit.misfits[..], [Misfit::TooLarge { .. }]), "{unfit}");
}

#[tokio::test]
async fn a_provider_is_refused_until_something_runs_it() {
    let mut provider = spec("list");
    provider.kind = Kind::Provider;
    let reasons = reasons(provider, component("target-list")).await;
    assert_eq!(reasons, ["this server does not run plugins of the kind provider"]);
}

#[tokio::test]
async fn a_refused_version_leaves_the_installed_one_alone() {
    let rig = Rig::with(spec("list"), component("target-list")).await;
    let before = rig.host.status("list").unwrap();
    assert!(rig.prepare(spec("list"), b"worse".to_vec()).await.is_err());
    assert_eq!(rig.host.status("list").unwrap(), before);
    assert!(rig.acquire("list", &json!({"Targets": [{"ID": "a"}]})).await.is_ok());
}

#[tokio::test]
async fn a_folder_that_depends_on_where_the_server_was_started_is_refused() {
    let mut spec = spec("list");
    spec.grants.files = ["/etc/lessor".into(), "lab".into(), "../lab".into(), "/etc/../lab".into()].into();
    let unfit = Rig::new().prepare(spec, component("target-list")).await.unwrap_err();
    let relative = ["/etc/../lab", "../lab", "lab"].map(|folder| Misfit::RelativeFolder(folder.into()));
    assert_eq!(unfit.misfits, relative);
}
