//! A server without a socket: requests go straight to the site.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use lessor_api::{App, Hosts, Inputs, Site};
use lessor_control::PoolsStatus;
use lessor_jobs::{Ceiling, Jobs, Managers, Plugins, Secrets, Surroundings};
use lessor_keeper::{Clock, Keeper, Options, Stopper};
use lessor_ledger::{
    Addresses, Command, Lifecycle, Pool, PoolEntry, PoolName, PoolOrigin, Span, State, Target, Time,
};
use lessor_plugins::{Host, HostOptions, Worker};
use lessor_store::{Store, StoreOptions};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// 2026-05-04T09:00:00Z, when every lab starts.
pub(crate) const START_S: i64 = 1_777_885_200;

/// A keeper, a site and a clock.
pub(crate) struct Lab {
    pub(crate) site: Site,
    pub(crate) keeper: Keeper,
    pub(crate) pools: watch::Sender<PoolsStatus>,
    pub(crate) shutdown: CancellationToken,
    clock: Arc<SetClock>,
    stopper: Stopper,
    _folder: tempfile::TempDir,
}

struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Time {
        Time::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::ZERO
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Fails the test unless the status is this one; else gives the body, null if there is none.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:#?}");
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// Fails the test unless it is a problem of this type and status; else gives it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, kind: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:#?}");
        assert_eq!(problem["type"], format!("/problems/{kind}"), "{self:#?}");
        assert_eq!(problem["status"], status, "{self:#?}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{self:#?}");
        problem
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:#?}")).to_str().expect("text")
    }
}

impl Lab {
    /// With the pool `gpu` of three resources `gpu-1` to `gpu-3` and the pool `cpu` of one, `cpu-1`.
    pub(crate) async fn start() -> Self {
        Self::with_request_ttl(Span::from_secs(30)).await
    }

    pub(crate) async fn with_request_ttl(request_ttl: Span) -> Self {
        Self::with_store(StoreOptions { request_ttl, ..StoreOptions::default() }).await
    }

    pub(crate) async fn with_store(options: StoreOptions) -> Self {
        Self::with(options, None).await
    }

    /// With these target managers instead of those that are installed.
    pub(crate) async fn with_managers(managers: Arc<dyn Managers>) -> Self {
        Self::with(StoreOptions::default(), Some(managers)).await
    }

    async fn with(options: StoreOptions, managers: Option<Arc<dyn Managers>>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = StoreOptions { seed: Some(1), ..options };
        let (store, ledger) = Store::open(folder.path(), options).expect("a new store");
        let clock = Arc::new(SetClock(AtomicI64::new(START_S * 1_000_000_000)));
        let options = Options {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            clock_check: Duration::from_millis(5),
            ..Options::default()
        };
        let (keeper, stopper) = Keeper::start(store, ledger, options).expect("a thread");
        let entries =
            vec![entry("gpu", &["gpu-1", "gpu-2", "gpu-3"]), entry("cpu", &["cpu-1"]), dynamic("vm")];
        keeper.submit(Command::Sync(entries)).await.expect("pools");
        let (pools, status) = watch::channel(PoolsStatus::default());
        let shutdown = CancellationToken::new();
        // These tests compile nothing.
        let worker = Worker::new("/nowhere".into(), &[]);
        let host = Host::new(HostOptions { cache: folder.path().join("compiled"), worker }).expect("a host");
        let surroundings = Surroundings {
            components: folder.path().join("plugins"),
            secrets: Secrets::default(),
            ceiling: Ceiling::default(),
        };
        let plugins = Plugins::open(keeper.clone(), host, surroundings);
        let plugins = plugins.expect("a folder");
        let managers = managers.unwrap_or_else(|| Arc::new(plugins.clone()));
        let jobs = Jobs::start(keeper.clone(), managers, shutdown.clone());
        let inputs = Inputs {
            jobs,
            plugins,
            keeper: keeper.clone(),
            pools: status,
            reload: None,
            shutdown: shutdown.clone(),
            hosts: Hosts::Local(Arc::from([])),
        };
        let site = lessor_api::site(App::new(inputs));
        Self { site, keeper, pools, shutdown, clock, stopper, _folder: folder }
    }

    /// Ends the keeper.
    pub(crate) async fn stop(self) {
        self.stopper.stop().await.expect("a clean stop");
    }

    /// Sets the clock this much ahead.
    pub(crate) fn pass(&self, millis: i64) {
        self.clock.0.fetch_add(millis * 1_000_000, Ordering::SeqCst);
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, None)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(request(Method::DELETE, path, None)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(request(Method::POST, path, Some(body))).await
    }

    /// Leases, and gives the lease.
    pub(crate) async fn acquire(&self, body: Value) -> Value {
        self.post("/v1/leases", body).await.expect(201)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        answer(self.site.clone(), request).await
    }

    /// Waits until a condition on the committed state holds; fails the test after 30 s.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&lessor_ledger::Ledger) -> bool) {
        for _ in 0..6_000 {
            if holds(&self.keeper.snapshot()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("waited 30 s in vain: {what}");
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn answer(site: Site, request: Request<Body>) -> Answer {
    let response = site.oneshot(request).await.expect("the site never fails");
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.expect("a body");
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    Answer { status: parts.status, headers: parts.headers, text }
}

/// A request with a right `Host` and, with a body, a right `Content-Type`.
pub(crate) fn request(method: Method, path: &str, body: Option<Value>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:8080");
    match body {
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    }
    .expect("a request")
}

/// The same with one more header.
pub(crate) fn with_header(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().append(name, value.parse().expect("a header value"));
    request
}

/// A pool with these resources, as the pools file lists it.
pub(crate) fn entry(name: &str, names: &[&str]) -> PoolEntry {
    PoolEntry {
        pool: Pool {
            name: PoolName::new(name).expect("a name"),
            origin: PoolOrigin::Config,
            initial_state: State::free(),
            lifecycle: None,
            default_ttl: Some(Span::from_secs(600)),
            max_ttl: None,
            on_expire: None,
            reap_after: None,
        },
        names: names.iter().map(|&name| Target::new(name).expect("a name")).collect(),
        labels: Some(BTreeMap::from([("site".into(), "ber".into())]).into()),
        addresses: [(
            Target::new("gpu-1").expect("a name"),
            Addresses { fqdn: Some("gpu-1.example".into()), ipv4: Some([10, 0, 0, 1].into()), ipv6: None },
        )]
        .into(),
    }
}

fn dynamic(name: &str) -> PoolEntry {
    let mut entry = entry(name, &[]);
    entry.addresses.clear();
    entry.pool.lifecycle =
        Some(Lifecycle { max_count: 2, lifespan: Some(Span::from_secs(3600)), ..Lifecycle::default() });
    entry
}
