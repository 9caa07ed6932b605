//! Tables against the journal: whether each record is what its last change says.

use std::sync::Arc;

use lessor_ledger::{Change, Lease, LeaseId};
use redb::ReadTransaction;

use super::Report;
use super::audit::{Audit, RecordKey};
use crate::codec::{LeaseRecord, Names, decode};
use crate::error::{Fault, damaged};
use crate::load::Loaded;
use crate::schema::ENDED;

/// Compares the ledger that opening made with the last change of each record.
pub(super) fn compare(
    txn: &ReadTransaction,
    loaded: &Loaded,
    audit: &Audit,
    report: &mut Report,
) -> Result<(), Fault> {
    for (record, (batch, change)) in &audit.latest {
        let same = match change {
            Change::Lease(lease) if lease.ended.is_some() => {
                let stored = *batch > loaded.tail.mark.batch || is_ended(txn, lease)?;
                stored && loaded.ledger.lease(lease.id).is_none()
            }
            change => is_current(loaded, record, change),
        };
        if !same {
            report.problem(|| format!("{record:?} is not what batch {batch} made it"));
        }
    }
    Ok(())
}

fn is_current(loaded: &Loaded, record: &RecordKey, change: &Change) -> bool {
    let ledger = &loaded.ledger;
    let now = match record {
        RecordKey::Pool(name) => ledger.pool(name.as_str()).map(|it| Change::Pool(Arc::clone(it))),
        RecordKey::Resource(name) => {
            ledger.resource(name.as_str()).map(|it| Change::Resource(Arc::clone(it)))
        }
        RecordKey::Lock(target) => ledger.lock(target.as_str()).map(|it| Change::Lock(Arc::clone(it))),
        RecordKey::Lease(id) => ledger.lease(*id).map(|it| Change::Lease(Arc::clone(it))),
        RecordKey::Request(id) => ledger.request(*id).map(|it| Change::Request(Arc::clone(it))),
        RecordKey::Key(owner, text) => ledger.key(owner, text).map(|it| Change::Key(Arc::clone(it))),
        RecordKey::Job(id) => ledger.job(*id).map(|it| Change::Job(Arc::clone(it))),
        RecordKey::Plugin(name) => ledger.plugin(name.as_str()).map(|it| Change::Plugin(Arc::clone(it))),
    };
    match change {
        Change::PoolGone(_)
        | Change::ResourceGone(_)
        | Change::LockGone(_)
        | Change::RequestGone(_)
        | Change::KeyGone(..)
        | Change::JobGone(_)
        | Change::PluginGone(_) => now.is_none(),
        change => now.as_ref() == Some(change),
    }
}

fn is_ended(txn: &ReadTransaction, lease: &Lease) -> Result<bool, Fault> {
    Ok(ended(txn, lease.id)?.is_some_and(|stored| stored == *lease))
}

fn ended(txn: &ReadTransaction, id: LeaseId) -> Result<Option<Lease>, Fault> {
    let table = txn.open_table(ENDED)?;
    let Some(value) = table.get(id.0)? else { return Ok(None) };
    decode::<LeaseRecord<'_>>(value.value(), &mut Names::new()).map(Some).map_err(damaged("ended"))
}
