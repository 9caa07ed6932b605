//! The walk along a line: who would get what, in order, if everything on the shelf were handed out now.
//!
//! Everybody in line reserves what they can use of what is there, up to what they want, in the order of their
//! turns; a request that has not got all of it keeps its share back from those behind it (design §3.3). The walk
//! ends when nothing is left that anybody behind could use, so it costs as much as there is to hand out plus the
//! number of different selectors, times the different sets of labels that a selector has to look at; not as much as
//! there are waiters or resources.
//!
//! What one request wants by name it gets first, then what it wants by labels, shared out among these parts so that as
//! much as possible of each is met (`sharing.rs`), then what it wants of any kind.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::command::Wanted;
use crate::index::{Demand, Selector, Turn, demands, held};
use crate::name::Target;
use crate::request::{Part, RequestId};
use crate::sharing::{Claim, share_out};
use crate::state::Ledger;

type Candidates<'a> = Box<dyn Iterator<Item = &'a Target> + 'a>;

pub(crate) struct Walk<'a> {
    ledger: &'a Ledger,
    wanted: &'a Wanted,
    heads: BTreeSet<(Turn, &'a Selector)>,
    cursors: BTreeMap<&'a Selector, Cursor<'a>>,
    taken: BTreeSet<Target>,
    /// Who has everything already, and reserves nothing when their turn comes.
    served: BTreeSet<RequestId>,
}

/// What is left of what a selector can use.
struct Cursor<'a> {
    /// Looked at before, and not handed out then.
    seen: VecDeque<&'a Target>,
    rest: Candidates<'a>,
}

/// What somebody gets with one selector, or with all that go by labels.
type Share<'a> = Vec<(&'a Selector, Vec<Target>)>;

impl<'a> Walk<'a> {
    pub(crate) fn new(ledger: &'a Ledger, wanted: &'a Wanted) -> Self {
        let mut heads = BTreeSet::new();
        if let Some(line) = ledger.index.lines.get(wanted) {
            for (selector, group) in &line.groups {
                if ledger.candidates(wanted, selector).next().is_some()
                    && let Some(&first) = group.get_min()
                {
                    heads.insert((first, selector));
                }
            }
        }
        Self {
            ledger,
            wanted,
            heads,
            cursors: BTreeMap::new(),
            taken: BTreeSet::new(),
            served: BTreeSet::new(),
        }
    }

    /// Takes up to `count` of what `selector` can use and nobody ahead has reserved.
    pub(crate) fn pick(&mut self, selector: &'a Selector, count: u32) -> Vec<Target> {
        let picked = self.peek(selector, count as usize, &BTreeSet::new());
        let picked: Vec<Target> = picked.into_iter().cloned().collect();
        self.reserve(&picked);
        picked
    }

    /// What one request would get with each of `wants`, which are sorted by selector; nothing is reserved by that.
    pub(crate) fn shares(&mut self, wants: &[(&'a Selector, u32)]) -> Vec<Vec<Target>> {
        let mut mine = BTreeSet::new();
        let mut shares = Vec::with_capacity(wants.len());
        for alike in wants.chunk_by(|(a, _), (b, _)| a.is_by_labels() && b.is_by_labels()) {
            let got = self.together(alike, &mine);
            mine.extend(got.iter().flatten().copied());
            shares.extend(got.into_iter().map(|share| share.into_iter().cloned().collect()));
        }
        shares
    }

    /// The same for `wants` that can use some of the same targets, none of `others`.
    fn together(
        &mut self,
        wants: &[(&'a Selector, u32)],
        others: &BTreeSet<&'a Target>,
    ) -> Vec<Vec<&'a Target>> {
        if let &[(selector, count)] = wants {
            return vec![self.peek(selector, count as usize, others)];
        }
        let ledger = self.ledger;
        let aged = |target: &'a Target| (ledger.resources.get(target).map(|r| r.updated_at), target);
        let total = wants.iter().map(|&(_, count)| count as usize).sum();
        let claims: Vec<Claim<_>> = wants
            .iter()
            .map(|&(selector, count)| {
                let usable = self.peek(selector, total, others).into_iter().map(aged).collect();
                Claim { count: count as usize, usable }
            })
            .collect();
        let shares = share_out(&claims, |(_, target), claim| ledger.fits(target, wants[claim].0));
        shares.into_iter().map(|share| share.into_iter().map(|(_, target)| target).collect()).collect()
    }

    /// Up to `count` of what `selector` can use, without `others`, and without reserving it.
    fn peek(
        &mut self,
        selector: &'a Selector,
        count: usize,
        others: &BTreeSet<&'a Target>,
    ) -> Vec<&'a Target> {
        let (cursor, taken) = self.cursor(selector);
        let (mut looked_at, mut found) = (Vec::new(), Vec::new());
        while found.len() < count
            && let Some(target) = cursor.seen.pop_front().or_else(|| cursor.rest.next())
        {
            if taken.contains(target) {
                continue;
            }
            looked_at.push(target);
            if !others.contains(target) {
                found.push(target);
            }
        }
        for target in looked_at.into_iter().rev() {
            cursor.seen.push_front(target);
        }
        found
    }

    fn cursor(&mut self, selector: &'a Selector) -> (&mut Cursor<'a>, &BTreeSet<Target>) {
        let (ledger, wanted) = (self.ledger, self.wanted);
        let cursor = self
            .cursors
            .entry(selector)
            .or_insert_with(|| Cursor { seen: VecDeque::new(), rest: ledger.candidates(wanted, selector) });
        (cursor, &self.taken)
    }

    /// Whose turn it is; none if nothing is left that anybody behind could use.
    pub(crate) fn head(&self) -> Option<Turn> {
        self.heads.first().map(|&(turn, _)| turn)
    }

    /// Lets everybody ahead of `turn` reserve their share.
    pub(crate) fn skip_to(&mut self, turn: Turn) {
        while self.head().is_some_and(|head| head < turn) {
            self.pass();
        }
    }

    /// Lets the one at `turn` reserve their share, too.
    pub(crate) fn skip_past(&mut self, turn: Turn) {
        while self.head().is_some_and(|head| head <= turn) {
            self.pass();
        }
    }

    /// What somebody in this line, whom the walk has come to, would get with each of their `demands` here; nothing is
    /// reserved by that.
    pub(crate) fn offer(&mut self, demands: &[Demand]) -> Option<Vec<Vec<Target>>> {
        let ledger = self.ledger;
        let line = ledger.index.lines.get(self.wanted)?;
        let want = |demand: &Demand| {
            line.groups.get_key_value(&demand.selector).map(|(selector, _)| (selector, demand.count))
        };
        let wants: Vec<_> = demands.iter().map(want).collect::<Option<_>>()?;
        Some(self.shares(&wants))
    }

    /// How much the one at `turn`, whom the walk has come to, gets with each of its selectors; none with those that
    /// are missing.
    pub(crate) fn shares_of(&mut self, turn: Turn) -> BTreeMap<&'a Selector, usize> {
        let mut shares = BTreeMap::new();
        while self.head() == Some(turn) {
            shares.extend(self.pass().into_iter().map(|(selector, targets)| (selector, targets.len())));
        }
        shares
    }

    /// Keeps `targets` from everybody behind.
    pub(crate) fn reserve(&mut self, targets: &[Target]) {
        self.taken.extend(targets.iter().cloned());
    }

    /// Accounts for a request that has everything it wants, of this line `targets`.
    pub(crate) fn serve(&mut self, request: RequestId, targets: &[Target]) {
        self.served.insert(request);
        self.reserve(targets);
    }

    /// Lets the one whose turn it is reserve their share, and goes on.
    ///
    /// A selector with which somebody did not get all leaves the walk: nothing is left that it could use.
    fn pass(&mut self) -> Share<'a> {
        let Some((turn, selectors)) = self.next_heads() else { return Vec::new() };
        if self.served.contains(&turn.1) {
            for selector in selectors {
                self.advance(turn, selector);
            }
            return Vec::new();
        }
        let wants: Vec<(&Selector, u32)> =
            selectors.into_iter().map(|selector| (selector, self.want(turn.1, selector))).collect();
        let got = self.together(&wants, &BTreeSet::new());
        let mut share = Vec::with_capacity(wants.len());
        for ((selector, want), targets) in wants.into_iter().zip(got) {
            let targets: Vec<Target> = targets.into_iter().cloned().collect();
            self.reserve(&targets);
            if targets.len() == want as usize {
                self.advance(turn, selector);
            }
            share.push((selector, targets));
        }
        share
    }

    /// Whose turn it is, and with what: one selector, or all of the turn that go by labels.
    fn next_heads(&mut self) -> Option<(Turn, Vec<&'a Selector>)> {
        let (turn, first) = self.heads.pop_first()?;
        let mut selectors = vec![first];
        while let Some(&(head, next)) = self.heads.first()
            && head == turn
            && first.is_by_labels()
            && next.is_by_labels()
        {
            self.heads.pop_first();
            selectors.push(next);
        }
        Some((turn, selectors))
    }

    fn advance(&mut self, turn: Turn, selector: &'a Selector) {
        let group = self.ledger.index.lines.get(self.wanted).and_then(|line| line.groups.get(selector));
        let behind = (std::ops::Bound::Excluded(turn), std::ops::Bound::Unbounded);
        if let Some(&next) = group.and_then(|group| group.range(behind).next()) {
            self.heads.insert((next, selector));
        }
    }

    fn want(&self, request: RequestId, selector: &Selector) -> u32 {
        // Without looking at the request, which may name thousands.
        if matches!(selector, Selector::Name(_)) {
            return 1;
        }
        let Some(request) = self.ledger.requests.get(&request) else { return 0 };
        if let [Part::Pool { count, .. }] = request.parts.as_slice() {
            return *count;
        }
        let demands = demands(&request.parts, &self.ledger.resources);
        let mine = demands.iter().find(|d| d.wanted == *self.wanted && d.selector == *selector);
        mine.map_or(0, |demand| demand.count)
    }
}

impl Ledger {
    /// What `demands` would get at `turn`, one list per demand; shorter than wanted where not enough is there.
    ///
    /// `demands` must be sorted, so that those of one line follow each other.
    pub(crate) fn offers(&self, demands: &[Demand], turn: Turn) -> Vec<Vec<Target>> {
        let mut offers = Vec::with_capacity(demands.len());
        for same_line in demands.chunk_by(|a, b| a.wanted == b.wanted) {
            let mut walk = Walk::new(self, &same_line[0].wanted);
            walk.skip_to(turn);
            let wants: Vec<_> = same_line.iter().map(|demand| (&demand.selector, demand.count)).collect();
            offers.extend(walk.shares(&wants));
        }
        offers
    }

    /// Whether there is anything now that could be used for this, whoever else waits for it.
    pub(crate) fn has_any(&self, demand: &Demand) -> bool {
        self.candidates(&demand.wanted, &demand.selector).next().is_some()
    }

    /// What is there now for a selector, the least recently written first.
    fn candidates<'a>(&'a self, wanted: &'a Wanted, selector: &'a Selector) -> Candidates<'a> {
        let (pool, state) = match wanted {
            Wanted::Pool(pool, state) => (pool, state),
            Wanted::Target(target) => {
                let there =
                    !self.resources.contains_key(target) && !held(self.locks.get(target).map(AsRef::as_ref));
                return Box::new(there.then_some(target).into_iter());
            }
        };
        let Some(stock) = self.index.shelves.get(&(pool.clone(), state.clone())) else {
            return Box::new(std::iter::empty());
        };
        match selector {
            Selector::Any => Box::new(stock.all.iter().map(|(_, target)| target)),
            Selector::Name(target) => {
                let resource = self.resources.get(target);
                let there = resource.is_some_and(|r| stock.all.contains(&(r.updated_at, r.name.clone())));
                Box::new(there.then_some(target).into_iter())
            }
            Selector::Labels(labels) => Box::new(stock.labelled.carrying(labels).map(|(_, target)| target)),
        }
    }

    pub(crate) fn carries(&self, target: &Target, labels: &BTreeMap<crate::Text, crate::Text>) -> bool {
        self.resources.get(target).is_some_and(|resource| resource.details().labels.include(labels))
    }

    pub(crate) fn fits(&self, target: &Target, selector: &Selector) -> bool {
        match selector {
            Selector::Name(name) => name == target,
            Selector::Labels(labels) => self.carries(target, labels),
            Selector::Any => true,
        }
    }
}
