//! Dynamic pools: resources that come and go by themselves (`reference/boskos.md` §3.10, §5.3).

use std::sync::Arc;

use crate::apply::Draft;
use crate::command::Wanted;
use crate::event::EventKind;
use crate::index::{Demand, Line, Selector, demands};
use crate::lease::Dialect;
use crate::limits;
use crate::name::{PoolName, State, Target, Text};
use crate::pool::{Lifecycle, Pool, PoolOrigin};
use crate::resource::{Details, Origin, Resource};

/// Key of the user data that names what a composite resource is made of, as a YAML list.
const LEASED_RESOURCES: &str = "leasedResources";

impl Draft<'_> {
    pub(super) fn lifecycle_of(&self, pool: &PoolName) -> Option<&Lifecycle> {
        self.ledger.pools.get(pool)?.lifecycle.as_ref()
    }

    /// Brings one dynamic pool within its counts (D1–D6).
    pub(super) fn update_dynamic(&mut self, name: &PoolName) {
        let Some(pool) = self.ledger.pools.get(name).cloned() else { return };
        let Some(lifecycle) = &pool.lifecycle else { return };
        let tombstones = self.ledger.index.members.get(name).map(|members| members.tombstones.clone());
        for target in tombstones.into_iter().flatten() {
            self.erase(&target);
        }
        let (active, doomed) = self.counts(name);
        if active < lifecycle.min_count {
            self.create_some(&pool, lifecycle.min_count - active);
        }
        self.create_for_waiters(&pool);
        let surplus = active - doomed - lifecycle.max_count;
        if surplus > 0 {
            self.doom_surplus(name, usize::try_from(surplus).unwrap_or(usize::MAX));
        }
        if lifecycle.min_count == 0 && lifecycle.max_count == 0 && active == 0 {
            self.set_pool(Pool { lifecycle: None, ..Pool::clone(&pool) });
            self.drop_empty_pool(name);
        }
    }

    /// Dynamic resources that are not unowned tombstones, and those of them that wait for the cleaner.
    fn counts(&self, name: &PoolName) -> (i64, i64) {
        let Some(members) = self.ledger.index.members.get(name) else { return (0, 0) };
        let active = members.dynamic - members.tombstones.len() as u64;
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        (signed(active), signed(members.doomed.len() as u64))
    }

    /// Creates what is missing and may be made, or leaves the rest to the next step if that is a lot.
    fn create_some(&mut self, pool: &Pool, missing: i64) {
        if self.ledger.unfinished.contains(&pool.name) {
            return;
        }
        let missing = usize::try_from(missing).unwrap_or(usize::MAX).min(self.resources_left());
        if missing > limits::CREATED_PER_STEP_MAX {
            self.ledger.unfinished.insert(pool.name.clone());
        }
        for _ in 0..missing.min(limits::CREATED_PER_STEP_MAX) {
            let name = self.new_name();
            self.create(
                name,
                pool.name.clone(),
                pool.initial_state.clone(),
                Origin::Dynamic,
                Details::default(),
            );
        }
    }

    /// Marks idle resources, the greatest names first (D4).
    fn doom_surplus(&mut self, name: &PoolName, surplus: usize) {
        let Some(members) = self.ledger.index.members.get(name) else { return };
        let idle = members.idle.iter().rev().filter_map(|target| self.ledger.resources.get(target));
        let idle: Vec<Arc<Resource>> = idle.take(surplus).cloned().collect();
        for resource in idle {
            self.doom(&resource, "more than max-count");
        }
    }

    /// Marks a resource for the cleaner (D5).
    fn doom(&mut self, resource: &Resource, why: &str) {
        let next = self.rewrite(resource, |resource| resource.state = State::to_be_deleted());
        self.tell_state(resource, &next, why);
    }

    fn tell_state(&mut self, before: &Resource, after: &Resource, why: &str) {
        let mut event = self.resource_event(EventKind::ResourceChanged, after);
        event.from = Some(before.state.clone());
        event.note = Some(why.into());
        self.tell(event);
    }

    /// Marks idle resources whose lifespan is over (D2); "over" is strictly after.
    pub(super) fn end_lifespans(&mut self) {
        while let Some((at, target)) = self.ledger.index.lifespans.get_min().cloned()
            && at < self.now
        {
            let Some(resource) = self.ledger.resources.get(&target).cloned() else { return };
            self.doom(&resource, "its lifespan is over");
        }
    }

    /// The built-in cleaner: what has waited for a cleaner long enough gives back what it was made of and turns
    /// into a tombstone, which `update_dynamic` deletes.
    pub(super) fn clean_doomed(&mut self) {
        while let Some((at, target)) = self.ledger.index.doomed.get_min().cloned()
            && at.plus(limits::CLEANER_DELAY) < self.now
        {
            let Some(resource) = self.ledger.resources.get(&target).cloned() else { return };
            let made_of = resource.details().user_data.get(LEASED_RESOURCES).cloned();
            for part in made_of.iter().flat_map(yaml_list) {
                self.clean_part(&resource, part);
            }
            let next = self.rewrite(&resource, |resource| {
                resource.state = State::tombstone();
                let mut details = resource.details().clone();
                details.user_data.remove(LEASED_RESOURCES);
                resource.set_details(details);
            });
            self.tell_state(&resource, &next, "cleaned");
        }
    }

    /// A part goes back to be cleaned if it is still in the state that carries the whole's name.
    fn clean_part(&mut self, whole: &Resource, part: &str) {
        let part = self.ledger.resources.get(part).cloned();
        if let Some(part) =
            part.filter(|part| part.state.as_str() == whole.name.as_str() && !self.is_held(&part.name))
        {
            let next = self.rewrite(&part, |part| part.state = State::dirty());
            self.tell_state(&part, &next, "was part of a resource that is going away");
        }
    }

    /// Grows a pool for `/v1` waiters as soon as there is room: unlike Boskos pollers, who come back as newcomers
    /// (A5, A6), they would wait for ever for what was not there when they got in line.
    fn create_for_waiters(&mut self, pool: &Pool) {
        let all = self.ledger.member_count(pool.name.as_str());
        if pool
            .lifecycle
            .as_ref()
            .is_none_or(|lifecycle| usize::try_from(lifecycle.max_count).unwrap_or(0) <= all)
        {
            return;
        }
        let first = Wanted::Pool(pool.name.clone(), State::lowest());
        let lines = self.ledger.index.lines.range(first..);
        let lines = lines.map_while(|(wanted, line)| match wanted {
            Wanted::Pool(name, state) if *name == pool.name => Some((state, line)),
            Wanted::Pool(..) | Wanted::Target(_) => None,
        });
        let lines = lines.filter(|(state, _)| grows_for(pool, state));
        let short = lines.map(|(state, line)| self.short_of(pool, state, line)).max();
        if let Some(short) = short.filter(|short| *short > 0) {
            self.create_on_demand(&pool.name, short);
        }
    }

    /// How many more resources it takes to serve the last `/v1` waiter of a line who takes any, counting those
    /// that have the state that new ones have as on their way; looks no further than `max-count`.
    fn short_of(&self, pool: &Pool, state: &State, line: &Line) -> usize {
        let most = pool.lifecycle.as_ref().map_or(0, |lifecycle| lifecycle.max_count);
        let most = usize::try_from(most).unwrap_or(0);
        let stock = |state: &State| {
            let found = self.ledger.index.shelves.get(&(pool.name.clone(), state.clone()));
            found.map_or(0, |shelf| shelf.all.len())
        };
        let coming = if *state == pool.initial_state { 0 } else { stock(&pool.initial_state) };
        let (mut wanted, mut by_v1) = (0, 0);
        for turn in line.groups.get(&Selector::Any).into_iter().flatten() {
            let Some(request) = self.ledger.requests.get(&turn.1) else { continue };
            let demands = demands(&request.parts, &self.ledger.resources);
            let mine = demands.iter().filter(|demand| {
                demand.selector == Selector::Any
                    && matches!(&demand.wanted, Wanted::Pool(name, of) if *name == pool.name && of == state)
            });
            wanted += mine.map(|demand| demand.count as usize).sum::<usize>();
            if request.dialect == Dialect::V1 {
                by_v1 = wanted;
            }
            if wanted > most {
                break;
            }
        }
        by_v1.saturating_sub(stock(state) + coming)
    }

    /// Creates up to `wanted` resources for a newcomer in line, as far as `max-count` allows (A5).
    pub(super) fn create_on_demand(&mut self, pool: &PoolName, wanted: usize) {
        let Some(record) = self.ledger.pools.get(pool).cloned() else { return };
        let Some(lifecycle) = &record.lifecycle else { return };
        let all = self.ledger.member_count(pool.as_str());
        let room = usize::try_from(lifecycle.max_count).unwrap_or(0).saturating_sub(all);
        let wanted = i64::try_from(wanted.min(room)).unwrap_or(0);
        if wanted > 0 {
            self.create_some(&record, wanted);
        }
    }

    /// As [`Self::create_on_demand`], for every pool of a `/v1` request that got less than it wants.
    pub(super) fn create_for(&mut self, demands: &[Demand], offers: &[Vec<Target>]) {
        for (demand, offer) in demands.iter().zip(offers) {
            if let (Wanted::Pool(pool, state), Selector::Any) = (&demand.wanted, &demand.selector)
                && self.ledger.pools.get(pool).is_some_and(|pool| grows_for(pool, state))
            {
                self.create_on_demand(pool, (demand.count as usize).saturating_sub(offer.len()));
            }
        }
    }

    /// Sees off a resource that left the pools file, or moved in it, while it was held.
    pub(super) fn see_off(&mut self, target: &Target) {
        let Some(resource) = self.ledger.resources.get(target).cloned() else { return };
        if resource.origin != Origin::Leaving || self.is_held(target) {
            return;
        }
        self.erase(target);
        if let Some(next) = &resource.details().moves_to
            && let Some(pool) = self.ledger.pools.get(&next.pool).cloned()
        {
            let details = Details { cordon: resource.cordon().cloned(), ..next.details.clone() };
            self.create(target.clone(), pool.name.clone(), next.state.clone(), Origin::Listed, details);
        }
    }

    /// A name for a dynamic resource: a UUID of version 4 made from the seed and the number of the event that will
    /// tell of its creation, so that no two are alike and a replay makes the same.
    fn new_name(&self) -> Target {
        let mut number = self.ledger.counters.event;
        loop {
            number += 1;
            let high = mix(self.ledger.settings.seed ^ mix(number));
            let low = mix(high ^ number);
            let text = uuid_v4(high, low);
            if !self.ledger.resources.contains_key(text.as_str())
                && let Ok(name) = Target::new(text)
            {
                return name;
            }
        }
    }
}

/// Whether a `/v1` waiter for this state can be helped by a new resource: it starts in it, or is cleaned into `free`. To
/// any other state, perhaps a typing error, nothing leads by itself.
fn grows_for(pool: &Pool, state: &State) -> bool {
    *state == pool.initial_state || *state == State::free()
}

/// A pool that nobody declares any more, on its way out.
pub(super) fn retired(pool: &Pool) -> Pool {
    let lifecycle = pool.lifecycle.as_ref().map(|lifecycle| Lifecycle {
        min_count: 0,
        max_count: 0,
        ..lifecycle.clone()
    });
    Pool { origin: PoolOrigin::Retired, lifecycle, ..pool.clone() }
}

/// `SplitMix64`'s finaliser: spreads consecutive numbers over all 64 bits (Steele et al., OOPSLA 2014).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// RFC 9562 §5.4.
fn uuid_v4(high: u64, low: u64) -> String {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// The items of a YAML list of plain names in block or flow style, which is all that mason and the cleaner write.
fn yaml_list(text: &Text) -> impl Iterator<Item = &str> {
    let trimmed = text.trim();
    let flow = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let (items, bullet) = match flow {
        Some(items) => (items, ""),
        None => (trimmed, "- "),
    };
    let items = items.split(if flow.is_some() { ',' } else { '\n' });
    items
        .filter_map(move |item| item.trim().strip_prefix(bullet))
        .map(|item| item.trim().trim_matches(['"', '\'']))
        .filter(|item| !item.is_empty())
}
