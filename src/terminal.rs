//! What is written to a terminal that did not come from this program alone: one line at a time, with all that a
//! terminal would obey escaped.
//!
//! A file or an answer could otherwise move the cursor, turn the direction of writing round, or begin a line of its
//! own that says "verified".

use std::fmt::{self, Write as _};
use std::io;

/// Writes one line; whatever is not printable in it is escaped, line feeds too.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn line(out: &mut (impl io::Write + ?Sized), what: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(out, "{}", escaped(&what.to_string()))
}

/// The text with all but printable characters as escapes: controls, changes of direction, what takes no width.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for part in text.split_inclusive(['"', '\'', '\\']) {
        // These are left alone: a terminal does not obey them.
        let quote = part.chars().next_back().filter(|last| matches!(last, '"' | '\'' | '\\'));
        let plain = &part[..part.len() - quote.map_or(0, char::len_utf8)];
        write!(safe, "{}", plain.escape_debug()).expect("a String takes all");
        safe.extend(quote);
    }
    safe
}

/// [`line()`] with a format.
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
