//! Checkpoints: the signed root of the log, as specified by C2SP
//! (<https://c2sp.org/tlog-checkpoint>).
//!
//! The text of the note has three lines: the origin, which is the name of the key, the size in
//! decimal digits, and the root in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::domain::trail::Hash;

use super::signed_note::{self, KeyName, SignerKey, VerifierKey};

/// The state of a log at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: KeyName,
    /// The number of leaves.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// Why a checkpoint is not trustworthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The note is invalid.
    #[error(transparent)]
    Note(#[from] signed_note::Error),
    /// The signed text is not a checkpoint.
    #[error("what was signed is not a checkpoint")]
    Text,
    /// It is signed by the key of another log.
    #[error("it names another log than its key does")]
    Origin,
}

impl Checkpoint {
    /// The signed text.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.as_bytes()))
    }

    /// The signed note for a log of this size and root.
    pub fn sign(signer: &SignerKey, size: u64, root: Hash) -> String {
        let origin = signer.verifier().name().clone();
        signer.sign_note(&Self { origin, size, root }.text())
    }

    /// Reads a signed note, which must be signed by one of `keys`.
    pub fn open(note: &str, keys: &[VerifierKey]) -> Result<Self, Error> {
        let (text, key) = signed_note::open(note, keys)?;
        let checkpoint = Self::parse(text).ok_or(Error::Text)?;
        if checkpoint.origin == *key.name() { Ok(checkpoint) } else { Err(Error::Origin) }
    }

    /// Reads a signed note without checking its signature, for a note that is trusted otherwise,
    /// such as a kept one.
    pub fn read(note: &str) -> Result<Self, Error> {
        let at = note.rfind("\n\n").ok_or(Error::Note(signed_note::Error::Form))?;
        Self::parse(&note[..=at]).ok_or(Error::Text)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let root = BASE64.decode(root).ok()?.try_into().ok()?;
        let origin = KeyName::parse(origin).ok()?;
        let checkpoint = Self { origin, size: size.parse().ok()?, root: Hash::from_bytes(root) };
        // Each checkpoint has exactly one text: no leading zeros or signs, no further lines.
        (checkpoint.text() == text).then_some(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(name: &str) -> SignerKey {
        SignerKey::new(KeyName::parse(name).unwrap(), [3; 32])
    }

    #[test]
    fn a_checkpoint_is_three_lines_and_a_signature() {
        let signer = signer("audit.example.com/stagegate");
        let note = Checkpoint::sign(&signer, 7, Hash::from_bytes([0; 32]));
        let text = "audit.example.com/stagegate\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
        let signature = note.strip_prefix(text).unwrap().strip_prefix("\n— audit.example.com/stagegate ").unwrap();
        assert_eq!(BASE64.decode(signature.trim_end()).unwrap().len(), 68);
        let opened = Checkpoint::open(&note, &[signer.verifier().clone()]).unwrap();
        assert_eq!((opened.size, opened.root), (7, Hash::from_bytes([0; 32])));
    }

    #[test]
    fn what_is_signed_but_no_checkpoint_of_that_log_is_refused() {
        let signer = signer("log");
        let keys = [signer.verifier().clone()];
        let root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        for text in [
            "log\n7\n".to_owned(),
            format!("log\n07\n{root}\n"),
            format!("log\n+7\n{root}\n"),
            format!("log\n-7\n{root}\n"),
            format!("log\n7\n{root}\nmore\n"),
            format!("log\n7\n{}\n", &root[1..]),
            format!("\n7\n{root}\n"),
            "log\n7\nAAAA\n".to_owned(),
        ] {
            assert_eq!(Checkpoint::open(&signer.sign_note(&text), &keys), Err(Error::Text), "{text}");
        }
        let foreign = signer.sign_note(&format!("other\n7\n{root}\n"));
        assert_eq!(Checkpoint::open(&foreign, &keys), Err(Error::Origin));
    }
}
