//! What tells a request that is sent again from another one with the same id.

/// The digests of a body, by which it is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Of what the body means, whatever the spelling of ids and times, and whether defaults are spelt out. This one is stored.
    pub meaning: [u8; 32],
    /// Of the body as it was sent, which is what older versions of the service stored.
    pub as_sent: [u8; 32],
}

impl Digest {
    /// Whether the body with the digest `stored` was the same.
    pub fn is(&self, stored: &[u8; 32]) -> bool {
        self.meaning == *stored || self.as_sent == *stored
    }
}
