//! One function per command: what it answers, as text, and what it changes.

mod boskos;
mod contest;
mod v1;

use lessor_ledger::{Command, Dialect, LeaseId, Owner, PoolName, RequestId, State, Target, Text, Time};

use super::naive::{Fate, Model, TTL, Waiter};
use contest::check;

/// What is answered: `Ok` with what is given, `Err` with why not.
pub(crate) type Said = Result<String, String>;

pub(crate) fn list<'a>(targets: impl IntoIterator<Item = &'a Target>) -> String {
    targets.into_iter().map(Target::as_str).collect::<Vec<_>>().join(",")
}

impl Model {
    /// Decides `command` at `now`, with what it must be told.
    pub(crate) fn apply(&mut self, command: &Command, now: Time) -> Said {
        self.now = Some(self.now.map_or(now, |seen| seen.max(now)));
        if *command == Command::Resume {
            let until = self.time().plus(TTL);
            for waiter in self.waiters.iter_mut().filter(|waiter| waiter.fate == Fate::Waits) {
                waiter.live_until = waiter.live_until.max(until);
                waiter.dormant = false;
            }
            for (by, _) in self.deals.iter_mut().filter_map(|deal| deal.pickup.as_mut()) {
                *by = (*by).max(until);
            }
        }
        self.settle();
        if *command != Command::Resume {
            self.follow_up();
        }
        self.lined_up = None;
        let said = self.decide(command);
        self.follow_up();
        // Getting in line, or coming back to it, can itself make what is waited for.
        match self.lined_up.and_then(|id| self.waiter(id)).map(|waiter| waiter.fate.clone()) {
            Some(Fate::Granted(lease, _)) => {
                self.collect(lease);
                Ok(self.grant_text(lease))
            }
            _ => said,
        }
    }

    fn decide(&mut self, command: &Command) -> Said {
        match command {
            Command::Tick | Command::Resume => Ok("done".into()),
            Command::BoskosAcquire(ask) => self.boskos_acquire(ask),
            Command::BoskosAcquireByState { state, dest, owner, names } => {
                self.by_state(state, dest, owner, names)
            }
            Command::BoskosRelease { name, dest, owner } => {
                self.boskos_holder(name, owner)?;
                let lease = self.hold(name).map(|hold| hold.lease);
                let live = self.take_away(name);
                if let Some(id) = lease {
                    self.collect(id);
                }
                if live {
                    self.bring_back(name, dest.clone());
                }
                Ok("done".into())
            }
            Command::BoskosUpdate(update) => self.boskos_update(update),
            Command::BoskosReset { pool, state, expire, dest } => Ok(self.reset(pool, state, *expire, dest)),
            Command::ContestLock(lock) => self.contest_lock(lock),
            Command::ContestTryLock { lock, limit } => {
                let (owner, targets) = check(lock)?;
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                let free = targets.iter().filter(|target| self.contest_conflict(&owner, target).is_none());
                let taken: Vec<Target> = free.take(limit).cloned().collect();
                self.contest_take(&owner, &taken, lock.duration);
                Ok(format!("locked {}", list(&taken)))
            }
            Command::ContestUnlock(lock) => {
                let (owner, targets) = check(lock)?;
                self.contest_own(&owner, &targets)?;
                for target in &targets {
                    self.give_back(target, None);
                }
                Ok(format!("locked {}", list(&targets)))
            }
            Command::ContestRefresh(lock) => {
                let (owner, targets) = check(lock)?;
                self.contest_own(&owner, &targets)?;
                self.contest_take(&owner, &targets, lock.duration);
                Ok(format!("locked {}", list(&targets)))
            }
            Command::Acquire(ask) => self.acquire(ask),
            Command::Renew { lease, owner, ttl } => self.renew(*lease, owner.as_ref(), *ttl),
            Command::Release { lease, owner, targets, to_state } => {
                self.release(*lease, owner.as_ref(), targets.as_deref(), to_state.as_ref())
            }
            Command::Force(force) => self.force(force),
            Command::Poll(id) => self.poll(*id),
            Command::Withdraw(withdrawal) => self.withdraw(withdrawal.request),
            Command::PutResource(edit) => self.edit(edit, true),
            Command::PatchResource(edit) => self.edit(edit, false),
            Command::DeleteResource { name, .. } => {
                self.thing(name).ok_or("no resource")?;
                self.not_held(name)?;
                self.remove(name);
                Ok("done".into())
            }
            Command::Sync(entries) => Ok(self.sync(entries)),
            Command::Job(_) | Command::Plugin(_) => unreachable!("the strategy asks nothing about jobs"),
        }
    }

    pub(crate) fn newcomer(&self, owner: &Owner, dialect: Dialect, to: &State, key: Option<Text>) -> Waiter {
        Waiter {
            id: RequestId(self.last_request),
            owner: owner.clone(),
            dialect,
            parts: Vec::new(),
            to: to.clone(),
            ttl: None,
            priority: 0,
            key,
            live_until: self.time().plus(TTL),
            dormant: false,
            fate: Fate::Waits,
        }
    }

    pub(crate) fn alive(&mut self, id: RequestId) {
        let until = self.time().plus(TTL);
        for waiter in self.waiters.iter_mut().filter(|waiter| waiter.id == id) {
            waiter.live_until = until;
            waiter.dormant = false;
        }
    }

    pub(crate) fn collect(&mut self, id: LeaseId) {
        self.deals.iter_mut().filter(|deal| deal.id == id).for_each(|deal| deal.pickup = None);
    }

    pub(crate) fn set_deadline(&mut self, target: &Target, deadline: Time) {
        for hold in self.holds.iter_mut().filter(|hold| hold.target == *target) {
            hold.deadline = Some(deadline);
        }
    }

    pub(crate) fn whose(&self, target: &Target) -> String {
        self.holder(target).map_or(target.to_string(), |holder| format!("{target} of {holder}"))
    }

    pub(crate) fn rebase(&mut self, target: &Target, deadline: Time) {
        let now = self.time();
        self.set_deadline(target, deadline);
        let Some(hold) = self.holds.iter_mut().find(|hold| hold.target == *target) else { return };
        if deadline >= now {
            hold.over = false;
        } else if !hold.over {
            self.expire(target);
        }
    }

    /// As its dialect gives things back.
    pub(crate) fn give_back(&mut self, target: &Target, to: Option<&State>) {
        let lease = self.hold(target).map(|hold| hold.lease);
        let contest = lease.and_then(|id| self.deal(id)).is_some_and(|deal| deal.dialect == Dialect::Contest);
        let live = self.take_away(target);
        if let Some(id) = lease {
            self.collect(id);
        }
        match to {
            Some(state) if live => self.bring_back(target, state.clone()),
            None if live && !contest => {
                let state = self.state_back(target, false);
                self.bring_back(target, state);
            }
            _ => {}
        }
    }

    pub(crate) fn active(&self, id: LeaseId, owner: Option<&Owner>) -> Result<(), String> {
        match self.deal(id) {
            None if id.0 > 0 && id.0 <= self.last_lease => Err("ended".into()),
            None => Err("no lease".into()),
            Some(deal) if owner.is_some_and(|owner| *owner != deal.owner) => {
                Err(format!("not owner but {}", deal.owner))
            }
            Some(_) => Ok(()),
        }
    }

    pub(crate) fn grant_text(&self, id: LeaseId) -> String {
        let deal = self.deal(id).expect("it is active");
        let until = self.holds.iter().filter(|hold| hold.lease == id).filter_map(|hold| hold.deadline).min();
        format!("granted {id} {} {} {until:?}", deal.owner, list(&deal.targets))
    }

    pub(crate) fn pool_of(&self, target: &Target) -> Option<PoolName> {
        self.thing(target).map(|thing| thing.pool.clone())
    }

    pub(crate) fn lease_text(&self, id: LeaseId) -> String {
        match self.deal(id) {
            Some(deal) => format!("lease {id} {} {}", deal.owner, list(&deal.targets)),
            None => format!("lease {id} over"),
        }
    }
}
