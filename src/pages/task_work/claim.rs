//! Claims on the desk: who has said that they decide the task, and how the visitor says so.

use axum::http::StatusCode;
use axum::response::Response;

use crate::app::Error;
use crate::app::tasks::Desk;
use crate::app::tasks::claims::{Claim, Claiming};
use crate::domain::values::id::TaskId;
use crate::domain::values::party::Actor;
use crate::domain::values::time::Span;
use crate::http::AppState;
use crate::pages::frame::Frame;
use crate::pages::problem::PageError;
use crate::pages::session::Visitor;
use crate::pages::texts::Texts;
use crate::pages::times::TimeTag;

use super::notice::Notice;
use super::panel::Filled;
use super::words;

/// How long a claim from the desk lasts.
const LEASE: &str = "PT1H";

/// Who has the task, in words, and until when.
pub(in crate::pages) type Claimed = (String, TimeTag);

/// The claims in words. The visitor's own one comes first.
pub(in crate::pages) fn sentences(claims: &[Claim], visitor: &Visitor) -> Vec<Claimed> {
    let Frame { t, times, .. } = visitor.untitled();
    let sentence = |claim: &Claim| {
        let text = if is_own(claim, visitor.actor.as_ref()) {
            t.text("review-claimed-own").into_owned()
        } else {
            words::quoted(*t, "review-claimed", "who", &words::person(&claim.actor))
        };
        (text, times.due(&claim.until))
    };
    let (own, others): (Vec<_>, Vec<_>) = claims.iter().partition(|claim| is_own(claim, visitor.actor.as_ref()));
    own.into_iter().chain(others).map(sentence).collect()
}

fn is_own(claim: &Claim, actor: Option<&Actor>) -> bool {
    actor.is_some_and(|actor| actor.id.key() == claim.actor.id.key())
}

/// What the visitor can say about who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// That the visitor does.
    Take,
    /// The same in place of somebody else.
    TakeOver,
    /// No longer.
    GiveBack,
}

impl Say {
    const ALL: [Self; 3] = [Self::Take, Self::TakeOver, Self::GiveBack];

    /// What this visitor can say; nothing without a name, or about somebody else's decision.
    pub(super) fn of(desk: &Desk, visitor: &Visitor) -> Option<Self> {
        let (actor, claims) = (visitor.actor.as_ref()?, &desk.claims);
        match claims.is_full {
            _ if claims.standing.iter().any(|claim| is_own(claim, Some(actor))) => Some(Self::GiveBack),
            _ if !claims.may_claim => None,
            true => Some(Self::TakeOver),
            false => Some(Self::Take),
        }
    }

    /// The value of the button.
    pub(super) fn value(self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::TakeOver => "take-over",
            Self::GiveBack => "give-back",
        }
    }

    /// The words on the button.
    pub(super) fn label(self, t: Texts) -> String {
        let id = match self {
            Self::Take => "review-claim",
            Self::TakeOver => "review-claim-over",
            Self::GiveBack => "review-claim-back",
        };
        t.text(id).into_owned()
    }

    /// Reads the value of the button.
    pub(super) fn parse(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|say| say.value() == value)
    }
}

/// Does what the visitor said. The answer is the page with what was typed so far, and a notice if
/// somebody else was first or there is nothing to decide any more.
pub(super) async fn post(
    state: &AppState,
    visitor: &Visitor,
    (task, say): (TaskId, Say),
    filled: Filled,
) -> Result<Response, PageError> {
    let said = match (say, &visitor.actor) {
        (_, None) => Ok(()),
        (Say::GiveBack, Some(actor)) => state.app.tasks.claims.release(&visitor.caller, task, &actor.id).await,
        (Say::Take | Say::TakeOver, Some(actor)) => {
            let lease = Span::parse(LEASE).expect("an hour is a span");
            let request = Claiming { actor: Some(actor.clone()), lease, take_over: say == Say::TakeOver };
            state.app.tasks.claims.claim(&visitor.caller, task, request).await.map(drop)
        }
    };
    let frame = visitor.untitled();
    let (status, notice) = match said {
        Ok(()) => (StatusCode::OK, None),
        Err(Error::Claimed(claim, _)) => {
            let who = words::person(&claim.actor);
            (StatusCode::CONFLICT, Some(words::quoted(frame.t, "review-claim-taken", "who", &who)))
        }
        Err(Error::NothingToDecide(..)) => (StatusCode::CONFLICT, Some(frame.t.text("review-claim-void").into_owned())),
        Err(error) => return Err(PageError::of(error, frame)),
    };
    let notice = notice.map(|text| Notice { text, link: None, typed: Vec::new() });
    super::again(state, visitor, task, (status, Filled { notice, ..filled })).await
}
