//! The headers of every page, in one place.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Scripts and styles come from this origin and never from the page itself, so no text that somebody
/// wrote can become either.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types stagegate";

/// Headers of pages. `strict-origin` and not `no-referrer`: with the latter a browser sends
/// `Origin: null` with the page's own forms.
const PAGE: [(HeaderName, HeaderValue); 7] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=()"),
    ),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex")),
    (header::VARY, HeaderValue::from_static("Cookie, Accept-Language")),
];

/// Sets the headers of a page that is one visitor's.
pub(super) fn set(headers: &mut HeaderMap) {
    for (name, value) in PAGE {
        headers.insert(name, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
}
