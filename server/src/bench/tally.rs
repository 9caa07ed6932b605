//! What was counted: how much, how long it took, what went wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::limits::{ERROR_KINDS_MAX, LATENCY_MICROS_MAX};

/// Counts of one client, or of all of them together.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    done: u64,
    /// Answers of any kind, also outside of the time that counts.
    answered: u64,
    /// Processor time that the server spent on all of them, if it is one of ours.
    processor: Duration,
    latencies: Histogram<u64>,
    errors: BTreeMap<String, u64>,
}

impl Tally {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let latencies =
            Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3).expect("the bounds are in order");
        Self { done: 0, answered: 0, processor: Duration::ZERO, latencies, errors: BTreeMap::new() }
    }

    /// One more answer, whatever it says.
    pub(crate) fn answered(&mut self) {
        self.answered += 1;
    }

    /// More processor time that the server spent on the answers.
    pub(crate) fn spent(&mut self, processor: Duration) {
        self.processor += processor;
    }

    /// One more operation that succeeded.
    pub(crate) fn done(&mut self, latency: Duration) {
        self.done += 1;
        self.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// One more that failed.
    pub(crate) fn failed(&mut self, kind: &str) {
        let kind = if self.errors.len() < ERROR_KINDS_MAX || self.errors.contains_key(kind) {
            kind
        } else {
            "other"
        };
        *self.errors.entry(kind.to_owned()).or_default() += 1;
    }

    /// How many succeeded.
    pub(crate) fn count(&self) -> u64 {
        self.done
    }

    /// Takes another one's counts in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.answered += other.answered;
        self.processor += other.processor;
        self.latencies += &other.latencies;
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
    }

    /// Operations per second, if all of this took `time`.
    pub(crate) fn rate(&self, time: Duration) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^53 here")]
        let done = self.done as f64;
        done / time.as_secs_f64()
    }

    /// All of it as JSON; latencies in microseconds.
    pub(crate) fn report(&self, time: Duration) -> Value {
        let at = |quantile: f64| self.latencies.value_at_quantile(quantile);
        let mut report = json!({
            "count": self.done,
            "per_second": self.rate(time).round(),
            "latency_us": { "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": self.latencies.max() },
            "errors": self.errors,
        });
        if !self.processor.is_zero() && self.answered > 0 {
            let micros = self.processor.as_micros() / u128::from(self.answered);
            report["server_cpu_us_per_answer"] = json!(u64::try_from(micros).unwrap_or(u64::MAX));
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_counts_quantiles_and_errors() {
        let (mut one, mut two) = (Tally::new(), Tally::new());
        for ms in 1..=100 {
            one.done(Duration::from_millis(ms));
        }
        two.done(Duration::from_hours(1));
        two.failed("503");
        one.failed("503");
        for _ in 0..200 {
            one.answered();
        }
        two.spent(Duration::from_millis(5));
        one.add(&two);
        let report = one.report(Duration::from_secs(2));
        assert_eq!(report["count"], 101);
        assert_eq!(report["per_second"], 51.0);
        assert_eq!(report["server_cpu_us_per_answer"], 25);
        assert_eq!(report["errors"], json!({ "503": 2 }));
        assert!(
            report["latency_us"]["p50"].as_u64().is_some_and(|p50| (50_000..52_000).contains(&p50)),
            "{report}"
        );
        assert!(
            report["latency_us"]["max"].as_u64().is_some_and(|max| max >= LATENCY_MICROS_MAX),
            "{report}"
        );
    }

    #[test]
    fn kinds_of_errors_are_bounded() {
        let mut tally = Tally::new();
        for kind in 0..1000 {
            tally.failed(&kind.to_string());
        }
        assert_eq!(tally.errors.len(), ERROR_KINDS_MAX + 1);
        assert_eq!(tally.errors.values().sum::<u64>(), 1000);
    }
}
