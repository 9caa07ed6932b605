//! `lessor plugin run`: one call into a component, against a Lessor in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lessor_ledger::JobCommand;
use lessor_plugins::{
    CallError, Endpoint, Grants, JobCall, Kind, Limits, PluginSpec, Secret, Target, TargetManager,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::component;
use super::endpoints::Endpoints;
use super::memory::{self, JobLocker, Lessor};
use super::report::{self, Acquired};
use crate::cli::failure::Failure;
use crate::cli::limits::{PLUGIN_INPUT_BYTES_MAX, PLUGIN_TIMEOUT_DEFAULT};
use crate::cli::output::Output;
use crate::cli::value::{pair, positive_duration};

/// Calls a plugin without a server, and tells what it did
///
/// The rules are the server's own, on a Lessor in memory that is gone afterwards. What the plugin logs goes to standard
/// error.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lessor plugin run bench.wasm acquire --params '{\"bench\": \"b-7\"}'
  lessor plugin run bench.wasm release --acquired acquired.json")]
pub(crate) struct Run {
    /// The component
    file: PathBuf,
    #[command(subcommand)]
    call: Call,
}

/// Which call.
#[derive(Clone, Debug, clap::Subcommand)]
enum Call {
    /// Submits a job and acquires its targets
    #[command(after_help = "\
Examples:
  lessor plugin run list.wasm acquire --params '{\"Targets\": [{\"ID\": \"a\"}]}'
  lessor plugin run csv.wasm acquire --params @wish.json --files /srv/lab --held rack7-a
  lessor plugin run lab.wasm acquire --params '{}' --http lab=http://127.0.0.1:8000/api
  lessor plugin run pick.wasm acquire --params '{}' --settings '{\"default_pool\": \"gpu\"}' --targets pools.yaml
  lessor plugin run list.wasm acquire --params @wish.json -o json > acquired.json")]
    Acquire {
        #[command(flatten)]
        around: Around,
    },
    /// Tells the plugin that a job is done with its targets
    #[command(after_help = "\
Examples:
  lessor plugin run list.wasm acquire --params @wish.json -o json > acquired.json
  lessor plugin run list.wasm release --acquired acquired.json --params '{}'")]
    Release {
        /// What `acquire -o json` printed
        #[arg(long, value_name = "FILE")]
        acquired: PathBuf,
        #[command(flatten)]
        around: Around,
    },
}

/// What is around the plugin while it is called.
#[derive(Clone, Debug, clap::Args)]
struct Around {
    /// Parameters of the call as JSON, or @FILE; left out, they are missing as they are for a job without them
    #[arg(long, value_name = "JSON")]
    params: Option<String>,
    /// What the operator would set for the plugin, as a JSON object, or @FILE
    #[arg(long, value_name = "JSON")]
    settings: Option<String>,
    /// What the inventory shows: a pools file, as of `lessor serve --pools`
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
    /// A target that somebody else holds; may be repeated
    #[arg(long, value_name = "TARGET")]
    held: Vec<String>,
    /// A folder whose files the plugin may read; may be repeated
    #[arg(long, value_name = "DIR")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    endpoints: Endpoints,
    /// A secret and the file that it is in; may be repeated
    #[arg(long, value_name = "NAME=FILE", value_parser = pair)]
    secret: Vec<(String, String)>,
    /// A limit that is not as by default, e.g. `cpu_ms=10000`; may be repeated
    #[arg(long, value_name = "NAME=NUMBER", value_parser = pair)]
    limit: Vec<(String, String)>,
    /// How long the call may take, at least 1s
    #[arg(long, value_name = "TIME", value_parser = positive_duration, default_value = PLUGIN_TIMEOUT_DEFAULT)]
    timeout: Duration,
    /// How long the job leases its targets
    #[arg(long, value_name = "TIME", value_parser = positive_duration, default_value = "10m")]
    lock_duration: Duration,
}

impl Run {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure::Refused`] with what the plugin or the rules say; others if it cannot be tried.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        let bytes = component::read(&self.file)?;
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (host, _folder) = component::host()?;
        let (Call::Acquire { around } | Call::Release { around, .. }) = &self.call;
        let stage = Stage::set(around, &stem)?;
        if !output.quiet {
            crate::telemetry::start_for_plugins();
        }
        let prepared = host.prepare(around.spec(&stem)?, bytes).await;
        let prepared = prepared.map_err(|unfit| report::unfit(&unfit))?;
        let name = host.install(prepared).name;
        let manager = host.target_manager(&name);
        let manager = manager.map_err(|cause| Failure::Plugin { cause: Box::new(cause) })?;
        match &self.call {
            Call::Acquire { .. } => {
                let mut acquired = stage.acquire(&manager).await?;
                acquired.memory_bytes = host.status(&name).map(|status| status.memory_high_water_bytes);
                report::acquired(output, &acquired)
            }
            Call::Release { acquired, .. } => {
                let targets = report::read_acquired(&text_of(acquired)?)?;
                stage.release(&manager, &targets).await?;
                report::released(output, &targets)
            }
        }
    }
}

impl Around {
    fn spec(&self, name: &str) -> Result<PluginSpec, Failure> {
        let mut secrets = BTreeMap::new();
        for (name, file) in &self.secret {
            let value = text_of(Path::new(file))?;
            secrets.insert(name.clone(), Secret::new(value.trim_end_matches(['\r', '\n'])));
        }
        let grants = Grants {
            locker: true,
            inventory: true,
            secrets: secrets.keys().cloned().collect(),
            files: self.files.iter().map(in_full).collect::<Result<_, _>>()?,
            http: self.http()?,
            wasi_http: self.endpoints.wasi_http.iter().cloned().collect(),
        };
        Ok(PluginSpec {
            name: name.to_owned(),
            kind: Kind::TargetManager,
            settings: json("--settings", self.settings.as_deref())?.unwrap_or_default(),
            secrets,
            grants,
            beneath: BTreeMap::new(),
            limits: self.limits()?,
            warm: false,
        })
    }

    /// Endpoints of whoever tries a plugin may be on their own machine: most are.
    fn http(&self) -> Result<BTreeMap<String, Endpoint>, Failure> {
        let mut named = self.endpoints.named(&self.endpoints.names())?;
        for file in named.values_mut().filter_map(|endpoint| endpoint.ca_file.as_mut()) {
            *file = in_full(file)?;
        }
        Ok(named)
    }

    fn limits(&self) -> Result<Limits, Failure> {
        let number = |(name, number): &(String, String)| match number.parse::<u64>() {
            Ok(number) => Ok((name.clone(), Value::from(number))),
            Err(_) => Err(Failure::Usage(format!("--limit {name}: {number:?} is not a number"))),
        };
        let limits = self.limit.iter().map(number).collect::<Result<_, _>>()?;
        serde_json::from_value(Value::Object(limits))
            .map_err(|error| Failure::Usage(format!("--limit: {error}")))
    }
}

/// A folder or file as the host wants it. The command line knows where it was started.
fn in_full(path: &PathBuf) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(Failure::io(format!("there is no {}", path.display())))
}

/// A Lessor in memory, and what the call is about.
struct Stage {
    lessor: Arc<Lessor>,
    plugin: String,
    /// JSON text, empty for none.
    parameters: String,
    timeout: Duration,
    lock_duration: Duration,
}

impl Stage {
    fn set(around: &Around, plugin: &str) -> Result<Self, Failure> {
        let pools = match &around.targets {
            None => Vec::new(),
            Some(file) => lessor_control::pools::parse(&text_of(file)?)
                .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?,
        };
        let parameters = json("--params", around.params.as_deref())?;
        let lessor = Lessor::new(pools, &around.held, plugin).map_err(Failure::Usage)?;
        Ok(Self {
            lessor: Arc::new(lessor),
            plugin: plugin.to_owned(),
            parameters: parameters.map(|given| given.to_string()).unwrap_or_default(),
            timeout: around.timeout,
            lock_duration: around.lock_duration,
        })
    }

    /// Carries out a job up to its lease.
    async fn acquire(&self, manager: &TargetManager) -> Result<Acquired, Failure> {
        let parameters = &*self.parameters;
        manager.validate_acquire(parameters).await.map_err(|error| invalid(&error))?;
        let job = self.start()?;
        let done = manager.acquire(self.call(job), parameters).await;
        let locked = self.lessor.held(job);
        let targets = match done {
            Ok(targets) => targets,
            Err(error) => return Err(report::failed(report::reasons(&error), &locked)),
        };
        let command = JobCommand::Acquired { job, targets: targets.iter().map(memory::facts).collect() };
        let record = self.lessor.job(command).map_err(|refusal| Failure::Negative(refusal.to_string()))?;
        if let Some(failure) = &record.failure {
            return Err(report::failed(vec![failure.to_string()], &locked));
        }
        Ok(Acquired { locked, targets, lease: self.lock_duration, memory_bytes: None })
    }

    /// Carries out the end of a job that has these targets.
    async fn release(&self, manager: &TargetManager, targets: &[Target]) -> Result<(), Failure> {
        let parameters = &*self.parameters;
        manager.validate_release(parameters).await.map_err(|error| invalid(&error))?;
        let job = self.start()?;
        let refused = |refusal: lessor_ledger::Refusal| Failure::Negative(refusal.to_string());
        let had = JobCommand::Acquired { job, targets: targets.iter().map(memory::facts).collect() };
        let record = self.lessor.job(had).map_err(refused)?;
        if let Some(failure) = &record.failure {
            return Err(Failure::Negative(format!("no job can have these targets: {failure}")));
        }
        self.lessor.job(JobCommand::End { job, owner: None, reason: None }).map_err(refused)?;
        let done = manager.release(self.call(job), parameters, &|| targets.to_vec()).await;
        let why = |error| Failure::Refused {
            what: "the release fails, and the server would try it again".to_owned(),
            reasons: report::reasons(&error),
        };
        done.map_err(why)?;
        self.lessor.job(JobCommand::Released { job, attempt: 1 }).map(drop).map_err(refused)
    }

    fn start(&self) -> Result<lessor_ledger::Job, Failure> {
        let started = self.lessor.start(&self.plugin, self.timeout, self.lock_duration);
        started.map(|job| job.id).map_err(|refusal| Failure::Usage(refusal.to_string()))
    }

    fn call(&self, job: lessor_ledger::Job) -> JobCall {
        JobCall {
            job: job.0,
            timeout: self.timeout,
            lock_duration: self.timeout.saturating_add(self.lock_duration),
            cancel: CancellationToken::new(),
            locker: Arc::new(JobLocker { lessor: Arc::clone(&self.lessor), job }),
            inventory: Arc::clone(&self.lessor) as Arc<dyn lessor_plugins::Inventory>,
        }
    }
}

/// Why a job is refused when it is submitted.
fn invalid(error: &CallError) -> Failure {
    Failure::Refused { what: "the parameters are refused".to_owned(), reasons: report::reasons(error) }
}

/// JSON on the command line, or in the file that `@` names.
fn json(what: &str, text: Option<&str>) -> Result<Option<Value>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let read = match text.strip_prefix('@') {
        Some(file) => text_of(Path::new(file))?,
        None => text.to_owned(),
    };
    let value = serde_json::from_str(&read);
    value.map(Some).map_err(|error| Failure::Usage(format!("{what}: not JSON: {error}")))
}

fn text_of(file: &Path) -> Result<String, Failure> {
    use std::io::Read as _;
    let name = file.display();
    let opened = std::fs::File::open(file).map_err(Failure::io(format!("cannot open {name}")))?;
    let mut text = String::new();
    let read = opened.take(PLUGIN_INPUT_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(Failure::io(format!("cannot read {name}")))?;
    if text.len() as u64 > PLUGIN_INPUT_BYTES_MAX {
        return Err(Failure::Usage(format!("{name} is longer than {PLUGIN_INPUT_BYTES_MAX} bytes")));
    }
    Ok(text)
}
