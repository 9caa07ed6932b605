//! Where things are: paths of pages, and queries.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes a text so that it is one segment of a path, or one value of a query.
#[must_use]
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The page of a pool.
#[must_use]
pub fn pool(name: &str) -> String {
    if is_step(name) {
        return with("/resources", &[("q", &lessor_filter::term("pool", name))]);
    }
    format!("/pools/{}", encoded(name))
}

/// The page of a resource.
#[must_use]
pub fn resource(name: &str) -> String {
    if is_step(name) {
        return with("/resources", &[("q", &lessor_filter::term("name", name))]);
    }
    format!("/resources/{}", encoded(name))
}

/// Whether browsers take a part of a path for a step to another, however it is written: such a thing is found in its list.
fn is_step(name: &str) -> bool {
    matches!(name, "." | "..")
}

/// The form that leases a target, or waits for it.
#[must_use]
pub fn lease_form(target: &crate::Text) -> String {
    with("/lease", &[("target", target.raw())])
}

/// The page of a lease.
#[must_use]
pub fn lease(id: u64) -> String {
    format!("/leases/{id}")
}

/// The page that takes a lease back.
#[must_use]
pub fn force(id: u64) -> String {
    format!("/leases/{id}/force")
}

/// The page of a request that waits.
#[must_use]
pub fn wait(id: u64) -> String {
    format!("/queue/{id}")
}

/// The page that takes a request out of line.
#[must_use]
pub fn cancel(id: u64) -> String {
    format!("/queue/{id}/cancel")
}

/// The page of a job.
#[must_use]
pub fn job(id: u64) -> String {
    format!("/jobs/{id}")
}

/// The first number that a server gives to a job of its own; those of others begin at 1.
const JOB_FIRST: u64 = 1 << 40;

/// The page of the job that holds something, if that is a job of this server: ending the job is better than taking from it.
#[must_use]
pub fn job_of(owner: &str) -> Option<String> {
    let number = owner.strip_prefix("job:").and_then(|number| number.parse::<u64>().ok());
    number.filter(|&number| number >= JOB_FIRST).map(job)
}

/// Where to learn more of somebody who holds something: the page of a job of this server, else what they hold.
#[must_use]
pub fn holder(owner: &str) -> String {
    job_of(owner).unwrap_or_else(|| with("/leases", &[("q", &lessor_filter::term("owner", owner))]))
}

/// What tells the row of this name from others in one document: letters and digits whatever is in the name.
#[must_use]
pub fn anchor(name: &str) -> String {
    format!("{:016x}", crate::asset::hash(name.as_bytes()))
}

/// The page of a plugin.
#[must_use]
pub fn plugin(name: &str) -> String {
    format!("/plugins/{}", encoded(name))
}

/// The page of a component that was uploaded.
#[must_use]
pub fn component(digest: &str) -> String {
    format!("/components/{}", encoded(digest))
}

/// The page that changes all that a filter finds of a list.
#[must_use]
pub fn bulk(list: &str, filter: &str, after: Option<&str>) -> String {
    let path = format!("/bulk{list}");
    match after {
        Some(after) => with(&path, &[("q", filter), ("after", after)]),
        None => with(&path, &[("q", filter)]),
    }
}

/// A path with a query; what is empty is left out.
#[must_use]
pub fn with(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut link = path.to_owned();
    let mut mark = '?';
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        link.push(mark);
        link.push_str(key);
        link.push('=');
        link.push_str(&encoded(value));
        mark = '&';
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_is_a_job_of_the_server_has_a_page() {
        assert_eq!(holder("job:1099511627777"), "/jobs/1099511627777");
        assert_eq!(holder("job:7"), "/leases?q=owner%3Ajob%3A7");
        assert_eq!(holder("ann"), "/leases?q=owner%3Aann");
    }

    #[test]
    fn names_survive_in_links() {
        assert_eq!(resource("a/b?c#d é\"<"), "/resources/a%2Fb%3Fc%23d%20%C3%A9%22%3C");
        assert_eq!(resource(".."), "/resources?q=name%3A..");
        assert_eq!(resource("..."), "/resources/...");
        assert_eq!(pool("gpu-1.x_y~z"), "/pools/gpu-1.x_y~z");
        assert_eq!(
            with("/leases", &[("q", "owner:a b"), ("sort", ""), ("n", "1&2")]),
            "/leases?q=owner%3Aa%20b&n=1%262"
        );
        assert_eq!(with("/leases", &[("q", "")]), "/leases");
    }
}
