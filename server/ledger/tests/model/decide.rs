//! One function per command: what it answers, as text, and what it changes.

use std::collections::{BTreeMap, BTreeSet};

use lessor_ledger::{
    Acquire, Answer, BoskosAcquire, BoskosUpdate, Command, ContestLock, Dialect, Force, LeaseId, Owner, Part,
    PoolName, RequestId, Span, State, Subject, Target, Text, Time,
};

use super::naive::{DAY, Fate, Fit, Hold, Model, Note, Spot, TTL, Turn, Waiter, turn};

/// What is answered: `Ok` with what is given, `Err` with why not.
pub(crate) type Said = Result<String, String>;

const LONGEST: Span = Span::from_secs(30 * 86_400);

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
            Command::Withdraw(id) => self.withdraw(*id),
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

    fn boskos_acquire(&mut self, ask: &BoskosAcquire) -> Said {
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

    fn newcomer(&self, owner: &Owner, dialect: Dialect, to: &State, key: Option<Text>) -> Waiter {
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

    fn alive(&mut self, id: RequestId) {
        let until = self.time().plus(TTL);
        for waiter in self.waiters.iter_mut().filter(|waiter| waiter.id == id) {
            waiter.live_until = until;
            waiter.dormant = false;
        }
    }

    fn hand_over(&mut self, ask: &BoskosAcquire, pool: &PoolName, targets: &[Target]) -> String {
        let ttl = self.pool(pool).and_then(|pool| pool.default_ttl.or(pool.reap_after));
        let key = ask.request_id.clone();
        self.grant(&ask.owner, Dialect::Boskos, targets, Some(&ask.dest), ttl, key);
        format!("{} holds {}", ask.owner, list(targets))
    }

    fn by_state(&mut self, state: &State, dest: &State, owner: &Owner, names: &[Option<Target>]) -> Said {
        let names: Option<BTreeSet<&Target>> = names.iter().map(Option::as_ref).collect();
        let names = names.filter(|names| !names.is_empty()).ok_or("not all")?;
        let fits = |name: &&Target| self.free(name) && self.thing(name).is_some_and(|t| t.state == *state);
        if !names.iter().all(fits) {
            return Err("not all".into());
        }
        let mut things: Vec<_> = names.iter().filter_map(|name| self.thing(name)).collect();
        let pool = things[0].pool.clone();
        things.sort_by(|a, b| (a.updated, &a.name).cmp(&(b.updated, &b.name)));
        let targets: Vec<Target> = things.into_iter().map(|thing| thing.name.clone()).collect();
        let (dest, owner) = (dest.clone(), owner.clone());
        let ask = BoskosAcquire { pool: pool.clone(), state: state.clone(), dest, owner, request_id: None };
        Ok(self.hand_over(&ask, &pool, &targets))
    }

    fn collect(&mut self, id: LeaseId) {
        self.deals.iter_mut().filter(|deal| deal.id == id).for_each(|deal| deal.pickup = None);
    }

    fn boskos_holder(&self, name: &Target, owner: &Owner) -> Result<(), String> {
        self.thing(name).ok_or("no resource")?;
        match self.holder(name) {
            Some(holder) if holder == owner => Ok(()),
            holder => Err(format!("not owner but {}", holder.map_or("nobody", Owner::as_str))),
        }
    }

    fn boskos_update(&mut self, update: &BoskosUpdate) -> Said {
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
        let ttl = own.or_else(|| self.pool(&pool).and_then(|pool| pool.default_ttl.or(pool.reap_after)));
        if let Some(ttl) = ttl {
            self.set_deadline(&update.name, now.plus(ttl));
        }
        self.collect(hold.lease);
        Ok("done".into())
    }

    fn set_deadline(&mut self, target: &Target, deadline: Time) {
        for hold in self.holds.iter_mut().filter(|hold| hold.target == *target) {
            hold.deadline = Some(deadline);
        }
    }

    fn reset(&mut self, pool: &PoolName, state: &State, expire: Span, dest: &State) -> String {
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

    fn contest_conflict(&self, owner: &Owner, target: &Target) -> Option<String> {
        let cordoned = self.thing(target).is_some_and(|thing| thing.cordon.is_some());
        match self.hold(target) {
            Some(Hold { over: false, owner: holder, .. }) if holder == owner => None,
            Some(Hold { over: false, owner: holder, .. }) => Some(format!("{target} of {holder}")),
            _ => cordoned.then(|| target.to_string()),
        }
    }

    fn contest_lock(&mut self, lock: &ContestLock) -> Said {
        let (owner, targets) = check(lock)?;
        let conflicts: Vec<String> =
            targets.iter().filter_map(|target| self.contest_conflict(&owner, target)).collect();
        if !conflicts.is_empty() {
            return Err(format!("busy {}", conflicts.join(",")));
        }
        self.contest_take(&owner, &targets, lock.duration);
        Ok(format!("locked {}", list(&targets)))
    }

    fn contest_own(&self, owner: &Owner, targets: &[Target]) -> Result<(), String> {
        let foreign =
            targets.iter().filter(|target| self.hold(target).is_none_or(|hold| hold.owner != *owner));
        let foreign: Vec<String> = foreign.map(|target| self.whose(target)).collect();
        if foreign.is_empty() { Ok(()) } else { Err(format!("not held {}", foreign.join(","))) }
    }

    fn whose(&self, target: &Target) -> String {
        self.holder(target).map_or(target.to_string(), |holder| format!("{target} of {holder}"))
    }

    fn contest_take(&mut self, owner: &Owner, targets: &[Target], duration: Span) {
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

    fn rebase(&mut self, target: &Target, deadline: Time) {
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
    fn give_back(&mut self, target: &Target, to: Option<&State>) {
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

    fn poll(&mut self, id: RequestId) -> Said {
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

    fn queue_text(&mut self, id: RequestId) -> String {
        self.lined_up = Some(id);
        let waiter = self.waiter(id).expect("it waits");
        let (position, there) = self.place(waiter);
        format!("queued {id} at {position} {there:?}")
    }

    fn withdraw(&mut self, id: RequestId) -> Said {
        let now = self.time();
        let waiter = self.waiters.iter_mut().find(|waiter| waiter.id == id).ok_or("no request")?;
        if waiter.fate == Fate::Waits {
            waiter.fate = Fate::Withdrawn(now);
        }
        self.waiters.retain(|waiter| waiter.dialect == Dialect::V1 || waiter.fate == Fate::Waits);
        Ok("done".into())
    }

    fn active(&self, id: LeaseId, owner: Option<&Owner>) -> Result<(), String> {
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

    fn renew(&mut self, id: LeaseId, owner: Option<&Owner>, ttl: Option<Span>) -> Said {
        self.active(id, owner)?;
        let deal = self.deal(id).expect("it is active").clone();
        let ttl = match (ttl, deal.ttl) {
            (Some(ttl), _) => Some(self.check_ttl(ttl, deal.targets.iter().map(|t| self.pool_of(t)))?),
            (None, Some(own)) if !own.is_positive() => return Err("ttl".into()),
            (None, own) => own,
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

    fn pool_of(&self, target: &Target) -> Option<PoolName> {
        self.thing(target).map(|thing| thing.pool.clone())
    }

    fn check_ttl(&self, ttl: Span, pools: impl Iterator<Item = Option<PoolName>>) -> Result<Span, String> {
        let most = pools.map(|name| name.and_then(|name| self.pool(&name)?.max_ttl).unwrap_or(LONGEST)).min();
        let fits = ttl.is_positive() && ttl <= most.unwrap_or(LONGEST);
        if fits { Ok(ttl) } else { Err("ttl".into()) }
    }

    fn release(
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
        let foreign: Vec<String> = foreign.map(|target| self.whose(target)).collect();
        if !foreign.is_empty() {
            return Err(format!("not held {}", foreign.join(",")));
        }
        for target in targets.iter().filter(|target| deal.targets.contains(target)) {
            if self.hold(target).is_some_and(|hold| hold.lease == id) {
                self.give_back(target, to);
            }
        }
        Ok(self.lease_text(id))
    }

    pub(crate) fn lease_text(&self, id: LeaseId) -> String {
        match self.deal(id) {
            Some(deal) => format!("lease {id} {} {}", deal.owner, list(&deal.targets)),
            None => format!("lease {id} over"),
        }
    }

    fn force(&mut self, force: &Force) -> Said {
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

    fn acquire(&mut self, ask: &Acquire) -> Said {
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
            if let (Spot::Pool(pool, _), Fit::Any) = (spot, fit)
                && let Some(pool) = self.pool(pool).filter(|pool| pool.lifecycle.is_some()).cloned()
            {
                self.grow(&pool, count - offer.len());
            }
        }
        Ok(self.queue_text(id))
    }

    fn remember(&mut self, ask: &Acquire, answer: Answer) {
        let Some((text, print)) = ask.key.clone() else { return };
        self.notes.retain(|note| (&note.owner, &note.text) != (&ask.owner, &text));
        self.notes.push(Note { owner: ask.owner.clone(), text, print, answer, at: self.time() });
    }

    fn replay(&mut self, ask: &Acquire) -> Result<Option<String>, String> {
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
    fn hopeless(&self, parts: &[Part]) -> bool {
        let mut asked: BTreeMap<PoolName, usize> = BTreeMap::new();
        for part in parts {
            match part {
                Part::Pool { pool, labels, count, .. } => {
                    *asked.entry(pool.clone()).or_default() += *count as usize;
                    let fits = |thing: &&super::naive::Thing| {
                        labels.iter().all(|(key, value)| thing.labels.get(key) == Some(value))
                    };
                    if !labels.is_empty() && self.members(pool).filter(fits).count() < *count as usize {
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
}

fn fate_text(fate: &Fate) -> String {
    match fate {
        Fate::Waits => "waits".into(),
        Fate::Granted(lease, _) => format!("granted {lease}"),
        Fate::Withdrawn(_) => "withdrawn".into(),
        Fate::Lapsed(_) => "lapsed".into(),
    }
}

/// Rules 1–3 of the locker; repetitions collapse.
fn check(lock: &ContestLock) -> Result<(Owner, Vec<Target>), String> {
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
