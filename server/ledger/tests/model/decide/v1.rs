//! What `/v1` clients ask.

use std::collections::{BTreeMap, BTreeSet};

use lessor_ledger::{
    Acquire, Answer, Dialect, Force, LeaseId, Owner, Part, PoolName, RequestId, Span, State, Subject, Target,
};

use super::Said;
use crate::model::due::leads_to;
use crate::model::naive::{DAY, Fate, Fit, LONGEST, Model, Note, Spot, Waiter};

impl Model {
    pub(crate) fn acquire(&mut self, ask: &Acquire) -> Said {
        let mut ask = ask.clone();
        let mut named = BTreeSet::new();
        for part in &mut ask.parts {
            if let Part::Named { targets, .. } = part {
                targets.retain(|target| named.insert(target.clone()));
            }
        }
        if let Some(said) = self.replay(&ask)? {
            return Ok(said);
        }
        if !ask.wait_anyway && self.hopeless(&ask.parts) {
            return Err("unsatisfiable".into());
        }
        if let Some(ttl) = ask.ttl {
            let pools: Vec<Option<PoolName>> = ask
                .parts
                .iter()
                .flat_map(|part| match part {
                    Part::Pool { pool, .. } | Part::Named { pool: Some(pool), .. } => {
                        vec![Some(pool.clone())]
                    }
                    Part::Named { targets, .. } => {
                        targets.iter().map(|target| self.pool_of(target)).collect()
                    }
                })
                .collect();
            self.check_ttl(ttl, pools.into_iter())?;
        }
        let wants = self.wants(&ask.parts);
        let place = (-i64::from(ask.priority), self.last_request + 1);
        if let Some(targets) = self.whole_in_order(&ask.parts, place) {
            let ttl = ask.ttl.unwrap_or_else(|| self.default_ttl(&targets));
            let key = ask.key.as_ref().map(|(text, _)| text.clone());
            let id = self.grant(&ask.owner, Dialect::V1, &targets, Some(&ask.to_state), Some(ttl), key);
            self.remember(&ask, Answer::Lease(id));
            return Ok(self.grant_text(id));
        }
        if !ask.queue {
            return Err("unavailable".into());
        }
        let offers = self.offers(&wants, place);
        self.last_request += 1;
        let key = ask.key.as_ref().map(|(text, _)| text.clone());
        let waiter = self.newcomer(&ask.owner, Dialect::V1, &ask.to_state, key);
        let id = waiter.id;
        let (parts, ttl, priority) = (ask.parts.clone(), ask.ttl, ask.priority);
        self.waiters.push(Waiter { parts, ttl, priority, ..waiter });
        self.remember(&ask, Answer::Request(id));
        for ((spot, fit, count), offer) in wants.iter().zip(&offers) {
            if let (Spot::Pool(pool, state), Fit::Any) = (spot, fit)
                && let Some(pool) = self.pool(pool).filter(|pool| pool.lifecycle.is_some()).cloned()
                && leads_to(&pool, state)
            {
                self.grow(&pool, count - offer.len());
            }
        }
        Ok(self.queue_text(id))
    }

    pub(crate) fn remember(&mut self, ask: &Acquire, answer: Answer) {
        let Some((text, print)) = ask.key.clone() else { return };
        self.notes.retain(|note| (&note.owner, &note.text) != (&ask.owner, &text));
        self.notes.push(Note { owner: ask.owner.clone(), text, print, answer, at: self.time() });
    }

    pub(crate) fn replay(&mut self, ask: &Acquire) -> Result<Option<String>, String> {
        let Some((text, print)) = &ask.key else { return Ok(None) };
        let note = self.notes.iter().find(|note| note.owner == ask.owner && note.text == *text);
        let Some(note) = note.filter(|note| note.at.plus(DAY) >= self.time()) else { return Ok(None) };
        if note.print != *print {
            return Err("key".into());
        }
        match note.answer {
            Answer::Lease(id) if self.deal(id).is_some() => {
                self.collect(id);
                Ok(Some(self.grant_text(id)))
            }
            Answer::Lease(id) => Ok(Some(format!("was {id}"))),
            Answer::Request(id) => match self.waiter(id).map(|waiter| waiter.fate.clone()) {
                Some(Fate::Waits) => self.poll(id).map(Some),
                _ => Ok(None),
            },
            Answer::Job(_) => Err("key".into()),
        }
    }

    /// Whether waiting could never end as things are.
    pub(crate) fn hopeless(&self, parts: &[Part]) -> bool {
        let mut asked: BTreeMap<PoolName, usize> = BTreeMap::new();
        for part in parts {
            match part {
                Part::Pool { pool, count, .. } => {
                    *asked.entry(pool.clone()).or_default() += *count as usize;
                    if !self.labels_can_be_met(parts, pool) {
                        return true;
                    }
                }
                Part::Named { targets, pool, .. } => {
                    for target in targets {
                        let of = self.pool_of(target);
                        if pool.is_some() && of != *pool {
                            return true;
                        }
                        if let Some(of) = of {
                            *asked.entry(of).or_default() += 1;
                        }
                    }
                }
            }
        }
        asked.iter().any(|(name, &asked)| {
            let Some(pool) = self.pool(name) else { return true };
            let most = pool.lifecycle.as_ref().map_or(0, |lifecycle| lifecycle.max_count);
            asked > self.members(name).count().max(usize::try_from(most).unwrap_or(0))
        })
    }

    pub(crate) fn poll(&mut self, id: RequestId) -> Said {
        match self.waiter(id).cloned() {
            None => Err("no request".into()),
            Some(Waiter { fate: Fate::Waits, .. }) => {
                self.alive(id);
                Ok(self.queue_text(id))
            }
            Some(waiter) => {
                if let Fate::Granted(lease, _) = waiter.fate {
                    self.collect(lease);
                }
                Ok(format!("settled {}", fate_text(&waiter.fate)))
            }
        }
    }

    pub(crate) fn queue_text(&mut self, id: RequestId) -> String {
        self.lined_up = Some(id);
        let waiter = self.waiter(id).expect("it waits");
        let (position, there) = self.place(waiter);
        format!("queued {id} at {position} {there:?}")
    }

    pub(crate) fn withdraw(&mut self, id: RequestId) -> Said {
        let now = self.time();
        let waiter = self.waiters.iter_mut().find(|waiter| waiter.id == id).ok_or("no request")?;
        if waiter.fate == Fate::Waits {
            waiter.fate = Fate::Withdrawn(now);
        }
        self.waiters.retain(|waiter| waiter.dialect == Dialect::V1 || waiter.fate == Fate::Waits);
        Ok("done".into())
    }

    pub(crate) fn renew(&mut self, id: LeaseId, owner: Option<&Owner>, ttl: Option<Span>) -> Said {
        self.active(id, owner)?;
        let deal = self.deal(id).expect("it is active").clone();
        let ttl = match (ttl, deal.ttl) {
            (Some(ttl), _) => Some(self.check_ttl(ttl, deal.targets.iter().map(|t| self.pool_of(t)))?),
            (None, Some(own)) if !own.is_positive() => return Err("ttl".into()),
            (None, own) => own.map(|own| self.clipped(own, &deal.targets)),
        };
        let now = self.time();
        if let Some(ttl) = ttl {
            for target in &deal.targets {
                self.rebase(target, now.plus(ttl));
            }
        }
        for mine in self.deals.iter_mut().filter(|mine| mine.id == id) {
            mine.ttl = ttl;
            mine.renewed = now;
            mine.pickup = None;
        }
        Ok(self.grant_text(id))
    }

    pub(crate) fn check_ttl(
        &self,
        ttl: Span,
        pools: impl Iterator<Item = Option<PoolName>>,
    ) -> Result<Span, String> {
        let most = pools.map(|name| name.and_then(|name| self.pool(&name)?.max_ttl).unwrap_or(LONGEST)).min();
        let fits = ttl.is_positive() && ttl <= most.unwrap_or(LONGEST);
        if fits { Ok(ttl) } else { Err("ttl".into()) }
    }

    pub(crate) fn release(
        &mut self,
        id: LeaseId,
        owner: Option<&Owner>,
        targets: Option<&[Target]>,
        to: Option<&State>,
    ) -> Said {
        self.active(id, owner)?;
        let deal = self.deal(id).expect("it is active").clone();
        let targets = targets.unwrap_or(&deal.targets);
        let foreign = targets.iter().filter(|t| !deal.targets.contains(t) && !deal.returned.contains(t));
        let mut told: Vec<&Target> = Vec::new();
        for target in foreign {
            if !told.contains(&target) {
                told.push(target);
            }
        }
        if !told.is_empty() {
            let whose: Vec<String> = told.into_iter().map(|target| self.whose(target)).collect();
            return Err(format!("not held {}", whose.join(",")));
        }
        for target in targets.iter().filter(|target| deal.targets.contains(target)) {
            if self.hold(target).is_some_and(|hold| hold.lease == id) {
                self.give_back(target, to);
            }
        }
        Ok(self.lease_text(id))
    }

    pub(crate) fn force(&mut self, force: &Force) -> Said {
        let (id, targets) = match &force.subject {
            Subject::Lease(id) => (*id, None),
            Subject::Target(target) => {
                let hold = self.hold(target).ok_or_else(|| format!("not held {target}"))?;
                (hold.lease, Some(vec![target.clone()]))
            }
        };
        self.active(id, force.expected.as_ref())?;
        let targets = targets.unwrap_or_else(|| self.deal(id).expect("it is active").targets.clone());
        for target in &targets {
            if self.take_away(target) {
                let state = force.to_state.clone().unwrap_or_else(|| self.state_back(target, true));
                self.bring_back(target, state);
            }
        }
        Ok(self.lease_text(id))
    }
}

fn fate_text(fate: &Fate) -> String {
    match fate {
        Fate::Waits => "waits".into(),
        Fate::Granted(lease, _) => format!("granted {lease}"),
        Fate::Withdrawn(_) => "withdrawn".into(),
        Fate::Lapsed(_) => "lapsed".into(),
    }
}
