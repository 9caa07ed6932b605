//! The journal in itself: whether events, times and counters go on without gaps, and whether batches do whose records the
//! tables lack.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lessor_ledger::{Change, Job, LeaseId, Owner, PluginName, PoolName, RequestId, Target, Text};
use redb::ReadTransaction;

use super::Report;
use crate::codec::Names;
use crate::error::Fault;
use crate::journal::{Header, Part};
use crate::load::Loaded;
use crate::posting::Subject;
use crate::schema::{JOURNAL, PartKey};

/// Names one record, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RecordKey {
    Pool(PoolName),
    Resource(Target),
    Lock(Target),
    Lease(LeaseId),
    Request(RequestId),
    Key(Owner, Text),
    Job(Job),
    Plugin(PluginName),
}

impl RecordKey {
    /// The record that a change is about; `None` for an event.
    fn of(change: &Change) -> Option<Self> {
        Some(match change {
            Change::Pool(pool) => Self::Pool(pool.name.clone()),
            Change::PoolGone(name) => Self::Pool(name.clone()),
            Change::Resource(resource) => Self::Resource(resource.name.clone()),
            Change::ResourceGone(name) => Self::Resource(name.clone()),
            Change::Lock(lock) => Self::Lock(lock.target.clone()),
            Change::LockGone(target) => Self::Lock(target.clone()),
            Change::Lease(lease) => Self::Lease(lease.id),
            Change::Request(request) => Self::Request(request.id),
            Change::RequestGone(id) => Self::Request(*id),
            Change::Key(key) => Self::Key(key.owner.clone(), key.text.clone()),
            Change::KeyGone(owner, text) => Self::Key(owner.clone(), text.clone()),
            Change::Job(job) => Self::Job(job.id),
            Change::JobGone(id) => Self::Job(*id),
            Change::Plugin(plugin) => Self::Plugin(plugin.name.clone()),
            Change::PluginGone(name) => Self::Plugin(name.clone()),
            Change::Event(_) => return None,
        })
    }
}

/// How many numbers there are and what they mix to: equal for equal sets, and all but never for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) count: u64,
    mix: u64,
}

impl Tally {
    pub(super) fn add(&mut self, id: u64) {
        self.count += 1;
        // Multiplying by a large odd number and folding spreads neighbours over all bits (Fibonacci hashing).
        let spread = id.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.mix = self.mix.wrapping_add(spread ^ (spread >> 29));
    }
}

/// What the journal says the rest of the store should be.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// The last change of each record that the tables lack, and the leases that ended: with the batch that each is from.
    pub(super) latest: BTreeMap<RecordKey, (u64, Change)>,
    /// Events of the checkpointed batches by subject, as the keys and the rows of the index have them.
    pub(super) subjects: BTreeMap<Vec<u8>, Tally>,
    /// Parts with events in the checkpointed batches: first event and place.
    pub(super) parts: Vec<(u64, PartKey)>,
    /// The first event that is kept.
    pub(super) first_event: u64,
}

/// A part and where it stands.
type Row<'a> = (PartKey, Cow<'a, [u8]>);

/// Walks through the journal.
pub(super) fn journal(txn: &ReadTransaction, loaded: &Loaded, report: &mut Report) -> Result<Audit, Fault> {
    let mut audit = Audit { first_event: loaded.tail.last.counters.event + 1, ..Audit::default() };
    let mut names = Names::new();
    let mut before: Option<(PartKey, Header)> = None;
    let mark = loaded.tail.mark.batch;
    let mut stored = txn.open_table(JOURNAL)?.range(..=(mark, u32::MAX))?;
    let mut unstored = loaded.tail.segments().flat_map(|segment| &segment.parts);
    // What the tables lack is in the log, and in the journal too if this is a backup.
    let mut next = || -> Result<Option<Row<'_>>, Fault> {
        if let Some((key, value)) = stored.next().transpose()? {
            return Ok(Some((key.value(), Cow::Owned(value.value().to_vec()))));
        }
        Ok(unstored.next().map(|part| (part.key, Cow::Borrowed(&*part.value))))
    };
    while let Some((key, value)) = next()? {
        let part = Part::parse(&value)?;
        let header = part.header;
        report.journal_parts += 1;
        match before {
            None => first(key, &header, loaded, &mut audit, report),
            Some((last, before)) => follow(key, &header, (last, &before), mark, report),
        }
        let checkpointed = key.0 <= mark;
        let mut next_event = header.first_event;
        part.changes(&mut names, |change| {
            if let Change::Event(event) = &change {
                if event.id.0 != next_event {
                    report.problem(|| format!("event {} stands where {next_event} is due", event.id.0));
                }
                next_event = event.id.0 + 1;
                report.events += 1;
                if checkpointed {
                    for (subject, number) in Subject::all(event) {
                        audit.subjects.entry(subject.key()).or_default().add(number);
                    }
                }
            }
            let over = matches!(&change, Change::Lease(lease) if lease.ended.is_some());
            if let Some(record) = RecordKey::of(&change).filter(|_| over || !checkpointed) {
                audit.latest.insert(record, (key.0, change));
            }
        })?;
        if next_event != header.first_event + header.events {
            report.problem(|| format!("part {key:?} does not hold the events that it says"));
        }
        if checkpointed && header.events > 0 {
            audit.parts.push((header.first_event, key));
        }
        before = Some((key, header));
    }
    end(before, loaded, report);
    Ok(audit)
}

fn first(key: PartKey, header: &Header, loaded: &Loaded, audit: &mut Audit, report: &mut Report) {
    audit.first_event = header.first_event;
    if key.0 > loaded.tail.mark.batch + 1 {
        report.problem(|| {
            format!(
                "the journal begins with batch {}, but the tables end with batch {}",
                key.0, loaded.tail.mark.batch
            )
        });
    }
}

fn follow(key: PartKey, header: &Header, (last, before): (PartKey, &Header), mark: u64, report: &mut Report) {
    let due = if before.more { (last.0, last.1 + 1) } else { (last.0 + 1, 0) };
    // Up to the mark only parts with something to keep are there.
    if key != due && last.0 > mark {
        report.problem(|| format!("part {key:?} of the journal follows {last:?}, where {due:?} is due"));
    }
    if header.at < before.at {
        report.problem(|| format!("batch {} is from before the batch before it", key.0));
    }
    if header.counters.max(before.counters) != header.counters {
        report.problem(|| format!("a counter of batch {} is lower than in the batch before it", key.0));
    }
    let due = before.first_event + before.events;
    if header.first_event != due {
        report
            .problem(|| format!("part {key:?} begins with event {}, where {due} is due", header.first_event));
    }
}

fn end(last: Option<(PartKey, Header)>, loaded: &Loaded, report: &mut Report) {
    let Some((key, header)) = last else { return };
    if header.more && key.0 > loaded.tail.mark.batch {
        report.problem(|| format!("batch {} lacks its end", key.0));
    }
    let (after, due) = (header.first_event + header.events, loaded.tail.last.counters.event + 1);
    if after < due {
        report.problem(|| {
            format!("the journal ends before event {after}, but event {} was given out", due - 1)
        });
    }
    if after > header.counters.event + 1 {
        report.problem(|| format!("batch {} has an event above the counter", key.0));
    }
}
