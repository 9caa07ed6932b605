//! Resources by their labels.
//!
//! A lab has many resources and few different sets of labels. So resources are kept by the whole set that they carry,
//! and a selector looks at sets, not at resources: at those that have the label which the fewest sets have, in the
//! order of the first resource of each, and not further than it needs to.

use std::collections::BTreeMap;

use imbl::OrdMap;

use crate::index::few::{Few, put, take};
use crate::labels::Labels;
use crate::name::Text;

/// Where resources with labels stand. `P` orders them; no two stand at the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labelled<P: Ord + Clone> {
    sets: Sets<P>,
    /// The sets that have a label, each with its first place.
    heads: OrdMap<(Text, Text), Few<(P, Labels)>>,
}

type Sets<P> = OrdMap<Labels, Few<P>>;

impl<P: Ord + Clone> Default for Labelled<P> {
    fn default() -> Self {
        Self { sets: OrdMap::new(), heads: OrdMap::new() }
    }
}

impl<P: Ord + Clone> Labelled<P> {
    pub(crate) fn insert(&mut self, labels: &Labels, place: &P) {
        self.edit(labels, |sets| put(sets, labels, place.clone()));
    }

    pub(crate) fn remove(&mut self, labels: &Labels, place: &P) {
        self.edit(labels, |sets| take(sets, labels, place));
    }

    fn edit(&mut self, labels: &Labels, edit: impl FnOnce(&mut Sets<P>)) {
        if labels.is_empty() {
            return;
        }
        let head = |sets: &Sets<P>| sets.get(labels).map(|places| places.first().clone());
        let before = head(&self.sets);
        edit(&mut self.sets);
        let after = head(&self.sets);
        if before == after {
            return;
        }
        for (key, value) in labels.iter() {
            let label = (key.clone(), value.clone());
            if let Some(before) = &before {
                take(&mut self.heads, &label, &(before.clone(), labels.clone()));
            }
            if let Some(after) = &after {
                put(&mut self.heads, &label, (after.clone(), labels.clone()));
            }
        }
    }

    /// How many carry all of `wanted`, which are some.
    pub(crate) fn count(&self, wanted: &BTreeMap<Text, Text>) -> usize {
        let sets = self.narrowest(wanted).filter(|(_, labels)| labels.include(wanted));
        sets.filter_map(|(_, labels)| self.sets.get(labels)).map(Few::len).sum()
    }

    /// The places of those that carry all of `wanted`, which are some, in order.
    pub(crate) fn carrying<'a>(&'a self, wanted: &'a BTreeMap<Text, Text>) -> impl Iterator<Item = &'a P> {
        let mut coming = self.narrowest(wanted).peekable();
        // What is left of the sets that were come to, by what is next in each.
        let mut begun = BTreeMap::new();
        std::iter::from_fn(move || {
            let comes_first = |begun: &BTreeMap<&P, _>, head: &P| {
                begun.first_key_value().is_none_or(|(next, _)| head < *next)
            };
            while let Some((head, labels)) = coming.next_if(|(head, _)| comes_first(&begun, head)) {
                if labels.include(wanted)
                    && let Some(places) = self.sets.get(labels)
                {
                    begun.insert(head, places.iter().skip(1));
                }
            }
            let (place, mut rest) = begun.pop_first()?;
            if let Some(next) = rest.next() {
                begun.insert(next, rest);
            }
            Some(place)
        })
    }

    /// The sets that have the label of `wanted` which the fewest sets have, by their first places. None has all of
    /// `wanted` but these.
    fn narrowest<'a>(&'a self, wanted: &BTreeMap<Text, Text>) -> impl Iterator<Item = &'a (P, Labels)> {
        let sets = wanted.iter().map(|(key, value)| self.heads.get(&(key.clone(), value.clone())));
        let narrowest = sets.collect::<Option<Vec<_>>>().and_then(|sets| {
            let sets = sets.into_iter();
            sets.min_by_key(|sets| sets.len())
        });
        narrowest.into_iter().flat_map(Few::iter)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn labels(text: &str) -> BTreeMap<Text, Text> {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.into(), value.into())).collect()
    }

    /// Everything that can be asked, as a walk through all places answers it.
    fn assert_like_a_walk(
        labelled: &Labelled<u32>,
        all: &BTreeMap<u32, Labels>,
        wanted: &BTreeMap<Text, Text>,
    ) {
        let walked: Vec<&u32> = all.iter().filter(|(_, own)| own.include(wanted)).map(|(p, _)| p).collect();
        assert_eq!(labelled.carrying(wanted).collect::<Vec<_>>(), walked, "{wanted:?}");
        assert_eq!(labelled.count(wanted), walked.len(), "{wanted:?}");
    }

    #[test]
    fn what_carries_all_labels_comes_in_order_whichever_sets_it_is_in() {
        let kinds = ["a=1 b=1", "a=1 b=2", "a=2 b=1 c=1", "a=1", "", "a=1 b=1 c=1"].map(labels);
        let (mut labelled, mut all) = (Labelled::default(), BTreeMap::new());
        // Every place once in, out, and in again with other labels, in a scattered order.
        for turn in 0..3u32 {
            for step in 0..64u32 {
                let place = step * 37 % 64;
                let own = Labels::from(kinds[(place / 3 + turn * step) as usize % kinds.len()].clone());
                if let Some(before) = all.insert(place, own.clone()) {
                    labelled.remove(&before, &place);
                }
                labelled.insert(&own, &place);
                for wanted in kinds.iter().filter(|wanted| !wanted.is_empty()) {
                    assert_like_a_walk(&labelled, &all, wanted);
                }
            }
        }
        for (place, own) in all {
            labelled.remove(&own, &place);
        }
        assert_eq!(labelled, Labelled::default());
    }

    /// Promise P6: a selector of several labels looks at sets of labels, not at resources.
    #[test]
    fn a_selector_looks_at_as_many_sets_as_have_its_rarest_label() {
        let mut labelled = Labelled::default();
        let kinds = ["site=ber os=linux", "site=muc os=bsd", "site=muc os=linux", "site=ber os=bsd gpu=2"];
        for place in 0..10_000u32 {
            let kind = if place < 9_999 { place as usize % 3 } else { 3 };
            labelled.insert(&labels(kinds[kind]).into(), &place);
        }
        let wanted = labels("site=ber os=bsd");
        let looked_at: BTreeSet<&Labels> = labelled.narrowest(&wanted).map(|(_, labels)| labels).collect();
        assert_eq!(looked_at.len(), 2, "those with os=bsd, or those with site=ber");
        assert_eq!(labelled.carrying(&wanted).collect::<Vec<_>>(), [&9_999]);
        assert_eq!(labelled.narrowest(&labels("os=bsd gpu=2")).count(), 1);
        assert_eq!(labelled.narrowest(&labels("os=bsd gpu=3")).count(), 0);
    }
}
