//! Shortages: why what somebody asks for is not there now, and who has it.

use std::sync::Arc;

use crate::command::Wanted;
use crate::index::{Demand, Selector, held};
use crate::lease::Lock;
use crate::limits;
use crate::name::{PoolName, State, Target};
use crate::place::Blocker;
use crate::refusal::Conflict;
use crate::state::Ledger;

/// How many members of a pool one demand cannot have, by the first reason that applies to each.
#[derive(Default)]
struct Reasons {
    held: u64,
    cordoned: u64,
    /// What the first cordon says.
    message: Option<String>,
    /// Free to take, but in another state.
    elsewhere: u64,
    /// That state, if it is one only.
    state: Option<State>,
    /// In the state asked for, and kept for somebody else.
    reserved: u64,
    /// In the state asked for, and needed by other parts of the same request.
    own: u64,
    /// Without the labels asked for.
    unlabelled: u64,
    /// Not looked at, because there are too many.
    unseen: u64,
}

impl Ledger {
    /// What is missing for each demand that got less than it wants.
    pub(crate) fn missing(&self, demands: &[Demand], offers: &[Vec<Target>]) -> Vec<Conflict> {
        let short = demands.iter().zip(offers).filter(|(d, offer)| offer.len() < d.count as usize);
        short
            .flat_map(|(demand, offer)| {
                let others = demands.iter().zip(offers).filter(|(other, _)| *other != demand);
                let others = others.filter(|(other, _)| other.wanted == demand.wanted);
                let own = others.flat_map(|(_, offer)| offer);
                let own = own.filter(|target| self.fits(target, &demand.selector)).count();
                self.missing_for(demand, offer.len(), own as u64)
            })
            .collect()
    }

    fn missing_for(&self, demand: &Demand, there: usize, own: u64) -> Vec<Conflict> {
        let mut conflicts = self.holders(demand, Blocker::HOLDERS_MAX);
        let (target, pool, why) = match (&demand.selector, &demand.wanted) {
            (Selector::Name(target), wanted)
            | (Selector::Any | Selector::Labels(_), wanted @ Wanted::Target(target)) => {
                if !conflicts.is_empty() {
                    return conflicts;
                }
                (Some(target), self.resources.get(target).map(|r| &r.pool), self.why_not(target, wanted))
            }
            (selector, Wanted::Pool(pool, state)) => {
                let reasons = Reasons { own, ..self.reasons(selector, pool, state, there as u64 + own) };
                let why =
                    format!("{there} of {} to be had in state {state}{}", demand.count, reasons.in_words());
                (None, Some(pool), why)
            }
        };
        let (target, pool) = (target.cloned(), pool.cloned());
        let why = Some(why);
        conflicts.insert(0, Conflict { target, pool, holder: None, lease: None, until: None, why });
        conflicts
    }

    /// Why a target cannot be had that nobody holds and that is not cordoned.
    fn why_not(&self, target: &Target, wanted: &Wanted) -> String {
        match (self.resources.get(target), wanted) {
            (Some(resource), Wanted::Pool(pool, _)) if resource.pool != *pool => {
                format!("in pool {}, not {pool}", resource.pool)
            }
            (Some(resource), Wanted::Pool(_, state)) if resource.state != *state => {
                format!("in state {}, not {state}", resource.state)
            }
            (None, Wanted::Pool(pool, _)) => format!("not a resource of pool {pool}"),
            (Some(_) | None, _) => "reserved for requests ahead".to_owned(),
        }
    }

    /// `mine` of those in the state asked for are for this request.
    fn reasons(&self, selector: &Selector, pool: &PoolName, state: &State, mine: u64) -> Reasons {
        let mut reasons = match selector {
            Selector::Labels(_) => self.reasons_by_label(selector, pool, state),
            Selector::Any | Selector::Name(_) => self.reasons_by_count(pool, state),
        };
        reasons.reserved = reasons.reserved.saturating_sub(mine);
        reasons
    }

    /// From counts alone, apart from the words of the first cordon.
    fn reasons_by_count(&self, pool: &PoolName, state: &State) -> Reasons {
        let mut reasons = Reasons::default();
        let Some(members) = self.index.members.get(pool) else { return reasons };
        let mut idle = members.all.len() as u64 - members.held;
        let shelves = self.index.shelves.range((pool.clone(), State::lowest())..);
        let shelves = shelves.take_while(|((name, _), _)| name == pool);
        for ((_, stocked), shelf) in shelves.take(limits::STATES_SCANNED_MAX) {
            let count = shelf.all.len() as u64;
            idle = idle.saturating_sub(count);
            reasons.note_idle(stocked, state, count);
        }
        reasons.held = members.held;
        reasons.cordoned = idle;
        if idle > 0 {
            let known = members.all.iter().take(limits::MEMBERS_SCANNED_MAX);
            let mut unheld = known.filter(|target| !held(self.locks.get(*target).map(AsRef::as_ref)));
            reasons.message = unheld.find_map(|target| self.cordon_of(target));
        }
        reasons
    }

    /// By looking at the members with the labels.
    fn reasons_by_label(&self, selector: &Selector, pool: &PoolName, state: &State) -> Reasons {
        let mut reasons = Reasons::default();
        let (Selector::Labels(labels), Some(members)) = (selector, self.index.members.get(pool)) else {
            return reasons;
        };
        let carrying = members.labelled.count(labels);
        reasons.unlabelled = (members.all.len() - carrying) as u64;
        reasons.unseen = carrying.saturating_sub(limits::MEMBERS_SCANNED_MAX) as u64;
        for target in members.labelled.carrying(labels).take(limits::MEMBERS_SCANNED_MAX) {
            if held(self.locks.get(target).map(AsRef::as_ref)) {
                reasons.held += 1;
            } else if let Some(message) = self.cordon_of(target) {
                reasons.cordoned += 1;
                reasons.message.get_or_insert(message);
            } else if let Some(resource) = self.resources.get(target) {
                reasons.note_idle(&resource.state, state, 1);
            }
        }
        reasons
    }

    fn cordon_of(&self, target: &Target) -> Option<String> {
        self.resources.get(target)?.cordon().map(|cordon| cordon.message.to_string())
    }

    /// Those who hold what a demand could use, at most `most` of them, those who end first before the others. Of more
    /// than [`limits::HOLDERS_COMPARED_MAX`] those with the first names are compared.
    pub(crate) fn holders(&self, demand: &Demand, most: usize) -> Vec<Conflict> {
        match (&demand.selector, &demand.wanted) {
            (Selector::Name(target), _) | (Selector::Any | Selector::Labels(_), Wanted::Target(target)) => {
                self.conflict(target).into_iter().collect()
            }
            (selector, Wanted::Pool(pool, _)) => {
                let members = self.index.members.get(pool).into_iter();
                let members =
                    members.flat_map(|members| members.all.iter()).take(limits::MEMBERS_SCANNED_MAX);
                let members = members.filter(|target| self.fits(target, selector));
                let locks = members.filter_map(|target| self.locks.get(target));
                let locks = locks.filter(|lock| held(Some(lock))).take(limits::HOLDERS_COMPARED_MAX);
                let mut ends: Vec<&Arc<Lock>> = locks.collect();
                ends.sort_by_key(|lock| (lock.deadline.is_none(), lock.deadline));
                ends.into_iter().take(most).filter_map(|lock| self.conflict(&lock.target)).collect()
            }
        }
    }

    /// Why this target cannot be had now, if somebody holds it or it is cordoned.
    pub(crate) fn conflict(&self, target: &Target) -> Option<Conflict> {
        let resource = self.resources.get(target);
        let pool = resource.map(|resource| resource.pool.clone());
        let lock = self.locks.get(target).filter(|lock| held(Some(lock)));
        let cordon = resource.and_then(|resource| resource.cordon());
        if lock.is_none() && cordon.is_none() {
            return None;
        }
        Some(Conflict {
            target: Some(target.clone()),
            pool,
            holder: lock.map(|lock| lock.owner.clone()),
            lease: lock.map(|lock| lock.lease),
            until: match lock {
                Some(lock) => lock.deadline,
                None => cordon.and_then(|cordon| cordon.until),
            },
            why: cordon.map(|cordon| match &*cordon.message {
                "" => "cordoned".to_owned(),
                message => format!("cordoned: {message}"),
            }),
        })
    }
}

impl Reasons {
    /// `count` can be taken in state `stocked`, where `asked` was asked for.
    fn note_idle(&mut self, stocked: &State, asked: &State, count: u64) {
        if stocked == asked {
            self.reserved += count;
            return;
        }
        self.state =
            (self.elsewhere == 0).then(|| stocked.clone()).or(self.state.take().filter(|s| s == stocked));
        self.elsewhere += count;
    }

    /// `: 3 held, 1 cordoned (fan broken), 2 in state dirty`; empty if there is nothing to say.
    fn in_words(&self) -> String {
        let message = self.message.as_deref().filter(|message| !message.is_empty());
        let message = message.map_or_else(String::new, |message| format!(" ({message})"));
        let state = self.state.as_ref().map_or("other states".to_owned(), |state| format!("state {state}"));
        let said: Vec<String> = [
            (self.held, "held".to_owned()),
            (self.cordoned, format!("cordoned{message}")),
            (self.elsewhere, format!("in {state}")),
            (self.reserved, "reserved".to_owned()),
            (self.own, "for other parts of the request".to_owned()),
            (self.unlabelled, "without the labels".to_owned()),
            (self.unseen, "not looked at".to_owned()),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        if said.is_empty() { String::new() } else { format!(": {}", said.join(", ")) }
    }
}
