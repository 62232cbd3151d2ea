//! What holds for every page that the service renders, whoever reads it.

use axum::http::header;
use scraper::{ElementRef, Html, Selector};

use super::visitor::Page;

/// Headers that differ between two answers of the same page, and one that is the same for every answer of the service.
const OTHERS: [&str; 6] =
    ["access-control-expose-headers", "content-length", "etag", "retry-after", "set-cookie", "x-request-id"];

impl Page {
    /// Demands what holds for every page: valid HTML with one heading, nothing that the content policy would
    /// refuse, labels, tokens, and no control in a region that is replaced while somebody reads.
    pub fn keeps_the_rules(&self, what: &str) {
        let tree = self.tree();
        let errors: Vec<_> = tree.errors.iter().filter(|error| !error.contains("quirks")).collect();
        assert!(errors.is_empty(), "{what}: {errors:?}");
        assert_eq!(self.all("h1").len(), 1, "{what}");
        assert!(self.all("title")[0].starts_with(&self.one("h1")), "{what}: {:?}", self.all("title"));
        nothing_inline(&tree, what);
        assert_eq!(count(&tree, "[data-live] :is(input, textarea, select, button, form)"), 0, "{what}: {}", self.html);
        for form in tree.select(&selector("form[method=post]")) {
            let tokens = form.select(&selector("input[type=hidden][name=form]")).count();
            // The button of a link is pressed before there is a session.
            let is_link = form.attr("action").is_none_or(|action| action.starts_with("/go/"));
            assert!(tokens == 1 || (tokens == 0 && is_link), "{what}: a form with {tokens} tokens");
        }
        for field in tree.select(&selector("input:not([type=hidden]), select, textarea")) {
            let id = field.attr("id").unwrap_or_else(|| panic!("{what}: a field without an id: {}", field.html()));
            assert_eq!(count(&tree, &format!("label[for=\"{id}\"]")), 1, "{what}: the label of {id}");
        }
        let ids: Vec<&str> = tree.select(&selector("[id]")).filter_map(|element| element.attr("id")).collect();
        let twice = ids.iter().enumerate().find(|(place, id)| ids[..*place].contains(id));
        assert_eq!(twice, None, "{what}: an id is there twice");
    }

    /// Demands exactly the headers of a page that is one visitor's.
    pub fn has_the_headers_of_a_page(&self, what: &str) {
        let mut headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .filter(|(name, value)| !OTHERS.contains(name) && (*name, *value) != ("vary", "origin"))
            .collect();
        headers.sort_unstable();
        assert_eq!(headers, PAGE, "{what}");
    }

    /// Whether it is HTML.
    pub fn is_html(&self) -> bool {
        let content_type = self.headers.get(header::CONTENT_TYPE);
        content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
    }
}

/// The headers of every page, in the order of their names.
const PAGE: [(&str, &str); 11] = [
    ("cache-control", "private, no-store"),
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types stagegate",
    ),
    ("content-type", "text/html; charset=utf-8"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=()"),
    ("referrer-policy", "strict-origin"),
    ("vary", "Cookie, Accept-Language"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-robots-tag", "noindex"),
];

fn nothing_inline(tree: &Html, what: &str) {
    assert_eq!(count(tree, "style, script:not([src])"), 0, "{what}");
    for element in tree.select(&selector("*")) {
        for (name, value) in element.value().attrs() {
            assert!(name != "style" && !name.starts_with("on"), "{what}: {name}={value}");
        }
        for address in ["href", "action", "src"].iter().filter_map(|name| ElementRef::attr(&element, name)) {
            assert!(!address.trim_start().to_lowercase().starts_with("javascript:"), "{what}: {address}");
        }
    }
}

fn count(tree: &Html, text: &str) -> usize {
    tree.select(&selector(text)).count()
}

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}
