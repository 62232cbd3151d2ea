//! Media types (RFC 9110, sections 5.6 and 8.3.1). Text that does not follow the grammar is not a
//! media type.

/// A media type.
#[derive(Debug, PartialEq, Eq)]
pub struct MediaType {
    kind: String,
    subtype: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Parses a complete `Content-Type`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim_matches([' ', '\t']);
        let kind = token(&mut rest)?.to_ascii_lowercase();
        rest = rest.strip_prefix('/')?;
        let subtype = token(&mut rest)?.to_ascii_lowercase();
        let mut parameters = Vec::new();
        while !rest.is_empty() {
            rest = blanks(rest).strip_prefix(';').map(blanks)?;
            // An empty parameter is allowed.
            let Some(name) = token(&mut rest) else { continue };
            let name = name.to_ascii_lowercase();
            rest = rest.strip_prefix('=')?;
            let value = if rest.starts_with('"') { quoted(&mut rest)? } else { token(&mut rest)?.to_owned() };
            parameters.push((name, value));
        }
        Some(Self { kind, subtype, parameters })
    }

    /// Looks up a parameter by its lower-case name; the first one counts.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is JSON: `application/json` or `application/…+json`.
    pub fn is_json(&self) -> bool {
        self.kind == "application" && (self.subtype == "json" || self.subtype.ends_with("+json"))
    }

    /// Whether it is `kind/subtype`, both in lower case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind == kind && self.subtype == subtype
    }
}

fn blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// Consumes a token of at least one character.
fn token<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
    let (token, after) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
    *rest = after;
    (!token.is_empty()).then_some(token)
}

/// Consumes a quoted string and returns its unquoted text.
fn quoted(rest: &mut &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                *rest = &rest[at + 1..];
                return Some(text);
            }
            '\\' => text.push(chars.next()?.1),
            c => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_section_8_3_1_media_type() {
        let table = [
            ("text/html;charset=utf-8", Some(("text", "html", Some("utf-8")))),
            ("Text/HTML;Charset=\"utf-8\"", Some(("text", "html", Some("utf-8")))),
            ("text/html; charset=\"utf-8\"", Some(("text", "html", Some("utf-8")))),
            (" text/html\t;\ta=b ; charset=UTF-8 ", Some(("text", "html", Some("UTF-8")))),
            ("text/html;a=\"x;charset=y\";charset=z", Some(("text", "html", Some("z")))),
            ("text/html;charset=\"a\\\"b\"", Some(("text", "html", Some("a\"b")))),
            ("a/b;", Some(("a", "b", None))),
            ("a/b; ; c=d", Some(("a", "b", None))),
            ("*/*", Some(("*", "*", None))),
            ("", None),
            ("text", None),
            ("text/", None),
            ("/html", None),
            ("text /html", None),
            ("text/html x", None),
            ("text/html;a", None),
            ("text/html;a=", None),
            ("text/html;a =b", None),
            ("text/html;a= b", None),
            ("text/html;a=\"b", None),
            ("text/html;a=\"b\"c", None),
            ("text/html,text/plain", None),
            ("text/ht\u{e4}", None),
        ];
        for (text, expected) in table {
            let parsed = MediaType::parse(text);
            let parts = parsed.as_ref().map(|it| (it.kind.as_str(), it.subtype.as_str(), it.parameter("charset")));
            assert_eq!(parts, expected, "{text:?}");
        }
    }
}
