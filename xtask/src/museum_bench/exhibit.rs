//! What plugins are told to do wrong, and the jobs that tell them.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// How much of it: for `shout`, `crowd` and `chatter`, more than is let through.
const COUNT: u32 = 100_000_000;

/// How long one acquire or release may take, in milliseconds: what never ends is ended by then.
const CALL_MS: u32 = 1_000;

/// One way to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exhibit {
    /// The museum does this, in each of its exports in turn.
    Museum(&'static str),
    /// A plugin asks an endpoint that it was not granted.
    NotGranted,
    /// A plugin asks where clouds keep credentials, over `wasi:http`.
    LinkLocal,
    /// A plugin asks a host that it may ask, which sends it to one that it may not.
    Redirect,
    /// A plugin whose instance is never ready.
    SlowStart,
}

/// All of them.
pub(super) const ALL: [Exhibit; 13] = [
    Exhibit::Museum("loop"),
    Exhibit::Museum("bomb"),
    Exhibit::Museum("recurse"),
    Exhibit::Museum("panic"),
    Exhibit::Museum("shout"),
    Exhibit::Museum("crowd"),
    Exhibit::Museum("chatter"),
    Exhibit::Museum("lock-and-panic"),
    Exhibit::Museum("lock-for-ever"),
    Exhibit::NotGranted,
    Exhibit::LinkLocal,
    Exhibit::Redirect,
    Exhibit::SlowStart,
];

impl Exhibit {
    /// How it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Museum(act) => act,
            Self::NotGranted => "endpoint not granted",
            Self::LinkLocal => "169.254.169.254",
            Self::Redirect => "redirect elsewhere",
            Self::SlowStart => "slow start",
        }
    }

    /// The plugin that does it.
    pub(super) fn plugin(self) -> &'static str {
        match self {
            Self::Museum(_) => "museum",
            Self::NotGranted => "fetcher",
            Self::LinkLocal | Self::Redirect => "surfer",
            Self::SlowStart => "slow-start",
        }
    }

    /// The job that makes it happen the `turn`th time for this caller; `elsewhere` is the host that redirects.
    pub(super) fn job(self, caller: u32, turn: usize, elsewhere: SocketAddr) -> Value {
        let nothing = || json!({});
        let surf = |host: &str| json!({"scheme": "http", "host": host, "path": "/", "timeout_ms": CALL_MS});
        let (acquire, release) = match self {
            Self::Museum(act) => {
                let names = [format!("museum-{caller}-{turn}")];
                let order =
                    |in_check: bool| json!({"do": act, "in_check": in_check, "count": COUNT, "names": names});
                let fine = || json!({"names": names});
                match turn % 4 {
                    0 => (order(false), fine()),
                    1 => (order(true), fine()),
                    2 => (fine(), order(false)),
                    _ => (fine(), order(true)),
                }
            }
            Self::NotGranted => (json!({"endpoint": "http://127.0.0.1/", "path": "/"}), nothing()),
            Self::LinkLocal => (surf("169.254.169.254"), nothing()),
            Self::Redirect => (surf(&elsewhere.to_string()), nothing()),
            Self::SlowStart => (nothing(), nothing()),
        };
        json!({
            "target_manager": self.plugin(), "owner": "curator",
            "acquire_timeout": CALL_MS, "release_timeout": CALL_MS,
            "acquire_parameters": acquire, "release_parameters": release,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_museum_misbehaves_in_every_export() {
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let told = |turn: usize| {
            let job = Exhibit::Museum("loop").job(1, turn, elsewhere);
            let of = |parameters: &str| {
                (job[parameters]["do"] == "loop").then(|| job[parameters]["in_check"] == true)
            };
            (of("acquire_parameters"), of("release_parameters"))
        };
        let all = [0, 1, 2, 3].map(told);
        assert_eq!(all, [(Some(false), None), (Some(true), None), (None, Some(false)), (None, Some(true))]);
    }
}
