//! The stored form of a pool.

use std::borrow::Cow;

use lessor_ledger::{Lifecycle, Pool, Span};
use minicbor::{Decode, Encode};

use super::field::{Counts, codes};
use super::{DecodeError, Names, Record};

codes!(PoolOrigin, "pool origin", put_origin, get_origin, { Config = 0, Api = 1, Retired = 2 });

#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct PoolRecord<'a> {
    #[n(0)]
    name: &'a str,
    #[n(1)]
    origin: u8,
    #[n(2)]
    initial_state: &'a str,
    #[b(3)]
    lifecycle: Option<LifecycleRecord<'a>>,
    #[n(4)]
    default_ttl: Option<i64>,
    #[n(5)]
    max_ttl: Option<i64>,
    #[n(6)]
    on_expire: Option<&'a str>,
    #[n(7)]
    reap_after: Option<i64>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct LifecycleRecord<'a> {
    #[n(0)]
    min_count: i64,
    #[n(1)]
    max_count: i64,
    #[n(2)]
    lifespan: Option<i64>,
    #[n(3)]
    config_type: Option<&'a str>,
    #[n(4)]
    config_content: Option<&'a str>,
    #[n(5)]
    needs: Counts<'a>,
}

impl<'a> Record<'a> for PoolRecord<'a> {
    type Of = Pool;

    fn of(pool: &'a Pool) -> Self {
        Self {
            name: pool.name.as_str(),
            origin: put_origin(pool.origin),
            initial_state: pool.initial_state.as_str(),
            lifecycle: pool.lifecycle.as_ref().map(LifecycleRecord::of),
            default_ttl: pool.default_ttl.map(Span::nanos),
            max_ttl: pool.max_ttl.map(Span::nanos),
            on_expire: pool.on_expire.as_ref().map(lessor_ledger::State::as_str),
            reap_after: pool.reap_after.map(Span::nanos),
        }
    }

    fn build(self, names: &mut Names) -> Result<Pool, DecodeError> {
        Ok(Pool {
            name: names.pool(self.name)?,
            origin: get_origin(self.origin)?,
            initial_state: names.state(self.initial_state)?,
            lifecycle: self.lifecycle.map(LifecycleRecord::build),
            default_ttl: self.default_ttl.map(Span::from_nanos),
            max_ttl: self.max_ttl.map(Span::from_nanos),
            on_expire: self.on_expire.map(|state| names.state(state)).transpose()?,
            reap_after: self.reap_after.map(Span::from_nanos),
        })
    }
}

impl<'a> LifecycleRecord<'a> {
    fn of(lifecycle: &'a Lifecycle) -> Self {
        Self {
            min_count: lifecycle.min_count,
            max_count: lifecycle.max_count,
            lifespan: lifecycle.lifespan.map(Span::nanos),
            config_type: lifecycle.config.as_ref().map(|(kind, _)| &**kind),
            config_content: lifecycle.config.as_ref().map(|(_, content)| &**content),
            needs: Counts(Cow::Borrowed(&lifecycle.needs)),
        }
    }

    fn build(self) -> Lifecycle {
        Lifecycle {
            min_count: self.min_count,
            max_count: self.max_count,
            lifespan: self.lifespan.map(Span::from_nanos),
            config: self.config_type.zip(self.config_content).map(|(kind, text)| (kind.into(), text.into())),
            needs: self.needs.0.into_owned(),
        }
    }
}
