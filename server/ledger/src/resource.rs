//! Resources: targets that Lessor keeps a record of.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::labels::Labels;
use crate::name::{PoolName, State, Target, Text};
use crate::time::Time;

/// The record of one resource. Who holds it is in the lock table, not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name, unique over all pools.
    pub name: Target,
    /// The pool that it belongs to.
    pub pool: PoolName,
    /// Any text; see [`State`].
    pub state: State,
    /// Who made it, which decides who may take it away.
    pub origin: Origin,
    /// When it was made.
    pub created_at: Time,
    /// When it was last written by a successful operation (Boskos: `lastupdate`); the oldest is leased first.
    pub updated_at: Time,
    /// When an idle dynamic resource is given up (Boskos: `expiration-date`).
    pub expires_at: Option<Time>,
    /// The number of its last write, among the writes of all resources: never that of another write, not even of a
    /// resource of this name that was deleted. What an `ETag` is made of.
    pub revision: u64,
    /// What few resources have; `None` when all of it is empty.
    pub details: Option<Arc<Details>>,
}

/// Where a resource comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Named in the pools file: leaves when the file no longer names it.
    Listed,
    /// Made by a dynamic pool: comes and goes with the pool's counts.
    Dynamic,
    /// Made over the API: only the API takes it away.
    Api,
    /// No longer named in the pools file, or named in another pool, but held: goes when it is given back.
    Leaving,
}

/// The optional part of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Details {
    /// For selection, e.g. `site` = `ber`.
    pub labels: Labels,
    /// Free data for the holders (Boskos: `userdata`).
    pub user_data: BTreeMap<Text, Text>,
    /// How to reach it.
    pub addresses: Addresses,
    /// Set while no new lease may be granted on it.
    pub cordon: Option<Cordon>,
    /// Where a [`Origin::Leaving`] resource is made anew after it was given back.
    pub moves_to: Option<Box<Move>>,
}

/// What becomes of a held resource that the pools file moved to another pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The pool that it is made anew in.
    pub pool: PoolName,
    /// The state that it starts in.
    pub state: State,
    /// What the file says about it.
    pub details: Details,
}

/// How to reach a target (`ConTest`: `FQDN`, `PrimaryIPv4`, `PrimaryIPv6`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Addresses {
    /// Fully qualified domain name; never checked.
    pub fqdn: Option<Text>,
    /// Primary IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Primary IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
}

/// Why a resource takes no new leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cordon {
    /// For whoever wonders, e.g. `fan broken, Ann is on it`.
    pub message: Text,
    /// Since when.
    pub since: Time,
    /// Until when, the instant itself included; `None` until somebody lifts it.
    pub until: Option<Time>,
}

static NO_DETAILS: std::sync::LazyLock<Details> = std::sync::LazyLock::new(Details::default);

impl Resource {
    /// Its details, empty ones if it has none.
    #[must_use]
    pub fn details(&self) -> &Details {
        self.details.as_deref().unwrap_or(&NO_DETAILS)
    }

    /// The cordon, if there is one.
    #[must_use]
    pub fn cordon(&self) -> Option<&Cordon> {
        self.details.as_ref()?.cordon.as_ref()
    }

    /// Puts `details` in place, or nothing if all of it is empty.
    pub(crate) fn set_details(&mut self, details: Details) {
        self.details = (details != *NO_DETAILS).then(|| Arc::new(details));
    }
}
