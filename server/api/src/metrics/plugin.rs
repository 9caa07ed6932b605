//! Plugins and the jobs that they run, in `/metrics`. A plugin's name is a label: there are only so many.

use std::collections::BTreeMap;
use std::fmt;

use lessor_jobs::Plugins;
use lessor_keeper::Keeper;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::{counters, gauge};
use crate::v1;

/// Every state that a plugin can be in, also if none is.
const STATES: [&str; 5] = ["broken", "disabled", "enabled", "preparing", "quarantined"];

/// Every phase of a job that is not over, also if none is in it.
const PHASES: [&str; 4] = ["acquiring", "leased", "releasing", "stuck"];

/// What the host and the last committed state say about them.
pub(super) struct Machinery {
    pub(super) keeper: Keeper,
    pub(super) plugins: Plugins,
}

impl Collector for Machinery {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let ledger = self.keeper.snapshot();
        let plugins = self.plugins.statuses(&ledger);
        let states = plugins
            .iter()
            .map(|(_, status, broken)| v1::view::plugin_state(status.as_ref(), broken.clone()).0);
        gauges(&mut encoder, "lessor_plugins", "Plugins", "state", counted(&STATES, states))?;
        let phases = ledger.live_jobs().map(|job| job.phase.name());
        gauges(&mut encoder, "lessor_jobs", "Jobs that are not over", "phase", counted(&PHASES, phases))?;
        let called =
            || plugins.iter().filter_map(|(name, status, _)| Some((name.as_str(), status.as_ref()?)));
        let calls = called().map(|(name, status)| (name, status.calls));
        let help = "Calls of plugins that are over";
        counters(&mut encoder, "lessor_plugin_calls", help, "plugin", calls)?;
        let errors = called().map(|(name, status)| (name, status.errors));
        let help = "Calls of plugins that ended otherwise than by a plain return";
        counters(&mut encoder, "lessor_plugin_errors", help, "plugin", errors)
    }
}

impl fmt::Debug for Machinery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machinery").finish_non_exhaustive()
    }
}

fn counted<'a>(known: &[&'a str], all: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, u64> {
    let mut counts: BTreeMap<&str, u64> = known.iter().map(|name| (*name, 0)).collect();
    for name in all {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

fn gauges(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    label: &'static str,
    counts: BTreeMap<&str, u64>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (value, count) in counts {
        metric.encode_family(&[(label, value)])?.encode_gauge(&gauge(count))?;
    }
    Ok(())
}
