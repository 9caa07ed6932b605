//! The lines of the file.

use std::net::{IpAddr, Ipv6Addr};

use csv::{ReaderBuilder, StringRecord, Trim};
use lessor_plugin::Target;

use crate::quotes;

/// How many fields a line has: ID, FQDN, IPv4, IPv6.
const FIELDS: usize = 4;

/// Reads all machines.
///
/// # Errors
///
/// What is wrong, with the line where it is known.
pub(crate) fn read(content: &[u8]) -> Result<Vec<Target>, String> {
    quotes::check(content)?;
    let mut reader = ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(content);
    let mut hosts = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        hosts.push(host(&record).map_err(|why| format!("line {line}: {why}"))?);
    }
    Ok(hosts)
}

fn host(record: &StringRecord) -> Result<Target, String> {
    if record.len() != FIELDS {
        return Err(format!("it has {} fields: ID, FQDN, IPv4 and IPv6 are expected", record.len()));
    }
    let id = &record[0];
    if id.is_empty() {
        return Err("the ID is empty".to_owned());
    }
    let ipv4 = match address(&record[2])? {
        // Written as one of version 6, an address of version 4 is still one.
        Some(IpAddr::V6(address)) => {
            Some(IpAddr::V4(v4_of(address).ok_or("the third field is no IPv4 address")?))
        }
        other => other,
    };
    let ipv6 = address(&record[3])?;
    Ok(Target { id: id.to_owned(), fqdn: record[1].to_owned(), ipv4, ipv6, ..Target::default() })
}

fn v4_of(address: Ipv6Addr) -> Option<std::net::Ipv4Addr> {
    address.to_ipv4_mapped()
}

fn address(text: &str) -> Result<Option<IpAddr>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| format!("{text:?} is no IP address"))
}

/// Most machines that may match: the locker takes no more names at once. Thousands of machines times hundreds of prefixes
/// would not fit into the memory, either.
pub(crate) const MATCHES_MAX: usize = 10_000;

/// The machines whose host name begins with one of the prefixes; all of them if there are no prefixes.
///
/// A machine counts once for every prefix that fits, as it does in `ConTest`.
///
/// # Errors
///
/// They are more than [`MATCHES_MAX`].
pub(crate) fn with_prefixes(hosts: Vec<Target>, prefixes: &[String]) -> Result<Vec<Target>, String> {
    let too_many =
        || format!("more than {MATCHES_MAX} machines match, counted once for each prefix that fits");
    if prefixes.is_empty() {
        return if hosts.len() > MATCHES_MAX { Err(too_many()) } else { Ok(hosts) };
    }
    let mut fitting = Vec::new();
    for host in hosts {
        let Some(name) = host.fqdn.split('.').next().filter(|_| !host.fqdn.is_empty()) else { continue };
        let times = prefixes.iter().filter(|prefix| name.starts_with(prefix.trim())).count();
        if fitting.len() + times > MATCHES_MAX {
            return Err(too_many());
        }
        fitting.extend(std::iter::repeat_n(host.clone(), times));
    }
    Ok(fitting)
}
