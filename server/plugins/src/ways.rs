//! Where a version of a plugin may send requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::PluginSpec;
use crate::authorities::Authorities;
use crate::endpoint::Door;
use crate::error::Misfit;
use crate::wasi::Gate;

/// All ways out that were granted.
pub(crate) struct Ways {
    /// Named endpoints.
    pub(crate) doors: BTreeMap<String, Arc<Door>>,
    /// Hosts of `wasi:http`.
    pub(crate) gate: Arc<Gate>,
}

impl Ways {
    /// Opens what a plugin was granted.
    ///
    /// # Errors
    ///
    /// Every endpoint and host that cannot be used.
    pub(crate) fn open(authorities: &Authorities, spec: &PluginSpec) -> Result<Self, Vec<Misfit>> {
        let mut wrong = Vec::new();
        let mut doors = BTreeMap::new();
        for (name, endpoint) in &spec.grants.http {
            match Door::open(authorities, endpoint, spec) {
                Ok(door) => drop(doors.insert(name.clone(), Arc::new(door))),
                Err(why) => wrong.push(Misfit::Endpoint { endpoint: name.clone(), why }),
            }
        }
        match Gate::open(authorities, &spec.grants.wasi_http) {
            Ok(gate) if wrong.is_empty() => Ok(Self { doors, gate: Arc::new(gate) }),
            Ok(_) => Err(wrong),
            Err((host, why)) => {
                wrong.push(Misfit::WasiHttp { host, why });
                Err(wrong)
            }
        }
    }
}
