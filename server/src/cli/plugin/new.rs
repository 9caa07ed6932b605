//! `lessor plugin new`: a project that builds and passes its own test.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::output::{Kind as Item, Output};

/// Makes a project for a plugin, which builds and passes its own tests as it is
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor plugin new bench --kind target-manager --sdk ~/lessor/plugins-sdk/rust
  lessor plugin new bench --kind target-manager --lang python

The crate `lessor-plugin` is not on crates.io yet, so a project in Rust needs the SDK of a checkout of Lessor, and finds it
where it was when the project was made.")]
pub(crate) struct New {
    /// Name of the plugin and its project: lower-case letters, digits and hyphens, a letter first
    #[arg(value_parser = name)]
    name: String,
    /// What the plugin is for
    #[arg(long, value_enum)]
    kind: Kind,
    /// What it is written in
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// The folder plugins-sdk/rust of a checkout of Lessor; needed for Rust
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
    /// Folder of the project, which must not be there yet; NAME in this folder if not given
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// What a plugin is for.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    /// Hands out targets for jobs
    TargetManager,
}

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Language {
    /// Small and quick: some 100 kB
    Rust,
    /// Some 20 MB, of which all but a little is Python itself
    Python,
}

const ITEM: Item = Item { name: "project", columns: &[] };

/// The contract, which a language without an SDK of its own is given as it is.
const CONTRACT: [(&str, &str); 4] = [
    ("wit/deps/lessor-plugin/host.wit", include_str!("../../../../plugins-sdk/wit/v0.1.0/host.wit")),
    ("wit/deps/lessor-plugin/provider.wit", include_str!("../../../../plugins-sdk/wit/v0.1.0/provider.wit")),
    (
        "wit/deps/lessor-plugin/target-manager.wit",
        include_str!("../../../../plugins-sdk/wit/v0.1.0/target-manager.wit"),
    ),
    ("wit/deps/lessor-plugin/types.wit", include_str!("../../../../plugins-sdk/wit/v0.1.0/types.wit")),
];

/// What no project in Rust can be called: words of the language, crates that come with it, and those that the project needs.
const TAKEN: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum extern \
    false final fn for gen if impl in let lessor-plugin loop macro match mod move mut override priv proc-macro pub ref \
    return self serde static std struct super test trait true try type typeof unsafe unsized use virtual where while yield";

impl New {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the SDK is not where it was said to be; [`Failure::Io`] if the project cannot be written.
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        // There is one kind yet, so there is nothing to choose by it.
        let Kind::TargetManager = self.kind;
        let folder = self.to.clone().unwrap_or_else(|| PathBuf::from(&self.name));
        let files = match self.lang {
            Language::Rust => self.rust()?,
            Language::Python => self.python(),
        };
        let what = format!("cannot make the folder {}", folder.display());
        std::fs::create_dir(&folder).map_err(Failure::io(what))?;
        for (path, text) in files {
            let path = folder.join(path);
            let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            let written = written.and_then(|()| std::fs::write(&path, text));
            written.map_err(Failure::io(format!("cannot write {}", path.display())))?;
        }
        output.details(ITEM, &json!({ "project": folder }))?;
        output.note(&self.next(&folder));
        Ok(())
    }

    fn rust(&self) -> Result<Vec<(&'static str, String)>, Failure> {
        let sdk = self.sdk.as_deref().ok_or_else(|| {
            let why = "--sdk is missing: the folder plugins-sdk/rust of a checkout of Lessor";
            Failure::Usage(why.to_owned())
        })?;
        let whole =
            sdk.canonicalize().map_err(Failure::io(format!("cannot find the SDK {}", sdk.display())))?;
        let manifest = std::fs::read_to_string(whole.join("Cargo.toml")).unwrap_or_default();
        if !manifest.contains("name = \"lessor-plugin\"") {
            return Err(Failure::Usage(format!("{} is not the folder plugins-sdk/rust", sdk.display())));
        }
        let fill = |text: &str| {
            let whole = whole.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
            text.replace("{{name}}", &self.name).replace("{{sdk}}", &whole)
        };
        let mut files = vec![
            ("Cargo.toml", fill(include_str!("template/rust/Cargo.toml.tmpl"))),
            ("src/lib.rs", fill(include_str!("template/rust/lib.rs.tmpl"))),
            (".gitignore", include_str!("template/rust/gitignore.tmpl").to_owned()),
        ];
        // The versions that the SDK was tested with, which may also be here already when there is no network.
        if let Ok(lock) = std::fs::read_to_string(whole.join("../../examples/plugins/Cargo.lock")) {
            files.push(("Cargo.lock", lock));
        }
        Ok(files)
    }

    fn python(&self) -> Vec<(&'static str, String)> {
        let fill = |text: &str| text.replace("{{name}}", &self.name);
        let mut files = vec![
            ("app.py", fill(include_str!("template/python/app.py.tmpl"))),
            ("test_app.py", fill(include_str!("template/python/test_app.py.tmpl"))),
            ("wit/world.wit", fill(include_str!("template/python/world.wit.tmpl"))),
            ("README.md", fill(include_str!("template/python/README.md.tmpl"))),
            (".gitignore", include_str!("template/python/gitignore.tmpl").to_owned()),
        ];
        files.extend(CONTRACT.map(|(path, text)| (path, text.to_owned())));
        files
    }

    /// What to type next.
    fn next(&self, folder: &Path) -> String {
        let (folder, name) = (folder.display(), &self.name);
        match self.lang {
            Language::Rust => format!(
                "next:\n  cd {folder}\n  cargo test\n  lessor plugin build\n  lessor plugin check {name}.wasm\n  \
                 lessor plugin run {name}.wasm acquire --params '{{\"count\": 1}}' --settings '{{\"targets\": [\"a\"]}}'"
            ),
            Language::Python => format!("next: see {folder}/README.md"),
        }
    }
}

/// Reads the name of a plugin.
fn name(text: &str) -> Result<String, String> {
    let fine = text.len() <= lessor_plugins::limits::NAME_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !text.ends_with('-')
        && !text.contains("--");
    if !fine {
        return Err("write lower-case letters, digits and single hyphens, a letter first".to_owned());
    }
    if TAKEN.split_whitespace().any(|word| word == text) {
        return Err(format!("{text:?} has a meaning in Rust: take another name"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_of_crates_and_plugins() {
        for fine in ["bench", "test-bench-7", "a"] {
            assert_eq!(name(fine).as_deref(), Ok(fine));
        }
        for bad in ["", "7up", "Bench", "a_b", "a-", "-a", "a--b", "../a", &"a".repeat(65)] {
            assert!(name(bad).is_err(), "{bad}");
        }
        for taken in ["self", "fn", "test", "core", "serde", "lessor-plugin"] {
            assert!(name(taken).is_err_and(|why| why.contains("another name")), "{taken}");
        }
    }
}
