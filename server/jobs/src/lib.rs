//! Jobs and the life of plugins: makes the calls into target managers that jobs need and tells the ledger how they went;
//! installs plugins, and prepares them again at every start.
//!
//! Every rule about them is the ledger's. This crate never decides; it never calls a plugin on the keeper's thread or
//! inside a commit, and it keeps nothing that the committed state does not say.

mod inventory;
mod jobs;
pub mod limits;
mod line;
mod locker;
mod manager;
mod plugins;
mod runner;
mod watch;
mod work;

pub use jobs::{Goal, Jobs, StartError, Submission, plugin_name};
pub use manager::{Manager, Managers};
pub use plugins::{
    Ceiling, ComponentError, Configured, Excess, Manifest, PluginError, Plugins, Secrets, Sight, Source,
    Surroundings,
};
