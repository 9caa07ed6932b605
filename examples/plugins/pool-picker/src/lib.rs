//! A target manager on top of the server's own pools: so many free resources of a pool, with these labels.
//!
//! `{"pool": "gpu", "labels": {"site": "ber"}, "count": 2}`, and `"state": "dirty"` for resources in another state than `free`.
//! It locks by name, which goes before those who wait in line for the pool: one for whom that is not fair leases of the pool
//! itself, over the API. It shows `inventory` and needs the grants `inventory` and
//! `locker`. The settings may say which pool is meant when a job names none: `{"default_pool": "gpu"}`.

use std::collections::{BTreeMap, BTreeSet};

use lessor_plugin::inventory::{self, Query, Resource};
use lessor_plugin::{Failure, Job, NoParameters, Problems, Target, TargetManager, info, locker, settings};
use serde::Deserialize;

/// Hands out resources of a pool.
pub struct PoolPicker;

/// What a job asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// The pool; the one of the settings if it is left out.
    pool: Option<String>,
    /// The state that they must be in.
    #[serde(default = "free")]
    state: String,
    /// What the resources must be labelled with.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// How many are wanted.
    #[serde(default = "one")]
    count: u32,
}

/// What the operator sets.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    default_pool: Option<String>,
}

fn one() -> u32 {
    1
}

/// How many free ones to ask for, most of them in case that others are quicker: 100 at least, and 10,000 at most, which
/// is all that the server tells of at once.
fn enough(count: u32) -> u32 {
    count.saturating_mul(10).clamp(100, 10_000)
}

fn free() -> String {
    "free".to_owned()
}

impl TargetManager for PoolPicker {
    type Acquire = Wish;
    type Release = NoParameters;

    fn check_acquire(wish: &Wish, problems: &mut Problems) {
        if wish.count == 0 {
            problems.add("/count", "at least one resource must be wanted");
        }
        if wish.pool.is_none() {
            match settings::read::<Settings>() {
                Ok(Settings { default_pool: None }) => problems.add("/pool", "the pool must be given"),
                Ok(_) => {}
                Err(failure) => problems.add("/pool", failure.message),
            }
        }
    }

    fn acquire(job: &Job, wish: Wish) -> Result<Vec<Target>, Failure> {
        let pool = match wish.pool {
            Some(pool) => Some(pool),
            None => settings::read::<Settings>()?.default_pool,
        };
        let labels = wish.labels.into_iter().collect();
        let query =
            Query { pool, state: Some(wish.state), labels, free_only: true, limit: enough(wish.count) };
        let there = inventory::resources(&query)?;
        let names: Vec<String> = there.iter().map(|resource| resource.name.clone()).collect();
        // What was free a moment ago may be taken by now, so the lock decides.
        let got = locker::try_lock(&names, job.lock_duration, wish.count)?;
        if u64::try_from(got.len()).unwrap_or(u64::MAX) < u64::from(wish.count) {
            if !got.is_empty() {
                locker::unlock(&got)?;
            }
            let why = format!("{} resources are wanted, {} could be had", wish.count, got.len());
            return Err(Failure::retryable("too-few", why));
        }
        info!("job {} has {}", job.number, got.join(", "));
        let got: BTreeSet<String> = got.into_iter().collect();
        there.into_iter().filter(|resource| got.contains(&resource.name)).map(target).collect()
    }
}

fn target(resource: Resource) -> Result<Target, Failure> {
    let Resource { name, fqdn, ipv4, ipv6, labels, .. } = resource;
    let address = |text: Option<String>| {
        let read = text.map(|text| text.parse()).transpose();
        read.map_err(|_| Failure::permanent("bad-address", format!("an address of {name} is none")))
    };
    let (ipv4, ipv6) = (address(ipv4)?, address(ipv6)?);
    Ok(Target { id: name, fqdn: fqdn.unwrap_or_default(), ipv4, ipv6, labels, manager_state: None })
}

lessor_plugin::export_target_manager!(PoolPicker);

#[cfg(test)]
mod tests {
    use lessor_plugin::harness::Lessor;

    use super::*;

    fn lessor() -> Lessor {
        let resource = |name: &str, site: &str| Resource {
            name: name.to_owned(),
            pool: "gpu".to_owned(),
            state: "free".to_owned(),
            labels: vec![("site".to_owned(), site.to_owned())],
            ipv4: Some("192.0.2.1".to_owned()),
            ..Resource::default()
        };
        let lessor = Lessor::new().resource(resource("g1", "ber")).resource(resource("g2", "muc"));
        lessor.resource(resource("g3", "ber")).resource(resource("g4", "ber"))
    }

    fn acquire(lessor: &Lessor, parameters: &str) -> Result<Vec<String>, Failure> {
        let targets = lessor.acquire::<PoolPicker>(&Job::numbered(7), parameters)?;
        Ok(targets.into_iter().map(|target| target.id).collect())
    }

    #[test]
    fn free_resources_with_the_labels_are_locked() {
        let lessor = lessor().held("g1", 3);
        let got = acquire(&lessor, r#"{"pool": "gpu", "labels": {"site": "ber"}, "count": 2}"#);
        assert_eq!(got, Ok(vec!["g3".to_owned(), "g4".to_owned()]));
        assert_eq!((lessor.holder("g3"), lessor.holder("g2")), (Some(7), None));
    }

    #[test]
    fn only_what_is_in_the_wanted_state_is_taken() {
        let dirty = Resource {
            name: "g0".to_owned(),
            pool: "gpu".to_owned(),
            state: "dirty".to_owned(),
            ..Resource::default()
        };
        let lessor = lessor().resource(dirty);
        assert_eq!(acquire(&lessor, r#"{"pool": "gpu"}"#), Ok(vec!["g1".to_owned()]));
        assert_eq!(acquire(&lessor, r#"{"pool": "gpu", "state": "dirty"}"#), Ok(vec!["g0".to_owned()]));
    }

    #[test]
    fn too_few_fail_and_nothing_stays_locked() {
        let lessor = lessor().held("g1", 3);
        let failure =
            acquire(&lessor, r#"{"pool": "gpu", "labels": {"site": "ber"}, "count": 3}"#).unwrap_err();
        assert!(failure.retryable);
        assert_eq!(lessor.held_by(7), []);
    }

    #[test]
    fn the_pool_may_come_from_the_settings() {
        let lessor = lessor().settings(r#"{"default_pool": "gpu"}"#);
        assert_eq!(acquire(&lessor, "{}"), Ok(vec!["g1".to_owned()]));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let problems = lessor().validate_acquire::<PoolPicker>(r#"{"count": 0}"#).unwrap_err();
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["/count", "/pool"]);
        assert!(lessor().validate_acquire::<PoolPicker>(r#"{"pol": "gpu"}"#).is_err());
    }
}
