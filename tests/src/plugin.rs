//! Plugins for a server under test: the real components, installed over HTTP.

use std::fs;

use serde_json::{Value, json};
use wasm_encoder::{CodeSection, Encode, Function, FunctionSection, Module, TypeSection, ValType};

use crate::http::Answer;
use crate::server::{Server, Setup};
use crate::wait;

/// A component that `cargo xtask plugins` has built, by its name.
///
/// # Panics
/// If it is not there, with the command that builds it.
#[must_use]
pub fn component(name: &str) -> Vec<u8> {
    let test = std::env::current_exe().expect("a running test knows its own path");
    // target/<profile>/deps/<test>
    let target = test.ancestors().nth(3).expect("a test lies in target/<profile>/deps");
    let file = target.join("plugins").join(format!("{name}.wasm"));
    fs::read(&file).unwrap_or_else(|error| {
        panic!("{}: {error}: build the components with `cargo xtask plugins`", file.display())
    })
}

/// The target list with so much code beside it that compiling takes seconds: as much as an interpreter has.
#[must_use]
pub fn heavy() -> Vec<u8> {
    const FUNCTIONS: u32 = 500;
    const STEPS: usize = 2_000;
    /// The section of a component that holds a core module.
    const CORE_MODULE: u8 = 1;
    let mut types = TypeSection::new();
    types.ty().function([ValType::I64], [ValType::I64]);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    for number in 0..i64::from(FUNCTIONS) {
        functions.function(0);
        let mut function = Function::new([]);
        for _ in 0..STEPS {
            function
                .instructions()
                .local_get(0)
                .i64_const(number)
                .i64_rotl()
                .local_get(0)
                .i64_mul()
                .local_set(0);
        }
        function.instructions().local_get(0).end();
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    let mut component = component("target-list");
    component.push(CORE_MODULE);
    module.finish().encode(&mut component);
    component
}

/// A server with the plugin `museum`, which does what it is told and may lock. Its secret `token` is `s3cret`.
///
/// # Panics
/// If the server does not take it.
#[must_use]
pub fn serving_museum() -> Server {
    serving_museum_with(&[])
}

/// The same with more flags of `lessor serve`.
///
/// # Panics
/// If the server does not take it.
#[must_use]
pub fn serving_museum_with(flags: &[&str]) -> Server {
    let config = "secrets = '.'\n[plugin-grants]\nsecrets = ['token']\nfiles = ['/nowhere']\n";
    let server = Setup::new().config(config).arguments(flags).start();
    fs::write(server.folder().join("token"), "s3cret\n").expect("the folder takes a file");
    server.install("museum", "museum", &museum());
    server
}

/// What `museum` is installed with.
#[must_use]
pub fn museum() -> Value {
    let grants = json!({"locker": true, "secrets": ["token"], "files": ["/nowhere"]});
    json!({"grants": grants, "limits": {"cpu_ms": 60_000, "host_calls": 1_000_000}})
}

impl Server {
    /// Uploads a component, and gives its digest.
    ///
    /// # Panics
    /// If the server does not take it.
    #[must_use]
    pub fn upload(&self, component: &[u8]) -> String {
        let headers = [("content-type", "application/wasm")];
        let kept = self.client().send_with("POST", "/v1/components", &headers, component);
        let kept = kept.expect("the server answers");
        assert_eq!(kept.status, 201, "{}", kept.text());
        kept.json()["digest"].as_str().expect("a component has a digest").to_owned()
    }

    /// Installs one of the built components under a name; `more` is what else the body says.
    ///
    /// # Panics
    /// If the server does not take it.
    pub fn install(&self, name: &str, built: &str, more: &Value) {
        let mut body = more.clone();
        body["digest"] = json!(self.upload(&component(built)));
        let answer = self.send_json("PUT", &format!("/v1/plugins/{name}"), &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Submits a job of `ann`: `acquire` are its parameters, `more` is what else the body says.
    #[must_use]
    pub fn submit(&self, manager: &str, acquire: &Value, more: &Value) -> Answer {
        let mut body = json!({
            "target_manager": manager, "owner": "ann", "acquire_parameters": acquire, "release_parameters": {},
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        self.send_json("POST", "/v1/jobs?wait=20s", &body)
    }

    /// As [`Self::submit`], and gives the job.
    ///
    /// # Panics
    /// If the server does not take it.
    #[must_use]
    pub fn job(&self, manager: &str, acquire: &Value, more: &Value) -> Value {
        let answer = self.submit(manager, acquire, more);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    /// A job as it is now.
    ///
    /// # Panics
    /// If there is no such job.
    #[must_use]
    pub fn look_at_job(&self, id: u64) -> Value {
        let answer = self.get(&format!("/v1/jobs/{id}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Waits until a job is in this phase, and gives it.
    ///
    /// # Panics
    /// If it does not get there soon.
    #[must_use]
    pub fn await_phase(&self, id: u64, phase: &str) -> Value {
        wait::until_some(&format!("job {id} is {phase}"), wait::SOON, || {
            let job = self.look_at_job(id);
            (job["phase"] == phase).then_some(job)
        })
    }

    /// Who holds a target, if anybody.
    ///
    /// # Panics
    /// If the server does not list its locks.
    #[must_use]
    pub fn holder(&self, target: &str) -> Option<String> {
        let locks = self.get("/v1/locks?limit=1000").json();
        let locks = locks["items"].as_array().expect("a list has items");
        let lock = locks.iter().find(|lock| lock["target"] == target && lock["live"] != false)?;
        lock["owner"].as_str().map(str::to_owned)
    }

    /// The kinds of all events about a job, in their order, each target after its kind.
    ///
    /// # Panics
    /// If the server does not list its events.
    #[must_use]
    pub fn job_events(&self, id: u64) -> Vec<String> {
        let events = self.get("/v1/events?limit=1000&order=asc").json();
        let events = events["items"].as_array().expect("a list has items").iter();
        let holder = format!("job:{id}");
        let told = events.filter(|event| event["owner"] == holder.as_str()).map(|event| {
            let kind = event["kind"].as_str().unwrap_or_default();
            event["target"].as_str().map_or_else(|| kind.to_owned(), |target| format!("{kind} {target}"))
        });
        told.collect()
    }
}

/// The number of a job.
///
/// # Panics
/// If it is no job.
#[must_use]
pub fn id(job: &Value) -> u64 {
    job["id"].as_u64().unwrap_or_else(|| panic!("not a job: {job}"))
}

/// The names of a job's targets, in their order.
#[must_use]
pub fn targets(job: &Value) -> Vec<String> {
    let targets = job["targets"].as_array().into_iter().flatten();
    targets.filter_map(|target| target["id"].as_str()).map(str::to_owned).collect()
}
