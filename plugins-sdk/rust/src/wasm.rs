//! The side of the component: exports that call a type's own functions, and imports that reach the server.

use std::marker::PhantomData;
use std::time::Duration;

use crate::call;
use crate::files::FileError;
use crate::http::{HttpError, Request, Response};
use crate::inventory::{InventoryError, Pool, Query, Resource};
use crate::locker::LockError;
use crate::log::Level;
use crate::manager::{Job, TargetManager};
use crate::problem::{Failure, Problem};
use crate::target::Target;

#[expect(missing_docs, clippy::pedantic, reason = "generated: the WIT has the documentation")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/v0.1.0",
        world: "target-manager",
        pub_export_macro: true,
        export_macro_name: "export_target_manager",
        default_bindings_module: "lessor_plugin::wasm::bindings",
    });
}

pub use bindings::export_target_manager;
use bindings::exports::lessor::plugin::targets;
use bindings::lessor::plugin::{
    clock, files as wit_files, http_endpoint, inventory as wit_inventory, locker as wit_locker,
    log as wit_log, random as wit_random, secrets, settings as wit_settings, types,
};

/// What is exported for a type. There is never a value of it.
pub struct Exported<M>(PhantomData<M>);

impl<M: TargetManager + 'static> targets::Guest for Exported<M> {
    fn validate_acquire_parameters(parameters: String) -> Result<(), Vec<types::Problem>> {
        explain_panics();
        call::validate_acquire::<M>(&parameters).map_err(problems)
    }

    fn validate_release_parameters(parameters: String) -> Result<(), Vec<types::Problem>> {
        explain_panics();
        call::validate_release::<M>(&parameters).map_err(problems)
    }

    fn acquire(call: types::Call, parameters: String) -> Result<Vec<types::Target>, types::Failure> {
        explain_panics();
        let targets = call::acquire::<M>(&job(&call), &parameters).map_err(failure)?;
        Ok(targets.into_iter().map(to_wit).collect())
    }

    fn release(
        call: types::Call,
        parameters: String,
        targets: Vec<types::Target>,
    ) -> Result<(), types::Failure> {
        explain_panics();
        let targets = targets.into_iter().map(from_wit).collect::<Result<_, _>>().map_err(failure)?;
        call::release::<M>(&job(&call), &parameters, targets).map_err(failure)
    }
}

/// Logs a panic before it ends the instance, so that the server can show what it was.
fn explain_panics() {
    std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
}

fn job(call: &types::Call) -> Job {
    Job {
        number: call.job,
        lock_duration: Duration::from_millis(call.lock_duration_ms),
        timeout: Duration::from_millis(call.timeout_ms),
    }
}

fn problems(problems: Vec<Problem>) -> Vec<types::Problem> {
    problems.into_iter().map(|Problem { path, message }| types::Problem { path, message }).collect()
}

fn failure(Failure { code, message, retryable }: Failure) -> types::Failure {
    types::Failure { code, message, retryable, extra: Vec::new() }
}

fn to_wit(target: Target) -> types::Target {
    let Target { id, fqdn, ipv4, ipv6, manager_state, labels } = target;
    types::Target {
        id,
        fqdn: (!fqdn.is_empty()).then_some(fqdn),
        ipv4: ipv4.map(|address| address.to_string()),
        ipv6: ipv6.map(|address| address.to_string()),
        manager_state,
        labels,
    }
}

fn from_wit(target: types::Target) -> Result<Target, Failure> {
    let types::Target { id, fqdn, ipv4, ipv6, manager_state, labels } = target;
    let read = |text: Option<String>| {
        let parsed = text.map(|text| text.parse()).transpose();
        parsed.map_err(|_| Failure::permanent("bad-target", "the server gave a target with a bad address"))
    };
    let (ipv4, ipv6) = (read(ipv4)?, read(ipv6)?);
    Ok(Target { id, fqdn: fqdn.unwrap_or_default(), ipv4, ipv6, manager_state, labels })
}

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => wit_log::Level::Debug,
        Level::Info => wit_log::Level::Info,
        Level::Warn => wit_log::Level::Warn,
        Level::Error => wit_log::Level::Error,
    };
    wit_log::log(level, message);
}

pub(crate) fn settings() -> String {
    wit_settings::get()
}

pub(crate) fn secret(name: &str) -> Option<String> {
    secrets::get(name)
}

pub(crate) fn now_ms() -> u64 {
    clock::now_ms()
}

pub(crate) fn elapsed_ns() -> u64 {
    clock::elapsed_ns()
}

pub(crate) fn remaining_ms() -> u64 {
    clock::remaining_ms()
}

pub(crate) fn random() -> u64 {
    wit_random::number()
}

pub(crate) fn read_file(path: &str) -> Result<Vec<u8>, FileError> {
    wit_files::read(path).map_err(|wit_files::FileError { code, message }| FileError { code, message })
}

pub(crate) fn send(endpoint: &str, request: Request) -> Result<Response, HttpError> {
    let Request { method, path, headers, body, timeout } = request;
    let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    let request = http_endpoint::Request { method, path, headers, body, timeout_ms, extra: Vec::new() };
    let http_endpoint::Response { status, headers, body } = http_endpoint::send(endpoint, &request)
        .map_err(|http_endpoint::HttpError { code, message, sent }| HttpError { code, message, sent })?;
    Ok(Response { status, headers, body })
}

fn lock_error(error: wit_locker::LockError) -> LockError {
    let wit_locker::LockError { code, message, targets, .. } = error;
    LockError { code, message, targets }
}

pub(crate) fn lock(targets: &[String], duration_ms: u64) -> Result<(), LockError> {
    wit_locker::lock(targets, duration_ms).map_err(lock_error)
}

pub(crate) fn try_lock(targets: &[String], duration_ms: u64, limit: u32) -> Result<Vec<String>, LockError> {
    wit_locker::try_lock(targets, duration_ms, limit).map_err(lock_error)
}

pub(crate) fn unlock(targets: &[String]) -> Result<(), LockError> {
    wit_locker::unlock(targets).map_err(lock_error)
}

pub(crate) fn refresh(targets: &[String], duration_ms: u64) -> Result<(), LockError> {
    wit_locker::refresh(targets, duration_ms).map_err(lock_error)
}

fn inventory_error(error: wit_inventory::InventoryError) -> InventoryError {
    let wit_inventory::InventoryError { code, message } = error;
    InventoryError { code, message }
}

pub(crate) fn resources(query: &Query) -> Result<Vec<Resource>, InventoryError> {
    let Query { pool, state, labels, free_only, limit } = query.clone();
    let query = wit_inventory::Query { pool, state, labels, free_only, limit, extra: Vec::new() };
    let views = wit_inventory::resources(&query).map_err(inventory_error)?;
    let resources = views.into_iter().map(|view| {
        let wit_inventory::ResourceView { name, pool, state, free, labels, fqdn, ipv4, ipv6, .. } = view;
        Resource { name, pool, state, free, labels, fqdn, ipv4, ipv6 }
    });
    Ok(resources.collect())
}

pub(crate) fn pools() -> Result<Vec<Pool>, InventoryError> {
    let views = wit_inventory::pools().map_err(inventory_error)?;
    let pools = views.into_iter().map(|view| {
        let wit_inventory::PoolView { name, resources, free, .. } = view;
        Pool { name, resources, free }
    });
    Ok(pools.collect())
}
