//! Handing out what became free to those who wait for it.
//!
//! All lines that something came to are walked together, so that everybody's turn comes once, and a walk along any other
//! line that they stand in never goes back. What that costs is therefore the sum of what is looked at for each of them, not
//! its square.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::apply::Draft;
use crate::apply::queue::is_whole;
use crate::change::Change;
use crate::command::{Acquire, Wanted};
use crate::index::{Demand, Turn, arranged, demands};
use crate::lease::Dialect;
use crate::name::Target;
use crate::reply::Settled;
use crate::request::{Outcome, Request, RequestId};
use crate::state::Ledger;
use crate::walk::Walk;

/// Lines as they were before the first grant. Grants only take away, and each walk accounts for them itself.
struct Handout<'a> {
    before: &'a Ledger,
    walks: BTreeMap<&'a Wanted, Walk<'a>>,
    /// Whose turn it is in each of the lines that something came to.
    next: BTreeSet<(Turn, &'a Wanted)>,
}

impl<'a> Handout<'a> {
    fn new(before: &'a Ledger, freed: &BTreeSet<Wanted>) -> Self {
        let mut handout = Self { before, walks: BTreeMap::new(), next: BTreeSet::new() };
        for wanted in freed {
            if let Some((wanted, walk)) = handout.walk(wanted) {
                let head = walk.head();
                handout.next.extend(head.map(|turn| (turn, wanted)));
            }
        }
        handout
    }

    /// The walk along a line, and that line; none if nobody stands there.
    fn walk(&mut self, wanted: &Wanted) -> Option<(&'a Wanted, &mut Walk<'a>)> {
        let (wanted, _) = self.before.index.lines.get_key_value(wanted)?;
        Some((wanted, self.walks.entry(wanted).or_insert_with(|| Walk::new(self.before, wanted))))
    }

    /// Whose turn it is, and in which of the lines.
    fn next(&mut self) -> Option<(Turn, Vec<&'a Wanted>)> {
        let &(turn, _) = self.next.first()?;
        let mut lines = Vec::new();
        while self.next.first().is_some_and(|&(next, _)| next == turn) {
            lines.extend(self.next.pop_first().map(|(_, line)| line));
        }
        Some((turn, lines))
    }

    /// What the request at `turn` gets with each of its demands, if that is all that it wants.
    fn whole(&mut self, turn: Turn, demands: &[Demand]) -> Option<Vec<Vec<Target>>> {
        if !demands.iter().all(|demand| self.before.has_any(demand)) {
            return None;
        }
        let mut offers = Vec::with_capacity(demands.len());
        for same_line in demands.chunk_by(|a, b| a.wanted == b.wanted) {
            let (_, walk) = self.walk(&same_line[0].wanted)?;
            walk.skip_to(turn);
            let offered = walk.offer(same_line)?;
            if !is_whole(same_line, &offered) {
                return None;
            }
            offers.extend(offered);
        }
        Some(offers)
    }

    /// Accounts in each line for what a request got there.
    fn give(&mut self, request: RequestId, demands: &[Demand], offers: &[Vec<Target>]) {
        for (demand, targets) in demands.iter().zip(offers) {
            if let Some((_, walk)) = self.walk(&demand.wanted) {
                walk.serve(request, targets);
            }
        }
    }

    /// Goes on in `lines` to whoever is behind `turn`.
    fn pass(&mut self, turn: Turn, lines: Vec<&'a Wanted>) {
        for line in lines {
            let Some((_, walk)) = self.walk(line) else { continue };
            walk.skip_past(turn);
            let head = walk.head();
            self.next.extend(head.map(|turn| (turn, line)));
        }
    }
}

impl Draft<'_> {
    /// Grants whatever the waiters in the freed lines can now have, in the order of their turns.
    pub(super) fn hand_out(&mut self) {
        let mut freed = std::mem::take(&mut self.freed);
        // For most of what becomes free nobody waits.
        freed.retain(|line| self.ledger.index.lines.contains_key(line));
        if freed.is_empty() {
            return;
        }
        let before = self.ledger.clone();
        let mut handout = Handout::new(&before, &freed);
        while let Some((turn, lines)) = handout.next() {
            if let Some(request) = before.requests.get(&turn.1)
                && request.dialect == Dialect::V1
            {
                let demands = demands(&request.parts, &before.resources);
                if let Some(offers) = handout.whole(turn, &demands) {
                    handout.give(request.id, &demands, &offers);
                    let targets = arranged(&request.parts, &before.resources, &demands, offers);
                    self.grant_request(request, targets);
                }
            }
            handout.pass(turn, lines);
        }
    }

    fn grant_request(&mut self, request: &Arc<Request>, targets: Vec<Target>) {
        let ask = Acquire {
            owner: request.owner.clone(),
            parts: request.parts.clone(),
            to_state: request.to_state.clone(),
            // It may have been asked for when the pool allowed more, or was not there yet.
            ttl: request.ttl.map(|ttl| self.clipped(ttl, &targets)),
            queue: true,
            wait_anyway: true,
            priority: request.priority,
            purpose: request.purpose.clone(),
            key: None,
        };
        let lease = self.grant_v1(&ask, targets, Some(request));
        let outcome = Some(Outcome::Granted { lease, at: self.now });
        self.record(Change::Request(Arc::new(Request { outcome, ..Request::clone(request) })));
        self.remember_grant(request, lease);
        if let Some(grant) = self.ledger.grant(lease) {
            self.settled.push((request.id, Settled::Granted(Box::new(grant))));
        }
    }
}
