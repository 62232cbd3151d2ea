//! Converts columns to domain types and back where their ranges differ.

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

    /// Converts a count that the database stores as a signed number.
    pub(in crate::store) fn unsigned<S, U>(self, value: S) -> Result<U, Error>
    where
        U: TryFrom<S>,
        U::Error: fmt::Display,
    {
        U::try_from(value).map_err(|error| self.impossible(error))
    }

    /// Parses text that was validated before it was written.
    pub(in crate::store) fn checked<T>(self, text: String) -> Result<T, Error>
    where
        T: TryFrom<String>,
        T::Error: fmt::Display,
    {
        T::try_from(text).map_err(|error| self.impossible(error))
    }

    /// Parses JSON of a shape that this build knows.
    pub(in crate::store) fn json<T: DeserializeOwned>(self, text: &str) -> Result<T, Error> {
        serde_json::from_str(text).map_err(|error| self.impossible(error))
    }

    /// Converts a SHA-256 digest.
    pub(in crate::store) fn digest(self, bytes: &[u8]) -> Result<[u8; 32], Error> {
        bytes.try_into().map_err(|_| self.impossible("a digest that does not have 32 bytes"))
    }

    /// Converts the hash of a chain's entry.
    pub(in crate::store) fn hash(self, bytes: &[u8]) -> Result<Hash, Error> {
        self.digest(bytes).map(Hash::from_bytes)
    }

    /// Refuses a row that a newer build wrote.
    pub(in crate::store) fn known_format(self, format: i32, newest: u32) -> Result<(), Error> {
        if i64::from(format) <= i64::from(newest) {
            return Ok(());
        }
        Err(self.newer(format))
    }

    /// The error for a row that a newer build wrote.
    pub(in crate::store) fn newer(self, format: impl Into<i64>) -> Error {
        Error::Newer { table: self.table, key: self.key.to_string(), format: format.into() }
    }
}

/// Converts a version or `seq` to its column type.
pub(in crate::store) fn bigint(value: u64) -> i64 {
    i64::try_from(value).expect("versions count events, one by one, from 1")
}

/// Converts a number that the caller chooses. One beyond the column's range is beyond the last row.
pub(in crate::store) fn bigint_or_max(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Converts a round, workflow version or format to its column type.
pub(in crate::store) fn int(value: u32) -> i32 {
    i32::try_from(value).expect("rounds and versions are counted one by one, from 1")
}

/// Serializes one of our own types to JSON text.
pub(in crate::store) fn to_json(value: &impl serde::Serialize) -> String {
    // Room for a task's state, so that the buffer is not moved as it grows.
    let mut json = Vec::with_capacity(1024);
    serde_json::to_writer(&mut json, value).expect("our own types have string keys and serialize");
    String::from_utf8(json).expect("JSON is text")
}
