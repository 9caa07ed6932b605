//! What Boskos clients ask.

use std::collections::{BTreeMap, BTreeSet};

use lessor_ledger::{BoskosAcquire, BoskosUpdate, Dialect, Owner, Part, PoolName, Span, State, Target};

use super::{Said, list};
use crate::model::naive::{Fate, Fit, Model, Spot, Turn, Waiter, turn};

impl Model {
    pub(crate) fn boskos_acquire(&mut self, ask: &BoskosAcquire) -> Said {
        if let Some(key) = &ask.request_id {
            let mut mine: Vec<_> = self
                .deals
                .iter()
                .filter(|deal| {
                    deal.dialect == Dialect::Boskos
                        && deal.owner == ask.owner
                        && deal.key.as_ref() == Some(key)
                })
                .collect();
            mine.sort_by_key(|deal| deal.id);
            let things = mine.into_iter().filter_map(|deal| self.thing(&deal.targets[0]));
            if let Some(thing) = things.into_iter().find(|t| t.pool == ask.pool && t.state == ask.dest) {
                return Ok(format!("{} holds {}", ask.owner, thing.name));
            }
        }
        let known = self.waiters.iter().find(|waiter| {
            let part = Part::Pool {
                pool: ask.pool.clone(),
                state: ask.state.clone(),
                labels: BTreeMap::new(),
                count: 1,
            };
            let boskos = waiter.dialect == Dialect::Boskos && waiter.fate == Fate::Waits;
            boskos && ask.request_id.is_some() && waiter.key == ask.request_id && waiter.parts == [part]
        });
        let known = known.cloned();
        let place: Turn = match (&ask.request_id, &known) {
            (None, _) => (i64::from(i32::MAX) + 1, u64::MAX),
            (Some(_), Some(waiter)) => turn(waiter),
            (Some(_), None) => (0, self.last_request + 1),
        };
        let wants = [(Spot::Pool(ask.pool.clone(), ask.state.clone()), Fit::Any, 1)];
        if let Some(targets) = self.whole(&wants, place) {
            self.waiters.retain(|waiter| Some(waiter.id) != known.as_ref().map(|known| known.id));
            return Ok(self.hand_over(ask, &ask.pool, &targets));
        }
        let record = self.pool(&ask.pool).cloned();
        let dynamic = record.filter(|pool| pool.lifecycle.is_some());
        let exists = self.members(&ask.pool).next().is_some() || dynamic.is_some();
        match (&ask.request_id, known) {
            (None, _) => {}
            (Some(_), Some(known)) => self.alive(known.id),
            (Some(key), None) => {
                self.last_request += 1;
                let waiter = self.newcomer(&ask.owner, Dialect::Boskos, &ask.dest, Some(key.clone()));
                let (pool, state) = (ask.pool.clone(), ask.state.clone());
                let parts = vec![Part::Pool { pool, state, labels: BTreeMap::new(), count: 1 }];
                self.waiters.push(Waiter { parts, ..waiter });
                if let Some(pool) = dynamic {
                    self.grow(&pool, 1);
                }
            }
        }
        Err(if exists { "nothing free" } else { "no pool" }.into())
    }

    fn boskos_ttl(&self, pool: &PoolName) -> Option<Span> {
        let pool = self.pool(pool)?;
        let ttl = pool.default_ttl.or(pool.reap_after)?;
        Some(pool.max_ttl.map_or(ttl, |most| most.min(ttl)))
    }

    pub(crate) fn hand_over(&mut self, ask: &BoskosAcquire, pool: &PoolName, targets: &[Target]) -> String {
        let ttl = self.boskos_ttl(pool);
        let key = ask.request_id.clone();
        self.grant(&ask.owner, Dialect::Boskos, targets, Some(&ask.dest), ttl, key);
        format!("{} holds {}", ask.owner, list(targets))
    }

    pub(crate) fn by_state(
        &mut self,
        state: &State,
        dest: &State,
        owner: &Owner,
        names: &[Option<Target>],
    ) -> Said {
        let names: Option<BTreeSet<&Target>> = names.iter().map(Option::as_ref).collect();
        let names = names.filter(|names| !names.is_empty()).ok_or("not all")?;
        let fits = |name: &&Target| self.free(name) && self.thing(name).is_some_and(|t| t.state == *state);
        if !names.iter().all(fits) {
            return Err("not all".into());
        }
        let mut things: Vec<_> = names.iter().filter_map(|name| self.thing(name)).collect();
        things.sort_by(|a, b| (a.updated, &a.name).cmp(&(b.updated, &b.name)));
        let things: Vec<(PoolName, Target)> =
            things.into_iter().map(|thing| (thing.pool.clone(), thing.name.clone())).collect();
        let pools: BTreeSet<&PoolName> = things.iter().map(|(pool, _)| pool).collect();
        for pool in pools {
            let mine: Vec<Target> =
                things.iter().filter(|(of, _)| of == pool).map(|(_, name)| name.clone()).collect();
            let (dest, owner) = (dest.clone(), owner.clone());
            let ask =
                BoskosAcquire { pool: pool.clone(), state: state.clone(), dest, owner, request_id: None };
            self.hand_over(&ask, pool, &mine);
        }
        let names: Vec<Target> = things.into_iter().map(|(_, name)| name).collect();
        Ok(format!("{owner} holds {}", list(&names)))
    }

    pub(crate) fn boskos_holder(&self, name: &Target, owner: &Owner) -> Result<(), String> {
        self.thing(name).ok_or("no resource")?;
        match self.holder(name) {
            Some(holder) if holder == owner => Ok(()),
            holder => Err(format!("not owner but {}", holder.map_or("nobody", Owner::as_str))),
        }
    }

    pub(crate) fn boskos_update(&mut self, update: &BoskosUpdate) -> Said {
        self.boskos_holder(&update.name, &update.owner)?;
        let now = self.time();
        let thing = self.thing_mut(&update.name).expect("it is held");
        if thing.state != update.state {
            return Err(format!("in state {}", thing.state));
        }
        thing.updated = now;
        for (key, value) in &update.patch {
            thing.data.insert(key.clone(), value.clone());
        }
        thing.data.retain(|_, value| !value.is_empty());
        let pool = thing.pool.clone();
        let hold = self.hold(&update.name).cloned().expect("it is held");
        let own = self.deal(hold.lease).and_then(|deal| deal.ttl).filter(|ttl| ttl.is_positive());
        if let Some(ttl) = own.or_else(|| self.boskos_ttl(&pool)) {
            let most = self.pool(&pool).and_then(|pool| pool.max_ttl).unwrap_or(ttl);
            let ttl = ttl.min(most);
            self.set_deadline(&update.name, now.plus(ttl));
        }
        self.collect(hold.lease);
        Ok("done".into())
    }

    pub(crate) fn reset(&mut self, pool: &PoolName, state: &State, expire: Span, dest: &State) -> String {
        let now = self.time();
        let mut taken = BTreeMap::new();
        for hold in self.holds.clone() {
            let Some(thing) = self.thing(&hold.target).cloned() else { continue };
            let renewed = self.deal(hold.lease).map_or(thing.updated, |deal| deal.renewed);
            let silent = now.since(thing.updated) >= expire && now.since(renewed) >= expire;
            if !hold.over && hold.deadline.is_none() && thing.pool == *pool && thing.state == *state && silent
            {
                self.take_away(&hold.target);
                let thing = self.thing_mut(&hold.target).expect("it was just seen");
                thing.state = dest.clone();
                thing.updated = now;
                taken.insert(hold.target.clone(), hold.owner.clone());
            }
        }
        let taken: Vec<String> =
            taken.iter().map(|(target, owner)| format!("{target} from {owner}")).collect();
        format!("reset {}", taken.join(","))
    }
}
