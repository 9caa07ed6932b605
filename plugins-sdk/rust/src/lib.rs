//! Write plugins for Lessor.
//!
//! A target manager is a type with [`TargetManager`], and one line that exports it:
//!
//! ```
//! use lessor_plugin::{Failure, Job, NoParameters, Target, TargetManager, locker};
//!
//! struct Bench;
//!
//! #[derive(serde::Deserialize)]
//! struct Wish {
//!     bench: String,
//! }
//!
//! impl TargetManager for Bench {
//!     type Acquire = Wish;
//!     type Release = NoParameters;
//!
//!     fn acquire(job: &Job, wish: Wish) -> Result<Vec<Target>, Failure> {
//!         locker::lock(&[wish.bench.clone()], job.lock_duration)?;
//!         lessor_plugin::info!("{} is locked", wish.bench);
//!         Ok(vec![Target::named(wish.bench)])
//!     }
//! }
//!
//! lessor_plugin::export_target_manager!(Bench);
//!
//! // And without any WebAssembly:
//! let lessor = lessor_plugin::harness::Lessor::new();
//! let targets = lessor.acquire::<Bench>(&Job::numbered(1), r#"{"bench": "b-7"}"#).unwrap();
//! assert_eq!(targets, [Target::named("b-7")]);
//! assert_eq!(lessor.holder("b-7"), Some(1));
//! ```
//!
//! Every module that reaches the server is an interface of the contract, and what a plugin does not call it does not
//! import: its imports are the grants that it asks for. Outside of WebAssembly the same functions reach an in-memory
//! [`harness::Lessor`], so a plugin is tested with plain `cargo test`.

mod any_case;
mod call;
pub mod clock;
pub mod files;
#[cfg(not(target_arch = "wasm32"))]
pub mod harness;
pub mod http;
pub mod inventory;
pub mod locker;
pub mod log;
mod manager;
mod parameters;
mod problem;
pub mod random;
pub mod secrets;
pub mod settings;
mod target;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod wasm;

pub use any_case::AnyCase;
pub use manager::{Job, TargetManager};
pub use parameters::NoParameters;
pub use problem::{Failure, Problem, Problems};
pub use target::{Target, pick};

#[cfg(not(target_arch = "wasm32"))]
use harness as side;
#[cfg(target_arch = "wasm32")]
use wasm as side;

/// Makes a type the target manager of this component. Once in a crate.
#[macro_export]
macro_rules! export_target_manager {
    ($manager:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::wasm::Exported<$manager>;
    $crate::wasm::export_target_manager!(Exported with_types_in $crate::wasm::bindings);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn is_target_manager<M: $crate::TargetManager>() {}
            is_target_manager::<$manager>();
        };
    };
}
