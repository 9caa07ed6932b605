//! The stored form of a change: a tag, then the record or the name of what is gone.
//!
//! Events are changes too, but the journal keeps them in a section of their own, so that reading an event need not
//! step over records, and replaying records need not step over events.

use std::ops::Range;
use std::sync::Arc;

use lessor_ledger::{Change, Job, LeaseId, PluginName, RequestId, Target, Text};
use minicbor::Decoder;

use super::lease::LeaseEnd;
use super::{
    DecodeError, JobRecord, KeyRecord, LeaseRecord, LockRecord, Names, PluginRecord, PoolRecord,
    RequestRecord, ResourceRecord, encode, put, read,
};

const POOL: u8 = 0;
const POOL_GONE: u8 = 1;
const RESOURCE: u8 = 2;
const RESOURCE_GONE: u8 = 3;
const LOCK: u8 = 4;
const LOCK_GONE: u8 = 5;
const LEASE: u8 = 6;
const REQUEST: u8 = 7;
const REQUEST_GONE: u8 = 8;
const KEY: u8 = 9;
const KEY_GONE: u8 = 10;
const JOB: u8 = 11;
const JOB_GONE: u8 = 12;
const PLUGIN: u8 = 13;
const PLUGIN_GONE: u8 = 14;

/// Appends a change to `records`, or to `events` if it is an event.
pub(crate) fn encode_change(change: &Change, records: &mut Vec<u8>, events: &mut Vec<u8>) {
    match change {
        Change::Pool(pool) => {
            put(&POOL, records);
            encode::<PoolRecord<'_>>(pool, records);
        }
        Change::PoolGone(name) => tagged(POOL_GONE, &name.as_str(), records),
        Change::Resource(resource) => {
            put(&RESOURCE, records);
            encode::<ResourceRecord<'_>>(resource, records);
        }
        Change::ResourceGone(name) => tagged(RESOURCE_GONE, &name.as_str(), records),
        Change::Lock(lock) => {
            put(&LOCK, records);
            encode::<LockRecord<'_>>(lock, records);
        }
        Change::LockGone(target) => tagged(LOCK_GONE, &target.as_str(), records),
        Change::Lease(lease) => {
            put(&LEASE, records);
            encode::<LeaseRecord<'_>>(lease, records);
        }
        Change::Request(request) => {
            put(&REQUEST, records);
            encode::<RequestRecord<'_>>(request, records);
        }
        Change::RequestGone(id) => tagged(REQUEST_GONE, &id.0, records),
        Change::Key(key) => {
            put(&KEY, records);
            encode::<KeyRecord<'_>>(key, records);
        }
        Change::KeyGone(owner, text) => tagged(KEY_GONE, &(owner.as_str(), &**text), records),
        Change::Job(job) => {
            put(&JOB, records);
            encode::<JobRecord<'_>>(job, records);
        }
        Change::JobGone(id) => tagged(JOB_GONE, &id.0, records),
        Change::Plugin(plugin) => {
            put(&PLUGIN, records);
            encode::<PluginRecord<'_>>(plugin, records);
        }
        Change::PluginGone(name) => tagged(PLUGIN_GONE, &name.as_str(), records),
        Change::Event(event) => encode::<super::EventRecord<'_>>(event, events),
    }
}

fn tagged(tag: u8, item: &impl minicbor::Encode<()>, records: &mut Vec<u8>) {
    put(&tag, records);
    put(item, records);
}

/// Reads the changes of a records section, in order. No events are among them.
pub(crate) fn decode_changes(
    section: &[u8],
    names: &mut Names,
    mut each: impl FnMut(Change),
) -> Result<(), DecodeError> {
    let mut decoder = Decoder::new(section);
    while decoder.position() < section.len() {
        each(decode_change(&mut decoder, names)?);
    }
    Ok(())
}

fn decode_change(d: &mut Decoder<'_>, names: &mut Names) -> Result<Change, DecodeError> {
    Ok(match d.u8()? {
        POOL => Change::Pool(Arc::new(read::<PoolRecord<'_>>(d, names)?)),
        POOL_GONE => Change::PoolGone(names.pool(d.str()?)?),
        RESOURCE => Change::Resource(Arc::new(read::<ResourceRecord<'_>>(d, names)?)),
        RESOURCE_GONE => Change::ResourceGone(Target::new(d.str()?)?),
        LOCK => Change::Lock(Arc::new(read::<LockRecord<'_>>(d, names)?)),
        LOCK_GONE => Change::LockGone(Target::new(d.str()?)?),
        LEASE => Change::Lease(Arc::new(read::<LeaseRecord<'_>>(d, names)?)),
        REQUEST => Change::Request(Arc::new(read::<RequestRecord<'_>>(d, names)?)),
        REQUEST_GONE => Change::RequestGone(RequestId(d.u64()?)),
        KEY => Change::Key(Arc::new(read::<KeyRecord<'_>>(d, names)?)),
        KEY_GONE => {
            let (owner, text) = d.decode::<(&str, &str)>()?;
            Change::KeyGone(names.owner(owner)?, Text::from(text))
        }
        JOB => Change::Job(Arc::new(read::<JobRecord<'_>>(d, names)?)),
        JOB_GONE => Change::JobGone(Job(d.u64()?)),
        PLUGIN => Change::Plugin(Arc::new(read::<PluginRecord<'_>>(d, names)?)),
        PLUGIN_GONE => Change::PluginGone(PluginName::new(d.str()?)?),
        code => return Err(DecodeError::Code { what: "change", code: code.into() }),
    })
}

/// Where in a records section the leases are that are over, each with its tag.
pub(crate) fn ended_records(section: &[u8]) -> Result<Vec<Range<usize>>, DecodeError> {
    let mut ended = Vec::new();
    each_ended(section, |_, range| ended.push(range))?;
    Ok(ended)
}

/// Which leases of a records section are over, without building anything else.
pub(crate) fn ended_leases(section: &[u8]) -> Result<Vec<LeaseId>, DecodeError> {
    let mut ended = Vec::new();
    each_ended(section, |lease, _| ended.push(lease))?;
    Ok(ended)
}

fn each_ended(section: &[u8], mut each: impl FnMut(LeaseId, Range<usize>)) -> Result<(), DecodeError> {
    let mut decoder = Decoder::new(section);
    while decoder.position() < section.len() {
        let start = decoder.position();
        if decoder.u8()? == LEASE {
            let lease = decoder.decode::<LeaseEnd<'_>>()?;
            if lease.is_over() {
                each(LeaseId(lease.id), start..decoder.position());
            }
        } else {
            decoder.skip()?;
        }
    }
    Ok(())
}
