//! `lessor plugin` without a server: what an author does. The components are those of `cargo xtask plugins`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lessor_tests::Setup;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Ran, run_at};

/// Nothing listens there: what an author does needs no server.
const NOWHERE: &str = "http://127.0.0.1:9";

fn plugin(arguments: &[&str]) -> Ran {
    run_at(NOWHERE, &[&["plugin"], arguments].concat())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

/// A server on loopback that answers one request, and its port.
fn lab() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let asked = stream.read(&mut [0; 4096]).expect("they ask");
        assert!(asked > 0, "they ask nothing");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").expect("they listen");
    });
    port
}

/// A component of `cargo xtask plugins`: `target/plugins/NAME.wasm`.
fn component(name: &str) -> String {
    let test = std::env::current_exe().expect("a running test knows its own path");
    // target/<profile>/deps/<test>
    let target = test.ancestors().nth(3).expect("a test lies in target/<profile>/deps");
    let file = target.join("plugins").join(format!("{name}.wasm"));
    assert!(file.is_file(), "there is no {}: build it with `cargo xtask plugins`", file.display());
    file.to_str().expect("the path is text").to_owned()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    fs::write(&file, text).expect("the folder takes a file");
    file.to_str().expect("the path is text").to_owned()
}

#[test]
fn check_tells_what_a_component_is_and_wants() {
    let report = plugin(&["check", &component("csv-file"), "-o", "json"]).gives(0).json();
    assert_eq!((&report["kind"], &report["contract"]), (&json!("target-manager"), &json!("0.1.0")));
    assert_eq!(report["exports"], json!(["lessor:plugin/targets@0.1.0"]));
    assert_eq!(report["wanted_grants"], json!(["files", "locker"]));
    assert_eq!(report["refusals"], json!([]));
    let imports = report["imports"].as_array().expect("a list");
    assert!(imports.contains(&json!("lessor:plugin/files@0.1.0")), "{report}");
    let digest = report["digest"].as_str().expect("a text");
    assert_eq!(digest.len(), 64, "{digest}");
    let size = fs::metadata(component("csv-file")).expect("it is there").len();
    assert_eq!(report["bytes"], json!(size));
}

#[test]
fn check_refuses_what_is_no_plugin_and_says_why() {
    let folder = TempDir::new().expect("there is room");
    // The smallest component, which exports nothing, and the smallest module.
    let empty = folder.path().join("empty.wasm");
    fs::write(&empty, b"\0asm\x0d\0\x01\0").expect("the folder takes a file");
    let ran = plugin(&["check", empty.to_str().expect("text")]).gives(1);
    let why = "it does not export lessor:plugin/targets@0.1.0, as a target-manager must";
    assert!(ran.err.contains(why), "{ran:?}");
    let module = folder.path().join("module.wasm");
    fs::write(&module, b"\0asm\x01\0\0\0").expect("the folder takes a file");
    let ran = plugin(&["check", module.to_str().expect("text")]).gives(2);
    assert!(ran.err.contains("lessor plugin build"), "{ran:?}");
    let text = write(folder.path(), "text.wasm", "not at all");
    assert!(plugin(&["check", &text]).gives(1).err.contains("is not a component"));
}

#[test]
fn run_acquires_by_the_rules_of_the_server() {
    let list = component("target-list");
    let two = r#"{"Targets": [{"ID": "a", "FQDN": "a.x", "TMS": {"n": 1}}, {"ID": "b"}]}"#;
    let report = plugin(&["run", &list, "acquire", "--params", two, "-o", "json"]).gives(0).json();
    let targets = json!([{ "id": "a", "fqdn": "a.x", "manager_state": "{\"n\":1}" }, { "id": "b" }]);
    assert_eq!(report["targets"], targets);
    let locked: Vec<&Value> =
        report["locked"].as_array().expect("a list").iter().map(|lock| &lock["target"]).collect();
    assert_eq!(locked, ["a", "b"]);
    // 5 min for the call and 10 min for the lease, less what the call took.
    let span = report["locked"][0]["for_ms"].as_u64().expect("a number");
    assert!((880_000..=900_000).contains(&span), "{span}");
    let table = plugin(&["run", &list, "acquire", "--params", two]).gives(0);
    assert!(table.out.contains("a.x") && table.err.contains("leased 2 target(s) for 600 s"), "{table:?}");

    let held = plugin(&["run", &list, "acquire", "--params", two, "--held", "b"]).gives(1);
    assert!(held.err.contains("cannot be had: b"), "{held:?}");
    let none = plugin(&["run", &list, "acquire", "--params", "{}"]).gives(1);
    assert!(none.err.contains("acquire returned no targets"), "{none:?}");
    let blank = r#"{"Targets": [{"ID": " "}, {"ID": 7}]}"#;
    let blank = plugin(&["run", &list, "acquire", "--params", blank]).gives(1);
    assert!(blank.err.contains("\n  /Targets/1/ID: invalid type: integer `7`"), "{blank:?}");
}

#[test]
fn what_was_acquired_is_released() {
    let folder = TempDir::new().expect("there is room");
    let list = component("target-list");
    let one = r#"{"Targets": [{"ID": "a"}]}"#;
    let printed = plugin(&["run", &list, "acquire", "--params", one, "-o", "json"]).gives(0).out;
    let acquired = write(folder.path(), "acquired.json", &printed);
    let release = |parameters: &[&str]| {
        plugin(&[&["run", &list, "release", "--acquired", &acquired, "-o", "json"], parameters].concat())
    };
    assert_eq!(release(&["--params", "null"]).gives(0).json(), json!({ "released": ["a"] }));
    assert!(release(&[]).gives(1).err.contains("the parameters are missing"));
}

#[test]
fn what_a_plugin_needs_is_given_by_options() {
    let folder = TempDir::new().expect("there is room");
    let csv = component("csv-file");
    let hosts = write(folder.path(), "hosts.csv", "1,rack-a.x,,\n2,rack-b.x,192.0.2.2,\n");
    let wish = json!({ "FileURI": hosts, "MinNumberDevices": 1, "MaxNumberDevices": 9 }).to_string();
    let wish = write(folder.path(), "wish.json", &wish);
    let (wish, files) = (format!("@{wish}"), folder.path().to_str().expect("text"));
    let acquire = ["run", &csv, "acquire", "--params", &wish, "-o", "name"];
    assert!(plugin(&acquire).gives(1).err.contains("(here: --files DIR)"));
    let ran = plugin(&[&acquire[..], &["--files", files, "--held", "1"]].concat()).gives(0);
    assert_eq!(ran.out, "2\n");

    let fetch = ["run", &component("fetcher"), "acquire", "--params", r#"{"endpoint": "lab", "path": "/"}"#];
    assert!(plugin(&fetch).gives(1).err.contains("(here: --http NAME=URL)"));
    let lab = format!("lab=http://127.0.0.1:{}", lab());
    let ran = plugin(&[&fetch[..], &["--http", &lab, "-o", "name"]].concat()).gives(0);
    assert_eq!(ran.out, "200 2 bytes\n");

    let pools = "resources:\n- type: gpu\n  state: free\n  names: [g1, g2]\n  labels: {site: ber}\n";
    let pools = write(folder.path(), "pools.yaml", pools);
    let settings = r#"{"default_pool": "gpu"}"#;
    let pick = ["run", &component("pool-picker"), "acquire", "--params", r#"{"labels": {"site": "ber"}}"#];
    let around = ["--settings", settings, "--targets", &pools, "--held", "g1", "-o", "name"];
    let ran = plugin(&[&pick[..], &around].concat()).gives(0);
    assert_eq!(ran.out, "g2\n");
    assert!(ran.err.contains("has g2"), "what it logs is shown: {ran:?}");
}

#[test]
fn a_project_has_a_proper_name_a_known_sdk_and_a_folder_of_its_own() {
    let folder = TempDir::new().expect("there is room");
    let to = folder.path().join("bench");
    let to = to.to_str().expect("text");
    let sdk = root().join("plugins-sdk/rust");
    let new = |name: &str, rest: &[&str]| {
        plugin(&[&["new", name, "--kind", "target-manager", "--to", to], rest].concat())
    };
    assert!(new("Bench!", &[]).gives(2).err.contains("lower-case letters"));
    assert!(new("bench", &[]).gives(2).err.contains("--sdk is missing"));
    assert!(new("bench", &["--sdk", "/"]).gives(2).err.contains("is not the folder plugins-sdk/rust"));
    assert!(!Path::new(to).exists(), "a refused project leaves nothing");
    new("bench", &["--sdk", sdk.to_str().expect("text")]).gives(0);
    assert!(new("bench", &["--lang", "python"]).gives(1).err.contains("cannot make the folder"));
}

/// The commands of the guide's sections about Rust and about a server, in their order.
fn guide() -> Vec<String> {
    let guide = fs::read_to_string(root().join("plugins-sdk/README.md")).expect("the guide is there");
    let section = |title: &str| {
        let section = guide.split("\n## ").find(|section| section.starts_with(title));
        section.unwrap_or_else(|| panic!("the guide has a section {title}"))
    };
    let lines =
        section("From nothing to a component").lines().chain(section("Into a running server").lines());
    lines.filter_map(|line| line.strip_prefix("$ ")).map(ToOwned::to_owned).collect()
}

/// Runs commands in one shell, as an author would, with `lessor` on the path and no network.
fn shell(folder: &Path, server: &str, commands: &[String]) -> Output {
    let binary = lessor_tests::lessor();
    let bin = binary.parent().expect("the binary lies in a folder");
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &format!("PATH={}:$PATH\n{}", bin.display(), commands.join("\n"))]);
    shell
        .current_dir(folder)
        .env("LESSOR", root())
        .env("LESSOR_SERVER", server)
        .env("CARGO_NET_OFFLINE", "true");
    // Kept from run to run, because the SDK's own dependencies take a minute.
    shell.env("CARGO_TARGET_DIR", bin.join("plugin-guide"));
    shell.stdin(Stdio::null()).output().expect("there is a shell")
}

fn compiles_for_webassembly() -> bool {
    let target = ["--print", "target-libdir", "--target", "wasm32-unknown-unknown"];
    let asked = Command::new("rustc").args(target).output().expect("there is a compiler");
    Path::new(String::from_utf8_lossy(&asked.stdout).trim()).is_dir()
}

#[test]
fn the_guide_works_as_it_is_written() {
    let folder = TempDir::new().expect("there is room");
    let commands = guide();
    assert!(commands.len() >= 15, "{commands:?}");
    let server = Setup::new().start();
    let ran = shell(folder.path(), &server.url(), &commands);
    let text = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(text.contains("test result: ok. 3 passed"), "its own tests pass: {text}");
    if !compiles_for_webassembly() {
        // Whoever has no such compiler is told how to get one.
        assert!(text.contains("rustup target add wasm32-unknown-unknown"), "{text}");
        return;
    }
    assert!(ran.status.success() && ran.status.signal().is_none(), "{text}");
    assert!(text.contains("kind           target-manager"), "{text}");
    assert!(text.contains("the plugin has released 1 target(s)"), "{text}");
    for told in ["job-started", "I have b-1", "grants                   {"] {
        assert!(text.contains(told), "{told} is in {text}");
    }
    let page = server.get("/plugins");
    assert!(page.text().contains("bench"), "the dashboard has it: {}", page.text());
    assert!(folder.path().join("bench/bench.wasm").is_file(), "{text}");
}

#[test]
fn a_plugin_that_never_ran_is_listed_with_its_reason_which_is_told_once() {
    let table = "[[plugin]]\nname = 'bare'\ncomponent = 'list.wasm'\nlimits = { cpu_ms = 0, wall_ms = 1 }\n";
    let wasm = fs::read(component("target-list")).expect("it was built");
    let server = Setup::new().config(table).file("list.wasm", wasm).start();
    server.prepared();
    let why = "the limit cpu_ms is 0";
    for arguments in [&["plugin", "list"][..], &["plugin", "show", "bare"]] {
        let ran = run_at(&server.url(), arguments).gives(0);
        assert!(ran.out.contains("broken") && ran.out.contains(why), "{ran:?}");
    }
    let ran = run_at(&server.url(), &["plugin", "reload", "bare"]).gives(5);
    assert_eq!(ran.err.matches(why).count(), 1, "{ran:?}");
}
