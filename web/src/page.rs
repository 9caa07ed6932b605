//! The pages.

mod form;
mod lease;
mod pool;
mod queue;
mod resource;
mod rest;

pub use form::{BulkPage, EditPage, ForcePage, FormError, LeaseForm, LeasePage, PoolChoice};
pub use lease::{LeaseDetail, Leased, Leases};
pub use pool::{Chosen, PoolDetail, Pools};
pub use queue::{Queue, WaitDetail};
pub use resource::{ResourceDetail, Resources};
pub use rest::{EventDetail, Events, Help, Me, Mine, Oops, Status};
