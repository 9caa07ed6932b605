//! Sharing out: what the parts of one request get that can use some of the same resources.
//!
//! Each part in turn takes the oldest that it can use. Where none is left for it, parts that have taken something that
//! it can use, too, give that up for something else; of all that can become free in this way, the oldest is used. So
//! parts that can be met together are met (it is bipartite matching by augmenting paths), what a part has got it never
//! loses for one behind it, and nobody notices unless it matters.
//!
//! It costs at most [`PARTS_PER_REQUEST_MAX`]² steps for each of [`TARGETS_PER_CALL_MAX`] targets, whatever there is
//! besides, because no claim needs to know of more resources than all of them want together.
//!
//! [`PARTS_PER_REQUEST_MAX`]: crate::limits::PARTS_PER_REQUEST_MAX
//! [`TARGETS_PER_CALL_MAX`]: crate::limits::TARGETS_PER_CALL_MAX

use std::collections::BTreeMap;

/// What one part wants.
pub(crate) struct Claim<Item> {
    pub(crate) count: usize,
    /// What it can use, in ascending order: all of it, or at least as many as all claims want together.
    pub(crate) usable: Vec<Item>,
}

/// Shares out what `claims` can use; the first are served first. `fits` says whether an item can be used for the claim
/// with that number. Each claim gets what it gets in ascending order.
pub(crate) fn share_out<Item: Copy + Ord>(
    claims: &[Claim<Item>],
    fits: impl Fn(Item, usize) -> bool,
) -> Vec<Vec<Item>> {
    let mut sharing = Sharing {
        claims,
        fits,
        owners: BTreeMap::new(),
        passed: vec![0; claims.len()],
        spare: vec![vec![Vec::new(); claims.len()]; claims.len()],
    };
    for (claim, Claim { count, .. }) in claims.iter().enumerate() {
        let mut left = *count;
        while left > 0 && sharing.serve(claim) {
            left -= 1;
        }
    }
    let mut shares = vec![Vec::new(); claims.len()];
    for (item, owner) in sharing.owners {
        shares[owner].push(item);
    }
    shares
}

struct Sharing<'a, Item, Fits> {
    claims: &'a [Claim<Item>],
    fits: Fits,
    /// Which claim has got what.
    owners: BTreeMap<Item, usize>,
    /// How many at the beginning of what each can use are taken. Nothing that is taken becomes free again.
    passed: Vec<usize>,
    /// What a claim has, or had once, that another can use.
    spare: Vec<Vec<Vec<Item>>>,
}

impl<Item: Copy + Ord, Fits: Fn(Item, usize) -> bool> Sharing<'_, Item, Fits> {
    /// Gets one more for `claim`; says whether there was a way.
    fn serve(&mut self, claim: usize) -> bool {
        if let Some(free) = self.oldest_free(claim) {
            self.give(free, claim);
            return true;
        }
        // Who could give something up, and what to whom. Those behind have nothing yet.
        let mut reached = vec![claim];
        let mut gifts: BTreeMap<usize, (Item, usize)> = BTreeMap::new();
        let mut looked = 0;
        while let Some(&taker) = reached.get(looked) {
            for giver in 0..claim {
                if !gifts.contains_key(&giver)
                    && let Some(item) = self.spare(giver, taker)
                {
                    gifts.insert(giver, (item, taker));
                    reached.push(giver);
                }
            }
            looked += 1;
        }
        let ways = reached.into_iter().filter_map(|last| Some((self.oldest_free(last)?, last)));
        let Some((free, mut giver)) = ways.min() else { return false };
        self.give(free, giver);
        while let Some(&(item, taker)) = gifts.get(&giver) {
            self.give(item, taker);
            giver = taker;
        }
        true
    }

    fn oldest_free(&mut self, claim: usize) -> Option<Item> {
        let usable = &self.claims[claim].usable;
        let taken = usable[self.passed[claim]..].iter().take_while(|item| self.owners.contains_key(item));
        self.passed[claim] += taken.count();
        usable.get(self.passed[claim]).copied()
    }

    fn give(&mut self, item: Item, claim: usize) {
        self.owners.insert(item, claim);
        for other in (0..self.claims.len()).filter(|other| *other != claim) {
            if (self.fits)(item, other) {
                self.spare[claim][other].push(item);
            }
        }
    }

    /// Something that `giver` has and `taker` can use.
    fn spare(&mut self, giver: usize, taker: usize) -> Option<Item> {
        let spare = &mut self.spare[giver][taker];
        while let Some(item) = spare.last() {
            if self.owners.get(item) == Some(&giver) {
                return Some(*item);
            }
            spare.pop();
        }
        None
    }
}
