//! Output of untrusted text to a terminal: one line at a time, with control characters escaped.
//!
//! Otherwise a file or a response could move the cursor, reverse the direction of text, or start a
//! line of its own that says "verified".

use std::fmt::{self, Write as _};
use std::io;

/// Writes one line; all non-printable characters are escaped, including line feeds.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn line(out: &mut (impl io::Write + ?Sized), what: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(out, "{}", escaped(&what.to_string()))
}

/// Escapes all non-printable characters: controls, direction changes and zero-width characters.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for part in text.split_inclusive(['"', '\'', '\\']) {
        // Quotes and backslashes are harmless, so they stay readable.
        let quote = part.chars().next_back().filter(|last| matches!(last, '"' | '\'' | '\\'));
        let plain = &part[..part.len() - quote.map_or(0, char::len_utf8)];
        write!(safe, "{}", plain.escape_debug()).expect("a String takes all");
        safe.extend(quote);
    }
    safe
}

/// [`line()`] with a format string.
macro_rules! say {
    ($out:expr) => { $crate::terminal::line($out, format_args!("")) };
    ($out:expr, $($what:tt)+) => { $crate::terminal::line($out, format_args!($($what)+)) };
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_and_not_done() {
        for (text, shown) in [
            ("plain \"text\" it's \\ Ü 漢 “✓”", "plain \"text\" it's \\ Ü 漢 “✓”"),
            ("\r\u{1b}[2K\u{7}", "\\r\\u{1b}[2K\\u{7}"),
            ("a\nverified: all", "a\\nverified: all"),
            ("\u{9b}1A\u{7f}\0", "\\u{9b}1A\\u{7f}\\0"),
            ("\u{202e}deifirev\u{2066}\u{200f}", "\\u{202e}deifirev\\u{2066}\\u{200f}"),
            ("a\u{200b}b\u{feff}\u{2028}\u{e0041}", "a\\u{200b}b\\u{feff}\\u{2028}\\u{e0041}"),
            ("e\u{301}", "e\u{301}"),
        ] {
            assert_eq!(escaped(text), shown);
            let mut out = Vec::new();
            say!(&mut out, "{text}").unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("{shown}\n"));
        }
    }
}
