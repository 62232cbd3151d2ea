//! Columns to domain types and back, at the one edge where their ranges differ.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::domain::audit::Hash;
use crate::store::Error;

/// Where a value came from, for the error that names it.
#[derive(Clone, Copy)]
pub(in crate::store) struct Place<K> {
    pub(in crate::store) table: &'static str,
    pub(in crate::store) key: K,
}

impl<K: fmt::Display + Copy> Place<K> {
    pub(in crate::store) fn impossible(self, what: impl fmt::Display) -> Error {
        Error::impossible(self.table, self.key, what)
    }

    /// A count that the database keeps with a sign.
    pub(in crate::store) fn unsigned<S, U>(self, value: S) -> Result<U, Error>
    where
        U: TryFrom<S>,
        U::Error: fmt::Display,
    {
        U::try_from(value).map_err(|error| self.impossible(error))
    }

    /// Text that was checked before it was written.
    pub(in crate::store) fn checked<T>(self, text: String) -> Result<T, Error>
    where
        T: TryFrom<String>,
        T::Error: fmt::Display,
    {
        T::try_from(text).map_err(|error| self.impossible(error))
    }

    /// JSON of a shape that this build knows.
    pub(in crate::store) fn json<T: DeserializeOwned>(self, text: &str) -> Result<T, Error> {
        serde_json::from_str(text).map_err(|error| self.impossible(error))
    }

    /// A SHA-256 digest.
    pub(in crate::store) fn digest(self, bytes: &[u8]) -> Result<[u8; 32], Error> {
        bytes.try_into().map_err(|_| self.impossible("a digest that is not 32 bytes long"))
    }

    /// A link of a hash chain.
    pub(in crate::store) fn hash(self, bytes: &[u8]) -> Result<Hash, Error> {
        self.digest(bytes).map(Hash::from_bytes)
    }

    /// Refuses what a newer build wrote.
    pub(in crate::store) fn known_format(self, format: i32, newest: u32) -> Result<(), Error> {
        if i64::from(format) <= i64::from(newest) {
            return Ok(());
        }
        Err(self.newer(format))
    }

    /// The refusal of what a newer build wrote.
    pub(in crate::store) fn newer(self, format: impl Into<i64>) -> Error {
        Error::Newer { table: self.table, key: self.key.to_string(), format: format.into() }
    }
}

/// A version or `seq`, as the database keeps it.
pub(in crate::store) fn bigint(value: u64) -> i64 {
    i64::try_from(value).expect("versions count events, one by one, from 1")
}

/// A round, workflow version or format, as the database keeps it.
pub(in crate::store) fn int(value: u32) -> i32 {
    i32::try_from(value).expect("rounds and versions are counted one by one, from 1")
}

/// JSON text of one of our own types.
pub(in crate::store) fn to_json(value: &impl serde::Serialize) -> String {
    // Of a task's state, so that it need not be moved as it grows.
    let mut json = Vec::with_capacity(1024);
    serde_json::to_writer(&mut json, value).expect("our own types have string keys and serialize");
    String::from_utf8(json).expect("JSON is text")
}
