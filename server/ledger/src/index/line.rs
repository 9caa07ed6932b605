//! Lines: who waits for what, in order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use imbl::{OrdMap, OrdSet};

use crate::command::Wanted;
use crate::index::{Index, silence};
use crate::lease::Dialect;
use crate::name::{Target, Text};
use crate::request::{Part, Request, RequestId, matching};
use crate::resource::Resource;
use crate::time::Time;

/// A place in line: higher priority first, then first come first served (promise P5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn(pub(crate) Reverse<i32>, pub(crate) RequestId);

/// Which of a line's resources will do. In the order in which one request's demands are served: what has no choice
/// first, what has every choice last, and those between are shared out together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Selector {
    /// This one.
    Name(Target),
    /// Any that carries these labels.
    Labels(BTreeMap<Text, Text>),
    /// Any.
    Any,
}

impl Selector {
    pub(crate) fn is_by_labels(&self) -> bool {
        matches!(self, Self::Labels(_))
    }
}

/// The live waiters for one pool and state, or for one unregistered target. Waiters that want the same are in one
/// group, so that those whom nothing on the shelf can help are passed over together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Everybody, once.
    pub(crate) turns: OrdSet<Turn>,
    pub(crate) groups: OrdMap<Selector, OrdSet<Turn>>,
}

/// One thing that a request wants of one line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Demand {
    pub(crate) wanted: Wanted,
    pub(crate) selector: Selector,
    pub(crate) count: u32,
}

pub(crate) type Registry = OrdMap<Target, std::sync::Arc<Resource>>;

/// What `parts` amount to, line by line, the demands of each line in the order of [`Selector`]; the same demand twice is one
/// demand for the sum.
pub(crate) fn demands(parts: &[Part], resources: &Registry) -> Vec<Demand> {
    let mut sums: BTreeMap<(Wanted, Selector), u32> = BTreeMap::new();
    for part in parts {
        each_want(part, resources, |wanted, selector, count| {
            let named = matches!(selector, Selector::Name(_));
            let sum = sums.entry((wanted, selector)).or_default();
            *sum = if named { 1 } else { sum.saturating_add(count) };
        });
    }
    sums.into_iter().map(|((wanted, selector), count)| Demand { wanted, selector, count }).collect()
}

/// Calls `tell` with everything that one part wants, in the order asked for.
fn each_want(part: &Part, resources: &Registry, mut tell: impl FnMut(Wanted, Selector, u32)) {
    match part {
        Part::Pool { pool, state, labels, count } => {
            let selector = if labels.is_empty() { Selector::Any } else { Selector::Labels(labels.clone()) };
            tell(Wanted::Pool(pool.clone(), state.clone()), selector, *count);
        }
        Part::Named { targets, pool, state } => {
            for target in targets {
                let pool = pool.as_ref().or_else(|| resources.get(target).map(|resource| &resource.pool));
                let wanted = match pool {
                    Some(pool) => Wanted::Pool(pool.clone(), state.clone()),
                    None => Wanted::Target(target.clone()),
                };
                tell(wanted, Selector::Name(target.clone()), 1);
            }
        }
    }
}

/// The whole offers for `demands`, which are those of `parts`, in the order in which `parts` asks for them.
pub(crate) fn arranged(
    parts: &[Part],
    resources: &Registry,
    demands: &[Demand],
    offers: Vec<Vec<Target>>,
) -> Vec<Target> {
    let mut left: Vec<_> = offers.into_iter().map(Vec::into_iter).collect();
    if let [only] = left.as_mut_slice() {
        return only.collect();
    }
    let mut targets = Vec::new();
    for part in parts {
        each_want(part, resources, |wanted, selector, count| {
            let place = demands
                .binary_search_by(|demand| (&demand.wanted, &demand.selector).cmp(&(&wanted, &selector)));
            if let Ok(place) = place {
                targets.extend(left[place].by_ref().take(count as usize));
            }
        });
    }
    targets
}

pub(crate) fn turn(request: &Request) -> Turn {
    Turn(Reverse(request.priority), request.id)
}

/// Whether a request stands in its lines: it waits, and has not fallen silent.
fn stands(request: &Request) -> bool {
    request.waits() && !request.dormant
}

impl Index {
    pub(crate) fn request_came(&mut self, request: &Request, resources: &Registry) {
        self.look_at(request).insert((silence(request), request.id));
        *self.size_with(request) += request.size();
        if let Some(place) = poller(request) {
            self.pollers.insert(place, request.id);
        }
        if request.waits() {
            self.waiting_matching += matching(&request.parts);
            for target in named(request) {
                self.named.insert((target.clone(), request.id));
            }
        }
        if stands(request) {
            for demand in demands(&request.parts, resources) {
                self.join_line(demand.wanted, demand.selector, turn(request));
            }
        }
    }

    pub(crate) fn request_went(&mut self, request: &Request, resources: &Registry) {
        self.look_at(request).remove(&(silence(request), request.id));
        *self.size_with(request) -= request.size();
        if let Some(place) = poller(request) {
            self.pollers.remove(&place);
        }
        if request.waits() {
            self.waiting_matching -= matching(&request.parts);
            for target in named(request) {
                self.named.remove(&(target.clone(), request.id));
            }
        }
        if stands(request) {
            for demand in demands(&request.parts, resources) {
                self.leave_line(&demand.wanted, &demand.selector, turn(request), true);
            }
        }
    }

    fn look_at(&mut self, request: &Request) -> &mut OrdSet<(Time, RequestId)> {
        if request.waits() { &mut self.silence } else { &mut self.outcomes }
    }

    fn size_with(&mut self, request: &Request) -> &mut usize {
        if request.waits() { &mut self.waiting_size } else { &mut self.outcomes_size }
    }

    fn join_line(&mut self, wanted: Wanted, selector: Selector, turn: Turn) {
        let line = self.lines.entry(wanted).or_default();
        line.turns.insert(turn);
        line.groups.entry(selector).or_default().insert(turn);
    }

    /// `for_good` unless the same request has another demand in this line.
    fn leave_line(&mut self, wanted: &Wanted, selector: &Selector, turn: Turn, for_good: bool) {
        let Some(line) = self.lines.get_mut(wanted) else { return };
        if let Some(group) = line.groups.get_mut(selector) {
            group.remove(&turn);
            if group.is_empty() {
                line.groups.remove(selector);
            }
        }
        if for_good {
            line.turns.remove(&turn);
        }
        if line.groups.is_empty() {
            self.lines.remove(wanted);
        }
    }

    /// Puts those who wait for `target` by name into the right line after it was registered, moved to another
    /// pool or deleted. `resources` is the registry as it is now.
    pub(crate) fn reline(
        &mut self,
        target: &Target,
        before: Option<&Resource>,
        requests: &OrdMap<RequestId, std::sync::Arc<Request>>,
        resources: &Registry,
    ) {
        let first = (target.clone(), RequestId(0));
        let waiting: Vec<RequestId> =
            self.named.range(first..).take_while(|(name, _)| name == target).map(|&(_, id)| id).collect();
        for id in waiting {
            let Some(request) = requests.get(&id).filter(|request| stands(request)) else { continue };
            for state in states_wanted(request, target) {
                let selector = Selector::Name(target.clone());
                let wanted = |resource: Option<&Resource>| match resource {
                    Some(resource) => Wanted::Pool(resource.pool.clone(), state.clone()),
                    None => Wanted::Target(target.clone()),
                };
                let (from, to) = (wanted(before), wanted(resources.get(target).map(AsRef::as_ref)));
                let others = demands(&request.parts, resources);
                let for_good = others.iter().all(|demand| demand.wanted != from);
                self.leave_line(&from, &selector, turn(request), for_good);
                self.join_line(to, selector, turn(request));
            }
        }
    }
}

fn poller(request: &Request) -> Option<(crate::PoolName, crate::State, Text)> {
    match (request.dialect, request.parts.as_slice(), &request.key) {
        (Dialect::Boskos, [Part::Pool { pool, state, .. }], Some(key)) if request.waits() => {
            Some((pool.clone(), state.clone(), key.clone()))
        }
        _ => None,
    }
}

/// Targets that will do whichever pool they are in, or in none.
fn named(request: &Request) -> impl Iterator<Item = &Target> {
    request.parts.iter().flat_map(|part| match part {
        Part::Named { targets, pool: None, .. } => targets.as_slice(),
        Part::Named { .. } | Part::Pool { .. } => &[],
    })
}

fn states_wanted<'a>(request: &'a Request, target: &Target) -> impl Iterator<Item = &'a crate::State> {
    request.parts.iter().filter_map(move |part| match part {
        Part::Named { targets, pool: None, state } if targets.contains(target) => Some(state),
        _ => None,
    })
}
