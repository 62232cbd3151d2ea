//! Settings of the tests themselves: what `./test` found or installed for them.

/// A setting such as the path of a tool. Empty counts as absent.
#[expect(clippy::disallowed_methods, reason = "settings of the tests, not of the service")]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A Node.js that is new enough for the client for TypeScript.
pub fn node() -> String {
    setting("STAGEGATE_TEST_NODE").unwrap_or_else(|| "node".to_owned())
}

/// The Python that has the libraries of the tests.
pub fn python() -> String {
    setting("STAGEGATE_TEST_PYTHON").unwrap_or_else(|| "python3".to_owned())
}
