//! What `ConTest` jobs ask.

use lessor_ledger::{ContestLock, Dialect, Owner, Span, Target};

use super::{Said, list};
use crate::model::naive::{Hold, Model};

impl Model {
    pub(crate) fn contest_lock(&mut self, lock: &ContestLock) -> Said {
        let (owner, targets) = check(lock)?;
        let conflicts: Vec<String> =
            targets.iter().filter_map(|target| self.contest_conflict(&owner, target)).collect();
        if !conflicts.is_empty() {
            return Err(format!("busy {}", conflicts.join(",")));
        }
        self.contest_take(&owner, &targets, lock.duration);
        Ok(format!("locked {}", list(&targets)))
    }

    pub(crate) fn contest_conflict(&self, owner: &Owner, target: &Target) -> Option<String> {
        let cordoned = self.thing(target).is_some_and(|thing| thing.cordon.is_some());
        match self.hold(target) {
            Some(Hold { over: false, owner: holder, .. }) if holder == owner => None,
            Some(Hold { over: false, owner: holder, .. }) => Some(format!("{target} of {holder}")),
            _ => cordoned.then(|| target.to_string()),
        }
    }

    pub(crate) fn contest_own(&self, owner: &Owner, targets: &[Target]) -> Result<(), String> {
        let foreign =
            targets.iter().filter(|target| self.hold(target).is_none_or(|hold| hold.owner != *owner));
        let foreign: Vec<String> = foreign.map(|target| self.whose(target)).collect();
        if foreign.is_empty() { Ok(()) } else { Err(format!("not held {}", foreign.join(","))) }
    }

    pub(crate) fn contest_take(&mut self, owner: &Owner, targets: &[Target], duration: Span) {
        let deadline = self.time().plus(duration);
        let own = |target: &Target| self.hold(target).is_some_and(|hold| hold.owner == *owner);
        let (own, new): (Vec<Target>, Vec<Target>) = targets.iter().cloned().partition(own);
        for target in &own {
            let now = self.time();
            let lease = self.hold(target).map(|hold| hold.lease);
            self.rebase(target, deadline);
            for deal in self.deals.iter_mut().filter(|deal| Some(deal.id) == lease) {
                deal.renewed = now;
                deal.pickup = None;
            }
        }
        if !new.is_empty() {
            self.grant(owner, Dialect::Contest, &new, None, Some(duration), None);
        }
    }
}

/// Rules 1–3 of the locker; repetitions collapse.
pub(crate) fn check(lock: &ContestLock) -> Result<(Owner, Vec<Target>), String> {
    if lock.job.0 == 0 {
        return Err("job 0".into());
    }
    let mut targets = Vec::new();
    for target in &lock.targets {
        let target = target.as_ref().ok_or("empty target")?;
        if !targets.contains(target) {
            targets.push(target.clone());
        }
    }
    Ok((Owner::of_job(lock.job), targets))
}
