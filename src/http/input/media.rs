//! Media types and `Accept` (RFC 9110, sections 5.6, 8.3.1, 12.4.2 and 12.5.1). Text that does not
//! follow the grammar is not a media type; malformed elements of `Accept` are ignored.

use axum::http::{HeaderMap, header};

/// A media type, or a media range in `Accept`.
#[derive(Debug, PartialEq, Eq)]
pub struct MediaType {
    kind: String,
    subtype: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Parses a complete `Content-Type`, or one element of `Accept`.
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

    /// How specifically this range matches `kind/subtype`; `None`: not at all. Parameters other
    /// than the weight restrict a range to types that have them. Ours have none but
    /// `charset=utf-8`, which holds for all our text.
    fn specificity(&self, kind: &str, subtype: &str) -> Option<usize> {
        let own = self.parameters.iter().take_while(|(name, _)| name != "q");
        let mut count = 0;
        for (name, value) in own {
            if name != "charset" || !value.eq_ignore_ascii_case("utf-8") {
                return None;
            }
            count += 1;
        }
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some(count),
            (of, "*") if of == kind => Some(10 + count),
            (of, what) if of == kind && what == subtype => Some(100 + count),
            _ => None,
        }
    }

    /// The weight `q` in thousandths: 1000 if it is absent, `None` if it is malformed.
    fn weight(&self) -> Option<u16> {
        self.parameter("q").map_or(Some(1000), qvalue)
    }
}

/// The media ranges of `Accept`.
#[derive(Debug)]
pub struct Accept(Vec<MediaType>);

impl Accept {
    /// Reads a request's headers. A missing or empty field accepts everything.
    pub fn new(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        let elements: Vec<&str> = values.flat_map(elements).collect();
        let any = || MediaType { kind: "*".to_owned(), subtype: "*".to_owned(), parameters: Vec::new() };
        if elements.is_empty() {
            return Self(vec![any()]);
        }
        let ranges = elements.into_iter().filter_map(MediaType::parse);
        Self(ranges.filter(|range| range.weight().is_some()).collect())
    }

    /// The quality of `kind/subtype` in thousandths; 0: not acceptable. The most specific range
    /// decides.
    pub fn quality(&self, kind: &str, subtype: &str) -> u16 {
        let matching = self.0.iter().filter_map(|range| Some((range.specificity(kind, subtype)?, range.weight()?)));
        // Among equally specific ranges, the highest weight wins.
        matching.max().map_or(0, |(_, weight)| weight)
    }
}

/// Parses `0` or `1` with up to three decimals (section 12.4.2).
fn qvalue(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    let value = if whole == "1" { 1000 + thousandths } else { thousandths };
    (value <= 1000).then_some(value)
}

/// Splits a comma-separated list. Commas in quotes do not separate, and empty elements are ignored
/// (section 5.6.1).
fn elements(list: &str) -> impl Iterator<Item = &str> {
    let (mut in_quotes, mut is_escaped) = (false, false);
    let parts = list.split(move |c: char| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match c {
            '"' if !was_escaped => in_quotes = !in_quotes,
            '\\' if in_quotes && !was_escaped => is_escaped = true,
            _ => {}
        }
        c == ',' && !in_quotes
    });
    parts.map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty())
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
    use axum::http::HeaderValue;

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

    #[test]
    fn rfc_9110_section_12_4_2_quality_values() {
        let good = [
            ("0", 0),
            ("1", 1000),
            ("0.5", 500),
            ("0.25", 250),
            ("0.001", 1),
            ("1.000", 1000),
            ("0.", 0),
            ("1.", 1000),
        ];
        for (text, thousandths) in good {
            assert_eq!(qvalue(text), Some(thousandths), "{text}");
        }
        for text in ["", ".5", "1.001", "2", "-1", "0.0001", "0,5", "1e0", "00", "NaN", "+1", " 1"] {
            assert_eq!(qvalue(text), None, "{text}");
        }
    }

    #[test]
    fn rfc_9110_section_12_5_1_accept() {
        // The qualities of text/html, text/plain and image/jpeg.
        let table: [(&[&str], [u16; 3]); 16] = [
            (&[], [1000, 1000, 1000]),
            (&[""], [1000, 1000, 1000]),
            (&["*/*"], [1000, 1000, 1000]),
            (&["*/*;q=0"], [0, 0, 0]),
            (&["text/*;q=0.3, text/plain;q=0.7, */*;q=0.5"], [300, 700, 500]),
            (&["*/*;q=0.5, text/*;q=0"], [0, 0, 500]),
            (&["text/html;q=0, */*"], [0, 1000, 1000]),
            (&["*/*", "text/html;q=0"], [0, 1000, 1000]),
            (&["TEXT/HTML ; Q=0.1"], [100, 0, 0]),
            (&["text/html;level=1"], [0, 0, 0]),
            (&["text/html;charset=utf-8, text/html;q=0.4"], [1000, 0, 0]),
            (&["text/html;q=0.4;ext=1"], [400, 0, 0]),
            (&["text/html;q=2, text/plain"], [0, 1000, 0]),
            (&["nonsense, text/plain"], [0, 1000, 0]),
            (&["text/html;a=\"x, image/jpeg\", text/plain"], [0, 1000, 0]),
            (&[",, text/plain ,"], [0, 1000, 0]),
        ];
        for (values, expected) in table {
            let fields = values.iter().map(|value| (header::ACCEPT, HeaderValue::from_str(value).unwrap()));
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(name, value);
            }
            let accept = Accept::new(&headers);
            let types = [("text", "html"), ("text", "plain"), ("image", "jpeg")];
            assert_eq!(types.map(|(kind, subtype)| accept.quality(kind, subtype)), expected, "{values:?}");
        }
    }
}
