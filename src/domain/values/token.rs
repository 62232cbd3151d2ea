//! The form of the secrets that the service makes: a prefix, 32 random bytes as 43 base-62 digits,
//! and their CRC-32 as 6 more. The checksum refuses a mistyped secret without a look-up, and secret
//! scanners recognise a real one. Pure: the caller passes the random bytes.

const SECRET: usize = 43;
const CHECKSUM: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Writes random bytes as a secret with this prefix.
pub(in crate::domain) fn write(prefix: &str, bytes: &[u8; 32]) -> String {
    let secret = base62(bytes, SECRET);
    let checksum = checksum(&secret);
    format!("{prefix}{secret}{checksum}")
}

/// Whether `text` is a secret with this prefix, by form and checksum.
pub(in crate::domain) fn is_well_formed(prefix: &str, text: &str) -> bool {
    let Some(digits) = text.strip_prefix(prefix) else { return false };
    let is_form = digits.len() == SECRET + CHECKSUM && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_form && checksum(&digits[..SECRET]) == digits[SECRET..]
}

fn checksum(secret: &str) -> String {
    base62(&crc32fast::hash(secret.as_bytes()).to_be_bytes(), CHECKSUM)
}

/// A big-endian number in base 62, padded to `width` digits.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0u32;
        for byte in &mut number {
            let value = remainder * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).expect("the remainder is below 62, so the quotient is below 256");
            remainder = value % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}
