//! Invariants: what must hold after every step, for tests and for `lessor check`.

use std::collections::BTreeSet;
use std::fmt;

use crate::index::Index;
use crate::index::held;
use crate::job::{JobTarget, Phase};
use crate::lease::LeaseId;
use crate::name::Target;
use crate::request::Part;
use crate::state::Ledger;

/// A broken invariant, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ledger {
    /// Everything that does not hold; empty for a healthy ledger. Walks all records.
    #[must_use]
    pub fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        self.check_locks(&mut found);
        self.check_leases(&mut found);
        self.check_requests(&mut found);
        self.check_jobs(&mut found);
        self.check_resources(&mut found);
        self.check_index(&mut found);
        found
    }

    fn check_locks(&self, found: &mut Vec<Violation>) {
        let listed: BTreeSet<(LeaseId, &Target)> = self
            .leases
            .values()
            .flat_map(|lease| lease.targets.iter().map(|target| (lease.id, target)))
            .collect();
        for lock in self.locks.values() {
            match self.leases.get(&lock.lease) {
                None => found
                    .push(Violation(format!("lock of {:?} has no active lease {}", lock.target, lock.lease))),
                Some(lease) if lease.owner != lock.owner => {
                    found.push(Violation(format!(
                        "lock of {:?} and lease {} differ in owner",
                        lock.target, lease.id
                    )));
                }
                Some(lease) if !listed.contains(&(lease.id, &lock.target)) => {
                    found.push(Violation(format!(
                        "lease {} does not know its lock of {:?}",
                        lease.id, lock.target
                    )));
                }
                Some(_) => {}
            }
            if !lock.lapsed && lock.deadline.is_some_and(|deadline| deadline < self.now) {
                found.push(Violation(format!(
                    "lock of {:?} is past its deadline and not settled",
                    lock.target
                )));
            }
        }
    }

    fn check_leases(&self, found: &mut Vec<Violation>) {
        for lease in self.leases.values() {
            if lease.targets.is_empty() {
                found.push(Violation(format!("lease {} holds nothing", lease.id)));
            }
            if lease.id.0 > self.counters.lease {
                found.push(Violation(format!(
                    "lease {} is above the counter {}",
                    lease.id, self.counters.lease
                )));
            }
            if lease.pickup.as_ref().is_some_and(|pickup| pickup.by < self.now) {
                found.push(Violation(format!("lease {} is not collected and not taken back", lease.id)));
            }
            for target in &lease.targets {
                if self.locks.get(target).is_none_or(|lock| lock.lease != lease.id) {
                    found.push(Violation(format!("lease {} holds no lock on {target:?}", lease.id)));
                }
            }
        }
    }

    fn check_requests(&self, found: &mut Vec<Violation>) {
        for request in self.requests.values() {
            if request.id.0 > self.counters.request {
                found.push(Violation(format!("request {} is above the counter", request.id)));
            }
            if request.waits() && !request.dormant && request.live_until < self.now {
                found.push(Violation(format!("request {} is silent and not settled", request.id)));
            }
            if request.parts.iter().any(|part| matches!(part, Part::Pool { count: 0, .. })) {
                found.push(Violation(format!("request {} wants nothing", request.id)));
            }
        }
    }

    fn check_jobs(&self, found: &mut Vec<Violation>) {
        for job in self.jobs.values() {
            if job.id.counted() > self.counters.lease {
                found.push(Violation(format!("job {} is above the counter", job.id.0)));
            }
            let holder = job.holder();
            let held = |target: &JobTarget| {
                self.locks.get(&target.id).is_some_and(|lock| lock.owner == holder && !lock.lapsed)
            };
            let holds = match job.phase {
                Phase::Leased { .. } | Phase::Releasing { .. } | Phase::Stuck { .. } => true,
                Phase::Acquiring { .. } | Phase::Over { .. } => false,
            };
            if holds && (job.targets.is_empty() || !job.targets.iter().all(held)) {
                found.push(Violation(format!("job {} does not hold all of its targets", job.id.0)));
            }
        }
    }

    fn check_resources(&self, found: &mut Vec<Violation>) {
        for resource in self.resources.values() {
            if !self.pools.contains_key(&resource.pool) {
                found.push(Violation(format!("resource {:?} is in no known pool", resource.name)));
            }
            if resource.revision > self.counters.revision {
                found.push(Violation(format!("the revision of {:?} is above the counter", resource.name)));
            }
            let place = (resource.pool.clone(), resource.state.clone());
            let shelved = self
                .index
                .shelves
                .get(&place)
                .is_some_and(|shelf| shelf.all.contains(&(resource.updated_at, resource.name.clone())));
            let lock = self.locks.get(&resource.name).map(AsRef::as_ref);
            if shelved != (!held(lock) && resource.cordon().is_none()) {
                found.push(Violation(format!("resource {:?} is wrongly shelved", resource.name)));
            }
            if resource.cordon().and_then(|cordon| cordon.until).is_some_and(|until| until < self.now) {
                found.push(Violation(format!(
                    "the cordon of {:?} is past its end and not lifted",
                    resource.name
                )));
            }
        }
    }

    /// Compares the indexes with ones made anew from the records.
    fn check_index(&self, found: &mut Vec<Violation>) {
        let mut fresh = Self::new(self.settings);
        for pool in self.pools.values() {
            fresh.absorb(&crate::Change::Pool(pool.clone()));
        }
        for lock in self.locks.values() {
            fresh.absorb(&crate::Change::Lock(lock.clone()));
        }
        for resource in self.resources.values() {
            fresh.absorb(&crate::Change::Resource(resource.clone()));
        }
        for lease in self.leases.values() {
            fresh.absorb(&crate::Change::Lease(lease.clone()));
        }
        for request in self.requests.values() {
            fresh.absorb(&crate::Change::Request(request.clone()));
        }
        for job in self.jobs.values() {
            fresh.absorb(&crate::Change::Job(job.clone()));
        }
        for key in self.keys.values() {
            fresh.absorb(&crate::Change::Key(key.clone()));
        }
        for (name, same) in differences(&self.index, &fresh.index) {
            if !same {
                found.push(Violation(format!("index {name} differs from the records")));
            }
        }
    }
}

fn differences(kept: &Index, fresh: &Index) -> [(&'static str, bool); 24] {
    [
        ("shelves", kept.shelves == fresh.shelves),
        ("held", kept.held == fresh.held),
        ("doomed", kept.doomed == fresh.doomed),
        ("members", kept.members == fresh.members),
        ("deadlines", kept.deadlines == fresh.deadlines),
        ("lapsed", kept.lapsed == fresh.lapsed),
        ("lifespans", kept.lifespans == fresh.lifespans),
        ("cordons", kept.cordons == fresh.cordons),
        ("leases_by_owner", kept.leases_by_owner == fresh.leases_by_owner),
        ("leases_by_key", kept.leases_by_key == fresh.leases_by_key),
        ("uncollected", kept.uncollected == fresh.uncollected),
        ("lines", kept.lines == fresh.lines),
        ("silence", kept.silence == fresh.silence),
        ("outcomes", kept.outcomes == fresh.outcomes),
        ("waiting_size", kept.waiting_size == fresh.waiting_size),
        ("waiting_matching", kept.waiting_matching == fresh.waiting_matching),
        ("outcomes_size", kept.outcomes_size == fresh.outcomes_size),
        ("pollers", kept.pollers == fresh.pollers),
        ("named", kept.named == fresh.named),
        ("keys_by_age", kept.keys_by_age == fresh.keys_by_age),
        ("jobs_due", kept.jobs_due == fresh.jobs_due),
        ("jobs_over", kept.jobs_over == fresh.jobs_over),
        ("jobs_bytes", kept.jobs_bytes == fresh.jobs_bytes),
        ("jobs_over_bytes", kept.jobs_over_bytes == fresh.jobs_over_bytes),
    ]
}
