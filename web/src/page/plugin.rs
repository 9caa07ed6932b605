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
    /// When it was first installed.
    pub installed: Moment,
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
