//! Whether a form came from a page of this service. Checked before anything else about it.

use axum::http::{HeaderMap, HeaderName, header};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a browser sent the form from a page of the public address. Browsers say so in
/// `Sec-Fetch-Site`, which no script can set; those that do not (or over plain http) send `Origin`.
pub(super) fn is_own(headers: &HeaderMap, public_origin: &str) -> bool {
    let origin = headers.get(header::ORIGIN).map(|origin| origin.as_bytes() == public_origin.as_bytes());
    match (headers.get(SITE), origin) {
        (Some(site), None | Some(true)) => site.as_bytes() == b"same-origin",
        (Some(_), Some(false)) => false,
        (None, origin) => origin == Some(true),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_own_pages_can_send_forms() {
        let own = "https://stagegate.example";
        for (site, origin, expected) in [
            (Some("same-origin"), Some(own), true),
            (Some("same-origin"), None, true),
            (Some("same-origin"), Some("https://other.example"), false),
            (Some("same-origin"), Some("null"), false),
            (Some("same-site"), Some("https://sub.stagegate.example"), false),
            (Some("cross-site"), Some("https://other.example"), false),
            (Some("cross-site"), Some(own), false),
            (Some("none"), None, false),
            (None, Some(own), true),
            (None, Some("https://stagegate.example:8443"), false),
            (None, Some("null"), false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert(SITE, HeaderValue::from_static(site));
            }
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(is_own(&headers, own), expected, "{site:?} {origin:?}");
        }
    }
}
