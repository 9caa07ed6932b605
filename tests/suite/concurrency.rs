//! Two hundred clients of all three dialects fight over twenty targets. Every call is noted with the times of its
//! invocation and its response; afterwards the notes must allow an order in which no target had two holders and
//! fences only grew.

use std::time::{Duration, Instant};

use lessor_tests::{Client, Server, Setup, wait};
use serde_json::json;

const CLIENTS: u64 = 200;
const TARGETS: usize = 20;
const FIGHT: Duration = Duration::from_secs(10);

/// Somebody held something. Times are since the start of the fight.
#[derive(Clone, Debug)]
struct Hold {
    target: String,
    owner: String,
    dialect: Dialect,
    /// The lease ID, where the dialect tells it.
    fence: Option<u64>,
    /// When it was asked for, and when that was answered.
    asked: Duration,
    granted: Duration,
    /// When the end was asked for, and when that was answered.
    returning: Duration,
    returned: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Boskos,
    Contest,
    V1,
}

#[test]
fn two_hundred_clients_never_hold_one_target_together() {
    let names: Vec<String> = (0..TARGETS).map(target).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let server = Setup::new().pool("t", &names).start();
    let start = wait::now();
    let holds: Vec<Hold> = std::thread::scope(|scope| {
        let clients: Vec<_> = (1..=CLIENTS)
            .map(|number| {
                scope.spawn({
                    let server = &server;
                    move || fight(server, number, start)
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client ends well")).collect()
    });
    for dialect in [Dialect::Boskos, Dialect::Contest, Dialect::V1] {
        let count = holds.iter().filter(|hold| hold.dialect == dialect).count();
        assert!(count > 100, "{dialect:?} held something only {count} times: the fight was too tame");
    }
    assert_eq!(violations(&holds), [""; 0]);
    let counts = server.get("/metric?type=t").json();
    assert_eq!(counts["owner"], json!({"": TARGETS}), "everything was given back");
}

fn target(number: usize) -> String {
    format!("t-{number:02}")
}

/// One client: asks for this and that, and gives it back at once.
fn fight(server: &Server, number: u64, start: Instant) -> Vec<Hold> {
    let mut client = server.client();
    let mut holds = Vec::new();
    // A generator of its own for each client (Knuth's MMIX constants), so that a run can be told by its numbers.
    let mut dice = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for turn in 1u64.. {
        if start.elapsed() > FIGHT {
            break;
        }
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let name = target(usize::try_from(dice >> 33).expect("31 bits fit") % TARGETS);
        let dialect = [Dialect::Boskos, Dialect::Contest, Dialect::V1]
            [usize::try_from(dice >> 60).expect("4 bits fit") % 3];
        let job = number * 1_000_000 + turn;
        let asked = start.elapsed();
        let Some((name, fence)) = take(&mut client, dialect, job, &name) else { continue };
        let granted = start.elapsed();
        let returning = start.elapsed();
        give_back(&mut client, dialect, job, &name, fence);
        let returned = start.elapsed();
        let owner = owner(dialect, job);
        holds.push(Hold { target: name, owner, dialect, fence, asked, granted, returning, returned });
    }
    holds
}

fn owner(dialect: Dialect, job: u64) -> String {
    if dialect == Dialect::Contest { format!("job:{job}") } else { format!("o-{job}") }
}

/// Tries to get a target: Boskos any, the others this one. Gives what it got.
fn take(client: &mut Client, dialect: Dialect, job: u64, name: &str) -> Option<(String, Option<u64>)> {
    let owner = owner(dialect, job);
    let answer = match dialect {
        Dialect::Boskos => {
            client.send("POST", &format!("/acquire?type=t&state=free&dest=busy&owner={owner}"))
        }
        Dialect::Contest => {
            let body = json!({"job": job, "targets": [name], "duration": "10m"});
            client.send_json("POST", "/v1/locks/lock", &body)
        }
        Dialect::V1 => {
            let body = json!({"owner": owner, "targets": [name], "ttl": "10m"});
            client.send_json("POST", "/v1/leases", &body)
        }
    };
    let answer = answer.expect("the server answers");
    match (dialect, answer.status) {
        (Dialect::Boskos, 200) => Some((answer.json()["name"].as_str().expect("a name").to_owned(), None)),
        (Dialect::Contest, 200) => Some((name.to_owned(), None)),
        (Dialect::V1, 201) => Some((name.to_owned(), answer.json()["fence"].as_u64())),
        (Dialect::Boskos, 404) | (Dialect::Contest | Dialect::V1, 409) => None,
        (_, status) => panic!("{dialect:?} is answered {status}: {}", answer.text()),
    }
}

fn give_back(client: &mut Client, dialect: Dialect, job: u64, name: &str, fence: Option<u64>) {
    let owner = owner(dialect, job);
    let answer = match (dialect, fence) {
        (Dialect::Boskos, _) => client.send("POST", &format!("/release?name={name}&dest=free&owner={owner}")),
        (Dialect::V1, Some(lease)) => client.send("DELETE", &format!("/v1/leases/{lease}?to_state=free")),
        (Dialect::Contest | Dialect::V1, _) => {
            client.send_json("POST", "/v1/locks/unlock", &json!({"job": job, "targets": [name]}))
        }
    };
    let answer = answer.expect("the server answers");
    assert!(matches!(answer.status, 200 | 204), "{owner} holds {name}: {} {}", answer.status, answer.text());
}

/// What no order of the calls can explain.
///
/// From the response of its grant to the invocation of its return, a hold is certain. Two certain holds of one
/// target must not overlap. And a grant that was asked for after another was answered must have the higher fence.
fn violations(holds: &[Hold]) -> Vec<String> {
    let mut found = Vec::new();
    let mut sorted: Vec<&Hold> = holds.iter().collect();
    sorted.sort_by(|a, b| (&a.target, a.granted).cmp(&(&b.target, b.granted)));
    for pair in sorted.windows(2) {
        let [first, second] = pair else { continue };
        if first.target == second.target && second.granted < first.returning {
            found.push(format!("two holders: {} {first:?} and {} {second:?}", first.owner, second.owner));
        }
        if first.target == second.target && second.returned < first.granted {
            found.push(format!("returned before it was granted: {second:?}"));
        }
    }
    let mut fenced: Vec<&Hold> = holds.iter().filter(|hold| hold.fence.is_some()).collect();
    fenced.sort_by_key(|hold| hold.fence);
    for pair in fenced.windows(2) {
        let [lower, higher] = pair else { continue };
        if lower.fence == higher.fence {
            found.push(format!("one fence for two: {lower:?} and {higher:?}"));
        }
    }
    // In the order of fences, nobody may have been answered before somebody with a lower fence asked.
    let mut earliest_answer_above = Duration::MAX;
    for hold in fenced.iter().rev() {
        if earliest_answer_above < hold.asked {
            found.push(format!("asked after a higher fence was given out: {hold:?}"));
        }
        earliest_answer_above = earliest_answer_above.min(hold.granted);
    }
    found
}

fn hold(target: &str, fence: u64, times: [u64; 4]) -> Hold {
    let [asked, granted, returning, returned] = times.map(Duration::from_millis);
    Hold {
        target: target.to_owned(),
        owner: format!("o-{fence}"),
        dialect: Dialect::V1,
        fence: Some(fence),
        asked,
        granted,
        returning,
        returned,
    }
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let good = [hold("a", 1, [0, 1, 5, 6]), hold("a", 2, [2, 7, 8, 9]), hold("b", 3, [3, 8, 9, 10])];
    assert_eq!(violations(&good), [""; 0]);
    let overlap = [hold("a", 1, [0, 1, 5, 6]), hold("a", 2, [2, 4, 8, 9])];
    assert_eq!(violations(&overlap).len(), 1);
    let reused = [hold("a", 1, [0, 1, 5, 6]), hold("b", 1, [2, 4, 8, 9])];
    assert_eq!(violations(&reused).len(), 1);
    let backwards = [hold("a", 2, [0, 1, 5, 6]), hold("b", 1, [2, 4, 8, 9])];
    assert_eq!(violations(&backwards).len(), 1);
}
