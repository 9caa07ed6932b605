//! `/metrics`: what is counted while serving, and what the last committed state says when asked.
//!
//! Pools are a label, users and resources never are: there may be any number of those.

mod plugin;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lessor_jobs::Plugins;
use lessor_keeper::stats::{CAUSES, Kind, Reading};
use lessor_keeper::{Health, Keeper};
use lessor_ledger::{Cause, Ledger, PoolName, State, Time};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use self::plugin::Machinery;
use crate::app::App;
use crate::limits::ACQUIRE_SERIES_MAX;
use crate::problem::Problem;
use crate::v1;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// States that Boskos reports for every type, even when no resource is in them (`common/common.go`).
const KNOWN_STATES: [&str; 7] = ["busy", "cleaning", "dirty", "free", "leased", "toBeDeleted", "tombstone"];

/// Bounds of Boskos' acquire histogram, in seconds, as it has them.
const ACQUIRE_BOUNDS_S: [f64; 7] = [1.0, 10.0, 100.0, 500.0, 1000.0, 1500.0, 2000.0];

/// Everything that is counted while serving.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    answers: Arc<Answers>,
    acquires: Family<AcquireLabels, Histogram, fn() -> Histogram>,
    acquire_series: AtomicUsize,
}

/// Answers by class of status: index 0 is 1xx.
#[derive(Debug, Default)]
struct Answers([AtomicU64; 5]);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AcquireLabels {
    pool: PoolName,
    state: State,
    dest: State,
    has_request_id: bool,
}

impl EncodeLabelSet for AcquireLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
        [
            ("type", self.pool.as_str()),
            ("state", self.state.as_str()),
            ("dest", self.dest.as_str()),
            ("has_request_id", if self.has_request_id { "true" } else { "false" }),
        ]
        .encode(encoder)
    }
}

impl Metrics {
    pub(crate) fn new(keeper: Keeper, plugins: Plugins) -> Self {
        let answers = Arc::new(Answers::default());
        let acquires =
            Family::new_with_constructor((|| Histogram::new(ACQUIRE_BOUNDS_S)) as fn() -> Histogram);
        let mut registry = Registry::default();
        registry.register(
            "boskos_acquire_duration_seconds",
            "Seconds from the first try to the success of a Boskos acquire",
            acquires.clone(),
        );
        registry.register_collector(Box::new(Pools(keeper.clone())));
        registry.register_collector(Box::new(Machinery { keeper: keeper.clone(), plugins }));
        registry.register_collector(Box::new(Work { keeper, answers: Arc::clone(&answers) }));
        Self { registry, answers, acquires, acquire_series: AtomicUsize::new(0) }
    }

    /// Counts a successful Boskos acquire that took `took` from its first try.
    ///
    /// `dest` is the client's choice, so once there are [`ACQUIRE_SERIES_MAX`] label sets a new one counts with
    /// `dest="other"` and `state="other"`.
    pub(crate) fn boskos_acquire(
        &self,
        pool: &PoolName,
        state: &State,
        dest: &State,
        has_request_id: bool,
        took: Duration,
    ) {
        let labels =
            AcquireLabels { pool: pool.clone(), state: state.clone(), dest: dest.clone(), has_request_id };
        if let Some(histogram) = self.acquires.get(&labels) {
            histogram.observe(took.as_secs_f64());
            return;
        }
        let labels = if self.acquire_series.fetch_add(1, Relaxed) < ACQUIRE_SERIES_MAX {
            labels
        } else {
            let other = State::new("other").expect("five bytes are a name");
            AcquireLabels { state: other.clone(), dest: other, ..labels }
        };
        self.acquires.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts an answer.
    pub(crate) fn count_answer(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100);
        if let Some(count) = class.checked_sub(1).and_then(|class| self.answers.0.get(class)) {
            count.fetch_add(1, Relaxed);
        }
    }
}

/// `GET /metrics`. In a thread where that may block: the age of leases is found by walking them.
pub(crate) async fn show(Extract(app): Extract<App>) -> Result<Response, Problem> {
    let encoding = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &app.metrics.registry).map(|()| text)
    });
    match encoding.await {
        Ok(Ok(text)) => Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()),
        Ok(Err(error)) => Err(Problem::internal(&error)),
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// What the last committed state says about pools and leases.
#[derive(Debug)]
struct Pools(Keeper);

impl Collector for Pools {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let ledger = self.0.snapshot();
        let now = self.0.now();
        resources(&ledger, &mut encoder)?;
        waiting(&ledger, now, &mut encoder)?;
        lease_ages(&ledger, now, &mut encoder)
    }
}

fn resources(ledger: &Ledger, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let help = "Number of resources recorded in Boskos by resource type and state";
    let mut metric = encoder.encode_descriptor("boskos_resources", help, None, MetricType::Gauge)?;
    for pool in ledger.pools() {
        let usage = ledger.usage(&pool.name);
        if usage.total == 0 {
            continue;
        }
        let count = |state: &str| usage.by_state.get(state).copied().unwrap_or(0);
        let other = usage.total - KNOWN_STATES.iter().map(|state| count(state)).sum::<u64>();
        let known = KNOWN_STATES.iter().map(|&state| (state, count(state)));
        for (state, count) in known.chain((other > 0).then_some(("other", other))) {
            let labels = [("type", pool.name.as_str()), ("state", state)];
            metric.encode_family(&labels)?.encode_gauge(&gauge(count))?;
        }
    }
    Ok(())
}

fn waiting(ledger: &Ledger, now: Time, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let lines: Vec<_> = ledger.pools().map(|pool| (&pool.name, ledger.waiting(&pool.name))).collect();
    let help = "Requests waiting for resources of the pool";
    let mut metric = encoder.encode_descriptor("lessor_queue_depth", help, None, MetricType::Gauge)?;
    for (pool, (count, _)) in &lines {
        metric.encode_family(&[("pool", pool.as_str())])?.encode_gauge(&gauge(*count))?;
    }
    let help = "Seconds that the longest waiting request of the pool has waited; 0 if nobody waits";
    let mut metric =
        encoder.encode_descriptor("lessor_oldest_wait_seconds", help, None, MetricType::Gauge)?;
    for (pool, (_, since)) in &lines {
        let seconds = since.map_or(0.0, |since| seconds(now, since));
        metric.encode_family(&[("pool", pool.as_str())])?.encode_gauge(&seconds)?;
    }
    Ok(())
}

/// Ages at three ranks: leases come in the order of their IDs, so the oldest come first.
fn lease_ages(ledger: &Ledger, now: Time, encoder: &mut DescriptorEncoder) -> fmt::Result {
    let lapsed = ledger.lapsed_leases();
    let total = ledger.lease_count() - lapsed.len();
    let help = "Leases that keep others off, and lapsed ones of ConTest jobs that wait for their owner";
    let mut metric = encoder.encode_descriptor("lessor_leases", help, None, MetricType::Gauge)?;
    for (state, count) in [("held", total), ("lapsed", lapsed.len())] {
        metric.encode_family(&[("state", state)])?.encode_gauge(&gauge(count as u64))?;
    }
    let help = "Age of leases that keep others off: the oldest (quantile 1), and those that 90 % and 50 % are not older \
                than";
    let mut metric = encoder.encode_descriptor("lessor_lease_age_seconds", help, None, MetricType::Gauge)?;
    let mut leases = ledger.leases_after(None).filter(|lease| !lapsed.contains(&lease.id));
    let mut passed = 0;
    for (quantile, rank) in [("1", 0), ("0.9", total / 10), ("0.5", total / 2)] {
        if total == 0 || (rank < passed) {
            continue;
        }
        let Some(lease) = leases.nth(rank - passed) else { break };
        passed = rank + 1;
        let age = seconds(now, lease.granted_at);
        metric.encode_family(&[("quantile", quantile)])?.encode_gauge(&age)?;
    }
    Ok(())
}

/// What the keeper and the guard have counted.
#[derive(Debug)]
struct Work {
    keeper: Keeper,
    answers: Arc<Answers>,
}

impl Collector for Work {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let stats = self.keeper.stats();
        let encoder = &mut encoder;
        let writable = u64::from(self.keeper.health() == Health::Writable);
        let help = "1 while commands are taken, 0 while the store cannot be written";
        encoder
            .encode_descriptor("lessor_writable", help, None, MetricType::Gauge)?
            .encode_gauge(&gauge(writable))?;
        histogram(
            encoder,
            "lessor_commit_batch_size",
            "Commands in one commit",
            &stats.batch_size.read(),
            1.0,
        )?;
        let took = stats.commit_micros.read();
        histogram(encoder, "lessor_commit_seconds", "Seconds that one commit took", &took, 1e6)?;
        let single = [
            ("lessor_commit_failures", "Commits that failed", &stats.commit_failures),
            ("lessor_store_reopened", "Times the store was opened again after a failure", &stats.reopened),
            ("lessor_commands_turned_away", "Commands turned away because too many waited", &stats.busy),
        ];
        for (name, help, count) in single {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            metric.encode_counter::<[(&str, &str); 0], _, u64>(&count.load(Relaxed), None)?;
        }
        let lost = CAUSES.into_iter().filter(|&cause| cause != Cause::Released);
        let lost = lost.map(|cause| (v1::view::cause(cause), stats.lost(cause)));
        let lost = lost.chain([("lapsed", stats.lapsed())]);
        let help =
            "Targets that leases lost without being released, by cause; lapsed ones stay with their owner";
        counters(encoder, "lessor_expirations", help, "cause", lost)?;
        let applied = Kind::ALL.into_iter().map(|kind| (kind.label(), stats.applied(kind)));
        counters(encoder, "lessor_commands", "Commands decided", "kind", applied)?;
        let refused = Kind::ALL.into_iter().map(|kind| (kind.label(), stats.refused(kind)));
        counters(encoder, "lessor_commands_refused", "Commands refused", "kind", refused)?;
        let answers = ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(&self.answers.0);
        let answers = answers.map(|(class, count)| (class, count.load(Relaxed)));
        counters(encoder, "lessor_http_answers", "HTTP answers by class of status", "class", answers)
    }
}

fn counters<'a>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    label: &'static str,
    counts: impl Iterator<Item = (&'a str, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, count) in counts {
        let labels = [(label, value)];
        metric.encode_family(&labels)?.encode_counter::<[(&str, &str); 0], _, u64>(&count, None)?;
    }
    Ok(())
}

fn histogram(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    reading: &Reading,
    per_unit: f64,
) -> fmt::Result {
    #[expect(clippy::cast_precision_loss, reason = "a metric need not be exact beyond 2^53")]
    let scaled = |value: u64| value as f64 / per_unit;
    let buckets = reading.buckets.iter().map(|&(bound, count)| (bound.map_or(f64::INFINITY, scaled), count));
    let buckets: Vec<_> = buckets.collect();
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    metric.encode_histogram::<[(&str, &str); 0]>(scaled(reading.sum), reading.count, &buckets, None)
}

fn seconds(now: Time, since: Time) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a metric need not be exact to the nanosecond")]
    let nanos = now.since(since).nanos().max(0) as f64;
    nanos / 1e9
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
