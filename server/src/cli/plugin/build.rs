//! `lessor plugin build`: from a Rust project to a component.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wit_component::ComponentEncoder;

use crate::cli::failure::Failure;
use crate::cli::output::{Kind, Output};

/// What a plugin in Rust is compiled for: nothing is imported that the plugin does not call.
const TARGET: &str = "wasm32-unknown-unknown";

/// Makes a component of a Rust project
///
/// Runs `cargo build --release` for wasm32-unknown-unknown and wraps the module that comes out. Cargo has to be on the
/// PATH; the target comes with `rustup target add wasm32-unknown-unknown`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor plugin build
  lessor plugin build ./bench --to bench.wasm
  lessor plugin build -- --offline")]
pub(crate) struct Build {
    /// Folder of the project
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// Where the component goes; NAME.wasm in the folder of the project if not given
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Where Cargo keeps what it fetched; in the home folder if not given
    #[arg(long, env = "CARGO_HOME", hide = true)]
    cargo_home: Option<PathBuf>,
    /// More arguments for `cargo build`
    #[arg(last = true, value_name = "ARGUMENT")]
    cargo: Vec<OsString>,
}

const KIND: Kind = Kind { name: "component", columns: &[] };

impl Build {
    /// Does it.
    ///
    /// # Errors
    /// It is no project, does not compile, or what comes out is no plugin.
    pub(crate) fn run(&self, output: &Output) -> Result<(), Failure> {
        let folder = self.folder.canonicalize();
        let folder =
            folder.map_err(Failure::io(format!("there is no project in {}", self.folder.display())))?;
        has_target(&folder)?;
        let (name, module) = self.compile(&folder)?;
        let shown = module.display().to_string();
        let bytes = std::fs::read(&module).map_err(Failure::io(format!("cannot read {shown}")))?;
        let component =
            encode(&bytes).map_err(|why| Failure::Negative(format!("{shown} makes no plugin: {why}")))?;
        let to = self.to.clone().unwrap_or_else(|| self.folder.join(format!("{name}.wasm")));
        write(&to, &component).map_err(Failure::io(format!("cannot write {}", to.display())))?;
        output.details(KIND, &json!({ "component": to, "bytes": component.len() }))
    }

    /// Folders whose names would get into the component, so that its digest would depend on where it was built.
    fn folders(&self, folder: &Path) -> Result<Vec<(PathBuf, &'static str)>, Failure> {
        let mut folders = vec![(folder.to_owned(), "/plugin")];
        let fetched = self.cargo_home.clone().or_else(|| Some(std::env::home_dir()?.join(".cargo")));
        folders.extend(fetched.map(|fetched| (fetched, "/cargo")));
        let (_, sysroot) = rustc(folder, &["--print", "sysroot"])?;
        folders.push((sysroot.into(), "/rust"));
        Ok(folders)
    }

    /// Compiles, and gives the name of the package and the module.
    fn compile(&self, folder: &Path) -> Result<(String, PathBuf), Failure> {
        let mut cargo = Command::new("cargo");
        cargo.args([
            "build",
            "--release",
            "--lib",
            "--target",
            TARGET,
            "--message-format=json-render-diagnostics",
            "--config",
            &renamed(&self.folders(folder)?),
        ]);
        let built = cargo.args(&self.cargo).current_dir(folder).stderr(Stdio::inherit()).output();
        let built = built.map_err(Failure::io("cannot run cargo"))?;
        if !built.status.success() {
            return Err(Failure::Negative("the project does not compile".to_owned()));
        }
        let manifest = folder.join("Cargo.toml");
        let messages = built.stdout.split(|byte| *byte == b'\n');
        let artifacts = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let module =
            artifacts.filter(|message| message["manifest_path"].as_str().map(Path::new) == Some(&manifest));
        let module = module.filter_map(|message| module_of(&message)).next_back();
        module.ok_or_else(|| {
            let why = "the project has no library of the type \"cdylib\": see `lessor plugin new`";
            Failure::Negative(why.to_owned())
        })
    }
}

/// What has the compiler write other names for folders of this machine, as a setting of Cargo's. It goes with the flags that
/// the project sets itself.
fn renamed(folders: &[(PathBuf, &str)]) -> String {
    let flag = |(folder, name): &(PathBuf, &str)| format!("--remap-path-prefix={}={name}", folder.display());
    let flags: Vec<String> = folders.iter().map(flag).collect();
    format!("target.{TARGET}.rustflags={}", json!(flags))
}

/// The name and the module of an artifact that is a library for WebAssembly.
fn module_of(message: &Value) -> Option<(String, PathBuf)> {
    let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str).map(PathBuf::from);
    let module =
        files.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "wasm"))?;
    Some((message["target"]["name"].as_str()?.replace('_', "-"), module))
}

/// Makes sure that the compiler has a standard library for [`TARGET`], because what it says otherwise is long.
fn has_target(folder: &Path) -> Result<(), Failure> {
    let (known, libraries) = rustc(folder, &["--print", "target-libdir", "--target", TARGET])?;
    if known && Path::new(&libraries).is_dir() {
        return Ok(());
    }
    let next =
        format!("rustc cannot compile for {TARGET}: `rustup target add {TARGET}` brings what it needs");
    Err(Failure::Negative(next))
}

/// Asks the compiler of a project, and tells whether it knew.
fn rustc(folder: &Path, question: &[&str]) -> Result<(bool, String), Failure> {
    let asked = Command::new("rustc").args(question).current_dir(folder).output();
    let asked = asked
        .map_err(Failure::io("cannot run rustc: a plugin in Rust needs Rust, from https://rustup.rs"))?;
    Ok((asked.status.success(), String::from_utf8_lossy(&asked.stdout).trim().to_owned()))
}

/// Wraps a module into a component.
fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    let mut encoder = ComponentEncoder::default();
    encoder
        .validate(true)
        .module(module)
        .and_then(ComponentEncoder::encode)
        .map_err(|error| format!("{error:#}"))
}

/// Writes a file so that nobody sees half of it.
fn write(to: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(to).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_get_other_names_whatever_is_in_theirs() {
        let folders = [("/home/ann/a \"b\"".into(), "/plugin"), ("/home/ann/.cargo".into(), "/cargo")];
        let setting = renamed(&folders);
        let read: toml::Table = setting.parse().unwrap();
        assert_eq!(
            read["target"][TARGET]["rustflags"].as_array().unwrap()[..],
            [
                "--remap-path-prefix=/home/ann/a \"b\"=/plugin".into(),
                "--remap-path-prefix=/home/ann/.cargo=/cargo".into()
            ]
        );
    }
}
