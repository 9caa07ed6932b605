//! The pages.

mod form;
mod job;
mod lease;
mod plugin;
mod pool;
mod queue;
mod resource;
mod rest;

pub(crate) use form::is_wrong;
pub use form::{
    BulkOf, BulkPage, Drains, EditPage, Edited, ForcePage, FormError, LeaseForm, LeasePage, PoolChoice,
};
pub use job::{JobDetail, Jobs};
pub use lease::{LeaseDetail, Leased, Leases};
pub use plugin::{InstallForm, InstallPage, PluginDetail, Plugins};
pub use pool::{Chosen, Held, PoolDetail, Pools};
pub use queue::{CancelPage, PastWait, Queue, WaitDetail};
pub use resource::{ResourceDetail, Resources, TargetDetail};
pub use rest::{Check, EventDetail, Events, Help, How, Me, Mine, Oops, Status};
