//! The two secrets of a link. The voucher is in its address and can only be exchanged for a session;
//! the session's secret is in a cookie. Both are stored as hashes.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::domain::values::cell::CellName;
use crate::domain::values::token;

/// SHA-256 of a voucher or of a session's secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

macro_rules! secret {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Builds the secret of a cell from random bytes.
            pub fn from_random(cell: Option<&CellName>, bytes: &[u8; 32]) -> Self {
                Self(token::write($prefix, cell, bytes))
            }

            /// Checks form and checksum; says nothing about whether the secret is known.
            pub fn parse(text: &str) -> Option<Self> {
                token::read($prefix, text).map(|_| Self(text.to_owned()))
            }

            /// The secret itself.
            pub fn reveal(&self) -> &str {
                &self.0
            }

            /// The hash that is stored and looked up. The secret has 256 random bits, so a fast
            /// hash suffices.
            pub fn hash(&self) -> SecretHash {
                SecretHash(Sha256::digest(self.0.as_bytes()).into())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(", $prefix, "…)"))
            }
        }
    )*};
}

secret! {
    /// The secret in a link's address: `sgl_`, the name of the cell and `_` if it has
    /// one, and 49 characters. No API and no page accepts it as a
    /// credential.
    Voucher "sgl_";
    /// The secret of a session, in a cookie: the same with `sgs_`.
    SessionSecret "sgs_";
}

impl SessionSecret {
    /// The key of the session's form tokens. It cannot be derived from what is stored.
    pub fn form_key(&self) -> FormKey {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("HMAC takes a key of any length");
        mac.update(b"stagegate/form-tokens/v1");
        FormKey(mac.finalize().into_bytes().into())
    }
}

/// The key that authenticates the forms of one session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FormKey([u8; 32]);

impl FormKey {
    /// The key's bytes, for a MAC.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for FormKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormKey(…)")
    }
}
