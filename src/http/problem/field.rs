//! Errors in the input: where, and what is wrong.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::task::event::ItemId;
use crate::domain::workflow::MistakeCode;

/// An error in the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body; empty for the whole body. For a parameter:
    /// `/path/NAME`, `/query/NAME` or `/header/NAME`.
    #[schema(example = "/feedback/items/0/text")]
    pub pointer: String,
    /// What is wrong, as a stable code for programs.
    #[schema(value_type = FieldErrorCode, example = "required")]
    pub code: Cow<'static, str>,
    /// The same for people, phrased to follow the name of the field.
    #[schema(example = "is required")]
    pub message: String,
    /// The item of feedback that is not answered (`unanswered`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
}

impl FieldError {
    /// Creates an error at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: Cow::Borrowed(code), message: message.into(), item: None }
    }

    /// Creates the error for a missing field.
    pub fn required(pointer: impl Into<String>) -> Self {
        Self::new(pointer, "required", "is required")
    }
}

/// The codes of errors in the input, without those of workflow definitions.
const CODES: [(&str, &str); 36] = [
    ("required", "It is missing."),
    ("unknown_field", "There is no such field or parameter."),
    ("duplicate_key", "It appears twice."),
    ("wrong_type", "It has another JSON type."),
    ("invalid_value", "It is not of the form that its schema says."),
    ("number_out_of_range", "The number is beyond ±(2^53 − 1)."),
    ("nul_character", "The text has a NUL character."),
    ("lone_surrogate", "The text has half of a surrogate pair."),
    ("too_deep", "The body is nested deeper than 32 levels."),
    ("unknown_value", "It is not one of the words that are accepted."),
    ("unknown_stage", "The workflow has no such stage."),
    ("unknown_panel", "The stage has no such panel."),
    ("unknown_reviewer", "The person may not vote there."),
    ("unknown_revision", "The task has no such revision."),
    ("too_long", "It is longer than allowed."),
    ("too_many", "There are more than allowed."),
    ("out_of_range", "It is out of bounds."),
    ("not_allowed", "It is not allowed in combination with others, or for this party."),
    ("not_equal", "Two places that must agree do not."),
    ("in_future", "It is too far in the future."),
    ("not_in_future", "It is not in the future."),
    ("unknown_item", "There is no such item of feedback to answer or to raise again."),
    ("unanswered", "An item of feedback has no answer; `item` names it."),
    ("reserved", "It is a name of the service itself."),
    ("reused", "The id was used with another body."),
    ("unavailable", "There is none, or it was retired."),
    ("out_of_order", "It comes before what it should follow."),
    ("not_a_url", "It is no URL."),
    ("not_https", "The URL does not begin with https://."),
    ("userinfo", "The URL has a user name or a password."),
    ("fragment", "The URL has a fragment."),
    ("port", "The URL has a port that is not allowed."),
    ("private_address", "The URL leads to an address that is not public."),
    ("private_name", "The URL has a name that is not public."),
    ("other_cell", "Another cell gave it out."),
    ("unresolved", "The name in the URL does not resolve to an address."),
];

/// The code of an error in the input. Only its schema exists: the codes come from many modules.
struct FieldErrorCode;

impl PartialSchema for FieldErrorCode {
    fn schema() -> RefOr<Schema> {
        let mistakes = MistakeCode::ALL.iter().map(|code| (code.as_str(), code.meaning()));
        let own = mistakes.filter(|(word, _)| CODES.iter().all(|(known, _)| known != word));
        let all: Vec<_> = CODES.into_iter().chain(own).collect();
        let mut description = String::from("What is wrong with the input, as a stable code for programs.\n");
        for (word, meaning) in &all {
            let _ = write!(description, "\n- `{word}`: {meaning}");
        }
        description.push('\n');
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(all.into_iter().map(|(word, _)| word)))
            .description(Some(description))
            .into()
    }
}

impl ToSchema for FieldErrorCode {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("FieldErrorCode")
    }
}
