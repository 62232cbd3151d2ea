//! Links: how a person comes in without a credential. A back end that has one asks for a link; a
//! person opens it in a browser and gets a session of limited reach.
//!
//! A link is one person's, and never reaches further than the credential that made it. The wait
//! that a `decide` link is for is compared with the task whenever the link is used
//! ([`BoundTo::compare`]); no transition writes to a link. Which commands a session may send is
//! [`Reach`], and `app` asks it for every command, so that no page can forget to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::outside::nothing_to_check;

mod agent;
mod bound;
mod reach;
mod secret;
mod terms;

pub use agent::Agent;
pub use bound::BoundTo;
pub use reach::Reach;
pub use secret::{FormKey, SecretHash, SessionSecret, Voucher};
pub use terms::{Lifetimes, Limit, NewLink, Terms, scopes_of, scopes_to_make};

/// Where a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// One decision about one task.
    Decide,
    /// One task, as the party sees it.
    Task,
    /// Everything that the actor can do something about.
    Inbox,
    /// Workflows, tasks, webhooks and links of the party.
    Console,
}

impl LinkKind {
    /// All kinds, in the order of the contract.
    pub const ALL: [Self; 4] = [Self::Decide, Self::Task, Self::Inbox, Self::Console];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Task => "task",
            Self::Inbox => "inbox",
            Self::Console => "console",
        }
    }

    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How a link is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OpenMode {
    /// A person presses a button. The link opens up to 5 times. For mails and chats.
    #[default]
    Click,
    /// The page presses the button itself. The link opens once and lives at most 2 minutes. For a
    /// redirect of a back end that has just signed the person in.
    AtOnce,
}

impl OpenMode {
    /// Both modes, in the order of the contract.
    pub const ALL: [Self; 2] = [Self::Click, Self::AtOnce];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::AtOnce => "at_once",
        }
    }

    /// The mode with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// How often such a link opens.
    pub fn openings(self) -> u16 {
        match self {
            Self::Click => 5,
            Self::AtOnce => 1,
        }
    }
}

/// Whether a link can be used, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It can be used.
    Open,
    /// Its time is over, or it was opened as often as it can be.
    Expired,
    /// `decide` only: the decision was made.
    Decided,
    /// `decide` only: there is newer work.
    Superseded,
    /// `decide` only: the review or escalation was withdrawn.
    Withdrawn,
    /// `decide` only: the decision waits for something else: the task is on hold, or another party
    /// was asked to decide. The link opens and shows that, and works again afterwards.
    Held,
    /// It was ended, by hand, with its credential, or by an erasure.
    Ended,
}

impl LinkState {
    /// All states, in the order of the contract.
    pub const ALL: [Self; 7] =
        [Self::Open, Self::Expired, Self::Decided, Self::Superseded, Self::Withdrawn, Self::Held, Self::Ended];

    /// Whether the link no longer opens and its sessions decide nothing more.
    pub fn is_closed(self) -> bool {
        !matches!(self, Self::Open | Self::Held)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Expired => "expired",
            Self::Decided => "decided",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Held => "held",
            Self::Ended => "ended",
        }
    }
}

nothing_to_check!(LinkKind, OpenMode, LinkState);

#[cfg(test)]
mod tests;
