//! Statements 109–112 are about what the real client and programs do, and are shown with them in `tests/boskos`
//! (`TestBoskos109_…` to `TestBoskos112_…`). These hold the server's half: what the client is answered each time.

use super::{acquire, assert_error, metric, name_in, release, reset, serving};

#[test]
fn boskos_109_a_bad_request_stays_bad() {
    let server = serving(&["a"]);
    let answers: Vec<_> =
        (0..4).map(|_| server.post("/acquire?dest=busy&owner=o&state=free&type=")).collect();
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (400, &answers[0].body));
    }
    assert_eq!(metric(&server, "t").json()["current"]["free"], 1);
}

#[test]
fn boskos_110_waiting_is_404_and_never_anything_that_the_client_retries() {
    let server = serving(&["a"]);
    name_in(&acquire(&server, "t", "free", "busy", "o"));
    let text = "Acquire failed: no available resource t, try again later.";
    assert_error(&acquire(&server, "t", "free", "busy", "p"), 404, text);
    assert_error(&super::poll(&server, "t", "free", "p", "id"), 404, text);
}

#[test]
fn boskos_111_a_release_of_an_unknown_name_is_404_each_time() {
    let server = serving(&["a"]);
    for _ in 0..4 {
        assert_eq!(release(&server, "nope", "free", "o").status, 404);
    }
}

#[test]
fn boskos_112_the_reapers_round_gets_its_maps() {
    let server = serving(&["a", "b"]);
    name_in(&acquire(&server, "t", "free", "busy", "o"));
    name_in(&acquire(&server, "t", "free", "in-use", "p"));
    let round = ["busy", "cleaning", "leased", "in-use"];
    let answers = round.map(|state| reset(&server, "t", state, "0s", "dirty"));
    let bodies = answers.each_ref().map(|answer| (answer.status, answer.text()));
    assert_eq!(bodies, [(200, r#"{"a":"o"}"#), (200, "{}"), (200, "{}"), (200, r#"{"b":"p"}"#)]);
}
