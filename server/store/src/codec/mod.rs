//! How records become bytes and bytes become records.
//!
//! The ledger's types derive no encoding on purpose: what is written here is a promise to every later version,
//! what the ledger holds in memory is not. Each ledger type has a mirror that borrows from it for encoding and from
//! the stored bytes for decoding, so that neither way copies text that it need not.
//!
//! Values are CBOR maps with integer keys: a reader skips keys that it does not know, an absent optional field is
//! `None`, and any CBOR tool can show them. A number is never given to another field. A new *required* field, a new
//! code of an enum or a new change tag needs a new schema version, because an older reader could not cope.

mod change;
mod event;
mod field;
mod job;
mod lease;
mod names;
mod plugin;
mod pool;
mod request;
mod resource;
#[cfg(test)]
mod tests;

pub(crate) use change::{decode_changes, encode_change, ended_leases, ended_records};
pub(crate) use event::{EventRecord, put_kind as kind_code};
pub(crate) use job::JobRecord;
pub(crate) use lease::{LeaseRecord, LockRecord};
pub(crate) use names::Names;
pub(crate) use plugin::PluginRecord;
pub(crate) use pool::PoolRecord;
pub(crate) use request::{KeyRecord, RequestRecord};
pub(crate) use resource::ResourceRecord;

use lessor_ledger::NameError;
use minicbor::{Decode, Decoder, Encode};

/// Why stored bytes are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not CBOR of the expected shape.
    #[error("value is damaged")]
    Cbor(#[from] minicbor::decode::Error),
    /// A stored name is not a name.
    #[error("stored name is damaged")]
    Name(#[from] NameError),
    /// A code that this version does not know.
    #[error("unknown {what} code {code}")]
    Code {
        /// What the code stands for.
        what: &'static str,
        /// The code.
        code: u64,
    },
}

/// The stored mirror of a ledger type.
pub(crate) trait Record<'a>: Encode<()> + Decode<'a, ()> + Sized {
    /// The ledger's type.
    type Of: 'a;

    /// Borrows everything from `value`.
    fn of(value: &'a Self::Of) -> Self;

    /// Builds the ledger's value, sharing names through `names`.
    fn build(self, names: &mut Names) -> Result<Self::Of, DecodeError>;
}

/// Appends the encoding of `value` to `out`.
pub(crate) fn encode<'a, R: Record<'a>>(value: &'a R::Of, out: &mut Vec<u8>) {
    put(&R::of(value), out);
}

/// Appends the encoding of anything encodable to `out`.
pub(crate) fn put(value: &impl Encode<()>, out: &mut Vec<u8>) {
    minicbor::encode(value, out)
        .unwrap_or_else(|error| unreachable!("writing to memory cannot fail: {error}"));
}

/// Appends numbers that rise, as what each adds to the one before; the first to `base`.
pub(crate) fn put_rising(base: u64, numbers: &[u64], out: &mut Vec<u8>) {
    let mut last = base;
    for number in numbers {
        put(&(number - last), out);
        last = *number;
    }
}

/// Reads what [`put_rising`] wrote, which makes up all of `bytes`, and appends it to `numbers`.
pub(crate) fn read_rising(base: u64, bytes: &[u8], numbers: &mut Vec<u64>) -> Result<(), DecodeError> {
    let mut last = base;
    let mut decoder = Decoder::new(bytes);
    while decoder.position() < bytes.len() {
        last = last.saturating_add(decoder.u64()?);
        numbers.push(last);
    }
    Ok(())
}

/// Reads one record that makes up all of `bytes`.
pub(crate) fn decode<'a, R: Record<'a>>(bytes: &'a [u8], names: &mut Names) -> Result<R::Of, DecodeError> {
    read::<R>(&mut Decoder::new(bytes), names)
}

/// Reads the next record.
pub(crate) fn read<'a, R: Record<'a>>(
    decoder: &mut Decoder<'a>,
    names: &mut Names,
) -> Result<R::Of, DecodeError> {
    decoder.decode::<R>()?.build(names)
}
