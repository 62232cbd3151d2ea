//! The format of a partner's API key. Pure: the caller passes the random bytes, and only a hash is
//! stored.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::domain::values::cell::CellName;
use crate::domain::values::token;

const PREFIX: &str = "ait_";
/// How many digits of the secret a hint shows.
const HINT: usize = 4;

/// A partner's key: `ait_`, the name of its cell and `_` if the cell has one, 32 random bytes as 43
/// base-62 digits, and a CRC-32 as 6 more. The checksum lets us refuse a mistyped key without a
/// look-up and lets secret scanners recognise a real one. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    text: String,
    cell: Option<CellName>,
}

impl ApiKey {
    /// Builds the key of a cell from random bytes.
    pub fn from_random(cell: Option<&CellName>, bytes: &[u8; 32]) -> Self {
        Self { text: token::write(PREFIX, cell, bytes), cell: cell.cloned() }
    }

    /// Checks form and checksum; says nothing about whether the key exists.
    pub fn parse(text: &str) -> Option<Self> {
        token::read(PREFIX, text).map(|shown| Self { text: text.to_owned(), cell: shown.cell })
    }

    /// The cell that made it, if it had a name.
    pub fn cell(&self) -> Option<&CellName> {
        self.cell.as_ref()
    }

    /// Whether `text` has the prefix of a partner's key, well-formed or not.
    pub fn looks_like(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The key itself, shown only once.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The hash that is stored and looked up. The key has 256 random bits, so a fast hash suffices.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.text.as_bytes()).into())
    }

    /// The first characters, by which people tell their keys apart: all before the secret, and 4 of
    /// its 43 digits.
    pub fn hint(&self) -> &str {
        let cell = self.cell.as_ref().map_or(0, |name| name.as_str().len() + 1);
        &self.text[..PREFIX.len() + cell + HINT]
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}…)", self.hint())
    }
}

/// SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_a_fixed_length_and_survive_a_round_trip() {
        for bytes in [[0; 32], [255; 32], core::array::from_fn(|i| u8::try_from(i * 7).unwrap())] {
            let key = ApiKey::from_random(None, &bytes);
            assert_eq!(key.reveal().len(), 53);
            assert_eq!(ApiKey::parse(key.reveal()), Some(key.clone()));
        }
        assert_eq!(&ApiKey::from_random(None, &[0; 32]).reveal()[..47], format!("ait_{}", "0".repeat(43)));
    }

    #[test]
    fn a_key_names_its_cell() {
        let cell = CellName::parse("eu-1").unwrap();
        let key = ApiKey::from_random(Some(&cell), &[7; 32]);
        assert!(key.reveal().starts_with("ait_eu-1_") && key.hint() == &key.reveal()[..13]);
        let parsed = ApiKey::parse(key.reveal()).unwrap();
        assert_eq!((parsed.cell(), &parsed), (Some(&cell), &key));
        // The checksum covers the name.
        for other in ["eu-2_", "us-1_", "", "EU-1_", "_"] {
            assert_eq!(ApiKey::parse(&key.reveal().replace("eu-1_", other)), None, "{other}");
        }
    }

    #[test]
    fn every_single_mistyped_character_is_noticed() {
        let key = ApiKey::from_random(None, &[0x5a; 32]);
        for at in 4..53 {
            let mut text = key.reveal().to_owned();
            let other = if &text[at..=at] == "x" { "y" } else { "x" };
            text.replace_range(at..=at, other);
            assert_eq!(ApiKey::parse(&text), None, "{at}");
        }
        for text in ["", "ait_", "ait_x", &key.reveal()[..52], &format!("{}0", key.reveal()), "AIT_abc", "ait_ä"] {
            assert_eq!(ApiKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_key_does_not_show_in_debug_output() {
        let key = ApiKey::from_random(None, &[1; 32]);
        let shown = format!("{key:?} {:?}", key.hash());
        assert!(!shown.contains(&key.reveal()[8..]) && shown.contains(key.hint()));
    }
}
