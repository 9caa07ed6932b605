//! How much memory an idle instance of a plugin takes: the resident size of this process before and after making fifty.
//!
//! Needs the components of `cargo xtask plugins`.

mod scene;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use lessor_plugins::{
    Inventory, InventoryError, JobCall, Locker, LockerError, PoolView, ResourceQuery, ResourceView,
};
use scene::{component, folder, host, runtime, spec};
use serde_json::json;
use tokio::sync::Barrier;
use tokio_util::sync::CancellationToken;

const COUNT: usize = 32;

/// Size of a page on every platform that this is run on, in bytes.
const PAGE: usize = 4096;

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second field is the resident size in pages") * PAGE
}

#[expect(clippy::print_stdout, reason = "telling the number is what this program is for")]
fn main() {
    let runtime = runtime();
    let (_folder, cache) = folder();
    let host = host(&cache);
    let bytes = component("target-list");
    println!("{} bytes of component", bytes.len());
    let prepared = runtime.block_on(host.prepare(spec("plugin", true), bytes)).expect("the plugin fits");
    let _ = host.install(prepared);
    let manager = host.target_manager("plugin").expect("it is there");
    let wish = json!({"Targets": [{"ID": "rack7-a"}]}).to_string();
    let acquire_at_once = |count: usize| {
        let meeting = Arc::new(Barrier::new(count));
        let calls = (0..count).map(|_| manager.acquire(call(Arc::clone(&meeting)), &wish));
        for done in runtime.block_on(futures_util::future::join_all(calls)) {
            done.expect("it gets its target");
        }
    };
    acquire_at_once(1);
    let before = resident();
    acquire_at_once(COUNT);
    println!("{} bytes per idle instance at {COUNT}", resident().saturating_sub(before) / (COUNT - 1));
}

/// A call of a job; who locks meets all others at the barrier.
fn call(meeting: Arc<Barrier>) -> JobCall {
    JobCall {
        job: 7,
        timeout: Duration::from_secs(30),
        lock_duration: Duration::from_mins(5),
        cancel: CancellationToken::new(),
        locker: Arc::new(Meeting(meeting)),
        inventory: Arc::new(Nothing),
    }
}

/// A locker that grants everything, as soon as all are there.
struct Meeting(Arc<Barrier>);

impl Locker for Meeting {
    fn lock(&self, _: Vec<String>, _: Duration) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(async {
            self.0.wait().await;
            Ok(())
        })
    }

    fn try_lock(
        &self,
        targets: Vec<String>,
        _: Duration,
        _: u32,
    ) -> BoxFuture<'_, Result<Vec<String>, LockerError>> {
        Box::pin(async {
            self.0.wait().await;
            Ok(targets)
        })
    }

    fn unlock(&self, _: Vec<String>) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(async { Ok(()) })
    }

    fn refresh(&self, _: Vec<String>, _: Duration) -> BoxFuture<'_, Result<(), LockerError>> {
        Box::pin(async { Ok(()) })
    }
}

struct Nothing;

impl Inventory for Nothing {
    fn extent(&self, _: Option<&str>) -> usize {
        0
    }

    fn resources(&self, _: ResourceQuery) -> BoxFuture<'_, Result<Vec<ResourceView>, InventoryError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn pools(&self) -> BoxFuture<'_, Result<Vec<PoolView>, InventoryError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
