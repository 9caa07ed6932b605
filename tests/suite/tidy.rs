//! The rules of the layers (ARCHITECTURE.md) that the compiler does not hold by itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, in lines: what does not fit holds a second subject.
const FILE_LINES_MAX: usize = 800;

/// The crates in the order of the layers: each may depend on those before it.
const LAYERS: [(&str, &str); 11] = [
    ("lessor-filter", "server/filter"),
    ("lessor-ledger", "server/ledger"),
    ("lessor-store", "server/store"),
    ("lessor-keeper", "server/keeper"),
    ("lessor-control", "server/control"),
    ("lessor-plugins", "server/plugins"),
    ("lessor-jobs", "server/jobs"),
    ("lessor-web", "web"),
    ("lessor-api", "server/api"),
    ("lessor", "server"),
    ("lessor-tests", "tests"),
];

/// What the ledger must not know: clocks, I/O, waiting, and maps whose order changes from run to run.
const NOT_IN_THE_LEDGER: [&str; 11] = [
    "tokio",
    "redb",
    "axum",
    "wasmtime",
    "async fn",
    ".await",
    "SystemTime",
    "Instant",
    "HashMap",
    "HashSet",
    "std::fs",
];

/// What only the API may know.
const ONLY_IN_THE_API: &str = "StatusCode";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

/// Every Rust source file below a folder, with its text, leaving out build output.
fn sources(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace can be read") {
            let path = entry.expect("a folder of the workspace can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is text");
                found.insert(path, text);
            }
        }
    }
    assert!(!found.is_empty(), "there are no sources in {}", folder.display());
    found
}

/// The lines of code that contain a word on its own, as `file:line`. Comments do not count.
fn uses(sources: &BTreeMap<PathBuf, String>, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources {
        for (index, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if contains_word(code, word) {
                found.push(format!("{}:{}", path.display(), index + 1));
            }
        }
    }
    found
}

fn contains_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(|c| is_part(c) && word.starts_with(is_part)) && !after.is_some_and(is_part)
    })
}

#[test]
fn the_ledger_knows_no_clock_no_io_and_no_waiting() {
    let sources = sources(&root().join("server/ledger/src"));
    for word in NOT_IN_THE_LEDGER {
        assert_eq!(uses(&sources, word), [""; 0], "{word} in the ledger");
    }
}

#[test]
fn only_the_api_knows_status_codes() {
    for (_, folder) in LAYERS {
        let mut sources = sources(&root().join(folder).join("src"));
        if folder == "server/api" {
            assert!(!uses(&sources, ONLY_IN_THE_API).is_empty(), "the check looks for the wrong word");
            continue;
        }
        // The command line reads status codes off the wire; it gives none.
        sources.retain(|path, _| {
            let path = path.to_string_lossy();
            !path.contains("server/src/cli/") && !path.contains("server/src/bench/")
        });
        if sources.is_empty() {
            continue;
        }
        assert_eq!(uses(&sources, ONLY_IN_THE_API), [""; 0], "{ONLY_IN_THE_API} in {folder}");
    }
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = sources(&root())
        .iter()
        .filter(|(_, text)| text.lines().count() > FILE_LINES_MAX)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert_eq!(long, [""; 0], "a file has at most {FILE_LINES_MAX} lines");
}

#[test]
fn crates_depend_on_lower_layers_only() {
    for (position, (name, folder)) in LAYERS.iter().enumerate() {
        let manifest =
            fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a crate has a manifest");
        let dependencies = manifest.lines().skip_while(|line| !line.starts_with("[dependencies]")).skip(1);
        let dependencies = dependencies.take_while(|line| !line.starts_with('['));
        for line in dependencies {
            let key = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if let Some(layer) = LAYERS.iter().position(|(other, _)| *other == key) {
                assert!(layer < position, "{name} depends on {key}, which is not below it");
            }
        }
    }
}

#[test]
fn no_crate_is_left_out_of_the_layers() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has a manifest");
    let members = manifest.lines().skip_while(|line| !line.starts_with("members")).skip(1);
    for line in members.take_while(|line| !line.starts_with(']')) {
        let member = line.trim().trim_matches([',', '"']);
        let known = member == "xtask" || LAYERS.iter().any(|(_, folder)| *folder == member);
        assert!(known, "{member} has no place among the layers");
    }
}

#[test]
fn words_are_found_on_their_own_only() {
    assert!(contains_word("use std::time::Instant;", "Instant"));
    assert!(!contains_word("// every Instantaneous thing", "Instant"));
    assert!(!contains_word("let my_tokio = 1;", "tokio"));
    assert!(contains_word("x.await?", ".await"));
}
