//! Encodings of fields that several records have.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lessor_ledger::{Target, Text};
use minicbor::decode::{Decode, Decoder, Error};
use minicbor::encode::{Encode, Encoder, Write};

/// Declares the stored code of each variant of a ledger enum, in both directions. The match on the variant is
/// exhaustive, so a new variant does not compile before it has a code.
macro_rules! codes {
    ($kind:ident, $what:literal, $put:ident, $get:ident, { $($variant:ident = $code:literal),+ $(,)? }) => {
        pub(crate) fn $put(value: lessor_ledger::$kind) -> u8 {
            match value {
                $(lessor_ledger::$kind::$variant => $code,)+
            }
        }

        pub(crate) fn $get(code: u8) -> Result<lessor_ledger::$kind, $crate::codec::DecodeError> {
            match code {
                $($code => Ok(lessor_ledger::$kind::$variant),)+
                other => Err($crate::codec::DecodeError::Code { what: $what, code: other.into() }),
            }
        }
    };
}
pub(crate) use codes;

/// Text by text, e.g. labels; left out when empty.
pub(crate) struct Pairs<'a>(pub(crate) Cow<'a, BTreeMap<Text, Text>>);

impl<'a> Pairs<'a> {
    pub(crate) fn of(map: &'a BTreeMap<Text, Text>) -> Self {
        Self(Cow::Borrowed(map))
    }

    pub(crate) fn into_map(self) -> BTreeMap<Text, Text> {
        self.0.into_owned()
    }
}

impl<C> Encode<C> for Pairs<'_> {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.map(self.0.len() as u64)?;
        for (key, value) in self.0.iter() {
            e.str(key)?.str(value)?;
        }
        Ok(())
    }

    fn is_nil(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'b, C> Decode<'b, C> for Pairs<'_> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        let mut map = BTreeMap::new();
        for pair in d.map_iter::<&str, &str>()? {
            let (key, value) = pair?;
            map.insert(key.into(), value.into());
        }
        Ok(Self(Cow::Owned(map)))
    }

    fn nil() -> Option<Self> {
        Some(Self(Cow::Owned(BTreeMap::new())))
    }
}

/// Number by text; left out when empty.
pub(crate) struct Counts<'a>(pub(crate) Cow<'a, BTreeMap<Text, i64>>);

impl<C> Encode<C> for Counts<'_> {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.map(self.0.len() as u64)?;
        for (key, &value) in self.0.iter() {
            e.str(key)?.i64(value)?;
        }
        Ok(())
    }

    fn is_nil(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'b, C> Decode<'b, C> for Counts<'_> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        let mut map = BTreeMap::new();
        for pair in d.map_iter::<&str, i64>()? {
            let (key, value) = pair?;
            map.insert(key.into(), value);
        }
        Ok(Self(Cow::Owned(map)))
    }

    fn nil() -> Option<Self> {
        Some(Self(Cow::Owned(BTreeMap::new())))
    }
}

/// A list of targets, in order; left out when empty.
pub(crate) struct Targets<'a>(pub(crate) Cow<'a, [Target]>);

impl<'a> Targets<'a> {
    pub(crate) fn of(list: &'a [Target]) -> Self {
        Self(Cow::Borrowed(list))
    }

    pub(crate) fn into_vec(self) -> Vec<Target> {
        self.0.into_owned()
    }
}

impl<C> Encode<C> for Targets<'_> {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.0.len() as u64)?;
        for target in self.0.iter() {
            e.str(target.as_str())?;
        }
        Ok(())
    }

    fn is_nil(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'b, C> Decode<'b, C> for Targets<'_> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        let mut list = Vec::new();
        for text in d.array_iter::<&str>()? {
            list.push(Target::new(text?).map_err(Error::custom)?);
        }
        Ok(Self(Cow::Owned(list)))
    }

    fn nil() -> Option<Self> {
        Some(Self(Cow::Owned(Vec::new())))
    }
}
