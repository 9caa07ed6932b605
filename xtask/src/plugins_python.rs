//! A plugin in a language without an SDK: the target list in Python, built and called in the host.

use std::path::PathBuf;
use std::process::Command;

use crate::place::{self, Build};
use crate::process::{self, Finished};
use crate::tools::{self, BUILD_BOUND};
use crate::{Result, failed, python, say};

/// What makes components of Python: the version that the guide names.
pub(crate) const COMPONENTIZE: (&str, &str) = ("componentize-py", "0.25.1");

/// The example, and the name of its component.
const NAME: &str = "target-list-python";

/// Its world, as `wit/world.wit` has it.
const WORLD: &str = "lessor:example/plugin";

/// What it is asked for, in keys of any case, and what it must lock and return: as the one in Rust.
const PARAMETERS: &str = r#"{"Targets": [{"ID": "a", "FQDN": "a.example", "TMS": {"n": 1}}, {"id": "b"}]}"#;

/// What it must find wrong, each with its place.
const BAD_PARAMETERS: &str = r#"{"Targets": [{"ID": " "}, 7, {"ID": "c", "PrimaryIPv4": "1.2.3"}]}"#;
const PROBLEMS: [&str; 3] = ["/Targets/0/ID: ", "/Targets/1: ", "/Targets/2/PrimaryIPv4: "];

/// Fetches what makes components of Python, and gives the folder with its program.
pub(crate) fn componentize() -> Result<PathBuf> {
    let (name, version) = COMPONENTIZE;
    python::package(name, version, "it makes components of Python")
}

/// Builds the component as the guide says.
fn build() -> Result<PathBuf> {
    let program = componentize()?.join(COMPONENTIZE.0);
    say::step("Building the target list in Python as a component");
    let component = place::target().join("plugins").join(format!("{NAME}.wasm"));
    let folder = component.parent().unwrap_or(&component);
    std::fs::create_dir_all(folder)
        .or_else(|error| failed(format!("cannot make {}: {error}", folder.display())))?;
    let mut command = Command::new(program);
    command.args(["-d", "../../../plugins-sdk/wit/v0.1.0", "-d", "wit", "-w", WORLD]);
    command.args(["componentize", "app", "--stub-wasi", "-o"]).arg(&component);
    command
        .current_dir(place::root().join("examples/plugins").join(NAME))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    process::show(&mut command, BUILD_BOUND)?.expect_ok(COMPONENTIZE.0)?;
    Ok(component)
}

/// Builds the component, and sees that it does what the one in Rust does.
pub(crate) fn check() -> Result<Finished> {
    let component = build()?;
    let lessor = tools::build_lessor(Build::Dev)?;
    let plugin = |words: &[&str]| {
        let mut command = Command::new(&lessor);
        command.arg("plugin").arg(words[0]).arg(&component).args(&words[1..]);
        process::show(&mut command, BUILD_BOUND)
    };
    let checked = plugin(&["check"])?.expect_ok("lessor plugin check")?;
    says(&checked, &["[\"locker\"]"])?;
    let bad = plugin(&["run", "acquire", "--params", BAD_PARAMETERS])?;
    says(&bad, &PROBLEMS)?;
    let held = plugin(&["run", "acquire", "--params", PARAMETERS, "--held", "b"])?;
    says(&held, &["cannot be had: b"])?;
    let acquired = plugin(&["run", "acquire", "--params", PARAMETERS, "-o", "jsonl"])?;
    let acquired = acquired.expect_ok("lessor plugin run acquire")?;
    says(&acquired, &["\"fqdn\":\"a.example\"", "{\\\"n\\\":1}", "\"target\":\"b\""])?;
    Ok(acquired)
}

/// Makes sure that all of this was printed.
fn says(finished: &Finished, wanted: &[&str]) -> Result<()> {
    let wanting: Vec<&str> = wanted.iter().copied().filter(|text| !finished.text.contains(text)).collect();
    if wanting.is_empty() { Ok(()) } else { failed(format!("it does not say {}", wanting.join(", "))) }
}
