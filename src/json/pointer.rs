//! JSON pointers (RFC 6901), as error messages use them.

/// The most characters of one key that a pointer repeats; the rest is for a sender of garbage to guess.
const MAX_SEGMENT: usize = 200;

/// Adds one step, escaped.
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

/// `base` and one more step.
pub fn join(base: &str, segment: &str) -> String {
    let mut pointer = base.to_owned();
    push(&mut pointer, segment);
    pointer
}
