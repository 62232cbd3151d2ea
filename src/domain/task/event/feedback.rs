//! The feedback of reviewers, item by item, and the answers to it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::values::id::ReasonKey;
use crate::domain::values::text::{Prose, Text};

/// What a reviewer says about the work: the reasons for a rejection, or the remarks of an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// The feedback in short, 1 to 4,000 characters.
    pub summary: Prose,
    /// The reason for a rejection: one of the stage's `on_reject.reasons`. Required if the stage has
    /// any, else not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonKey>,
    /// Individual items, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub items: Vec<FeedbackItem>,
    /// Whether the buyer may read it. Default `false`.
    #[serde(default)]
    pub share_with_buyer: bool,
}

/// One item of a reviewer's feedback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedbackItem {
    /// The item's id, by which it is answered: the `seq` of the entry that records it and its
    /// position in the list, from 1. The service gives it; a command must not have it. Absent in
    /// decisions that came too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, read_only, pattern = "^[1-9][0-9]{0,15}[.][1-9][0-9]{0,2}$", example = "5.1")]
    pub id: Option<ItemId>,
    /// The severity in the party's own terms, such as `legal`; at most 64 characters. No rule uses
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Text<64>>,
    /// The place in the work that it is about, such as `contract.pdf#page=3`; at most 500
    /// characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Text<500>>,
    /// The item, 1 to 4,000 characters.
    pub text: Prose,
    /// Whether the next submission must answer it, if the stage's `on_reject.answers` is `required`.
    /// Default `true` in a rejection. An approval's remarks do not block: `true` is not allowed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocking: Option<bool>,
    /// The earlier item that this one raises again. Only in a rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopens: Option<ItemId>,
}

/// The answer to one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The item that is answered.
    pub item: ItemId,
    /// What became of it.
    pub how: Answered,
    /// The answer in words, 1 to 4,000 characters. Required with `declined`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Prose>,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AnswerKind)]
pub enum Answered {
    /// The revision does what it asks for.
    Done,
    /// It does not, for the reason in the answer's text.
    Declined,
}

impl Answered {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Declined => "declined",
        }
    }
}

/// The id of an item of feedback, written `5.1`: the `seq` of the entry that records it, and its
/// position there, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct ItemId {
    seq: u64,
    index: u16,
}

/// Not the id of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of an item of feedback, such as 5.1")]
pub struct InvalidItemId;

impl ItemId {
    /// Checks `text`. An id has one spelling.
    pub fn parse(text: &str) -> Result<Self, InvalidItemId> {
        let number = |part: &str, most: usize| {
            let plain = (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            if plain && !part.starts_with('0') { part.parse::<u64>().ok() } else { None }
        };
        let (seq, index) = text.split_once('.').ok_or(InvalidItemId)?;
        let index = number(index, 3).and_then(|index| u16::try_from(index).ok());
        Ok(Self { seq: number(seq, 16).ok_or(InvalidItemId)?, index: index.ok_or(InvalidItemId)? })
    }

    /// The `seq` of the entry that records the item.
    pub fn seq(self) -> u64 {
        self.seq
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq, self.index)
    }
}

impl TryFrom<Cow<'_, str>> for ItemId {
    type Error = InvalidItemId;
    fn try_from(text: Cow<'_, str>) -> Result<Self, InvalidItemId> {
        Self::parse(&text)
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> Self {
        id.to_string()
    }
}

impl PartialSchema for ItemId {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[1-9][0-9]{0,15}[.][1-9][0-9]{0,2}$"))
            .examples(["5.1"])
            .description(Some(
                "The id of an item of feedback: the `seq` of the entry that records it, and its position there.",
            ))
            .into()
    }
}

impl ToSchema for ItemId {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ItemId")
    }
}

/// What is kept of an item apart from its words, which can be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenItem {
    /// Its id.
    pub id: ItemId,
    /// Whether it blocks.
    pub blocking: bool,
    /// Whether the buyer may read it, and so its answers.
    pub shared: bool,
}

impl Answer {
    /// The shortest answer: it is done.
    pub fn done(item: ItemId) -> Self {
        Self { item, how: Answered::Done, text: None }
    }
}

impl Feedback {
    /// Feedback without items, not shared with the buyer.
    pub fn new(summary: Prose) -> Self {
        Self { summary, reason: None, items: Vec::new(), share_with_buyer: false }
    }

    /// Spells out whether the items block, where that was left to the default.
    pub fn spell_out(&mut self, blocking: bool) {
        for item in &mut self.items {
            item.blocking.get_or_insert(blocking);
        }
    }

    /// The same with an id for each item, recorded in the entry `seq`.
    #[must_use]
    pub fn numbered(&self, seq: u64) -> Self {
        let mut numbered = self.clone();
        for (item, index) in numbered.items.iter_mut().zip(1..) {
            item.id = Some(ItemId { seq, index });
        }
        numbered
    }

    /// The same without ids, as it was sent.
    #[must_use]
    pub fn as_sent(&self) -> Self {
        let mut sent = self.clone();
        for item in &mut sent.items {
            item.id = None;
        }
        sent
    }

    /// What is kept of its items. `shared`: whether the buyer may read it.
    pub fn given(&self, shared: bool) -> impl Iterator<Item = GivenItem> {
        let given = move |item: &FeedbackItem| {
            Some(GivenItem { id: item.id?, blocking: item.blocking.unwrap_or(true), shared })
        };
        self.items.iter().filter_map(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        for text in ["5.1", "9999999999999999.999", "10.100"] {
            assert_eq!(ItemId::parse(text).unwrap().to_string(), text);
        }
        let wrong = [
            "",
            "5",
            "5.",
            ".1",
            "5.0",
            "0.1",
            "05.1",
            "5.01",
            "5.1.1",
            "+5.1",
            "5.1000",
            " 5.1",
            "12345678901234567.1",
        ];
        for text in wrong {
            assert_eq!(ItemId::parse(text), Err(InvalidItemId), "{text}");
        }
    }
}
