//! What time brings about, and what follows from any change.

use std::collections::BTreeMap;

use lessor_ledger::{Answer, Dialect, Origin, Pool, Span, State, Target};

use super::naive::{
    CLEANER, DAY, Fate, Fit, GRACE, LONGEST, Model, Spot, TEN_MINUTES, TTL, Thing, Waiter, turn,
};

impl Model {
    /// Everything that is due at the model's time.
    pub(crate) fn settle(&mut self) {
        let now = self.time();
        for hold in self.holds.clone() {
            if !hold.over && hold.deadline.is_some_and(|deadline| deadline < now) {
                self.expire(&hold.target);
            }
        }
        self.settle_pickups();
        for hold in self.holds.clone() {
            if hold.over && hold.deadline.is_some_and(|deadline| deadline.plus(DAY) < now) {
                self.take_away(&hold.target);
            }
        }
        for thing in self.things.clone() {
            let idle = thing.origin == Origin::Dynamic && self.holder(&thing.name).is_none();
            if idle && !leaves(&thing) && thing.expires.is_some_and(|expires| expires < now) {
                self.mark(&thing.name, State::to_be_deleted());
            }
        }
        for thing in self.things.clone() {
            if matches!(thing.cordon, Some((_, Some(until))) if until < now) {
                let thing = self.thing_mut(&thing.name).expect("it was just seen");
                thing.cordon = None;
                thing.updated = now;
            }
        }
        self.settle_waiters();
        self.notes.retain(|note| note.at.plus(DAY) >= now);
        for thing in self.things.clone() {
            let idle = thing.origin == Origin::Dynamic && self.holder(&thing.name).is_none();
            let doomed = self.thing(&thing.name).is_some_and(|thing| thing.state == State::to_be_deleted());
            if idle && doomed && thing.updated.plus(CLEANER) < now && thing.state == State::to_be_deleted() {
                self.mark(&thing.name, State::tombstone());
            }
        }
    }

    /// What nobody came for is as it was before, and so is the key.
    fn settle_pickups(&mut self) {
        let now = self.time();
        for deal in self.deals.clone() {
            let Some((_, before)) = deal.pickup.filter(|(by, _)| *by < now) else { continue };
            for target in &deal.targets {
                self.take_away(target);
                if let Some(state) = before.get(target) {
                    self.bring_back(target, state.clone());
                }
            }
            self.notes.retain(|note| note.answer != Answer::Lease(deal.id));
            for waiter in &mut self.waiters {
                if matches!(waiter.fate, Fate::Granted(lease, _) if lease == deal.id) {
                    waiter.fate = Fate::Lapsed(now);
                }
            }
        }
    }

    fn settle_waiters(&mut self) {
        let now = self.time();
        for waiter in &mut self.waiters {
            if waiter.fate == Fate::Waits && waiter.live_until < now {
                waiter.dormant = true;
                if waiter.live_until.plus(GRACE) < now {
                    waiter.fate = Fate::Lapsed(now);
                }
            }
        }
        self.waiters.retain(|waiter| match waiter.fate {
            Fate::Waits => true,
            Fate::Granted(_, at) | Fate::Withdrawn(at) | Fate::Lapsed(at) => {
                waiter.dialect == Dialect::V1 && at.plus(TEN_MINUTES) >= now
            }
        });
    }

    fn mark(&mut self, name: &Target, state: State) {
        let now = self.time();
        let thing = self.thing_mut(name).expect("it was just seen");
        thing.state = state;
        thing.updated = now;
    }

    /// Looks at everything again until nothing more follows.
    pub(crate) fn follow_up(&mut self) {
        loop {
            let before = (self.things.clone(), self.deals.clone(), self.pools.clone());
            self.see_off();
            let pools: Vec<Pool> = self.pools.clone();
            for pool in pools {
                self.balance(&pool);
            }
            if (&self.things, &self.deals, &self.pools) != (&before.0, &before.1, &before.2) {
                continue;
            }
            if !self.serve_one() {
                return;
            }
        }
    }

    fn see_off(&mut self) {
        for thing in self.things.clone() {
            if thing.origin != Origin::Leaving || self.holder(&thing.name).is_some() {
                continue;
            }
            self.remove(&thing.name);
            if let Some((pool, state, labels)) = thing.moves
                && self.pool(&pool).is_some()
            {
                let made = self.make(Some(thing.name), pool, state, Origin::Listed);
                (made.labels, made.cordon) = (labels, thing.cordon);
            }
        }
    }

    pub(crate) fn remove(&mut self, name: &Target) {
        let Some(thing) = self.thing(name).cloned() else { return };
        self.things.retain(|thing| thing.name != *name);
        self.forget_pool_if_empty(&thing.pool);
    }

    /// A new resource, with the next generated name unless it has one.
    pub(crate) fn make(
        &mut self,
        name: Option<Target>,
        pool: lessor_ledger::PoolName,
        state: State,
        origin: Origin,
    ) -> &mut Thing {
        let updated = self.time();
        let name = name.unwrap_or_else(|| {
            assert!(!self.names.is_empty(), "the ledger made no resource in {pool}");
            self.names.remove(0)
        });
        self.things.push(Thing {
            name,
            pool,
            state,
            origin,
            labels: std::collections::BTreeMap::new(),
            data: std::collections::BTreeMap::new(),
            cordon: None,
            updated,
            expires: None,
            moves: None,
        });
        self.things.last_mut().expect("it was just put there")
    }

    /// D1–D6 for one pool.
    fn balance(&mut self, pool: &Pool) {
        let Some(lifecycle) = &pool.lifecycle else { return };
        let mine: Vec<Thing> =
            self.members(&pool.name).filter(|thing| thing.origin == Origin::Dynamic).cloned().collect();
        let idle = |model: &Self, thing: &Thing| model.holder(&thing.name).is_none();
        let (gone, kept): (Vec<Thing>, Vec<Thing>) =
            mine.into_iter().partition(|thing| idle(self, thing) && thing.state == State::tombstone());
        for thing in &gone {
            self.remove(&thing.name);
        }
        let active = i64::try_from(kept.len()).expect("few");
        let with_cleaner = |thing: &Thing| !idle(self, thing) && thing.state == State::cleaning();
        let doomed = kept.iter().filter(|thing| {
            with_cleaner(thing) || idle(self, thing) && thing.state == State::to_be_deleted()
        });
        let surplus = active - i64::try_from(doomed.count()).expect("few") - lifecycle.max_count;
        for _ in active..lifecycle.min_count {
            self.make(None, pool.name.clone(), pool.initial_state.clone(), Origin::Dynamic);
        }
        self.grow(pool, self.missing(pool));
        let mut rest: Vec<&Thing> = kept.iter().filter(|thing| idle(self, thing) && !leaves(thing)).collect();
        rest.sort_by(|a, b| b.name.cmp(&a.name));
        let surplus = usize::try_from(surplus).unwrap_or(0);
        let rest: Vec<Target> = rest.into_iter().take(surplus).map(|thing| thing.name.clone()).collect();
        for name in &rest {
            self.mark(name, State::to_be_deleted());
        }
        if (lifecycle.min_count, lifecycle.max_count, active) == (0, 0, 0) {
            self.pools
                .iter_mut()
                .filter(|known| known.name == pool.name)
                .for_each(|known| known.lifecycle = None);
            self.forget_pool_if_empty(&pool.name);
        }
    }

    /// Makes up to `wanted` resources, as far as the maximum allows.
    pub(crate) fn grow(&mut self, pool: &Pool, wanted: usize) {
        let most = pool.lifecycle.as_ref().map_or(0, |lifecycle| lifecycle.max_count);
        let room = usize::try_from(most).unwrap_or(0).saturating_sub(self.members(&pool.name).count());
        for _ in 0..wanted.min(room) {
            self.make(None, pool.name.clone(), pool.initial_state.clone(), Origin::Dynamic);
        }
    }

    /// How many more it takes until the last push waiter who takes any could be served, in the neediest state.
    fn missing(&self, pool: &Pool) -> usize {
        let states: Vec<State> = self
            .line()
            .iter()
            .flat_map(|waiter| self.wants(&waiter.parts))
            .filter_map(|(spot, fit, _)| match (spot, fit) {
                (Spot::Pool(name, state), Fit::Any) if name == pool.name && leads_to(pool, &state) => {
                    Some(state)
                }
                _ => None,
            })
            .collect();
        let short = states.iter().map(|state| {
            let spot = Spot::Pool(pool.name.clone(), state.clone());
            let of = |waiter: &Waiter| -> usize {
                let wants = self.wants(&waiter.parts);
                wants.iter().filter(|want| want.0 == spot && want.1 == Fit::Any).map(|want| want.2).sum()
            };
            let line = self.line();
            let last = line.iter().rposition(|waiter| waiter.dialect == Dialect::V1 && of(waiter) > 0);
            let needed: usize = line.iter().take(last.map_or(0, |last| last + 1)).map(of).sum();
            let there = self.members(&pool.name).filter(|thing| {
                self.free(&thing.name) && (thing.state == *state || thing.state == pool.initial_state)
            });
            needed.saturating_sub(there.count())
        });
        short.max().unwrap_or(0)
    }

    /// Grants to the first push waiter who can have everything.
    fn serve_one(&mut self) -> bool {
        for waiter in self.line().into_iter().filter(|waiter| waiter.dialect == Dialect::V1) {
            let Some(targets) = self.whole_in_order(&waiter.parts, turn(&waiter)) else { continue };
            let asked = waiter.ttl.map(|ttl| self.clipped(ttl, &targets));
            let ttl = asked.unwrap_or_else(|| self.default_ttl(&targets));
            let (owner, to, key) = (&waiter.owner, Some(&waiter.to), waiter.key.clone());
            let registered = targets.iter().filter_map(|target| self.thing(target));
            let before: BTreeMap<Target, State> =
                registered.map(|thing| (thing.name.clone(), thing.state.clone())).collect();
            let lease = self.grant(owner, Dialect::V1, &targets, to, Some(ttl), key);
            let at = self.time();
            for deal in self.deals.iter_mut().filter(|deal| deal.id == lease) {
                deal.pickup = Some((at.plus(TTL), before.clone()));
            }
            for mine in self.waiters.iter_mut().filter(|mine| mine.id == waiter.id) {
                mine.fate = Fate::Granted(lease, at);
            }
            for note in self.notes.iter_mut().filter(|note| note.answer == Answer::Request(waiter.id)) {
                note.answer = Answer::Lease(lease);
            }
            return true;
        }
        false
    }

    /// As much of it as the pools allow.
    pub(crate) fn clipped(&self, ttl: Span, targets: &[Target]) -> Span {
        let pools = targets.iter().filter_map(|target| self.pool(&self.pool_of(target)?)?.max_ttl);
        pools.fold(ttl.min(LONGEST), Span::min)
    }

    /// The shortest of the pools', each capped by its own maximum.
    pub(crate) fn default_ttl(&self, targets: &[Target]) -> Span {
        let pools = targets.iter().filter_map(|target| self.pool(&self.thing(target)?.pool));
        let ttl = |pool: &Pool| {
            let ttl = pool.default_ttl.unwrap_or(TEN_MINUTES);
            pool.max_ttl.map_or(ttl, |most| most.min(ttl))
        };
        pools.map(ttl).min().unwrap_or(TEN_MINUTES)
    }
}

pub(crate) fn leaves(thing: &Thing) -> bool {
    thing.state == State::to_be_deleted() || thing.state == State::tombstone()
}

/// Whether what a pool makes is in this state, or gets there.
pub(crate) fn leads_to(pool: &Pool, state: &State) -> bool {
    [&pool.initial_state, &State::free()].contains(&state)
}
