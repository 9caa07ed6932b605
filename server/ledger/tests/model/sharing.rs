//! What the wants of one request get together, found by trying everything.

use std::collections::BTreeSet;

use lessor_ledger::{Part, PoolName, Target};

use super::naive::{Fit, Model, Want};

impl Model {
    /// What each of `wants` gets besides what is `shared` already: the oldest that it can use, or else the oldest that
    /// is left with which everything so far could be met, in whatever way.
    pub(crate) fn share(&self, wants: &[Want], shared: &BTreeSet<Target>) -> Vec<Vec<Target>> {
        let usable: Vec<Vec<Target>> = wants.iter().map(|want| self.choices(want, shared)).collect();
        let mut units: Vec<usize> = Vec::new();
        let mut taken: Vec<Target> = Vec::new();
        for (number, want) in wants.iter().enumerate() {
            for _ in 0..want.2 {
                let mut with_me = units.clone();
                with_me.push(number);
                let left = |target: &&Target| !taken.contains(target);
                let oldest = usable[number].iter().find(left).or_else(|| {
                    let mut others: Vec<&Target> = usable.iter().flatten().filter(left).collect();
                    others.sort_by_key(|name| (self.thing(name).map(|thing| thing.updated), (*name).clone()));
                    others.into_iter().find(|target| {
                        let all: Vec<Target> = taken.iter().chain([*target]).cloned().collect();
                        assign(&usable, &with_me, &all).is_some()
                    })
                });
                if let Some(oldest) = oldest.cloned() {
                    taken.push(oldest);
                    units = with_me;
                }
            }
        }
        let assigned = assign(&usable, &units, &taken).expect("each step could be assigned");
        let mut got = vec![Vec::new(); wants.len()];
        for (number, target) in units.into_iter().zip(assigned) {
            got[number].push(target);
        }
        got
    }

    /// `targets`, or the same in the order in which the ledger leased them, if that meets `parts` as well: who gets
    /// which of what several can use is not a matter of rules.
    pub(crate) fn as_told(&self, parts: &[Part], targets: Vec<Target>) -> Vec<Target> {
        let set: BTreeSet<&Target> = targets.iter().collect();
        let same = |granted: &&Vec<Target>| granted.iter().collect::<BTreeSet<_>>() == set;
        let Some(granted) = self.leases.iter().map(|(_, granted)| granted).find(same) else { return targets };
        let mut rest = granted.iter();
        let met = parts.iter().all(|part| match part {
            Part::Named { targets, .. } => targets.iter().all(|target| rest.next() == Some(target)),
            Part::Pool { count, .. } => {
                let want = self.wants(std::slice::from_ref(part)).remove(0);
                let usable = self.choices(&want, &BTreeSet::new());
                (0..*count).all(|_| rest.next().is_some_and(|target| usable.contains(target)))
            }
        });
        let several = self.wants(parts).iter().filter(|want| matches!(want.1, Fit::Labels(_))).count() > 1;
        if met && several { granted.clone() } else { targets }
    }

    /// Whether the parts of a request that go by labels can be met together in `pool`, if everything in it is free.
    pub(crate) fn labels_can_be_met(&self, parts: &[Part], pool: &PoolName) -> bool {
        let named = |name: &Target| {
            parts.iter().any(|part| matches!(part, Part::Named { targets, .. } if targets.contains(name)))
        };
        let (mut usable, mut units) = (Vec::new(), Vec::new());
        for part in parts {
            let Part::Pool { pool: of, labels, count, .. } = part else { continue };
            if of != pool || labels.is_empty() {
                continue;
            }
            let fits = self.members(pool).filter(|thing| {
                !named(&thing.name) && labels.iter().all(|(k, v)| thing.labels.get(k) == Some(v))
            });
            usable.push(fits.map(|thing| thing.name.clone()).collect::<Vec<Target>>());
            units.extend((0..*count).map(|_| usable.len() - 1));
        }
        let all: Vec<Target> = self.members(pool).map(|thing| thing.name.clone()).collect();
        assign(&usable, &units, &all).is_some()
    }
}

/// One of `targets` for each of `units`, which say whose `usable` it must be of: the first way there is, if any.
fn assign(usable: &[Vec<Target>], units: &[usize], targets: &[Target]) -> Option<Vec<Target>> {
    let Some((first, behind)) = units.split_first() else { return Some(Vec::new()) };
    usable[*first].iter().filter(|target| targets.contains(target)).find_map(|target| {
        let rest: Vec<Target> = targets.iter().filter(|other| *other != target).cloned().collect();
        let mut assigned = assign(usable, behind, &rest)?;
        assigned.insert(0, target.clone());
        Some(assigned)
    })
}
