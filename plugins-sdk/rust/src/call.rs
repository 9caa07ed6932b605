//! From the text of a call to the type's own function and back: the same in a component and in a test.

use crate::manager::{Job, TargetManager};
use crate::parameters::parse;
use crate::problem::{Failure, Problem, Problems};
use crate::target::Target;

pub(crate) fn validate_acquire<M: TargetManager>(parameters: &str) -> Result<(), Vec<Problem>> {
    checked_acquire::<M>(parameters).map(|_| ())
}

pub(crate) fn validate_release<M: TargetManager>(parameters: &str) -> Result<(), Vec<Problem>> {
    checked_release::<M>(parameters).map(|_| ())
}

pub(crate) fn acquire<M: TargetManager>(job: &Job, parameters: &str) -> Result<Vec<Target>, Failure> {
    M::acquire(job, checked_acquire::<M>(parameters)?)
}

pub(crate) fn release<M: TargetManager>(
    job: &Job,
    parameters: &str,
    targets: Vec<Target>,
) -> Result<(), Failure> {
    M::release(job, checked_release::<M>(parameters)?, targets)
}

fn checked_acquire<M: TargetManager>(parameters: &str) -> Result<M::Acquire, Vec<Problem>> {
    let parameters = parse(parameters)?;
    let mut problems = Problems::new();
    M::check_acquire(&parameters, &mut problems);
    problems.verdict().map(|()| parameters)
}

fn checked_release<M: TargetManager>(parameters: &str) -> Result<M::Release, Vec<Problem>> {
    let parameters = parse(parameters)?;
    let mut problems = Problems::new();
    M::check_release(&parameters, &mut problems);
    problems.verdict().map(|()| parameters)
}
