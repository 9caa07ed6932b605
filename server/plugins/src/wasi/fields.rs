//! `fields`: headers.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use wasmtime::component::Resource;

use super::types::{FieldKey, FieldValue, HeaderError, HostFields};
use crate::endpoint::HEADERS_OF_THE_CONNECTION;
use crate::guest::Guest;
use crate::limits::{HTTP_HEADERS_BYTES_MAX, HTTP_HEADERS_MAX};

/// Headers of a request or an answer.
#[derive(Clone, Default)]
pub struct Fields {
    pub(super) map: HeaderMap,
    /// Whether they are of a request that is made already, or of an answer.
    pub(super) fixed: bool,
}

impl Fields {
    pub(super) fn fixed(map: HeaderMap) -> Self {
        Self { map, fixed: true }
    }

    fn append(&mut self, name: &str, value: Vec<u8>) -> Result<(), HeaderError> {
        let name = self.changeable(name)?;
        let bytes = self.map.values().map(HeaderValue::len).sum::<usize>() + value.len();
        if self.map.len() >= HTTP_HEADERS_MAX || bytes > HTTP_HEADERS_BYTES_MAX {
            return Err(HeaderError::Forbidden);
        }
        self.map.append(name, HeaderValue::try_from(value).map_err(|_| HeaderError::InvalidSyntax)?);
        Ok(())
    }

    /// The name of a header that a guest may set.
    fn changeable(&self, name: &str) -> Result<HeaderName, HeaderError> {
        if self.fixed {
            return Err(HeaderError::Immutable);
        }
        let name = HeaderName::try_from(name).map_err(|_| HeaderError::InvalidSyntax)?;
        if HEADERS_OF_THE_CONNECTION.contains(&name.as_str()) {
            return Err(HeaderError::Forbidden);
        }
        Ok(name)
    }
}

impl HostFields for Guest {
    fn new(&mut self) -> wasmtime::Result<Resource<Fields>> {
        self.visit.host_call()?;
        self.keep(Fields::default())
    }

    fn from_list(
        &mut self,
        entries: Vec<(FieldKey, FieldValue)>,
    ) -> wasmtime::Result<Result<Resource<Fields>, HeaderError>> {
        self.visit.host_call()?;
        let mut fields = Fields::default();
        for (name, value) in entries {
            if let Err(error) = fields.append(&name, value) {
                return Ok(Err(error));
            }
        }
        self.keep(fields).map(Ok)
    }

    fn get(&mut self, this: Resource<Fields>, name: FieldKey) -> wasmtime::Result<Vec<FieldValue>> {
        self.visit.host_call()?;
        let all = self.desk.table.get(&this)?.map.get_all(name.as_str());
        Ok(all.into_iter().map(|value| value.as_bytes().to_vec()).collect())
    }

    fn has(&mut self, this: Resource<Fields>, name: FieldKey) -> wasmtime::Result<bool> {
        self.visit.host_call()?;
        Ok(self.desk.table.get(&this)?.map.contains_key(name.as_str()))
    }

    fn set(
        &mut self,
        this: Resource<Fields>,
        name: FieldKey,
        values: Vec<FieldValue>,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        self.visit.host_call()?;
        let fields = self.desk.table.get_mut(&this)?;
        let mut changed = fields.clone();
        let done = changed.changeable(&name).and_then(|known| {
            changed.map.remove(known);
            values.into_iter().try_for_each(|value| changed.append(&name, value))
        });
        if done.is_ok() {
            *fields = changed;
        }
        Ok(done)
    }

    fn delete(
        &mut self,
        this: Resource<Fields>,
        name: FieldKey,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        self.visit.host_call()?;
        let fields = self.desk.table.get_mut(&this)?;
        Ok(fields.changeable(&name).map(|name| drop(fields.map.remove(name))))
    }

    fn append(
        &mut self,
        this: Resource<Fields>,
        name: FieldKey,
        value: FieldValue,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        self.visit.host_call()?;
        Ok(self.desk.table.get_mut(&this)?.append(&name, value))
    }

    fn entries(&mut self, this: Resource<Fields>) -> wasmtime::Result<Vec<(FieldKey, FieldValue)>> {
        self.visit.host_call()?;
        let fields = self.desk.table.get(&this)?;
        Ok(fields.map.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect())
    }

    fn clone(&mut self, this: Resource<Fields>) -> wasmtime::Result<Resource<Fields>> {
        self.visit.host_call()?;
        let map = self.desk.table.get(&this)?.map.clone();
        self.keep(Fields { map, fixed: false })
    }

    fn drop(&mut self, this: Resource<Fields>) -> wasmtime::Result<()> {
        self.end(this)
    }
}
