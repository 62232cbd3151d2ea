//! Who reviews a stage that the partner reviews: anybody or named people, in one group or in panels,
//! how many votes of each group decide, and who may not approve.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::Stage;
use crate::domain::values::id::{ActorId, PanelKey, StageKey};
use crate::domain::values::text::Name;

/// The most reviewers that a stage can name, in all its panels.
pub const MAX_REVIEWERS: usize = 100;

/// Who of the partner decides a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "ReviewFields")]
pub struct ReviewRule {
    /// Who may vote, and how many votes decide.
    pub voting: Voting,
    /// Whether actors who submitted the work may approve it.
    pub self_approval: bool,
    /// Earlier stages whose approvers may not approve here.
    pub distinct_from: Vec<StageKey>,
    /// Whether a running task keeps the named reviewers that the definition has.
    pub reviewers_fixed: bool,
    /// Whether the substitute of an absent reviewer may vote in that person's seat.
    pub substitutes: bool,
}

/// Who may vote, and how many votes decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voting {
    /// All votes are counted together.
    Quorum {
        /// How many decide.
        quorum: Quorum,
        /// The actor ids that may vote; empty: anyone of the partner.
        reviewers: Vec<ActorId>,
    },
    /// Each panel counts its own votes, and every panel must approve. At least one panel; nobody is
    /// in two.
    Panels(Vec<Panel>),
}

/// A group of reviewers whose votes are counted together, one of several in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PanelDefinition)]
pub struct Panel {
    /// Unique in the stage.
    pub key: PanelKey,
    /// The display name, at most 200 characters. The buyer reads it.
    pub name: Name,
    /// The actor ids that may vote in this panel. Nobody is in two panels of a stage, and all panels
    /// together name at most 100.
    #[schema(min_items = 1, max_items = 100)]
    pub reviewers: Vec<ActorId>,
    /// Approving votes with which the panel approves. Default 1.
    #[schema(required = false)]
    pub approvals: Approvals,
    /// Rejecting votes of this panel that reject the stage, whatever the other panels say, 1 to
    /// 100. Default 1.
    #[schema(minimum = 1, maximum = 100, required = false)]
    pub rejections: u32,
}

/// How many votes decide a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quorum {
    /// Approving votes for *approved*; `all` only with named reviewers.
    #[schema(required = false)]
    pub approvals: Approvals,
    /// Rejecting votes for *rejected*, 1 to 100.
    #[schema(minimum = 1, maximum = 100, required = false)]
    pub rejections: u32,
}

impl Quorum {
    /// One vote decides.
    pub(super) const ONE: Self = Self { approvals: Approvals::Votes(1), rejections: 1 };

    /// Checks that `named` reviewers always reach one of the two decisions, in whatever way they vote;
    /// 0: anyone of the party may vote.
    ///
    /// # Errors
    ///
    /// The rule that is broken.
    pub(in crate::domain) fn check_reachable(self, named: usize) -> Result<(), String> {
        let named = u32::try_from(named).unwrap_or(u32::MAX);
        let rejections = self.rejections;
        match self.approvals {
            Approvals::Votes(approvals) if named > 0 && approvals > named => {
                Err(format!("requires {approvals} approvals of {named} named reviewers"))
            }
            Approvals::Votes(approvals) if named > 0 && approvals + rejections > named + 1 => Err(format!(
                "can fail to reach a decision: with {named} named reviewers, approvals and rejections ({approvals} + {rejections}) may add up to at most {}",
                named + 1
            )),
            Approvals::All if rejections > 1 => Err(format!(
                "can fail to reach a decision: where `all` must approve, one rejection must be enough, not {rejections}"
            )),
            Approvals::Votes(_) | Approvals::All => Ok(()),
        }
    }
}

/// How many approving votes are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approvals {
    /// This many, 1 to 100.
    Votes(u32),
    /// One of every named reviewer who may approve, and at least one.
    All,
}

impl Serialize for Approvals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Votes(number) => serializer.serialize_u32(*number),
            Self::All => serializer.serialize_str("all"),
        }
    }
}

impl<'de> Deserialize<'de> for Approvals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Votes(u32),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Votes(number) => Ok(Self::Votes(number)),
            Written::Word(word) if word == "all" => Ok(Self::All),
            Written::Word(word) => Err(de::Error::invalid_value(de::Unexpected::Str(&word), &"a number or `all`")),
        }
    }
}

/// Written by hand: a number or one word is no alternative that serde derives.
impl PartialSchema for Approvals {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(100));
        let all = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["all"]));
        OneOfBuilder::new()
            .item(number)
            .item(all)
            .description(Some(
                "A number of approving votes, 1 to 100, or `all`: one of every named reviewer who may approve, and at least one. Where nobody may approve, the stage is escalated with the cause `no_quorum`.",
            ))
            .into()
    }
}

impl ToSchema for Approvals {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Approvals")
    }
}

/// The fields of a stage that hold a [`ReviewRule`], as they are stored and described.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct ReviewFields {
    /// How many votes decide the stage. Default 1 and 1. Not with `panels`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Quorum, required = false)]
    quorum: Option<Quorum>,
    /// The actor ids that may vote; empty: anyone of the partner. At most 100. Default empty. Not with
    /// `panels`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<ActorId>, max_items = 100, required = false)]
    reviewers: Option<Vec<ActorId>>,
    /// Several groups of reviewers, in place of `quorum` and `reviewers`: the stage is approved when
    /// every panel is, and rejected when the rejections of one are reached. Votes can change until
    /// then, also in a panel that has approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Panel>, min_items = 1, max_items = 20, required = false)]
    panels: Option<Vec<Panel>>,
    /// Whether actors who submitted the work, in any revision of the round, may approve it. Default
    /// `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    self_approval: Option<bool>,
    /// Earlier stages: actors whose approval counted in the latest round of one may not approve
    /// here. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<StageKey>, max_items = 50, required = false)]
    distinct_from: Option<Vec<StageKey>>,
    /// Whether `reviewers_changed` is refused, so that a running task keeps these reviewers; only on a
    /// stage that names them. Default `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    reviewers_fixed: Option<bool>,
    /// Whether the substitute of a named reviewer who is absent may vote in that person's seat. If not,
    /// the seat stays empty until the person votes or is back. Default `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required = false)]
    substitutes: Option<bool>,
}

impl From<ReviewRule> for ReviewFields {
    fn from(rule: ReviewRule) -> Self {
        let (quorum, reviewers, panels) = match rule.voting {
            Voting::Quorum { quorum, reviewers } => (Some(quorum), Some(reviewers), None),
            Voting::Panels(panels) => (None, None, Some(panels)),
        };
        let (self_approval, distinct_from) = (Some(rule.self_approval), Some(rule.distinct_from));
        let reviewers_fixed = rule.reviewers_fixed.then_some(true);
        let substitutes = (!rule.substitutes).then_some(false);
        Self { quorum, reviewers, panels, self_approval, distinct_from, reviewers_fixed, substitutes }
    }
}

/// Reads the fields of a stored stage. (A flattened `Option` would read an incomplete rule as none.)
pub(super) fn stored<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ReviewRule>, D::Error> {
    let ReviewFields { quorum, reviewers, panels, self_approval, distinct_from, reviewers_fixed, substitutes } =
        ReviewFields::deserialize(deserializer)?;
    let voting = match (quorum, reviewers, panels) {
        (Some(quorum), Some(reviewers), None) => Some(Voting::Quorum { quorum, reviewers }),
        (None, None, Some(panels)) if !panels.is_empty() => Some(Voting::Panels(panels)),
        (None, None, None)
            if self_approval.is_none()
                && distinct_from.is_none()
                && reviewers_fixed.is_none()
                && substitutes.is_none() =>
        {
            return Ok(None);
        }
        (_, _, _) => None,
    };
    match (voting, self_approval, distinct_from) {
        (Some(voting), Some(self_approval), Some(distinct_from)) => {
            let (reviewers_fixed, substitutes) = (reviewers_fixed.unwrap_or(false), substitutes.unwrap_or(true));
            Ok(Some(ReviewRule { voting, self_approval, distinct_from, reviewers_fixed, substitutes }))
        }
        (_, _, _) => Err(de::Error::custom(
            "quorum and reviewers (or panels), self_approval and distinct_from must be given together or not at all",
        )),
    }
}

/// Reviewers of a stage whose votes are counted together: a panel, or everybody in a stage without
/// panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// The panel; none in a stage without panels.
    pub panel: Option<&'a Panel>,
    /// The actor ids that may vote; none: anyone of the reviewing party.
    pub named: Option<&'a [ActorId]>,
    /// The approving votes that are needed.
    pub approvals: Approvals,
    /// The rejecting votes that reject the stage.
    pub rejections: u32,
}

impl<'a> Group<'a> {
    /// Anyone of a party, with one vote.
    pub(in crate::domain) const ANYONE: Self =
        Self { panel: None, named: None, approvals: Quorum::ONE.approvals, rejections: Quorum::ONE.rejections };

    /// The key of the panel.
    pub fn key(&self) -> Option<&'a PanelKey> {
        self.panel.map(|panel| &panel.key)
    }

    /// How many votes decide.
    pub(in crate::domain) fn quorum(&self) -> Quorum {
        Quorum { approvals: self.approvals, rejections: self.rejections }
    }

    /// Whether this actor of the reviewing party may vote here.
    pub fn admits(&self, actor: &ActorId) -> bool {
        self.named.is_none_or(|named| named.contains(actor))
    }

    fn of(quorum: Quorum, reviewers: &'a [ActorId]) -> Self {
        let Quorum { approvals, rejections } = quorum;
        Self { panel: None, named: Some(reviewers).filter(|named| !named.is_empty()), approvals, rejections }
    }
}

impl<'a> From<&'a Panel> for Group<'a> {
    fn from(panel: &'a Panel) -> Self {
        let Panel { reviewers, approvals, rejections, .. } = panel;
        Self { panel: Some(panel), named: Some(reviewers), approvals: *approvals, rejections: *rejections }
    }
}

impl Stage {
    /// The groups whose votes are counted apart: the panels, or one group. The buyer and the platform
    /// have one vote.
    pub fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        let (whole, panels): (_, &[Panel]) = match self.review.as_ref().map(|review| &review.voting) {
            None => (Some(Group::ANYONE), &[]),
            Some(Voting::Quorum { quorum, reviewers }) => (Some(Group::of(*quorum, reviewers)), &[]),
            Some(Voting::Panels(panels)) => (None, panels),
        };
        whole.into_iter().chain(panels.iter().map(Group::from))
    }

    /// The panels; none in a stage without.
    pub fn panels(&self) -> &[Panel] {
        match self.review.as_ref().map(|review| &review.voting) {
            Some(Voting::Panels(panels)) => panels,
            Some(Voting::Quorum { .. }) | None => &[],
        }
    }

    /// The actor ids that may vote, of all panels; empty: anyone of the party.
    pub fn reviewers(&self) -> impl Iterator<Item = &ActorId> {
        self.groups().filter_map(|group| group.named).flatten()
    }

    /// Whether only named people may vote.
    pub fn names_reviewers(&self) -> bool {
        self.groups().all(|group| group.named.is_some())
    }

    /// The most votes of one kind that the stage can need where anyone may vote.
    pub fn most_votes(&self) -> u32 {
        let votes = |group: Group<'_>| match group.approvals {
            Approvals::Votes(number) => number.max(group.rejections),
            Approvals::All => group.rejections,
        };
        self.groups().map(votes).sum()
    }

    /// Whether actors who submitted the work may not approve it.
    pub fn bars_submitter(&self) -> bool {
        self.review.as_ref().is_some_and(|review| !review.self_approval)
    }

    /// Whether a running task keeps the named reviewers that the definition has.
    pub fn fixes_reviewers(&self) -> bool {
        self.review.as_ref().is_some_and(|review| review.reviewers_fixed)
    }

    /// Whether the substitute of an absent reviewer may vote in that person's seat.
    pub fn allows_substitutes(&self) -> bool {
        self.review.as_ref().is_some_and(|review| review.substitutes)
    }

    /// The stages whose approvers may not approve here.
    pub fn distinct_from(&self) -> &[StageKey] {
        self.review.as_ref().map_or(&[], |review| &review.distinct_from)
    }
}
