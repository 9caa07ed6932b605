//! HTTP endpoints of a plugin, as they are written on the command line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lessor_plugins::Endpoint;

use crate::cli::failure::Failure;
use crate::cli::value::pair;

/// Where a plugin may send requests.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Endpoints {
    /// An HTTP endpoint by the name that the plugin knows it by; may be repeated
    #[arg(long, value_name = "NAME=URL", value_parser = pair)]
    http: Vec<(String, String)>,
    /// The secret that an endpoint is sent as `Authorization: Bearer …`; may be repeated
    #[arg(long, value_name = "NAME=SECRET", value_parser = pair)]
    bearer: Vec<(String, String)>,
    /// A PEM file of whoever talks to an https endpoint, with the authorities to believe there; may be repeated
    #[arg(long, value_name = "NAME=FILE", value_parser = pair)]
    ca: Vec<(String, String)>,
    /// A host that it may talk to over wasi:http; a private address has to be written itself; may be repeated
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) wasi_http: Vec<String>,
}

impl Endpoints {
    /// All of them, by their names; `private` names those that may be at private addresses.
    ///
    /// # Errors
    /// A name stands twice, or for no endpoint.
    pub(super) fn named(&self, private: &[String]) -> Result<BTreeMap<String, Endpoint>, Failure> {
        let mut named = BTreeMap::new();
        for (name, url) in &self.http {
            let (url, private) = (url.clone(), private.contains(name));
            let endpoint = Endpoint { url, bearer_secret: None, private, ca_file: None };
            if named.insert(name.clone(), endpoint).is_some() {
                return Err(Failure::Usage(format!("--http {name} is given twice")));
            }
        }
        if let Some(name) = private.iter().find(|name| !named.contains_key(*name)) {
            return Err(unnamed("--private", name));
        }
        for (name, secret) in &self.bearer {
            let endpoint = named.get_mut(name).ok_or_else(|| unnamed("--bearer", name))?;
            if endpoint.bearer_secret.replace(secret.clone()).is_some() {
                return Err(Failure::Usage(format!("--bearer {name} is given twice")));
            }
        }
        for (name, file) in &self.ca {
            let endpoint = named.get_mut(name).ok_or_else(|| unnamed("--ca", name))?;
            if endpoint.ca_file.replace(PathBuf::from(file)).is_some() {
                return Err(Failure::Usage(format!("--ca {name} is given twice")));
            }
        }
        Ok(named)
    }

    /// The names of all of them.
    pub(super) fn names(&self) -> Vec<String> {
        self.http.iter().map(|(name, _)| name.clone()).collect()
    }
}

fn unnamed(flag: &str, name: &str) -> Failure {
    Failure::Usage(format!("{flag} {name} is for no endpoint: give --http {name}=URL too"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        endpoints: Endpoints,
        #[arg(long)]
        private: Vec<String>,
    }

    fn named(arguments: &str) -> Result<BTreeMap<String, Endpoint>, String> {
        let line = Line::try_parse_from(std::iter::once("x").chain(arguments.split_whitespace()));
        let line = line.map_err(|error| error.to_string())?;
        line.endpoints.named(&line.private).map_err(|error| error.to_string())
    }

    #[test]
    fn an_endpoint_has_all_that_is_said_of_it() {
        let all = named(
            "--http a=https://a:1/x --http b=http://b --private a --bearer a=token --ca a=/etc/lab.pem",
        );
        let all = all.expect("endpoints");
        let a = Endpoint {
            url: "https://a:1/x".to_owned(),
            bearer_secret: Some("token".to_owned()),
            private: true,
            ca_file: Some("/etc/lab.pem".into()),
        };
        let b = Endpoint { url: "http://b".to_owned(), bearer_secret: None, private: false, ca_file: None };
        assert_eq!(all, [("a".to_owned(), a), ("b".to_owned(), b)].into());
    }

    #[test]
    fn nothing_is_said_twice_or_of_nobody() {
        let cases = [
            ("--http a=http://a --http a=http://b", "--http a is given twice"),
            ("--http a=http://a --bearer a=x --bearer a=y", "--bearer a is given twice"),
            ("--http a=http://a --ca a=/x --ca a=/y", "--ca a is given twice"),
            ("--private a", "--private a is for no endpoint: give --http a=URL too"),
            ("--http b=http://b --bearer a=x", "--bearer a is for no endpoint: give --http a=URL too"),
            ("--http b=http://b --ca a=x", "--ca a is for no endpoint: give --http a=URL too"),
        ];
        for (arguments, expected) in cases {
            assert_eq!(named(arguments).err().as_deref(), Some(expected), "{arguments}");
        }
    }
}
