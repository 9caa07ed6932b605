//! Contexts: servers that somebody speaks to again and again, each under a name, in a file of their own.
//!
//! ```toml
//! # ~/.config/lessor/config.toml
//! context = "lab"                       # which one, unless --context or LESSOR_CONTEXT says
//!
//! [contexts.lab]
//! server = "http://lab.example:8080"    # unless --server or LESSOR_SERVER says
//! owner = "ann"                         # unless --owner or LESSOR_OWNER says
//! ```

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::failure::Failure;
use super::limits::CONTEXTS_BYTES_MAX;

/// The server spoken to if nothing says which.
const SERVER: &str = "http://127.0.0.1:8080";

/// What the command line and the environment say about whom to speak to.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Place {
    /// Address of the server [default: the context's, or that of this machine]
    #[arg(long, global = true, env = "LESSOR_SERVER", value_name = "URL")]
    server: Option<String>,
    /// Context of ~/.config/lessor/config.toml, which has a server and an owner [default: the one that it names]
    #[arg(long, global = true, env = "LESSOR_CONTEXT", value_name = "NAME")]
    context: Option<String>,
}

/// Whom to speak to, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Address of the server.
    server: Option<String>,
    /// Who asks, unless the command line says.
    pub(crate) owner: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    context: Option<String>,
    #[serde(default)]
    contexts: BTreeMap<String, Context>,
}

impl Place {
    /// Puts command line, environment and file together. A file that is not there says nothing.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the file is wrong, or has no such context.
    pub(crate) fn resolve(&self) -> Result<Context, Failure> {
        self.resolve_in(path().as_deref())
    }

    fn resolve_in(&self, path: Option<&Path>) -> Result<Context, Failure> {
        let file = path.map_or_else(|| Ok(File::default()), read)?;
        let mut context = match given(self.context.as_deref()).or(file.context.as_deref()) {
            None => Context::default(),
            Some(name) => file.contexts.get(name).cloned().ok_or_else(|| {
                let known: Vec<&str> = file.contexts.keys().map(String::as_str).collect();
                let place = path.map_or_else(String::new, |path| format!(" in {}", path.display()));
                Failure::Usage(format!("there is no context {name:?}{place}; known: {}", known.join(", ")))
            })?,
        };
        context.server = given(self.server.as_deref()).map(str::to_owned).or(context.server);
        Ok(context)
    }
}

/// What was given: an empty text, as `"$OWNER"` may be in a script, is as good as none.
pub(crate) fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

impl Context {
    /// The address of the server.
    pub(crate) fn server(&self) -> &str {
        self.server.as_deref().unwrap_or(SERVER)
    }
}

/// Where the user's file is: as the XDG base directory specification says.
#[expect(clippy::disallowed_methods, reason = "the one place where the client learns where its file is")]
fn path() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = named.or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
    Some(folder.join("lessor").join("config.toml"))
}

fn read(path: &Path) -> Result<File, Failure> {
    let fail = |cause: &dyn std::fmt::Display| Failure::Usage(format!("{}: {cause}", path.display()));
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(File::default()),
        Err(cause) => return Err(fail(&cause)),
    };
    let mut text = String::new();
    file.take(CONTEXTS_BYTES_MAX + 1).read_to_string(&mut text).map_err(|cause| fail(&cause))?;
    if text.len() as u64 > CONTEXTS_BYTES_MAX {
        return Err(fail(&format!("has more than {CONTEXTS_BYTES_MAX} bytes")));
    }
    toml::from_str(&text).map_err(|cause| fail(&cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(
        text: &str,
        server: Option<&str>,
        context: Option<&str>,
    ) -> Result<(String, Option<String>), String> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).expect("the file can be written");
        let place = Place { server: server.map(str::to_owned), context: context.map(str::to_owned) };
        let context = place.resolve_in(Some(&path)).map_err(|failure| failure.story())?;
        Ok((context.server().to_owned(), context.owner))
    }

    const FILE: &str =
        "context = 'lab'\n[contexts.lab]\nserver = 'http://lab:1'\nowner = 'ann'\n[contexts.home]\n";

    #[test]
    fn the_command_line_wins_over_the_context_and_the_context_over_the_default() {
        let ann = Some("ann".to_owned());
        assert_eq!(resolve(FILE, None, None), Ok(("http://lab:1".into(), ann.clone())));
        assert_eq!(resolve(FILE, Some("http://x:2"), None), Ok(("http://x:2".into(), ann)));
        assert_eq!(resolve(FILE, None, Some("home")), Ok((SERVER.into(), None)));
        assert_eq!(resolve("", None, None), Ok((SERVER.into(), None)));
        assert_eq!(resolve(FILE, Some(""), Some("")), resolve(FILE, None, None));
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said() {
        let unknown = resolve(FILE, None, Some("moon")).expect_err("there is none");
        assert!(unknown.contains("no context \"moon\"") && unknown.contains("known: home, lab"), "{unknown}");
        let typo = resolve("[contexts.lab]\nsever = 'x'\n", None, None).expect_err("an unknown key");
        assert!(typo.contains("line 2") && typo.contains("sever"), "{typo}");
    }

    #[test]
    fn without_a_file_nothing_is_said() {
        let place = Place { server: None, context: None };
        let nowhere = Path::new("/nonexistent/config.toml");
        assert_eq!(place.resolve_in(Some(nowhere)).ok(), Some(Context::default()));
        assert_eq!(place.resolve_in(None).ok(), Some(Context::default()));
    }
}
