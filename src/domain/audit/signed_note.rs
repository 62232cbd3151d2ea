//! Ed25519 keys and signed notes as specified by C2SP (<https://c2sp.org/signed-note>), byte for
//! byte.
//!
//! A key is one line of text. A signer key is
//! `PRIVATE+KEY+<name>+<id>+<base64(0x01 ‖ 32-byte seed)>`, a secret; a verifier key is
//! `<name>+<id>+<base64(0x01 ‖ 32-byte public key)>`. The id is the first 4 bytes of
//! `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)` in lower-case hexadecimal digits. A signed note is a
//! text that ends with a line feed, an empty line, and a line
//! `— <name> <base64(id as 4 bytes ‖ signature)>` for each signature. A signature is over the text
//! including its last line feed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// The algorithm byte of plain Ed25519.
const ED25519: u8 = 1;
/// Maximum number of signatures of a note: the limit of the reference implementation, and more than anybody
/// needs.
const MAX_SIGNATURES: usize = 100;

/// The name of a key, which for a log is its origin, such as `audit.example.com/stagegate`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyName(String);

/// A public key that checks signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: [u8; 4],
    key: VerifyingKey,
}

/// A secret key that signs; `Debug` does not show it.
#[derive(Clone)]
pub struct SignerKey {
    key: SigningKey,
    verifier: VerifierKey,
}

/// Not a valid key. The error gives no detail, since the text may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The name is empty, longer than 200 bytes, or has white space, control characters or a plus sign.
    #[error("the name of a key must be 1 to 200 bytes without white space, control characters and `+`")]
    Name,
    /// Not a verifier key line.
    #[error("must be an Ed25519 verifier key as in C2SP's signed notes, `<name>+<id>+<base64>`")]
    Verifier,
    /// Not a signer key line.
    #[error("must be an Ed25519 signer key as in C2SP's signed notes, `PRIVATE+KEY+<name>+<id>+<base64>`")]
    Signer,
}

/// Why a note is not trustworthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not have the form of a signed note.
    #[error("it is not a signed note")]
    Form,
    /// No signature is by a known key.
    #[error("it is signed by none of the keys given")]
    Unknown,
    /// It names a known key, which did not sign this text.
    #[error("its signature does not fit its text")]
    Signature,
}

impl KeyName {
    /// Parses a name.
    pub fn parse(name: impl Into<String>) -> Result<Self, InvalidKey> {
        let name = name.into();
        let fits =
            (1..=200).contains(&name.len()) && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
        if fits { Ok(Self(name)) } else { Err(InvalidKey::Name) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl VerifierKey {
    /// Parses a verifier key line; accepts exactly one text per key.
    pub fn parse(line: &str) -> Result<Self, InvalidKey> {
        let read = || {
            let (name, rest) = line.split_once('+')?;
            let (_, key) = rest.split_once('+')?;
            let key = VerifyingKey::from_bytes(&key_bytes(key)?).ok()?;
            // Under a weak key, anybody can make a valid signature.
            let key = Self::new(KeyName::parse(name).ok()?, key);
            (!key.key.is_weak() && key.to_string() == line).then_some(key)
        };
        read().ok_or(InvalidKey::Verifier)
    }

    fn new(name: KeyName, key: VerifyingKey) -> Self {
        let hash = Sha256::new().chain_update(&name.0).chain_update([b'\n', ED25519]).chain_update(key.as_bytes());
        let hash = hash.finalize();
        Self { id: std::array::from_fn(|at| hash[at]), name, key }
    }

    /// Its name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// `<name>+<id>`, which distinguishes it from every other key.
    pub fn id(&self) -> String {
        format!("{}+{}", self.name, hex::encode(self.id))
    }

    /// Whether it signed `message`. The check is strict: a signature has one form, so nobody can
    /// derive a second one from it.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.id(), key_text(self.key.as_bytes()))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl SignerKey {
    /// A key from 32 random bytes.
    pub fn new(name: KeyName, seed: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&seed);
        Self { verifier: VerifierKey::new(name, key.verifying_key()), key }
    }

    /// Parses a signer key line; accepts exactly one text per key.
    pub fn parse(line: &str) -> Result<Self, InvalidKey> {
        let read = || {
            let (name, rest) = line.strip_prefix("PRIVATE+KEY+")?.split_once('+')?;
            let (_, seed) = rest.split_once('+')?;
            let key = Self::new(KeyName::parse(name).ok()?, key_bytes(seed)?);
            (key.reveal() == line).then_some(key)
        };
        read().ok_or(InvalidKey::Signer)
    }

    /// The signer key line. Callers must keep it out of logs and messages.
    pub fn reveal(&self) -> String {
        format!("PRIVATE+KEY+{}+{}", self.verifier.id(), key_text(&self.key.to_bytes()))
    }

    /// The key that checks its signatures.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// A signature (RFC 8032), always the same for the same message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// `text`, which ends with a line feed, as a signed note.
    pub fn sign_note(&self, text: &str) -> String {
        let VerifierKey { name, id, .. } = &self.verifier;
        let signature = BASE64.encode([&id[..], &self.sign(text.as_bytes())].concat());
        format!("{text}\n\u{2014} {name} {signature}\n")
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({}, hidden)", self.verifier.id())
    }
}

/// The text of a signed note and the first of `keys` that signed it. Signatures by other keys are
/// ignored; a signature that names a key of `keys` must be valid.
pub fn open<'a, 'k>(note: &'a str, keys: &'k [VerifierKey]) -> Result<(&'a str, &'k VerifierKey), Error> {
    let at = note.rfind("\n\n").ok_or(Error::Form)?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    let plain = |c: char| c == '\n' || !c.is_control();
    if !note.chars().all(plain) || !signatures.ends_with('\n') || signatures.lines().count() > MAX_SIGNATURES {
        return Err(Error::Form);
    }
    let mut signer = None;
    for line in signatures.lines() {
        let (name, id, signature) = signature_line(line).ok_or(Error::Form)?;
        let Some(key) = keys.iter().find(|key| key.name.as_str() == name && key.id[..] == id) else { continue };
        let signature = signature.as_slice().try_into().map_err(|_| Error::Form)?;
        if !key.verifies(text.as_bytes(), signature) {
            return Err(Error::Signature);
        }
        signer = signer.or(Some(key));
    }
    signer.map(|key| (text, key)).ok_or(Error::Unknown)
}

/// Parses name, id and signature.
fn signature_line(line: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    KeyName::parse(name).ok()?;
    let bytes = BASE64.decode(signature).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    (!signature.is_empty()).then(|| (name, *id, signature.to_vec()))
}

fn key_text(key: &[u8; 32]) -> String {
    BASE64.encode([&[ED25519], &key[..]].concat())
}

fn key_bytes(text: &str) -> Option<[u8; 32]> {
    let bytes = BASE64.decode(text).ok()?;
    let (algorithm, key) = bytes.split_first()?;
    if *algorithm == ED25519 { key.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    // From the documentation of golang.org/x/mod/sumdb/note.
    const SIGNER: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const SIGNATURE: &str =
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_key_and_the_note_of_the_reference_implementation_come_out_the_same() {
        let signer = SignerKey::parse(SIGNER).unwrap();
        assert_eq!(signer.reveal(), SIGNER);
        assert_eq!(signer.verifier().to_string(), VERIFIER);
        let note = signer.sign_note(TEXT);
        assert_eq!(note, format!("{TEXT}\n{SIGNATURE}"));
        let keys = [VerifierKey::parse(VERIFIER).unwrap()];
        assert_eq!(open(&note, &keys), Ok((TEXT, &keys[0])));
    }

    #[test]
    fn the_example_of_the_specification_opens() {
        let key = VerifierKey::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").unwrap();
        let note = "This is an example message.\n\n— example.com/foo \
            Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
        assert_eq!(open(note, &[key]).unwrap().0, "This is an example message.\n");
    }

    #[test]
    fn signatures_are_those_of_rfc_8032() {
        // Section 7.1, test 2.
        let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let expected = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                        085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        let seed: [u8; 32] = hex::decode(seed).unwrap().try_into().unwrap();
        let signer = SignerKey::new(KeyName::parse("x").unwrap(), seed);
        assert_eq!(hex::encode(signer.sign(&[0x72])), expected);
        assert!(signer.verifier().verifies(&[0x72], &signer.sign(&[0x72])));
    }

    #[test]
    fn a_note_with_any_byte_flipped_does_not_open() {
        let (note, keys) = (format!("{TEXT}\n{SIGNATURE}"), [VerifierKey::parse(VERIFIER).unwrap()]);
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(forged) = String::from_utf8(bytes) {
                assert!(open(&forged, &keys).is_err(), "byte {at}");
            }
        }
        for end in 0..note.len() {
            assert!(note.get(..end).is_none_or(|cut| open(cut, &keys).is_err()), "cut at {end}");
        }
    }

    #[test]
    fn signatures_of_others_are_left_alone_and_a_wrong_one_of_ours_is_not() {
        let ours = SignerKey::parse(SIGNER).unwrap();
        let other = SignerKey::new(KeyName::parse("witness.example").unwrap(), [7; 32]);
        let keys = [ours.verifier().clone()];
        let note = ours.sign_note(TEXT) + other.sign_note(TEXT).rsplit_once("\n\n").unwrap().1;
        assert_eq!(open(&note, &keys).unwrap().0, TEXT);
        assert_eq!(open(&note, &[]), Err(Error::Unknown));
        assert_eq!(open(&other.sign_note(TEXT), &keys), Err(Error::Unknown));
        assert_eq!(open(&note.replace("problem is.", "problem was."), &keys), Err(Error::Signature));
        let many = ours.sign_note(TEXT) + &other.sign_note(TEXT).rsplit_once("\n\n").unwrap().1.repeat(100);
        assert_eq!(open(&many, &keys), Err(Error::Form));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for line in [
            "",
            "PeterNeumann",
            &VERIFIER.replace("c74f20a3", "c74f20a4"),
            &VERIFIER.replace("c74f20a3", "C74F20A3"),
            &VERIFIER.replace("Peter", "Pieter"),
            &VERIFIER.replace("ARpc", "AXpc"),
            &VERIFIER.replace("+ARpc", "+Ahpc"),
            &format!("{VERIFIER} "),
            &VERIFIER[..VERIFIER.len() - 1],
            SIGNER,
        ] {
            assert_eq!(VerifierKey::parse(line).unwrap_err(), InvalidKey::Verifier, "{line}");
        }
        for line in [
            "",
            VERIFIER,
            &SIGNER.replace("c74f20a3", "c74f20a4"),
            &SIGNER.replace("AYEK", "AZEK"),
            &format!("{SIGNER}\n"),
        ] {
            assert_eq!(SignerKey::parse(line).unwrap_err(), InvalidKey::Signer, "{line}");
        }
        for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{7f}"] {
            assert_eq!(KeyName::parse(name), Err(InvalidKey::Name), "{name:?}");
        }
        // Under the neutral element, anybody can make a valid signature.
        let weak = VerifierKey::new(KeyName::parse("x").unwrap(), {
            let mut point = [0; 32];
            point[0] = 1;
            VerifyingKey::from_bytes(&point).unwrap()
        });
        assert_eq!(VerifierKey::parse(&weak.to_string()).unwrap_err(), InvalidKey::Verifier);
    }

    #[test]
    fn a_signer_key_is_never_shown() {
        let signer = SignerKey::parse(SIGNER).unwrap();
        let shown = format!("{signer:?} {signer:#?}");
        assert!(
            shown.contains("PeterNeumann+c74f20a3") && !shown.contains("AYEK") && !shown.contains("129"),
            "{shown}"
        );
    }
}
