//! Who asks, when the command line does not say.

use nix::unistd::{Uid, User, gethostname};

/// `user@host`: who works on this machine.
pub(crate) fn person() -> String {
    let user = User::from_uid(Uid::current())
        .ok()
        .flatten()
        .map_or_else(|| Uid::current().to_string(), |user| user.name);
    let host =
        gethostname().ok().and_then(|host| host.into_string().ok()).unwrap_or_else(|| "localhost".to_owned());
    format!("{user}@{host}")
}

/// `user@host:pid`: this very process, so that two runs by one person are told apart.
pub(crate) fn process() -> String {
    format!("{}:{}", person(), std::process::id())
}
