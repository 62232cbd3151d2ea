//! The form of the secrets that the service makes: a prefix, the name of the cell with `_` if it has
//! one, 32 random bytes as 43 base-62 digits, and a CRC-32 of both as 6 more. The name lets a gateway
//! find the cell without a look-up. The checksum refuses a mistyped secret without one, and secret
//! scanners recognise a real one. Pure: the caller passes the random bytes.

use super::cell::CellName;

const SECRET: usize = 43;
const CHECKSUM: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Writes random bytes as a secret with this prefix.
pub(in crate::domain) fn write(prefix: &str, cell: Option<&CellName>, bytes: &[u8; 32]) -> String {
    let cell = cell.map_or_else(String::new, |name| format!("{name}_"));
    let secret = cell + &base62(bytes, SECRET);
    let checksum = checksum(&secret);
    format!("{prefix}{secret}{checksum}")
}

/// What a well-formed secret shows.
pub(in crate::domain) struct Shown {
    /// The cell that made it, if it had a name.
    pub(in crate::domain) cell: Option<CellName>,
}

/// Reads a secret with this prefix; `None` if `text` is no such secret, by form or checksum.
pub(in crate::domain) fn read(prefix: &str, text: &str) -> Option<Shown> {
    let rest = text.strip_prefix(prefix)?;
    let (cell, digits) = match rest.split_once('_') {
        Some((cell, digits)) => (Some(CellName::parse(cell).ok()?), digits),
        None => (None, rest),
    };
    let is_form = digits.len() == SECRET + CHECKSUM && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (secret, sum) = rest.split_at_checked(rest.len().checked_sub(CHECKSUM)?)?;
    (is_form && checksum(secret) == sum).then_some(Shown { cell })
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
