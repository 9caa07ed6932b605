//! The simplest target manager: the job names its targets, and they are locked, all or none.
//!
//! `{"Targets": [{"ID": "bench-1"}, {"ID": "bench-2", "FQDN": "bench-2.example"}]}`; it is `ConTest`'s `TargetList`.

use lessor_plugin::{AnyCase, Failure, Job, NoParameters, Problems, Target, TargetManager, locker};
use serde::Deserialize;

/// Hands out the targets that the job asks for.
pub struct TargetList;

/// What a job asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Wish {
    /// The targets, which come back as they are.
    #[serde(default)]
    targets: Option<Vec<Target>>,
}

impl TargetManager for TargetList {
    type Acquire = AnyCase<Wish>;
    type Release = NoParameters;

    fn check_acquire(wish: &AnyCase<Wish>, problems: &mut Problems) {
        for (index, target) in wish.targets.iter().flatten().enumerate() {
            if target.id.trim().is_empty() {
                problems.add(format!("/Targets/{index}/ID"), "the ID of a target must not be blank");
            }
        }
    }

    fn acquire(job: &Job, AnyCase(wish): AnyCase<Wish>) -> Result<Vec<Target>, Failure> {
        let targets = wish.targets.unwrap_or_default();
        let ids: Vec<String> = targets.iter().map(|target| target.id.clone()).collect();
        locker::lock(&ids, job.lock_duration)?;
        Ok(targets)
    }
}

lessor_plugin::export_target_manager!(TargetList);

#[cfg(test)]
mod tests {
    use lessor_plugin::harness::Lessor;

    use super::*;

    const TWO: &str = r#"{"Targets": [{"ID": "a", "FQDN": "a.x"}, {"ID": "b"}]}"#;

    #[test]
    fn what_is_asked_for_is_locked_for_as_long_as_the_job_says() {
        let (lessor, job) = (Lessor::new(), Job::numbered(7));
        let targets = lessor.acquire::<TargetList>(&job, TWO).unwrap();
        assert_eq!(targets, [Target { fqdn: "a.x".into(), ..Target::named("a") }, Target::named("b")]);
        let held = [("a".to_owned(), job.lock_duration), ("b".to_owned(), job.lock_duration)];
        assert_eq!(lessor.held_by(7), held);
        assert_eq!(lessor.release::<TargetList>(&job, "null", targets), Ok(()));
    }

    #[test]
    fn contest_47_blank_ids_are_refused_each_with_its_place() {
        let problems = Lessor::new()
            .validate_acquire::<TargetList>(r#"{"Targets": [{"ID": " \t"}, {"ID": " a "}, {}]}"#)
            .unwrap_err();
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["/Targets/0/ID", "/Targets/2/ID"]);
    }

    #[test]
    fn contest_48_release_parameters_must_be_there() {
        let lessor = Lessor::new();
        assert!(lessor.validate_release::<TargetList>("").is_err());
        assert_eq!(lessor.validate_release::<TargetList>("{}"), Ok(()));
        assert_eq!(lessor.validate_release::<TargetList>("null"), Ok(()));
    }

    #[test]
    fn contest_49_one_held_target_fails_all_and_locks_none() {
        let lessor = Lessor::new().held("b", 3);
        let failure = lessor.acquire::<TargetList>(&Job::numbered(7), TWO).unwrap_err();
        assert!(failure.retryable, "{failure}");
        assert_eq!(lessor.holder("a"), None);
        assert_eq!(lessor.holder("b"), Some(3));
    }

    #[test]
    fn what_contest_lets_pass_passes_and_a_null_is_refused() {
        let lessor = Lessor::new();
        for fine in [
            "{}",
            "null",
            r#"{"Targets": []}"#,
            r#"{"targets":[{"id":"a","fqdn":"a.x"}]}"#,
            r#"{"Targets": null}"#,
            r#"{"Targets":[{"ID":"a","Name":"x"},{"ID":"a"}]}"#,
        ] {
            assert_eq!(lessor.validate_acquire::<TargetList>(fine), Ok(()), "{fine}");
        }
        assert!(
            lessor.validate_acquire::<TargetList>("[]").is_err(),
            "a list is no object, in ConTest neither"
        );
        let blank = lessor.validate_acquire::<TargetList>(r#"{"targets": [{"id": " "}]}"#).unwrap_err();
        assert_eq!(blank[0].path, "/Targets/0/ID");
        let problems = lessor.validate_acquire::<TargetList>(r#"{"Targets": [null]}"#).unwrap_err();
        assert_eq!(problems[0].path, "/Targets/0");
    }
}
