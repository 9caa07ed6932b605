//! A second reading of the rules, as plain as it can be: flat lists, linear scans, no indexes, and after every
//! command everything is looked at again. Slow, and written from the references, not from the ledger.
//!
//! Two things it cannot know are told: the names that the ledger generates, and the numbers of new leases.

use std::collections::{BTreeMap, BTreeSet};

use lessor_ledger::{
    Answer, Dialect, LeaseId, Origin, Owner, Part, Pool, PoolName, PoolOrigin, RequestId, Span, State,
    Target, Text, Time,
};

pub(crate) const TTL: Span = Span::from_secs(30);
pub(crate) const GRACE: Span = Span::from_secs(30);
pub(crate) const DAY: Span = Span::from_secs(86_400);
pub(crate) const LONGEST: Span = Span::from_secs(30 * 86_400);
pub(crate) const TEN_MINUTES: Span = Span::from_secs(600);
pub(crate) const CLEANER: Span = Span::from_secs(15);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Thing {
    pub(crate) name: Target,
    pub(crate) pool: PoolName,
    pub(crate) state: State,
    pub(crate) origin: Origin,
    pub(crate) labels: BTreeMap<Text, Text>,
    pub(crate) data: BTreeMap<Text, Text>,
    pub(crate) cordon: Option<(Text, Option<Time>)>,
    pub(crate) updated: Time,
    pub(crate) expires: Option<Time>,
    /// Pool, state and labels that it is made anew with.
    pub(crate) moves: Option<(PoolName, State, BTreeMap<Text, Text>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hold {
    pub(crate) target: Target,
    pub(crate) lease: LeaseId,
    pub(crate) owner: Owner,
    pub(crate) taken: Time,
    pub(crate) deadline: Option<Time>,
    pub(crate) over: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deal {
    pub(crate) id: LeaseId,
    pub(crate) owner: Owner,
    pub(crate) dialect: Dialect,
    pub(crate) targets: Vec<Target>,
    pub(crate) returned: Vec<Target>,
    pub(crate) ttl: Option<Span>,
    pub(crate) renewed: Time,
    pub(crate) key: Option<Text>,
    /// Until when it is to be collected, and what its resources were before.
    pub(crate) pickup: Option<(Time, BTreeMap<Target, State>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    Waits,
    Granted(LeaseId, Time),
    Withdrawn(Time),
    Lapsed(Time),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waiter {
    pub(crate) id: RequestId,
    pub(crate) owner: Owner,
    pub(crate) dialect: Dialect,
    pub(crate) parts: Vec<Part>,
    pub(crate) to: State,
    pub(crate) ttl: Option<Span>,
    pub(crate) priority: i32,
    pub(crate) key: Option<Text>,
    pub(crate) live_until: Time,
    pub(crate) dormant: bool,
    pub(crate) fate: Fate,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) owner: Owner,
    pub(crate) text: Text,
    pub(crate) print: u64,
    pub(crate) answer: Answer,
    pub(crate) at: Time,
}

/// Where a demand is to be met: in a pool and state, or at one unregistered target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spot {
    Pool(PoolName, State),
    Loose(Target),
}

/// What will do there; what has no choice first, what has every choice last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    Name(Target),
    Labels(BTreeMap<Text, Text>),
    Any,
}

pub(crate) type Want = (Spot, Fit, usize);

/// Higher priority first, then by number.
pub(crate) type Turn = (i64, u64);

pub(crate) fn turn(waiter: &Waiter) -> Turn {
    (-i64::from(waiter.priority), waiter.id.0)
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: Option<Time>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) things: Vec<Thing>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) deals: Vec<Deal>,
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) notes: Vec<Note>,
    pub(crate) last_lease: u64,
    pub(crate) last_request: u64,
    /// Who got in line, or showed signs of life there, with the command being decided.
    pub(crate) lined_up: Option<RequestId>,
    /// Told: generated names, in the order of their making.
    pub(crate) names: Vec<Target>,
    /// Told: new leases and what they were granted.
    pub(crate) leases: Vec<(LeaseId, Vec<Target>)>,
}

impl Model {
    pub(crate) fn time(&self) -> Time {
        self.now.expect("a time was set")
    }

    pub(crate) fn pool(&self, name: &PoolName) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == *name)
    }

    pub(crate) fn thing(&self, name: &Target) -> Option<&Thing> {
        self.things.iter().find(|thing| thing.name == *name)
    }

    pub(crate) fn thing_mut(&mut self, name: &Target) -> Option<&mut Thing> {
        self.things.iter_mut().find(|thing| thing.name == *name)
    }

    pub(crate) fn hold(&self, name: &Target) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.target == *name)
    }

    /// Who keeps others from `name` now.
    pub(crate) fn holder(&self, name: &Target) -> Option<&Owner> {
        self.hold(name).filter(|hold| !hold.over).map(|hold| &hold.owner)
    }

    pub(crate) fn deal(&self, id: LeaseId) -> Option<&Deal> {
        self.deals.iter().find(|deal| deal.id == id)
    }

    pub(crate) fn waiter(&self, id: RequestId) -> Option<&Waiter> {
        self.waiters.iter().find(|waiter| waiter.id == id)
    }

    pub(crate) fn free(&self, name: &Target) -> bool {
        self.holder(name).is_none() && self.thing(name).is_none_or(|thing| thing.cordon.is_none())
    }

    pub(crate) fn members<'a>(&'a self, pool: &'a PoolName) -> impl Iterator<Item = &'a Thing> {
        self.things.iter().filter(move |thing| thing.pool == *pool)
    }

    /// What `parts` come to: one entry for each spot and fit, sorted.
    pub(crate) fn wants(&self, parts: &[Part]) -> Vec<Want> {
        let mut sums: BTreeMap<(Spot, Fit), usize> = BTreeMap::new();
        for part in parts {
            match part {
                Part::Pool { pool, state, labels, count } => {
                    let fit = if labels.is_empty() { Fit::Any } else { Fit::Labels(labels.clone()) };
                    *sums.entry((Spot::Pool(pool.clone(), state.clone()), fit)).or_default() +=
                        *count as usize;
                }
                Part::Named { targets, pool, state } => {
                    for target in targets {
                        let of = pool.clone().or_else(|| Some(self.thing(target)?.pool.clone()));
                        let spot = match of {
                            Some(pool) => Spot::Pool(pool, state.clone()),
                            None => Spot::Loose(target.clone()),
                        };
                        sums.insert((spot, Fit::Name(target.clone())), 1);
                    }
                }
            }
        }
        sums.into_iter().map(|((spot, fit), count)| (spot, fit, count)).collect()
    }

    /// What is there for a want and in nobody's share yet, the least recently written first.
    pub(crate) fn choices(&self, (spot, fit, _): &Want, shared: &BTreeSet<Target>) -> Vec<Target> {
        let mut found: Vec<(Time, Target)> = match spot {
            Spot::Loose(target) => match self.thing(target) {
                None if self.free(target) => vec![(Time::ZERO, target.clone())],
                _ => Vec::new(),
            },
            Spot::Pool(pool, state) => self
                .things
                .iter()
                .filter(|thing| thing.pool == *pool && thing.state == *state && self.free(&thing.name))
                .filter(|thing| match fit {
                    Fit::Any => true,
                    Fit::Name(name) => thing.name == *name,
                    Fit::Labels(labels) => labels.iter().all(|(k, v)| thing.labels.get(k) == Some(v)),
                })
                .map(|thing| (thing.updated, thing.name.clone()))
                .collect(),
        };
        found.sort();
        found.into_iter().map(|(_, name)| name).filter(|name| !shared.contains(name)).collect()
    }

    /// Everybody who stands in line, in the order of their turns.
    pub(crate) fn line(&self) -> Vec<Waiter> {
        let mut line: Vec<Waiter> =
            self.waiters.iter().filter(|w| w.fate == Fate::Waits && !w.dormant).cloned().collect();
        line.sort_by_key(turn);
        line
    }

    /// What `wants` would get at `place`, after everybody ahead has had their share.
    pub(crate) fn offers(&self, wants: &[Want], place: Turn) -> Vec<Vec<Target>> {
        let mut shared = BTreeSet::new();
        for ahead in self.line().iter().filter(|waiter| turn(waiter) < place) {
            let theirs = self.share(&self.wants(&ahead.parts), &shared);
            shared.extend(theirs.into_iter().flatten());
        }
        self.share(wants, &shared)
    }

    /// Everything that `wants` ask for, if all of it is there.
    pub(crate) fn whole(&self, wants: &[Want], place: Turn) -> Option<Vec<Target>> {
        let offers = self.offers(wants, place);
        let whole = offers.iter().zip(wants).all(|(offer, want)| offer.len() == want.2);
        whole.then(|| offers.concat())
    }

    /// The same for `parts`, in their order.
    pub(crate) fn whole_in_order(&self, parts: &[Part], place: Turn) -> Option<Vec<Target>> {
        let wants = self.wants(parts);
        self.whole(&wants, place)?;
        let mut offers = self.offers(&wants, place);
        let mut targets = Vec::new();
        for part in parts {
            match part {
                Part::Named { targets: named, .. } => targets.extend(named.iter().cloned()),
                Part::Pool { count, .. } => {
                    let (spot, fit, _) = self.wants(std::slice::from_ref(part)).remove(0);
                    let mine = wants.iter().position(|want| (&want.0, &want.1) == (&spot, &fit));
                    targets.extend(offers[mine.expect("it is a part")].drain(..*count as usize));
                }
            }
        }
        Some(self.as_told(parts, targets))
    }

    /// How many stand ahead at the worst of the spots, plus one; and how much is there for each want.
    pub(crate) fn place(&self, waiter: &Waiter) -> (usize, Vec<usize>) {
        let wants = self.wants(&waiter.parts);
        let line = self.line();
        let ahead = wants.iter().map(|(spot, ..)| {
            let stands = |other: &&Waiter| {
                turn(other) < turn(waiter) && self.wants(&other.parts).iter().any(|(its, ..)| its == spot)
            };
            line.iter().filter(stands).count()
        });
        let there = self.offers(&wants, turn(waiter)).iter().map(Vec::len).collect();
        (ahead.max().unwrap_or(0) + 1, there)
    }

    /// State, last write and lifespan of what comes back.
    pub(crate) fn bring_back(&mut self, name: &Target, state: State) {
        let now = self.time();
        let Some(pool) = self.thing(name).map(|thing| thing.pool.clone()) else { return };
        let lifecycle = self.pool(&pool).and_then(|pool| pool.lifecycle.clone());
        if let Some(thing) = self.thing_mut(name) {
            thing.state = state;
            thing.updated = now;
            match lifecycle {
                None => thing.expires = None,
                Some(lifecycle) => {
                    if let Some(lifespan) = lifecycle.lifespan {
                        thing.expires = Some(now.plus(lifespan));
                    }
                }
            }
        }
    }

    pub(crate) fn state_back(&self, name: &Target, expired: bool) -> State {
        let Some(pool) = self.thing(name).and_then(|thing| self.pool(&thing.pool)) else {
            return State::free();
        };
        match &pool.on_expire {
            Some(state) if expired => state.clone(),
            _ if pool.initial_state.as_str() == "dirty" => State::dirty(),
            _ => State::free(),
        }
    }

    /// Takes `target` from the lease that has it. Says whether the lock was live.
    pub(crate) fn take_away(&mut self, target: &Target) -> bool {
        let Some(hold) = self.hold(target).cloned() else { return false };
        self.holds.retain(|hold| hold.target != *target);
        let deal = self.deals.iter_mut().find(|deal| deal.id == hold.lease).expect("a lock has a lease");
        deal.targets.retain(|held| held != target);
        deal.returned.push(target.clone());
        self.deals.retain(|deal| !deal.targets.is_empty());
        !hold.over
    }

    /// What expiry does: ConTest locks stay, the others end; the resource leaves its owner either way.
    pub(crate) fn expire(&mut self, target: &Target) {
        let Some(hold) = self.hold(target).cloned() else { return };
        let state = self.state_back(target, true);
        if self.deal(hold.lease).is_some_and(|deal| deal.dialect == Dialect::Contest) {
            let lock = self.holds.iter_mut().find(|hold| hold.target == *target).expect("just found");
            lock.over = true;
        } else {
            self.take_away(target);
        }
        self.bring_back(target, state);
    }

    pub(crate) fn grant(
        &mut self,
        owner: &Owner,
        dialect: Dialect,
        targets: &[Target],
        to: Option<&State>,
        ttl: Option<Span>,
        key: Option<Text>,
    ) -> LeaseId {
        let now = self.time();
        let told = self.leases.iter().position(|(_, granted)| granted == targets);
        let told = told.unwrap_or_else(|| panic!("the ledger did not lease {targets:?} to {owner}"));
        let (id, _) = self.leases.remove(told);
        let deadline = ttl.map(|ttl| now.plus(ttl));
        for target in targets {
            assert_eq!(self.holder(target), None, "{target} is held, yet granted to {owner}");
            self.take_away(target);
            let (target, owner) = (target.clone(), owner.clone());
            if let (Some(thing), Some(state)) = (self.thing_mut(&target), to) {
                thing.state = state.clone();
                thing.updated = now;
            }
            self.holds.push(Hold { target, lease: id, owner, taken: now, deadline, over: false });
        }
        self.deals.push(Deal {
            id,
            owner: owner.clone(),
            dialect,
            targets: targets.to_vec(),
            returned: Vec::new(),
            ttl,
            renewed: now,
            key,
            pickup: None,
        });
        if deadline.is_some_and(|deadline| deadline < now) {
            for target in targets {
                self.expire(target);
            }
        }
        id
    }

    pub(crate) fn forget_pool_if_empty(&mut self, name: &PoolName) {
        let empty = self.members(name).next().is_none();
        self.pools.retain(|pool| {
            pool.name != *name || !empty || pool.origin == PoolOrigin::Config || pool.lifecycle.is_some()
        });
    }
}
