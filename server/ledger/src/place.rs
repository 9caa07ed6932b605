//! Places: where those who wait stand, and what keeps them waiting.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::command::Wanted;
use crate::index::{Demand, Index, Selector, Turn, demands, turn};
use crate::refusal::Conflict;
use crate::request::{Request, RequestId};
use crate::state::Ledger;
use crate::walk::Walk;

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// 1 is next. The number of requests ahead in the longest of its lines, plus one.
    pub position: u64,
    /// What it waits for, demand by demand.
    pub blockers: Vec<Blocker>,
}

/// One thing that a request waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The pool and state, or the unregistered target.
    pub wanted: Wanted,
    /// How many are wanted.
    pub count: u32,
    /// How many are there for it, after everybody ahead has had their share.
    pub there: u32,
    /// Whether there is no such pool, or none any more: waiting brings nothing before somebody makes it.
    pub pool_missing: bool,
    /// Who holds what it could use, at most [`Blocker::HOLDERS_MAX`] of them.
    pub holders: Vec<Conflict>,
}

impl Blocker {
    /// Most holders that a blocker names.
    pub const HOLDERS_MAX: usize = 10;
}

/// One demand of one of several requests whose places are found together.
struct Stand<'a> {
    turn: Turn,
    demand: &'a Demand,
    ahead: u64,
    there: usize,
}

impl Ledger {
    /// Where a waiting request stands; `None` for one that does not wait.
    #[must_use]
    pub fn place(&self, id: RequestId) -> Option<Place> {
        let request = self.requests.get(&id).filter(|request| request.waits())?;
        let demands = demands(&request.parts, &self.resources);
        let turn = turn(request);
        let ahead = demands.iter().map(|demand| self.index.ahead(&demand.wanted, turn)).max();
        let there = self.offers(&demands, turn);
        let blockers = demands.into_iter().zip(there).map(|(demand, there)| {
            let holders = self.holders(&demand, Blocker::HOLDERS_MAX);
            self.blocker(demand, there.len(), holders)
        });
        Some(Place { position: ahead.unwrap_or(0) + 1, blockers: blockers.collect() })
    }

    /// Where each of `requests` stands that waits: what [`place`](Self::place) says one by one, with a single walk
    /// along each line. For a page of a list, which else would cost the square of the line.
    #[must_use]
    pub fn places(&self, requests: &[Arc<Request>]) -> BTreeMap<RequestId, Place> {
        let waiting = requests.iter().filter(|request| request.waits());
        let asked: Vec<(Turn, Vec<Demand>)> =
            waiting.map(|request| (turn(request), demands(&request.parts, &self.resources))).collect();
        let mut lines: BTreeMap<&Wanted, Vec<Stand<'_>>> = BTreeMap::new();
        for (turn, demands) in &asked {
            for demand in demands {
                let stand = Stand { turn: *turn, demand, ahead: 0, there: 0 };
                lines.entry(&demand.wanted).or_default().push(stand);
            }
        }
        let mut holders: BTreeMap<(&Wanted, &Selector), Vec<Conflict>> = BTreeMap::new();
        let mut places: BTreeMap<RequestId, Place> = BTreeMap::new();
        for (wanted, mut stands) in lines {
            stands.sort_by_key(|stand| (stand.turn, &stand.demand.selector));
            self.count_ahead(wanted, &mut stands);
            self.count_there(wanted, &mut stands);
            for Stand { turn, demand, ahead, there } in stands {
                let place = places.entry(turn.1).or_insert(Place { position: 1, blockers: Vec::new() });
                place.position = place.position.max(ahead + 1);
                let known = holders
                    .entry((wanted, &demand.selector))
                    .or_insert_with(|| self.holders(demand, Blocker::HOLDERS_MAX));
                place.blockers.push(self.blocker(demand.clone(), there, known.clone()));
            }
        }
        places
    }

    fn blocker(&self, demand: Demand, there: usize, holders: Vec<Conflict>) -> Blocker {
        let pool_missing = match &demand.wanted {
            Wanted::Pool(pool, _) => !self.pools.contains_key(pool),
            Wanted::Target(_) => false,
        };
        let there = u32::try_from(there).unwrap_or(u32::MAX);
        Blocker { wanted: demand.wanted, count: demand.count, there, pool_missing, holders }
    }

    /// How many of the line are ahead of each of `stands`, which are sorted.
    fn count_ahead(&self, wanted: &Wanted, stands: &mut [Stand<'_>]) {
        let Some(line) = self.index.lines.get(wanted) else { return };
        let (mut line, mut passed) = (line.turns.iter().peekable(), 0);
        for stand in stands {
            while line.next_if(|turn| **turn < stand.turn).is_some() {
                passed += 1;
            }
            stand.ahead = passed;
        }
    }

    /// How much is there for each of `stands`, which are sorted.
    fn count_there(&self, wanted: &Wanted, stands: &mut [Stand<'_>]) {
        let mut walk = Walk::new(self, wanted);
        for mine in stands.chunk_by_mut(|a, b| a.turn == b.turn) {
            let turn = mine[0].turn;
            walk.skip_to(turn);
            let in_line = self.requests.get(&turn.1).is_some_and(|request| !request.dormant);
            if in_line {
                let shares = walk.shares_of(turn);
                for stand in mine {
                    stand.there = shares.get(&stand.demand.selector).copied().unwrap_or(0);
                }
            } else {
                // It reserves nothing, so what it could use stays there for those behind.
                let wants: Vec<_> = mine.iter().map(|s| (&s.demand.selector, s.demand.count)).collect();
                for (stand, share) in mine.iter_mut().zip(walk.shares(&wants)) {
                    stand.there = share.len();
                }
            }
        }
    }
}

impl Index {
    /// How many stand ahead of `turn` in a line.
    fn ahead(&self, wanted: &Wanted, turn: Turn) -> u64 {
        let Some(line) = self.lines.get(wanted) else { return 0 };
        let ahead = match line.turns.get_max() {
            Some(&last) if last < turn => line.turns.len(),
            Some(&last) if last == turn => line.turns.len() - 1,
            _ => line.turns.range(..turn).count(),
        };
        ahead as u64
    }
}
