//! `lessor serve`: puts the layers together, runs them, and takes them down in order.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use lessor_api::{App, Hosts, Inputs};
use lessor_control::{PoolsStatus, Reloader};
use lessor_jobs::{Jobs, Plugins, Secrets, Surroundings};
use lessor_keeper::{Keeper, Options, Stopper, chain};
use lessor_plugins::{Host, HostOptions, Worker};
use lessor_store::{STORE_FILE, Store, StoreOptions};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::Inner;
use crate::config::{self, Again, Config, ConfigError, ServeArgs};
use crate::limits::{CONNECTIONS_MAX, DRAIN_MAX, FILES_RESERVED};
use crate::shutdown::{Signals, Wish};
use crate::{listener, telemetry};

/// Folder of compiled plugins in the data folder. It can be deleted while the server is stopped.
const COMPILED: &str = "plugins-compiled";

/// Folder of the components of plugins in the data folder.
pub(crate) const COMPONENTS: &str = "plugins";

/// Why the server does not run, or does not run any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log level is none.
    #[error("{level:?} is not a log level")]
    LogLevel {
        /// What was given.
        level: String,
        /// Why not.
        #[source]
        cause: telemetry::NoLevel,
    },
    /// The address cannot be understood.
    #[error("{address:?} is not an address to listen on")]
    Address {
        /// What was given.
        address: String,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// Others could reach the server, and nobody would have to say who they are.
    #[error(
        "{address} can be reached from other machines, and there are no tokens yet to tell who is asking (they come \
         in a later version): listen on a loopback address such as 127.0.0.1:8080, or say --insecure if this is meant"
    )]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// The state cannot be opened.
    #[error("cannot open the data folder")]
    Open(#[from] lessor_store::OpenError),
    /// The data folder is none: perhaps a backup, which must not be changed.
    #[error(
        "{} is a file: to serve a backup, put it into an empty folder as {STORE_FILE}, and give the folder",
        path.display()
    )]
    NoFolder {
        /// What was given.
        path: PathBuf,
    },
    /// The system has no threads or signals for us.
    #[error("cannot start")]
    System(#[from] std::io::Error),
    /// The plugin host cannot be started.
    #[error("cannot start the plugin host")]
    Plugins(#[from] lessor_plugins::HostError),
    /// The components of plugins cannot be kept.
    #[error(transparent)]
    Components(#[from] lessor_jobs::ComponentError),
    /// The pools file is not there.
    #[error(transparent)]
    Pools(#[from] lessor_control::Unreadable),
    /// The keeper cannot be started.
    #[error(transparent)]
    Keeper(#[from] lessor_keeper::StartError),
    /// The keeper ended although nobody asked it to.
    #[error("the keeper has died; what was acknowledged is on disk")]
    Died,
    /// The keeper did not end in good order.
    #[error(transparent)]
    Stop(#[from] lessor_keeper::StopError),
}

/// Runs the server until it is told to stop.
pub(crate) fn run(args: ServeArgs) -> ExitCode {
    match prepare(args) {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to be told if standard error is closed.
            let _ = writeln!(std::io::stderr(), "lessor: {}", chain(&error));
            match error {
                ServeError::Config(_)
                | ServeError::LogLevel { .. }
                | ServeError::Address { .. }
                | ServeError::NoFolder { .. }
                | ServeError::Pools(_)
                | ServeError::Exposed { .. } => ExitCode::from(2),
                ServeError::Listen { .. }
                | ServeError::Open(_)
                | ServeError::System(_)
                | ServeError::Plugins(_)
                | ServeError::Components(_)
                | ServeError::Keeper(_)
                | ServeError::Died
                | ServeError::Stop(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn prepare(args: ServeArgs) -> Result<ExitCode, ServeError> {
    let config = args.resolve()?;
    let log = telemetry::start(config.log_format, &config.log_level)
        .map_err(|cause| ServeError::LogLevel { level: config.log_level.clone(), cause })?;
    let places = raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.spawn(log.tell_losses());
    let code = runtime.block_on(serve(config, places));
    // A history read may still block a thread; nobody waits for its answer any more.
    runtime.shutdown_background();
    code
}

fn open(config: &Config) -> Result<(Store, lessor_ledger::Ledger), ServeError> {
    if config.data.is_file() {
        return Err(ServeError::NoFolder { path: config.data.clone() });
    }
    let options = StoreOptions {
        request_ttl: config.request_ttl,
        retention: config.retention,
        ..StoreOptions::default()
    };
    let (store, ledger) = Store::open(&config.data, options)?;
    tracing::info!(data = %config.data.display(), batch = store.last_batch(), resources = ledger.resource_count(), "the data folder is open");
    Ok((store, ledger))
}

async fn serve(config: Config, places: usize) -> Result<ExitCode, ServeError> {
    let mut signals = Signals::listen()?;
    let (listener, address) = listen(&config).await?;
    let (store, ledger) = open(&config)?;
    let hosts = if address.ip().is_loopback() { Hosts::Local(config.hosts.into()) } else { Hosts::Any };
    let (keeper, mut stopper) = Keeper::start(store, ledger, Options::default())?;
    let reloader = match config.pools {
        Some(path) => Some(Reloader::start(keeper.clone(), path).await?),
        None => None,
    };
    let pools = match &reloader {
        Some(reloader) => reloader.status(),
        None => watch::channel(PoolsStatus::default()).1,
    };
    let stop = CancellationToken::new();
    let worker = Worker::own(&[Inner::PLUGIN_WORKER]);
    let host = Host::new(HostOptions { cache: config.data.join(COMPILED), worker })?;
    let surroundings = Surroundings {
        components: config.data.join(COMPONENTS),
        secrets: Secrets::new(config.secrets),
        ceiling: config.ceiling,
    };
    let plugins = Plugins::open(keeper.clone(), host, surroundings)?;
    // Whoever needs one of them waits for it; nobody else does.
    tokio::spawn(plugins.restore(config.plugins));
    tokio::spawn(plugins.keep_to_records());
    tokio::spawn(plugins.tell_quarantines());
    let plugins_again = plugins.clone();
    let jobs = Jobs::start(keeper.clone(), Arc::new(plugins.clone()), stop.clone());
    let connections = TaskTracker::new();
    let reload = reloader.as_ref().map(Reloader::nudger);
    let app = App::new(Inputs { keeper, pools, reload, jobs, plugins, shutdown: stop.clone(), hosts });
    let site = lessor_api::site(app);
    let serving = listener::serve(listener, site, places, stop.clone(), connections.clone());
    let serving = tokio::spawn(serving);
    announce(address);
    tell_manager(&[NotifyState::Ready]);
    let died = loop {
        tokio::select! {
            wish = signals.next() => match (wish, &reloader) {
                (Wish::Stop(signal), _) => {
                    tracing::info!(signal, "stopping");
                    break false;
                }
                (Wish::Reload, reloader) => read_again(reloader.as_ref(), &plugins_again, config.file.as_deref(), &config.fixed),
            },
            () = stopper.ended() => break true,
        }
    };
    tell_manager(&[NotifyState::Stopping]);
    stop.cancel();
    drop(reloader);
    if died {
        return Err(ServeError::Died);
    }
    tokio::select! {
        done = drain(serving, connections, stopper) => done.map(|()| ExitCode::SUCCESS),
        signal = signals.stop() => {
            tracing::warn!(signal, "stopping at once");
            Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)))
        }
    }
}

/// Has the files read again that may change while the server runs.
fn read_again(pools: Option<&Reloader>, plugins: &Plugins, config: Option<&Path>, fixed: &toml::Table) {
    if let Some(pools) = pools {
        pools.nudge();
    }
    if let Some(config) = config {
        let (plugins, config, fixed) = (plugins.clone(), config.to_owned(), fixed.clone());
        tokio::spawn(async move {
            let read = tokio::task::spawn_blocking(move || config::read_again(&config, &fixed)).await;
            let read =
                read.expect("reading a file does not panic").map_err(|error| in_one_line(&chain(&error)));
            if let Ok(Again { waiting, .. }) = &read
                && !waiting.is_empty()
            {
                tracing::warn!(
                    keys = waiting.join(", "),
                    "these keys of the configuration wait for a restart"
                );
            }
            plugins.refresh(read.map(|again| again.plugins)).await;
        });
    }
    if pools.is_none() && config.is_none() {
        tracing::info!("there is no pools file and no configuration file to read again");
    }
}

/// An error of TOML without the picture that it draws of the place, which it says in words as well.
fn in_one_line(error: &str) -> String {
    let drawn =
        |line: &&str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    error.lines().filter(|line| !drawn(line)).collect::<Vec<_>>().join(": ")
}

/// Lets open connections finish, then the keeper.
async fn drain(
    serving: tokio::task::JoinHandle<()>,
    connections: TaskTracker,
    stopper: Stopper,
) -> Result<(), ServeError> {
    // An error means that accepting panicked; then there is nothing more to accept either.
    let _ = serving.await;
    connections.close();
    if tokio::time::timeout(DRAIN_MAX, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "some connections were not done in time");
    }
    stopper.stop().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Binds the configured address, if that is one that may be served on.
async fn listen(config: &Config) -> Result<(TcpListener, SocketAddr), ServeError> {
    let unclear = |cause| ServeError::Address { address: config.listen.clone(), cause };
    let mut addresses = tokio::net::lookup_host(&config.listen).await.map_err(unclear)?;
    let address = addresses.next().ok_or_else(|| {
        unclear(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address"))
    })?;
    if !address.ip().is_loopback() && !config.insecure {
        return Err(ServeError::Exposed { address });
    }
    let fail = |cause| ServeError::Listen { address, cause };
    let listener = listener::bind(address).map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    Ok((listener, address))
}

/// Says on standard output that the server is there, and where: one line, for people and for scripts.
fn announce(address: SocketAddr) {
    // Nobody is left to be told if standard output is closed; the server runs all the same.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "lessor is ready on http://{address}");
    let _ = out.flush();
    tracing::info!(%address, "ready");
}

/// Tells the service manager, if one listens (`NOTIFY_SOCKET`).
fn tell_manager(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// Lets the process have as many files open as the system allows, up to what its bounds can use. Returns how many
/// connections that is enough for.
fn raise_file_limit() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let wanted = CONNECTIONS_MAX as u64 + FILES_RESERVED;
    let (current, maximum) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((wanted, wanted));
    let reachable = maximum.min(wanted);
    let files = match setrlimit(Resource::RLIMIT_NOFILE, current.max(reachable), maximum) {
        Ok(()) => current.max(reachable),
        Err(error) => {
            tracing::warn!(%error, files = current, "cannot raise the limit of open files");
            current
        }
    };
    let places = files.saturating_sub(FILES_RESERVED).clamp(1, CONNECTIONS_MAX as u64);
    if places < CONNECTIONS_MAX as u64 {
        tracing::warn!(files, connections = places, "the limit of open files lets fewer connections in");
    }
    usize::try_from(places).unwrap_or(CONNECTIONS_MAX)
}
