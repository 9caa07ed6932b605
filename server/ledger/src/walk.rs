//! The walk along a line: who would get what, in order, if everything on the shelf were handed out now.
//!
//! Everybody in line reserves what they can use of what is there, up to what they want, in the order of their
//! turns; a request that has not got all of it keeps its share back from those behind it (design §3.3). The walk
//! ends when nothing is left that anybody behind could use, so it costs as much as there is to hand out plus the
//! number of different selectors, times the different sets of labels that a selector has to look at; not as much as
//! there are waiters or resources.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::command::Wanted;
use crate::index::{Demand, Selector, Turn, demands, held};
use crate::name::Target;
use crate::request::{Part, RequestId};
use crate::state::Ledger;

type Candidates<'a> = Box<dyn Iterator<Item = &'a Target> + 'a>;

pub(crate) struct Walk<'a> {
    ledger: &'a Ledger,
    wanted: &'a Wanted,
    heads: BTreeSet<(Turn, &'a Selector)>,
    cursors: BTreeMap<&'a Selector, Cursor<'a>>,
    taken: BTreeSet<Target>,
}

/// What is left of what a selector can use.
struct Cursor<'a> {
    /// Looked at before, and not handed out then.
    seen: VecDeque<&'a Target>,
    rest: Candidates<'a>,
}

/// What the next one in line would get.
pub(crate) struct Share {
    pub(crate) request: RequestId,
    /// Whether it is all that this request wants of this line with this selector.
    pub(crate) whole: bool,
    pub(crate) targets: Vec<Target>,
}

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
        Self { ledger, wanted, heads, cursors: BTreeMap::new(), taken: BTreeSet::new() }
    }

    /// Takes up to `count` of what `selector` can use and nobody ahead has reserved.
    pub(crate) fn pick(&mut self, selector: &'a Selector, count: u32) -> Vec<Target> {
        let (cursor, taken) = self.cursor(selector);
        let seen = std::iter::from_fn(|| cursor.seen.pop_front().or_else(|| cursor.rest.next()));
        let picked: Vec<Target> =
            seen.filter(|target| !taken.contains(*target)).take(count as usize).cloned().collect();
        self.taken.extend(picked.iter().cloned());
        picked
    }

    /// Up to `count` of what `selector` can use, without `others`, and without reserving it.
    pub(crate) fn peek(
        &mut self,
        selector: &'a Selector,
        count: u32,
        others: &BTreeSet<&'a Target>,
    ) -> Vec<&'a Target> {
        let (cursor, taken) = self.cursor(selector);
        cursor.seen.retain(|target| !taken.contains(*target));
        let enough = others.len() + count as usize;
        let more = cursor.rest.by_ref().filter(|target| !taken.contains(*target));
        let more: Vec<&Target> = more.take(enough.saturating_sub(cursor.seen.len())).collect();
        cursor.seen.extend(more);
        let fit = cursor.seen.iter().filter(|target| !others.contains(*target));
        fit.take(count as usize).copied().collect()
    }

    fn cursor(&mut self, selector: &'a Selector) -> (&mut Cursor<'a>, &BTreeSet<Target>) {
        let (ledger, wanted) = (self.ledger, self.wanted);
        let cursor = self
            .cursors
            .entry(selector)
            .or_insert_with(|| Cursor { seen: VecDeque::new(), rest: ledger.candidates(wanted, selector) });
        (cursor, &self.taken)
    }

    /// Lets everybody ahead of `turn` reserve their share.
    pub(crate) fn skip_to(&mut self, turn: Turn) {
        while self.heads.first().is_some_and(|&(head, _)| head < turn) && self.next_share(|_| true).is_some()
        {
        }
    }

    /// How much the one at `turn`, whom the walk has come to, gets with each of its selectors; none with those that
    /// are missing.
    pub(crate) fn shares_of(&mut self, turn: Turn) -> BTreeMap<&'a Selector, usize> {
        let mut shares = BTreeMap::new();
        while let Some(&(head, selector)) = self.heads.first()
            && head == turn
            && let Some(share) = self.next_share(|_| true)
        {
            shares.insert(selector, share.targets.len());
        }
        shares
    }

    /// Keeps `targets` from everybody behind.
    pub(crate) fn reserve(&mut self, targets: &[Target]) {
        self.taken.extend(targets.iter().cloned());
    }

    /// The share of the next one in line for whom `counts` says yes.
    pub(crate) fn next_share(&mut self, counts: impl Fn(RequestId) -> bool) -> Option<Share> {
        loop {
            let (turn, selector) = self.heads.pop_first()?;
            let want = if counts(turn.1) { self.want(turn.1, selector) } else { 0 };
            let targets = self.pick(selector, want);
            let whole = targets.len() == want as usize;
            if whole {
                self.advance(turn, selector);
            }
            if want > 0 {
                return Some(Share { request: turn.1, whole, targets });
            }
        }
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
            offers.extend(same_line.iter().map(|demand| walk.pick(&demand.selector, demand.count)));
        }
        offers
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
}
