//! Plugins.

use askama::Template;

use crate::frame::{Frame, Moment};
use crate::page::FormError;
use crate::row::PluginRow;
use crate::text::Text;

/// All plugins.
#[derive(Clone, Debug, Template)]
#[template(path = "plugins.html")]
pub struct Plugins {
    /// What is around it.
    pub frame: Frame,
    /// All of them.
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
