//! What the operator set for this plugin. No grant is needed.

use serde::de::DeserializeOwned;

use crate::problem::Failure;

/// The settings, as a type of the plugin's own.
///
/// # Errors
///
/// They are not of this type: the failure says where, and that trying again is of no use.
pub fn read<T: DeserializeOwned>() -> Result<T, Failure> {
    crate::parameters::parse(&crate::side::settings()).map_err(|problems| {
        let problems = crate::problem::spell(&problems);
        Failure::permanent("bad-settings", format!("the settings of the plugin are wrong: {problems}"))
    })
}
