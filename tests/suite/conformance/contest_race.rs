//! Statements 39–41: many jobs at once, many targets at once.

use std::sync::Barrier;

use super::{assert_conflict, assert_locked, lock, refresh, unlock};
use lessor_tests::{Answer, Setup};
use serde_json::json;

/// Asks for each job's targets at the same moment, each on its own connection that is open already.
fn race(server: &lessor_tests::Server, wants: &[Vec<&str>]) -> Vec<Answer> {
    let start = Barrier::new(wants.len());
    std::thread::scope(|scope| {
        let jobs: Vec<_> = (1u64..)
            .zip(wants)
            .map(|(job, targets)| {
                let start = &start;
                scope.spawn(move || {
                    let mut client = server.client();
                    client.send("GET", "/healthz").expect("the server answers");
                    let body = json!({"job": job, "targets": targets, "duration": "10m"});
                    start.wait();
                    client.send_json("POST", "/v1/locks/lock", &body).expect("the server answers")
                })
            })
            .collect();
        jobs.into_iter().map(|job| job.join().expect("a job ends well")).collect()
    })
}

#[test]
fn contest_039_of_many_jobs_exactly_one_wins() {
    let server = Setup::new().start();
    for round in 0..10 {
        let target = format!("target-{round}");
        let answers = race(&server, &vec![vec![target.as_str()]; 16]);
        let winners: Vec<_> =
            (1u64..).zip(&answers).filter(|(_, answer)| answer.status == 200).map(|(job, _)| job).collect();
        let &[winner] = winners.as_slice() else { panic!("not one winner: {winners:?}") };
        let holder = format!("job:{winner}");
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            assert_conflict(answer, &[(&target, Some(&holder))]);
        }
    }
}

#[test]
fn contest_040_crossing_sets_are_never_half_held() {
    let server = Setup::new().start();
    for round in 0..20 {
        let (a, b) = (format!("a-{round}"), format!("b-{round}"));
        let answers = race(&server, &[vec![&a, &b], vec![&b, &a]]);
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(won <= 1, "{answers:?}");
        assert_eq!(won, 1, "one writer decides one after the other, so the first one wins");
        let locks = server.get("/v1/locks?limit=1000").json();
        let holders: Vec<_> = locks["items"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|lock| lock["target"] == a.as_str() || lock["target"] == b.as_str())
            .map(|lock| lock["job"].as_u64())
            .collect();
        assert_eq!(holders.len(), 2);
        assert_eq!(holders[0], holders[1], "both belong to one job");
    }
}

#[test]
fn contest_041_250_targets_in_one_call() {
    let server = Setup::new().start();
    let names: Vec<String> = (0..250).map(|number| format!("target-{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_locked(&lock(&server, 1, &names), &names);
    assert_locked(&refresh(&server, 1, &names), &names);
    assert_conflict(&lock(&server, 2, &names[249..]), &[("target-249", Some("job:1"))]);
    assert_locked(&unlock(&server, 1, &names), &names);
    assert_locked(&lock(&server, 2, &names), &names);
}
