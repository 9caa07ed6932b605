//! A target manager with a file: it takes as many of the machines listed in a CSV file as it can get.
//!
//! `{"FileURI": "/srv/hosts.csv", "MinNumberDevices": 1, "MaxNumberDevices": 3, "HostPrefixes": ["rack7-"], "Shuffle": true}`;
//! it is `ConTest`'s `CSVFileTargetManager`. A line of the file is `ID,FQDN,IPv4,IPv6`. The plugin needs the grants `files`
//! and `locker`.

mod hosts;
mod quotes;
mod uri;

use lessor_plugin::{
    AnyCase, Failure, Job, NoParameters, Problems, Target, TargetManager, files, locker, pick, random,
};
use serde::Deserialize;

/// Hands out machines of a CSV file.
pub struct CsvFile;

/// What a job asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Where the file is: a path, or a URL with the scheme `file` and no host but `localhost`.
    #[serde(rename = "FileURI")]
    file: Option<String>,
    /// How many machines it takes at least.
    #[serde(rename = "MinNumberDevices")]
    least: u32,
    /// How many machines are taken at most.
    #[serde(rename = "MaxNumberDevices")]
    most: u32,
    /// How the host names of the machines may begin; none stands for all machines.
    #[serde(rename = "HostPrefixes")]
    prefixes: Option<Vec<String>>,
    /// Whether to take any machines rather than the first ones.
    #[serde(rename = "Shuffle")]
    shuffle: bool,
}

impl TargetManager for CsvFile {
    type Acquire = AnyCase<Wish>;
    type Release = NoParameters;

    fn check_acquire(wish: &AnyCase<Wish>, problems: &mut Problems) {
        match &wish.file {
            None => problems.add("/FileURI", "the file must be given"),
            Some(file) => {
                if let Err(problem) = uri::path(file) {
                    problems.add("/FileURI", problem);
                }
            }
        }
        for (index, prefix) in wish.prefixes.iter().flatten().enumerate() {
            if prefix.trim().is_empty() {
                problems.add(format!("/HostPrefixes/{index}"), "a prefix must not be blank");
            }
        }
    }

    fn acquire(job: &Job, AnyCase(wish): AnyCase<Wish>) -> Result<Vec<Target>, Failure> {
        let path = uri::path(wish.file.as_deref().unwrap_or_default())
            .map_err(|problem| Failure::permanent("bad-parameters", problem))?;
        let bad_file = |why: String| Failure::permanent("bad-file", format!("{path}: {why}"));
        let content = files::read(&path).map_err(|error| bad_file(error.to_string()))?;
        let all = hosts::read(&content).map_err(bad_file)?;
        let prefixes = wish.prefixes.unwrap_or_default();
        let mut hosts = hosts::with_prefixes(all, &prefixes)
            .map_err(|why| Failure::permanent("too-many", format!("{path}: {why}")))?;
        let enough = |count: usize| u64::try_from(count).unwrap_or(u64::MAX) >= u64::from(wish.least);
        if !enough(hosts.len()) {
            let why = format!("{} machines match, at least {} are needed", hosts.len(), wish.least);
            return Err(Failure::permanent("too-few", why));
        }
        if wish.shuffle {
            random::shuffle(&mut hosts);
        }
        let ids: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
        let got = locker::try_lock(&ids, job.lock_duration, wish.most)?;
        if enough(got.len()) {
            let unknown = |id| {
                Failure::permanent("bad-lock", format!("the server locked {id}, which is not in the file"))
            };
            return pick(&got, &hosts).map_err(unknown);
        }
        if !got.is_empty() {
            locker::unlock(&got)?;
        }
        let why = format!("{} machines could be had, at least {} are needed", got.len(), wish.least);
        Err(Failure::retryable("too-few", why))
    }
}

lessor_plugin::export_target_manager!(CsvFile);

#[cfg(test)]
mod tests;
