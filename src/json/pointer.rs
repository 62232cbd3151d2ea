//! JSON pointers (RFC 6901) for error messages.

/// Maximum number of characters of a key that a pointer repeats; longer keys come from malformed
/// input.
const MAX_SEGMENT: usize = 200;

/// Appends an escaped segment.
pub fn push(pointer: &mut String, segment: &str) {
    pointer.push('/');
    for c in segment.chars().take(MAX_SEGMENT) {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// Returns `base` with one more segment.
pub fn join(base: &str, segment: &str) -> String {
    let mut pointer = base.to_owned();
    push(&mut pointer, segment);
    pointer
}
