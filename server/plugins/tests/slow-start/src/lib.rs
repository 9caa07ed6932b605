//! A plugin whose instance is never ready: it goes round in circles before anything is asked of it.

use lessor_plugin::{Failure, Job, NoParameters, Target, TargetManager};

/// Would have no targets, if it ever came to that.
pub struct SlowStart;

impl TargetManager for SlowStart {
    type Acquire = NoParameters;
    type Release = NoParameters;

    fn acquire(_: &Job, _: NoParameters) -> Result<Vec<Target>, Failure> {
        Ok(Vec::new())
    }
}

lessor_plugin::export_target_manager!(SlowStart);

/// What is run when an instance is made, before its first call.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "the name has a meaning outside of Rust")]
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    loop {
        std::hint::black_box(());
    }
}
