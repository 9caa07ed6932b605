//! Plugins.

use askama::Template;

use crate::frame::{Frame, Moment};
use crate::list::List;
use crate::page::FormError;
use crate::row::PluginRow;
use crate::text::Text;

/// The list of plugins.
#[derive(Clone, Debug, Template)]
#[template(path = "plugins.html")]
pub struct Plugins {
    /// What is around it.
    pub frame: Frame,
    /// The list.
    pub list: List,
    /// Its rows.
    pub rows: Vec<PluginRow>,
    /// What is wrong with what was uploaded.
    pub error: Option<FormError>,
}

/// One plugin.
#[derive(Clone, Debug, Template)]
#[template(path = "plugin.html")]
pub struct PluginDetail {
    /// What is around it.
    pub frame: Frame,
    /// The plugin.
    pub plugin: PluginRow,
    /// Whether it may take calls.
    pub enabled: bool,
    /// Whether there is a version to go back to.
    pub previous: bool,
    /// When it was first installed; none if it is of the configuration and could not be prepared yet.
    pub installed: Option<Moment>,
    /// Its settings.
    pub settings: Vec<(Text, Text)>,
    /// What it may use.
    pub grants: Vec<(Text, Text)>,
    /// What may be granted to it by the API at most, unless the configuration says what it may use.
    pub ceiling: Vec<(&'static str, Text)>,
    /// What one call may take.
    pub limits: Vec<(&'static str, String)>,
    /// Everything else: what it is, and its value.
    pub facts: Vec<(&'static str, Text)>,
    /// The name that was typed for removing it.
    pub name_typed: Text,
    /// What is wrong with what was asked.
    pub error: Option<FormError>,
}

impl PluginDetail {
    /// It as the rows of a table.
    fn rows(&self) -> &[PluginRow] {
        std::slice::from_ref(&self.plugin)
    }
}

/// What the form that installs a plugin says.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a box that is ticked or not")]
pub struct InstallForm {
    /// How it is to be called.
    pub name: Text,
    /// The plugin whose settings and grants the form began with; empty for none.
    pub like: Text,
    /// Whether it may take the place of another.
    pub replace: bool,
    /// Whether it may lock targets.
    pub locker: bool,
    /// Whether it may read pools and resources.
    pub inventory: bool,
    /// Names of secrets.
    pub secrets: Text,
    /// Folders, one a line.
    pub files: Text,
    /// Endpoints, one a line.
    pub http: Text,
    /// Hosts for `wasi:http`.
    pub wasi_http: Text,
    /// Its settings as JSON.
    pub settings: Text,
    /// Whether an instance is used for many calls.
    pub warm: bool,
}

/// The page that installs a component.
#[derive(Clone, Debug, Template)]
#[template(path = "install.html")]
pub struct InstallPage {
    /// What is around it.
    pub frame: Frame,
    /// The SHA-256 of the component.
    pub digest: String,
    /// What it is: what, and its value.
    pub facts: Vec<(&'static str, Text)>,
    /// The grants that it cannot do without.
    pub wanted: Vec<Text>,
    /// Why it cannot be installed, whatever it is given.
    pub misfits: Vec<Text>,
    /// What the server lets be granted at most.
    pub ceiling: Vec<(&'static str, Text)>,
    /// What is typed.
    pub fields: InstallForm,
    /// Why it was not accepted.
    pub error: Option<FormError>,
}
