//! Who is named to those who wait.

use lessor_ledger::{Acquire, Command, LeaseId, Part, PoolName, Reply, ResourceEdit, Span, State, Target};

use crate::calls::{apply, ledger, take};

#[test]
fn who_ends_first_is_named_first() {
    let mut ledger = ledger();
    let pool = || PoolName::new("gpu").expect("a name");
    for (name, minutes) in [("a", Some(180)), ("b", Some(5)), ("c", None), ("d", Some(60))] {
        let target = Target::new(name).expect("a name");
        let edit = ResourceEdit { pool: Some(pool()), ..ResourceEdit::of(target.clone()) };
        apply(&mut ledger, Command::PutResource(Box::new(edit))).expect("it is made");
        let command = match minutes {
            Some(minutes) => {
                let Command::Acquire(ask) = take(name, vec![target], false) else {
                    unreachable!("it is one")
                };
                Command::Acquire(Box::new(Acquire { ttl: Some(Span::from_secs(minutes * 60)), ..*ask }))
            }
            None => Command::BoskosAcquire(lessor_ledger::BoskosAcquire {
                pool: pool(),
                state: State::free(),
                dest: State::new("busy").expect("a state"),
                owner: crate::calls::owner(name),
                request_id: None,
            }),
        };
        apply(&mut ledger, command).expect("it is free");
    }
    let Command::Acquire(mut ask) = take("eve", Vec::new(), true) else { unreachable!("it is one") };
    ask.parts = vec![Part::Pool {
        pool: pool(),
        state: State::free(),
        labels: std::collections::BTreeMap::new(),
        count: 1,
    }];
    let Ok(Reply::Queued(_, place)) = apply(&mut ledger, Command::Acquire(ask)) else {
        unreachable!("all are held")
    };
    let named: Vec<LeaseId> = place.blockers[0].holders.iter().filter_map(|holder| holder.lease).collect();
    assert_eq!(named, [2, 4, 1, 3].map(LeaseId));
}
