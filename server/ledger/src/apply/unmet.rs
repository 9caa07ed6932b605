//! What waiting can never bring about as things are.

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::Draft;
use crate::command::Acquire;
use crate::name::{PoolName, Target, Text};
use crate::refusal::{Refusal, Unmet};
use crate::request::Part;
use crate::sharing::{Claim, share_out};

type Labels = BTreeMap<Text, Text>;

impl Draft<'_> {
    /// Refuses what waiting can never bring about as things are.
    pub(super) fn check_satisfiable(&self, ask: &Acquire) -> Result<(), Refusal> {
        if ask.wait_anyway {
            return Ok(());
        }
        let mut asked: BTreeMap<&PoolName, u64> = BTreeMap::new();
        let mut labelled: BTreeMap<&PoolName, BTreeMap<&Labels, usize>> = BTreeMap::new();
        let mut named: BTreeSet<&Target> = BTreeSet::new();
        let mut unmet = Vec::new();
        for part in &ask.parts {
            match part {
                Part::Pool { pool, labels, count, .. } => {
                    *asked.entry(pool).or_default() += u64::from(*count);
                    if !labels.is_empty() {
                        *labelled.entry(pool).or_default().entry(labels).or_default() += *count as usize;
                    }
                }
                Part::Named { targets, pool, .. } => {
                    unmet.extend(pool.iter().flat_map(|pool| self.strays(targets, pool)));
                    for pool in targets.iter().filter_map(|target| self.pool_of(target)) {
                        *asked.entry(pool).or_default() += 1;
                    }
                    named.extend(targets);
                }
            }
        }
        for (pool, wants) in labelled {
            unmet.extend(self.unmet_labels(pool, &wants, &named));
        }
        unmet.extend(asked.into_iter().filter_map(|(pool, asked)| self.unmet_count(pool, asked)));
        if unmet.is_empty() { Ok(()) } else { Err(Refusal::Unsatisfiable(unmet)) }
    }

    fn strays(&self, targets: &[Target], pool: &PoolName) -> impl Iterator<Item = Unmet> {
        let strays = targets.iter().filter(|target| self.pool_of(target) != Some(pool));
        strays.map(|target| Unmet::NotInPool { target: target.clone(), pool: pool.clone() })
    }

    fn unmet_count(&self, pool: &PoolName, asked: u64) -> Option<Unmet> {
        let Some(record) = self.ledger.pools.get(pool) else {
            return Some(Unmet::NoSuchPool(pool.clone()));
        };
        let there = self.ledger.index.members.get(pool).map_or(0, |members| members.all.len() as u64);
        let can_be = record.lifecycle.as_ref().map_or(0, |l| u64::try_from(l.max_count).unwrap_or(0));
        let most = there.max(can_be);
        (asked > most).then(|| Unmet::TooMany { pool: pool.clone(), asked, most })
    }

    /// What could not be met even if everything else in the pool were free: each of `wants` alone, or all of them
    /// together and besides what is `named`.
    fn unmet_labels(
        &self,
        pool: &PoolName,
        wants: &BTreeMap<&Labels, usize>,
        named: &BTreeSet<&Target>,
    ) -> Vec<Unmet> {
        let Some(members) = self.ledger.index.members.get(pool) else { return Vec::new() };
        let total = wants.values().sum();
        let selectors: Vec<&Labels> = wants.keys().copied().collect();
        let claims = wants.iter().map(|(&labels, &count)| {
            let usable = members.labelled.carrying(labels).filter(|target| !named.contains(target));
            Claim { count, usable: usable.take(total).collect() }
        });
        let claims: Vec<Claim<&Target>> = claims.collect();
        let shares = share_out(&claims, |target, claim| self.ledger.carries(target, selectors[claim]));
        let mut unmet = Vec::new();
        for ((labels, &count), share) in wants.iter().zip(shares).filter(|((_, n), share)| share.len() < **n)
        {
            let (pool, asked) = (pool.clone(), count as u64);
            let alone = members.labelled.count(labels);
            let labels = labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",");
            unmet.push(if alone < count {
                Unmet::NoLabelMatch { pool, asked, most: alone as u64, labels }
            } else {
                Unmet::NotTogether { pool, asked, most: share.len() as u64, labels }
            });
        }
        unmet
    }
}
