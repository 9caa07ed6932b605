//! A plugin that misbehaves on demand: `{"do": "…"}`, and `"in_check": true` to do it where parameters are checked.
//!
//! The tests of the host use it to show that a plugin hurts nobody but itself.

use std::time::Duration;

use lessor_plugin::{Failure, Job, Problems, Target, TargetManager, clock, files, locker, pick, secrets};
use serde::Deserialize;

/// Does what it is told.
pub struct Museum;

/// What it is told.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Order {
    /// What to do.
    #[serde(rename = "do")]
    act: String,
    /// Whether to do it where parameters are checked.
    in_check: bool,
    /// What to do it to.
    names: Vec<String>,
    /// How often, or how much.
    count: u32,
}

impl TargetManager for Museum {
    type Acquire = Order;
    type Release = Order;

    fn check_acquire(order: &Order, problems: &mut Problems) {
        check(order, problems);
    }

    fn check_release(order: &Order, problems: &mut Problems) {
        check(order, problems);
    }

    fn acquire(job: &Job, order: Order) -> Result<Vec<Target>, Failure> {
        act(job, &order)
    }

    fn release(job: &Job, order: Order, targets: Vec<Target>) -> Result<(), Failure> {
        if order.act == "show-targets" {
            return Err(Failure::retryable("shown", format!("{targets:?}")));
        }
        act(job, &order).map(|_| ())
    }
}

fn check(order: &Order, problems: &mut Problems) {
    if order.in_check {
        let targets = act(&Job::numbered(0), order).map_err(|failure| failure.message);
        problems.add("/do", format!("{targets:?}"));
    }
    if order.act == "nag" {
        for number in 0..order.count {
            problems.add(format!("/{number}"), "is not to my liking\u{7}");
        }
    }
}

fn act(job: &Job, order: &Order) -> Result<Vec<Target>, Failure> {
    match order.act.as_str() {
        "loop" => loop {
            std::hint::black_box(());
        },
        "bomb" => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            loop {
                hoard.push(std::hint::black_box(vec![1; 1 << 20]));
            }
        }
        "hoard" => {
            let bytes = std::hint::black_box(vec![1_u8; usize::try_from(order.count).unwrap_or_default()]);
            Ok(vec![Target::named(bytes.len().to_string())])
        }
        "recurse" => Ok(vec![Target::named(recurse(1).to_string())]),
        "panic" => panic!("the curator said so"),
        "shout" => Ok(vec![Target::named("x".repeat(usize::try_from(order.count).unwrap_or_default()))]),
        "crowd" => {
            let mut targets = Vec::new();
            targets.resize_with(usize::try_from(order.count).unwrap_or_default(), || Target::named("x"));
            Ok(targets)
        }
        "chatter" => {
            for number in 0..order.count {
                lessor_plugin::info!("line {number} \u{1b}[31m of many {}", "x".repeat(100));
            }
            Ok(named(order))
        }
        "lock" => {
            locker::lock(&order.names, job.lock_duration)?;
            Ok(named(order))
        }
        "lock-and-panic" => {
            locker::lock(&order.names, job.lock_duration)?;
            panic!("with locks held")
        }
        "lock-for-ever" => loop {
            locker::lock(&order.names, Duration::from_secs(1))?;
        },
        "read" => {
            let content = files::read(&order.names[0])?;
            Ok(vec![Target::named(String::from_utf8_lossy(&content))])
        }
        "secret" => Ok(vec![Target::named(format!("{:?}", secrets::get(&order.names[0])))]),
        "time" => Ok(vec![Target::named(clock::remaining().as_millis().to_string())]),
        "count" => Ok(vec![Target::named(count().to_string())]),
        "pick" => {
            let there = ["a", "b", "c"].map(Target::named);
            pick(&order.names, &there)
                .map_err(|id| Failure::permanent("unknown", format!("there is no {id}")))
        }
        "label" => {
            let labels =
                vec![("site".to_owned(), "x".repeat(usize::try_from(order.count).unwrap_or_default()))];
            Ok(vec![Target { labels, ..Target::named("x") }])
        }
        "timeout" => Ok(vec![Target::named(job.timeout.as_millis().to_string())]),
        "bad-state" => Ok(vec![Target { manager_state: Some("{".to_owned()), ..Target::named("x") }]),
        "fail" => Err(Failure::retryable("told", "as told\n\u{1b}[31m")),
        _ => Ok(named(order)),
    }
}

fn named(order: &Order) -> Vec<Target> {
    order.names.iter().map(Target::named).collect()
}

fn recurse(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 16]);
    room[0] + if std::hint::black_box(true) { recurse(depth + 1) } else { 0 }
}

/// How many calls this instance has seen: more than one only if it is warm.
fn count() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static CALLS: AtomicU32 = AtomicU32::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

lessor_plugin::export_target_manager!(Museum);
