//! How a call into a plugin that is tried is told.

use std::time::Duration;

use lessor_plugins::{CallError, Misfit, Problem, Target, Unfit};
use serde_json::{Value, json};

use super::memory::Held;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, Kind, List, Output, cell, cell_millis, column, optional};
use crate::cli::value::millis;

/// What an `acquire` gave.
pub(super) struct Acquired {
    /// What the plugin locked itself, and for how long.
    pub(super) locked: Vec<Held>,
    /// What it returned.
    pub(super) targets: Vec<Target>,
    /// For how long the job leases them.
    pub(super) lease: Duration,
    /// The most memory that it had.
    pub(super) memory_bytes: Option<u64>,
}

const TARGETS: Kind = Kind {
    name: "id",
    columns: &[
        column("TARGET", |target| cell(target, "id")),
        column("LOCKED BY PLUGIN", |target| cell_millis(target, "locked_ms")),
        column(
            "RETURNED",
            |target| if target["returned"] == true { "yes".to_owned() } else { "no".to_owned() },
        ),
        optional("FQDN", |target| cell(target, "fqdn")),
        optional("IPV4", |target| cell(target, "ipv4")),
        optional("IPV6", |target| cell(target, "ipv6")),
        optional("LABELS", |target| cell(target, "labels")),
        optional("STATE", |target| cell(target, "manager_state")),
    ],
};

/// Tells what was acquired.
///
/// # Errors
/// The output is gone.
pub(super) fn acquired(output: &Output, acquired: &Acquired) -> Result<(), Failure> {
    if output.json() {
        let locked =
            acquired.locked.iter().map(|(target, span)| json!({ "target": target, "for_ms": millis(*span) }));
        let body = json!({
            "locked": locked.collect::<Vec<_>>(),
            "targets": acquired.targets,
            "lease_ms": millis(acquired.lease),
            "memory_bytes": acquired.memory_bytes,
        });
        return output.item(TARGETS, &body);
    }
    let returned = acquired.targets.iter().map(|target| {
        let mut row = json!(target);
        row["returned"] = true.into();
        let locked = acquired.locked.iter().find(|(name, _)| *name == target.id);
        row["locked_ms"] = locked.map(|(_, span)| millis(*span)).into();
        row
    });
    let mut rows: Vec<Value> = returned.collect();
    if output.format() == Format::Table {
        let kept_back =
            acquired.locked.iter().filter(|(name, _)| acquired.targets.iter().all(|t| t.id != *name));
        rows.extend(
            kept_back
                .map(|(name, span)| json!({ "id": name, "locked_ms": millis(*span), "returned": false })),
        );
    }
    let mut list = List::new(output, TARGETS);
    list.page(&rows)?;
    list.end(None)?;
    let memory = acquired.memory_bytes.map(|bytes| format!(", {} KiB of memory", bytes.div_ceil(1024)));
    output.note(&format!(
        "the job has leased {} target(s) for {} s{}",
        acquired.targets.len(),
        acquired.lease.as_secs(),
        memory.unwrap_or_default()
    ));
    Ok(())
}

/// Tells what was released.
///
/// # Errors
/// The output is gone.
pub(super) fn released(output: &Output, targets: &[Target]) -> Result<(), Failure> {
    if output.json() {
        let ids: Vec<&str> = targets.iter().map(|target| target.id.as_str()).collect();
        return output.item(TARGETS, &json!({ "released": ids }));
    }
    output.note(&format!("the plugin has released {} target(s)", targets.len()));
    Ok(())
}

/// The targets in what [`acquired`] printed as JSON, or a bare list of them.
///
/// # Errors
/// [`Failure::Usage`] if it is neither.
pub(super) fn read_acquired(text: &str) -> Result<Vec<Target>, Failure> {
    let bad = |error: serde_json::Error| {
        Failure::Usage(format!("--acquired: not what `acquire -o json` prints: {error}"))
    };
    let mut document: Value = serde_json::from_str(text).map_err(bad)?;
    let targets = match document.get_mut("targets") {
        Some(targets) => targets.take(),
        None => document,
    };
    serde_json::from_value(targets).map_err(bad)
}

/// Why a job fails, with what the server then does to the locks that the plugin took.
pub(super) fn failed(mut reasons: Vec<String>, locked: &[Held]) -> Failure {
    if !locked.is_empty() {
        let names: Vec<&str> = locked.iter().map(|(name, _)| name.as_str()).collect();
        reasons.push(format!("the plugin had locked {}, which the server frees", names.join(", ")));
    }
    Failure::Refused { what: "the job fails".to_owned(), reasons }
}

/// Why a call gave nothing.
pub(super) fn reasons(error: &CallError) -> Vec<String> {
    let CallError::Problems(problems) = error else { return vec![error.to_string()] };
    let reason = |problem: &Problem| match problem.path.as_str() {
        "" => problem.message.clone(),
        path => format!("{path}: {}", problem.message),
    };
    problems.iter().map(reason).collect()
}

/// Why a component is not run, and which option would help.
pub(super) fn unfit(unfit: &Unfit) -> Failure {
    let reason = |misfit: &Misfit| match misfit {
        Misfit::NotGranted { grant: "files", .. } => format!("{misfit} (here: --files DIR)"),
        Misfit::NotGranted { grant: "http", .. } => format!("{misfit} (here: --http NAME=URL)"),
        Misfit::NotGranted { grant: "wasi_http", .. } => format!("{misfit} (here: --wasi-http HOST:PORT)"),
        Misfit::NotGranted { grant: "secrets", .. } => format!("{misfit} (here: --secret NAME=FILE)"),
        _ => misfit.to_string(),
    };
    let what = format!("the plugin {} does not fit", unfit.name);
    Failure::Refused { what, reasons: unfit.misfits.iter().map(reason).collect() }
}
