//! How long a call into a plugin takes, beside the same in the server itself, and how long a plugin takes to load.
//!
//! Needs the components of `cargo xtask plugins`.

mod scene;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use lessor_plugins::TargetManager;
use scene::{component, folder, host, runtime, spec};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// What `target-list` checks of its parameters, in the server itself.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wish {
    targets: Vec<Wanted>,
}

#[derive(serde::Deserialize)]
struct Wanted {
    #[serde(rename = "ID")]
    id: String,
}

fn native(parameters: &Value) -> bool {
    let wish: Wish = serde_json::from_str(&parameters.to_string()).expect("it is one");
    !wish.targets.is_empty() && wish.targets.iter().all(|target| !target.id.trim().is_empty())
}

/// Checks parameters, which is a call that asks nothing of the server.
fn check(runtime: &Runtime, manager: &TargetManager, parameters: &Value) {
    let done = runtime.block_on(manager.validate_acquire(&black_box(parameters).to_string()));
    done.expect("the parameters are good");
}

fn calls(criterion: &mut Criterion) {
    let runtime = runtime();
    let (_folder, cache) = folder();
    let host = host(&cache);
    let wish = json!({"Targets": [{"ID": "rack7-a"}, {"ID": "rack7-b"}]});
    criterion.bench_function("call/native", |bench| bench.iter(|| native(black_box(&wish))));
    for (language, name) in [("rust", "target-list"), ("python", "target-list-python")] {
        for (instance, warm) in [("warm", true), ("fresh", false)] {
            let prepared = runtime.block_on(host.prepare(spec("plugin", warm), component(name)));
            let _ = host.install(prepared.expect("the plugin fits"));
            let manager = host.target_manager("plugin").expect("it is there");
            criterion.bench_function(&format!("call/{language}/{instance}"), |bench| {
                bench.iter(|| check(&runtime, &manager, &wish));
            });
        }
    }
}

fn loads(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    for (language, name) in [("rust", "target-list"), ("python", "target-list-python")] {
        let (_folder, cache) = folder();
        let host = host(&cache);
        let prepare = |bytes| runtime.block_on(host.prepare(spec("plugin", false), bytes)).expect("it fits");
        let bytes = component(name);
        drop(prepare(bytes.clone()));
        let fresh = || bytes.clone();
        group.bench_function(format!("check/{language}"), |bench| {
            let check = |bytes| runtime.block_on(host.check(spec("plugin", false), bytes)).expect("it fits");
            bench.iter_batched(fresh, check, BatchSize::PerIteration);
        });
        group.bench_function(format!("from-cache/{language}"), |bench| {
            bench.iter_batched(fresh, prepare, BatchSize::PerIteration);
        });
    }
    let (_folder, cache) = folder();
    let host = host(&cache);
    let bytes = component("target-list");
    group.bench_function("compile/rust", |bench| {
        let forget = || {
            for file in std::fs::read_dir(&cache).expect("the folder is there").flatten() {
                std::fs::remove_file(file.path()).expect("it is ours");
            }
            bytes.clone()
        };
        let prepare = |bytes| runtime.block_on(host.prepare(spec("plugin", false), bytes)).expect("it fits");
        bench.iter_batched(forget, prepare, BatchSize::PerIteration);
    });
}

criterion_group!(benches, calls, loads);
criterion_main!(benches);
