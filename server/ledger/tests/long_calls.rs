//! What a call costs grows with its length, not with the square of it.

use lessor_ledger::{Command, LeaseId, Ledger, Refusal, RequestId, Target};

use crate::calls::{self, apply, owner, take};
use crate::cost;

/// Least and most targets of the calls that are compared.
const SIZES: (usize, usize) = (500, 8_000);

const ROUNDS: usize = 9;

/// How many times as long the large call may take: it is 16 times as large, a logarithm and the caches of the
/// processor make that some 40, and a square would make it 256.
const GROWTH_MAX: u32 = 120;

fn names(prefix: &str, count: usize) -> Vec<Target> {
    (0..count).map(|n| Target::new(format!("{prefix}-{n:05}")).expect("a name")).collect()
}

/// Lease 1 of `ann`, over so many targets.
fn leased(count: usize) -> Ledger {
    let mut ledger = calls::ledger();
    apply(&mut ledger, take("ann", names("t", count), false)).expect("a lease");
    ledger
}

fn release(targets: Vec<Target>) -> Command {
    Command::Release { lease: LeaseId(1), owner: Some(owner("ann")), targets: Some(targets), to_state: None }
}

/// Measures `work` on what `make` makes of each size.
fn grows_no_faster<T>(make: impl Fn(usize) -> T, work: impl Fn(&mut T)) {
    let cost = |size| cost::least(ROUNDS, |_| make(size), &work);
    let (small, large) = (cost(SIZES.0), cost(SIZES.1));
    assert!(large < small * GROWTH_MAX, "{small:?} for {}, {large:?} for {}", SIZES.0, SIZES.1);
}

#[test]
fn a_release_of_what_is_not_held_costs_what_it_names() {
    grows_no_faster(
        |count| (leased(count), release(names("other", count))),
        |(ledger, release)| match apply(ledger, release.clone()) {
            Err(Refusal::NotHeld(missing)) => assert!(missing.len() >= SIZES.0),
            other => panic!("not refused: {other:?}"),
        },
    );
}

#[test]
fn a_release_of_half_a_lease_costs_what_it_names() {
    grows_no_faster(
        |count| (leased(count), release(names("t", count).split_off(count / 2))),
        |(ledger, release)| assert!(apply(ledger, release.clone()).is_ok()),
    );
}

#[test]
fn releasing_again_what_was_given_back_costs_what_it_names() {
    grows_no_faster(
        |count| {
            let mut ledger = leased(count);
            let back = release(names("t", count).split_off(1));
            apply(&mut ledger, back.clone()).expect("given back");
            (ledger, back)
        },
        |(ledger, release)| assert!(apply(ledger, release.clone()).is_ok()),
    );
}

/// Somebody waits for all of it, and does not get it.
#[test]
fn a_release_that_helps_nobody_costs_what_it_names() {
    grows_no_faster(
        |count| {
            let mut ledger = leased(count);
            apply(&mut ledger, take("bob", names("t", count), true)).expect("in line");
            (ledger, release(names("t", count).split_off(1)))
        },
        |(ledger, release)| {
            assert!(apply(ledger, release.clone()).is_ok());
            assert!(ledger.request(RequestId(1)).is_some_and(|request| request.waits()));
        },
    );
}
