//! Why the host does not start, and why a component is refused.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::Kind;
use crate::survey::Flaw;

/// Why there is no plugin host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The folder of the cache cannot be used.
    #[error("the folder {} for compiled plugins cannot be used", folder.display())]
    Cache {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Somebody else could change what lies in the folder, and it is run without another look.
    #[error("the folder {} for compiled plugins must belong to the server's user, with mode 0700", folder.display())]
    CacheNotPrivate {
        /// Which folder.
        folder: PathBuf,
    },
    /// The engine does not start.
    #[error("the engine for plugins does not start: {0}")]
    Engine(String),
    /// There is no thread for the clock of the engine.
    #[error("the thread for the clock of plugins does not start")]
    Ticker(#[source] std::io::Error),
}

/// Why a component does not fit: all reasons that were found, not only the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plugin {name} does not fit: {}", spell(.misfits))]
pub struct Unfit {
    /// The name of the plugin.
    pub name: String,
    /// The reasons, at least one.
    pub misfits: Vec<Misfit>,
}

impl Unfit {
    pub(crate) fn one(name: &str, misfit: Misfit) -> Self {
        Self { name: name.to_owned(), misfits: vec![misfit] }
    }

    /// Whether it may fit all the same, because it is the system that failed.
    #[must_use]
    pub fn is_of_the_system(&self) -> bool {
        self.misfits.iter().any(|misfit| matches!(misfit, Misfit::Killed { .. }))
    }

    /// The grants that are missing, by the names of the fields of [`Grants`](crate::Grants).
    #[must_use]
    pub fn missing_grants(&self) -> Vec<&'static str> {
        let grants = self.misfits.iter().filter_map(|misfit| match misfit {
            Misfit::NotGranted { grant, .. } => Some(*grant),
            _ => None,
        });
        grants.collect()
    }
}

fn spell(misfits: &[Misfit]) -> String {
    misfits.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// One reason why a component does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The name is no name.
    #[error(
        "a name has 1 to 64 of A-Z, a-z, 0-9, dot, underscore and hyphen, and begins with a letter or digit"
    )]
    Name,
    /// A limit is out of its range.
    #[error("the limit {limit} is {value}: it must be {least} to {most}")]
    Limit {
        /// Which limit.
        limit: &'static str,
        /// What was asked for.
        value: u64,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// The settings are not an object, or too large.
    #[error("settings are a JSON object of at most 1 MiB")]
    Settings,
    /// An endpoint cannot be used.
    #[error("the HTTP endpoint {endpoint} cannot be used: {why}")]
    Endpoint {
        /// Its name.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// A host of `wasi:http` cannot be used.
    #[error("the host {host} of `wasi_http` cannot be used: {why}")]
    WasiHttp {
        /// As it was given.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// A folder of files is not named in full.
    #[error(
        "the folder {:?} of `files` is not an absolute path without `..`: what it is would depend on something else",
        .0
    )]
    RelativeFolder(PathBuf),
    /// A secret was granted and has no value.
    #[error("the secret {0} is granted but not set")]
    SecretNotSet(String),
    /// There are too many plugins.
    #[error("there are {0} plugins already, which is the most: remove one")]
    TooMany(usize),
    /// The component is too large.
    #[error("the component has {bytes} bytes: at most {most} are taken")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// The most.
        most: usize,
    },
    /// It is no component that can be compiled.
    #[error("it is not a component: {0}")]
    NotAComponent(String),
    /// There is more of something than is compiled.
    #[error("it has {found} {what}: at most {most} are compiled")]
    TooMuch {
        /// Of what.
        what: Cow<'static, str>,
        /// How much was found, which may not be all.
        found: u64,
        /// The most.
        most: u64,
    },
    /// Looking through it or compiling it took more than it may.
    #[error("{doing} it takes more than {most}, which is the limit")]
    Overspent {
        /// What took it.
        doing: &'static str,
        /// How much of what may be taken.
        most: String,
    },
    /// The process that looked through it or compiled it did not do so.
    #[error("{doing} it failed: {why}")]
    Failed {
        /// What failed.
        doing: &'static str,
        /// Why, as far as it is known.
        why: String,
    },
    /// The process that looked through it or compiled it was killed, and so was the next one. The component is not to blame.
    #[error(
        "{doing} it was ended from outside, as a system does that runs out of memory: see to that, and try again"
    )]
    Killed {
        /// What was ended.
        doing: &'static str,
    },
    /// Its memory does not fit into its limit from the beginning.
    #[error("its memory has {bytes} bytes from the beginning: the limit memory_bytes is {most}")]
    Memory {
        /// What its memories have together.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// It was built for another version of the contract.
    #[error("{interface} is of another version of the contract: this server speaks {spoken}")]
    Contract {
        /// The interface, with the version that the component names.
        interface: String,
        /// What this server speaks.
        spoken: &'static str,
    },
    /// It does not export what its kind must.
    #[error("it does not export {export}, as a {kind} must")]
    NotOfKind {
        /// Its kind.
        kind: Kind,
        /// What is missing.
        export: String,
    },
    /// Nothing runs plugins of this kind yet.
    #[error("this server does not run plugins of the kind {0}")]
    KindNotRun(Kind),
    /// It imports what nobody offers.
    #[error("it imports {0}, which is not offered to plugins")]
    UnknownImport(String),
    /// It imports what it was not granted.
    #[error("it imports {import}: grant it `{grant}`")]
    NotGranted {
        /// What it imports.
        import: String,
        /// The field of the grants that would allow it.
        grant: &'static str,
    },
    /// An interface has the right name and the wrong shape.
    #[error("its interfaces are not those of the contract: {0}")]
    Shape(String),
}

impl From<Flaw> for Misfit {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::NotAComponent(why) => Self::NotAComponent(why),
            Flaw::TooMuch { what, found, most } => Self::TooMuch { what, found, most },
        }
    }
}
