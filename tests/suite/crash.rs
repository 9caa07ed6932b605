//! The real binary, killed under load again and again: nothing that was acknowledged is lost, no target has two
//! holders, no lease ID repeats, waiters keep their place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lessor_tests::{Client, Server, Setup, wait};
use serde_json::{Value, json};

/// How often the server is killed.
const KILLS: u64 = 20;

/// Clients at once, a third for each dialect.
const CLIENTS: usize = 12;

/// How many wait in line through all of it.
const WAITERS: usize = 4;

/// What a client knows about its last owner's name when the server dies.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// It was told that it holds this.
    Holds(String),
    /// It was told that it holds nothing any more.
    HoldsNothing,
    /// It was told nothing: either is right.
    Nothing,
}

/// What one client has to say after one life of the server.
#[derive(Debug)]
struct Report {
    owner: String,
    known: Known,
    /// Lease IDs that it was told, in order.
    leases: Vec<u64>,
    /// Those of them whose end it was told.
    ended: Vec<u64>,
    /// How many calls were answered.
    answers: usize,
}

/// One lock as the server shows it.
#[derive(Clone, Debug)]
struct Lock {
    owner: String,
    lease: u64,
}

#[test]
fn twenty_kills_lose_nothing() {
    let mut server = start();
    let waiting = queue_up(&server);
    let mut highest = 0;
    let mut seen = BTreeSet::new();
    let mut answers = 0;
    for life in 0..KILLS {
        let reports = live_and_die(&mut server, life);
        server.restart();
        let locks = locks(&server);
        for report in &reports {
            check_report(&server, report, &locks);
            answers += report.answers;
        }
        for lease in reports.iter().flat_map(|report| &report.leases) {
            assert!(seen.insert(*lease), "lease {lease} was granted twice");
            assert!(
                *lease > highest,
                "lease {lease} of life {life} is not above {highest} of an earlier one"
            );
        }
        highest = locks.values().map(|lock| lock.lease).chain(seen.last().copied()).max().unwrap_or(highest);
        check_leases(&server, &locks);
        assert_eq!(line(&server), waiting, "the line after life {life}");
        clear(&server, &locks);
    }
    assert!(answers > 20 * CLIENTS, "the load was too light to mean anything: {answers} answers");
    serve_the_line(&server, &waiting);
}

fn start() -> Server {
    let names: Vec<String> = (0..CLIENTS).map(|number| format!("r-{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let setup = Setup::new().pool("boskos", &names).pool("line", &["wanted"]);
    let names: Vec<String> = (0..CLIENTS).map(|number| format!("v-{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // Silence must not cost the waiters their place: that is another test's business.
    setup.pool("v1", &names).arguments(&["--request-ttl", "10m"]).start()
}

/// Takes what `line` has, and lets others wait for it; gives the line.
fn queue_up(server: &Server) -> Vec<(u64, String)> {
    let answer = server.post("/acquire?type=line&state=free&dest=busy&owner=keeper");
    assert_eq!(answer.status, 200, "{}", answer.text());
    for number in 0..WAITERS {
        let path = format!("/acquire?type=line&state=free&dest=busy&owner=w{number}&request_id=id{number}");
        assert_eq!(server.post(&path).status, 404);
    }
    let line = line(server);
    assert_eq!(line.len(), WAITERS, "{line:?}");
    line
}

/// Who waits, in the order of arrival.
fn line(server: &Server) -> Vec<(u64, String)> {
    let list = server.get("/v1/requests?limit=1000").json();
    let items = list["items"].as_array().expect("a list");
    items.iter().map(|item| (item["id"].as_u64().expect("an ID"), text(item, "owner"))).collect()
}

fn text(item: &Value, field: &str) -> String {
    item[field].as_str().unwrap_or_else(|| panic!("no {field} in {item}")).to_owned()
}

/// Puts the server under load, and kills it in the middle.
fn live_and_die(server: &mut Server, life: u64) -> Vec<Report> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let address = server.address();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let stop = &stop;
                scope.spawn(move || work(Client::new(address), life, number, stop))
            })
            .collect();
        // Another moment each time, so that the kill meets other steps of the commit.
        wait::pass(Duration::from_millis(150 + life * 37 % 250));
        server.kill();
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("a client ends well")).collect()
    })
}

/// Takes something and gives it back, under a new name each time, until the server is gone.
fn work(mut client: Client, life: u64, number: usize, stop: &AtomicBool) -> Report {
    let mut report = Report {
        owner: String::new(),
        known: Known::HoldsNothing,
        leases: Vec::new(),
        ended: Vec::new(),
        answers: 0,
    };
    for turn in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // A ConTest owner is a number; all three dialects use one here.
        let job = life * 1_000_000_000 + number as u64 * 1_000_000 + turn + 1;
        report.owner = if number % 3 == 1 { format!("job:{job}") } else { format!("o-{job}") };
        report.known = Known::Nothing;
        let Some(held) = take(&mut client, number, job, &mut report) else { break };
        report.known = Known::Holds(held.clone());
        // Every fifth keeps what it has until the end.
        if turn % 5 == 4 && number.is_multiple_of(2) {
            continue_holding(&mut client, stop);
            break;
        }
        report.known = Known::Nothing;
        if give_back(&mut client, number, job, &held, &mut report).is_none() {
            break;
        }
        report.known = Known::HoldsNothing;
    }
    report
}

/// Waits for the end of the server while holding something.
fn continue_holding(client: &mut Client, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) && client.send("GET", "/healthz").is_ok() {
        std::thread::yield_now();
    }
}

/// Takes something; gives its name, or nothing if the server is gone.
fn take(client: &mut Client, number: usize, job: u64, report: &mut Report) -> Option<String> {
    let answer = match number % 3 {
        0 => client.send("POST", &format!("/acquire?type=boskos&state=free&dest=busy&owner=o-{job}")),
        1 => {
            let body = json!({"job": job, "targets": [format!("c-{number:02}")], "duration": "1h"});
            client.send_json("POST", "/v1/locks/lock", &body)
        }
        _ => {
            let body = json!({"owner": format!("o-{job}"), "pool": "v1", "ttl": "1h"});
            client.send_json("POST", "/v1/leases", &body)
        }
    };
    let answer = answer.ok()?;
    assert!(matches!(answer.status, 200 | 201), "there is one for everybody: {answer:?}");
    report.answers += 1;
    let body = answer.json();
    Some(match number % 3 {
        0 => text(&body, "name"),
        1 => format!("c-{number:02}"),
        _ => {
            report.leases.push(body["id"].as_u64().expect("a lease has an ID"));
            body["targets"][0].as_str().expect("a lease has a target").to_owned()
        }
    })
}

/// Gives it back; nothing if the server is gone.
fn give_back(client: &mut Client, number: usize, job: u64, held: &str, report: &mut Report) -> Option<()> {
    let answer = match number % 3 {
        0 => client.send("POST", &format!("/release?name={held}&dest=free&owner=o-{job}")),
        1 => client.send_json("POST", "/v1/locks/unlock", &json!({"job": job, "targets": [held]})),
        _ => client.send("DELETE", &format!("/v1/leases/{}", report.leases.last().expect("it was told one"))),
    };
    let answer = answer.ok()?;
    assert!(matches!(answer.status, 200 | 204), "it is the holder: {answer:?}");
    report.answers += 1;
    if number % 3 == 2 {
        report.ended.extend(report.leases.last());
    }
    Some(())
}

/// The lock table.
fn locks(server: &Server) -> BTreeMap<String, Lock> {
    let list = server.get("/v1/locks?limit=1000").json();
    assert_eq!(list["next"], Value::Null, "all fit on one page");
    let mut locks = BTreeMap::new();
    for item in list["items"].as_array().expect("a list") {
        let lock = Lock { owner: text(item, "owner"), lease: item["lease"].as_u64().expect("an ID") };
        let before = locks.insert(text(item, "target"), lock);
        assert!(before.is_none(), "two locks on one target: {item}");
    }
    locks
}

fn check_report(server: &Server, report: &Report, locks: &BTreeMap<String, Lock>) {
    let held: Vec<&String> =
        locks.iter().filter(|(_, lock)| lock.owner == report.owner).map(|(target, _)| target).collect();
    match &report.known {
        Known::Holds(target) => assert_eq!(held, [target], "what was granted is lost: {report:?}"),
        Known::HoldsNothing => assert!(held.is_empty(), "what was given back is held: {held:?} {report:?}"),
        Known::Nothing => assert!(held.len() <= 1, "{held:?} {report:?}"),
    }
    for lease in &report.ended {
        let answer = server.get(&format!("/v1/leases/{lease}"));
        assert_eq!(answer.status, 200, "lease {lease} is forgotten");
        assert!(answer.json()["ended_at"].is_string(), "lease {lease} has not ended: {}", answer.text());
    }
}

/// Active leases and locks tell the same story.
fn check_leases(server: &Server, locks: &BTreeMap<String, Lock>) {
    let list = server.get("/v1/leases?limit=1000").json();
    let mut targets = BTreeSet::new();
    for lease in list["items"].as_array().expect("a list") {
        for target in lease["targets"].as_array().expect("targets") {
            let target = target.as_str().expect("a name");
            assert!(targets.insert(target.to_owned()), "{target} is in two leases");
            let lock = locks.get(target).unwrap_or_else(|| panic!("{target} is leased but not locked"));
            assert_eq!(
                (Some(lock.lease), lock.owner.as_str()),
                (lease["id"].as_u64(), lease["owner"].as_str().unwrap_or_default())
            );
        }
    }
    assert!(targets.iter().eq(locks.keys()), "every lock belongs to a lease");
}

/// Gives everything back but what the line waits for.
fn clear(server: &Server, locks: &BTreeMap<String, Lock>) {
    for (target, lock) in locks.iter().filter(|(target, _)| *target != "wanted") {
        let path = match lock.owner.strip_prefix("job:") {
            Some(job) => {
                let job: u64 = job.parse().expect("a job is a number");
                let body = json!({"job": job, "targets": [target]});
                assert_eq!(server.send_json("POST", "/v1/locks/unlock", &body).status, 200);
                continue;
            }
            None => format!("/release?name={target}&dest=free&owner={}", lock.owner),
        };
        assert_eq!(server.post(&path).status, 200, "{path}");
    }
}

/// The line is served in its order.
fn serve_the_line(server: &Server, waiting: &[(u64, String)]) {
    let mut holder = "keeper".to_owned();
    for number in 0..waiting.len() {
        let path = format!("/release?name=wanted&dest=free&owner={holder}");
        assert_eq!(server.post(&path).status, 200, "{path}");
        for behind in (number + 1..waiting.len()).rev() {
            assert_eq!(poll(server, behind).status, 404, "{behind} is not next, {number} is");
        }
        let answer = poll(server, number);
        assert_eq!(answer.status, 200, "{number} is next: {}", answer.text());
        holder = format!("w{number}");
    }
}

fn poll(server: &Server, number: usize) -> lessor_tests::Answer {
    let path = format!("/acquire?type=line&state=free&dest=busy&owner=w{number}&request_id=id{number}");
    server.post(&path)
}
