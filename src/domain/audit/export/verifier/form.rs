//! The form of the lines, byte for byte, and their digests.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::audit::export::{DIGEST, DamagedLine, End, Totals};
use crate::domain::trail::Hash;

use super::flaw::What;

/// The flaw reported by a placeholder line.
pub(super) fn damaged(text: &[u8], buffer: &mut Vec<u8>) -> What {
    parse::<DamagedLine>(text, buffer).map_or_else(|what| what, |line| What::Damaged(line.damaged.what))
}

/// Parses a line that must have exactly the form that this build writes.
pub(super) fn parse<'a, T: Serialize + Deserialize<'a>>(text: &'a [u8], buffer: &mut Vec<u8>) -> Result<T, What> {
    let line: T = serde_json::from_slice(text).map_err(|error| What::Unreadable(error.to_string()))?;
    buffer.clear();
    serde_json::to_writer(&mut *buffer, &line).map_err(|error| What::Unreadable(error.to_string()))?;
    if buffer == text { Ok(line) } else { Err(What::Form) }
}

/// The same for a last line, which is written with its digest.
pub(super) fn parse_closed<'a, T: Serialize + Deserialize<'a> + Closed>(
    text: &'a [u8],
    buffer: &mut Vec<u8>,
) -> Result<T, What> {
    let line: T = serde_json::from_slice(text).map_err(|error| What::Unreadable(error.to_string()))?;
    buffer.clear();
    serde_json::to_writer(&mut *buffer, &line).map_err(|error| What::Unreadable(error.to_string()))?;
    buffer.pop();
    let digest = line.digest().ok_or(What::Form)?;
    buffer.extend_from_slice(format!("{DIGEST}\"{digest}\"}}").as_bytes());
    if buffer == text { Ok(line) } else { Err(What::Form) }
}

pub(super) trait Closed {
    fn digest(&self) -> Option<Hash>;
}

impl Closed for End {
    fn digest(&self) -> Option<Hash> {
        self.sha256
    }
}

impl Closed for Totals {
    fn digest(&self) -> Option<Hash> {
        self.sha256
    }
}

/// The digest that a last line must have after what `before` has seen.
pub(super) fn digest(before: &Sha256, text: &[u8]) -> Hash {
    let own = text.len() - DIGEST.len() - "\"\"}".len() - 64;
    Hash::from_bytes(before.clone().chain_update(&text[..own]).finalize().into())
}

pub(super) fn unreadable(text: &[u8]) -> What {
    match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
        Ok(_) => What::Unreadable("it begins otherwise".to_owned()),
        Err(error) => What::Unreadable(error.to_string()),
    }
}
