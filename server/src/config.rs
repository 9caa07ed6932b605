//! What `lessor serve` can be told: by flags, by environment variables `LESSOR_*`, by a TOML file, in this order of
//! precedence.
//!
//! The keys of the file are the names of the flags. A key that is not known is an error that names the line.
//!
//! ```toml
//! listen = "127.0.0.1:8080"
//! data = "/var/lib/lessor"
//! pools = "/etc/lessor/pools.yaml"
//! request-ttl = "30s"
//! secrets = "/run/credentials/lessor.service"
//!
//! [[plugin]]
//! name = "csv"
//! component = "/usr/lib/lessor/csv-file.wasm"   # or digest = "…", of one that was uploaded
//! settings = { greeting = "hello" }
//! grants = { locker = true, files = ["/etc/lessor/hosts"] }
//! limits = { cpu_ms = 500, mailbox = 16 }
//!
//! [plugin-grants]                               # the most that the API may grant; nothing by default
//! files = ["/srv/inventory"]
//! secrets = ["inventory-token"]
//! http = ["inventory.example:80"]
//! ```

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use lessor_control::go_duration;
use lessor_jobs::{Ceiling, Configured, Manifest, Source};
use lessor_ledger::Span;
use lessor_plugins::{Grants, Kind, Limits, Misfit};
use lessor_store::Retention;
use serde::Deserialize;

use crate::limits::CONFIG_BYTES_MAX;

/// Runs the server
///
/// State is kept in the data folder; every answer is on disk before it leaves. SIGHUP reads the pools file and
/// plugins of the configuration again, SIGTERM stops within 10 seconds, a second signal at once.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  lessor serve
  lessor serve --pools pools.yaml --data /var/lib/lessor
  lessor serve --config /etc/lessor/lessor.toml --log-format json")]
pub(crate) struct ServeArgs {
    /// TOML file with any of these options; flags and variables go before it
    #[arg(long, env = "LESSOR_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
}

/// The options, each of which may be missing; as flags and variables, and as keys of the file.
#[derive(Clone, Debug, Default, Deserialize, clap::Args)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Given {
    /// Address to listen on, as host:port [default: 127.0.0.1:8080]
    #[arg(long, env = "LESSOR_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// Folder for the state; made if missing [default: ./lessor-data]
    #[arg(long, env = "LESSOR_DATA", value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Pools file; read again when it changes
    #[arg(long, env = "LESSOR_POOLS", value_name = "FILE")]
    pools: Option<PathBuf>,
    /// How long a waiter may be silent before it stops holding others up [default: 30s]
    #[arg(long, env = "LESSOR_REQUEST_TTL", value_name = "DURATION")]
    request_ttl: Option<Length>,
    /// Serve on an address that others can reach although nobody has to say who they are
    #[arg(long, env = "LESSOR_INSECURE", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    insecure: Option<bool>,
    /// Host names that requests may come for, apart from localhost and addresses; may be repeated
    #[arg(long = "host", env = "LESSOR_HOSTS", value_name = "NAME", value_delimiter = ',')]
    hosts: Option<Vec<String>>,
    /// How long ended leases and events are kept [default: 720h]
    #[arg(long, env = "LESSOR_KEEP_HISTORY", value_name = "DURATION")]
    keep_history: Option<Length>,
    /// How many of the latest events are kept at most [default: 1000000]
    #[arg(long, env = "LESSOR_KEEP_EVENTS", value_name = "NUMBER")]
    keep_events: Option<u64>,
    /// Folder with the secrets of plugins: a file for each, named after it
    #[arg(long, env = "LESSOR_SECRETS", value_name = "FOLDER")]
    secrets: Option<PathBuf>,
    /// How log lines look [default: text]
    #[arg(long, env = "LESSOR_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug, trace, or a filter such as `warn,lessor_keeper=debug` [default: info]
    #[arg(long, env = "LESSOR_LOG_LEVEL", value_name = "LEVEL")]
    log_level: Option<String>,
    /// Plugins of the configuration; in the file only.
    #[arg(skip)]
    #[serde(default)]
    plugin: Vec<PluginTable>,
    /// What the API may grant to plugins; in the file only.
    #[arg(skip)]
    #[serde(default)]
    plugin_grants: Ceiling,
    /// The rest of the file, as it is written.
    #[arg(skip)]
    #[serde(skip)]
    fixed: toml::Table,
}

/// One `[[plugin]]` of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PluginTable {
    /// How it is called.
    name: String,
    /// File of its component.
    component: Option<PathBuf>,
    /// SHA-256 of its component, if that was uploaded.
    digest: Option<String>,
    /// What it is for.
    #[serde(default = "target_manager")]
    kind: Kind,
    /// What it reads through `settings`.
    #[serde(default)]
    settings: Option<toml::Table>,
    /// What it may use.
    #[serde(default)]
    grants: Grants,
    /// What one call may take.
    #[serde(default)]
    limits: Limits,
    /// Whether an instance is used for more than one call.
    #[serde(default)]
    warm: bool,
}

fn target_manager() -> Kind {
    Kind::TargetManager
}

impl PluginTable {
    fn resolve(self) -> Result<Configured, ConfigError> {
        let Self { name, component, digest, kind, settings, grants, limits, warm } = self;
        let called = lessor_jobs::plugin_name(&name).ok().filter(|_| lessor_plugins::is_name(&name));
        let called = called.ok_or_else(|| ConfigError::Name { name: name.clone(), cause: Misfit::Name })?;
        let component = match (component, digest) {
            (Some(path), None) => Source::File(path),
            (None, Some(digest)) => Source::Digest(digest),
            (None, None) | (Some(_), Some(_)) => return Err(ConfigError::Component { name }),
        };
        let settings = match settings.map(|table| json(toml::Value::Table(table))) {
            None => serde_json::Value::Null,
            Some(Ok(settings)) => settings,
            Some(Err(number)) => return Err(ConfigError::Setting { name, number }),
        };
        Ok(Configured {
            name: called,
            component,
            manifest: Manifest { kind, settings, grants, limits, warm },
        })
    }
}

/// A setting as a plugin sees it: dates and times as text.
///
/// # Errors
/// A number that JSON does not have, `inf` or `nan`.
fn json(value: toml::Value) -> Result<serde_json::Value, f64> {
    use serde_json::Value as Json;
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => Json::Number(serde_json::Number::from_f64(number).ok_or(number)?),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => Json::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => {
            let fields = table.into_iter().map(|(key, value)| json(value).map(|value| (key, value)));
            Json::Object(fields.collect::<Result<_, _>>()?)
        }
    })
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A positive length of time, written as Go does: `90s`, `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Length(Span);

impl std::str::FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span = go_duration::parse(text).map_err(|error| error.to_string())?;
        if span.is_positive() { Ok(Self(span)) } else { Err(format!("{text} is not more than 0")) }
    }
}

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Why the server cannot be started as told. Whoever started it has to change something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The configuration file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A plugin has no component, or two.
    #[error("plugin {name:?} of the configuration needs either component or digest")]
    Component {
        /// The plugin.
        name: String,
    },
    /// A setting of a plugin cannot be handed on.
    #[error("a setting of plugin {name:?} is {number}: settings are JSON, which has no such number")]
    Setting {
        /// The plugin.
        name: String,
        /// The number.
        number: f64,
    },
    /// A plugin cannot be called so.
    #[error("a plugin of the configuration cannot be called {name:?}")]
    Name {
        /// What it is called.
        name: String,
        /// Why not.
        #[source]
        cause: Misfit,
    },
    /// Secrets are to be read from what is not there.
    #[error("secrets: {} is no folder", .path.display())]
    Secrets {
        /// What was given.
        path: PathBuf,
    },
    /// Two plugins have one name.
    #[error("the configuration has two plugins with the name {name:?}")]
    Twice {
        /// The name.
        name: String,
    },
    /// The configuration file is too large.
    #[error("{} has more than {CONFIG_BYTES_MAX} bytes", .path.display())]
    Large {
        /// The file.
        path: PathBuf,
    },
    /// The configuration file is wrong; the text says where.
    #[error("{}: {cause}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line; part of the text, because it spans several lines.
        cause: Box<toml::de::Error>,
    },
}

/// What the server does, with nothing left open.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    /// Address to listen on, as `host:port`.
    pub(crate) listen: String,
    /// Folder for the state.
    pub(crate) data: PathBuf,
    /// Pools file, if there is one.
    pub(crate) pools: Option<PathBuf>,
    /// How long a waiter may be silent.
    pub(crate) request_ttl: Span,
    /// Whether an address that others can reach is meant.
    pub(crate) insecure: bool,
    /// Further host names that requests may come for.
    pub(crate) hosts: Vec<String>,
    /// How long history is kept.
    pub(crate) retention: Retention,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
    /// What is logged.
    pub(crate) log_level: String,
    /// Where secrets of plugins are.
    pub(crate) secrets: Option<PathBuf>,
    /// Plugins to run.
    pub(crate) plugins: Vec<Configured>,
    /// What the API may grant to plugins at most.
    pub(crate) ceiling: Ceiling,
    /// The file that says so, to read again.
    pub(crate) file: Option<PathBuf>,
    /// What the file says apart from plugins, which holds until the server ends.
    pub(crate) fixed: toml::Table,
}

impl ServeArgs {
    /// Puts flags, variables, file and defaults together.
    ///
    /// # Errors
    /// [`ConfigError`] if there is a file and it cannot be read or is wrong.
    pub(crate) fn resolve(self) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None => Given::default(),
        };
        let given = self.given;
        let default = Retention::default();
        let pools = given.pools.or(file.pools).filter(|path| !path.as_os_str().is_empty());
        let secrets = given.secrets.or(file.secrets);
        if let Some(path) = secrets.as_ref().filter(|path| !path.is_dir()) {
            return Err(ConfigError::Secrets { path: path.clone() });
        }
        Ok(Config {
            listen: given.listen.or(file.listen).unwrap_or_else(|| "127.0.0.1:8080".to_owned()),
            data: given.data.or(file.data).unwrap_or_else(|| PathBuf::from("./lessor-data")),
            pools,
            request_ttl: given
                .request_ttl
                .or(file.request_ttl)
                .map_or(Span::from_secs(30), |length| length.0),
            insecure: given.insecure.or(file.insecure).unwrap_or_default(),
            hosts: given.hosts.or(file.hosts).unwrap_or_default(),
            retention: Retention {
                keep: given.keep_history.or(file.keep_history).map_or(default.keep, |length| length.0),
                events: given.keep_events.or(file.keep_events).unwrap_or(default.events),
            },
            log_format: given.log_format.or(file.log_format).unwrap_or_default(),
            secrets,
            plugins: plugins(file.plugin)?,
            file: self.config,
            fixed: file.fixed,
            ceiling: file.plugin_grants,
            log_level: given.log_level.or(file.log_level).unwrap_or_else(|| "info".to_owned()),
        })
    }
}

/// What a configuration file says, read again.
pub(crate) struct Again {
    /// What it says of plugins.
    pub(crate) plugins: (Vec<Configured>, Ceiling),
    /// The keys apart from that that say something else than before: they wait for a restart.
    pub(crate) waiting: Vec<String>,
}

/// Reads a configuration file again, whose other keys were `fixed` at the start.
///
/// # Errors
/// [`ConfigError`] if it cannot be read or is wrong, in whatever part.
pub(crate) fn read_again(path: &Path, fixed: &toml::Table) -> Result<Again, ConfigError> {
    let file = read(path)?;
    let keys: BTreeSet<_> = fixed.keys().chain(file.fixed.keys()).collect();
    let waiting = keys.into_iter().filter(|key| fixed.get(*key) != file.fixed.get(*key)).cloned().collect();
    Ok(Again { plugins: (plugins(file.plugin)?, file.plugin_grants), waiting })
}

fn plugins(tables: Vec<PluginTable>) -> Result<Vec<Configured>, ConfigError> {
    let configured: Vec<_> = tables.into_iter().map(PluginTable::resolve).collect::<Result<_, _>>()?;
    let mut names = BTreeSet::new();
    match configured.iter().find(|one| !names.insert(&one.name)) {
        Some(twice) => Err(ConfigError::Twice { name: twice.name.to_string() }),
        None => Ok(configured),
    }
}

fn read(path: &Path) -> Result<Given, ConfigError> {
    let fail = |cause| ConfigError::Read { path: path.to_owned(), cause };
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut text = String::new();
    file.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text).map_err(fail)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(ConfigError::Large { path: path.to_owned() });
    }
    let wrong = |cause| ConfigError::File { path: path.to_owned(), cause: Box::new(cause) };
    let mut given: Given = toml::from_str(&text).map_err(wrong)?;
    given.fixed = toml::from_str(&text).map_err(wrong)?;
    given.fixed.retain(|key, _| key != "plugin" && key != "plugin-grants");
    Ok(given)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: ServeArgs,
    }

    #[track_caller]
    fn resolve(file: &str, flags: &[&str]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("lessor.toml");
        std::fs::write(&path, file).expect("the file can be written");
        let path = path.to_str().expect("a temporary path is text");
        let line = ["lessor", "--config", path].into_iter().chain(flags.iter().copied());
        Line::try_parse_from(line).expect("the flags are right").args.resolve()
    }

    #[test]
    fn without_anything_said_the_server_is_local() {
        let config = ServeArgs::default().resolve().expect("the defaults are right");
        assert_eq!(config.listen, "127.0.0.1:8080");
        assert_eq!(config.data, Path::new("./lessor-data"));
        assert_eq!(config.pools, None);
        assert_eq!(config.request_ttl, Span::from_secs(30));
        assert!(!config.insecure);
        assert_eq!(config.retention, Retention::default());
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = "listen = '127.0.0.1:1'\nrequest-ttl = '5s'\ninsecure = true\nlog-format = 'json'\nhosts = ['a']\n";
        let config = resolve(file, &["--listen", "127.0.0.1:2", "--keep-history", "1h", "--insecure=false"]);
        let config = config.expect("the file is right");
        assert_eq!(config.listen, "127.0.0.1:2");
        assert_eq!(config.request_ttl, Span::from_secs(5));
        assert_eq!(config.retention.keep, Span::from_secs(3_600));
        assert!(!config.insecure);
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.hosts, ["a"]);
        assert!(resolve("", &["--insecure"]).expect("the flags are right").insecure);
    }

    #[test]
    fn settings_of_plugins_are_json_and_what_is_not_is_an_error() {
        let plugin = |settings: &str| format!("[[plugin]]\nname = 'p'\ncomponent = 'p.wasm'\n{settings}");
        let config = resolve(&plugin("settings = { d = 2026-01-01, f = 1.5, a = [true, {}] }"), &[]);
        let settings = &config.expect("the file is right").plugins[0].manifest.settings;
        assert_eq!(*settings, serde_json::json!({"d": "2026-01-01", "f": 1.5, "a": [true, {}]}));
        assert!(resolve(&plugin(""), &[]).expect("the file is right").plugins[0].manifest.settings.is_null());
        let error = resolve(&plugin("settings = { f = [inf] }"), &[]).expect_err("JSON has no such number");
        assert!(error.to_string().contains("\"p\" is inf"), "{error}");
        for name in ["", "a b", "-x", "é"] {
            let table = format!("[[plugin]]\nname = '{name}'\ncomponent = 'p.wasm'\n");
            let error = resolve(&table, &[]).expect_err("that is no name");
            assert!(error.to_string().contains(&format!("cannot be called {name:?}")), "{error}");
        }
        let error = resolve("secrets = '/nowhere'", &[]).expect_err("it is not there");
        assert_eq!(error.to_string(), "secrets: /nowhere is no folder");
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_line() {
        let error =
            resolve("listen = '127.0.0.1:1'\n\nlisten-on = 'x'\n", &[]).expect_err("the key is unknown");
        let text = error.to_string();
        assert!(text.contains("line 3"), "{text}");
        assert!(text.contains("listen-on"), "{text}");
        let error = resolve("request-ttl = 'woooo'\n", &[]).expect_err("that is no duration");
        let text = error.to_string();
        assert!(text.contains("line 1") && text.contains(r#"time: invalid duration "woooo""#), "{text}");
        let error = resolve("keep-history = '-1h'\n", &[]).expect_err("that is negative");
        assert!(error.to_string().contains("not more than 0"), "{error}");
    }
}
