//! The stored form of a resource.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use lessor_ledger::{Addresses, Cordon, Details, Move, Resource, Target, Time};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use super::field::{Pairs, codes};
use super::{DecodeError, Names, Record};

codes!(Origin, "resource origin", put_origin, get_origin, {
    Listed = 0,
    Dynamic = 1,
    Api = 2,
    Leaving = 3,
});

#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct ResourceRecord<'a> {
    #[n(0)]
    name: &'a str,
    #[n(1)]
    pool: &'a str,
    #[n(2)]
    state: &'a str,
    #[n(3)]
    origin: u8,
    #[n(4)]
    created_at: i64,
    #[n(5)]
    updated_at: i64,
    #[n(6)]
    expires_at: Option<i64>,
    #[n(7)]
    revision: u64,
    #[b(8)]
    details: Option<DetailsRecord<'a>>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct DetailsRecord<'a> {
    #[n(0)]
    labels: Pairs<'a>,
    #[n(1)]
    user_data: Pairs<'a>,
    #[n(2)]
    fqdn: Option<&'a str>,
    #[n(3)]
    ipv4: Option<u32>,
    #[n(4)]
    ipv6: Option<ByteArray<16>>,
    #[n(5)]
    cordon: Option<&'a str>,
    #[n(6)]
    cordoned_at: Option<i64>,
    #[b(7)]
    moves_to: Option<Box<MoveRecord<'a>>>,
    #[n(8)]
    cordoned_until: Option<i64>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct MoveRecord<'a> {
    #[n(0)]
    pool: &'a str,
    #[n(1)]
    state: &'a str,
    #[b(2)]
    details: DetailsRecord<'a>,
}

impl<'a> Record<'a> for ResourceRecord<'a> {
    type Of = Resource;

    fn of(resource: &'a Resource) -> Self {
        Self {
            name: resource.name.as_str(),
            pool: resource.pool.as_str(),
            state: resource.state.as_str(),
            origin: put_origin(resource.origin),
            created_at: resource.created_at.nanos(),
            updated_at: resource.updated_at.nanos(),
            expires_at: resource.expires_at.map(Time::nanos),
            revision: resource.revision,
            details: resource.details.as_deref().map(DetailsRecord::of),
        }
    }

    fn build(self, names: &mut Names) -> Result<Resource, DecodeError> {
        Ok(Resource {
            name: Target::new(self.name)?,
            pool: names.pool(self.pool)?,
            state: names.state(self.state)?,
            origin: get_origin(self.origin)?,
            created_at: Time::from_nanos(self.created_at),
            updated_at: Time::from_nanos(self.updated_at),
            expires_at: self.expires_at.map(Time::from_nanos),
            revision: self.revision,
            details: self.details.map(|details| details.build(names).map(Arc::new)).transpose()?,
        })
    }
}

impl<'a> DetailsRecord<'a> {
    fn of(details: &'a Details) -> Self {
        let cordon = details.cordon.as_ref();
        Self {
            labels: Pairs::of(&details.labels),
            user_data: Pairs::of(&details.user_data),
            fqdn: details.addresses.fqdn.as_deref(),
            ipv4: details.addresses.ipv4.map(Ipv4Addr::to_bits),
            ipv6: details.addresses.ipv6.map(|address| ByteArray::from(address.octets())),
            cordon: cordon.map(|cordon| &*cordon.message),
            cordoned_at: cordon.map(|cordon| cordon.since.nanos()),
            cordoned_until: cordon.and_then(|cordon| cordon.until).map(Time::nanos),
            moves_to: details.moves_to.as_deref().map(|target| Box::new(MoveRecord::of(target))),
        }
    }

    fn build(self, names: &mut Names) -> Result<Details, DecodeError> {
        let cordon = self.cordon.map(|message| Cordon {
            message: message.into(),
            since: Time::from_nanos(self.cordoned_at.unwrap_or_default()),
            until: self.cordoned_until.map(Time::from_nanos),
        });
        Ok(Details {
            labels: names.labels(self.labels.into_map()),
            user_data: self.user_data.into_map(),
            addresses: Addresses {
                fqdn: self.fqdn.map(Into::into),
                ipv4: self.ipv4.map(Ipv4Addr::from_bits),
                ipv6: self.ipv6.map(|octets| Ipv6Addr::from(<[u8; 16]>::from(octets))),
            },
            cordon,
            moves_to: self.moves_to.map(|target| target.build(names).map(Box::new)).transpose()?,
        })
    }
}

impl<'a> MoveRecord<'a> {
    fn of(target: &'a Move) -> Self {
        Self {
            pool: target.pool.as_str(),
            state: target.state.as_str(),
            details: DetailsRecord::of(&target.details),
        }
    }

    fn build(self, names: &mut Names) -> Result<Move, DecodeError> {
        Ok(Move {
            pool: names.pool(self.pool)?,
            state: names.state(self.state)?,
            details: self.details.build(names)?,
        })
    }
}
