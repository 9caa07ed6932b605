//! Why a plugin was not changed.

use lessor_keeper::Error;
use lessor_ledger::{NameError, PluginName};
use lessor_plugins::Unfit;

use super::{ComponentError, Excess};
use crate::limits::PREPARATIONS_MAX;

/// Why a plugin was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It wants what the API may not grant: all of it.
    #[error("the plugin {name} wants what this server does not let the API grant: {}", spell(.excess))]
    Beyond {
        /// The plugin.
        name: PluginName,
        /// Everything that is too much.
        excess: Vec<Excess>,
    },
    /// The component does not fit: every reason.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// There is no such component, or it cannot be read.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// An unknown version of the server wrote the record.
    #[error("the description of plugin {0:?} is not understood: install it again")]
    Unreadable(PluginName),
    /// The configuration names it, and it could not be prepared yet: there is nothing to change.
    #[error(
        "the plugin {0} of the configuration could not be prepared yet: see the reason that it shows, mend that, and \
         reload it, or take it out of the configuration"
    )]
    NeverRan(PluginName),
    /// Somebody else replaced it while it was being prepared.
    #[error("the plugin {0} was replaced in the meantime: look at it, and try again")]
    Changed(PluginName),
    /// Too many others are being prepared.
    #[error("{PREPARATIONS_MAX} plugins are being prepared, which is the limit: try again later")]
    Busy,
    /// The keeper did not take it.
    #[error(transparent)]
    Keeper(#[from] Error),
}

fn spell(excess: &[Excess]) -> String {
    excess.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
