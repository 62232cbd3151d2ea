//! What a page says before all else.

/// Something to say before all else.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Notice {
    /// What is said.
    pub(super) text: String,
    /// A link to follow: address and words.
    pub(super) link: Option<(String, String)>,
    /// What was typed and has no place in a form: label and text.
    pub(super) typed: Vec<(String, String)>,
}
